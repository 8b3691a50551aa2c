"""The commands that look around: ``show``, ``report`` and ``models``."""

from pathlib import Path
from typing import Annotated

import typer

from tacit import cli
from tacit.cli import options
from tacit.cli.failures import guarded
from tacit.cli.reading import reads_a_table
from tacit.data.reading import FOUND_OUT, ReadingOptions


@guarded
@reads_a_table
def show(
    what: Annotated[
        str, typer.Argument(metavar="RUN|DATA", help="A folder that `tacit fit` made, or a table.", show_default=False)
    ],
    kind: options.Kinds = None,
    id_column: options.IdColumn = None,
    reading: ReadingOptions = FOUND_OUT,
) -> None:
    """Show what a run found: model, groups, held-out score, warnings, files; or how a table is read, before any fit."""
    if cli.runs.is_table(what):
        cli.runs.show_table(what, tuple(kind or ()), id_column, reading)
    else:
        cli.runs.show(Path(what))


@guarded
def report(
    run: options.Run,
    data: options.MaybeData = None,
    out: Annotated[
        str | None,
        typer.Option(metavar="FILE.html", help="Where to; else into the run.", show_default=False),
    ] = None,
) -> None:
    """Write the report of a run again, from its model and its table."""
    cli.runs.report(run, data, out)


@guarded
def models(out: options.Out = None, form: options.Format = None) -> None:
    """List the models, what each is for and what it can do."""
    cli.listing.models(out, form)
