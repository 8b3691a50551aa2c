"""Whether new rows come from where the rows of a fit came from: columns, groups and scores, one by one and together.

Of the rows of a fit a summary is enough: of every column the numbers of rows between some of its own quantiles, or at
every level. It costs a few kilobytes a column, and gives the Kolmogorov–Smirnov distance at these places exactly.
"""

import dataclasses
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import pyarrow as pa
import scipy.stats
from jaxtyping import Float
from sklearn.base import BaseEstimator

from tacit.compute import double_precision
from tacit.data.dataset import Dataset, dataset_of
from tacit.data.errors import counted, listed
from tacit.data.levels import show_level
from tacit.data.results import TableResult
from tacit.data.schema import Column, Schema
from tacit.estimators.capabilities import AssignsSoftly, MatrixLike, ReadsKinds, ReadsOnce, Scores, can
from tacit.evaluation.rows import names_at_fit

HELD_BYTES = 100_000_000
"""Of columns of rows in files that are read together."""
EDGES = 200
"""Quantiles of a column that are kept."""
LEAST = 5.0
"""Expected rows of a level below which it is taken together with others."""
FEW, MOST_PATHS = 100, 1_000_000
"""Rows of the smaller sample, and products of the two numbers of rows, up to which lattice paths are counted."""
ROUNDING = 1e-11
"""Below it the difference of shares of paths is not exact."""
SIZES = ((0.1, "a little"), (0.3, "clearly"), (1.1, "far"))
"""Distances, from 0 to 1, in words."""


@dataclasses.dataclass(frozen=True)
class Shift:
    """One thing that was compared.

    Attributes:
        what: "column", "gaps", "groups" or "scores".
        name: of the column; else empty.
        distance: from 0 to 1: the largest difference of the distribution functions, or the share of rows that would
            have to change (total variation).
        p_value: of no change.
        q_value: the smallest share of false alarms among all that is told (Benjamini and Hochberg 1995) at which this
            one is told.
        moved: whether it is.
        said: how, in words.
    """

    what: str
    name: str
    distance: float
    p_value: float
    q_value: float
    moved: bool
    said: str


@dataclasses.dataclass(frozen=True, eq=False)
class Drift(TableResult):
    """What has moved between two sets of rows, what moved most first."""

    shifts: tuple[Shift, ...]
    level: float
    rows: int

    @property
    def moved(self) -> tuple[Shift, ...]:
        """Those that have moved; of them a share of ``level`` at most is a false alarm, on average."""
        return tuple(shift for shift in self.shifts if shift.moved)

    def to_arrow(self) -> pa.Table:
        """A line for everything that was compared."""
        return pa.table(
            {field.name: [vars(shift)[field.name] for shift in self.shifts] for field in dataclasses.fields(Shift)}
        )

    def headline(self) -> str:
        """What has moved, in a sentence."""
        if not self.moved:
            return f"Nothing has moved, as far as {counted(self.rows, 'row')} can tell."
        names = [shift.name or shift.what for shift in self.moved]
        return f"{counted(len(names), 'thing')} of {len(self.shifts)} moved: {listed(names, 8)}."


def summarise(
    values: np.ndarray | Dataset, schema: Schema, groups: np.ndarray | None = None
) -> dict[str, Float[np.ndarray, " n"]]:
    """What is kept of rows, so that others can be compared with them.

    Args:
        values: rows as numbers, NaN where missing, codes of levels.
        schema: their columns.
        groups: how many rows are in each group.

    Returns:
        arrays by name: ``columns.J.edges`` and ``columns.J.below`` (rows up to each edge), or ``columns.J.levels``
        (rows of each level), and ``columns.J.missing``; ``rows``; ``groups``.
    """
    data = dataset_of(values)
    found = {"rows": np.array([float(len(data))])}
    for place, (column, entries) in enumerate(zip(schema.columns, _columns(data), strict=True)):
        seen = entries[~np.isnan(entries)]
        found[f"columns.{place}.missing"] = np.array([float(entries.size - seen.size)])
        if column.levels is not None:
            counts = np.bincount(seen.astype(np.int64), minlength=len(column.levels))
            found[f"columns.{place}.levels"] = counts.astype(np.float64)
        else:
            found[f"columns.{place}.edges"], found[f"columns.{place}.below"] = _edges(seen)
    return found if groups is None else found | {"groups": np.asarray(groups, np.float64)}


def _columns(data: Dataset) -> Iterator[Float[np.ndarray, " n"]]:
    """One column after another; of rows in files a few are read together, so many that they are not too large."""
    if not data.portable:
        dense = data.rows()
        yield from (np.asarray(dense[:, place], np.float64) for place in range(data.shape[1]))
        return
    rows, width = data.shape
    together = max(1, HELD_BYTES // (8 * max(1, rows)))
    for first in range(0, width, together):
        last = min(first + together, width)
        found = np.empty((last - first, rows))
        for part, some in data.slices():
            found[:, part] = some[:, first:last].T
        yield from found


def _edges(seen: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Quantiles that are values of the column, and how many values lie at or below each."""
    if not seen.size:
        return np.zeros(0), np.zeros(0)
    seen = np.sort(seen)
    places = np.unique(np.linspace(0, seen.size - 1, min(EDGES + 1, seen.size)).round().astype(np.int64))
    edges = np.unique(seen[places])
    return edges, np.searchsorted(seen, edges, side="right").astype(np.float64)


@double_precision
def drift(estimator: BaseEstimator, before: MatrixLike, after: MatrixLike, *, level: float = 0.05) -> Drift:
    """Compare new rows with earlier ones: every column, its gaps, the groups of a model and its scores.

    Numbers are compared by the two-sample test of Kolmogorov and Smirnov at 200 quantiles of the earlier rows, levels
    and groups by χ² (two of them by Fisher's exact test), scores by Mann and Whitney. Each is a test of one column by
    itself: a change of how columns hang together shows in the groups and the scores.

    Args:
        estimator: a fitted model.
        before: rows from before, best some that the fit has not seen.
        after: the new ones.
        level: the share of false alarms among all that is told, on average at most.
    """
    old, schema = _read(estimator, before)
    new, _ = _read(estimator, after)
    kept = summarise(old, schema, group_counts(estimator, before))
    scores = None
    if can(estimator, Scores):
        scores = np.asarray(estimator.score_samples(before)), np.asarray(estimator.score_samples(after))
    return compared(kept, new, schema, group_counts(estimator, after), scores, level=level)


def _read(estimator: BaseEstimator, X: MatrixLike) -> tuple[np.ndarray, Schema]:
    rows = estimator.read(X, reset=False).rows() if can(estimator, ReadsOnce) else np.asarray(X, np.float64)
    if can(estimator, ReadsKinds):
        return rows, estimator.schema_
    names = names_at_fit(estimator) or tuple(f"x{place}" for place in range(rows.shape[1]))
    return rows, Schema(tuple(Column(str(name), "continuous") for name in names))


def group_counts(estimator: BaseEstimator, X: MatrixLike) -> np.ndarray | None:
    """How many rows are likeliest of each group; None of a model without groups."""
    if not can(estimator, AssignsSoftly):
        return None
    share = np.asarray(estimator.predict_proba(X))
    return np.bincount(share.argmax(axis=1), minlength=share.shape[1]).astype(np.float64)


def compared(
    kept: Mapping[str, np.ndarray],
    values: np.ndarray,
    schema: Schema,
    groups: np.ndarray | None = None,
    scores: tuple[np.ndarray, np.ndarray] | None = None,
    *,
    level: float = 0.05,
    names: Sequence[str | None] = (),
) -> Drift:
    """Compare rows with what `summarise` kept of others.

    Args:
        kept: that.
        values: the new rows as numbers.
        schema: their columns.
        groups: how many of them are in each group.
        scores: log densities of rows that the fit has not seen, and of the new ones.
        level: as of `drift`.
        names: of the groups, where they have some.

    Raises:
        ValueError: there are no rows, or what was kept is of other columns.
    """
    if not len(values):
        raise ValueError("there are no rows to compare")
    if not 0.0 < level < 1.0:
        raise ValueError(f"level lies between 0 and 1, and is {level}")
    found: list[tuple[str, str, float, float, str]] = []
    for place, column in enumerate(schema.columns):
        entries = np.asarray(values[:, place], np.float64)
        seen = entries[~np.isnan(entries)]
        gaps = _gaps(kept, place, entries.size - seen.size, entries.size, column.name)
        found += [gaps] if gaps else []
        found += [each] if (each := _of_column(kept, place, seen, column)) else []
    if groups is not None and "groups" in kept and kept["groups"].shape == groups.shape:
        distance, p_value = _chi_square(kept["groups"], groups)
        called = [names[k] if k < len(names) and names[k] else f"group {k + 1}" for k in range(groups.size)]
        found.append(
            ("groups", "", distance, p_value, _largest(kept["groups"], groups, [str(each) for each in called]))
        )
    if scores is not None and min(each.size for each in scores):
        found.append(_of_scores(*scores))
    q_values = benjamini_hochberg(np.array([each[3] for each in found]))
    shifts = [
        Shift(what, name, distance, p_value, float(q_value), bool(q_value <= level), said)
        for (what, name, distance, p_value, said), q_value in zip(found, q_values, strict=True)
    ]
    return Drift(tuple(sorted(shifts, key=lambda shift: (not shift.moved, -shift.distance))), level, len(values))


def benjamini_hochberg(p_values: Float[np.ndarray, " n"]) -> Float[np.ndarray, " n"]:
    """Adjusted p-values: ``q_(i) = min_{j ≥ i} p_(j) n / j`` in increasing order (Benjamini and Hochberg 1995)."""
    order = np.argsort(p_values)
    raised = p_values[order] * p_values.size / np.arange(1, p_values.size + 1)
    found = np.empty_like(p_values)
    found[order] = np.minimum(np.minimum.accumulate(raised[::-1])[::-1], 1.0)
    return found


def _gaps(
    kept: Mapping[str, np.ndarray], place: int, missing: int, rows: int, name: str
) -> tuple[str, str, float, float, str] | None:
    before, total = float(kept[f"columns.{place}.missing"][0]), float(kept["rows"][0])
    if not before and not missing:
        return None
    table = np.array([[before, total - before], [missing, rows - missing]])
    shares = before / max(total, 1.0), missing / rows
    return (
        "gaps",
        name,
        abs(shares[1] - shares[0]),
        _fisher(table),
        f"missing {_percent(shares[1])}, was {_percent(shares[0])}",
    )


def _of_column(
    kept: Mapping[str, np.ndarray], place: int, seen: np.ndarray, column: Column
) -> tuple[str, str, float, float, str] | None:
    if column.levels is not None:
        before = kept.get(f"columns.{place}.levels")
        if before is None or before.size != len(column.levels):
            raise ValueError(f"what was kept of column {column.name!r} is of other levels")
        after = np.bincount(seen.astype(np.int64), minlength=before.size).astype(np.float64)
        if not before.sum() or not after.sum():
            return None
        distance, p_value = _chi_square(before, after)
        return "column", column.name, distance, p_value, _largest(before, after, [show_level(e) for e in column.levels])
    edges, below = kept.get(f"columns.{place}.edges"), kept.get(f"columns.{place}.below")
    if edges is None or below is None:
        raise ValueError(f"what was kept of column {column.name!r} is of levels")
    if not edges.size or not seen.size:
        return None
    seen, total = np.sort(seen), float(below[-1])
    distance = _largest_gap(seen, edges, below)
    p_value = kolmogorov_smirnov(distance, round(total), seen.size)
    median = edges[np.searchsorted(below, total / 2)]
    said = f"median {_short(float(np.median(seen)))}, was {_short(float(median))}"
    outside = float(np.mean((seen < edges[0]) | (seen > edges[-1])))
    said += f"; {_percent(outside)} lie outside of all that was seen" if outside > 0.01 else ""
    return "column", column.name, distance, p_value, f"{_size(distance)}: {said}"


def _largest_gap(seen: np.ndarray, edges: np.ndarray, below: np.ndarray) -> float:
    """The largest difference of the distribution functions that is sure, at every edge and just below it.

    Just below an edge the earlier function is known where every value is an edge, and below the first one; elsewhere
    at least one row lies at the edge itself.
    """
    total = below[-1]
    before = np.append(0.0, below[:-1]) if total <= EDGES + 1 else np.append(0.0, below[1:] - 1.0)
    at = np.abs(np.searchsorted(seen, edges, side="right") / seen.size - below / total)
    under = np.searchsorted(seen, edges, side="left") / seen.size - before / total
    return float(max(at.max(), under.max()))


def kolmogorov_smirnov(distance: float, first: int, second: int) -> float:
    """The p-value of the two-sample test of Kolmogorov and Smirnov; ties make it larger, never too small.

    Where one of the two samples is small, the lattice paths that stay within the distance are counted
    (Hodges 1958, "The significance probability of the Smirnov two-sample test"); else the exact law of one sample of
    ``nm/(n + m)`` rows is taken.

    Args:
        distance: of the distribution functions.
        first, second: rows of the samples.
    """
    small, large = sorted((first, second))
    alike = float(scipy.stats.kstwo.sf(distance, max(1, round(small * large / (small + large)))))
    if small > FEW or small * large > MOST_PATHS:
        return alike
    most = distance - 0.5 / (small * large)  # distances are whole numbers of 1/nm
    steps = np.arange(large + 1) / large
    inside = np.where(steps <= most, 1.0, 0.0)
    for place in range(1, small + 1):
        share = place / (place + large)  # of all paths to here: their numbers would overflow
        within = np.abs(place / small - steps) <= most
        inside = np.where(within, np.cumsum(np.where(within, share * inside, 0.0)), 0.0)
    p_value = 1.0 - float(inside[-1])
    return p_value if p_value > ROUNDING else min(alike, ROUNDING)


def _chi_square(before: np.ndarray, after: np.ndarray) -> tuple[float, float]:
    """Total variation, and the p-value of Pearson's test, or Fisher's of two levels; rare levels count together."""
    shares = before / max(before.sum(), 1.0), after / max(after.sum(), 1.0)
    distance = float(np.abs(shares[0] - shares[1]).sum() / 2)
    table = np.stack([before, after])
    table = table[:, table.sum(axis=0) > 0]
    if table.shape[1] < 2 or not table.sum(axis=1).all():
        return distance, 1.0
    table = table[:, np.argsort(-table.sum(axis=0), kind="stable")]
    least = LEAST * table.sum() / table.sum(axis=1).min()
    rare = table.sum(axis=0) < least
    table = np.column_stack([table[:, ~rare], table[:, rare].sum(axis=1)]) if rare.any() else table
    while table.shape[1] > 2 and table[:, -1].sum() < least:
        table = np.column_stack([table[:, :-2], table[:, -2:].sum(axis=1)])
    if table.shape[1] <= 2:
        return distance, _fisher(table) if table.shape[1] == 2 else 1.0
    return distance, float(scipy.stats.chi2_contingency(table, correction=False)[1])


def _fisher(table: np.ndarray) -> float:
    """The p-value of Fisher's exact test of a table of two rows and two columns."""
    return float(scipy.stats.fisher_exact(table.astype(np.int64))[1])


def _of_scores(before: np.ndarray, after: np.ndarray) -> tuple[str, str, float, float, str]:
    both = np.nan_to_num(before, neginf=-1e300), np.nan_to_num(after, neginf=-1e300)
    test = scipy.stats.mannwhitneyu(*both)
    distance = abs(2.0 * float(test.statistic) / (before.size * after.size) - 1.0)
    median = float(np.median(both[1]) - np.median(both[0]))
    way = "less likely" if median < 0 else "likelier"
    return "scores", "", distance, float(test.pvalue), f"rows are {_short(abs(median))} nats {way}, by the median"


def _largest(before: np.ndarray, after: np.ndarray, names: Sequence[str]) -> str:
    shares = before / max(before.sum(), 1.0), after / max(after.sum(), 1.0)
    place = int(np.argmax(np.abs(shares[1] - shares[0])))
    distance = float(np.abs(shares[0] - shares[1]).sum() / 2)
    return f"{_size(distance)}: {names[place]} {_percent(shares[1][place])}, was {_percent(shares[0][place])}"


def _size(distance: float) -> str:
    return next(word for most, word in SIZES if distance < most)


def _percent(share: Any) -> str:
    return f"{100 * float(share):.3g} %"


def _short(value: float) -> str:
    return f"{value:.4g}"
