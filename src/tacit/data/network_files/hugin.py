"""Hugin's NET language: discrete nodes and their potentials; everything else is refused by name."""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field

import numpy as np

from tacit.data.errors import DataError, counted, shown
from tacit.data.network_files.scanner import Scanner, quoted, unquoted, words_and_marks
from tacit.data.network_files.tables import NetworkTables, check_filled, check_size, normalised, place_of

_TOKEN = words_and_marks(r"{}()=;,|", r"%[^\n]*+", r'[^\s{}()=;,|"%]++')
_COMMENT = re.compile(r"%[^\n]*+")
_INNERMOST = re.compile(r"\(([^()]*+)\)")
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_OWN_NAME = "tacit_name"
"""An attribute of our own, as the language allows: the name of a node that is no identifier."""
_OTHERS = {"continuous", "utility", "decision", "function", "policy"}
_WORDS = _OTHERS | {"net", "class", "node", "discrete", "potential", "inputs", "outputs"}


@dataclass
class _Found:
    places: dict[str, int] = field(default_factory=dict)
    names: list[str] = field(default_factory=list)
    levels: list[list[str]] = field(default_factory=list)
    parents: list[list[int] | None] = field(default_factory=list)
    tables: list[np.ndarray] = field(default_factory=list)
    remarks: list[str] = field(default_factory=list)
    total: int = 0


def read_net(text: str) -> NetworkTables:
    """The network that a text in the NET language holds.

    Raises:
        DataError: naming the line, and what was expected there; a node that is not discrete is named.
    """
    scan, found = Scanner(text, _TOKEN), _Found()
    later: list[int] = []
    inside = False
    while scan.token:
        word, place = scan.token, scan.start
        scan.advance()
        if word == "net":
            _skip_block(scan, place)
        elif word == "class" and not inside:
            scan.advance()
            scan.expect("{", "after the name of the class")
            inside = True
        elif word == "}" and inside:
            inside = False
        elif word in _OTHERS:
            name = unquoted(scan.advance() if scan.token != "node" else (scan.advance(), scan.advance())[1])
            raise scan.fault(f"{shown(name)} is a {word} node; only discrete ones are read", place)
        elif word in ("node", "discrete"):
            if word == "discrete":
                scan.expect("node", "after 'discrete'")
            _node(scan, found)
        elif word == "potential":
            later.append(place)
            _skip_block(scan, place)
        elif scan.token == "=":  # an attribute of a class
            scan.past(";")
        else:
            scan.move(place)
            raise scan.unexpected("'net', 'node' or 'potential'")
    if inside:
        raise scan.unexpected("'}' at the end of the class")
    if not found.names:
        raise DataError("line 1: expected 'node' blocks, found none: this is no network in the NET language.")
    for place in later:  # a potential may stand before its nodes
        _potential(scan, found, place)
    missing = [name for name, own in zip(found.names, found.parents, strict=True) if own is None]
    if missing:
        more = f" (and {len(missing) - 1} more)" if len(missing) > 1 else ""
        raise DataError(f"node {missing[0]!r}{more} has no 'potential'.")
    arrows = [own for own in found.parents if own is not None]
    return normalised(found.names, found.levels, arrows, found.tables, found.remarks)


def _skip_block(scan: Scanner, place: int) -> None:
    while scan.token not in ("{", ""):
        scan.advance()
    if not scan.token:
        raise scan.fault("expected '{' after what begins here, found the end of the file", place)
    end = scan.text.find("}", scan.start)
    if end >= 0 and not any(mark in scan.text[scan.start : end] for mark in '"%'):
        scan.move(end)
    scan.past("}")


def _node(scan: Scanner, found: _Found) -> None:
    place, name = scan.start, unquoted(scan.advance())
    if name in found.places or not name:
        raise scan.fault(f"node {shown(name)} stands twice", place)
    scan.expect("{", f"after the name of node {shown(name)}")
    levels: list[str] = []
    shown_name = name
    while scan.token != "}":
        if not scan.token:
            raise scan.fault(f"'}}' is missing for node {shown(name)}, which begins here", place)
        key = scan.advance()
        scan.expect("=", f"after {shown(key)} in node {shown(name)}")
        if key == "states":
            levels = _levels(scan, name)
        elif key == _OWN_NAME:
            shown_name = unquoted(scan.token)
        scan.past(";")
    scan.advance()
    if not levels:
        raise scan.fault(f"expected 'states' in the block of node {shown(name)}, found none", place)
    found.places[name] = len(found.names)
    found.names.append(shown_name)
    found.levels.append(levels)
    found.parents.append(None)
    found.tables.append(np.empty(0))


def _levels(scan: Scanner, name: str) -> list[str]:
    scan.expect("(", f"before the states of node {shown(name)}")
    levels = []
    while scan.token != ")":
        if not scan.token or scan.token in "{}(=;|":
            raise scan.unexpected(f"a state of node {shown(name)} or ')'")
        if scan.token != ",":
            levels.append(unquoted(scan.token))
        scan.advance()
    scan.advance()
    return levels


def _potential(scan: Scanner, found: _Found, begin: int) -> None:
    scan.move(begin)
    scan.advance()
    scan.expect("(", "after 'potential'")
    before: list[int] = []
    after: list[int] = []
    side = before
    while scan.token != ")":
        if scan.token == "|" and side is before:
            side = after
        elif not scan.token or scan.token in "{}(=;|":
            raise scan.unexpected("a node or ')' in the head of a 'potential'")
        elif scan.token != ",":
            name = unquoted(scan.token)
            place = found.places.get(name)
            side.append(place_of(name, found.places, f"line {scan.line()}: node") if place is None else place)
        scan.advance()
    if len(before) != 1:
        raise scan.fault(f"expected one node before '|' in the head of a 'potential', found {len(before)}", begin)
    node = before[0]
    if found.parents[node] is not None:
        raise scan.fault(f"node {shown(found.names[node])} has a second 'potential'", begin)
    scan.advance()
    scan.expect("{", "after the head of a 'potential'")
    axes = [len(found.levels[each]) for each in (*after, node)]
    found.total += check_size(found.names[node], axes, found.total)
    found.parents[node] = after
    found.tables[node] = _data(scan, found, node, axes)


def _data(scan: Scanner, found: _Found, node: int, axes: list[int]) -> np.ndarray:
    """The table of a potential: written with the node itself the fastest; without any, all its levels are alike."""
    name = shown(found.names[node])
    table: np.ndarray | None = None
    while scan.token != "}":
        place, key = scan.start, scan.advance()
        scan.expect("=", f"after {shown(key)} in the potential of node {name}")
        if key in ("model_data", "model_nodes", "samples_per_interval"):
            raise scan.fault(f"the potential of node {name} is written as a formula; only tables are read", place)
        if key == "data":
            start = scan.start
            end = scan.text.find(";", start)
            if end < 0 or "%" in scan.text[start:end]:
                while scan.token not in (";", ""):
                    scan.advance()
                end = scan.start
            if end >= len(scan.text):
                raise scan.fault(f"';' is missing after the data of node {name}", place)
            table = _table(scan, place, _COMMENT.sub("", scan.text[start:end]), name, axes)
            scan.move(end)
        scan.past(";")
    if table is None:
        found.remarks.append(f"the potential of node {name} has no data: its levels were taken for equally probable.")
        size = check_size(found.names[node], axes)
        check_filled(found.names[node], size)
        return np.full(axes, 1.0 / axes[-1])
    return table


def _table(scan: Scanner, place: int, data: str, name: str, axes: list[int]) -> np.ndarray:
    if data.count("(") != data.count(")"):
        raise scan.fault(f"the brackets of the data of node {name} do not pair", place)
    words = data.replace("(", " ").replace(")", " ").replace(",", " ").split()
    size = 1
    for axis in axes:
        size *= axis
    if len(words) != size:
        raise scan.fault(
            f"expected {counted(size, 'probability')} in the data of node {name}, found {len(words)}", place
        )
    groups = _INNERMOST.findall(data)
    if len(groups) > 1:
        odd = next((group for group in groups if len(group.replace(",", " ").split()) != axes[-1]), None)
        if odd is not None:
            raise scan.fault(
                f"expected {counted(axes[-1], 'probability')} in each innermost bracket of the data of node {name}, "
                f"found ({shown(odd)[1:-1]})",
                place,
            )
    try:
        if "_" in data:
            raise ValueError
        return np.fromiter(map(float, words), np.float64, size).reshape(axes)
    except ValueError:
        odd = next(word for word in words if not _is_number(word))
        raise scan.fault(f"expected a probability in the data of node {name}, found {shown(odd)}", place) from None


def _is_number(word: str) -> bool:
    try:
        float(word)
    except ValueError:
        return False
    return "_" not in word


def write_net(network: NetworkTables) -> Iterator[str]:
    """The text of a network, piece by piece; a name that is no identifier is kept in an attribute."""
    names = _identifiers(network.names)
    yield "net\n{\n}\n"
    for name, identifier, levels in zip(network.names, names, network.levels, strict=True):
        own = f"  {_OWN_NAME} = {quoted(name)};\n" if name != identifier else ""
        states = " ".join(map(quoted, levels))
        yield f"node {identifier}\n{{\n  label = {quoted(name)};\n{own}  states = ({states});\n}}\n"
    for identifier, given, table in zip(names, network.parents, network.tables, strict=True):
        bar = f" | {' '.join(names[p] for p in given)}" if given else ""
        yield f"potential ({identifier}{bar})\n{{\n  data = "
        yield from _nested(table.shape, table.reshape(-1, table.shape[-1]).tolist())
        yield ";\n}\n"


def _nested(shape: tuple[int, ...], rows: list[list[float]]) -> Iterator[str]:
    """Rows in brackets, one pair more for every parent."""
    sizes = [1]
    for axis in shape[-2::-1] if len(shape) > 1 else ():
        sizes.append(sizes[-1] * axis)
    for place, row in enumerate(rows):
        opened = sum(place % size == 0 for size in sizes[1:])
        closed = sum((place + 1) % size == 0 for size in sizes[1:])
        yield (
            "(" * opened
            + "("
            + " ".join(map(repr, row))
            + ")"
            + ")" * closed
            + ("\n" if closed < len(shape) - 1 else "")
        )


def _identifiers(names: tuple[str, ...]) -> list[str]:
    """A name of the language for each node: its own where it is one, else with what is not allowed as ``_``."""
    taken = {name for name in names if _NAME.fullmatch(name) and name not in _WORDS}
    found: list[str] = []
    used: dict[str, int] = {}
    for name in names:
        if name in taken:
            found.append(name)
            continue
        base = re.sub(r"[^A-Za-z0-9_]", "_", name)
        base = base if _NAME.fullmatch(base) and base not in _WORDS else f"n_{base}"
        word = base
        while word in taken:
            used[base] = used.get(base, 1) + 1
            word = f"{base}_{used[base]}"
        taken.add(word)
        found.append(word)
    return found
