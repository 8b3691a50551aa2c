"""What may be said in a request beside the rows: names, types, and what is refused."""

import dataclasses
from collections.abc import Mapping
from typing import Any

from tacit.data.errors import listed, nearest
from tacit.serve.errors import HttpFault

OPTIONS: Mapping[str, tuple[str, ...]] = {
    "score": ("alarm", "explain", "unseen"),
    "assign": ("unseen",),
    "predict": ("level", "unseen"),
    "impute": ("draws", "seed", "unseen", "exact"),
    "sample": ("number", "given", "total", "seed", "exact"),
    "query": ("questions", "given", "draws", "seed", "unseen"),
}
"""By what is asked of a run, what may be said beside the rows."""
ROWLESS = ("sample",)
"""What takes no rows."""
MOST_SEED = 2**31 - 1
MOST_TEXTS = 100
"""Questions, or conditions, of one request."""


@dataclasses.dataclass(frozen=True)
class RequestOptions:
    """What a request says beside its rows; `tacit serve` has the same meanings as the commands.

    Attributes:
        alarm, explain: of ``score``; the share of ordinary rows flagged at most, and how many rows get reasons.
        level: of ``predict``, of the intervals.
        draws: of ``impute`` and ``query``.
        number, total: of ``sample``.
        given: conditions, such as ``city=Paris``.
        questions: of ``query``.
        seed, unseen, exact: as of the commands.
    """

    alarm: float | None = None
    explain: int = 0
    level: float = 0.9
    draws: int | None = None
    number: int = 10
    total: int | None = None
    given: tuple[str, ...] = ()
    questions: tuple[str, ...] = ()
    seed: int = 0
    unseen: bool = False
    exact: bool = False


def asked(what: str, said: Mapping[str, Any], most: int) -> RequestOptions:
    """What is said, understood.

    Args:
        what: a key of `OPTIONS`.
        said: names and values: numbers, truth values and lists as JSON has them, or texts of a query string.
        most: rows that one request may ask for.

    Raises:
        HttpFault: a name that is none, or a value that cannot be.
    """
    known = OPTIONS[what]
    for name in said:
        if name not in known:
            hint = nearest(str(name), known)
            raise HttpFault(400, f"{what} takes no {str(name)[:60]!r}; there are {listed(('rows', *known), 20)}.{hint}")
    found = {name: _READ[name](name, value) for name, value in said.items() if value is not None}
    for name in ("number", "draws", "explain"):
        if (found.get(name) or 0) > most:
            raise HttpFault(413, f"{name} is {found[name]}, and one request may ask for {most} rows.")
    for name in ("questions", "given"):
        if len(found.get(name) or ()) > MOST_TEXTS:
            raise HttpFault(413, f"{name} are {len(found[name])}, and one request may hold {MOST_TEXTS}.")
    return RequestOptions(**found)


def _share(name: str, value: Any) -> float:
    number = _number(name, value)
    if not 0.0 < number < 1.0:
        raise HttpFault(400, f"{name} lies between 0 and 1, and is {value!r:.40}.")
    return number


def _number(name: str, value: Any) -> float:
    try:
        if isinstance(value, bool) or not isinstance(value, int | float | str):
            raise ValueError
        return float(value)
    except (ValueError, OverflowError):
        raise HttpFault(400, f"{name} is a number, not {value!r:.40}.") from None


def _whole(least: int) -> Any:
    def read(name: str, value: Any) -> int:
        number = _number(name, value)
        if not least <= number <= MOST_SEED or number != int(number):
            raise HttpFault(400, f"{name} is a whole number of at least {least}, not {value!r:.40}.")
        return int(number)

    return read


def _truth(name: str, value: Any) -> bool:
    if isinstance(value, bool):
        return value
    if isinstance(value, str) and value.lower() in ("true", "1", "yes", "false", "0", "no", ""):
        return value.lower() in ("true", "1", "yes", "")
    raise HttpFault(400, f"{name} is true or false, not {value!r:.40}.")


def _texts(name: str, value: Any) -> tuple[str, ...]:
    """A text, several, or an object of values by column."""
    if isinstance(value, str):
        return (value,)
    if isinstance(value, Mapping) and name == "given":
        if any(isinstance(each, Mapping | list) or each is None for each in value.values()):
            raise HttpFault(400, "given holds a value a column: a text, a number, true or false.")
        return tuple(f"{key}={each}" for key, each in value.items())
    if isinstance(value, list) and all(isinstance(each, str) for each in value):
        return tuple(value)
    raise HttpFault(400, f"{name} is a text or a list of texts, not {value!r:.40}.")


_READ: Mapping[str, Any] = {
    "alarm": _share,
    "explain": _whole(0),
    "level": _share,
    "draws": _whole(1),
    "number": _whole(1),
    "total": _whole(0),
    "given": _texts,
    "questions": _texts,
    "seed": _whole(0),
    "unseen": _truth,
    "exact": _truth,
}
