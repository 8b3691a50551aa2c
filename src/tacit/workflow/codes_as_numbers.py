"""Answers from 1 to 5 as numbers, for models that take numbers only and are fitted to such columns."""

import dataclasses

import numpy as np

from tacit import registry
from tacit.data.dataset import DenseRows
from tacit.data.errors import counted, listed
from tacit.data.file_rows import FileRows
from tacit.data.schema import LEVELLED
from tacit.data.table import Table
from tacit.workflow.sources import Rows


def as_numbers(rows: Rows, model: str | None, named: frozenset[str]) -> Rows:
    """The rows with the numbers themselves in columns of few different ones, where the model takes these so.

    Args:
        rows: all that were read.
        model: a name of the registry, or None.
        named: columns whose kind the user named; they stay what they are.
    """
    if model is None or not registry.entry(model).codes or rows.schema is None or not isinstance(rows.table, Table):
        return rows
    changed = {
        place: np.asarray(column.levels, np.float64)
        for place, column in enumerate(rows.schema.columns)
        if column.kind in LEVELLED
        and column.levels
        and (column.ordered or column.name not in named)
        and not any(isinstance(level, str) for level in column.levels)
    }
    if not changed:
        return rows
    values = np.array(rows.table.values, np.float64)
    for place, levels in changed.items():
        codes = values[:, place]
        values[:, place] = np.where(np.isnan(codes), np.nan, levels[np.nan_to_num(codes, nan=0.0).astype(int)])
    columns = tuple(
        dataclasses.replace(column, kind="continuous", levels=None) if place in changed else column
        for place, column in enumerate(rows.schema.columns)
    )
    schema = dataclasses.replace(rows.schema, columns=columns)
    names = [rows.schema.names[place] for place in changed]
    note = (
        f"{counted(len(names), 'column')} of few different numbers ({listed(names, 4)}) "
        f"{'is' if len(names) == 1 else 'are'} taken as numbers, for {model} takes nothing else: --kind "
        f"{names[0]}=drop leaves one out."
    )
    table = dataclasses.replace(rows.table, values=values, schema=schema, notes=(*rows.table.notes, note))
    kept = rows.whole.values
    whole = dataclasses.replace(
        rows.whole, values=kept.read_as(schema) if isinstance(kept, FileRows) else DenseRows(values)
    )
    return dataclasses.replace(rows, table=table, whole=whole, schema=schema)
