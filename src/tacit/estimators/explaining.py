"""``explain``: the log-density of a row as a chain of conditionals, and what would have been expected in each place."""

import abc
import contextlib
import dataclasses
import warnings
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import pyarrow as pa
import scipy.special
from jaxtyping import Float

from tacit.data.levels import show_level
from tacit.data.results import TableResult
from tacit.data.schema import Schema
from tacit.estimators.capabilities import GivesConditionals, GivesConditionalsExactly, MatrixLike, Scores, can
from tacit.estimators.explained_columns import AskedColumn, DrawnColumn, ExactColumn, away_on_logs, plain_values
from tacit.estimators.settings import Estimator
from tacit.plots.style import short_number

LEVEL = 0.9
"""Of the interval that a value is set beside."""
SURPRISING = 0.01
"""A value is surprising where one at least as far out comes less often than this."""
LEAST = 1e-14
"""A tail below it has no digits left."""
DRAWS = 500
"""Of a conditional density that has no distribution function, and of rows to find a typical one among."""


@dataclasses.dataclass(frozen=True)
class Link:
    """One factor of ``log p(x) = Σ_j log p(x_j | x_1, …, x_{j−1})``.

    Attributes:
        column: its name.
        value: what the row has.
        log_density: ``log p(x_j | those before)``, in nats.
        expected: the median of what could have stood there, or the likeliest level, given those before.
        low, high: ends of the interval that holds 90 % of it; None for levels.
        tail: how often a value at least as far out comes: twice the smaller tail; of levels all that are no likelier.
        deviations: the same as a number of standard deviations of a normal, below 0 where the value is low; None for
            levels. Where no digits of the tail are left: how many of the column's own it lies away from the middle,
            of its logarithms where ``on_logs``.
        on_logs: whether the column lies above 0 and is looked at on the scale of logarithms, as the model does.
    """

    column: str
    value: Any
    log_density: float
    expected: Any
    low: float | None
    high: float | None
    tail: float
    deviations: float | None
    on_logs: bool = False

    @property
    def surprising(self) -> bool:
        """Whether so little comes in under one of a hundred."""
        return self.tail < SURPRISING


@dataclasses.dataclass(frozen=True, eq=False)
class Explanation(TableResult):
    """Why a row is as likely as it is.

    Attributes:
        log_density: ``log p(x)`` of what is seen of the row, in nats: the sum over the chain.
        chain: a link a column that is seen, in the order in which they are asked.
        nearest: the typical row nearest to it, by column; None where there is none to be had.
        nearest_row: its place among the rows that were given, from 0; None where it was drawn from the model.
        bound: whether the densities are estimates from below.
    """

    log_density: float
    chain: tuple[Link, ...]
    nearest: Mapping[str, Any] | None = None
    nearest_row: int | None = None
    bound: bool = False

    @property
    def first_surprise(self) -> Link | None:
        """The first link of the chain that is surprising given those before it."""
        return next((link for link in self.chain if link.surprising), None)

    def to_arrow(self) -> pa.Table:
        """A line a column: its value, what was expected, how far out it is.

        Values are numbers where all columns have numbers, else texts of plain digits.
        """
        near = self.nearest or {}
        return pa.table(
            {
                "column": [link.column for link in self.chain],
                "value": plain_values([link.value for link in self.chain]),
                "expected": plain_values([link.expected for link in self.chain]),
                "from": pa.array([link.low for link in self.chain], pa.float64()),
                "to": pa.array([link.high for link in self.chain], pa.float64()),
                "as_far_out": [link.tail for link in self.chain],
                "deviations": pa.array([link.deviations for link in self.chain], pa.float64()),
                "log_density": [link.log_density for link in self.chain],
                "nearest_typical": plain_values([near.get(link.column) for link in self.chain]),
            }
        )

    def shown(self) -> pa.Table:
        """The same for a person: numbers as they are written in sentences."""
        near, table = self.nearest or {}, self.to_arrow()
        for name, texts in {
            "value": [_text(link.value) for link in self.chain],
            "expected": [_usual(link.expected) for link in self.chain],
            "nearest_typical": [_text(near.get(link.column)) for link in self.chain],
        }.items():
            table = table.set_column(table.column_names.index(name), name, pa.array(texts, pa.string()))
        return table

    def words(self) -> tuple[str, ...]:
        """What it comes to, in plain sentences."""
        least = "at least " if self.bound else ""
        said = [f"Log density of the row: {least}{short_number(self.log_density, 4)} nats."]
        first = self.first_surprise
        if first is None:
            said.append("No column is surprising, given those before it in the table.")
            far = min(self.chain, key=lambda link: link.tail, default=None)
            if far is not None:
                said.append(f"Farthest out: {told(far)}.")
        else:
            said.append(f"The first surprising column: {told(first)}.")
            more = [link.column for link in self.chain if link.surprising and link is not first]
            if more:
                said.append(f"Surprising even so: {', '.join(more)}.")
        return tuple(said)

    def headline(self) -> str:
        """The sentences."""
        return "\n".join(self.words())

    def __str__(self) -> str:
        return self.headline()

    def __repr__(self) -> str:
        return f"Explanation({' '.join(self.words())})"


def told(link: Link) -> str:
    """``mass 60, where 85 was expected (90 % of it from 75 to 95); one in 2,000 is as far out``."""
    usual = f"{link.column} {_text(link.value)}"
    if link.deviations is None:
        usual += f", where {_text(link.expected)} is likeliest"
    elif link.low is not None and link.high is not None:
        ends = f"{100 * LEVEL:.0f} % from {short_number(link.low, 4)} to {short_number(link.high, 4)}"
        side = "above" if link.deviations > 0 else "below"
        usual += f", where {_usual(link.expected)} was expected ({ends}), {side} by as much as "
        usual += f"{short_number(abs(link.deviations), 2)} standard deviations{' of its logarithm' * link.on_logs}"
    if link.tail <= 2.0 * LEAST:
        return f"{usual}; hardly anything as far out was to be expected at all"
    if link.tail >= 0.5:
        return f"{usual}; that is quite usual"
    return f"{usual}; one in {short_number(1.0 / link.tail, 2)} is as far out"


def _usual(value: Any) -> str | None:
    return short_number(value, 4) if isinstance(value, float) else _text(value)


def _text(value: Any) -> str | None:
    if value is None:
        return None
    return short_number(value, 9) if isinstance(value, float) else str(value)


class Explains(GivesConditionals, Scores, Estimator):
    """Says why a row is as likely as it is."""

    @abc.abstractmethod
    def _explained_rows(self, X: MatrixLike) -> Float[np.ndarray, "rows columns"]:
        """Rows as numbers, codes of levels, NaN where missing; checked against the columns at fit."""

    @abc.abstractmethod
    def _explained_scores(self, rows: Float[np.ndarray, "rows columns"]) -> Float[np.ndarray, " rows"]:
        """``log p(x)`` of such numbers, in nats."""

    def explain(
        self, row: Any, among: MatrixLike | None = None, order: Sequence[int | str] | None = None
    ) -> Explanation:
        """The log-density of a row as a chain: every column given those before it.

        Of each it says what would have been expected there, and how far out the value is; the first that is
        surprising is where the row goes wrong. Missing entries have no link.

        Args:
            row: one row, as ``score_samples`` takes rows: ``(d,)`` or ``(1, d)``, a frame of one line, or a mapping of
                columns to values.
            among: rows among which the nearest typical one is looked for: of those whose log-density is at least the
                median, the one that differs least from it. Rows drawn from the model where None.
            order: the columns in the order in which they are asked, by number or name; that of the table where None.

        Raises:
            ValueError: not one row, or columns that have no density one by one (a row of counts given its total).
        """
        values = self._one(row)
        others = None if among is None else np.asarray(self._explained_rows(among), np.float64)
        places = _places(order, self._column_names())
        return self.explained(values, others, places, vars(self).get("schema_"))

    def explained(
        self,
        values: Float[np.ndarray, " columns"],
        others: Float[np.ndarray, "rows columns"] | None,
        places: Sequence[int],
        schema: Schema | None,
    ) -> Explanation:
        """The same of numbers and codes, whose levels a schema names.

        Args:
            values: the row.
            others: rows among which a typical one is looked for.
            places: the columns in their order.
            schema: what the codes stand for; None where there are none.
        """
        names = self._column_names()
        links = self.chain(values, places, schema)
        with _without_names():
            near, where = self._nearest(values, others, schema)
            if near is None and others is not None:
                near, where = self._nearest(values, None, schema)
        shown = None if near is None else {name: _shown(near[j], j, schema) for j, name in enumerate(names)}
        total = sum(link.log_density for link in links)
        return Explanation(total, links, shown, where, bool(self.scores_are_bounds))

    def chain(
        self, values: Float[np.ndarray, " columns"], places: Sequence[int], schema: Schema | None
    ) -> tuple[Link, ...]:
        """The links of some columns of a row, each given those before it; no other column is looked at."""
        names = self._column_names()
        seen = [place for place in places if not np.isnan(values[place])]
        if not seen:
            return ()
        steps = np.full((len(seen), len(values)), np.nan)
        for number, place in enumerate(seen):
            steps[number:, place] = values[place]
        with _without_names():
            parts = np.diff(np.concatenate([[0.0], self._explained_scores(steps)]))
            return tuple(
                self._link(
                    values[place], dict(zip(seen[:n], values[seen[:n]], strict=True)), place, names, schema, float(part)
                )
                for n, (place, part) in enumerate(zip(seen, parts, strict=True))
            )

    def _one(self, row: Any) -> np.ndarray:
        if isinstance(row, Mapping):
            absent = [name for name in self._column_names() if name not in row]
            row = {name: [_scalar(row[name]) if name in row else None] for name in (*row, *absent)}
        elif isinstance(row, np.ndarray | list | tuple) and np.ndim(row) == 1:
            row = np.asarray(row)[None] if isinstance(row, np.ndarray) else [list(row)]
        elif getattr(row, "ndim", 2) == 1:  # a line of a data frame
            row = {str(name): [_scalar(row[name])] for name in row.index}
        found = np.asarray(self._explained_rows(row), np.float64)
        if found.ndim != 2 or len(found) != 1:
            raise ValueError(f"explain takes one row of a table, got {found.shape}")
        return found[0]

    def _link(
        self,
        value: float,
        given: Mapping[int, float],
        place: int,
        names: Sequence[str],
        schema: Schema | None,
        log_density: float,
    ) -> Link:
        levels = None if schema is None else schema.columns[place].levels
        found = self._conditional(given, place)
        if levels is not None:
            chances = found.probabilities(len(levels))
            tail = min(1.0, float(chances[chances <= chances[int(value)] * (1 + 1e-9)].sum()))
            likeliest = _shown(float(chances.argmax()), place, schema)
            return Link(
                names[place], _shown(value, place, schema), float(log_density), likeliest, None, None, tail, None
            )
        low, middle, high = found.quantiles([(1 - LEVEL) / 2, 0.5, (1 + LEVEL) / 2])
        below, above = found.tails(value)
        half = max(min(below, above), 0.0)
        on_logs = schema is not None and schema.columns[place].kind == "positive" and value > 0 and low > 0
        if half > LEAST:
            away = float(-scipy.special.ndtri(half)) * (1.0 if above <= below else -1.0)
        else:
            away = away_on_logs(found, value) if on_logs else found.deviations(value)
        tail = min(1.0, 2.0 * half)
        return Link(names[place], float(value), float(log_density), middle, low, high, tail, away, bool(on_logs))

    def _conditional(self, given: Mapping[int, float], place: int) -> AskedColumn:
        if can(self, GivesConditionalsExactly):
            found = self.condition(given).marginal([place]) if given else self.marginal([place])
            return ExactColumn(found)
        if not given:
            return DrawnColumn(self._drawn()[:, place])
        density = self.condition(given)
        return DrawnColumn(np.asarray(density.sample(DRAWS, random_state=0))[:, list(density.columns).index(place)])

    def _drawn(self) -> np.ndarray:
        """Rows of the model."""
        if can(self, GivesConditionalsExactly):
            every = self.marginal(list(range(len(self._column_names()))))
            return np.asarray(every.sample(DRAWS, random_state=0), np.float64)
        return np.asarray(self.sample(DRAWS, random_state=0), np.float64)

    def _nearest(
        self, values: np.ndarray, others: np.ndarray | None, schema: Schema | None
    ) -> tuple[np.ndarray | None, int | None]:
        """The typical row that differs least in what is seen of both, columns in standard deviations."""
        rows = self._drawn() if others is None else others
        scores = self._explained_scores(rows)
        same = np.zeros(len(rows), bool) if others is None else _equal(rows, values)
        seen = ~np.isnan(rows[:, ~np.isnan(values)])
        whole = seen.all(axis=1) & ~same
        whole = whole if whole.any() else seen.any(axis=1) & ~same
        fair = np.flatnonzero(whole & (scores >= np.median(scores)))
        if not fair.size:
            return None, None
        levelled = np.array(
            [schema is not None and schema.columns[j].levels is not None for j in range(rows.shape[1])], bool
        )
        scale = np.nanstd(np.where(np.isnan(rows).all(axis=0), 0.0, rows), axis=0)
        off = np.abs(rows[fair] - values) / np.where(scale > 0, scale, 1.0)
        off = np.where(levelled, np.where(np.isnan(off), np.nan, (off > 0) * 1.0), off)
        both = ~np.isnan(off)
        far = np.where(both, off, 0.0).sum(axis=1) / np.maximum(both.sum(axis=1), 1)
        best = int(fair[np.argmin(np.where(both.any(axis=1), far, np.inf))])
        return rows[best], None if others is None else best


@contextlib.contextmanager
def _without_names() -> Iterator[None]:
    """Numbers go in as they are, in the order of the columns: nobody need be told that they have no names."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "X does not have valid feature names")
        yield


def _equal(rows: np.ndarray, values: np.ndarray) -> np.ndarray:
    """Which rows are the row itself."""
    return ((rows == values) | (np.isnan(rows) & np.isnan(values))).all(axis=1)


def _places(order: Sequence[int | str] | None, names: Sequence[str]) -> list[int]:
    if order is None:
        return list(range(len(names)))
    found = [list(names).index(each) if isinstance(each, str) and each in names else each for each in order]
    numbers = [int(each) for each in found if not isinstance(each, str) and 0 <= int(each) < len(names)]
    if sorted(numbers) != list(range(len(names))):
        raise ValueError(f"order must name every column once; the columns are {', '.join(names)}")
    return numbers


def _scalar(value: Any) -> Any:
    return value[0] if isinstance(value, list | tuple | np.ndarray) and np.size(value) == 1 else value


def _shown(value: float, place: int, schema: Schema | None) -> Any:
    """A number, or the level behind a code."""
    levels = None if schema is None else schema.columns[place].levels
    if np.isnan(value):
        return None
    return float(value) if levels is None else show_level(levels[int(value)])
