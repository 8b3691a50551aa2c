"""Exit codes, and the wrapper of every command that turns whatever goes wrong into one clear message."""

import contextlib
import functools
import os
import sys
import traceback
import warnings
from collections.abc import Callable
from typing import ParamSpec

import typer

from tacit import cli

OK, UNEXPECTED, USAGE, DATA, MODEL, INTERRUPTED, PIPE = 0, 1, 2, 3, 4, 130, 141

CODES = {
    OK: "all went well",
    UNEXPECTED: "something unexpected, which is tacit's fault",
    USAGE: "the command was not understood",
    DATA: "the table, or what was asked of it, cannot be used",
    MODEL: "a run or one of its files cannot be used",
    INTERRUPTED: "stopped by Ctrl-C; fit still writes the best so far",
    PIPE: "whoever read the output went away",
}
"""What each exit code of the command means."""

_P = ParamSpec("_P")


class Debug:
    """Whether stack traces are shown; the option ``--debug`` sets it at every start of the program."""

    on = False


def guarded(function: Callable[_P, None]) -> Callable[_P, None]:
    """A command that ends with a message and an exit code, never with a stack trace (but with ``--debug``)."""

    @functools.wraps(function)
    def command(*args: _P.args, **kwargs: _P.kwargs) -> None:
        try:
            with warnings.catch_warnings():
                warnings.showwarning = _Remarks().show
                function(*args, **kwargs)
        except (typer.Exit, typer.Abort):
            raise
        except (Exception, KeyboardInterrupt) as error:
            if Debug.on:
                traceback.print_exc()
            raise typer.Exit(_tell(error)) from None

    return command


class _Remarks:
    """Warnings as remarks on standard error, without the place in the code."""

    def __init__(self) -> None:
        self._uncertain = False

    def show(self, message: Warning | str, *_: object, **__: object) -> None:
        """Print one; of weights that are not to be trusted the first, for a command asks for many."""
        if type(message).__name__ == "UncertainWeights":
            if self._uncertain:
                return
            self._uncertain = True
        cli.explain.warn(str(message))


def _tell(error: BaseException) -> int:
    """Say what went wrong on standard error; returns the exit code."""
    if isinstance(error, BrokenPipeError):
        _let_go_of_stdout()
        return PIPE
    told = cli.explain.explain(error)
    cli.explain.say(told)
    return int(told.code)


def _let_go_of_stdout() -> None:
    """Nothing more is written to a pipe that nobody reads, also not when Python ends."""
    with contextlib.suppress(OSError, ValueError):
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, sys.stdout.fileno())
        os.close(nowhere)
