"""``query``: questions such as ``P(income > 50000 | age < 30, smoker = yes)``, over every model that can be asked.

Every answer is made here, once, of what `AnswersQueries.given` says exactly (`tacit.models.given.Conditioned`), and of
weighted draws where it says nothing. A model that knows exact answers overrides ``given`` and no more.
"""

import abc
import dataclasses
import math
from collections.abc import Mapping, Sequence
from functools import cached_property
from typing import NoReturn

import numpy as np

from tacit.data.levels import show_level
from tacit.data.schema import Column, Schema
from tacit.data.value_sets import Box, both, pointwise
from tacit.estimators.base import double_precision
from tacit.estimators.capabilities import AssignsSoftly, Capability, Measures, can
from tacit.estimators.query.answer import DRAWS, EXACT, FEW, QueryAnswer, Value
from tacit.estimators.query.columns import asked, names_of
from tacit.estimators.query.draws import WeightedDraws, probabilities_of, weighted_draws
from tacit.estimators.query.grammar import Query, QueryError, parse
from tacit.estimators.settings import Estimator
from tacit.models.given import Conditioned, Law, MixedLaw

CONTINUOUS = ("continuous", "positive")


class AnswersQueries(Capability, Estimator):
    """Answers queries about its columns."""

    def given(self, evidence: Box) -> Conditioned | None:
        """What the model knows once columns lie in some values, or None where it does not know that exactly.

        Args:
            evidence: by the place of a column, the values that it may have. A continuous column has either one value
                or ranges, never both. Places beyond the columns of a row are those of hidden columns.

        Raises:
            ValueError: a column that cannot be asked.
        """
        return None

    def hidden_columns(self) -> tuple[Column, ...]:
        """Columns that no row shows and that may be asked, such as the group."""
        return ()

    def is_continuous(self, place: int, column: Column) -> bool:
        """Whether single values of a column have densities rather than probabilities."""
        if can(self, Measures):
            return self.base_measure()[place] == "density"
        return column.kind in CONTINUOUS

    @double_precision
    def query(self, question: str, *, n_draws: int | None = None, random_state: int = 0) -> QueryAnswer:
        """Answer a question such as ``P(income > 50000 | age < 30, smoker = yes)``.

        It may ask for ``P`` of a condition (or of a column: of all its levels), and for ``mean``, ``sd``, ``median``,
        ``mode`` and ``quantile`` of a column; behind the bar stands what is known. Conditions are put together with
        commas, ``and``, ``or``, ``not`` and brackets: ``30 <= age < 40``, ``city in {Paris, Rome}``, ``x between 1
        and 2``. Names and levels that hold signs stand in quotes.

        Args:
            question: the query.
            n_draws: how many rows are drawn where the answer is not exact; as many as make a good one where None.
            random_state: what the draws depend on.

        Raises:
            QueryError: what is wrong with the query, and where; or what is known is impossible.
        """
        return answer(self, question, vars(self).get("schema_"), n_draws=n_draws, random_state=random_state)


def columns_of(model: AnswersQueries, schema: Schema | None) -> tuple[Column, ...]:
    """The columns that may be asked: those of a row, then the hidden ones; without a schema all are numbers."""
    names = model._column_names()
    known = {} if schema is None else {column.name: column for column in schema.columns}
    seen = tuple(known.get(name, Column(name, "continuous")) for name in names)
    if schema is not None and len(schema) == len(names):
        seen = schema.columns
    return (*seen, *(column for column in model.hidden_columns() if column.name not in names))


class AnswersCases(AnswersQueries):
    """Says of many rows at once what their gaps are."""

    @abc.abstractmethod
    def gaps_of(self, rows: np.ndarray) -> dict[int, np.ndarray]:
        """Of every column with gaps, and of every hidden one, what the model says of all rows, by place.

        Args:
            rows: codes of levels and numbers, NaN where nothing is known, ``(n, d)``.

        Returns:
            the probabilities of levels ``(n, levels)``, or mean and standard deviation ``(n, 2)``; NaN of a row that
            is impossible. What a row says itself is not to be looked at.

        Raises:
            ValueError: that is not known exactly.
        """


def answer(
    model: AnswersQueries, question: str, schema: Schema | None, *, n_draws: int | None = None, random_state: int = 0
) -> QueryAnswer:
    """The answer to a query of a model whose columns are those of a schema; see `AnswersQueries.query`."""
    columns = columns_of(model, schema)
    query = parse(question, names_of(columns))
    event, place, given = asked(query, columns)
    if n_draws is not None and n_draws < 1:
        raise ValueError(f"n_draws must be at least 1, or None; got {n_draws}")
    ask = Asking(model, query, columns, pointwise(given, _continuous(model, columns)), n_draws, random_state)
    return ask.of_event(event) if event is not None else ask.of_column(place or 0)


def _continuous(model: AnswersQueries, columns: Sequence[Column]) -> list[int]:
    seen = len(model._column_names())
    return [place for place, column in enumerate(columns[:seen]) if model.is_continuous(place, column)]


@dataclasses.dataclass(frozen=True)
class Asking:
    """A query on its way to an answer."""

    model: AnswersQueries
    query: Query
    columns: tuple[Column, ...]
    given: list[Box]
    n_draws: int | None
    random_state: int

    @cached_property
    def known(self) -> list[Conditioned] | None:
        """What the model knows under every box of what is known, or None where that is not exact."""
        return _exactly(self.model, self.given)

    def of_event(self, event: list[Box]) -> QueryAnswer:
        """The probability of a condition."""
        remarks = tuple(self._single_values(event))
        known = self.known
        if known is not None:
            total, densities = self._total(known)
            wanted = pointwise(both(event, self.given), _continuous(self.model, self.columns))
            found = _exactly(self.model, wanted)
            if found is not None:
                logs = [each.log_probability for each in found if each.densities == densities]
                chance = math.exp(min(float(np.logaddexp.reduce(logs)) - total, 0.0)) if logs else 0.0
                return self._answer(chance, 0.0, None, remarks)
        drawn = self.drawn(event)
        inside = np.zeros(len(drawn.rows), bool)
        for box in event:
            inside |= np.all([values.contains(drawn.rows[:, at]) for at, values in box.items()], axis=0)
        chance, error = drawn.chance(inside)
        if chance in (0.0, 1.0):
            remarks += (f"It held in {'none' if chance == 0.0 else 'all'} of the draws.",)
        return self._answer(chance, error, drawn, remarks)

    def of_column(self, place: int) -> QueryAnswer:
        """A figure of a column."""
        column, function = self.columns[place], self.query.function
        numbers = _numbers(column)
        if function in ("mean", "sd", "median", "quantile") and numbers is None and column.levels is not None:
            self._refuse(f"{column.name!r} has levels, which have no {function}: ask for mode({column.name}) or P(…)")
        if function == "P" and column.levels is None:
            self._refuse(f"{column.name!r} holds numbers: say of which, as in P({column.name} > 1)")
        law = self.law(place)
        if law is not None:
            return self._answer(_figure(law, column, function, self.query.share), 0.0, None, ())
        drawn = self.drawn([])
        if place < drawn.rows.shape[1]:
            return self._of_draws(drawn, drawn.rows[:, place], column, numbers)
        if numbers is not None or function not in ("P", "mode"):
            self._refuse(f"{column.name!r} is hidden and has levels: ask for mode({column.name}) or P({column.name})")
        shares = self.hidden_shares(drawn, place)
        if function == "mode":
            return self._answer(show_level((column.levels or ())[int(shares.argmax())]), math.nan, drawn, ())
        worst = float(np.sqrt(np.max(shares * (1.0 - shares)) / drawn.effective_size))
        return self._answer(_by_level(column, shares), worst, drawn, ())

    def hidden_shares(self, drawn: WeightedDraws, place: int) -> np.ndarray:
        """The levels of a hidden column, averaged over draws of the rows that are seen, ``(L,)``."""
        column = self.columns[place]
        if place != len(self.model._column_names()) or not can(self.model, AssignsSoftly):
            self._refuse(f"{column.name!r} is hidden, and here only rows that are seen can be drawn")
        return drawn.weights @ probabilities_of(self.model, drawn.rows)

    def _of_draws(
        self, drawn: WeightedDraws, values: np.ndarray, column: Column, numbers: np.ndarray | None
    ) -> QueryAnswer:
        function = self.query.function
        if column.levels is not None:
            shares = drawn.shares(values, len(column.levels))
            if function == "P":
                worst = float(np.sqrt(np.max(shares * (1.0 - shares)) / drawn.effective_size))
                return self._answer(_by_level(column, shares), worst, drawn, ())
            if function == "mode":
                return self._answer(show_level(column.levels[int(shares.argmax())]), math.nan, drawn, ())
        values = values if numbers is None else numbers[np.rint(values).astype(int)]
        if function == "mode":
            if column.kind != "count":
                self._refuse(f"{column.name!r} is continuous: ask for its median rather than its mode")
            shares = np.bincount(np.maximum(np.rint(values), 0).astype(int), drawn.weights)
            return self._answer(float(shares.argmax()), math.nan, drawn, ())
        mean, error = drawn.mean(values)
        if function == "sd":
            variance, spread = drawn.mean((values - mean) ** 2)
            sd = math.sqrt(variance)
            return self._answer(sd, spread / (2.0 * sd) if sd > 0 else math.nan, drawn, ())
        if function in ("median", "quantile"):
            mean, error = drawn.quantile(values, 0.5 if self.query.share is None else self.query.share)
        return self._answer(mean, error, drawn, ())

    def law(self, place: int) -> Law | None:
        """The law of a column, where it is known exactly."""
        known = self.known
        if known is None:
            return None
        total, densities = self._total(known)
        held = [each for each in known if each.densities == densities and math.isfinite(each.log_probability)]
        laws = [law for each in held if (law := each.column(place)) is not None]
        if len(laws) < len(held):
            return None
        shares = np.exp([each.log_probability - total for each in held])
        return laws[0] if len(laws) == 1 else MixedLaw(laws, shares / shares.sum())

    def _total(self, known: Sequence[Conditioned]) -> tuple[float, int]:
        """``log P`` of what is known, and in how many columns it is a density: fewer outweigh more."""
        possible = [each for each in known if math.isfinite(each.log_probability)]
        if not possible:
            why = next((each.contradiction for each in known if each.contradiction), "")
            self._refuse(why or "what is known is impossible under the model, or too far out to be told from that")
        densities = min(each.densities for each in possible)
        logs = [each.log_probability for each in possible if each.densities == densities]
        return float(np.logaddexp.reduce(logs)), densities

    def drawn(self, event: list[Box]) -> WeightedDraws:
        """Draws of rows that are as it is known; hidden columns cannot be asked of them."""
        seen = len(self.model._column_names())
        for place in sorted({place for box in (*event, *self.given) for place in box if place >= seen}):
            self._refuse(f"{self.columns[place].name!r} is hidden, and here only rows that are seen can be drawn")
        return weighted_draws(
            self.model,
            self.given,
            seen,
            n_draws=self.n_draws,
            random_state=self.random_state,
            text=self.query.text,
        )

    def _answer(self, value: Value, error: float, drawn: WeightedDraws | None, remarks: tuple[str, ...]) -> QueryAnswer:
        if drawn is None:
            return QueryAnswer(self.query.text, value, error, EXACT, remarks=remarks)
        size = drawn.effective_size
        if size < FEW:
            remarks += ("So few draws are as it is known that this is a rough guess: ask with more draws (n_draws).",)
        return QueryAnswer(self.query.text, value, error, DRAWS, size, drawn.made, remarks)

    def _single_values(self, event: list[Box]) -> list[str]:
        """A sentence for every continuous column of which a single value is asked: its probability is 0."""
        found = []
        for place in _continuous(self.model, self.columns):
            name = self.columns[place].name
            free = all(box[place].point is None for box in self.given if place in box)
            if free and any(place in box and not box[place].split()[1].cuts for box in event):
                found.append(f"{name!r} is continuous: a single value has probability 0, ask for a range.")
        return found

    def _refuse(self, said: str) -> NoReturn:
        raise QueryError(said, self.query.text, 0, len(self.query.text))


def _exactly(model: AnswersQueries, boxes: Sequence[Box]) -> list[Conditioned] | None:
    """What is known under every box, or None where it is not known exactly under one of them."""
    found = []
    for box in boxes:
        known = model.given(box)
        if known is None:
            return None
        found.append(known)
    return found


def _numbers(column: Column) -> np.ndarray | None:
    """The numbers that levels are, or None."""
    if column.levels is None or any(isinstance(level, str) for level in column.levels):
        return None
    return np.asarray([float(level) for level in column.levels])


def _by_level(column: Column, shares: np.ndarray) -> Mapping[str, float]:
    levels = column.levels or ()
    return {show_level(level): float(share) for level, share in zip(levels, shares, strict=True)}


def _figure(law: Law, column: Column, function: str, share: float | None) -> Value:
    """What is asked of a law that is known."""
    codes, numbers = law.levels(), _numbers(column)
    if codes is not None and column.levels is not None:
        codes = codes[: len(column.levels)]
        if function == "P":
            return _by_level(column, codes)
        if function == "mode":
            return show_level(column.levels[int(codes.argmax())])
        assert numbers is not None
        mean = float(numbers @ codes)
        if function == "mean":
            return mean
        if function == "sd":
            return math.sqrt(max(float((numbers - mean) ** 2 @ codes), 0.0))
        return float(numbers[int(law.quantile(0.5 if share is None else share))])
    if function in ("mean", "sd"):
        mean, variance = law.moments()
        return mean if function == "mean" else math.sqrt(variance)
    if function == "mode":
        return _likeliest(law, column)
    return law.quantile(0.5 if share is None else share)


def _likeliest(law: Law, column: Column) -> float:
    if law.kind != "count":
        raise ValueError(f"{column.name!r} is continuous: ask for its median rather than its mode")
    counts = np.arange(law.quantile(1.0 - 1e-9) + 1.0)
    ends = law.cdf(counts)
    return float(np.diff(ends, prepend=0.0).argmax())
