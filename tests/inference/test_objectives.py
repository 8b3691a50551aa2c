"""Bounds and their gradients on a scalar linear model, where everything is known in closed form."""

import math
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest
import scipy.stats as st

from tacit.families.bijections import DiagonalAffine
from tacit.families.transformed import Gaussian
from tacit.inference.objectives import (
    Batch,
    Elbo,
    ImportanceWeighted,
    MaximumMeanDiscrepancy,
    Objective,
    Renyi,
    ScoreFunction,
    TotalCorrelation,
)

pytestmark = pytest.mark.reuses_keys
X = np.array([[0.7], [-1.9], [0.2]])
SIGMA = 0.6


class Linear(eqx.Module):
    """``z ~ N(0, 1)``, ``x|z ~ N(w z, σ²)``, ``q(z|x) = N(a x, e^{2b})``."""

    w: Any
    a: Any
    b: Any

    def posterior(self, rows: Any) -> Gaussian:
        return Gaussian(DiagonalAffine(self.a * rows, jnp.broadcast_to(self.b, rows.shape)))

    def log_likelihood(self, rows: Any, latent: Any) -> Any:
        return (-0.5 * ((rows - self.w * latent) / SIGMA) ** 2 - 0.5 * math.log(2 * math.pi * SIGMA**2)).sum(-1)

    def log_prior(self, rows: Any, latent: Any) -> Any:
        return (-0.5 * latent**2 - 0.5 * math.log(2 * math.pi)).sum(-1)

    def kl(self, rows: Any, posterior: Gaussian) -> Any:
        return posterior.kl_standard(jnp.zeros(()))

    def prior_sample(self, rows: Any, key: Any, number: int) -> Any:
        return jax.random.normal(key, (number, 1))


def model(w: float = 1.3, a: float = 0.4, b: float = -0.5) -> Linear:
    return Linear(*(jnp.asarray(v) for v in (w, a, b)))


def exact(w: float = 1.3) -> np.ndarray:
    return st.norm(0, math.sqrt(w**2 + SIGMA**2)).logpdf(X[:, 0])


@jax.jit
def closed(parameters: tuple[Any, Any, Any]) -> Any:
    """The mean ELBO by hand: E(x − wz)² = (x − w a x)² + w² s²."""
    w, a, b = parameters
    x, variance = X[:, 0], jnp.exp(2 * b)
    square = (x - w * a * x) ** 2 + w**2 * variance
    reconstruction = -0.5 * square / SIGMA**2 - 0.5 * math.log(2 * math.pi * SIGMA**2)
    return jnp.mean(reconstruction - 0.5 * (variance + (a * x) ** 2 - 1) + b)


def estimate(objective: Objective, at: Linear, seeds: int, warmth: float = 1.0) -> tuple[Any, Any]:
    """The mean objective and its gradient over many seeds, and the standard errors of the gradient."""

    @jax.jit
    def one(key: Any) -> Any:
        def value(m: Linear) -> Any:
            return objective(m, Batch(jnp.asarray(X), jnp.ones(3), key, jnp.asarray(warmth)))[0].mean()

        return jax.value_and_grad(value)(at)

    values, slopes = jax.vmap(one)(jax.random.split(jax.random.key(3), seeds))
    slopes = np.stack([np.asarray(leaf) for leaf in jax.tree.leaves(slopes)])
    return np.asarray(values), slopes


@pytest.fixture(autouse=True)
def _double() -> Any:
    with jax.enable_x64(True):
        yield


def agree(draws: np.ndarray, wanted: Any) -> None:
    error = draws.std(axis=-1) / math.sqrt(draws.shape[-1])
    assert np.all(np.abs(draws.mean(axis=-1) - np.asarray(wanted)) < 4.5 * error + 1e-9)


@pytest.mark.parametrize("objective", [Elbo(), Elbo(samples=3), ScoreFunction(), ScoreFunction(2, baseline=False)])
def test_estimates_of_the_bound_and_its_gradient_are_those_by_hand(objective: Objective) -> None:
    at = model()
    values, slopes = estimate(objective, at, 20_000)
    bound, gradient = jax.jit(jax.value_and_grad(closed))((at.w, at.a, at.b))
    agree(values, bound)
    agree(slopes, np.asarray(gradient))
    step = 1e-5
    for place in range(3):  # the hand's derivative against differences of the hand's bound
        ends = [closed(tuple(v + s * step * (i == place) for i, v in enumerate((at.w, at.a, at.b)))) for s in (1, -1)]
        assert float(gradient[place]) == pytest.approx(float(ends[0] - ends[1]) / (2 * step), rel=1e-6)


def test_without_reparameterisation_the_encoders_gradient_is_wrong() -> None:
    """Draws that stand still lose the reconstruction's share of the encoder's gradient."""

    class Still(Linear):
        def log_likelihood(self, rows: Any, latent: Any) -> Any:
            return super().log_likelihood(rows, jax.lax.stop_gradient(latent))

    _, slopes = estimate(Elbo(), Still(*jax.tree.leaves(model())), 4000)
    right = np.asarray(jax.jit(jax.grad(closed))(tuple(jax.tree.leaves(model()))))
    assert abs(slopes[1].mean() - right[1]) > 0.1
    agree(slopes[:1], right[:1])  # the decoder's is right


def test_a_baseline_lowers_the_variance_of_the_score_function() -> None:
    spread = [estimate(ScoreFunction(4, baseline=b), model(), 4000)[1][1:].var(axis=1) for b in (True, False)]
    assert np.all(spread[0] < 0.6 * spread[1])


def test_more_draws_never_lower_the_importance_weighted_bound() -> None:
    at = model()
    bounds = [estimate(ImportanceWeighted(k, "reparameterised"), at, 6000)[0] for k in (1, 2, 5, 20, 100)]
    means = [b.mean() for b in bounds]
    errors = [b.std() / math.sqrt(b.size) for b in bounds]
    agree(bounds[0], closed((at.w, at.a, at.b)))
    for k in range(4):
        assert means[k + 1] > means[k] - 3 * (errors[k] + errors[k + 1])
    assert means[-1] < exact().mean() + 3 * errors[-1]
    assert means[-1] == pytest.approx(exact().mean(), abs=0.02)


@pytest.mark.parametrize("warmth", [1.0, 0.3])
def test_all_gradients_of_the_importance_weighted_bound_agree(warmth: float) -> None:
    at = model()
    plain = estimate(ImportanceWeighted(4, "reparameterised"), at, 40_000, warmth)[1]
    double = estimate(ImportanceWeighted(4, "doubly-reparameterised"), at, 40_000, warmth)[1]
    error = np.hypot(plain.std(1), double.std(1)) / 200
    assert np.all(np.abs(plain.mean(1) - double.mean(1)) < 4.5 * error)
    assert np.all(double[1:].var(1) < plain[1:].var(1))


def test_at_the_exact_posterior_sticking_the_landing_has_no_noise() -> None:
    w = 1.3
    variance = SIGMA**2 / (w**2 + SIGMA**2)
    at = model(w, w / (w**2 + SIGMA**2), 0.5 * math.log(variance))
    values, slopes = estimate(ImportanceWeighted(1, "sticking-the-landing"), at, 50)
    np.testing.assert_allclose(values, exact(w).mean(), rtol=1e-12)
    np.testing.assert_allclose(slopes[1:], 0.0, atol=1e-12)
    assert np.abs(estimate(Elbo(), at, 50)[1][1:]).max() > 0.1


def test_renyi_lies_between_its_ends() -> None:
    at = model()
    ends = {alpha: estimate(Renyi(20, alpha), at, 4000)[0].mean() for alpha in (0.0, 0.5, 1.0)}
    assert ends[1.0] < ends[0.5] < ends[0.0] < exact().mean() + 0.02
    assert ends[0.0] == pytest.approx(estimate(ImportanceWeighted(20, "reparameterised"), at, 4000)[0].mean(), abs=1e-9)


def test_what_is_charged_for_the_code() -> None:
    at, batch = model(), Batch(jnp.asarray(X), jnp.ones(3), jax.random.key(0), jnp.ones(()))
    _, terms = Elbo()(at, batch)
    np.testing.assert_allclose(terms["elbo"], terms["reconstruction"] - terms["kl"])
    for objective, warmth, charged in (
        (Elbo(beta=3.0), 1.0, 3.0 * terms["kl"]),
        (Elbo(), 0.25, 0.25 * terms["kl"]),
        (Elbo(capacity=2.0, beta=5.0), 1.0, 5.0 * jnp.abs(terms["kl"] - 2.0)),
    ):
        raised, again = objective(at, batch._replace(warmth=jnp.asarray(warmth)))
        np.testing.assert_allclose(raised, terms["reconstruction"] - charged, rtol=1e-12)
        np.testing.assert_allclose(again["elbo"], terms["elbo"], rtol=1e-12)
    free = jax.jit(jax.grad(lambda m: Elbo(free_bits=10.0)(m, batch)[0].sum()))(at)
    paid = jax.jit(jax.grad(lambda m: Elbo(beta=0.0)(m, batch)[0].sum()))(at)
    np.testing.assert_allclose(jax.tree.leaves(free), jax.tree.leaves(paid), rtol=1e-12)


def test_batch_penalties_vanish_where_they_should() -> None:
    rows = jnp.asarray(np.random.default_rng(0).normal(size=(400, 1)))
    batch = Batch(rows, jnp.ones(400), jax.random.key(0), jnp.ones(()))
    # one latent dimension has no total correlation
    _, terms = jax.jit(TotalCorrelation(beta=6.0))(model(), batch)
    np.testing.assert_allclose(terms["total_correlation"], 0.0, atol=1e-9)
    # an encoder that gives the prior back has nothing to be told from it; one that squeezes has
    ideal = MaximumMeanDiscrepancy()(model(1.0, 0.0, 0.0), batch)[1]["mmd"][0]
    squeezed = MaximumMeanDiscrepancy()(model(1.0, 0.0, -4.0), batch)[1]["mmd"][0]
    assert abs(float(ideal)) < 0.02 < float(squeezed)
    # padding counts nothing
    half = MaximumMeanDiscrepancy()(model(), batch._replace(weights=batch.weights.at[200:].set(0.0)))[1]["mmd"][0]
    assert np.isfinite(half)
