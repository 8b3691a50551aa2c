"""The program ``tacit``: its commands in order, and what stands above and below them in the help."""

import contextlib
import gc
import os
import sys
from typing import Annotated

import typer

from tacit import __version__, late
from tacit.cli import code_commands, fit_commands, query_commands, row_commands, run_commands, serve_commands
from tacit.cli.failures import CODES, Debug
from tacit.waiting import left_running

ABOUT = """
Finds the structure in a table that nobody labelled, or in images.

Start with `tacit demo`, or with your own table: `tacit fit customers.csv`. The fit lands in a run folder with a
report; `tacit score`, `assign`, `sample` and `impute` answer questions from it. Images work the same way: `tacit fit
images.npz`, or a folder of PNG files.
"""

EPILOG = "Exit codes:\n\n" + "\n".join(f"- {code}: {meaning}" for code, meaning in CODES.items())

app = typer.Typer(
    name="tacit",
    help=ABOUT,
    epilog=EPILOG,
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode="markdown",
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


def _version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"tacit {__version__}")
        raise typer.Exit


@app.callback()
def _options(
    debug: Annotated[bool, typer.Option("--debug", help="Show the stack trace when something fails.")] = False,
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Show the version and leave.")
    ] = False,
) -> None:
    Debug.on = debug


FIT, ROWS, RUNS, PRODUCTION = "Fit a table or images", "Ask a run about rows", "Look around", "In production"
CODES_OF = "Ask a model with codes (vae)"
for name, function, panel in (
    ("fit", fit_commands.fit, FIT),
    ("compare", fit_commands.compare, FIT),
    ("demo", fit_commands.demo, FIT),
    ("score", row_commands.score, ROWS),
    ("explain", row_commands.explain, ROWS),
    ("predict", row_commands.predict, ROWS),
    ("assign", row_commands.assign, ROWS),
    ("transform", row_commands.transform, ROWS),
    ("impute", row_commands.impute, ROWS),
    ("forecast", row_commands.forecast, ROWS),
    ("sample", row_commands.sample, ROWS),
    ("query", query_commands.query, ROWS),
    ("encode", code_commands.encode, CODES_OF),
    ("reconstruct", code_commands.reconstruct, CODES_OF),
    ("interpolate", code_commands.interpolate, CODES_OF),
    ("manifold", code_commands.manifold, CODES_OF),
    ("show", run_commands.show, RUNS),
    ("rename", run_commands.rename, RUNS),
    ("report", run_commands.report, RUNS),
    ("models", run_commands.models, RUNS),
    ("sql", run_commands.sql, PRODUCTION),
    ("drift", row_commands.drift, PRODUCTION),
    ("serve", serve_commands.serve, PRODUCTION),
):
    app.command(name, rich_help_panel=panel, no_args_is_help=name not in ("demo", "models"))(function)


def main() -> None:
    """Run the program with the arguments of the command line."""
    # jaxlib 0.9 logs a line for every program that it finds on disk, which says nothing to anybody
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
    late.in_program()
    gc.set_threshold(50_000, 20, 20)  # looking for cycles would take a tenth of the time of loading the engine
    asked = next((word for word in sys.argv[1:] if not word.startswith("-")), None)
    # the options of one command are understood sooner than those of all
    its = [each for each in app.registered_commands if each.name == asked]
    app.registered_commands = its or app.registered_commands
    try:
        app()
    except SystemExit as ended:
        if not left_running():
            raise
        # Python would wait for the end of the program that Ctrl-C has left
        for stream in (sys.stdout, sys.stderr):
            with contextlib.suppress(OSError, ValueError):
                stream.flush()
        os._exit(ended.code if isinstance(ended.code, int) else 1)
