"""Names for groups: what a person calls them in sentences, lists and the report."""

import re
import unicodedata
from collections.abc import Sequence
from pathlib import Path

from tacit.data.errors import DataError, counted, shown
from tacit.storage.errors import ModelFileError
from tacit.workflow import folders, runs
from tacit.workflow.errors import RequestError
from tacit.workflow.events import SILENT, Observer

LONGEST = 60
"""Letters of a name."""


def names_of(path: Path) -> tuple[str | None, ...]:
    """The names of the groups of a run, in their order; None for those that have none.

    Raises:
        ModelFileError: the run has no groups.
    """
    told = folders.open_run(path).metrics()
    if not told.get("groups"):
        raise ModelFileError(f"the run {str(path)!r} has no groups that could be named.")
    return tuple(group.get("name") for group in told["groups"])


def rename(path: Path, pairs: Sequence[str], observer: Observer = SILENT) -> tuple[str | None, ...]:
    """Name groups of a run, and write its report again.

    Args:
        path: the run.
        pairs: texts such as ``1=Big spenders``; ``1=`` takes a name away.
        observer: is told where the report could not be written again.

    Raises:
        RequestError: a pair is not understood, names no group, or gives two groups one name.
    """
    names = list(names_of(path))
    said: set[int] = set()
    for pair in pairs:
        place, name = _understood(pair, len(names))
        if place in said:
            raise RequestError(f"group {place + 1} gets two names: say one of them.")
        said.add(place)
        names[place] = name
    known: dict[str, int] = {}
    for place, each in enumerate(names):
        if each is not None and known.setdefault(_alike(each), place) != place:
            first = names[known[_alike(each)]]
            alike = f"both be called {each!r}" if first == each else f"be called {first!r} and {each!r}, which are one"
            raise RequestError(
                f"groups {known[_alike(each)] + 1} and {place + 1} cannot {alike}: give one another name."
            )
    run = folders.open_run(path)
    told = run.metrics()
    for group, called in zip(told["groups"], names, strict=True):
        group["name"] = called
    run.write_metrics(told)
    if pairs:
        try:
            runs.rewrite_report(path)
        except (DataError, ModelFileError, OSError):
            observer.note(f"The report keeps the old names: write it again with its table, tacit report {path} DATA.")
    return tuple(names)


def _understood(pair: str, groups: int) -> tuple[int, str | None]:
    """Which group, from 0, is to be called what; None takes its name away."""
    number, sign, name = pair.partition("=")
    if not sign or not number.strip().isdecimal():
        raise RequestError(f"{shown(pair)} is not understood; write it as NUMBER=NAME, such as 1='Big spenders'.")
    place = _number(number) - 1
    if not 0 <= place < groups:
        raise RequestError(
            f"there is no group {shown(number.strip())}: the run has {counted(groups, 'group')}, from 1."
        )
    if not name:
        return place, None
    whose = f"the name of group {place + 1}"
    if any(unicodedata.category(sign) == "Cc" and not sign.isspace() for sign in name):
        raise RequestError(f"{whose} has signs in it that cannot be printed: {name!r}.")
    name = " ".join(name.split())
    if not any(unicodedata.category(sign)[0] in "LNPS" for sign in name):
        raise RequestError(f"{whose} is empty. {place + 1}= takes its name away.")
    if len(name) > LONGEST:
        raise RequestError(f"{whose} has {len(name)} letters, and {LONGEST} is the most: {shown(name)}.")
    if name.isdecimal() or re.fullmatch(r"group\s*\d+", name, re.IGNORECASE):
        raise RequestError(f"{whose} cannot be {name!r}: groups have numbers already. Give it a word.")
    return place, name


def _number(text: str) -> int:
    digits = text.strip().lstrip("0")
    return int(digits) if 0 < len(digits) < 10 else 0


def _alike(name: str) -> str:
    """A name without what people do not tell apart: capitals, and how accents are composed."""
    return unicodedata.normalize("NFKC", name).casefold()


def group_number(names: Sequence[str | None], asked: str, groups: int) -> int:
    """Which group is meant, from 0: by its name or its number.

    Raises:
        RequestError: there is none.
    """
    if asked in names:
        return list(names).index(asked)
    if asked.isdecimal() and 1 <= _number(asked) <= groups:
        return _number(asked) - 1
    called = [name for name in names if name]
    known = f", called {', '.join(called)}" if called else ""
    raise RequestError(f"--group {asked}: there is no such group; there are {groups}, from 1{known}.")
