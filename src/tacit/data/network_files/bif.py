"""The Bayesian network interchange format (BIF, Cozman 1998), version 0.15, as text."""

import functools
import itertools
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

import numpy as np

from tacit.data.errors import DataError, counted, shown
from tacit.data.network_files.scanner import Scanner, number, quoted, unquoted, words_and_marks
from tacit.data.network_files.tables import NetworkTables, check_filled, check_size, configuration, normalised, place_of

_WORD = r'(?:[^\s{}()\[\],;|"/]++|/(?![/*]))++'
_TOKEN = words_and_marks(r"{}()\[\],;|", r"//[^\n]*+|/\*.*?\*/", _WORD)
_PLAIN = re.compile(_WORD)
_KEYWORDS = {"network", "variable", "probability", "property", "type", "discrete", "default", "table"}


@dataclass
class _Block:
    """A ``probability`` block: who, given whom, and where its body stands in the text."""

    head: list[list[str]]
    bar: bool
    place: int
    body: tuple[int, int]


@dataclass
class _Found:
    places: dict[str, int] = field(default_factory=dict)
    levels: list[list[str]] = field(default_factory=list)
    codes: list[dict[str, int]] = field(default_factory=list)
    blocks: list[_Block] = field(default_factory=list)
    remarks: list[str] = field(default_factory=list)

    @functools.cached_property
    def names(self) -> list[str]:
        """The nodes in order, once all are known."""
        return list(self.places)


def read_bif(text: str) -> NetworkTables:
    """The network that a BIF text holds.

    Raises:
        DataError: naming the line, and what was expected there.
    """
    scan, found = Scanner(text, _TOKEN), _Found()
    while scan.token:
        word = scan.token.lower()
        if word == "variable":
            _variable(scan, found)
        elif word == "probability":
            found.blocks.append(_block(scan))
        elif word == "network":
            while scan.token not in ("{", ""):
                scan.advance()
            scan.expect("{", "after the name of the network")
            scan.past("}")
        elif word == "property":
            scan.past(";")
        else:
            raise scan.unexpected("'network', 'variable' or 'probability'")
    if not found.places:
        raise DataError("line 1: expected 'variable' blocks, found none: this is no network in BIF.")
    return _assembled(scan, found)


def _pieces(scan: Scanner, end: str, what: str) -> list[list[str]]:
    """Words up to a mark, in the groups that commas make."""
    groups: list[list[str]] = [[]]
    while scan.token != end:
        if scan.token == ",":
            groups.append([])
        elif not scan.token or scan.token in "{}()[];|":
            raise scan.unexpected(f"{what} or '{end}'")
        else:
            groups[-1].append(unquoted(scan.token))
        scan.advance()
    scan.advance()
    return groups if groups != [[]] else []


def _variable(scan: Scanner, found: _Found) -> None:
    scan.advance()
    words: list[str] = []
    place = scan.start
    while scan.token != "{":
        if not scan.token or scan.token in "}()[],;|":
            raise scan.unexpected("the name of a node and '{' after 'variable'")
        words.append(unquoted(scan.advance()))
    name = " ".join(words)
    scan.advance()
    if not words:
        raise scan.fault("expected the name of a node after 'variable'", place)
    levels: list[str] | None = None
    while scan.token != "}":
        if scan.token.lower() == "property":
            scan.past(";")
        elif scan.token.lower() == "type":
            levels = _levels(scan, name)
        else:
            raise scan.unexpected(f"'type', 'property' or '}}' in the block of node {shown(name)}")
    if levels is None:
        raise scan.unexpected(f"'type discrete' in the block of node {shown(name)}")
    scan.advance()
    if name in found.places:
        raise scan.fault(f"node {shown(name)} stands twice", place)
    known = {level: code for code, level in enumerate(levels)}
    if len(known) < len(levels):
        twice = next(level for code, level in enumerate(levels) if known[level] != code)
        raise scan.fault(f"node {shown(name)} has the level {shown(twice)} twice", place)
    found.places[name] = len(found.levels)
    found.levels.append(levels)
    found.codes.append(known)


def _levels(scan: Scanner, name: str) -> list[str]:
    scan.advance()
    kind = scan.token.lower()
    if kind == "continuous":
        raise scan.fault(f"node {shown(name)} is continuous; nodes of a table are discrete. Cut it into levels")
    if kind != "discrete":
        raise scan.unexpected(f"'discrete' after 'type' in the block of node {shown(name)}")
    scan.advance()
    scan.expect("[", "and the number of levels after 'discrete'")
    place, said = scan.start, scan.advance()
    scan.expect("]", "after the number of levels")
    scan.expect("{", "before the levels")
    groups = _pieces(scan, "}", f"a level of node {shown(name)}")
    words = list(itertools.chain.from_iterable(groups))
    if not re.fullmatch(r"[0-9]{1,18}", said):
        raise scan.fault(f"expected the number of levels of node {shown(name)}, found {shown(said)}", place)
    if len(words) != int(said) and len(groups) == int(said) and all(groups):
        words = [" ".join(group) for group in groups]
    if len(words) != int(said):
        raise scan.fault(f"node {shown(name)} declares {counted(int(said), 'level')} and lists {len(words)}", place)
    scan.expect(";", "after the levels")
    return words


def _block(scan: Scanner) -> _Block:
    place = scan.start
    scan.advance()
    scan.expect("(", "after 'probability'")
    head = _head(scan)
    if scan.token != "{":
        raise scan.unexpected("'{' after the nodes of a 'probability'")
    start = scan.end
    end = scan.text.find("}", start)
    if end < 0:
        raise scan.fault("'}' is missing for the block that begins here", place)
    body = scan.text[start:end]
    if '"' in body or "//" in body or "/*" in body:
        scan.past("}")
        return _Block(*head, place, (start, scan.start))
    scan.move(end + 1)
    return _Block(*head, place, (start, end))


def _head(scan: Scanner) -> tuple[list[list[str]], bool]:
    groups: list[list[str]] = [[]]
    bar = False
    while scan.token != ")":
        if (scan.token == "|" and not bar) or scan.token == ",":
            bar = bar or scan.token == "|"
            groups.append([])
        elif not scan.token or scan.token in "{}([];|":
            raise scan.unexpected("the name of a node or ')' in the head of a 'probability'")
        else:
            groups[-1].append(unquoted(scan.token))
        scan.advance()
    if not groups[0]:
        raise scan.unexpected("the name of a node in the head of a 'probability'")
    scan.advance()
    return [group for group in groups if group], bar


def _assembled(scan: Scanner, found: _Found) -> NetworkTables:
    names, places, cards = found.names, found.places, [len(levels) for levels in found.levels]
    parents: list[list[int] | None] = [None] * len(cards)
    tables: list[np.ndarray | None] = [None] * len(cards)
    total = 0
    for block in found.blocks:
        child, *given = (_node(scan, block, name, places) for name in _named(block, places))
        if parents[child] is not None:
            raise scan.fault(f"node {shown(names[child])} has a second 'probability' block", block.place)
        axes = [*(cards[p] for p in given), cards[child]]
        total += check_size(names[child], axes, total)
        table = _plain_table(scan.text[slice(*block.body)], axes, [found.codes[p] for p in given])
        parents[child] = given
        tables[child] = _careful_table(scan, found, block, child, given) if table is None else table
    missing = [name for name, own in zip(names, parents, strict=True) if own is None]
    if missing:
        more = f" (and {len(missing) - 1} more)" if len(missing) > 1 else ""
        raise DataError(f"node {missing[0]!r}{more} has no 'probability' block.")
    arrows = [own for own in parents if own is not None]
    return normalised(names, found.levels, arrows, [table for table in tables if table is not None], found.remarks)


def _named(block: _Block, places: dict[str, int]) -> Iterator[str]:
    """The names in the head of a block: of several words, where they are known as one."""
    for group in block.head:
        whole = " ".join(group)
        if whole in places or (len(group) > 1 and not any(word in places for word in group)):
            yield whole
        else:
            yield from group


def _node(scan: Scanner, block: _Block, name: str, places: dict[str, int]) -> int:
    found = places.get(name)
    return found if found is not None else place_of(name, places, f"line {scan.line(block.place)}: node")


def _plain_table(body: str, axes: Sequence[int], known: Sequence[dict[str, int]]) -> np.ndarray | None:
    """The table of a body of rows in the usual form, each configuration once; None where anything is otherwise."""
    entries = body.split(";")
    if entries.pop().strip():
        return None
    card, count = axes[-1], 1
    for axis in axes[:-1]:
        count *= axis
    if len(entries) != count:
        return None
    if not known:
        word, _, rest = entries[0].lstrip().partition(" ")
        tails = [rest if word == "table" else "?"]
    else:
        parts = [entry.partition(")") for entry in entries]
        heads = [part[0].lstrip() for part in parts]
        tails = [part[2] for part in parts]
        if not all(head.startswith("(") and head.count(",") == len(known) - 1 for head in heads):
            return None
    joined = ",".join(tails)
    if "_" in joined or not all(tail.count(",") == card - 1 for tail in tails):
        return None
    try:
        values = np.fromiter(map(float, joined.split(",")), np.float64, count * card).reshape(count, card)
        if not known:
            return values[0]
        words = ",".join([head[1:] for head in heads]).split(",")
        rows = np.zeros(count, np.int64)
        for place, own in enumerate(known):
            rows = rows * axes[place] + np.array([own[word.strip()] for word in words[place :: len(known)]])
    except (ValueError, KeyError):
        return None
    table = np.empty((count, card))
    table[rows] = values
    return table.reshape(tuple(axes)) if np.bincount(rows, minlength=count).max() == 1 else None


def _careful_table(scan: Scanner, found: _Found, block: _Block, child: int, given: list[int]) -> np.ndarray:
    """The table of a body token by token: defaults, tables as a whole, commas or none, comments."""
    names = found.names
    name = names[child]
    axes = [*(len(found.levels[p]) for p in given), len(found.levels[child])]
    size = check_size(name, axes)
    rows: dict[int, list[float]] = {}
    default: list[float] | None = None
    scan.move(block.body[0])
    while scan.token != "}":
        place, word = scan.start, scan.token.lower()
        scan.advance()
        if word == "property":
            scan.past(";")
        elif word == "table":
            values = np.array(_numbers(scan, size, f"the table of node {shown(name)}"))
            table = _whole_table(values, axes, found, name)
            rows |= {row: each for row, each in enumerate(table.reshape(-1, axes[-1]).tolist()) if row not in rows}
        elif word == "default":
            default = _numbers(scan, axes[-1], f"the default of node {shown(name)}")
        elif word == "(":
            row = _row(scan, found, names, child, given)
            if row in rows:
                where = configuration(names, found.levels, given, row)
                raise scan.fault(f"node {shown(name)} has a second row{where}", place)
            rows[row] = _numbers(scan, axes[-1], f"a row of node {shown(name)}")
        else:
            scan.move(place)
            raise scan.unexpected(f"'(', 'table', 'default', 'property' or '}}' in the block of node {shown(name)}")
    count = size // axes[-1]
    if len(rows) < count and default is None:
        missing = next(row for row in range(count) if row not in rows)
        where = configuration(names, found.levels, given, missing)
        raise scan.fault(f"node {shown(name)} has no row{where}, and no 'default'", block.place)
    if default is not None:
        check_filled(name, size)
    table = np.empty((count, axes[-1]))
    if default is not None:
        table[:] = default
    for row, own in rows.items():
        table[row] = own
    return table.reshape(axes)


def _whole_table(values: np.ndarray, axes: Sequence[int], found: _Found, name: str) -> np.ndarray:
    """A ``table``: its first node, the child, varies slowest.

    Some programs write the child the fastest; that is read so where only so the probabilities sum to one.
    """
    table = np.moveaxis(values.reshape(axes[-1], *axes[:-1]), 0, -1)
    other = values.reshape(axes)
    if len(axes) > 1 and not _sums_to_one(table) and _sums_to_one(other):
        found.remarks.append(f"the table of node {name!r} was read with the node itself varying fastest.")
        return other
    return table


def _sums_to_one(table: np.ndarray) -> bool:
    return bool(np.all(np.abs(table.sum(axis=-1) - 1) < 1e-5))


def _row(scan: Scanner, found: _Found, names: list[str], child: int, given: list[int]) -> int:
    """The row of a table that a configuration names."""
    place = scan.start
    groups = _pieces(scan, ")", "a level")
    words = [word for group in groups for word in group]
    if len(words) != len(given) and len(groups) == len(given):
        words = [" ".join(group) for group in groups]
    node = shown(names[child])
    if len(words) != len(given):
        raise scan.fault(
            f"expected a level for each of the {counted(len(given), 'parent')} of node {node}, found {len(words)}",
            place,
        )
    row = 0
    for word, parent in zip(words, given, strict=True):
        code = found.codes[parent].get(word)
        if code is None:
            what = f"line {scan.line(place)}: in the table of node {node}, of its parent {shown(names[parent])} level"
            code = place_of(word, found.codes[parent], what)
        row = row * len(found.codes[parent]) + code
    return row


def _numbers(scan: Scanner, expected: int, what: str) -> list[float]:
    values: list[float] = []
    place = scan.start
    while scan.token != ";":
        if scan.token != ",":
            value = number(scan.token)
            if value is None:
                raise scan.unexpected(f"a probability or ';' in {what}")
            values.append(value)
        scan.advance()
    if len(values) != expected:
        raise scan.fault(f"expected {counted(expected, 'probability')} in {what}, found {len(values)}", place)
    scan.advance()
    return values


def _word(word: str) -> str:
    return word if _PLAIN.fullmatch(word) and word.lower() not in _KEYWORDS else quoted(word)


def write_bif(network: NetworkTables) -> Iterator[str]:
    """The text of a network, piece by piece; numbers with all their digits."""
    yield "network unknown {\n}\n"
    names = [_word(name) for name in network.names]
    levels = [[_word(level) for level in own] for own in network.levels]
    for name, own in zip(names, levels, strict=True):
        yield f"variable {name} {{\n  type discrete [ {len(own)} ] {{ {', '.join(own)} }};\n}}\n"
    for name, given, table in zip(names, network.parents, network.tables, strict=True):
        rows = table.reshape(-1, table.shape[-1]).tolist()
        if not given:
            yield f"probability ( {name} ) {{\n  table {', '.join(map(repr, rows[0]))};\n}}\n"
            continue
        yield f"probability ( {name} | {', '.join(names[p] for p in given)} ) {{\n"
        for words, row in zip(itertools.product(*(levels[p] for p in given)), rows, strict=True):
            yield f"  ({', '.join(words)}) {', '.join(map(repr, row))};\n"
        yield "}\n"
