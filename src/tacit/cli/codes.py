"""``tacit encode``, ``reconstruct``, ``interpolate`` and ``manifold``: what a model with codes says of rows."""

import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from tacit.cli import pictures, results, talk
from tacit.cli.failures import UsageFault
from tacit.cli.listing import gives_codes
from tacit.cli.opened import New, Opened, labels
from tacit.compute import compilation_cache
from tacit.data.encode import decode
from tacit.data.errors import counted
from tacit.data.schema import Schema
from tacit.storage.errors import ModelFileError

MOST_STEPS = 1000
MOST_GRID = 200


@compilation_cache()
def encode(run: Path, new: New, out: str | None, form: str | None) -> None:
    """Give the mean and the standard deviation of q(z|x) of every row."""
    results.check(out, form)
    opened = Opened.at(run)
    if not gives_codes(opened.estimator):
        raise ModelFileError(f"the model of {str(run)!r} gives rows no codes.")
    rows = opened.read(new)
    means, scales = opened.estimator.transform(opened.feed(rows), return_std=True)
    columns = labels(rows)
    columns |= {f"z{place + 1}": pa.array(column) for place, column in enumerate(np.asarray(means, np.float64).T)}
    columns |= {f"sd{place + 1}": pa.array(column) for place, column in enumerate(np.asarray(scales, np.float64).T)}
    results.give(pa.table(columns), out, form)


@compilation_cache()
def reconstruct(run: Path, new: New, number: int | None, out: str | None, form: str | None) -> None:
    """Give what the model makes of the code of every row."""
    opened = _asked(run, "reconstruct", "give rows back from their codes", out, form, "again")
    rows = opened.read(new)
    if number is not None:
        rows = rows.pick(np.arange(min(number, len(rows))))
    elif pictures.is_picture(out):
        rows = pictures.some(rows)
    found = opened.estimator.reconstruct(opened.feed(rows))
    if opened.schema is not None:
        table = decode(np.asarray(found, np.float64), opened.schema)
        results.give(table, out, form)
        return
    given = {"originals": rows.values, "images": pictures.in_units(opened, found)}
    pictures.give(opened, given, str(out), pictures.LINE)


@compilation_cache()
def interpolate(run: Path, new: New, ends: tuple[int, int], steps: int, out: str | None, form: str | None) -> None:
    """Give the rows on the way from one row's code to another's."""
    if not 2 <= steps <= MOST_STEPS:
        raise UsageFault(f"--steps {steps}: say a number from 2 to {MOST_STEPS}.")
    opened = _asked(run, "interpolate", "go from one row to another", out, form, "way")
    rows = opened.read(new)
    what = "row" if opened.schema is not None else "image"
    for number in ends:
        if not 1 <= number <= len(rows):
            raise UsageFault(f"there is no {what} {number}: {new.path} has {counted(len(rows), what)}, counted from 1.")
    two = rows.pick(np.array(ends) - 1)
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message=".*feature names")  # the columns were put in order already
        found = opened.estimator.interpolate(two.values[0], two.values[1], steps)
    if opened.schema is not None:
        results.give(_steps(found, opened.schema), out, form, what="step")
        return
    pictures.give(opened, {"images": pictures.in_units(opened, found)}, str(out), steps)


def _steps(values: Any, schema: Schema) -> pa.Table:
    """Rows on the way with their number in front."""
    table = decode(np.asarray(values, np.float64), schema)
    if "step" in table.column_names:
        return table
    return table.add_column(0, "step", pa.array(np.arange(1, table.num_rows + 1)))


@compilation_cache()
def manifold(run: Path, grid: int, dims: str, out: str | None) -> None:
    """Draw what the model makes of a grid of codes in two dimensions."""
    if not 2 <= grid <= MOST_GRID:
        raise UsageFault(f"--grid {grid}: say a number from 2 to {MOST_GRID}.")
    opened = Opened.at(run)
    if not hasattr(opened.estimator, "manifold"):
        raise ModelFileError(f"the model of {str(run)!r} has no codes to draw.")
    if opened.schema is not None:
        raise ModelFileError(
            f"{str(run)!r} was fitted to a table, and a manifold is a picture of images; `tacit sample` makes rows."
        )
    pictures.check(out, None, "manifold")
    sizes = opened.estimator.n_components
    width = sum(sizes) if isinstance(sizes, list | tuple) else int(sizes)
    if width < 2:
        raise ModelFileError(
            f"the code of {str(run)!r} has one dimension, and a manifold needs two. `tacit interpolate` shows the way "
            "between two images; or fit with --set latent=2."
        )
    chosen = _dimensions(dims, width)
    if width > 2:
        talk.remark(f"Dimensions {chosen[0] + 1} and {chosen[1] + 1} of the code vary; the others stay at 0.")
    found = opened.estimator.manifold(grid, chosen)
    flat = found.reshape(grid * grid, *found.shape[2:])
    pictures.give(opened, {"images": pictures.in_units(opened, flat)}, str(out), grid, gap=1)


def _dimensions(text: str, width: int) -> tuple[int, int]:
    """``1,2`` as places counted from 0."""
    parts = [part.strip() for part in text.split(",")]
    if len(parts) != 2 or not all(part.isdigit() for part in parts) or parts[0] == parts[1]:
        raise UsageFault(f"--dims {text!r} is not understood; write two different numbers, such as 1,2.")
    numbers = [int(part) for part in parts]
    if not all(1 <= number <= width for number in numbers):
        raise UsageFault(f"--dims {text}: the code has {counted(width, 'dimension')}, counted from 1.")
    return numbers[0] - 1, numbers[1] - 1


def _asked(run: Path, method: str, words: str, out: str | None, form: str | None, what: str) -> Opened:
    """A run whose model has the method, and a place for what it gives: a table for tables, a picture for images."""
    opened = Opened.at(run)
    if not hasattr(opened.estimator, method):
        raise ModelFileError(f"the model of {str(run)!r} cannot {words}.")
    if opened.schema is None:
        pictures.check(out, form, what)
    else:
        results.check(out, form)
        if pictures.is_picture(out):
            raise UsageFault(f"{str(run)!r} was fitted to a table: --out takes .csv, .parquet, .arrow or .json.")
    return opened
