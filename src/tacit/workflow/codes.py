"""Codes of rows, and rows of codes: what a model with codes says."""

import numpy as np
import pyarrow as pa

from tacit.compute import compilation_cache
from tacit.data.encode import decode
from tacit.data.errors import counted
from tacit.data.schema import Schema
from tacit.estimators.capabilities import Capability, Codes, Walks, can
from tacit.storage.errors import ModelFileError
from tacit.workflow import pictures, rounding
from tacit.workflow.answers import Answer, ImageAnswer, TableAnswer
from tacit.workflow.errors import RequestError
from tacit.workflow.events import SILENT, Observer
from tacit.workflow.feeding import in_order
from tacit.workflow.opened import Opened, labels
from tacit.workflow.sources import Rows

MOST_STEPS = 1000
MOST_GRID = 200
ABLE: dict[str, tuple[type[Capability], str]] = {
    "reconstruct": (Codes, "give rows back from their codes"),
    "interpolate": (Walks, "go from one row to another"),
}
"""What a model must be able to, and what that is in words, by the question."""


@compilation_cache()
def encode(opened: Opened, rows: Rows) -> TableAnswer:
    """The mean and the standard deviation of q(z|x) of every row."""
    if not can(opened.estimator, Codes):
        raise ModelFileError(f"the model of {str(opened.run.path)!r} gives rows no codes.")
    means, scales = opened.estimator.transform(opened.feed(rows), return_std=True)
    columns = labels(rows)
    columns |= {f"z{place + 1}": pa.array(column) for place, column in enumerate(np.asarray(means, np.float64).T)}
    columns |= {f"sd{place + 1}": pa.array(column) for place, column in enumerate(np.asarray(scales, np.float64).T)}
    return TableAnswer(pa.table(columns))


def check_able(opened: Opened, question: str) -> None:
    """Refuse a model that has no answer to "reconstruct" or "interpolate"."""
    what, words = ABLE[question]
    if not can(opened.estimator, what):
        raise ModelFileError(f"the model of {str(opened.run.path)!r} cannot {words}.")


@compilation_cache()
def reconstruct(opened: Opened, rows: Rows) -> Answer:
    """What the model makes of the code of every row; of images the originals stand above."""
    check_able(opened, "reconstruct")
    found = opened.estimator.reconstruct(opened.feed(rows))
    if opened.schema is not None:
        return TableAnswer(_decoded(found, opened, opened.schema))
    return ImageAnswer({"originals": rows.values, "images": pictures.in_units(opened, found)}, opened.pixels)


@compilation_cache()
def interpolate(opened: Opened, rows: Rows, ends: tuple[int, int], steps: int) -> Answer:
    """The rows on the way from one row's code to another's.

    Args:
        opened: the run.
        rows: the rows among which the ends are.
        ends: their numbers in ``rows``, counted from 1.
        steps: how many rows, the two ends included.
    """
    check_able(opened, "interpolate")
    check_steps(steps)
    two = rows.pick(np.array(ends) - 1)
    with in_order():
        found = opened.estimator.interpolate(two.values[0], two.values[1], steps)
    if opened.schema is not None:
        return TableAnswer(_steps(_decoded(found, opened, opened.schema)), "step")
    return ImageAnswer({"images": pictures.in_units(opened, found)}, opened.pixels, steps)


def check_steps(steps: int) -> None:
    """Refuse fewer than 2 rows on the way, and too many."""
    if not 2 <= steps <= MOST_STEPS:
        raise RequestError(f"--steps {steps}: say a number from 2 to {MOST_STEPS}.")


def _decoded(values: np.ndarray, opened: Opened, schema: Schema) -> pa.Table:
    """Rows of a model as a table, with one date where columns were made from dates."""
    right = rounding.one_date(np.asarray(values, np.float64), schema, opened.written)
    return rounding.with_dates(decode(right, schema), right, schema, opened.written)


def _steps(table: pa.Table) -> pa.Table:
    """Rows on the way with their number in front."""
    if "step" in table.column_names:
        return table
    return table.add_column(0, "step", pa.array(np.arange(1, table.num_rows + 1)))


@compilation_cache()
def manifold(opened: Opened, grid: int, dims: str, observer: Observer = SILENT) -> ImageAnswer:
    """The images that a grid of codes in two dimensions stands for.

    Args:
        opened: a run of images.
        grid: images a side.
        dims: the two dimensions, counted from 1, such as ``1,2``.
        observer: is told of the dimensions that stay as they are.
    """
    run = str(opened.run.path)
    check_grid(grid)
    check_manifold(opened)
    sizes = opened.estimator.n_components
    width = sum(sizes) if isinstance(sizes, list | tuple) else int(sizes)
    if width < 2:
        raise ModelFileError(
            f"the code of {run!r} has one dimension, and a manifold needs two. `tacit interpolate` shows the way "
            "between two images; or fit with --set latent=2."
        )
    chosen = _dimensions(dims, width)
    if width > 2:
        observer.note(f"Dimensions {chosen[0] + 1} and {chosen[1] + 1} of the code vary; the others stay at 0.")
    found = opened.estimator.manifold(grid, chosen)
    flat = found.reshape(grid * grid, *found.shape[2:])
    return ImageAnswer({"images": pictures.in_units(opened, flat)}, opened.pixels, grid, gap=1)


def check_grid(grid: int) -> None:
    """Refuse a grid that is too small or too large."""
    if not 2 <= grid <= MOST_GRID:
        raise RequestError(f"--grid {grid}: say a number from 2 to {MOST_GRID}.")


def check_manifold(opened: Opened) -> None:
    """Refuse a run that has no codes of images."""
    if not can(opened.estimator, Walks):
        raise ModelFileError(f"the model of {str(opened.run.path)!r} has no codes to draw.")
    if opened.schema is not None:
        raise ModelFileError(
            f"{str(opened.run.path)!r} was fitted to a table, and a manifold is a picture of images; `tacit sample` "
            "makes rows."
        )


def _dimensions(text: str, width: int) -> tuple[int, int]:
    """``1,2`` as places counted from 0."""
    parts = [part.strip() for part in text.split(",")]
    if len(parts) != 2 or not all(part.isdigit() for part in parts) or parts[0] == parts[1]:
        raise RequestError(f"--dims {text!r} is not understood; write two different numbers, such as 1,2.")
    numbers = [int(part) for part in parts]
    if not all(1 <= number <= width for number in numbers):
        raise RequestError(f"--dims {text}: the code has {counted(width, 'dimension')}, counted from 1.")
    return numbers[0] - 1, numbers[1] - 1
