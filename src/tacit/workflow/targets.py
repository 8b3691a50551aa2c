"""``--target``: the column to be predicted is taken out of a table."""

import dataclasses

import numpy as np

from tacit.data.dataset import MadeRows, dataset_of
from tacit.data.errors import DataError, counted, listed, nearest
from tacit.data.features import Target
from tacit.data.schema import Schema
from tacit.data.table import Table
from tacit.workflow.errors import RequestError
from tacit.workflow.sources import Rows, WholeSource

GAPS_NAMED = 6
"""Columns with gaps that are named at most."""


def select_target(rows: Rows, name: str) -> Rows:
    """The rows without the column to be predicted, whose values stand beside; rows that lack it are left out.

    Raises:
        RequestError: the rows are no table.
        DataError: there is no such column, it is of no use as a target, or it is the only one.
    """
    table, schema = rows.table, rows.schema
    if schema is None or not isinstance(table, Table):
        raise RequestError("--target names a column of a table; images, documents and purchase logs have none.")
    if name not in schema.names:
        raise DataError(_no_target(name, table))
    if len(schema) == 1:
        raise DataError(f"{name!r} is the only column: there is nothing to predict it from.")
    place = schema.index(name)
    goals = dataset_of(rows.data).column(place)
    seen = np.flatnonzero(~np.isnan(goals))
    if len(seen) < 2:
        raise DataError(f"the target {name!r} is known in {counted(len(seen), 'row')}: there is nothing to learn from.")
    lost, goal = len(rows) - len(seen), schema.columns[place]
    if lost:
        rows, goals = rows.pick(seen), goals[seen]
        note = f"{counted(lost, 'row')} without {name} left out: there is nothing to learn from them"
        table = dataclasses.replace(table, notes=(*table.notes, note))
    others = np.delete(np.arange(len(schema)), place)
    columns = Schema(tuple(schema.columns[other] for other in others))
    values = MadeRows(dataset_of(rows.data), lambda part: part[:, others], len(others), columns.names)
    return Rows(
        WholeSource(values, rows.numbers if lost else None, rows.ids, target=goals),
        columns,
        table,
        target=Target(goal),
    )


def classes_of(rows: Rows) -> np.ndarray | None:
    """The class of every row, where classes are to be predicted."""
    return None if rows.target is None or rows.target.column.levels is None else rows.target_values


def gaps_said(rows: Rows) -> str | None:
    """What is done with the gaps of the rows, in a sentence; None where there are none, or they are left alone."""
    if rows.target is None or rows.target.fills is None or rows.schema is None:
        return None
    missing = dataset_of(rows.data).total(lambda part, _: np.isnan(part).sum(axis=0))
    where = np.flatnonzero(missing)
    if not where.size:
        return None
    named = [f"{rows.schema.names[place]} ({int(missing[place]):,})" for place in where[:GAPS_NAMED]]
    more = f" and {len(where) - GAPS_NAMED} more columns" if len(where) > GAPS_NAMED else ""
    return (
        f"Gaps were filled with the column's mean, or its commonest level: {', '.join(named)}{more}. So the intervals "
        "are somewhat too sure of themselves where many are missing. `tacit impute` of a run fills gaps from the rest "
        "of the row; generative-classifier sums them out."
    )


def _no_target(name: str, table: Table) -> str:
    for entry in table.left_out:
        if entry.name == name:
            cure = "" if entry.role in ("empty", "constant") else f" Say what it is: --kind {name}=categorical, say."
            return f"{name!r} cannot be predicted: {entry.reason}.{cure}"
    known = (*table.names, *(entry.name for entry in table.left_out))
    return f"--target: there is no column {name!r}; there are {listed(known, 20)}.{nearest(name, known)}"
