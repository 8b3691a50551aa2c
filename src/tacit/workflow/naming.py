"""Names for groups: what a person calls them in sentences, lists and the report."""

from collections.abc import Sequence
from pathlib import Path

from tacit.data.errors import DataError, counted
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
    for pair in pairs:
        number, sign, name = pair.partition("=")
        if not sign or not number.strip().isdecimal():
            raise RequestError(f"{pair!r} is not understood; write it as NUMBER=NAME, such as 1='Big spenders'.")
        place = int(number) - 1
        if not 0 <= place < len(names):
            raise RequestError(f"there is no group {int(number)}: the run has {counted(len(names), 'group')}, from 1.")
        name = " ".join(name.split())
        if len(name) > LONGEST:
            raise RequestError(f"the name of group {int(number)} is longer than {LONGEST} letters.")
        names[place] = name or None
    twice = [each for each in names if each is not None and names.count(each) > 1]
    if twice:
        raise RequestError(f"two groups cannot both be called {twice[0]!r}.")
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


def group_number(names: Sequence[str | None], asked: str, groups: int) -> int:
    """Which group is meant, from 0: by its name or its number.

    Raises:
        RequestError: there is none.
    """
    if asked in names:
        return list(names).index(asked)
    if asked.isdecimal() and 1 <= int(asked) <= groups:
        return int(asked) - 1
    called = [name for name in names if name]
    known = f", called {', '.join(called)}" if called else ""
    raise RequestError(f"--group {asked}: there is no such group; there are {groups}, from 1{known}.")
