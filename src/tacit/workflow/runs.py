"""A run looked at again: its report is written once more."""

import dataclasses
from pathlib import Path

import numpy as np

from tacit.compute import compilation_cache
from tacit.data.errors import counted
from tacit.data.reading import FOUND_OUT, ReadingOptions
from tacit.data.schema import Schema
from tacit.data.write import replacing
from tacit.report.parts import keeping_figures
from tacit.storage.errors import ModelFileError
from tacit.storage.run import CALIBRATION, REPORT
from tacit.workflow.errors import RequestError
from tacit.workflow.fitting import fitted_rows
from tacit.workflow.opened import Opened
from tacit.workflow.reporting import write_report
from tacit.workflow.sources import DataSource, Rows
from tacit.workflow.targets import select_target


@compilation_cache()
def rewrite_report(
    path: Path, data: str | None = None, out: str | None = None, reading: ReadingOptions = FOUND_OUT
) -> Path:
    """Write the report of a run again; its table is read from where it was, or from where the user says.

    Args:
        path: the run.
        data: the table again, if it moved.
        out: where to; None for into the run.
        reading: how the table is read, over how the fit read it.
    """
    opened = Opened.at(path)
    config = opened.run.config()
    source = DataSource.from_config(dict(config.data) | ({} if data is None else {"source": data}))
    source = dataclasses.replace(source, reading=source.reading.over(reading))
    if source.path == "-" and data is None:
        raise ModelFileError(
            f"{str(path)!r} was fitted to standard input, which is gone; give the table again: tacit report {path} DATA"
        )
    return _written(opened, _read_again(source, opened), source.path, out)


def write_missing(path: Path, rows: Rows) -> Path:
    """Write the report that a run lacks, of rows that were read as its fit reads them."""
    opened = Opened.at(path)
    if opened.schema is not None and opened.vocabulary is None:
        if rows.schema is None or not _alike(rows.schema, opened.schema):
            raise _changed(rows.table.source)
        rows = dataclasses.replace(rows, schema=opened.schema, target=opened.target)
    return _written(opened, rows, rows.table.source, None)


def _written(opened: Opened, rows: Rows, source: str, out: str | None) -> Path:
    """The report of a run, of all its rows."""
    run, told = opened.run, opened.run.metrics()
    config = run.config()
    if len(rows) != told["rows"]:
        raise ModelFileError(
            f"{source} has {counted(len(rows), 'row')}, and the run was fitted to {told['rows']}: it has changed, "
            "or is another one. Give the one that was fitted."
        )
    fitted = fitted_rows(rows, float(config.data.get("holdout", 0.0)), int(config.seed or 0))
    target = run.path / REPORT if out is None else Path(out).expanduser()
    return write_report(target, opened.estimator, fitted, told, config, _kept(opened))


FIGURES = ("svg", "png", "pdf")
"""What figures can be written as."""


def write_figures(
    path: Path, folder: Path, form: str = "svg", data: str | None = None, reading: ReadingOptions = FOUND_OUT
) -> tuple[Path, ...]:
    """Write every figure of a run's report as a file of its own, and the report beside them.

    Args:
        path: the run.
        folder: where to; made if need be.
        form: "svg", "png" or "pdf".
        data: the table again, if it moved.
        reading: how the table is read, over how the fit read it.

    Raises:
        RequestError: another form.
    """
    if form not in FIGURES:
        raise RequestError(f"figures are written as {', '.join(FIGURES)}, not {form!r}.")
    folder.mkdir(parents=True, exist_ok=True)
    with keeping_figures() as figures:
        rewrite_report(path, data, str(folder / REPORT), reading)
    written = []
    for name, figure in figures.items():
        target = folder / f"{name}.{form}"
        with replacing(target) as file:
            figure.savefig(file, format=form, dpi=192)
        written.append(target)
    return tuple(written)


def _kept(opened: Opened) -> dict[str, np.ndarray] | None:
    """What a run that predicts a column keeps of the rows kept aside."""
    if opened.target is None or not (opened.run.path / CALIBRATION).is_file():
        return None
    return opened.run.calibration()


def _read_again(source: DataSource, opened: Opened) -> Rows:
    """The table of a run as it was at the fit; raises `ModelFileError` where its columns are others now."""
    if opened.vocabulary is not None:
        return opened.read_again(source)
    rows = source.load()
    rows = (
        rows if source.target is None else dataclasses.replace(select_target(rows, source.target), target=opened.target)
    )
    same = opened.images == rows.values.shape[1:] if rows.schema is None else _alike(rows.schema, opened.schema)
    if not same:
        raise _changed(source.path)
    return dataclasses.replace(rows, schema=opened.schema)


def _changed(source: str) -> ModelFileError:
    return ModelFileError(
        f"{source} is not what the run was fitted to: its columns, or the size of its images, are others. It has "
        "changed, or is another one. Give the one that was fitted."
    )


def _alike(one: Schema, other: Schema | None) -> bool:
    """Whether two tables have the same columns and levels; the kinds may have been settled by the fit."""
    if other is None or one.names != other.names:
        return False
    return [column.levels for column in one.columns] == [column.levels for column in other.columns]
