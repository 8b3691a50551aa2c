"""What is said when a command fails, and with which exit code it ends."""

import os
from typing import TYPE_CHECKING, NamedTuple

from tacit import __version__, late
from tacit.cli import console
from tacit.cli.failures import DATA, INTERRUPTED, MODEL, UNEXPECTED, USAGE
from tacit.data.errors import DataError
from tacit.storage.errors import ModelFileError
from tacit.workflow.errors import RequestError
from tacit.workflow.warned import HARMLESS, plain

if TYPE_CHECKING:
    from tacit.estimators.query.grammar import QueryError
else:
    QueryError = late.class_of("tacit.estimators.query.grammar", "QueryError")


class Told(NamedTuple):
    """An exit code, what went wrong, and what to do beside what the message says itself."""

    code: int
    message: str
    hint: str = ""
    shown: tuple[str, ...] = ()
    """Lines that are shown as they stand, below the message."""


def explain(error: BaseException) -> Told:
    """The words for an error and the exit code that goes with it."""
    if isinstance(error, KeyboardInterrupt):
        return Told(INTERRUPTED, str(error) or "stopped by Ctrl-C.")
    if isinstance(error, QueryError):
        return Told(USAGE, error.said, shown=error.shown)
    if isinstance(error, RequestError):
        return Told(USAGE, str(error), "`tacit --help` lists the commands, `tacit COMMAND --help` their options.")
    if isinstance(error, ModelFileError) or _is_unfitted(error):
        return Told(MODEL, str(error))
    if isinstance(error, DataError | ValueError):
        return Told(DATA, str(error))
    if isinstance(error, OSError):
        return Told(MODEL, _of_system(error))
    if isinstance(error, MemoryError) or "RESOURCE_EXHAUSTED" in str(error):
        return Told(
            UNEXPECTED,
            "there is not enough memory for this.",
            "Try fewer groups (--set components=3), or a sample of the rows.",
        )
    return Told(
        UNEXPECTED,
        f"something unexpected happened ({type(error).__name__}: {str(error)[:300] or 'no words'}).",
        f"This is a fault of tacit {__version__}, not yours. To report it, run the same again as "
        "`tacit --debug …` and send the whole output, with the first lines of the table if you may.",
    )


def _is_unfitted(error: BaseException) -> bool:
    """Whether it is scikit-learn's `NotFittedError`, which is not imported here: that takes longer than to say it."""
    return any(base.__name__ == "NotFittedError" for base in type(error).__mro__)


def say(told: Told) -> None:
    """Print it on standard error."""
    aside = console.aside()
    word = "Stopped" if told.code == INTERRUPTED else "Error"
    console.say(f"{word}: {_sentence(told.message)}", "bold red" if word == "Error" else "bold", console=aside)
    for line in told.shown:
        console.line(line, aside)
    if told.hint:
        console.say(told.hint, console=aside)


def warn(message: str) -> None:
    """Print a warning of a model or a library on standard error; what harms nobody is left out."""
    if not any(word in message for word in HARMLESS):
        console.say(f"Note: {_sentence(plain(message))}", console=console.aside())


def _of_system(error: OSError) -> str:
    """An error of the operating system with the file it is about; our own messages as they are."""
    if error.errno is None:
        return str(error)
    where = f" ({error.filename!r})" if error.filename is not None else ""
    return f"{os.strerror(error.errno)}{where}."


def _sentence(text: str) -> str:
    text = " ".join(line.strip() for line in text.splitlines() if line.strip())
    return text if text.endswith((".", "!", "?", ")")) else f"{text}."
