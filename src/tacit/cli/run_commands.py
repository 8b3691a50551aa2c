"""The commands that look around: ``show``, ``report`` and ``models``."""

from pathlib import Path
from typing import Annotated

import typer

from tacit import cli, workflow
from tacit.cli import options
from tacit.cli.failures import guarded
from tacit.cli.reading import reads_a_table, reads_new_rows
from tacit.data.network_endings import is_network_file
from tacit.data.reading import FOUND_OUT, ReadingOptions


@guarded
@reads_a_table
def show(
    what: Annotated[
        list[str],
        typer.Argument(
            metavar="RUN|DATA…",
            help="A folder that `tacit fit` made; a network's file; or a table as `tacit fit` takes it.",
            show_default=False,
        ),
    ],
    kind: options.Kinds = None,
    long: options.Long = None,
    id_column: options.IdColumn = None,
    text: options.Text = None,
    reading: ReadingOptions = FOUND_OUT,
) -> None:
    """Show what a run found: model, groups, held-out score, warnings, files; or how a table is read, before any fit.

    For example: tacit show RUN; tacit show sales-*.csv --decimal ,
    """
    if len(what) == 1 and is_network_file(what[0]) and Path(what[0]).is_file():
        cli.runs.show_network(Path(what[0]))
        return
    if cli.runs.is_table(what):
        texts = workflow.texts.TextOptions(text)
        place = options.places(what)
        cli.runs.show_table(
            workflow.sources.DataSource(place, tuple(kind or ()), long, id_column, texts, reading=reading)
        )
        return
    if kind or long is not None or id_column is not None or text is not None or reading != FOUND_OUT:
        raise workflow.errors.RequestError(f"{what[0]} is a run, and the options of show are about tables.")
    cli.runs.show(Path(what[0]))


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
@reads_new_rows
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
    reading: ReadingOptions = FOUND_OUT,
) -> None:
    """Write the report of a run again, from its model and its table; or its figures, to be used elsewhere.

    The table is read as at the fit, but for what is said here.

    For example: tacit report RUN --figures figures --form png
    """
    place = options.places(data) if data else None
    if figures is not None:
        cli.runs.figures(run, place, figures, form, reading)
        return
    cli.runs.report(run, place, out, reading)


@guarded
def sql(
    run: options.Run,
    table: Annotated[
        str, typer.Option("--table", metavar="NAME", help="The table of the database that has the columns.")
    ] = "data",
) -> None:
    """Print the model of a run as SQL: one SELECT that groups, scores or predicts the rows of a table.

    It is for k-means, Gaussian mixtures without covariances, and regressions of a number or a count.

    For example: tacit sql RUN --table customers > groups.sql
    """
    typer.echo(workflow.exporting.sql(workflow.opened.Opened.at(run), table))


@guarded
def models(out: options.Out = None, form: options.Format = None, guard: options.Guard = None) -> None:
    """List the models, what each is for and what it can do."""
    cli.listing.models(out, form)
