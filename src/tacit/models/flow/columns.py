"""What a flow must know of the columns before it can be learned: their ends, their levels, and which cannot be."""

import warnings
from collections.abc import Mapping, Sequence
from typing import NamedTuple, Self

import numpy as np
import scipy.stats

from tacit.data.errors import counted, listed
from tacit.families.bijections import ColumnEnds, DiagonalAffine
from tacit.models.flow.levels import has_levels

RARE, RARE_ROWS = 0.02, 10
"""Of the last whole number of a column, its share of the rows or their number, below which larger ones are expected."""
SPIKE = 0.1
"""Share of the rows from which on one value of a measurement is said to come again and again."""
NEAR = 1e-3
"""How far from a level a value may lie that is one, in sizes of its cell."""
FLAT = 1e-9
"""The least share of the variance of one combination of columns; below it they depend on each other."""


class ColumnPlan(NamedTuple):
    """How columns are brought onto the whole line."""

    low: np.ndarray
    """Where a column begins; −∞ where it has no end."""
    high: np.ndarray
    cells: tuple[np.ndarray, ...]
    """By column, the edges of the cells of its levels; none where it is continuous."""
    values: tuple[np.ndarray, ...]
    """By column, its levels."""

    @classmethod
    def of(cls, x: np.ndarray, asked: object, names: Sequence[str]) -> Self:
        """Of rows with NaN for gaps; ``asked`` says of columns "real", "positive", "levels", or names both ends.

        Raises:
            ValueError: a column that is constant or that no row has, or values beyond its ends.
        """
        dims, kinds = x.shape[1], _by_column(asked, names)
        low, high = np.full(dims, -np.inf), np.full(dims, np.inf)
        cells, levels = [np.empty(0)] * dims, [np.empty(0)] * dims
        for place, name in enumerate(names):
            seen = np.unique(x[~np.isnan(x[:, place]), place])
            if seen.size < 2:
                what = "holds no value" if not seen.size else f"is constant ({seen[0]:g})"
                raise ValueError(f"column {name!r} {what}: it has no density, so leave it out")
            values = x[~np.isnan(x[:, place]), place]
            kind = kinds[place]
            if kind == "levels" or (kind == "auto" and has_levels(values, seen)):
                levels[place] = _levels(values, seen)
                cells[place] = _edges(levels[place])
                low[place], high[place] = cells[place][[0, -1]]
            else:
                low[place], high[place] = _ends(values, kind, name)
        return cls(low, high, tuple(cells), tuple(levels))

    @property
    def levelled(self) -> np.ndarray:
        """Which columns have levels."""
        return np.array([edges.size > 0 for edges in self.cells])

    @property
    def supports(self) -> list[object]:
        """What would be asked of columns to have these ends again."""
        found: list[object] = []
        for has, low, high in zip(self.levelled, self.low.tolist(), self.high.tolist(), strict=True):
            ends = (low, high) if np.isfinite(high) else "positive" if np.isfinite(low) else "real"
            found.append("levels" if has else ends)
        return found

    def numbered(self, x: np.ndarray) -> np.ndarray:
        """The number of the cell of every level, ``(n, d)``; 0 in continuous columns."""
        found = np.zeros(x.shape, np.int64)
        for place, edges in enumerate(self.cells):
            if edges.size:
                found[:, place] = np.clip(np.searchsorted(edges, x[:, place], side="right") - 1, 0, edges.size - 2)
        return found

    def spread(self, x: np.ndarray, shares: np.ndarray) -> np.ndarray:
        """Rows whose levels are moved to a share ``(d,)`` or ``(n, d)`` of their cells; gaps stay."""
        number, out = self.numbered(x), np.array(x, np.float64)
        shares = np.broadcast_to(shares, x.shape)
        for place, edges in enumerate(self.cells):
            if edges.size:
                cell = number[:, place]
                moved = edges[cell] + shares[:, place] * (edges[cell + 1] - edges[cell])
                out[:, place] = np.where(np.isnan(x[:, place]), np.nan, moved)
        return out

    def log_widths(self, x: np.ndarray) -> np.ndarray:
        """The logarithm of the size of every row's cells, over the columns of levels that it has, ``(n,)``."""
        return np.where(np.isnan(x), 0.0, self._log_widths(x)).sum(1)

    def _log_widths(self, x: np.ndarray) -> np.ndarray:
        """The same of every column; 0 where it has no levels."""
        number, found = self.numbered(x), np.zeros(x.shape)
        for place, edges in enumerate(self.cells):
            if edges.size:
                found[:, place] = np.log(np.diff(edges))[number[:, place]]
        return found

    @property
    def ends(self) -> ColumnEnds:
        """The map onto the whole line."""
        return ColumnEnds(self.low, self.high)

    def check(self, x: np.ndarray, names: Sequence[str]) -> None:
        """Refuse values at or beyond the ends, and what is no level of a column that has some.

        Raises:
            ValueError: names the column, the row and the value.
        """
        wrong = np.where(self.levelled, np.abs(x - self.snapped(x)) > NEAR * np.exp(self._log_widths(x)), False)
        for place in np.flatnonzero(wrong.any(0)).tolist():
            row, levels = int(np.argmax(wrong[:, place])), self.values[place]
            known = f"from {levels[0]:g} to {levels[-1]:g}" if levels.size > 2 else f"{levels[0]:g} and {levels[1]:g}"
            raise ValueError(
                f"column {names[place]!r}, row {row}: {x[row, place]:g} is none of its {levels.size} levels, {known}: "
                "correct it, or fit anew with rows that hold it, or with supports= that says what the column is"
            )
        wrong = ((x <= self.low) | (x >= self.high)) & ~self.levelled
        if wrong.any():
            row, place = (int(each) for each in np.argwhere(wrong)[0])
            raise ValueError(
                f"column {names[place]!r}, row {row}: {x[row, place]:g} is not between {self.low[place]:g} and "
                f"{self.high[place]:g}, where the column lies: correct it, or fit anew with supports= that holds it"
            )

    def snapped(self, x: np.ndarray) -> np.ndarray:
        """Rows with the levels of the cells that they lie in, and within the ends of the other columns."""
        number = self.numbered(x)
        out = np.clip(x, np.nextafter(self.low, np.inf), np.nextafter(self.high, -np.inf))
        for place, levels in enumerate(self.values):
            if levels.size:
                out[:, place] = np.where(np.isnan(x[:, place]), np.nan, levels[number[:, place]])
        return out

    def tell(self, x: np.ndarray, names: Sequence[str]) -> None:
        """Say which columns have levels, or one value that comes again and again, as a warning."""
        levelled = [name for name, has in zip(names, self.levelled, strict=True) if has]
        if levelled:
            warnings.warn(
                f"{listed(levelled, 6)} {'have' if len(levelled) > 1 else 'has'} only a few different values: a "
                "density could rise there without end, so their scores are masses, of values spread evenly over the "
                "room that each has (from below, by draws). supports= says otherwise.",
                UserWarning,
                stacklevel=6,
            )
        for place in np.flatnonzero(~self.levelled).tolist():
            seen = x[~np.isnan(x[:, place]), place]
            values, counts = np.unique(seen, return_counts=True)
            if counts.max() > max(SPIKE * seen.size, RARE_ROWS):
                warnings.warn(
                    f"column {names[place]!r} holds {values[counts.argmax()]:g} in {counts.max()} of {seen.size} rows, "
                    "beside other values: a density can rise there without end, and a high score may be that alone.",
                    UserWarning,
                    stacklevel=6,
                )


def _by_column(asked: object, names: Sequence[str]) -> list[object]:
    """What is asked of every column: the same of all, one after another, or by name."""
    if asked is None or isinstance(asked, str):
        return ["auto" if asked is None else asked] * len(names)
    if isinstance(asked, Mapping):
        unknown = [name for name in asked if name not in names]
        if unknown:
            raise ValueError(f"supports names {listed(unknown, 6)}, and there is no such column")
        return [asked.get(name, "auto") for name in names]
    if not isinstance(asked, Sequence) or len(asked) != len(names):
        number = len(asked) if isinstance(asked, Sequence) else repr(asked)
        raise ValueError(f"supports names {number} columns, and X has {len(names)}")
    return list(asked)


def _levels(values: np.ndarray, seen: np.ndarray) -> np.ndarray:
    """The levels of a column: what was seen; of whole numbers all those between them too.

    Where the last of these are rare, as in the tail of a count, there are more beyond: ten times as far, or as far
    again.
    """
    if (seen != np.round(seen)).any() or np.ptp(seen) > 1000 * seen.size:
        return seen
    first, last = float(seen[0]), float(seen[-1])
    more = max(last - first, min(10.0 * (last - first), 1000.0))
    rare = max(RARE * values.size, RARE_ROWS)
    few_low, few_high = (seen.size > 2 and (values == end).sum() < rare for end in (first, last))
    if few_low:
        first = max(first - more, 0.0) if first >= 0 else first - more
    return np.arange(first, last + few_high * more + 1.0)


def _edges(levels: np.ndarray) -> np.ndarray:
    """Of the cells of levels."""
    middles = 0.5 * (levels[1:] + levels[:-1])
    return np.concatenate([[2 * levels[0] - middles[0]], middles, [2 * levels[-1] - middles[-1]]])


def _ends(values: np.ndarray, kind: object, name: str) -> tuple[float, float]:
    """Ends of a continuous column, as asked or as its values look."""
    if isinstance(kind, (tuple, list)) and len(kind) == 2:
        ends = float(kind[0]), float(kind[1])
        if not ends[0] < values.min() or not values.max() < ends[1]:
            raise ValueError(
                f"column {name!r} lies from {values.min():g} to {values.max():g}, not strictly between the ends "
                f"{ends[0]:g} and {ends[1]:g} that supports gives it"
            )
        return ends
    if kind == "positive":
        if values.min() <= 0:
            raise ValueError(f"column {name!r} is to be positive, and holds {values.min():g}")
        return 0.0, np.inf
    if kind == "real":
        return -np.inf, np.inf
    if kind != "auto":
        raise ValueError(
            f"supports of column {name!r} must be 'auto', 'real', 'positive', 'levels' or two ends; got {kind!r}"
        )
    if values.min() > 0.0 and values.max() < 1.0 and np.ptp(values) > 0.5:
        return 0.0, 1.0
    if values.min() > 0.0:
        plain = float(scipy.stats.skew(values))
        if plain > 1.0 and abs(float(scipy.stats.skew(np.log(values)))) < 0.5 * plain:
            return 0.0, np.inf
    return -np.inf, np.inf


def units_of(u: np.ndarray, weights: np.ndarray, names: Sequence[str]) -> DiagonalAffine:
    """Means and deviations of columns with NaN for gaps.

    Raises:
        ValueError: columns that are copies, or that depend on each other.
    """
    there = ~np.isnan(u)
    mass = there * weights[:, None]
    # in units whose squares are neither infinite nor 0: powers of 2, by which nothing is rounded
    size = np.ldexp(1.0, np.frexp(np.max(np.abs(u), 0, initial=0.0, where=there))[1] - 1)
    near = np.where(there, u / size, 0.0)
    mean = (mass * near).sum(0) / mass.sum(0)
    scale = size * np.sqrt((mass * np.where(there, near - mean, 0.0) ** 2).sum(0) / mass.sum(0))
    mean = size * mean
    if not (scale > 0).all():
        name = names[int(np.flatnonzero(~(scale > 0))[0])]
        raise ValueError(f"column {name!r} is constant in the rows that have a weight: leave it out")
    white = np.where(there, (u - mean) / scale, 0.0)
    full = there.all(1)
    if full.sum() > u.shape[1]:
        _check_dependence(white[full] * np.sqrt(weights[full, None]), names)
    return DiagonalAffine(mean, np.log(scale))


def _check_dependence(white: np.ndarray, names: Sequence[str]) -> None:
    values, vectors = np.linalg.eigh(white.T @ white)
    if values[0] <= FLAT * values.sum():
        share = np.abs(vectors[:, 0])
        among = [names[int(place)] for place in np.flatnonzero(share > 0.1 * share.max())]
        raise ValueError(
            f"{listed(among, 6)} depend on each other exactly ({counted(len(among), 'column')}, one of which follows "
            "from the rest): their density is without bound. Leave one of them out."
        )
