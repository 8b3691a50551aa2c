"""Rows with errors of measurement that stand in other columns of the same table."""

from collections.abc import Mapping, Sequence
from typing import Self

import numpy as np
from jaxtyping import Float

from tacit.data.annotated import AnnotatedRows
from tacit.data.cells import ColumnsOneByOne, cells_of
from tacit.data.dataset import Dataset, Places
from tacit.data.encode import only
from tacit.data.errors import DataError, listed, nearest, place, quoted, shown
from tacit.data.schema import Schema


class ErringRows(AnnotatedRows):
    """The rows of another data set, each with the variances of its errors.

    Args:
        whole: the rows.
        variances: ``[rows, columns]`` in squared units of the columns; 0 where a column has no error.
    """

    def __init__(self, whole: Dataset, variances: Float[np.ndarray, "rows columns"]) -> None:
        super().__init__(whole)
        self.variances = variances

    def _annotated(self, taken: Dataset, places: Places) -> Self:
        return type(self)(taken, self.variances[places])


def errors_of(rows: object, given: object = None) -> object:
    """What is given as the covariances of errors, else the variances that rows carry themselves; None for none."""
    return rows.variances if given is None and isinstance(rows, ErringRows) else given


def parse_errors(texts: Sequence[str]) -> dict[str, str]:
    """``height=height_err`` as column and the column of its errors.

    Raises:
        DataError: a text is not understood, or a column stands twice.
    """
    found: dict[str, str] = {}
    for text in texts:
        name, sign, error = (part.strip() for part in text.partition("="))
        if not sign or not name or not error or name == error:
            raise DataError(f"--error {text!r} is not understood; write it as COLUMN=ERROR, such as height=height_err.")
        if name in found:
            raise DataError(f"--error names the errors of column {name!r} twice.")
        found[name] = error
    both = set(found) & set(found.values())
    if both:
        raise DataError(f"--error: {listed(sorted(both))} cannot both have an error and be one.")
    return found


def take_errors(table: ColumnsOneByOne, errors: Mapping[str, str]) -> dict[str, np.ndarray]:
    """The standard errors of every column that has some, NaN where a cell is empty.

    Raises:
        DataError: a column is not there, or a cell is no number from 0 on; column and row are named.
    """
    found = {}
    for name, error in errors.items():
        for each in (name, error):
            if each not in table.column_names:
                of = f"the errors of {quoted(name)}, " if each == error else ""
                there = f"{listed(table.column_names, 20)}.{nearest(each, table.column_names)}"
                raise DataError(f"no column {each!r} ({of}--error {name}={error}); there are {there}")
        cells = cells_of(error, only(table, error))
        numbers, text = cells.as_numbers()
        bad = text | (numbers < 0) | np.isinf(numbers)
        if bad.any():
            row = int(np.argmax(bad))
            raise DataError(
                f"{place(error, row)}: {shown(cells.at(row))} is no error of {quoted(name)}: a standard deviation in "
                "its units, 0 or more. Correct it; where the error is unknown, leave the row out."
            )
        found[error] = numbers
    return found


def variances_of(
    values: Float[np.ndarray, "rows columns"], schema: Schema, errors: Mapping[str, str], held: Mapping[str, np.ndarray]
) -> Float[np.ndarray, "rows columns"]:
    """The variances of the errors of all columns; refuses a value whose error is unknown.

    Raises:
        DataError: a column with errors is no column of numbers, or an error is missing where its value is not.
    """
    variances = np.zeros(values.shape)
    for name, error in errors.items():
        if name not in schema.names:
            raise DataError(
                f"{quoted(name)} has errors and is no column of the model: --kind {name}=continuous takes it in."
            )
        at = schema.index(name)
        unknown = np.isnan(held[error]) & ~np.isnan(values[:, at])
        if unknown.any():
            row = int(np.argmax(unknown))
            raise DataError(
                f"{place(error, row)}: empty, and {quoted(name)} has a value there: an error that is unknown is none. "
                "Give it (0 where the value is exact), or leave the value empty too."
            )
        variances[:, at] = np.where(np.isnan(held[error]), 0.0, held[error]) ** 2
    return variances
