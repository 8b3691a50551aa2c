"""Flows, discrete codes, two levels and tied noise: against Jacobians, enumeration and dense Gaussians."""

import itertools
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest
import scipy.stats as st

from tacit.families.triangular import AutoregressiveFlow
from tacit.inference.objectives import Batch, Elbo, ScoreFunction
from tacit.models.vae.discrete import CategoricalCodes, CodeTable, QuantisedCodes, VectorQuantised, nearest
from tacit.models.vae.levels import TopDown, TwoLevels
from tacit.models.vae.likelihoods import BernoulliLikelihood, LowRankNormalLikelihood
from tacit.models.vae.model import DeepLatent, RowBatch, importance_log_prob
from tacit.models.vae.networks import MLP
from tacit.models.vae.posteriors import InverseAutoregressive
from tacit.models.vae.priors import FlowPrior

pytestmark = pytest.mark.reuses_keys
KEY = jax.random.key(0)


@pytest.mark.parametrize("dims", [1, 3])
def test_a_flow_is_triangular_and_its_log_determinant_that_of_its_jacobian(dims: int) -> None:
    flow = AutoregressiveFlow(dims, (8,), 2, key=KEY, context=2)
    z, context = jax.random.normal(jax.random.key(1), (dims,)), jnp.asarray([0.4, -1.0])
    y, log_det = eqx.filter_jit(flow.forward)(z, context)
    jacobian = jax.jit(jax.jacobian(lambda v: flow.forward(v, context)[0]))(z)
    assert float(log_det) == pytest.approx(np.linalg.slogdet(jacobian)[1], abs=1e-5)
    back, again = eqx.filter_jit(flow.inverse)(y, context)
    np.testing.assert_allclose(back, z, atol=1e-5)
    assert float(again) == pytest.approx(-float(log_det), abs=1e-5)
    one = AutoregressiveFlow(dims, (8,), 1, key=KEY, context=2)
    step = np.asarray(jax.jit(jax.jacobian(lambda v: one.forward(v, context)[0]))(z))[::-1]
    np.testing.assert_array_equal(np.triu(step, 1), 0.0)
    by_context = jax.jit(jax.jacobian(lambda c: one.forward(z, c)[0]))(context)
    assert np.abs(by_context).max(axis=1).min() > 0


@pytest.mark.parametrize("kind", [InverseAutoregressive(2, key=KEY, context=3), TwoLevels(2, 1, (4,), key=KEY)])
def test_draws_know_their_own_density(kind: Any) -> None:
    outputs = np.random.default_rng(0).normal(size=(3, kind.outputs(2))).astype("f4")
    density = kind.read(jnp.asarray(outputs))
    z, log_q = jax.jit(lambda: density.draw(KEY, 200))()
    assert z.shape == (200, 3, kind.width(2))
    np.testing.assert_allclose(eqx.filter_jit(density.log_prob)(z), log_q, atol=5e-3)  # float32, at scales near 0
    same, _ = density.moved(density.noise(KEY, 5, shared=True))
    assert same.shape == (5, 3, kind.width(2))
    assert density.mean.shape == density.scale.shape == (3, kind.width(2))


def test_a_flows_posterior_and_prior_integrate_to_one() -> None:
    grid = np.linspace(-9, 9, 241)
    points = jnp.asarray(np.array(list(itertools.product(grid, grid))), jnp.float32)
    density = InverseAutoregressive(2, key=KEY, context=1).read(jnp.asarray([[0.5, -1.0, 0.1, -0.4, 2.0]]))
    prior = FlowPrior(2, key=KEY)
    of_prior = jax.jit(lambda z: prior.log_prob(z, None))(points)
    for log_prob in (eqx.filter_jit(density.log_prob)(points[:, None])[:, 0], of_prior):
        assert np.exp(np.asarray(log_prob, np.float64)).sum() * (grid[1] - grid[0]) ** 2 == pytest.approx(1, abs=1e-3)
    draws = np.asarray(prior.sample(KEY, 4000, None))
    weights = np.exp(np.asarray(of_prior, np.float64)) * (grid[1] - grid[0]) ** 2
    assert np.all(np.abs(draws.mean(0) - weights @ np.asarray(points)) < 5 * draws.std(0) / np.sqrt(4000) + 1e-3)


def discrete(kind: Any, prior: Any, latent: int) -> DeepLatent:
    one, two = jax.random.split(jax.random.key(2))
    return DeepLatent(
        MLP(4, (), kind.outputs(latent), key=one),
        MLP(kind.width(latent), (), 4, key=two, shape=(4, 1)),
        prior,
        kind,
        BernoulliLikelihood(),
        None,
    )


ROWS = RowBatch(jnp.asarray([[0.0, 1.0, 1.0, 0.0], [1.0, 1.0, 0.0, 1.0]]))


def enumerated(model: DeepLatent, latent: int, levels: int) -> tuple[Any, Any]:
    """``log p(x)`` and the exact ELBO, by all levels of all variables."""
    codes = jnp.asarray(list(itertools.product(range(levels), repeat=latent)))
    z = model.posterior_kind.of_levels(codes)[:, None]
    z = jnp.broadcast_to(z, (z.shape[0], ROWS.x.shape[0], z.shape[-1]))
    joint = model.log_likelihood(ROWS, z) + model.log_prior(ROWS, z)
    log_q = model.posterior(ROWS).log_prob(z)
    return jax.nn.logsumexp(joint, axis=0), (jnp.exp(log_q) * (joint - log_q)).sum(0)


def test_categorical_codes_give_the_bound_and_its_gradient_by_enumeration() -> None:
    model = discrete(CategoricalCodes(levels=3), CodeTable(2, 3), 2)
    evidence, bound = jax.jit(lambda m: enumerated(m, 2, 3))(model)
    with_table = CodeTable(2, 3).log_prob(model.posterior_kind.of_levels(jnp.asarray([[0, 2]])), model)
    np.testing.assert_allclose(with_table, -2 * np.log(3), rtol=1e-6)

    def estimated(objective: Any, m: DeepLatent, key: Any) -> Any:
        return objective(m, Batch(ROWS, jnp.ones(2), key, jnp.ones(())))[0].mean()

    keys = jax.random.split(KEY, 400)
    exact = jax.jit(jax.grad(lambda m: enumerated(m, 2, 3)[1].mean()))(model)
    found = jax.jit(jax.vmap(lambda key: jax.value_and_grad(lambda m: estimated(ScoreFunction(4), m, key))(model)))(
        keys
    )
    assert float(found[0].mean()) == pytest.approx(float(bound.mean()), abs=5 * float(found[0].std()) / 20)
    for slopes, wanted in zip(jax.tree.leaves(found[1]), jax.tree.leaves(exact), strict=True):
        error = np.asarray(slopes).std(0) / 20
        assert np.all(np.abs(np.asarray(slopes).mean(0) - wanted) < 5 * error + 1e-5)
    values = jax.jit(jax.vmap(lambda key: estimated(Elbo(8), model, key)))(keys)  # straight through: the value is exact
    assert float(values.mean()) == pytest.approx(float(bound.mean()), abs=5 * float(values.std()) / 20)
    score = importance_log_prob(model, ROWS, np.array([0, 1], np.uint32), 4000, 500)
    np.testing.assert_allclose(score, evidence, atol=0.02)


def test_the_straight_through_gradient_reaches_the_encoder() -> None:
    model = discrete(CategoricalCodes(levels=3), CodeTable(2, 3), 2)
    batch = Batch(ROWS, jnp.ones(2), KEY, jnp.ones(()))
    slope = jax.jit(jax.grad(lambda m: Elbo(64)(m, batch)[0].mean()))(model)
    exact = jax.jit(jax.grad(lambda m: enumerated(m, 2, 3)[1].mean()))(model)
    mine, theirs = (np.ravel(each.encoder.layers[0].weight) for each in (slope, exact))
    assert np.corrcoef(mine, theirs)[0, 1] > 0.8


def test_quantised_codes_are_the_nearest_and_give_a_bound() -> None:
    random = np.random.default_rng(0)
    kind = QuantisedCodes(5, 2).begun(jnp.asarray(random.normal(size=(9, 6)), jnp.float32))
    model = discrete(kind, CodeTable(3, 5), 3)
    said = np.asarray(model.encoded(ROWS.x)).reshape(2, 3, 2)
    book = np.asarray(kind.codebook)
    wanted = np.linalg.norm(said[:, :, None] - book, axis=-1).argmin(-1)
    density = model.posterior(ROWS)
    np.testing.assert_array_equal(density.levels, wanted)
    np.testing.assert_array_equal(nearest(jnp.asarray(book), kind.codebook), np.arange(5))
    np.testing.assert_allclose(density.mean, book[wanted].reshape(2, -1), rtol=1e-6)
    evidence, _ = jax.jit(lambda m: enumerated(m, 3, 5))(model)
    raised, terms = jax.jit(VectorQuantised(0.25))(model, Batch(ROWS, jnp.ones(2), KEY, jnp.ones(())))
    np.testing.assert_allclose(terms["kl"], 3 * np.log(5), rtol=1e-6)
    z = jnp.asarray(book[wanted].reshape(1, 2, -1))
    np.testing.assert_allclose(terms["elbo"], (model.log_likelihood(ROWS, z) - 3 * np.log(5))[0], rtol=1e-5)
    assert np.all(np.asarray(terms["elbo"]) < np.asarray(evidence))
    distance = 1.25 * ((said - book[wanted]) ** 2).sum((1, 2))
    np.testing.assert_allclose(terms["elbo"] - raised, distance, rtol=1e-4)


def test_two_levels_are_a_joint_density() -> None:
    """With one dimension each, ``∫ p(z₁, z₂) = 1``, and draws have its moments."""
    prior = TopDown(1, 1, (4,), key=KEY)
    grid = np.linspace(-9, 9, 361)
    points = jnp.asarray(np.array(list(itertools.product(grid, grid))), jnp.float32)
    mass = np.exp(np.asarray(prior.log_prob(points, None), np.float64)) * (grid[1] - grid[0]) ** 2
    assert mass.sum() == pytest.approx(1.0, abs=2e-3)
    draws = np.asarray(prior.sample(KEY, 4000, None))
    assert np.all(np.abs(draws.mean(0) - mass @ np.asarray(points)) < 5 * draws.std(0) / np.sqrt(4000) + 2e-3)


def test_low_rank_noise_is_a_dense_gaussian_and_fills_gaps_as_one() -> None:
    likelihood = LowRankNormalLikelihood(2, floor=0.1)
    outputs = np.random.default_rng(0).normal(size=(2, 3, likelihood.shape((3,))[-1])).astype("f4")
    outputs[..., 2:] *= 10.0
    x = np.array([[0.3, -1.0, 0.5], [np.nan, 0.2, np.nan]], "f4")
    noise = 0.1 + np.log1p(np.exp(outputs[..., 1]))
    loadings = 0.1 * outputs[..., 2:]
    covariances = [w @ w.T + np.diag(s**2) for w, s in zip(loadings, noise, strict=True)]
    wanted = [
        st.multivariate_normal(outputs[0, :, 0], covariances[0]).logpdf(x[0]),
        st.norm(outputs[1, 1, 0], np.sqrt(covariances[1][1, 1])).logpdf(x[1, 1]),
    ]
    np.testing.assert_allclose(likelihood.log_prob(jnp.asarray(outputs), jnp.asarray(x)), wanted, rtol=2e-5)
    gain = covariances[1][[0, 2], 1] / covariances[1][1, 1]
    mean = outputs[1, [0, 2], 0] + gain * (x[1, 1] - outputs[1, 1, 0])
    left = covariances[1][np.ix_([0, 2], [0, 2])] - np.outer(gain, gain) * covariances[1][1, 1]
    found = likelihood.mean_given(jnp.asarray(outputs), jnp.asarray(x))
    np.testing.assert_allclose(found[1, jnp.asarray([0, 2])], mean, rtol=1e-4)
    many = jnp.broadcast_to(jnp.asarray(outputs), (20_000, *outputs.shape))
    drawn = np.asarray(likelihood.sample_given(KEY, many, jnp.asarray(x)))[:, 1, [0, 2]]
    np.testing.assert_allclose(np.cov(drawn.T), left, atol=0.05 * left.max())
    free = np.asarray(likelihood.sample(KEY, jnp.broadcast_to(jnp.asarray(outputs[0]), (20_000, 3, 4))))
    np.testing.assert_allclose(np.cov(free.T), covariances[0], atol=0.05 * covariances[0].max())
