"""What is wrong with a request over HTTP, and how that is told: a status and a sentence, never a trace."""

import logging
import re

import pyarrow as pa

from tacit import __version__
from tacit.data.errors import DataError
from tacit.estimators.query.grammar import QueryError
from tacit.storage.errors import ModelFileError
from tacit.workflow.errors import RequestError

_WORDS = (
    ("--unseen-as-missing", '"unseen": true'),
    (", leave the cell empty, or name it as a sign for missing (--missing)", " or send null"),
    (" or name it as a sign for missing (--missing)", " or send null"),
    (", or name it as a sign for missing (--missing)", ", or send null"),
    ("`tacit predict`", "/predict"),
    ("`tacit assign`", "/assign"),
    ("the table lacks", "the rows lack"),
    ("leave the cell empty", "send null"),
)
"""What the command line says, as it is here."""
LONGEST = 2000
"""Signs of a reason."""


class HttpFault(Exception):
    """A request that is refused.

    Attributes:
        status: of HTTP.
        reason: in a sentence.
    """

    def __init__(self, status: int, reason: str) -> None:
        super().__init__(reason)
        self.status, self.reason = status, reason


def fault_of(error: BaseException, place: str = "", name: str = "") -> HttpFault:
    """The status and the words for whatever went wrong.

    Args:
        error: it.
        place: the run's folder, which is nobody's business.
        name: what the run is called instead.
    """
    if isinstance(error, HttpFault):
        return error
    if isinstance(error, QueryError):
        return HttpFault(400, _told("\n".join([error.said, *error.shown]), place, name))
    if isinstance(error, DataError | RequestError | ModelFileError | UnicodeError | pa.ArrowException):
        return HttpFault(400, _told(str(error), place, name))
    if isinstance(error, ValueError):
        return HttpFault(400, _told(str(error), place, name))
    if isinstance(error, MemoryError) or "RESOURCE_EXHAUSTED" in str(error):
        return HttpFault(413, "there is not enough memory for this: send fewer rows at once.")
    logging.getLogger("tacit.serve").error("a request failed", exc_info=error)
    return HttpFault(
        500, f"something unexpected happened ({type(error).__name__}); the log of tacit {__version__} tells"
    )


def _told(text: str, place: str, name: str) -> str:
    if place:
        text = text.replace(repr(place), repr(name)).replace(place, name)
    for here, there in _WORDS:
        text = text.replace(here, there)
    text = re.sub(r"[^\S\n]+", " ", text).strip()
    return text if len(text) <= LONGEST else f"{text[:LONGEST]}…"
