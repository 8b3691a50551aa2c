"""What is known of all columns at once, before and after something is said of some."""

import dataclasses
import math
from collections.abc import Mapping, Sequence

from tacit.data.schema import Column, Schema
from tacit.data.value_sets import Box, pointwise
from tacit.estimators.base import double_precision
from tacit.estimators.query.answer import DRAWS, EXACT
from tacit.estimators.query.asking import AnswersQueries, Asking, _by_level, _continuous, columns_of
from tacit.estimators.query.columns import asked, names_of
from tacit.estimators.query.draws import WeightedDraws
from tacit.estimators.query.grammar import Query, parse_condition


@dataclasses.dataclass(frozen=True)
class Figures:
    """What is known of one column.

    Attributes:
        column: which.
        levels: the probability of every level; None of numbers.
        mean, sd: of numbers; NaN of levels.
        how: as of `QueryAnswer`.
        effective_size: of weighted draws.
    """

    column: Column
    levels: Mapping[str, float] | None
    mean: float
    sd: float
    how: str
    effective_size: float | None


def figures(
    model: AnswersQueries,
    given: str,
    schema: Schema | None,
    *,
    n_draws: int | None = None,
    random_state: int = 0,
) -> list[Figures]:
    """What is known of every column once something is said of some, such as ``age < 30, smoker = yes``.

    Args:
        model: a fitted model.
        given: what is said; nothing where empty.
        schema: of its columns.
        n_draws, random_state: as of `AnswersQueries.query`.
    """
    columns = columns_of(model, schema)
    said = parse_condition(given, names_of(columns)) if given.strip() else None
    query = Query("P", None, None, None, said, given)
    _, _, boxes = asked(query, columns)
    return figures_given(model, boxes, columns, query, n_draws=n_draws, random_state=random_state)


@double_precision
def figures_given(
    model: AnswersQueries,
    boxes: Sequence[Box],
    columns: tuple[Column, ...],
    query: Query,
    *,
    n_draws: int | None = None,
    random_state: int = 0,
) -> list[Figures]:
    """The same of what is said as boxes; columns whose laws are not known exactly are drawn together, once."""
    ask = Asking(model, query, columns, pointwise(boxes, _continuous(model, columns)), n_draws, random_state)
    drawn: WeightedDraws | None = None
    found = []
    for place, column in enumerate(columns):
        law = ask.law(place)
        if law is not None:
            codes = law.levels()
            if column.levels is None:
                mean, variance = law.moments()
                found.append(Figures(column, None, mean, math.sqrt(variance), EXACT, None))
            elif codes is not None:
                shares = _by_level(column, codes[: len(column.levels)])
                found.append(Figures(column, shares, math.nan, math.nan, EXACT, None))
            continue
        drawn = drawn or ask.drawn([])
        size = drawn.effective_size
        if place >= drawn.rows.shape[1]:
            shares = _by_level(column, ask.hidden_shares(drawn, place))
            found.append(Figures(column, shares, math.nan, math.nan, DRAWS, size))
            continue
        values = drawn.rows[:, place]
        if column.levels is None:
            mean, _ = drawn.mean(values)
            sd = math.sqrt(drawn.mean((values - mean) ** 2)[0])
            found.append(Figures(column, None, mean, sd, DRAWS, size))
        else:
            shares = _by_level(column, drawn.shares(values, len(column.levels)))
            found.append(Figures(column, shares, math.nan, math.nan, DRAWS, size))
    return found
