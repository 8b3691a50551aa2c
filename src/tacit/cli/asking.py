"""The commands that ask a run: what is checked before the model is loaded, and what of its answer is written where."""

from pathlib import Path

import numpy as np

from tacit import workflow
from tacit.cli import options, results
from tacit.cli.observing import TOLD
from tacit.data.errors import counted
from tacit.data.read import read
from tacit.data.reading import FOUND_OUT, ReadingOptions
from tacit.estimators.query.grammar import parse
from tacit.workflow.errors import RequestError
from tacit.workflow.opened import NewRows, Opened
from tacit.workflow.sources import Rows
from tacit.workflow.texts import NO_TEXT_OPTIONS, TextOptions

MANY_NUMBERS = 10_000_000
"""Numbers that are drawn together; of more rows some are drawn and written at a time."""


def opened(run: Path, out: str | None, form: str | None) -> Opened:
    """A run that is asked for a table."""
    results.check(out, form)
    return Opened.at(run)


def rows(
    run: Opened,
    data: str,
    long: str | None = None,
    id_column: str | None = None,
    unseen: bool = False,
    texts: TextOptions = NO_TEXT_OPTIONS,
    *,
    reading: ReadingOptions = FOUND_OUT,
    with_target: bool = False,
    absent: bool = False,
) -> Rows:
    """New rows for it; what is noted on the way is told."""
    return run.read(NewRows(data, long, id_column, unseen, texts, reading, absent), TOLD, with_target=with_target)


def stream(
    run: Opened,
    data: str,
    long: str | None = None,
    id_column: str | None = None,
    unseen: bool = False,
    *,
    reading: ReadingOptions = FOUND_OUT,
    with_target: bool = False,
    every: bool = False,
) -> "workflow.streams.Stream | None":
    """New rows for it that are read in parts; None where they are read whole."""
    asked = NewRows(data, long, id_column, unseen, reading=reading)
    return workflow.streams.in_files(run, asked, TOLD, with_target=with_target, every=every)


def impute(
    run: Path,
    data: str,
    draws: int | None,
    seed: int,
    unseen: bool,
    out: str | None,
    form: str | None,
    reading: ReadingOptions = FOUND_OUT,
    *,
    exact: bool = False,
) -> None:
    """Fill gaps of a table, or of images."""
    asked = Opened.at(run)
    if asked.schema is not None:
        results.check(out, form)
        parts = stream(asked, data, unseen=unseen, reading=reading, every=True)
        if parts is not None:
            results.give(workflow.answer_streams.impute(parts, draws, seed, unseen=unseen, exact=exact), out, form)
            return
        table = read(data, asked.reading(reading))
        for note in table.notes:
            TOLD.note(f"Note: {note}.")
        found = workflow.imputing.impute(asked, table, draws, seed, unseen=unseen, exact=exact, observer=TOLD)
        results.give(found, out, form)
        return
    workflow.imputing.check_imputes(asked)
    results.check_images(out, form, "filled")
    if draws is not None and str(out).lower().endswith(".npy"):
        raise RequestError("an .npy file holds one array, and every draw is one: end --out in .npz.")
    images = rows(asked, data, unseen=unseen)
    images = workflow.pictures.some(images, TOLD) if results.is_picture(out) else images
    results.give(workflow.imputing.impute_images(asked, images, draws, seed, TOLD), out, form)


def sample(
    run: Path,
    number: int,
    given: tuple[str, ...],
    total: int | None,
    mean: bool,
    temperature: float | None,
    seed: int,
    out: str | None,
    form: str | None,
    *,
    exact: bool = False,
) -> None:
    """Draw new rows, documents or images."""
    asked = Opened.at(run)
    wanted = workflow.answering.SampleRequest(number, given, total, mean, temperature, seed, exact)
    workflow.answering.check_samples(asked)
    results.check_either(asked, out, form, "new")
    if asked.images and results.is_picture(out):
        workflow.pictures.enlarged(asked.images, number)
    if asked.schema is not None and number * len(asked.schema) > MANY_NUMBERS:
        results.give(workflow.answer_streams.sample(asked, wanted), out, form)
        return
    results.give(workflow.answering.sample(asked, wanted), out, form)


def reconstruct(
    run: Path,
    data: str,
    number: int | None,
    unseen: bool,
    out: str | None,
    form: str | None,
    reading: ReadingOptions = FOUND_OUT,
) -> None:
    """Give rows back from their codes: the first of them, or of images as many as a picture shows."""
    asked = Opened.at(run)
    workflow.codes.check_able(asked, "reconstruct")
    results.check_either(asked, out, form, "again")
    found = rows(asked, data, unseen=unseen, reading=reading)
    if number is not None:
        found = found.pick(np.arange(min(number, len(found))))
    elif results.is_picture(out):
        found = workflow.pictures.some(found, TOLD)
    results.give(workflow.codes.reconstruct(asked, found), out, form)


def interpolate(
    run: Path,
    data: str,
    ends: tuple[int, int],
    steps: int,
    unseen: bool,
    out: str | None,
    form: str | None,
    reading: ReadingOptions = FOUND_OUT,
) -> None:
    """Go from one row to another."""
    workflow.codes.check_steps(steps)
    asked = Opened.at(run)
    workflow.codes.check_able(asked, "interpolate")
    results.check_either(asked, out, form, "way")
    found = rows(asked, data, unseen=unseen, reading=reading)
    for end in ends:
        if not 1 <= end <= len(found):
            raise RequestError(
                f"there is no {found.what} {end}: {data} has {counted(len(found), found.what)}, counted from 1."
            )
    results.give(workflow.codes.interpolate(asked, found, ends, steps), out, form)


def manifold(run: Path, grid: int, dims: str, out: str | None) -> None:
    """Draw a grid of codes."""
    workflow.codes.check_grid(grid)
    asked = Opened.at(run)
    workflow.codes.check_manifold(asked)
    results.check_images(out, None, "manifold")
    results.give(workflow.codes.manifold(asked, grid, dims, TOLD), out, None)


def query(
    run: Path,
    texts: list[str],
    given: list[str],
    draws: int | None,
    seed: int,
    id_column: str | None,
    unseen: bool,
    out: str | None,
    form: str | None,
    reading: ReadingOptions = FOUND_OUT,
) -> None:
    """Answer questions, show all columns before and after, or answer for a table of cases."""
    questions = [text for text in texts if "(" in text and not Path(text).exists()]
    if questions and len(questions) < len(texts):
        raise RequestError("ask questions, or name tables of cases, not both at once.")
    if texts and not questions and given:
        raise RequestError("--given goes with questions, or alone: the cases of a table say themselves what is known.")
    for text in questions:
        if text.count("(") == 1 and not set("\"'`") & set(text):  # no name with signs, which is not known yet
            parse(text)
    asked = opened(run, out, form)
    if questions:
        found = workflow.querying.ask(asked, questions, given, draws, seed)
    elif texts:
        cases = rows(asked, options.places(texts), None, id_column, unseen, reading=reading, absent=True)
        found = workflow.querying.cases(asked, cases, draws, seed, TOLD)
    else:
        found = workflow.querying.columns(asked, given, draws, seed)
    results.give(found, out, form)
