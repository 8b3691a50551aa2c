"""The settings of an estimator as plain values that a text can hold."""

from collections.abc import Mapping
from typing import Any

import numpy as np
from sklearn.base import BaseEstimator

from tacit import registry


def settings_of(estimator: BaseEstimator) -> dict[str, Any]:
    """Its name and its hyper-parameters; raises `ValueError` for what text cannot repeat."""
    given = estimator.get_params(deep=False)
    return {
        "model": registry.name_of(estimator),
        "parameters": {name: _setting(name, value) for name, value in given.items()},
    }


def _setting(name: str, value: object) -> Any:
    if isinstance(value, BaseEstimator):
        return settings_of(value)
    if isinstance(value, np.ndarray | np.generic):
        return _setting(name, value.tolist())
    if isinstance(value, list | tuple) and not any(item is None for item in value):
        return [_setting(name, item) for item in value]
    if isinstance(value, Mapping) and all(isinstance(key, str) for key in value):
        return {key: _setting(name, item) for key, item in value.items()}
    if value is None or isinstance(value, bool | int | float | str):
        return value
    what = "an integer" if name == "random_state" else "numbers, text, lists of them, or a model of tacit"
    raise ValueError(f"{name}={value!r:.60} cannot be repeated from a text: give {what}.")
