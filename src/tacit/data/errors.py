"""What is said when a table cannot be used, and how rows and columns are named to a person."""

import difflib
from collections.abc import Iterable, Sequence


class DataError(ValueError):
    """A table, or a part of it, cannot be used. The message says what, where and what to do.

    Rows are counted from 1 and the heading is not counted; columns go by their names.
    """


def listed(items: Iterable[object], most: int = 8) -> str:
    """A short enumeration: ``'a', 'b' and 3 more``."""
    words = [repr(item) for item in items]
    if len(words) > most:
        return ", ".join(words[:most]) + f" and {len(words) - most} more"
    return ", ".join(words)


def shown(value: object, most: int = 40) -> str:
    """A value as it is quoted in a message: text in quotes and cut, whole numbers without ``.0``."""
    if isinstance(value, float) and value.is_integer() and abs(value) < 1e15:
        return str(int(value))
    text = repr(value) if isinstance(value, str) else str(value)
    return text if len(text) <= most else text[:most] + "…"


def quoted(name: str) -> str:
    """A column as it is named in a message."""
    return f"column {name!r}"


def place(name: str, row: int) -> str:
    """A cell as it is named in a message; `row` counts from 0, the message from 1."""
    return f"{quoted(name)}, row {row + 1}"


def in_all(number: int, thing: str) -> str:
    """`` (3 such rows in all)``, or nothing when there is one."""
    return f" ({counted(number, f'such {thing}')} in all)" if number > 1 else ""


def nearest(name: str, known: Sequence[str]) -> str:
    """`` Did you mean 'x'?`` when something close is known, else nothing."""
    folded = {each.casefold(): each for each in known}
    close = difflib.get_close_matches(name.casefold(), list(folded), n=1, cutoff=0.6)
    return f" Did you mean {folded[close[0]]!r}?" if close else ""


def counted(number: int, thing: str) -> str:
    """``1 row``, ``3 rows``, with thousands set apart."""
    plural = thing[:-1] + "ies" if thing.endswith("y") else thing + "s"
    return f"{number:,} {thing if number == 1 else plural}"


def brief(error: BaseException) -> str:
    """What a library says, in one short line."""
    return " ".join(str(error).split())[:160] or type(error).__name__
