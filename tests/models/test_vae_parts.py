"""Posteriors, priors, likelihoods and networks of deep models: against quadrature, scipy and XLA's convolutions."""

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest
import scipy.stats as st
from jax import lax

from tacit.models.vae.likelihoods import (
    BernoulliLikelihood,
    CategoricalLikelihood,
    Columns,
    ContinuousBernoulliLikelihood,
    DiscretisedLogisticLikelihood,
    Likelihood,
    NegativeBinomialLikelihood,
    NormalLikelihood,
    PerEntryNormalLikelihood,
    PoissonLikelihood,
)
from tacit.models.vae.networks import ConvDecoder, ConvEncoder, Convolution, Linear, bounded, glorot
from tacit.models.vae.posteriors import Diagonal, Full, Point
from tacit.models.vae.priors import MixtureOfGaussians, StandardNormal, VampPrior


class Whole:
    """A model whose encoder gives what it is given."""

    posterior_kind = Diagonal()

    def encode(self, x: object) -> object:
        return self.posterior_kind.read(x)


WHOLE = Whole()


@pytest.mark.parametrize("kind", [Diagonal(), Full()])
def test_divergences_from_a_normal_prior_are_expectations(kind: Diagonal | Full) -> None:
    """The closed form against the exact moments, and the log-density against scipy."""
    random = np.random.default_rng(0)
    with jax.enable_x64(True):
        density = kind.read(random.normal(size=(3, kind.outputs(4))))
        prior = StandardNormal(4, 1.5)
        kl = np.asarray(prior.kl(density)).sum(1)
        draws = np.asarray(density.sample(jax.random.key(0), 5))
        for row in range(3):
            if isinstance(kind, Full):
                covariance = np.asarray(density.covariance()[row])
            else:
                covariance = np.diag(np.asarray(density.scale[row]) ** 2)
            mean, variance = np.asarray(density.mean[row]), 1.5**2
            wanted = 0.5 * (
                (np.trace(covariance) + mean @ mean) / variance
                - 4
                + 4 * np.log(variance)
                - np.linalg.slogdet(covariance)[1]
            )
            assert kl[row] == pytest.approx(wanted, rel=1e-6)  # the prior's scale is a float32
            peer = st.multivariate_normal(mean, covariance)
            np.testing.assert_allclose(density.log_prob(draws)[:, row], peer.logpdf(draws[:, row]), rtol=1e-9)
            np.testing.assert_allclose(density.scale[row], np.sqrt(np.diag(covariance)), rtol=1e-9)


def test_bounds_are_kept_and_never_end_a_gradient() -> None:
    x = jnp.asarray([-60.0, -10.0, -4.0, -1.0, 0.0, 4.0, 60.0])
    kept = np.asarray(bounded(x))
    assert kept.min() >= -9.0
    assert kept.max() <= 3.0001
    np.testing.assert_allclose(kept[2:4], x[2:4], atol=0.03)
    assert np.all(np.asarray(jax.vmap(jax.grad(bounded))(x)[1:-1]) > 1e-3)


def test_a_point_pays_nothing() -> None:
    density = Point().read(jnp.ones((2, 3)))
    assert np.all(StandardNormal(3).kl(density) == 0)
    assert density.sample(jax.random.key(0), 4).shape == (4, 2, 3)


def test_priors_are_densities() -> None:
    grid = np.linspace(-12, 12, 4001)[:, None]
    for prior in (
        StandardNormal(1, 2.0),
        MixtureOfGaussians(1, 5, key=jax.random.key(0)),
        VampPrior(jnp.asarray([[0.5, -0.2], [-2.0, 0.3]])),
    ):
        total = np.trapezoid(np.exp(np.asarray(prior.log_prob(grid, WHOLE))), grid[:, 0])
        assert total == pytest.approx(1.0, abs=1e-4)
        draws = np.asarray(prior.sample(jax.random.key(1), 4000, WHOLE))[:, 0]
        mean = np.trapezoid(grid[:, 0] * np.exp(np.asarray(prior.log_prob(grid, WHOLE))), grid[:, 0])
        assert abs(draws.mean() - mean) < 5 * draws.std() / np.sqrt(4000)
    assert np.isfinite(StandardNormal(2).log_prob(jnp.zeros((3, 2)), None)).all()


OUT = np.array([[0.3, -0.4], [-2.0, 0.1], [1.2, 0.5]])
CASES: list[tuple[Likelihood, np.ndarray, object]] = [
    (BernoulliLikelihood(), np.array([0.0, 1.0, 1.0]), lambda o: st.bernoulli(1 / (1 + np.exp(-o[:, 0])))),
    (PoissonLikelihood(), np.array([0.0, 2.0, 7.0]), lambda o: st.poisson(np.exp(o[:, 0]))),
    (
        NegativeBinomialLikelihood(),
        np.array([0.0, 2.0, 7.0]),
        lambda o: st.nbinom(np.exp(o[:, 1]), 1 / (1 + np.exp(o[:, 0] - o[:, 1]))),
    ),
    (NormalLikelihood(0.7), np.array([0.1, -1.0, 3.0]), lambda o: st.norm(o[:, 0], 0.7)),
    (
        PerEntryNormalLikelihood(),
        np.array([0.1, -1.0, 3.0]),
        lambda o: st.norm(o[:, 0], 0.01 + np.log1p(np.exp(o[:, 1]))),
    ),
]


@pytest.mark.parametrize(("likelihood", "x", "peer"), CASES, ids=lambda v: type(v).__name__)
def test_likelihoods_are_scipys(likelihood: Likelihood, x: np.ndarray, peer: object) -> None:
    outputs = OUT[:, : likelihood.outs]
    frozen = peer(OUT)  # type: ignore[operator]
    wanted = frozen.logpdf(x) if likelihood.measure == "density" else frozen.logpmf(x)
    np.testing.assert_allclose(likelihood.log_prob_each(jnp.asarray(outputs), jnp.asarray(x)), wanted, rtol=2e-5)
    np.testing.assert_allclose(likelihood.mean(jnp.asarray(outputs)), frozen.mean(), rtol=1e-5)
    draws = np.asarray(likelihood.sample(jax.random.key(0), jnp.broadcast_to(outputs, (4000, *outputs.shape))))
    assert np.all(np.abs(draws.mean(0) - frozen.mean()) < 5 * frozen.std() / np.sqrt(4000))
    assert np.asarray(likelihood.supports(jnp.asarray(draws))).all()


def test_masses_of_discrete_likelihoods_sum_to_one() -> None:
    levels = jnp.asarray(np.arange(256) / 255, jnp.float32)
    for centre, log_scale in ((0.5, -3.0), (0.0, -5.0), (1.3, 0.0), (0.2, -7.0)):
        outputs = jnp.broadcast_to(jnp.asarray([centre, log_scale]), (256, 2))
        mass = np.exp(np.asarray(DiscretisedLogisticLikelihood().log_prob_each(outputs, levels), np.float64))
        assert mass.sum() == pytest.approx(1.0, abs=2e-4)
    logits = jnp.broadcast_to(jnp.asarray([0.1, 2.0, -1.0]), (3, 3))
    assert np.exp(CategoricalLikelihood(3).log_prob_each(logits, jnp.arange(3.0))).sum() == pytest.approx(1.0, abs=1e-6)


def test_a_continuous_bernoulli_is_a_density() -> None:
    grid = np.linspace(0, 1, 2001)
    for natural in (-3.0, 0.0, 9.0):
        outputs = jnp.full((2001, 1), natural)
        density = np.exp(ContinuousBernoulliLikelihood().log_prob_each(outputs, jnp.asarray(grid)))
        assert np.trapezoid(density, grid) == pytest.approx(1.0, abs=1e-4)


def test_columns_of_different_kinds_are_a_product_and_gaps_count_nothing() -> None:
    both = Columns((NormalLikelihood(1.0), CategoricalLikelihood(3)), ((0, 2), (1,)))
    assert both.shape((3,)) == (5,)
    outputs = jnp.asarray([[0.5, -1.0, 0.2, 0.0, 1.0]])
    x = jnp.asarray([[0.1, 2.0, -0.5]])
    logs = np.array([0.2, 0.0, 1.0])
    parts = [st.norm.logpdf(0.1, 0.5), logs[2] - np.log(np.exp(logs).sum()), st.norm.logpdf(-0.5, -1.0)]
    np.testing.assert_allclose(both.log_prob(outputs, x), [sum(parts)], rtol=1e-5)
    gaps = x.at[0, 1].set(jnp.nan)
    np.testing.assert_allclose(both.log_prob(outputs, gaps), [parts[0] + parts[2]], rtol=1e-5)
    assert np.asarray(both.sample(jax.random.key(0), outputs)).shape == (1, 3)


@pytest.mark.parametrize(("stride", "outs"), [(1, 4), (2, 4), (1, 1)])
@pytest.mark.parametrize("size", [(8, 8), (7, 5)])
def test_patches_are_xlas_convolution(stride: int, outs: int, size: tuple[int, int]) -> None:
    layer = Convolution(3, outs, key=jax.random.key(0), stride=stride)
    image = np.random.default_rng(0).normal(size=(*size, 3)).astype("f4")
    kernel = jnp.asarray(layer.weight).reshape(outs, 3, 3, 3).transpose(1, 2, 3, 0)
    wanted = lax.conv_general_dilated(
        image[None], kernel, (stride, stride), [(1, 1), (1, 1)], dimension_numbers=("NHWC", "HWIO", "NHWC")
    )[0]
    np.testing.assert_allclose(layer(image), wanted, atol=1e-5)


@pytest.mark.parametrize("outs", [1, 4])
def test_a_doubled_image_is_convolved_from_the_small_one(outs: int) -> None:
    layer = Convolution(3, outs, key=jax.random.key(0))
    image = np.random.default_rng(0).normal(size=(4, 5, 3)).astype("f4")
    large = image.repeat(2, axis=0).repeat(2, axis=1)
    np.testing.assert_allclose(layer.doubled(image), layer(large), atol=1e-5)


@pytest.mark.parametrize("shape", [(8, 8, 1), (28, 20, 1), (32, 32, 3), (9, 13, 3)])
def test_images_of_any_size_come_back_in_their_size(shape: tuple[int, int, int]) -> None:
    one, two = jax.random.split(jax.random.key(0))
    encoder = ConvEncoder(shape, (4, 6), (16,), 10, key=one, blocks=1)
    decoder = ConvDecoder(5, shape, (4, 6), (16,), 2, key=two, blocks=1)
    assert eqx.filter_jit(encoder)(jnp.zeros(shape)).shape == (10,)
    assert eqx.filter_jit(decoder)(jnp.zeros(5)).shape == (*shape, 2)


@pytest.mark.parametrize("double", [False, True])
@pytest.mark.parametrize(("out", "into"), [(1, 1), (3, 5), (16, 16), (17, 19), (3, 171)])
@pytest.mark.reuses_keys
def test_weights_are_those_of_one_draw_of_their_own_size(out: int, into: int, double: bool) -> None:
    key, limit = jax.random.key(out), 0.1 + out / 7
    with jax.enable_x64(double):
        found = glorot(key, out, into, limit)
        wanted = jax.random.uniform(key, (out, into), minval=-limit, maxval=limit)
        assert found.dtype == wanted.dtype
        np.testing.assert_array_equal(found, wanted)
        np.testing.assert_array_equal(jax.jit(lambda key: glorot(key, out, into, limit))(key), wanted)
        assert Linear(into, out, key=key).bias.dtype == wanted.dtype
