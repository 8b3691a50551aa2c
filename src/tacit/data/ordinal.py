"""Columns of levels with an order: numbers in theirs, texts in the order that a table declares or a user writes."""

from tacit.data.cells import Cells
from tacit.data.encode import encode_column
from tacit.data.errors import DataError, counted, listed, quoted
from tacit.data.levels import levels_of
from tacit.data.number_kinds import MOST_LEVELS
from tacit.data.schema import ORDINAL, Column, Level

SIGN = "<"
"""Between two levels where their order is written: ``size=ordinal:small<medium<large``."""


def asks_order(kind: str) -> bool:
    """Whether a kind that a user wrote is "ordinal", with an order or without."""
    return kind.partition(":")[0].strip() == ORDINAL


def ordinal(cells: Cells, asked: str) -> Column:
    """A column of ordered levels.

    Args:
        cells: its cells, texts that are numbers as numbers.
        asked: "ordinal", or "ordinal:" and the levels from the lowest to the highest with `SIGN` between them.

    Raises:
        DataError: the order is not known, or lacks a level; there are too many levels, or one.
    """
    found, written = levels_of(cells), asked.partition(":")[2]
    order = tuple(text.strip() for text in written.split(SIGN)) if written.strip() else None
    if order is not None:
        levels = _written(cells.name, found, order)
    elif not isinstance(found[0], str):
        levels = found
    else:
        levels = declared(cells) or ()
        if not levels:
            raise DataError(
                f"the levels of {quoted(cells.name)} are texts ({listed(found)}), whose order is not known: write it, "
                f"'{cells.name}=ordinal:{SIGN.join(map(str, found[:3]))}{SIGN + '…' if len(found) > 3 else ''}', the "
                "lowest first."
            )
    if len(levels) < 2:
        raise DataError(f"{quoted(cells.name)} cannot be ordinal: it has one value only. Leave it out.")
    if len(levels) > MOST_LEVELS:
        raise DataError(
            f"{quoted(cells.name)} cannot be ordinal: it has {counted(len(levels), 'different value')}, more than "
            f"{MOST_LEVELS}. Make it continuous, or a count."
        )
    said = "as asked" if isinstance(levels[0], str) is False else f"{f' {SIGN} '.join(map(str, levels))}, as asked"
    column = Column(cells.name, "categorical", levels, f"{ORDINAL}, {said}", ordered=True)
    encode_column(cells, column)
    return column


def declared(cells: Cells) -> tuple[str, ...] | None:
    """The levels that occur, in the order that the table declares; None where it declares none."""
    if cells.order is None:
        return None
    there = {str(level) for level in levels_of(cells)}
    return tuple(level for level in cells.order if level in there)


def _written(name: str, found: tuple[Level, ...], order: tuple[str, ...]) -> tuple[Level, ...]:
    """The levels in the order that was written."""
    lacking = [level for level in found if str(level) not in order]
    if lacking:
        raise DataError(
            f"the order that is written for {quoted(name)} lacks {listed(lacking)}: it has {listed(order)}."
        )
    twice = sorted({level for level in order if order.count(level) > 1 or not level})
    if twice:
        raise DataError(f"the order that is written for {quoted(name)} has {listed(twice)} twice, or an empty level.")
    if isinstance(found[0], str):
        return order
    places = [order.index(str(level)) for level in found]
    if places != sorted(places):
        raise DataError(
            f"the levels of {quoted(name)} are numbers ({listed(found)}), and stand in their own order: turn the "
            "column round first (1 - 5 as 5 - 1), or leave the order out."
        )
    return found
