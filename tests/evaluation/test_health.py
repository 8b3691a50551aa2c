"""What a code is told of the rows: against the exact mutual information of a linear model."""

from typing import Any

import numpy as np
import pytest

from tacit import VAE, GaussianMixture, latent_health
from tacit.inference.objectives import Elbo

pytestmark = [pytest.mark.filterwarnings("ignore"), pytest.mark.reuses_keys]


def fitted(rows: np.ndarray, **settings: Any) -> VAE:
    quick = {
        "likelihood": "normal",
        "hidden": (),
        "posterior": "full",
        "learning_rate": 1e-2,
        "warm_up": 0.0,
        "max_epochs": 300,
    }
    return VAE(2, validation_fraction=0.0, random_state=0, **(quick | settings)).fit(rows)


def test_one_direction_takes_one_dimension_and_its_exact_information() -> None:
    random = np.random.default_rng(0)
    rows = random.normal(size=(1500, 1)) * np.array([[2.0, 1.0, -1.5]]) + 0.4 * random.normal(size=(1500, 3))
    model = fitted(rows, posterior="diagonal")
    health = latent_health(model, rows)
    layer = model.model_.decoder.layers[0].weight
    noise = np.exp(2 * float(model.model_.likelihood.log_scale))
    wanted = 0.5 * np.linalg.slogdet(np.eye(2) + layer.T @ layer / noise)[1]
    assert health.active.tolist().count(True) == 1
    assert health.mutual_information == pytest.approx(wanted, abs=0.1)
    assert abs(health.aggregate_kl) < 0.1
    assert health.rows == 1500
    assert health.squared_error == pytest.approx(((model.reconstruct(rows) - rows) ** 2).mean(), rel=1e-5)
    assert np.isnan(health.right)
    assert f"squared error {health.squared_error:.3g}" in str(health)
    assert "1 of 2 latent dimensions" in str(health)


def test_a_collapsed_posterior_is_named_with_its_remedy() -> None:
    rows = np.random.default_rng(0).normal(size=(400, 3))  # columns that know nothing of each other
    health = latent_health(fitted(rows, posterior="diagonal", objective=Elbo(beta=20.0)), rows)
    assert not health.active.any()
    assert "collapsed" in health.verdict
    assert "warm_up" in health.verdict


def test_of_binary_entries_the_share_that_is_right_is_told() -> None:
    random = np.random.default_rng(0)
    rows = (random.random((200, 4)) < np.where(random.random(200) < 0.5, 0.9, 0.2)[:, None]).astype(float)
    rows[0, 0] = np.nan
    model = fitted(rows, likelihood="bernoulli", posterior="diagonal", max_epochs=60)
    health = latent_health(model, rows)
    right = ((model.reconstruct(rows) > 0.5) == (rows == 1))[~np.isnan(rows)].mean()
    assert health.right == pytest.approx(right, rel=1e-9)
    assert f"{100 * right:.1f} % of the entries right" in str(health)


def test_a_model_without_a_code_is_refused() -> None:
    rows = np.random.default_rng(0).normal(size=(30, 2))
    with pytest.raises(ValueError, match="GaussianMixture has no latent code"):
        latent_health(GaussianMixture().fit(rows), rows)
