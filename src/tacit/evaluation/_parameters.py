"""The parameters of a mixture by name, and what every entry of them is called."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from sklearn.base import BaseEstimator

from tacit.data.levels import show_level
from tacit.estimators.capabilities import ReadsKinds
from tacit.evaluation.rows import names_at_fit
from tacit.models.mixture.model import MixtureModel

Place = tuple[tuple[int, ...], int, str]
"""Where an entry stands in its array, its component, and what it is called."""


def named_parameters(model: MixtureModel) -> dict[str, np.ndarray]:
    """``weights``, and every parameter of the groups, components on the first axis.

    With several groups of columns a parameter is under ``groups.<number>.<name>``, as in ``standard_errors``.
    """
    found = {"weights": np.exp(np.asarray(model.log_weights))}
    for number, group in enumerate(model.groups):
        for name, value in group.values().items():
            found[_called(model, number, name)] = np.asarray(value)
    return found


def _called(model: MixtureModel, number: int, name: str) -> str:
    return f"groups.{number}.{name}" if len(model.groups) > 1 else name


def labels_of(estimator: BaseEstimator, model: MixtureModel) -> dict[str, list[Place]]:
    """What the entries of every parameter are called: a column, two columns, or a column and a level."""
    columns = sum(len(group.columns) for group in model.groups)
    names = names_at_fit(estimator) or [f"x{place}" for place in range(columns)]
    levels = [column.levels for column in estimator.schema_.columns] if isinstance(estimator, ReadsKinds) else []
    weights = np.size(model.log_weights)
    found: dict[str, list[Place]] = {"weights": [((k,), k, "") for k in range(weights)]}
    for number, group in enumerate(model.groups):
        own = [names[column] for column in group.columns]
        codes = [levels[column] if levels else None for column in group.columns]
        for name, value in group.values().items():
            found[_called(model, number, name)] = _places(np.asarray(value), own, codes)
    return found


def _places(value: np.ndarray, names: Sequence[str], codes: Sequence[Any]) -> list[Place]:
    places = []
    for index in np.ndindex(value.shape):
        k, *rest = index
        if len(rest) == 1:
            entry = names[rest[0]]
        elif value.shape[1:] == (1, len(names)):  # one vector of shares a component
            entry = names[rest[1]]
        elif value.shape[1:] == (len(names), len(names)) and codes[0] is None:  # a covariance is symmetric
            if rest[0] > rest[1]:
                continue
            entry = f"{names[rest[0]]}, {names[rest[1]]}" if rest[0] < rest[1] else names[rest[0]]
        else:
            level = codes[rest[0]]
            entry = f"{names[rest[0]]} = {rest[1] if level is None else show_level(level[rest[1]])}"
        places.append((index, k, entry))
    return places
