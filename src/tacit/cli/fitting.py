"""``tacit fit`` on the terminal: what is read, how it gets on, and what came out."""

import time

import typer

from tacit import cli, workflow
from tacit.cli import console
from tacit.cli.failures import INTERRUPTED
from tacit.cli.observing import TOLD
from tacit.storage.run import REPORT
from tacit.workflow.errors import AlreadyFinished
from tacit.workflow.requests import FitRequest, read


def fit(request: FitRequest) -> "workflow.fitting.Outcome":
    """Fit, and tell.

    Raises:
        typer.Exit: after Ctrl-C, when the best so far has been written; or where there is nothing left to do.
    """
    began = time.monotonic()
    try:
        asked = read(request, TOLD)
        prepared = workflow.fitting.prepare(asked, TOLD, began)
    except AlreadyFinished as finished:
        console.say(finished)
        raise typer.Exit(0) from None
    try:
        with cli.progress.watched("Fitting") as observer:
            ended = workflow.fitting.run(prepared, observer)
        outcome = workflow.fitting.finish(prepared, ended)
    finally:
        asked.lock.release()
    cli.show_fit.show_choice(outcome.metrics)
    cli.show_fit.show_groups(outcome.metrics)
    _show_where(outcome)
    if outcome.stopped:
        raise typer.Exit(INTERRUPTED)
    return outcome


def _show_where(outcome: "workflow.fitting.Outcome") -> None:
    """Where everything lies, and what to do next."""
    folder = outcome.run.path
    if outcome.stopped:
        console.heading("Stopped by Ctrl-C: this is the best so far")
        console.say(f"Go on with it: the same command with --out {folder} --resume", indent=1)
    console.say("")
    console.fact("Run", folder)
    console.fact("Report", folder / REPORT)
    able = workflow.listing.next_commands(outcome.metrics["model"], outcome.estimator)
    first, *others = [each for each in able if not (each == "transform" and "encode" in able)]  # which gives the same
    also = f"   (also {', '.join(others)})" if others else ""
    new = "NEW.npz" if outcome.rows.what == "image" else "NEW.csv"
    console.fact("Next", f"tacit {first} {folder} {new}{also}")
