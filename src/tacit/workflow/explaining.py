"""Why a row is as likely as it is: its log-density as a chain of conditionals."""

import numpy as np

from tacit.compute import compilation_cache
from tacit.data.erring import ErringRows
from tacit.data.errors import counted
from tacit.data.write import numbers_among_texts
from tacit.estimators.capabilities import can
from tacit.estimators.explaining import Explains, Explanation
from tacit.storage.errors import ModelFileError
from tacit.workflow.answers import TableAnswer
from tacit.workflow.errors import RequestError
from tacit.workflow.listing import next_commands
from tacit.workflow.opened import Opened
from tacit.workflow.sources import Rows

AMONG = 20_000
"""Rows among which the nearest typical one is looked for, at most."""


@compilation_cache()
def explain(opened: Opened, rows: Rows, row: str) -> TableAnswer:
    """Explain one row of a table.

    Args:
        opened: the run.
        rows: the table, as `Opened.read` gives it.
        row: its number from 1, or its name.

    Raises:
        ModelFileError: the model has no conditional densities.
        RequestError: there is no such row.
    """
    estimator = opened.estimator
    if opened.schema is None or opened.target is not None or not can(estimator, Explains):
        able = ", ".join(f"`tacit {command}`" for command in next_commands(opened.model, estimator))
        raise ModelFileError(
            f"the model of {str(opened.run.path)!r} gives no column given the others, so there is nothing to explain "
            f"a row by. It can be asked by {able}."
        )
    place = _place(rows, row)
    values = _dense(rows, np.array([place]))[0]
    row_data = rows.pick(np.array([place])).data
    if isinstance(row_data, ErringRows):  # what is seen of a row scatters by its own errors too
        estimator = estimator.blurred(row_data.variances[0])
    others = np.delete(np.arange(len(rows)), place)
    if len(others) > AMONG:
        others = np.sort(np.random.default_rng(0).choice(others, AMONG, replace=False))
    among = _dense(rows, others) if len(others) else None
    found = estimator.explained(values, among, range(len(opened.schema)), opened.schema)
    remarks = (*found.words(), *_near(found, rows, others))
    return TableAnswer(numbers_among_texts(found.to_arrow()), "column", shown=found.shown(), remarks=remarks)


def _near(found: Explanation, rows: Rows, others: np.ndarray) -> tuple[str, ...]:
    """Which row the typical one is."""
    if found.nearest is None:
        return ()
    if found.nearest_row is None:
        return ("No row of the table is typical; the nearest typical one was drawn from the model.",)
    place = int(others[found.nearest_row])
    name = f" ({rows.ids[place]})" if rows.ids is not None else ""
    return (f"The nearest typical row: {int(rows.numbers[place])}{name}.",)


def _place(rows: Rows, asked: str) -> int:
    """Where a row stands that was asked for by its name or its number."""
    names = [] if rows.ids is None else [str(name) for name in rows.ids]
    if names.count(asked) == 1:
        return names.index(asked)
    numbers = np.asarray(rows.numbers)
    found = np.flatnonzero(numbers == int(asked)) if asked.isdecimal() else np.zeros(0, int)
    if found.size:
        return int(found[0])
    named = ", or named as they are in the table" if names else ""
    raise RequestError(f"--row {asked}: there is no such row; there are {counted(len(rows), 'row')}, from 1{named}.")


def _dense(rows: Rows, places: np.ndarray) -> np.ndarray:
    values = rows.pick(places).values
    return np.asarray(values if isinstance(values, np.ndarray) else values.toarray(), np.float64)
