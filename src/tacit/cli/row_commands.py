"""The commands that ask a run about rows: ``score``, ``assign``, ``forecast``, ``impute`` and ``sample``."""

from typing import Annotated

import typer

from tacit import cli, workflow
from tacit.cli import options
from tacit.cli.failures import guarded
from tacit.cli.reading import reads_new_rows
from tacit.data.reading import FOUND_OUT, ReadingOptions


@guarded
@reads_new_rows
def score(
    run: options.Run,
    data: options.ManyData,
    alarm: Annotated[
        float | None,
        typer.Option(
            metavar="SHARE",
            help="Flag odd rows so that at most this share of ordinary rows is flagged on average, such as 0.01.",
            show_default=False,
        ),
    ] = None,
    explain: Annotated[
        int, typer.Option(min=0, metavar="N", help="How many of the least likely rows get a reason, without an alarm.")
    ] = 10,
    long: options.Long = None,
    id_column: options.IdColumn = None,
    unseen: options.Unseen = False,
    text: options.Text = None,
    vocabulary: options.VocabularyFile = None,
    out: options.Out = None,
    form: options.Format = None,
    reading: ReadingOptions = FOUND_OUT,
    guard: options.Guard = None,
) -> None:
    """Say how likely each row is, which rows are odd, and in which columns.

    The log density is in nats. The p-value is the share of ordinary rows, kept aside by the fit, that are as
    unlikely as this one. A column makes a row odd where its value is unlikely given the rest of the row; images are
    scored as wholes, and documents in nats a word.
    """
    texts = workflow.texts.TextOptions(text, vocabulary)
    opened, place = cli.asking.opened(run, out, form), options.places(data)
    parts = cli.asking.stream(opened, place, long, id_column, unseen, reading=reading, with_target=True)
    if parts is not None:
        cli.results.give(workflow.score_streams.score(parts, alarm, explain), out, form)
        return
    rows = cli.asking.rows(opened, place, long, id_column, unseen, texts, reading=reading, with_target=True)
    cli.results.give(workflow.scoring.score(opened, rows, alarm, explain), out, form)


@guarded
@reads_new_rows
def explain(
    run: options.Run,
    data: options.ManyData,
    row: Annotated[
        str, typer.Option(metavar="ROW", help="Which row: its number from 1, or its name.", show_default=False)
    ],
    long: options.Long = None,
    id_column: options.IdColumn = None,
    unseen: options.Unseen = False,
    out: options.Out = None,
    form: options.Format = None,
    reading: ReadingOptions = FOUND_OUT,
    guard: options.Guard = None,
) -> None:
    """Say why one row is as likely as it is: column by column, each given those before it.

    The log density of a row is the sum over its columns. Of each there is what would have been expected given those
    before it, between which ends 90 % of it lie, and how often a value as far out comes. The first surprising column
    and the nearest typical row of DATA are named.

    For example: tacit explain RUN customers.csv --row 17
    """
    opened = cli.asking.opened(run, out, form)
    rows = cli.asking.rows(opened, options.places(data), long, id_column, unseen, reading=reading)
    cli.results.give(workflow.explaining.explain(opened, rows, row), out, form)


@guarded
@reads_new_rows
def drift(
    run: options.Run,
    data: options.ManyData,
    against: Annotated[
        str | None,
        typer.Option(
            metavar="DATA", help="Compare with these rows, rather than with those of the fit.", show_default=False
        ),
    ] = None,
    level: Annotated[
        float, typer.Option(min=0.0001, max=0.5, metavar="SHARE", help="Of false alarms among all that is told.")
    ] = 0.05,
    out: options.Out = None,
    form: options.Format = None,
    reading: ReadingOptions = FOUND_OUT,
    guard: options.Guard = None,
) -> None:
    """Say which columns and groups have moved since the fit, and whether rows have become less likely.

    Every column and its gaps, the shares of the groups and the scores are compared with what the run keeps of the rows
    of its fit. What is told are the tests that hold together: of all that "moved" a share --level is a false alarm, on
    average. The distance goes from 0 (the same) to 1.

    For example: tacit drift RUN new.parquet --format json
    """
    opened = cli.asking.opened(run, out, form)
    rows = cli.asking.rows(opened, options.places(data), None, None, True, reading=reading)
    old = None if against is None else cli.asking.rows(opened, against, None, None, True, reading=reading)
    cli.results.give(workflow.drifting.drift(opened, rows, old, level), out, form)


@guarded
@reads_new_rows
def transform(
    run: options.Run,
    data: options.ManyData,
    topic: Annotated[
        int | None,
        typer.Option(
            min=1,
            metavar="N",
            help="Only the documents that are mostly of this topic, those with most of it first.",
            show_default=False,
        ),
    ] = None,
    long: options.Long = None,
    id_column: options.IdColumn = None,
    unseen: options.Unseen = False,
    guard: options.Guard = None,
    text: options.Text = None,
    vocabulary: options.VocabularyFile = None,
    out: options.Out = None,
    form: options.Format = None,
    reading: ReadingOptions = FOUND_OUT,
) -> None:
    """Give the topics of each document, as shares, or the scores of each row on factors, with standard deviations.

    Other models give the numbers that they turn a row into.

    Words that the model does not know count nothing, and it is said how many there are.

    For example: tacit transform RUN new.csv --out shares.csv
    """
    texts = workflow.texts.TextOptions(text, vocabulary)
    opened, place = cli.asking.opened(run, out, form), options.places(data)
    parts = None if topic is not None else cli.asking.stream(opened, place, long, id_column, unseen, reading=reading)
    if parts is not None:
        cli.results.give(workflow.answer_streams.transform(parts), out, form)
        return
    rows = cli.asking.rows(opened, place, long, id_column, unseen, texts, reading=reading)
    cli.results.give(workflow.documents.transform(opened, rows, topic), out, form)


@guarded
@reads_new_rows
def predict(
    run: options.Run,
    data: options.ManyData,
    level: Annotated[
        float, typer.Option(min=0.01, max=0.999, metavar="SHARE", help="Of the intervals around predicted numbers.")
    ] = 0.9,
    id_column: options.IdColumn = None,
    unseen: options.Unseen = False,
    out: options.Out = None,
    form: options.Format = None,
    reading: ReadingOptions = FOUND_OUT,
    guard: options.Guard = None,
) -> None:
    """Predict the target of a run (fit --target) for new rows.

    Classes come with their probabilities, numbers with an interval that holds the true one with the probability
    --level if the model is right. Gaps in the columns are filled as they were at the fit.
    """
    opened, place = cli.asking.opened(run, out, form), options.places(data)
    parts = cli.asking.stream(opened, place, None, id_column, unseen, reading=reading)
    if parts is not None:
        cli.results.give(workflow.answer_streams.predict(parts, level, cli.observing.TOLD), out, form)
        return
    rows = cli.asking.rows(opened, place, None, id_column, unseen, reading=reading)
    cli.results.give(workflow.predicting.predict(opened, rows, level, cli.observing.TOLD), out, form)


@guarded
@reads_new_rows
def assign(
    run: options.Run,
    data: options.ManyData,
    group: Annotated[
        str | None,
        typer.Option(
            metavar="GROUP",
            help="Only the members of this group, by its number or name (tacit rename), the surest first.",
            show_default=False,
        ),
    ] = None,
    long: options.Long = None,
    id_column: options.IdColumn = None,
    unseen: options.Unseen = False,
    out: options.Out = None,
    form: options.Format = None,
    reading: ReadingOptions = FOUND_OUT,
    guard: options.Guard = None,
) -> None:
    """Put each row into its most probable group, with the probability of every group.

    For example: tacit assign RUN customers.csv --group 2 --out members.csv
    """
    opened, place = cli.asking.opened(run, out, form), options.places(data)
    parts = None if group is not None else cli.asking.stream(opened, place, long, id_column, unseen, reading=reading)
    if parts is not None:
        cli.results.give(workflow.answer_streams.assign(parts), out, form)
        return
    rows = cli.asking.rows(opened, place, long, id_column, unseen, reading=reading)
    cli.results.give(workflow.answering.assign(opened, rows, group), out, form)


@guarded
@reads_new_rows
def forecast(
    run: options.Run,
    data: options.ManyData,
    steps: Annotated[int, typer.Option(min=1, metavar="N", help="How many steps.")] = 10,
    level: Annotated[float, typer.Option(min=0.01, max=0.999, metavar="P", help="Probability of the intervals.")] = 0.9,
    unseen: options.Unseen = False,
    out: options.Out = None,
    form: options.Format = None,
    reading: ReadingOptions = FOUND_OUT,
    guard: options.Guard = None,
) -> None:
    """Say what comes after the last row of every sequence, with intervals (fit --sequence).

    For example: tacit forecast RUN visits.csv --steps 12 --out next.csv
    """
    opened = cli.asking.opened(run, out, form)
    rows = cli.asking.rows(opened, options.places(data), None, None, unseen, reading=reading)
    cli.results.give(workflow.forecasting.forecast(opened, rows, steps, level), out, form)


@guarded
@reads_new_rows
def impute(
    run: options.Run,
    data: options.ManyData,
    draws: Annotated[
        int | None,
        typer.Option(
            min=1,
            metavar="N",
            help="Draw the gaps this many times instead of filling in what is expected.",
            show_default=False,
        ),
    ] = None,
    seed: options.Seed = 0,
    unseen: options.Unseen = False,
    exact: options.Exact = False,
    out: options.OutOrImages = None,
    form: options.Format = None,
    reading: ReadingOptions = FOUND_OUT,
    guard: options.Guard = None,
) -> None:
    """Fill the gaps of a table (or of images), each from what the rest of its row says.

    Numbers get their expected value, with as many decimals as their column has and within its range; levels the most
    probable one. For further analysis take several draws (--draws 20), analyse each and pool the results: filled-in
    means look more certain than they are.
    """
    cli.asking.impute(run, options.places(data), draws, seed, unseen, out, form, reading, exact=exact)


@guarded
def sample(
    run: options.Run,
    many: Annotated[int | None, typer.Argument(min=1, metavar="[N]", help="How many rows.", show_default=False)] = None,
    number: Annotated[
        int | None, typer.Option("-n", "--number", min=1, metavar="N", help="The same; else 10.", show_default=False)
    ] = None,
    given: Annotated[
        list[str] | None,
        typer.Option(metavar="COL=VALUE", help="Only rows with this value. Again for more.", show_default=False),
    ] = None,
    total: Annotated[
        int | None,
        typer.Option(
            min=0, metavar="N", help="The total of each row, for models of shares (multinomial).", show_default=False
        ),
    ] = None,
    mean: Annotated[
        bool, typer.Option("--mean", help="Give what each drawn code stands for, without the noise around it.")
    ] = False,
    temperature: Annotated[
        float | None,
        typer.Option(
            min=0.0,
            metavar="T",
            help="Draw codes nearer to the middle (below 1) or further out; for models with codes.",
            show_default=False,
        ),
    ] = None,
    seed: options.Seed = 0,
    exact: options.Exact = False,
    out: options.OutOrImages = None,
    form: options.Format = None,
    guard: options.Guard = None,
) -> None:
    """Make new rows, or images, like those that were fitted.

    Numbers have as many decimals as their column and lie within its range.

    For example: tacit sample RUN 1000 --given sex=female --out new.csv; or for images tacit sample RUN 16 --out new.png
    """
    if many is not None and number is not None and many != number:
        raise workflow.errors.RequestError(f"{many} rows and --number {number}: say one of them.")
    chosen = many or number or 10
    cli.asking.sample(run, chosen, tuple(given or ()), total, mean, temperature, seed, out, form, exact=exact)
