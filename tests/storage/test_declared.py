"""Arrays of a file are what the classes that hold them say: their shapes, and where their values lie."""

import functools
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from safetensors.numpy import save as to_bytes
from sklearn.base import BaseEstimator

import tacit
from tacit.data.errors import DataError
from tacit.data.schema import Schema
from tacit.spaces import Held, outside
from tacit.storage import ModelFileError, container, describe, load, save

ROWS = np.random.default_rng(0).poisson(np.repeat([[2.0, 9.0, 5.0], [8.0, 3.0, 5.0]], 30, axis=0)).astype(float)
CLASSES = np.repeat(["a", "b"], 30)


def forged(model: BaseEstimator, name: str, value: Any, path: Path) -> Path:
    """The file of a model with another array in the place of one, under a right checksum."""
    body, arrays = container.read(save(model, path / "whole.safetensors"), "model")
    assert name in arrays, sorted(arrays)
    arrays[name] = np.asarray(value(arrays[name]))
    document = json.dumps({"body": body, "sha256": container._checksum(body, arrays)})
    (path / "forged.safetensors").write_bytes(to_bytes(arrays, metadata={"tacit": document}))
    return path / "forged.safetensors"


def put(value: float):
    def change(array: np.ndarray) -> np.ndarray:
        made = array.copy()
        made.flat[0] = value
        return made

    return change


def shorter(array: np.ndarray) -> np.ndarray:
    return array[:-1].copy()


def narrower(array: np.ndarray) -> np.ndarray:
    return array[..., :-1].copy()


MODELS: dict[str, Callable[[], BaseEstimator]] = {
    "gaussian": lambda: tacit.GaussianMixture(2, random_state=0).fit(ROWS),
    "poisson": lambda: tacit.PoissonMixture(2, random_state=0).fit(ROWS),
    "multinomial": lambda: tacit.MultinomialMixture(2, random_state=0).fit(ROWS),
    "k-means": lambda: tacit.KMeans(2, random_state=0).fit(ROWS),
    "bayesian": lambda: tacit.BayesianGaussianMixture(n_components=2, random_state=0, max_iter=300).fit(ROWS),
    "linear": lambda: tacit.BayesianLinearRegression().fit(ROWS[:, :2], ROWS[:, 2]),
    "absolute": lambda: tacit.LeastAbsoluteDeviations().fit(ROWS[:, :2], ROWS[:, 2]),
    "logistic": lambda: tacit.BayesianLogisticRegression(n_draws=0).fit(ROWS, CLASSES),
    "deep": lambda: tacit.VAE(2, hidden=(4,), max_epochs=1, random_state=0).fit(ROWS),
}


@functools.cache
def fitted(name: str) -> BaseEstimator:
    """A fitted model, which nobody changes."""
    return MODELS[name]()


LIES = [
    ("gaussian", "model_.groups.0.means", put(np.inf), "means holds NaN or infinity"),
    ("gaussian", "model_.groups.0.covariances", put(-1.0), "covariances should be positive definite"),
    ("gaussian", "model_.groups.0.covariances", lambda a: a * [[1, 2, 1]], "covariances should be positive definite"),
    ("gaussian", "model_.log_weights", put(0.0), "log_weights does not hold logarithms of shares"),
    ("gaussian", "model_.log_weights", put(np.nan), "log_weights holds NaN"),
    ("gaussian", "means_", shorter, r"means_ should be \[components features\] with components = 2, features = 3"),
    ("gaussian", "means_", narrower, "means_ should be"),
    ("gaussian", "weights_", put(-0.5), "weights_ should lie between 0 and 1"),
    ("gaussian", "precisions_cholesky_", put(np.inf), "precisions_cholesky_ holds NaN or infinity"),
    ("poisson", "model_.groups.0.family.rates", put(-1.0), "rates should not be below 0"),
    ("poisson", "model_.groups.0.family.rates", shorter, r"FamilyComponent is of the shape \(1, 3\)"),
    ("poisson", "model_.groups.0.family.rates", narrower, r"is of the shape \(2, 2\) and not \(2, 3\)"),
    ("poisson", "rates_", put(np.nan), "rates_ holds NaN"),
    ("multinomial", "model_.groups.0.family.probabilities", put(2.0), "should lie between 0 and 1"),
    ("multinomial", "model_.groups.0.family.probabilities", lambda a: a / 2, "shares that sum to 1"),
    ("k-means", "model_.centres", narrower, r"model_\.centres should be \[clusters features\]"),
    ("k-means", "cluster_centers_", shorter, "cluster_centers_ should be"),
    ("k-means", "model_.centres", put(np.inf), "centres holds NaN or infinity"),
    ("bayesian", "posterior_.weights.ones", put(0.0), "ones should be above 0"),
    ("bayesian", "posterior_.groups.0.dofs", put(-3.0), "dofs should be above 0"),
    ("linear", "_view.scale", put(0.0), "scale should be above 0"),
    ("linear", "_view.shift", shorter, r"_view\.shift should be \[viewed\]|Standardise"),
    ("linear", "coef_", shorter, "coef_ should be"),
    ("absolute", "coef_", put(np.nan), "coef_ holds NaN"),
    ("logistic", "model_.coefficients.mean", narrower, "Coefficients"),
    ("logistic", "coef_", narrower, "coef_ should be"),
    ("deep", "model_.encoder.layers.0.weight", narrower, "networks do not fit together"),
    ("deep", "model_.decoder.layers.1.bias", shorter, r"networks do not fit|Linear\.bias"),
    ("deep", "model_.decoder.layers.1.weight", put(np.nan), "weight holds NaN or infinity"),
]


@pytest.mark.parametrize(("model", "name", "change", "words"), LIES, ids=[f"{m} {n}" for m, n, _, _ in LIES])
def test_a_forged_array_is_refused_when_it_is_loaded(model: str, name: str, change, words: str, tmp_path: Path) -> None:
    with pytest.raises(ModelFileError, match=words):
        load(forged(fitted(model), name, change, tmp_path))


@pytest.mark.parametrize("model", list(MODELS))
def test_what_is_said_is_true_of_a_fitted_model(model: str, tmp_path: Path) -> None:
    """Every array that an estimator itself holds is said of, but for those that are told only."""
    found = fitted(model)
    said = {name for base in type(found).__mro__ for name in vars(base).get("held", {})}
    told = {"snapshots_", "lower_bounds_", "history_", "trace_"}
    arrays = {name for name, value in vars(found).items() if isinstance(value, np.ndarray)}
    assert not arrays - said - told
    assert type(load(save(found, tmp_path / "a"))) is type(found)


def test_an_array_of_too_many_axes_is_refused(tmp_path: Path) -> None:
    header = {"__metadata__": {"tacit": json.dumps({"body": {"format": 2, "kind": "model"}, "sha256": "0"})}}
    header["a"] = {"dtype": "F64", "shape": [1] * 65, "data_offsets": [0, 8]}  # type: ignore[assignment]
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    path = tmp_path / "a.safetensors"
    path.write_bytes(len(text).to_bytes(8, "little") + text + bytes(8))
    for read in (load, describe):
        with pytest.raises(ModelFileError, match=r"array 'a' cannot be made|damaged"):
            read(path)


@pytest.mark.wrong_types
@pytest.mark.parametrize("document", ["columns", ["columns"], 3, {"columns": "a"}])
def test_a_schema_that_is_none(document: Any) -> None:
    with pytest.raises(DataError, match="not a schema"):
        Schema.from_json(document)


def test_spaces() -> None:
    ones = np.ones((2, 3))
    assert outside(ones, "positive", matrix=False) is None
    assert outside(0 * ones, "positive", matrix=False) is not None
    assert outside(np.eye(3)[None], "spread", matrix=True) is None
    assert outside(np.eye(3)[None] - 2, "spread", matrix=True) is not None
    assert outside(np.eye(4).reshape(2, 2, 2, 2), "joint covariance", matrix=True) is None
    assert outside(-np.eye(4).reshape(2, 2, 2, 2), "joint covariance", matrix=True) is not None
    assert outside(np.array([np.nan]), "any", matrix=False) is None
    assert outside(np.log([[0.25, 0.75], [1.0, 1e-300]]), "log shares", matrix=False) is None
    sizes = {"features": 3}
    assert Held("components features").misfit(ones, sizes) is None
    assert sizes == {"features": 3, "components": 2}
    assert Held("components").misfit(np.ones(3), sizes) == (
        "should be [components] with components = 2, and has the shape (3,)"
    )
