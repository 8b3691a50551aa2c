"""The UAI format: numbers only. Nodes and levels have no names there, and are called by their numbers."""

import itertools
import re
from collections.abc import Iterator

import numpy as np

from tacit.data.errors import DataError, counted, shown
from tacit.data.network_files.tables import NetworkTables, check_size, normalised

_COMMENT = re.compile(r"#[^\n]*+")
_SAID_ONCE = "the UAI format has no names: nodes are called x0, x1, … and levels 0, 1, …"


class _Numbers:
    """The words of a file, handed out in turn."""

    def __init__(self, text: str) -> None:
        self._words, self._at = (_COMMENT.sub("", text) if "#" in text else text).split(), 0

    def __len__(self) -> int:
        return len(self._words) - self._at

    def word(self, what: str) -> str:
        if not len(self):
            raise DataError(f"expected {what}, found the end of the file.")
        self._at += 1
        return self._words[self._at - 1]

    def whole(self, what: str, most: int) -> int:
        """A whole number up to one that the file has room for."""
        word = self.word(what)
        if not word.isascii() or not word.isdecimal():
            raise DataError(f"word {self._at:,}: expected {what}, found {shown(word)}.")
        value = int(word) if len(word) < 20 else most + 1
        if value > most:
            raise DataError(f"word {self._at:,}: {what} is said to be {shown(word)}; the file has no room for that.")
        return value

    def floats(self, count: int, what: str) -> np.ndarray:
        words = self._words[self._at : self._at + count]
        if len(words) < count:
            raise DataError(f"expected {counted(count, 'probability')} in {what}, found {len(words)}.")
        self._at += count
        try:
            if any("_" in word for word in words):
                raise ValueError
            return np.fromiter(map(float, words), np.float64, count)
        except ValueError:
            raise DataError(f"there is no number among the words of {what} where one must be.") from None


def read_uai(text: str) -> NetworkTables:
    """The network that a UAI text holds; the last node of every table is the one that it belongs to.

    Raises:
        DataError: it is a Markov network, or not what its numbers announce.
    """
    words = _Numbers(text)
    kind = words.word("BAYES")
    if kind.upper() == "MARKOV":
        raise DataError("this is a Markov network: its tables are no conditional probabilities. Only BAYES is read.")
    if kind.upper() != "BAYES":
        raise DataError(f"expected 'BAYES' as the first word, found {shown(kind)}.")
    number = words.whole("the number of nodes", len(words))
    cards = [words.whole(f"the number of levels of node {node}", len(words)) for node in range(number)]
    tables = words.whole("the number of tables", len(words))
    if tables != number:
        raise DataError(f"there are {counted(number, 'node')} and {counted(tables, 'table')}; each node has one.")
    scopes = []
    for table in range(tables):
        size = words.whole(f"the number of nodes in table {table}", number)
        scope = [words.whole(f"a node of table {table}", number - 1) for _ in range(size)]
        if not scope:
            raise DataError(f"table {table} has no node.")
        scopes.append(scope)
    parents: list[list[int] | None] = [None] * number
    found: list[np.ndarray] = [np.empty(0)] * number
    for scope in scopes:
        *given, node = scope
        if parents[node] is not None:
            raise DataError(f"two tables end in node {node}; each node has one table, in which it is the last.")
        parents[node] = given
        found[node] = _table(words, node, [cards[each] for each in scope])
    if len(words):
        raise DataError(f"expected the end of the file after the last table, found {shown(words.word(''))}.")
    names = [f"x{node}" for node in range(number)]
    levels = [[str(level) for level in range(card)] for card in cards]
    return normalised(names, levels, [own for own in parents if own is not None], found, [_SAID_ONCE])


def _table(words: _Numbers, node: int, axes: list[int]) -> np.ndarray:
    size = check_size(f"x{node}", axes)
    said = words.whole(f"the size of the table of node {node}", len(words))
    if said != size:
        raise DataError(f"the table of node {node} announces {said:,} entries; its nodes have {size:,} configurations.")
    return words.floats(size, f"the table of node {node}").reshape(axes)


def write_uai(network: NetworkTables) -> Iterator[str]:
    """The text of a network, piece by piece; its names are lost."""
    yield f"BAYES\n{len(network.names)}\n{' '.join(map(str, network.cards))}\n{len(network.names)}\n"
    for node, given in enumerate(network.parents):
        yield " ".join(map(str, itertools.chain([len(given) + 1], given, [node]))) + "\n"
    for table in network.tables:
        rows = table.reshape(-1, table.shape[-1]).tolist()
        yield f"\n{table.size}\n" + "".join(f" {' '.join(map(repr, row))}\n" for row in rows)
