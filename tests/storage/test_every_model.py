"""Every listed estimator is saved, described in a config and loaded without a line of its own."""

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from sklearn.base import BaseEstimator, is_regressor
from sklearn.utils.validation import check_is_fitted

from tacit import registry
from tacit.estimators.mixture.gaussian import GaussianMixture
from tacit.estimators.mixture.mixed import Mixture
from tacit.storage import RunConfig, container, fingerprint, load, save

SMALL: dict[str, Any] = {"hidden": (8,), "n_samples": 10, "members": (GaussianMixture(1), GaussianMixture(2))}
"""A network, and how often its codes are drawn, where only what is kept of it matters."""
ANSWERS = ("predict", "predict_proba", "score_samples", "transform")


def made(name: str) -> BaseEstimator:
    wanted = {
        "n_components": 2,
        "n_clusters": 2,
        "random_state": 0,
        "estimator": GaussianMixture(1),
        "tol": 1e-2,
        "max_epochs": 2,
    }
    if name == "bayesian-network":  # whose `predict` is of the hidden node
        return registry.create(name, edges="naive", hidden={"Z": 2}, n_init=1, tol=1e-2)
    known = registry.settings(name)
    return registry.create(name, **{setting: value for setting, value in wanted.items() if setting in known})


def counts() -> tuple[np.ndarray, np.ndarray]:
    """Two groups of counts, which suit every model, and their names."""
    random = np.random.default_rng(1)
    return random.poisson([[2.0, 9.0, 4.0]] * 40 + [[8.0, 1.0, 4.0]] * 30).astype(float), np.repeat(
        ["a", "b"], [40, 30]
    )


def answers(model: BaseEstimator, X: Any) -> dict[str, bytes]:
    return {what: np.asarray(getattr(model, what)(X)).tobytes() for what in ANSWERS if hasattr(model, what)}


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
@pytest.mark.filterwarnings("ignore:.*only a few different values")
@pytest.mark.parametrize("name", registry.names())
def test_a_fitted_model_comes_back(name: str, tmp_path: Path) -> None:
    X, y = counts()
    model = made(name)
    if name != "bayesian-network":  # whose hidden nodes are no widths of layers
        model.set_params(**{setting: value for setting, value in SMALL.items() if setting in registry.settings(name)})
    model.fit(X, X[:, 0] if is_regressor(model) else y)
    found = load(save(model, tmp_path / "a"))
    check_is_fitted(found)
    assert answers(found, X) == answers(model, X) != {}
    assert vars(found).keys() == vars(model).keys()
    # saved once more, it is the same file: nothing was lost on the way, down to types and order
    save(found, tmp_path / "b")
    first, second = (container.read(tmp_path / file, "model") for file in "ab")
    assert first[0] == second[0]
    assert {k: v.tobytes() for k, v in first[1].items()} == {k: v.tobytes() for k, v in second[1].items()}


@pytest.mark.parametrize("name", registry.names())
def test_its_settings_come_back_from_a_config(name: str, tmp_path: Path) -> None:
    model = made(name)
    found = RunConfig.from_toml(RunConfig.of(model).to_toml()).estimator()
    assert fingerprint(found) == fingerprint(model)
    assert fingerprint(load(save(model, tmp_path / "a"))) == fingerprint(model)


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
def test_a_mixture_of_mixed_columns_comes_back(tmp_path: Path) -> None:
    random = np.random.default_rng(2)
    frame = pd.DataFrame(
        {
            "height": random.normal(size=80),
            "income": random.lognormal(size=80),
            "visits": random.poisson(3, size=80),
            "größe": random.choice(["S", "M", "L"], 80),
            "member": random.integers(0, 2, 80).astype(bool),
        }
    )
    frame.loc[::9, "height"] = np.nan
    model = Mixture(2, random_state=0, tol=1e-2).fit(frame)
    found = load(save(model, tmp_path))
    assert answers(found, frame) == answers(model, frame)
    assert list(found.feature_names_in_) == list(frame.columns)
