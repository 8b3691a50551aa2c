"""Answers by weighted draws, for what a model does not know exactly.

Rows are drawn given the single values that are known, where the model can be drawn from so; else as they come, each
weighted by how likely those values are beside it (likelihood weighting, Fung & Chang 1990). Ranges keep the draws that
lie in them. An estimate ``Σ w f / Σ w`` has the standard error ``(Σ w² (f − estimate)²)^½ / Σ w`` and the effective
size ``(Σ w)² / Σ w²``.
"""

import copy
import dataclasses
import warnings
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from jaxtyping import Bool, Float

from tacit.data.encode import decode
from tacit.data.value_sets import Box
from tacit.estimators.capabilities import GivesConditionals, GivesConditionalsExactly, ReadsKinds, Samples, Scores, can
from tacit.estimators.query.grammar import QueryError

ROUND = 4000
"""Rows drawn at a time."""
ENOUGH = 5000.0
"""No more is drawn than makes this effective size …"""
MOST = 200_000
"""… or than so many rows."""


@dataclasses.dataclass(frozen=True, eq=False)
class WeightedDraws:
    """Weighted draws of rows that are as it is known."""

    rows: Float[np.ndarray, "rows columns"]
    weights: Float[np.ndarray, " rows"]
    """They sum to 1."""
    made: int
    """How many were drawn for these."""

    @property
    def effective_size(self) -> float:
        return float(1.0 / np.square(self.weights).sum())

    def mean(self, values: Float[np.ndarray, " rows"]) -> tuple[float, float]:
        """Of a function of the rows, and its standard error."""
        found = float(self.weights @ values)
        return found, float(np.sqrt(np.square(self.weights) @ np.square(values - found)))

    def shares(self, values: Float[np.ndarray, " rows"], levels: int) -> Float[np.ndarray, " levels"]:
        """Of every level of a column of codes."""
        return np.bincount(np.rint(values).astype(int), self.weights, levels)

    def chance(self, inside: Bool[np.ndarray, " rows"]) -> tuple[float, float]:
        """The share of rows for which something holds; where it is none or all, three over the size (the rule of
        three, Hanley & Lippman-Hand 1983) stands for the error."""
        met = inside & (self.weights > 0)
        found, error = self.mean(inside.astype(np.float64))
        certain = not met.any() or not (~inside & (self.weights > 0)).any()
        return min(max(found, 0.0), 1.0), min(1.0, 3.0 / self.effective_size) if certain else error

    def quantile(self, values: Float[np.ndarray, " rows"], share: float) -> tuple[float, float]:
        """Of a column, and its standard error by the quantiles a standard error of the share to either side."""
        order = np.argsort(values, kind="stable")
        ends = np.cumsum(self.weights[order])
        step = np.sqrt(share * (1.0 - share) / self.effective_size)
        low, middle, high = (
            float(values[order][min(int(np.searchsorted(ends, each - 1e-12)), values.size - 1)])
            for each in (max(share - step, 0.0), share, min(share + step, 1.0))
        )
        return middle, 0.5 * (high - low)


def weighted_draws(
    model: Any, given: Sequence[Box], columns: int, *, n_draws: int | None, random_state: int, text: str
) -> WeightedDraws:
    """Draws of rows of which one of some boxes holds.

    Args:
        model: a fitted model.
        given: boxes none of which overlap.
        columns: of a row.
        n_draws: how many; as many as are wanted where None.
        random_state: what they depend on.
        text: the query, for errors.

    Raises:
        QueryError: the model cannot be drawn from in this way, or no draw is as it is known.
    """
    rows: list[np.ndarray] = []
    logs: list[np.ndarray] = []
    made = 0
    most = MOST if n_draws is None else n_draws
    while True:
        number = min(ROUND, most - made)
        for place, box in enumerate(given):
            found, log_weights = _some(model, box, columns, number, random_state + 7919 * made + place, text)
            if len(given) > 1:
                log_weights = log_weights + _log_density(model, box, columns, text)
            inside = np.all([box[each].contains(found[:, each]) for each in box] or [np.ones(number, bool)], axis=0)
            keep = inside & np.isfinite(log_weights)
            rows.append(found[keep])
            logs.append(log_weights[keep])
        made += number
        every = np.concatenate(logs)
        if every.size:
            weights = np.exp(every - every.max())
            weights /= weights.sum()
            drawn = WeightedDraws(np.concatenate(rows), weights, made)
            if made >= most or (n_draws is None and drawn.effective_size >= ENOUGH):
                return drawn
        elif made >= most:
            raise QueryError(
                f"none of {made:,} draws is as it is known: that is too rare to be asked by draws. Widen a range, or "
                "leave a condition out",
                text,
                0,
                len(text),
            )


def _points(box: Box) -> dict[int, float]:
    return {place: point for place, values in box.items() if (point := values.point) is not None}


def _some(
    model: Any, box: Box, columns: int, number: int, seed: int, text: str
) -> tuple[Float[np.ndarray, "rows columns"], Float[np.ndarray, " rows"]]:
    """Rows that have the single values of a box, and the logarithms of their weights."""
    points = _points(box)
    if len(points) == columns:
        return np.tile([points[place] for place in range(columns)], (number, 1)), np.zeros(number)
    if can(model, GivesConditionals) and points:
        density = model.condition(points)
        rows = np.full((number, columns), np.nan)
        rows[:, list(density.columns)] = np.asarray(density.sample(number, random_state=seed), np.float64)
        for place, value in points.items():
            rows[:, place] = value
        return rows, np.zeros(number)
    rows = _unconditional(model, columns, number, seed)
    if not points:
        return rows, np.zeros(number)
    if not can(model, Scores):
        raise QueryError(f"{type(model).__name__} has no density to weigh draws by", text, 0, len(text))
    places = list(points)
    apart, together = rows.copy(), rows.copy()
    apart[:, places], together[:, places] = np.nan, list(points.values())
    return together, _scores(model, together) - _scores(model, apart)


def _asked(ask: Callable[[Any], Any], model: Any, rows: np.ndarray) -> np.ndarray:
    """What a model says of rows of numbers and codes."""
    given = decode(rows, model.schema_) if can(model, ReadsKinds) else rows
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "X does not have valid feature names")
        return np.asarray(ask(given), np.float64)


def _scores(model: Any, rows: np.ndarray) -> Float[np.ndarray, " rows"]:
    """``log p`` of rows."""
    return _asked(model.score_samples, model, rows)


def probabilities_of(model: Any, rows: Float[np.ndarray, "rows columns"]) -> Float[np.ndarray, "rows groups"]:
    """``p(group | row)`` of rows of numbers and codes."""
    return _asked(model.predict_proba, model, rows)


def _unconditional(model: Any, columns: int, number: int, seed: int) -> np.ndarray:
    if can(model, GivesConditionalsExactly):
        return np.asarray(model.marginal(list(range(columns))).sample(number, random_state=seed), np.float64)
    if not can(model, Samples):
        raise ValueError(f"{type(model).__name__} can neither be conditioned nor drawn from, and answers no queries")
    other = copy.copy(model)
    vars(other)["random_state"] = seed
    found = other.sample(number)
    return np.asarray(found[0] if isinstance(found, tuple) else found, np.float64)


def _log_density(model: Any, box: Box, columns: int, text: str) -> float:
    """``log p`` of the single values of a box, by which its draws weigh beside those of other boxes."""
    points = _points(box)
    if not points:
        return 0.0
    if not can(model, Scores):
        raise QueryError(f"{type(model).__name__} has no density to weigh conditions by", text, 0, len(text))
    row = np.full((1, columns), np.nan)
    row[0, list(points)] = list(points.values())
    return float(_scores(model, row)[0])
