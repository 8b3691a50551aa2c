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
def rename(
    run: options.Run,
    names: Annotated[
        list[str] | None,
        typer.Argument(metavar="[NUMBER=NAME]...", help="Which group is called what.", show_default=False),
    ] = None,
) -> None:
    """Name the groups of a run; the names stand in `show`, `assign` and the report. Without names: list them.

    For example: tacit rename RUN 1="Big spenders" 3=Quiet; and tacit rename RUN 3= takes a name away.
    """
    cli.runs.rename(run, names or [])


@guarded
def report(
    run: options.Run,
    data: options.MaybeData = None,
    out: Annotated[
        str | None,
        typer.Option(metavar="FILE.html", help="Where to; else into the run.", show_default=False),
    ] = None,
    figures: Annotated[
        Path | None,
        typer.Option(metavar="DIR", help="Write every figure as a file of its own, here.", show_default=False),
    ] = None,
    form: Annotated[str, typer.Option("--form", metavar="FORM", help="Of the figures: svg, png or pdf.")] = "svg",
) -> None:
    """Write the report of a run again, from its model and its table; or its figures, to be used elsewhere.

    For example: tacit report RUN --figures figures --form png
    """
    if figures is not None:
        cli.runs.figures(run, data, figures, form)
        return
    cli.runs.report(run, data, out)


@guarded
def models(out: options.Out = None, form: options.Format = None, guard: options.Guard = None) -> None:
    """List the models, what each is for and what it can do."""
    cli.listing.models(out, form)
