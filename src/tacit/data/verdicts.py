"""What a rule says about a column: a kind to model it with, or a reason to leave it out."""

import dataclasses
import re
from typing import Literal

from tacit.data.schema import Kind

Role = Literal["identifier", "date", "constant", "empty", "text", "nested", "asked"]
"""Why a column is left out; "asked" means that the user said so."""

MOST_LEVELS = 100
"""More levels than this are not made into a categorical column unless the user says so."""

_SURE = {"id", "ids", "uuid", "guid", "identifier", "pk", "rowid", "rownames", "ssn", "isbn"}
_LIKELY = {"index", "idx", "no", "nr", "num", "number", "key", "code", "row", "account", "ticket", "invoice"}


@dataclasses.dataclass(frozen=True)
class KindVerdict:
    """The kind of a column, or the role that keeps it out, and the reason in plain words."""

    kind: Kind | None
    reason: str
    role: Role | None = None


def out(role: Role, reason: str) -> KindVerdict:
    """A verdict that leaves a column out."""
    return KindVerdict(None, reason, role)


def constant(value: str, rows: int, present: int) -> KindVerdict:
    """The verdict on a column that always says the same."""
    rest = "" if present == rows else f" where it is not missing ({rows - present} of {rows} rows are)"
    return out("constant", f"always {value}{rest}")


def sounds_like_identifier(name: str) -> Literal["sure", "likely", "no"]:
    """How much a heading sounds like an identifier: ``CustomerID`` surely, ``hospital_number`` likely."""
    words = re.findall(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|\d+", name)
    found = {word.casefold() for word in words}
    if found & _SURE or name.casefold() in ("unnamed: 0", "__index_level_0__"):
        return "sure"
    return "likely" if found & _LIKELY else "no"
