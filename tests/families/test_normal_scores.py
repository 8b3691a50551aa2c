"""Normal scores of mixtures: against scipy, into the far tails, and the triangular map that they make."""

import jax
import numpy as np
import pytest
from scipy import special, stats

from tacit.compute import double_precision, single_precision
from tacit.families.normal_scores import NormalMixture, mixed_score, mixed_value, normal_score
from tacit.families.triangular import MixtureScores

pytestmark = pytest.mark.reuses_keys


@double_precision
def test_normal_scores_are_scipys_quantiles_in_both_tails() -> None:
    z = np.array([-38.0, -20.0, -5.0, -1.0, -1e-6, 0.0, 0.3, 4.0, 9.0, 37.0])
    found = normal_score(special.log_ndtr(z), special.log_ndtr(-z))
    np.testing.assert_allclose(found, z, rtol=1e-12, atol=1e-14)


@double_precision
def test_slopes_of_normal_scores_are_those_of_the_density() -> None:
    log_weights, means, scales = np.log([0.3, 0.7]), np.array([-1.0, 2.0]), np.array([0.5, 1.5])
    score = lambda x: mixed_score(log_weights, (x - means) / scales, np.log(scales))  # noqa: E731
    for x in (-30.0, -2.0, 0.1, 3.0, 40.0):
        z, log_density = score(x)
        slope = jax.grad(lambda v: score(v)[0])(x)
        assert float(slope) == pytest.approx(float(np.exp(log_density - stats.norm.logpdf(z))), rel=1e-9)
        assert float(mixed_value(z, log_weights, means, np.log(scales))[0]) == pytest.approx(x, rel=1e-12)


@single_precision
def test_in_single_precision_far_values_stay_finite() -> None:
    log_weights, means, scales = np.log(np.float32([0.5, 0.5])), np.float32([-1, 1]), np.float32([0.1, 1.0])
    x = np.float32([-300.0, 0.0, 300.0])
    z, density = mixed_score(log_weights, (x[:, None] - means) / scales, np.log(scales))
    assert np.isfinite(np.asarray(z)).all()
    assert np.isfinite(np.asarray(density)).all()


def mixture() -> NormalMixture:
    random = np.random.default_rng(0)
    factors = np.tril(random.normal(size=(3, 4, 4)))
    factors[:, range(4), range(4)] = np.exp(0.3 * random.normal(size=(3, 4)))
    return NormalMixture(np.log([0.2, 0.5, 0.3]), 2.0 * random.normal(size=(3, 4)), factors)


def oracle(of: NormalMixture, x: np.ndarray) -> np.ndarray:
    parts = [
        weight + stats.multivariate_normal.logpdf(x, mean, factor @ factor.T)
        for weight, mean, factor in zip(of.log_weights, of.means, of.factors, strict=True)
    ]
    return special.logsumexp(parts, axis=0)


@double_precision
def test_the_map_of_a_mixture_gives_its_log_density_and_makes_its_rows_normal() -> None:
    of = mixture()
    x = np.asarray(of.sample(jax.random.key(1), 4000))
    z, log_det = MixtureScores(of).forward(x)
    white = stats.norm.logpdf(np.asarray(z)).sum(1)
    np.testing.assert_allclose(white + log_det, oracle(of, x), atol=1e-9)
    for column in np.asarray(z).T:
        assert stats.kstest(column, "norm").pvalue > 1e-3
    assert np.abs(np.corrcoef(np.asarray(z).T) - np.eye(4)).max() < 0.06


@double_precision
def test_the_map_of_one_normal_is_the_inverse_of_its_cholesky_factor() -> None:
    of = mixture()
    one = NormalMixture(np.zeros(1), of.means[:1], of.factors[:1])
    x = np.random.default_rng(2).normal(size=(50, 4)) * 3
    z, log_det = MixtureScores(one).forward(x)
    np.testing.assert_allclose(z, np.linalg.solve(of.factors[0], (x - of.means[0]).T).T, atol=1e-10)
    np.testing.assert_allclose(log_det, -np.log(np.diag(of.factors[0])).sum(), atol=1e-10)
