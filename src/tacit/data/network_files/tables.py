"""A directed network of discrete nodes as plain values, and what makes such values wrong."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from tacit.data.errors import DataError, counted, nearest, shown

MOST_ENTRIES = 2**27
"""The largest number of probabilities in all tables together (1 GiB of them)."""
MOST_FILLED = 2**22
"""The largest number of probabilities of a table that a file leaves to a default: few words would else ask for much."""
_ALLOWED = 1e-5
"""By how much the probabilities of a node, given its parents, may miss one; below it they are divided by their sum."""
_EXACT = 1e-12
"""What double precision leaves of a sum; such rows stay as they are, so that files go round without a change."""
_AXES = 63


@dataclass(frozen=True, eq=False)
class NetworkTables:
    """``p(x) = ∏ p(x_i | parents of x_i)`` as tables.

    Attributes:
        names: of the nodes, in the order of the file.
        levels: of every node, in the order of the file.
        parents: of every node, as places in `names`; no arrows go round in a circle.
        tables: of every node, with an axis for each parent in order and the last for the node itself; what is summed
            over the last axis is one.
        remarks: what was put right while a file was read.

    Raises:
        DataError: the values contradict each other; the message names the node.
    """

    names: tuple[str, ...]
    levels: tuple[tuple[str, ...], ...]
    parents: tuple[tuple[int, ...], ...]
    tables: tuple[np.ndarray, ...]
    remarks: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if not len(self.names) == len(self.levels) == len(self.parents) == len(self.tables):
            raise DataError("names, levels, parents and tables differ in length: a network has one of each per node.")
        check_nodes(self.names, self.levels)
        check_arrows(self.names, self.parents)
        for node, table in enumerate(self.tables):
            _check_table(self, node, table)

    @property
    def cards(self) -> tuple[int, ...]:
        """The number of levels of every node."""
        return tuple(len(levels) for levels in self.levels)


def normalised(
    names: Sequence[str],
    levels: Sequence[Sequence[str]],
    parents: Sequence[Sequence[int]],
    tables: Sequence[np.ndarray],
    remarks: Sequence[str] = (),
) -> NetworkTables:
    """Tables as they stand in a file, with rows that miss one by a rounding divided by their sums, and that said once.

    Raises:
        DataError: a row misses one by more than 1e-5, or a probability is no number from 0 on.
    """
    kept: list[np.ndarray] = []
    worst, rows, nodes = 0.0, 0, 0
    for table in tables:
        if not np.all((table >= 0) & (table < np.inf)):  # False for NaN too
            break  # said, with its place, when the value is made
        sums = table.sum(axis=-1, keepdims=True)
        apart = np.abs(sums - 1)
        largest = float(apart.max(initial=0.0))
        if _EXACT < largest < _ALLOWED:
            off = apart > _EXACT
            worst, rows, nodes = max(worst, largest), rows + int(off.sum()), nodes + 1
            table = np.where(off, table / np.where(sums > 0, sums, 1.0), table)
        kept.append(table)
    said = list(remarks)
    if rows:
        said.append(
            f"{counted(rows, 'row')} of {counted(nodes, 'table')} missed the sum of one by up to {worst:.1g}; "
            "each such row was divided by its sum."
        )
    whole = (*kept, *tables[len(kept) :])
    return NetworkTables(tuple(names), tuple(map(tuple, levels)), tuple(map(tuple, parents)), tuple(whole), tuple(said))


def check_nodes(names: Sequence[str], levels: Sequence[Sequence[str]]) -> None:
    """Refuse a network without nodes, a node that stands twice, and levels that do."""
    if not names:
        raise DataError("a network has at least one node; there is none.")
    twice = _twice(names)
    if twice is not None:
        raise DataError(f"node {twice!r} stands twice.")
    for name, own in zip(names, levels, strict=True):
        if not own:
            raise DataError(f"node {name!r} has no levels.")
        twice = _twice(own)
        if twice is not None:
            raise DataError(f"node {name!r} has the level {twice!r} twice.")


def _twice(words: Sequence[str]) -> str | None:
    seen: set[str] = set()
    for word in words:
        if word in seen:
            return word
        seen.add(word)
    return None


def check_arrows(names: Sequence[str], parents: Sequence[Sequence[int]]) -> None:
    """Refuse a parent twice, and arrows that go round in a circle, which is printed."""
    for name, own in zip(names, parents, strict=True):
        if len(set(own)) < len(own):
            again = next(p for place, p in enumerate(own) if p in own[:place])
            raise DataError(f"node {name!r} has the parent {names[again]!r} twice.")
        if any(not 0 <= p < len(names) for p in own):
            raise DataError(f"node {name!r} has a parent outside 0…{len(names) - 1}.")
    circle = find_circle(parents)
    if circle:
        path = [names[node] for node in circle]
        words = [*path[:6], "…", *path[-2:]] if len(path) > 10 else path
        raise DataError(
            f"the arrows go round in a circle: {' → '.join([*words, path[0]])}. "
            "A directed network has none: take one of these arrows out."
        )


def find_circle(parents: Sequence[Sequence[int]]) -> list[int]:
    """The nodes of one directed circle, along the arrows; empty where there is none."""
    children: list[list[int]] = [[] for _ in parents]
    waiting = [len(own) for own in parents]
    for node, own in enumerate(parents):
        for parent in own:
            children[parent].append(node)
    ready = [node for node, number in enumerate(waiting) if not number]
    for node in ready:
        for child in children[node]:
            waiting[child] -= 1
            if not waiting[child]:
                ready.append(child)
    if len(ready) == len(parents):
        return []
    at = next(node for node, number in enumerate(waiting) if number)
    walk: dict[int, None] = {}
    while at not in walk:  # every node that waits has a parent that waits
        walk[at] = None
        at = next(parent for parent in parents[at] if waiting[parent])
    path = list(walk)
    return path[path.index(at) :][::-1]


def check_size(name: str, cards: Sequence[int], so_far: int = 0) -> int:
    """The number of probabilities of a node whose table has these axes, refused before anything so large is made.

    Args:
        name: of the node.
        cards: numbers of levels of its parents and of itself.
        so_far: probabilities of the nodes before.
    """
    if len(cards) > _AXES:
        raise DataError(f"node {name!r} has {len(cards) - 1} parents; a table holds at most {_AXES - 1}.")
    size = math.prod(cards)
    if so_far + size > MOST_ENTRIES:
        raise DataError(
            f"the table of node {name!r} would have {size:,} probabilities"
            f"{f', after {so_far:,} of other nodes' if so_far else ''}; at most {MOST_ENTRIES:,} are read. "
            "Give the node fewer parents, or its parents fewer levels."
        )
    return size


def check_filled(name: str, size: int) -> None:
    """Refuse a large table that a file does not spell out."""
    if size > MOST_FILLED:
        raise DataError(
            f"the table of node {name!r} has {size:,} probabilities that the file leaves to a default; at most "
            f"{MOST_FILLED:,} are filled in. Write them out, or give the node fewer parents."
        )


def configuration(names: Sequence[str], levels: Sequence[Sequence[str]], parents: Sequence[int], row: int) -> str:
    """`` given A = yes, B = no``, for a row of the table counted with the last parent the fastest."""
    if not parents:
        return ""
    places = np.unravel_index(row, [len(levels[p]) for p in parents])
    given = [f"{names[p]} = {shown_level(levels[p][int(place)])}" for p, place in zip(parents, places, strict=True)]
    return " given " + ", ".join(given)


def shown_level(level: str) -> str:
    """A level in a message, cut where it is long."""
    return shown(level)[1:-1] if len(level) <= 40 else shown(level)


def place_of(word: str, known: dict[str, int], what: str) -> int:
    """The place of a name, or of a level; of one that is not known, the nearest is offered.

    Args:
        word: as it stands in the file.
        known: the places.
        what: how the message begins, such as ``line 3: node``.
    """
    found = known.get(word)
    if found is not None:
        return found
    few = ", ".join(map(repr, known)) if len(known) <= 8 else ""
    near = nearest(word, list(known)[:10_000]) or (f" There are {few}." if few else "")
    raise DataError(f"{what} {shown(word)} is not known.{near}")


def _check_table(network: NetworkTables, node: int, table: np.ndarray) -> None:
    name, parents = network.names[node], network.parents[node]
    shape = (*(len(network.levels[p]) for p in parents), len(network.levels[node]))
    if table.shape != shape or table.dtype != np.float64:
        raise DataError(
            f"the table of node {name!r} has shape {table.shape} of {table.dtype}; "
            f"its parents and it have {shape} levels, and probabilities are float64."
        )
    rows = table.reshape(-1, shape[-1])
    bad = ~((rows >= 0) & (rows < np.inf))
    if bad.any():
        row, level = (int(each[0]) for each in np.nonzero(bad))
        raise DataError(
            f"node {name!r}{configuration(network.names, network.levels, parents, row)}: the probability of "
            f"{shown_level(network.levels[node][level])} is {rows[row, level]}; it must be a number from 0 to 1."
        )
    sums = rows.sum(axis=1)
    apart = np.abs(sums - 1)
    if float(apart.max(initial=0.0)) >= _ALLOWED:
        row = int((apart >= _ALLOWED).argmax())
        more = int((apart >= _ALLOWED).sum())
        also = f" ({counted(more, 'such row')} in this table)" if more > 1 else ""
        raise DataError(
            f"node {name!r}{configuration(network.names, network.levels, parents, row)}: the probabilities "
            f"{_listed(rows[row])} sum to {sums[row]:.6g}, not to 1{also}. Correct the table; only misses below "
            f"{_ALLOWED:g} are taken for roundings."
        )


def _listed(values: np.ndarray) -> str:
    words = [f"{value:g}" for value in values[:6]]
    return ", ".join(words) + (" …" if len(values) > 6 else "")
