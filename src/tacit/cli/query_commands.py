"""The command that asks a run questions: ``query``."""

from typing import Annotated

import typer

from tacit import cli
from tacit.cli import options
from tacit.cli.failures import guarded
from tacit.cli.reading import reads_new_rows
from tacit.data.reading import FOUND_OUT, ReadingOptions


@guarded
@reads_new_rows
def query(
    run: options.Run,
    asked: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="[QUESTION… | DATA…]",
            help='Questions such as "P(income > 50000 | age < 30, smoker = yes)", "mean(income | city = Paris)", '
            '"quantile(income, 0.9)"; or a table of cases whose gaps are asked for.',
            show_default=False,
        ),
    ] = None,
    given: Annotated[
        list[str] | None,
        typer.Option(
            metavar="CONDITION",
            help='What is known, such as smoker=yes or "30 <= age < 40". Again for more.',
            show_default=False,
        ),
    ] = None,
    draws: Annotated[
        int | None,
        typer.Option(
            min=1, metavar="N", help="How many rows are drawn where an answer is not exact.", show_default=False
        ),
    ] = None,
    seed: options.Seed = 0,
    id_column: options.IdColumn = None,
    unseen: options.Unseen = False,
    out: options.Out = None,
    form: options.Format = None,
    reading: ReadingOptions = FOUND_OUT,
    guard: options.Guard = None,
) -> None:
    """Ask a model: how likely is this, given that?

    Questions ask for P of a condition (or of a column: of all its levels), and for mean, sd, median, mode and quantile
    of a column; behind the bar stands what is known. Without a question, --given shows all columns before and after.
    For a table of cases the gaps of every row are asked for.

    Answers are exact where the model has them exactly, else from weighted draws, with their error.

    For example: tacit query RUN "P(income > 50000 | age < 30)"; or tacit query RUN --given smoker=yes
    """
    cli.asking.query(run, list(asked or ()), list(given or ()), draws, seed, id_column, unseen, out, form, reading)
