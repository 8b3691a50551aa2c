"""Gaps filled: what a run says of what is missing in a table, or in images."""

import dataclasses
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa

from tacit.compute import compilation_cache
from tacit.data import dates
from tacit.data.dataset import DenseRows, Values
from tacit.data.encode import decode
from tacit.data.erring import ErringRows, take_errors, variances_of
from tacit.data.errors import counted
from tacit.data.read import TableReading
from tacit.data.restored_dates import date_parts
from tacit.data.schema import Schema
from tacit.data.sequenced import SequencedRows, take_sequence
from tacit.data.write import unguarded
from tacit.estimators.capabilities import Imputes, can
from tacit.storage.errors import ModelFileError
from tacit.workflow import pictures, rounding
from tacit.workflow.answers import ImageAnswer, TableAnswer
from tacit.workflow.errors import RequestError
from tacit.workflow.events import SILENT, Observer
from tacit.workflow.feeding import feed
from tacit.workflow.opened import Opened
from tacit.workflow.sources import Rows


def check_imputes(opened: Opened) -> None:
    """Refuse a model that cannot fill gaps."""
    if not can(opened.estimator, Imputes):
        raise ModelFileError(f"the model of {str(opened.run.path)!r} cannot fill gaps.")


@compilation_cache()
def impute(
    opened: Opened,
    reading: TableReading,
    draws: int | None,
    seed: int,
    *,
    unseen: bool = False,
    exact: bool = False,
    observer: Observer = SILENT,
) -> TableAnswer:
    """A table with its gaps filled; columns that the model does not know stay as they are.

    Args:
        opened: a run of a table.
        reading: the table as it was read.
        draws: how many times the gaps are drawn; None fills in what is expected.
        seed: what the draws depend on.
        unseen: whether levels that the model has never met count as missing.
        exact: whether numbers stay as the model gives them, rather than with the decimals and between the ends of the
            table.
        observer: is told where there are no gaps.
    """
    found = imputed(opened, reading, draws, seed, unseen=unseen, exact=exact)
    if not found.missing:
        observer.note(NOTHING_MISSING)
    return TableAnswer(found.table, remarks=filled_said(found.gaps, found.rows) if found.missing else ())


NOTHING_MISSING = "Nothing is missing in the columns that the model knows: the table is given as it is."


class Imputed(NamedTuple):
    """A table whose gaps were filled, how many there were, and in how many rows."""

    table: pa.Table
    gaps: int
    rows: int
    missing: bool
    """Whether anything was missing, though it be dates of which nothing can be made."""


def filled_said(gaps: int, rows: int) -> tuple[str, ...]:
    """What was filled, in a sentence."""
    return (f"{counted(gaps, 'gap')} in {counted(rows, 'row')} filled.",)


def imputed(
    opened: Opened,
    reading: TableReading,
    draws: int | None,
    seed: int,
    *,
    unseen: bool = False,
    exact: bool = False,
    always: frozenset[str] = frozenset(),
) -> Imputed:
    """What `impute` gives, of a table or a part of one.

    Args:
        always: columns that are given as the model has them though none of their values be missing here, for in other
            parts some may be.
    """
    check_imputes(opened)
    schema = opened.schema
    if schema is None:
        raise TypeError("the run is of no table")
    if opened.long:
        raise RequestError("a purchase log has no gaps: what is not in it was not bought.")
    reading = dataclasses.replace(reading, table=unguarded(reading.table, schema))
    values = dates.encoded(reading.table, schema, "missing" if unseen else "error")
    missing = np.isnan(values)
    X = feed(opened.estimator, _erring(opened, reading, values, schema), schema)
    told = [] if exact else opened.written
    as_model = np.array([name in always for name in schema.names], bool)
    if draws is None:
        expected = np.where(missing, rounding.within(opened.estimator.impute(X), told), values)
        table = _filled(reading.table, expected, missing, opened, told, as_model)
    else:
        filled = _drawn_gaps(opened, X, missing, draws, seed, told)
        parts = [_filled(reading.table, each, missing, opened, told, as_model) for each in filled]
        numbered = [
            part.add_column(_free(part), "draw", pa.array(np.full(part.num_rows, number + 1)))
            for number, part in enumerate(parts)
        ]
        table = pa.concat_tables(numbered)
    there = bool(missing.any())
    for each in date_parts(schema):  # a date is one gap
        missing[:, [place for place in each.places if place != each.days]] = False
    for name in dates.made_from_dates(reading.table, schema):
        if not any(schema.index(name) in each.places for each in date_parts(schema)):
            missing[:, schema.index(name)] = False  # of which no date can be made: it is left empty
    return Imputed(table, int(missing.sum()), int(missing.any(axis=1).sum()), there)


@compilation_cache()
def impute_images(opened: Opened, rows: Rows, draws: int | None, seed: int, observer: Observer = SILENT) -> ImageAnswer:
    """Images with their gaps filled, above them the same with the gaps."""
    check_imputes(opened)
    missing = np.isnan(rows.values) if rows.values.dtype.kind == "f" else np.zeros(rows.values.shape, bool)
    if not missing.any():
        observer.note("Nothing is missing: gaps in images are values that are no number (NaN), in arrays of floats.")
    found = opened.estimator.impute(rows.values, n_draws=draws or 0, random_state=seed)
    filled = np.where(missing, pictures.in_units(opened, found), rows.values)  # what was seen stays as it is
    shown = {"images": filled} if draws is None else {f"draw_{place + 1}": part for place, part in enumerate(filled)}
    return ImageAnswer({"originals": rows.values} | shown, opened.pixels)


def _erring(opened: Opened, reading: TableReading, values: np.ndarray, schema: Schema) -> Values:
    """Rows with the errors of measurement that stand beside them, where the fit had some."""
    errors, sequence = opened.errors, opened.sequence
    if sequence is not None:
        return SequencedRows(DenseRows(values), *take_sequence(reading.table, sequence))
    if not errors:
        return values
    held = take_errors(reading.table, errors)
    return ErringRows(DenseRows(values), variances_of(values, schema, errors, held))


def _drawn_gaps(
    opened: Opened, X: Any, missing: np.ndarray, draws: int, seed: int, told: Sequence[rounding.Written]
) -> np.ndarray:
    """The table with its gaps drawn, ``[draws, rows, columns]``; rows with a value outside are drawn again."""
    found = np.asarray(opened.estimator.impute(X, n_draws=draws, random_state=seed), np.float64)
    low, high = rounding.ends(told, missing.shape[1])
    for again in range(1, rounding.TRIES if told else 1):
        outside = np.asarray((missing & ((found < low) | (found > high))).any(axis=2))
        if not outside.any():
            break
        other = np.asarray(opened.estimator.impute(X, n_draws=draws, random_state=seed + 7919 * again), np.float64)
        found = np.where(outside[..., None], other, found)
    return np.where(missing, rounding.within(found, told), found)


def _filled(
    table: pa.Table,
    values: np.ndarray,
    missing: np.ndarray,
    opened: Opened,
    told: Sequence[rounding.Written],
    as_model: np.ndarray,
) -> pa.Table:
    """The table as it was read, with the columns that had gaps replaced by their filled selves."""
    schema = opened.schema
    if schema is None:
        raise TypeError("the run is of no table")
    values = rounding.one_date(values, schema, opened.written, missing)
    whole = rounding.like_source(decode(values, schema), table, schema, told)
    for place, name in enumerate(schema.names):
        if (missing[:, place].any() or as_model[place]) and name in table.column_names:
            table = table.set_column(table.column_names.index(name), name, whole.column(place))
    return rounding.dates_filled(table, values, missing, schema)


def _free(table: pa.Table) -> int:
    """Where the column ``draw`` goes: in front."""
    if "draw" in table.column_names:
        raise RequestError("the table has a column 'draw' already; rename it to number the draws.")
    return 0
