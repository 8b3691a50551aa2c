"""The commands about the codes of a model: ``encode``, ``reconstruct``, ``interpolate`` and ``manifold``."""

from typing import Annotated

import typer

from tacit import cli, workflow
from tacit.cli import options
from tacit.cli.failures import guarded
from tacit.cli.reading import reads_new_rows
from tacit.data.reading import FOUND_OUT, ReadingOptions


@guarded
@reads_new_rows
def encode(
    run: options.Run,
    data: options.ManyData,
    reading: ReadingOptions = FOUND_OUT,
    guard: options.Guard = None,
    long: options.Long = None,
    id_column: options.IdColumn = None,
    unseen: options.Unseen = False,
    out: options.Out = None,
    form: options.Format = None,
) -> None:
    """Give each row its code: the few numbers z that stand for it.

    The code of a row is known only roughly: z1, z2, … are the means of q(z|x), and sd1, sd2, … its standard
    deviations. One near 1 says that the dimension tells nothing of the row.

    For example: tacit encode RUN images.npz --out codes.csv
    """
    opened = cli.asking.opened(run, out, form)
    rows = cli.asking.rows(opened, options.places(data), long, id_column, unseen, reading=reading)
    cli.results.give(workflow.codes.encode(opened, rows), out, form)


@guarded
@reads_new_rows
def reconstruct(
    run: options.Run,
    data: options.ManyData,
    number: Annotated[
        int | None,
        typer.Option(
            "-n",
            "--number",
            min=1,
            metavar="N",
            help="Only the first N rows; else all, and in a picture 40 of them.",
            show_default=False,
        ),
    ] = None,
    unseen: options.Unseen = False,
    out: options.OutOrImages = None,
    form: options.Format = None,
    reading: ReadingOptions = FOUND_OUT,
    guard: options.Guard = None,
) -> None:
    """Give each row back from its code, which shows what the code keeps and what it loses.

    A picture has lines of originals, each above the line of its reconstructions.

    For example: tacit reconstruct RUN images.npz --out again.png
    """
    cli.asking.reconstruct(run, options.places(data), number, unseen, out, form, reading)


@guarded
@reads_new_rows
def interpolate(
    run: options.Run,
    data: options.Data,
    first: Annotated[int, typer.Argument(metavar="A", help="The number of a row, from 1.", show_default=False)],
    last: Annotated[int, typer.Argument(metavar="B", help="The number of another.", show_default=False)],
    steps: Annotated[int, typer.Option(metavar="N", help="How many rows, the two ends included.")] = 10,
    unseen: options.Unseen = False,
    out: options.OutOrImages = None,
    form: options.Format = None,
    reading: ReadingOptions = FOUND_OUT,
    guard: options.Guard = None,
) -> None:
    """Go from row A to row B of DATA on the straight way between their codes.

    For example: tacit interpolate RUN images.npz 1 7 --out way.png
    """
    cli.asking.interpolate(run, data, (first, last), steps, unseen, out, form, reading)


@guarded
def manifold(
    run: options.Run,
    grid: Annotated[int, typer.Option(metavar="N", help="Images a side.")] = 20,
    dims: Annotated[str, typer.Option(metavar="A,B", help="Which two dimensions of the code, from 1.")] = "1,2",
    out: options.OutImages = None,
) -> None:
    """Draw the images that a grid of codes stands for: a map of all that the model knows.

    The first dimension grows upwards, the second to the right, both in equal steps of probability.

    For example: tacit manifold RUN --grid 20 --out manifold.png
    """
    cli.asking.manifold(run, grid, dims, out)
