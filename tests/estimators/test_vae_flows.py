"""Flows inside the VAE and around its codes: spline steps as prior and posterior, and a prior learned after the fit."""

from pathlib import Path

import jax
import numpy as np
import pytest
from scipy import stats

import tacit
from tacit import VAE
from tacit.inference.guides import guide_around
from tacit.models.vae.posteriors import Diagonal, SplineAutoregressive
from tacit.models.vae.priors import SplineFlowPrior, StandardNormal


def ring(number: int) -> np.ndarray:
    """A ring in four columns."""
    random = np.random.default_rng(0)
    turn = random.uniform(0, 2 * np.pi, number)
    flat = np.column_stack([np.cos(turn), np.sin(turn)]) @ np.array([[1.0, 0.5, -0.3, 0.2], [0.0, 1.0, 0.7, -0.4]])
    return flat + 0.1 * random.normal(size=(number, 4))


def test_a_spline_prior_begins_as_independent_normals() -> None:
    shift, scale = np.array([1.0, -2.0, 0.0]), np.array([0.5, 1.0, 2.0])
    prior = SplineFlowPrior(3, key=jax.random.key(0), hidden=(8,), shift=shift, scale=scale)
    z = np.random.default_rng(0).normal(size=(20, 3)).astype("f4")
    expected = stats.norm(shift, scale).logpdf(z).sum(1)
    np.testing.assert_allclose(jax.jit(lambda z: prior.log_density(z))(z), expected, rtol=1e-4)


@pytest.mark.reuses_keys
def test_a_spline_posterior_begins_as_the_diagonal_one() -> None:
    kind = SplineAutoregressive(2, key=jax.random.key(0), hidden=(8,), context=3)
    assert kind.outputs(2) == 7
    outputs = np.random.default_rng(0).normal(size=(5, 7)).astype("f4")
    key = jax.random.key(1)
    z, log_q = jax.jit(lambda outputs: kind.read(outputs).draw(key, 4))(outputs)
    plain, plain_log_q = Diagonal().read(outputs[:, :4]).draw(key, 4)
    # the order is turned round after each of the two steps, and so is as it was
    np.testing.assert_allclose(z, plain, atol=1e-5)
    np.testing.assert_allclose(log_q, plain_log_q, atol=1e-4)


def test_a_spline_guide_begins_as_a_normal() -> None:
    location, scale = np.array([1.0, -1.0], "f4"), np.array([2.0, 0.5], "f4")
    guide = guide_around("spline-flow", location, scale, key=jax.random.key(0))
    theta, log_q = jax.jit(lambda key: guide.draw(key, 6))(jax.random.key(2))
    np.testing.assert_allclose(log_q, stats.norm(location, scale).logpdf(theta).sum(-1), atol=1e-4)


@pytest.fixture(scope="module")
def fitted() -> VAE:
    model = VAE(2, hidden=(16,), network="mlp", max_epochs=15, n_samples=20, random_state=0)
    return model.fit(ring(600))


def test_a_prior_of_the_codes_raises_the_bound(fitted: VAE, tmp_path: Path) -> None:
    x, before = ring(600), fitted.lower_bound_
    level = fitted.elbo(x)["elbo"]
    assert isinstance(fitted.model_.prior, StandardNormal)
    fitted.fit_prior(x, hidden=(16,), max_epochs=40)
    assert isinstance(fitted.model_.prior, SplineFlowPrior)
    assert fitted.prior_gain_ > 0.02
    assert fitted.prior_gain_error_ < fitted.prior_gain_
    assert fitted.lower_bound_ == pytest.approx(before + fitted.prior_gain_)
    assert fitted.elbo(x)["elbo"] > level
    tacit.save(fitted, tmp_path / "vae.safetensors")
    again = tacit.load(tmp_path / "vae.safetensors")
    np.testing.assert_array_equal(again.score_samples(x[:10]), fitted.score_samples(x[:10]))
    assert np.isfinite(again.sample(5)).all()


def test_a_prior_that_is_no_better_is_not_taken(fitted: VAE) -> None:
    prior, level = fitted.model_.prior, fitted.lower_bound_
    with pytest.warns(UserWarning, match="the prior is kept as it was"):
        fitted.fit_prior(ring(600)[:40], hidden=(16,), max_epochs=1)
    assert fitted.model_.prior is prior
    assert fitted.prior_gain_ == 0.0
    assert fitted.lower_bound_ == level


def test_codes_without_a_density_have_no_prior_to_learn() -> None:
    model = VAE(2, posterior="point", hidden=(4,), network="mlp", max_epochs=1, random_state=0).fit(ring(40))
    with pytest.raises(ValueError, match="learned where q\\(z\\|x\\) is a density of numbers; this model's is Point"):
        model.fit_prior(ring(40))
