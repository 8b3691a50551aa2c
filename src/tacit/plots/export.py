"""A figure as SVG text for a page, or as PNG bytes."""

import io
import re
import warnings
import xml.etree.ElementTree as ElementTree
from collections.abc import Iterator
from contextlib import contextmanager

import matplotlib
from matplotlib.figure import Figure

from tacit.plots.style import shorten

_RASTER_DPI = 200.0
"""Dots per inch of the clouds of points inside an SVG."""

FONTS = "system-ui, -apple-system, 'Segoe UI', Roboto, 'Helvetica Neue', Arial, 'DejaVu Sans', sans-serif"
"""Text stays text in the reader's own font; figures are laid out with a wider one, so that it fits."""

_LINK = "{http://www.w3.org/1999/xlink}href"
_LONG_DECIMALS = re.compile(r"(?<=\.\d\d)\d+")
"""What is more than two decimals."""


@contextmanager
def _quiet_glyphs() -> Iterator[None]:
    # A name in a script that matplotlib's own font lacks is drawn by the reader's font: nothing to warn of.
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="Glyph .* missing from")
        yield


def to_png(figure: Figure, *, scale: float = 2.0) -> bytes:
    """A figure as PNG bytes, ``scale`` × 96 dots per inch."""
    stream = io.BytesIO()
    with _quiet_glyphs():
        figure.savefig(stream, format="png", dpi=96.0 * scale)
    return stream.getvalue()


def to_svg(figure: Figure, *, title: str = "", prefix: str = "figure") -> str:
    """A figure as one ``<svg>`` element that can stand in an HTML page beside others.

    Text stays text (searchable, sharp) in the reader's font. Identifiers that nothing refers to are dropped
    and the others begin with ``prefix``, so that several figures may share a page. Equal figures give equal
    text.

    Args:
        figure: The figure.
        title: What a screen reader says; none leaves the figure to its caption.
        prefix: Start of every identifier, different for each figure of a page.
    """
    stream = io.StringIO()
    with matplotlib.rc_context({"svg.fonttype": "none", "svg.hashsalt": prefix}), _quiet_glyphs():
        figure.savefig(stream, format="svg", dpi=_RASTER_DPI, metadata={"Date": None, "Creator": None})
    root = ElementTree.fromstring(stream.getvalue())
    return _inline(root, title, prefix)


def _inline(root: ElementTree.Element, title: str, prefix: str) -> str:
    for child in [child for child in root if child.tag.endswith("metadata")]:
        root.remove(child)
    used = _references(root)
    for parent in list(root.iter()):
        for style in [child for child in parent if child.tag.endswith("style")]:
            parent.remove(style)
        parent.tag = parent.tag.rpartition("}")[2]
        _lighten(parent, used, prefix)
    _, _, width, height = root.attrib["viewBox"].split()
    root.attrib.clear()
    root.attrib |= {
        "xmlns": "http://www.w3.org/2000/svg",
        "viewBox": f"0 0 {width} {height}",
        "width": f"{float(width) * 4 / 3:.0f}",
        "height": f"{float(height) * 4 / 3:.0f}",
        "style": f"stroke-linejoin:round;stroke-linecap:butt;font-family:{FONTS}",
    }
    root.attrib |= {"role": "img", "aria-label": shorten(title, 1000)} if title else {"aria-hidden": "true"}
    return ElementTree.tostring(root, encoding="unicode")


def _references(root: ElementTree.Element) -> set[str]:
    used: set[str] = set()
    for element in root.iter():
        for value in element.attrib.values():
            used |= set(re.findall(r"url\(#([^)]+)\)", value))
        used.add(element.attrib.get(_LINK, "").removeprefix("#"))
    return used


def _lighten(element: ElementTree.Element, used: set[str], prefix: str) -> None:
    """Short identifiers, links, numbers and fonts on one element."""
    attributes = element.attrib
    if attributes.get("id") not in used:
        attributes.pop("id", None)
    else:
        attributes["id"] = f"{prefix}-{attributes['id']}"
    if _LINK in attributes:
        target = attributes.pop(_LINK)
        attributes["href"] = f"#{prefix}-{target[1:]}" if target.startswith("#") else target
    for name, value in attributes.items():
        attributes[name] = re.sub(r"url\(#([^)]+)\)", rf"url(#{prefix}-\1)", value)
    if "style" in attributes:
        attributes["style"] = re.sub(r"font-family:[^;]*;?\s*", "", attributes["style"]).replace(": ", ":")
    if element.tag == "path" and "d" in attributes:
        attributes["d"] = " ".join(_LONG_DECIMALS.sub("", attributes["d"]).split())
    if element.tag == "use":
        for name in ("x", "y"):
            attributes[name] = _LONG_DECIMALS.sub("", attributes.get(name, "0"))
    if element.text and not element.text.strip():
        element.text = None
    element.tail = None
