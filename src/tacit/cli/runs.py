"""``tacit show`` and ``tacit report``: what a run found, told again."""

import dataclasses
from pathlib import Path

import numpy as np

from tacit.cli import folders, outcome, talk
from tacit.cli.fitting import fitted_rows
from tacit.cli.opened import Opened
from tacit.cli.reporting import write_report
from tacit.cli.sources import LINES, Rows, Source
from tacit.cli.targets import aim
from tacit.compute import compilation_cache
from tacit.data.errors import counted
from tacit.data.images import sized
from tacit.data.levels import show_level
from tacit.data.schema import Schema
from tacit.storage.errors import ModelFileError
from tacit.storage.model_file import MODEL, describe
from tacit.storage.run import CALIBRATION, REPORT


def show(path: Path) -> None:
    """Print what a run found, from its files alone."""
    run = folders.open_run(path)
    told, written = run.metrics(), describe(run.path / MODEL)
    talk.heading(f"Run {run.path}")
    version, image = written.versions.get("tacit", "?"), told.get("image")
    if image is not None:
        what = f"{counted(told['fitted_rows'], 'image')} of {sized(tuple(image))}"
    elif told.get("topics"):
        what = f"{counted(told['fitted_rows'], 'document')} and {counted(told['columns'], 'word')}"
    else:
        what = f"{counted(told['fitted_rows'], 'row')} and {counted(told['columns'], 'column')}"
    talk.say(f"Fitted to {what} of {told['source']} by tacit {version}.", indent=1)
    if image is None and not told.get("topics"):
        _columns(run.schema())
    outcome.tell_choice(told)
    outcome.tell_groups(told)
    if told["interrupted"]:
        talk.bullet("The fit was stopped by Ctrl-C: this is the best until then (go on with --resume).", "!")
    talk.say("")
    talk.fact("Files", ", ".join(run.files()))
    if run.config().command:
        talk.fact("Made by", " ".join(run.config().command))


def _columns(schema: Schema) -> None:
    rows = []
    for column in schema.columns[:LINES]:
        levels = "" if column.levels is None else ", ".join(show_level(level) for level in column.levels[:8])
        more = "" if column.levels is None or len(column.levels) <= 8 else f" and {len(column.levels) - 8} more"
        rows.append((column.name, column.kind, levels + more))
    talk.say("")
    talk.table(["column", "kind", "levels"], rows)
    if len(schema) > LINES:
        talk.say(f"and {counted(len(schema) - LINES, 'column')} more", "dim", indent=1)


@compilation_cache()
def report(path: Path, data: str | None, out: str | None) -> None:
    """Write the report of a run again; its table is read from where it was, or from where the user says."""
    opened = Opened.at(path)
    run = opened.run
    config, told = run.config(), run.metrics()
    source = Source.from_config(dict(config.data) | ({} if data is None else {"source": data}))
    if source.path == "-" and data is None:
        raise ModelFileError(
            f"{str(path)!r} was fitted to standard input, which is gone; give the table again: tacit report {path} DATA"
        )
    rows = _read_again(source, opened)
    if len(rows) != told["rows"]:
        raise ModelFileError(
            f"{source.path} has {counted(len(rows), 'row')}, and the run was fitted to {told['rows']}: it has changed, "
            "or is another one. Give the one that was fitted."
        )
    fitted = fitted_rows(rows, float(config.data.get("holdout", 0.0)), int(config.seed or 0))
    target = run.path / REPORT if out is None else Path(out).expanduser()
    talk.fact("Report", write_report(target, opened.estimator, fitted, told, config, _kept(opened)))


def _kept(opened: Opened) -> dict[str, np.ndarray] | None:
    """What a run that foretells a column keeps of the rows kept aside."""
    if opened.target is None or not (opened.run.path / CALIBRATION).is_file():
        return None
    return opened.run.calibration()


def _read_again(source: Source, opened: Opened) -> Rows:
    """The table of a run as it was at the fit; raises `ModelFileError` where its columns are others now."""
    if opened.vocabulary is not None:
        return opened.read_again(source)
    rows = source.load()
    rows = rows if source.target is None else dataclasses.replace(aim(rows, source.target), aim=opened.target)
    same = opened.images == rows.values.shape[1:] if rows.schema is None else _alike(rows.schema, opened.schema)
    if not same:
        raise ModelFileError(
            f"{source.path} is not what the run was fitted to: its columns, or the size of its images, are others. It "
            "has changed, or is another one. Give the one that was fitted."
        )
    return dataclasses.replace(rows, schema=opened.schema)


def _alike(one: Schema, other: Schema | None) -> bool:
    """Whether two tables have the same columns and levels; the kinds may have been settled by the fit."""
    if other is None or one.names != other.names:
        return False
    return [column.levels for column in one.columns] == [column.levels for column in other.columns]
