"""How much each column sets a group apart from the rest of the rows."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import scipy.special
from jaxtyping import Float

_Found = tuple[float, float, float, float, int | None, bool, float]
"""Size, strength, inside, outside, level, whether these are medians, how much wider the group is than the rest."""

_LEAST = 1e-9
_TINY = 1e-300
NOTICED = 0.15
"""The least strength that is worth a word: a difference of about 0.4 standard deviations."""


@dataclass(frozen=True)
class Effect:
    """One column of one group against all other rows.

    Attributes:
        column: Index of the column.
        size: Continuous: difference of means in pooled standard deviations; positive: the same of the
            logarithms; count: ``log(mean inside / mean outside)``; binary and categorical: difference of the
            probability of ``level``.
        strength: From 0 to 1, the share of rows by which the two differ (total variation; for numbers, that of
            two normals so far apart): it puts all kinds on one scale.
        inside: Mean (of levels the probability) in the group: the sum over the rows, divided by their number.
        outside: The same in the rest.
        level: Code of the level with the largest difference, for binary and categorical columns.
        median: Whether ``inside`` and ``outside`` are medians: of a skewed column whose means are made by a few rows,
            so that they do not say in which group a row mostly has more.
    """

    column: int
    size: float
    strength: float
    inside: float
    outside: float
    level: int | None = None
    median: bool = False
    spread: float = 0.0
    """Logarithm of the standard deviation in the group over that in the rest; 0 of levels."""


def effects(
    values: Float[np.ndarray, "rows columns"],
    kinds: Sequence[str],
    levels: Sequence[int],
    responsibilities: Float[np.ndarray, "rows components"],
) -> list[list[Effect]]:
    """For every group its columns, the one that sets it apart most first.

    Rows count by their probability of belonging to the group; entries that are missing do not count. Columns
    without a value inside or outside a group are left out, and with one group all of them are.

    Args:
        values: The table, NaN where missing, codes of levels.
        kinds: Kind of each column.
        levels: Number of levels of each column (0 for numbers).
        responsibilities: Probability of each group for each row.
    """
    share = np.nan_to_num(np.asarray(responsibilities, dtype=np.float64), nan=0.0)
    found: list[list[Effect]] = [[] for _ in range(share.shape[1])]
    for j, kind in enumerate(kinds):
        column = np.asarray(values[:, j], dtype=np.float64)
        seen = np.isfinite(column)
        if kind == "positive":
            seen &= column > 0
        inside, x = share[seen], column[seen]
        mass = inside.sum(0)
        outside = len(x) - mass
        usable = np.flatnonzero((mass > _LEAST) & (outside > _LEAST))
        rows: list[_Found]
        if kind in ("binary", "categorical"):
            rows = _of_levels(x, levels[j], inside, mass, outside)
        else:
            rows = _of_numbers(x, kind, inside, mass, outside)
        for k in usable:
            found[k].append(Effect(j, *rows[k]))
    return [sorted(group, key=lambda effect: -effect.strength) for group in found]


def _of_levels(x: np.ndarray, count: int, inside: np.ndarray, mass: np.ndarray, outside: np.ndarray) -> list[_Found]:
    one_hot = np.eye(max(count, 1))[np.clip(x.astype(np.int64), 0, max(count - 1, 0))]
    within = inside.T @ one_hot
    without = one_hot.sum(0) - within
    p = within / np.maximum(mass, _LEAST)[:, None]
    q = without / np.maximum(outside, _LEAST)[:, None]
    # of two levels that differ alike, the one that is commoner here is named
    telling = np.argmax(np.round(np.abs(p - q), 12) + 1e-9 * (p > q), axis=1)
    return [
        (
            float(p[k, m] - q[k, m]),
            float(0.5 * np.abs(p[k] - q[k]).sum()),
            float(p[k, m]),
            float(q[k, m]),
            int(m),
            False,
            0.0,
        )
        for k, m in enumerate(telling)
    ]


def _of_numbers(x: np.ndarray, kind: str, inside: np.ndarray, mass: np.ndarray, outside: np.ndarray) -> list[_Found]:
    """Size, strength, mean inside and outside of every group; counts are compared on their square roots."""
    scaled = np.log(x) if kind == "positive" else np.sqrt(np.maximum(x, 0.0)) if kind == "count" else x
    origin = scaled.mean() if len(x) else 0.0
    here, there = _moments(scaled - origin, inside, mass, outside)
    pooled = np.sqrt((mass * here[1] + outside * there[1]) / np.maximum(mass + outside, _LEAST))
    gap = here[0] - there[0]
    flat = pooled <= 1e-12 * np.maximum(np.abs(origin), np.abs(gap))
    distance = np.where(flat, np.sign(gap) * np.where(gap == 0, 0.0, np.inf), gap / np.where(flat, 1.0, pooled))
    strength = 2 * scipy.special.ndtr(np.abs(distance) / 2) - 1
    means = (inside.T @ x) / np.maximum(mass, _LEAST), ((1 - inside).T @ x) / np.maximum(outside, _LEAST)
    medians = False
    if kind == "count":
        low = np.maximum(np.minimum(*means), _LEAST)
        size = np.sign(means[0] - means[1]) * np.log(np.maximum(np.maximum(*means), _LEAST) / low)
    else:
        size = distance
        noticed = (strength >= NOTICED) & (mass > _LEAST) & (outside > _LEAST)
        medians = kind == "positive" and bool((np.sign(means[0] - means[1]) != np.sign(size))[noticed].any())
    if medians:
        means = _medians(x, inside), _medians(x, 1 - inside)
    wider = np.where(
        (here[1] > 0) & (there[1] > 0), 0.5 * np.log(np.maximum(here[1], _TINY) / np.maximum(there[1], _TINY)), 0.0
    )
    return [
        (float(a), float(b), float(c), float(d), None, medians, float(e))
        for a, b, c, d, e in zip(size, strength, means[0], means[1], wider, strict=True)
    ]


def _medians(x: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """The median of every group: the middle of the values between which half of its weight lies."""
    order = np.argsort(x, kind="stable")
    risen = np.cumsum(weights[order], axis=0)
    half = risen[-1] / 2
    slack = 1e-9 * half
    low = np.argmax(risen >= half - slack, axis=0)
    high = np.argmax(risen > half + slack, axis=0)
    return (x[order][low] + x[order][high]) / 2


def _moments(
    x: np.ndarray, inside: np.ndarray, mass: np.ndarray, outside: np.ndarray
) -> tuple[tuple[np.ndarray, np.ndarray], tuple[np.ndarray, np.ndarray]]:
    """Mean and variance of each group and of the rest, each about its own mean."""
    result = []
    for weight, total in ((inside, mass), (1 - inside, outside)):
        safe = np.maximum(total, _LEAST)
        mean = (weight.T @ x) / safe
        spread = np.einsum("nk,nk->k", weight, (x[:, None] - mean) ** 2) / safe
        result.append((mean, spread))
    return result[0], result[1]
