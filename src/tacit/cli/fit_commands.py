"""The commands that fit: ``fit``, ``compare`` and ``demo``."""

import sys
from contextlib import nullcontext
from pathlib import Path
from typing import Annotated

import typer

from tacit import cli, distributed, workflow
from tacit.cli import options
from tacit.cli.failures import guarded
from tacit.cli.reading import reads_a_table
from tacit.data import places
from tacit.data.reading import FOUND_OUT, ReadingOptions

Holdout = Annotated[
    float,
    typer.Option(min=0.0, max=0.9, metavar="SHARE", help="Rows kept aside to test the model and to judge oddness by."),
]
Criterion = Annotated[
    str | None,
    typer.Option(
        metavar="NAME",
        help="What chooses among candidates: bic (as if nothing is said), icl, aic or held-out; of Bayesian mixtures "
        "bound or held-out, of k-means silhouette, of codes held-out, of topics completion, coherence or stability.",
        show_default=False,
    ),
]

Engine = Annotated[
    str | None,
    typer.Option(
        metavar="WHERE",
        help="Read Parquet files and add up their rows elsewhere: dask://HOST:PORT, a cluster that can read them too; "
        "or processes:N of this machine.",
        show_default=False,
    ),
]
Devices = Annotated[
    int | None,
    typer.Option(
        metavar="N",
        min=1,
        help="Share the rows of every mini-batch of a vae, prod-lda or flow among N devices.",
        show_default=False,
    ),
]
RunDir = Annotated[
    Path | None, typer.Option(metavar="DIR", help="The run folder; else one named after DATA.", show_default=False)
]
Quick = Annotated[bool, typer.Option("--quick", help="Look at candidates shortly: the best one is missed more often.")]
Thorough = Annotated[
    bool, typer.Option("--thorough", help="Fit every candidate to its end, also those that cannot win.")
]


@guarded
@reads_a_table
def fit(
    data: options.ManyData,
    model: Annotated[
        str | None,
        typer.Option(
            metavar="NAME",
            help="One of `tacit models`; else by the columns; vae for images, topics for documents.",
            show_default=False,
        ),
    ] = None,
    target: options.Target = None,
    setting: options.Settings = None,
    holdout: Holdout = 0.1,
    seed: options.Seed = 0,
    out: RunDir = None,
    resume: Annotated[bool, typer.Option("--resume", help="Go on with a fit that was broken off.")] = False,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace the run that is in the folder.")] = False,
    criterion: Criterion = None,
    quick: Quick = False,
    thorough: Thorough = False,
    long: options.Long = None,
    kind: options.Kinds = None,
    id_column: options.IdColumn = None,
    error: options.Errors = None,
    sequence: options.Sequence = None,
    text: options.Text = None,
    vocabulary: options.VocabularyFile = None,
    stop_words: options.StopWords = None,
    min_documents: options.MinDocuments = None,
    max_share: options.MaxShare = None,
    engine: Engine = None,
    devices: Devices = None,
    reading: ReadingOptions = FOUND_OUT,
) -> None:
    """Find the groups in a table, topics in texts or codes for images; write a run folder with the model and a report.

    What you do not set is chosen: the model by the kinds of the columns, the number of groups and their shape by
    the criterion. Missing entries are integrated out, nothing is filled in. Ctrl-C keeps the best so far.
    With --target it predicts that column; with --sequence rows have hidden states. Images get a vae, texts topics.

    For example: tacit fit customers.csv --kind zip=categorical; tacit fit digits.npz:x_train --set latent=2
    """
    place, settings = _asked(data, model, setting, resume=resume)
    kinds, errors = tuple(kind or ()), tuple(error or ())
    texts = workflow.texts.TextOptions(text, vocabulary, stop_words, min_documents, max_share)
    request = workflow.requests.FitRequest(
        source=workflow.sources.DataSource(place, kinds, long, id_column, texts, target, reading, errors, sequence),
        model=model,
        settings=settings,
        criterion=criterion,
        effort=_effort(quick=quick, thorough=thorough),
        holdout=holdout,
        seed=seed,
        out=out,
        resume=resume,
        overwrite=overwrite,
        command=_command(),
    )
    _fit(request, engine, devices)


def _fit(request: "workflow.requests.FitRequest", engine: str | None, devices: int | None) -> None:
    with (
        nullcontext() if engine is None else distributed.engine(engine),
        nullcontext() if devices is None else distributed.devices(devices),
    ):
        cli.fitting.fit(request)


def _asked(
    data: list[str], model: str | None, setting: list[str] | None, *, resume: bool
) -> tuple[str, tuple[str, ...]]:
    """The place and the settings, which may be refused at once: what reads rows takes longer to load."""
    place = options.places(data)
    workflow.settings.check(model, setting or ())
    if not resume:
        places.check(place)
    return place, tuple(setting or ())


def _effort(*, quick: bool, thorough: bool) -> str:
    """How hard to look for the best candidate."""
    if quick and thorough:
        raise typer.BadParameter("--quick looks shortly and --thorough long; say one of them.")
    return "quick" if quick else "thorough" if thorough else "usual"


@guarded
@reads_a_table
def compare(
    data: options.ManyData,
    models: Annotated[
        str | None,
        typer.Option(
            metavar="A,B,…",
            help="Names from `tacit models`, each with settings of its own if need be: mixture:components=3. "
            "Else all that suit the table.",
            show_default=False,
        ),
    ] = None,
    folds: Annotated[int, typer.Option(min=2, metavar="N", help="How many parts the rows are cut into.")] = 5,
    setting: options.Settings = None,
    seed: options.Seed = 0,
    long: options.Long = None,
    kind: options.Kinds = None,
    id_column: options.IdColumn = None,
    sequence: options.Sequence = None,
    text: options.Text = None,
    vocabulary: options.VocabularyFile = None,
    stop_words: options.StopWords = None,
    min_documents: options.MinDocuments = None,
    max_share: options.MaxShare = None,
    out: options.Out = None,
    form: options.Format = None,
    reading: ReadingOptions = FOUND_OUT,
    guard: options.Guard = None,
) -> None:
    """Compare models on rows, images or documents they have not seen: nats per row, best first, paired differences.

    Each fold is scored by models fitted to the others; a number of groups that is not set is chosen anew inside
    each fold. With --sequence folds are of whole sequences, and a row is scored given those before it.
    """
    place = options.places(data)
    places.check(place)
    texts = workflow.texts.TextOptions(text, vocabulary, stop_words, min_documents, max_share)
    source = workflow.sources.DataSource(
        place, tuple(kind or ()), long, id_column, texts, reading=reading, sequence=sequence
    )
    request = workflow.comparing.CompareRequest(source, models, tuple(setting or ()), folds, seed)
    cli.comparing.compare(request, out, form)


@guarded
def demo(
    out: Annotated[Path, typer.Option(metavar="DIR", help="The run folder.")] = Path("tacit-demo"),
) -> None:
    """Fit 344 penguins from end to end: choose the model, find the groups, write a report."""
    cli.demo.demo(out)


def _command() -> tuple[str, ...]:
    """The words of the command line, as a person would type them again."""
    return ("tacit", *sys.argv[1:])
