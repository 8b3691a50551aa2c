"""XMLBIF (version 0.3) and the discrete nodes of XDSL (GeNIe, SMILE)."""

import re
from collections.abc import Iterator
from xml.sax.saxutils import escape

import numpy as np

from tacit.data.errors import DataError, counted, shown
from tacit.data.network_files.scanner import number
from tacit.data.network_files.tables import NetworkTables, check_size, normalised, place_of
from tacit.data.network_files.xml_nodes import Element, parsed

_NOT_IN_XML = re.compile("[^\t\n\r -\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


class _Network:
    """Nodes and tables as they are found."""

    def __init__(self) -> None:
        self.places: dict[str, int] = {}
        self.levels: list[list[str]] = []
        self.parents: list[list[int] | None] = []
        self.tables: list[np.ndarray] = []
        self.total = 0

    def add(self, element: Element, name: str, levels: list[str]) -> None:
        if name in self.places:
            raise element.fault(f"node {shown(name)} stands twice")
        if not levels:
            raise element.fault(f"node {shown(name)} has no levels")
        self.places[name] = len(self.levels)
        self.levels.append(levels)
        self.parents.append(None)
        self.tables.append(np.empty(0))

    def place(self, element: Element, name: str) -> int:
        found = self.places.get(name)
        return place_of(name, self.places, f"line {element.line}: node") if found is None else found

    def open(self, element: Element, name: str, given: list[int]) -> tuple[int, list[int]]:
        """A node whose table comes next, and the axes that it has."""
        node = self.place(element, name)
        if self.parents[node] is not None:
            raise element.fault(f"node {shown(name)} has a second table")
        axes = [len(self.levels[each]) for each in (*given, node)]
        self.total += check_size(name, axes, self.total)
        self.parents[node] = given
        return node, axes

    def whole(self) -> NetworkTables:
        names = list(self.places)
        missing = [name for name, own in zip(names, self.parents, strict=True) if own is None]
        if missing:
            more = f" (and {len(missing) - 1} more)" if len(missing) > 1 else ""
            raise DataError(f"node {missing[0]!r}{more} has no table.")
        return normalised(names, self.levels, [own for own in self.parents if own is not None], self.tables)


def read_xml(data: bytes) -> NetworkTables:
    """The network that an XML file holds.

    Raises:
        DataError: naming the line, and what was expected there.
    """
    root = parsed(data)
    match root.tag.upper():
        case "BIF":
            return _xmlbif(root.one("NETWORK"))
        case "SMILE":
            return _xdsl(root.one("NODES"))
    raise root.fault(f"expected <BIF> or <smile>, found <{shown(root.tag)[1:-1]}>")


def _xmlbif(root: Element) -> NetworkTables:
    network = _Network()
    for variable in root.all("VARIABLE"):
        name, kind = variable.one("NAME").text, variable.attributes.get("TYPE", "nature")
        if kind.lower() != "nature":
            raise variable.fault(f"{shown(name)} is a {kind} node; only those of nature are read")
        network.add(variable, name, [outcome.text for outcome in variable.all("OUTCOME") + variable.all("VALUE")])
    for definition in root.all("DEFINITION") + root.all("PROBABILITY"):
        given = [network.place(parent, parent.text) for parent in definition.all("GIVEN")]
        node, axes = network.open(definition, definition.one("FOR").text, given)
        network.tables[node] = _numbers(definition.one("TABLE"), definition.one("FOR").text, axes)
    if not network.levels:
        raise root.fault("expected <VARIABLE> elements, found none: there is no network")
    return network.whole()


def _xdsl(root: Element) -> NetworkTables:
    network = _Network()
    for node in root.children:
        name = node.attribute("id")
        if node.tag.lower() not in ("cpt", "deterministic"):
            raise node.fault(
                f"{shown(name)} is a node of the kind <{node.tag}>; only <cpt> and <deterministic> are read"
            )
        network.add(node, name, [state.attribute("id") for state in node.all("STATE")])
    for node in root.children:
        name = node.attribute("id")
        words = [word for parents in node.all("PARENTS") for word in parents.text.split()]
        place, axes = network.open(node, name, [network.place(node, word) for word in words])
        if node.tag.lower() == "cpt":
            network.tables[place] = _numbers(node.one("PROBABILITIES"), name, axes)
        else:
            network.tables[place] = _certain(node.one("RESULTINGSTATES"), name, axes, network.levels[place])
    return network.whole()


def _size(axes: list[int]) -> int:
    size = 1
    for axis in axes:
        size *= axis
    return size


def _numbers(element: Element, name: str, axes: list[int]) -> np.ndarray:
    """A table: the node itself varies fastest, its last parent next."""
    words, size = element.text.replace(",", " ").split(), _size(axes)
    if len(words) != size:
        raise element.fault(
            f"expected {counted(size, 'probability')} in the table of node {shown(name)}, found {len(words)}"
        )
    try:
        return np.fromiter(map(float, words), np.float64, size).reshape(axes)
    except ValueError:
        odd = next(word for word in words if number(word) is None)
        raise element.fault(f"expected a probability in the table of node {shown(name)}, found {shown(odd)}") from None


def _certain(element: Element, name: str, axes: list[int], levels: list[str]) -> np.ndarray:
    """The table of a node that its parents determine: the level for each of their configurations."""
    words, count = element.text.split(), _size(axes[:-1])
    if len(words) != count:
        raise element.fault(f"expected {counted(count, 'level')} for node {shown(name)}, found {len(words)}")
    codes = {level: code for code, level in enumerate(levels)}
    places = [place_of(word, codes, f"line {element.line}: of node {shown(name)} level") for word in words]
    return np.eye(axes[-1])[places].reshape(axes)


_XMLBIF = """<?xml version="1.0" encoding="UTF-8"?>
<BIF VERSION="0.3">
<NETWORK>
<NAME>unknown</NAME>
"""


def write_xmlbif(network: NetworkTables) -> Iterator[str]:
    """The text of a network in XMLBIF, piece by piece."""
    yield _XMLBIF
    for name, levels in zip(network.names, network.levels, strict=True):
        outcomes = "".join(f"  {_tag('OUTCOME', level)}\n" for level in levels)
        yield f'<VARIABLE TYPE="nature">\n  {_tag("NAME", name)}\n{outcomes}</VARIABLE>\n'
    for name, given, table in zip(network.names, network.parents, network.tables, strict=True):
        givens = "".join(f"  {_tag('GIVEN', network.names[parent])}\n" for parent in given)
        yield f"<DEFINITION>\n  {_tag('FOR', name)}\n{givens}  <TABLE>\n"
        yield from (f"    {' '.join(map(repr, row))}\n" for row in table.reshape(-1, table.shape[-1]).tolist())
        yield "  </TABLE>\n</DEFINITION>\n"
    yield "</NETWORK>\n</BIF>\n"


def _tag(tag: str, text: str) -> str:
    odd = _NOT_IN_XML.search(text)
    if odd is not None:
        raise DataError(
            f"XML has no way to write the character {odd[0]!r} of {shown(text)}; rename it, or write a .bif file."
        )
    space = ' xml:space="preserve"' if text != text.strip() else ""
    return f"<{tag}{space}>{escape(text, {chr(13): '&#13;'})}</{tag}>"
