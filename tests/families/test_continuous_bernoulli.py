"""The continuous Bernoulli against scipy's truncated exponential, and through the singularity at 0."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import scipy.stats as st
from scipy.integrate import quad

from tacit.families import ContinuousBernoulli
from tacit.families.continuous_bernoulli import log_normalizer

pytestmark = [pytest.mark.usefixtures("double"), pytest.mark.strict_ranks]

NATURAL = np.array([-700.0, -30.0, -2.0, -0.4, -0.1, -1e-3, -1e-9])
"""Below 0 it is scipy's truncated exponential; above it is the mirror image."""


@pytest.mark.parametrize("natural", NATURAL)
def test_density_mean_and_variance_are_those_of_a_truncated_exponential(natural: float) -> None:
    peer = st.truncexpon(-natural, scale=-1.0 / natural)
    x = np.array([0.0, 0.1, 0.5, 0.99, 1.0])
    for sign, at in ((1.0, x), (-1.0, 1.0 - x)):
        family = ContinuousBernoulli(np.array(sign * natural))
        np.testing.assert_allclose(family.log_prob(at), peer.logpdf(x), atol=1e-9, rtol=1e-9)
        if natural < -0.01:  # closer to 0 scipy's own differences lose their digits
            mean = peer.mean() if sign > 0 else 1.0 - peer.mean()
            np.testing.assert_allclose(family.mean(), mean, rtol=1e-9)
            np.testing.assert_allclose(family.variance(), peer.var(), rtol=1e-7)


@pytest.mark.parametrize("natural", [-40.0, -0.6, -0.5, -0.4999, -0.1, -0.0999, 0.0, 1e-5, 0.1, 0.3, 0.5, 5.0])
def test_moments_are_integrals_and_derivatives(natural: float) -> None:
    family = ContinuousBernoulli(np.array(natural))
    density = lambda x: np.exp(natural * x - float(log_normalizer(np.array(natural))))  # noqa: E731
    assert quad(density, 0, 1)[0] == pytest.approx(1.0, abs=1e-12)
    mean = quad(lambda x: x * density(x), 0, 1)[0]
    spread = quad(lambda x: (x - mean) ** 2 * density(x), 0, 1)[0]
    np.testing.assert_allclose(family.mean(), mean, rtol=1e-11)
    np.testing.assert_allclose(family.variance(), spread, rtol=1e-10)
    np.testing.assert_allclose(jax.grad(log_normalizer)(jnp.asarray(natural)), mean, rtol=1e-9)


def test_the_maximum_has_the_mean_of_the_rows() -> None:
    wanted = np.array([1e-4, 0.1, 0.4999, 0.5, 0.77, 0.9999])
    found = ContinuousBernoulli.template((6,)).maximise(10.0 * wanted[:, None], np.full(6, 10.0))
    np.testing.assert_allclose(found.mean(), wanted, rtol=1e-11)


def test_divergence_and_entropy_by_quadrature() -> None:
    p, q = ContinuousBernoulli(np.array(-2.0)), ContinuousBernoulli(np.array(1.5))
    density = lambda f, x: float(f.log_prob(np.array(x)))  # noqa: E731
    kl = quad(lambda x: np.exp(density(p, x)) * (density(p, x) - density(q, x)), 0, 1)[0]
    assert float(p.kl_divergence(q)) == pytest.approx(kl, abs=1e-10)
    entropy = -quad(lambda x: np.exp(density(p, x)) * density(p, x), 0, 1)[0]
    assert float(p.entropy()) == pytest.approx(entropy, abs=1e-10)


def test_draws_have_the_distribution() -> None:
    for natural in (-5.0, 0.0, 3.0):
        draws = np.asarray(ContinuousBernoulli(np.array(natural)).sample(key=jax.random.key(1), shape=(4000,)))
        peer = st.uniform() if natural == 0 else st.truncexpon(abs(natural), scale=1.0 / abs(natural))
        assert st.kstest(1.0 - draws if natural > 0 else draws, peer.cdf).pvalue > 1e-3


def test_outside_the_support_there_is_no_density() -> None:
    found = ContinuousBernoulli(np.array(1.0)).log_prob(np.array([-0.1, 1.1, np.nan]))
    assert np.isneginf(found[:2]).all()
    assert np.isnan(found[2])
