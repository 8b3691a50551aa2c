"""HTML by construction: what is not ``Html`` is text, and text is escaped.

There is no other way in, so a column called ``<script>`` stays a column called ``<script>``.
"""

import html
import re
import unicodedata

_VOID = {"meta", "br", "hr", "link", "col", "img", "input"}
NAMED = ("Row", "Topic", "Document")
"""Headings that a line's own name needs where the page is narrow."""
_TAGS = re.compile(r"<[^>]*>")
_NAME = re.compile(r"[a-zA-Z][a-zA-Z0-9-]*")


class Html(str):
    """Text that is HTML already; make one only from text of our own."""

    __slots__ = ()


Child = object
"""``Html``, a list or tuple of children, None (nothing), or anything else, which is shown as text."""


def clean(text: object) -> str:
    """Text without control characters, and without marks that turn the direction of what follows."""
    kept = (c if c == "\n" or unicodedata.category(c) not in ("Cc", "Cf", "Cs") else " " for c in str(text))
    return "".join(kept)


def escape(child: Child) -> Html:
    """A child as HTML."""
    if isinstance(child, Html):
        return child
    if child is None:
        return Html("")
    if isinstance(child, list | tuple):
        return Html("".join(escape(each) for each in child))
    return Html(html.escape(clean(child), quote=True))


def tag(element: str, /, *children: Child, **attributes: object) -> Html:
    """An element, such as ``tag("p", "a < b", class_="note")``.

    Attributes lose a trailing underscore and change the others to hyphens; False and None leave them out, True
    leaves out the value.
    """
    written = [element]
    for key, value in attributes.items():
        attribute = key.removesuffix("_").replace("_", "-")
        if not _NAME.fullmatch(attribute) or attribute.startswith("on"):
            raise ValueError(f"'{attribute}' is no attribute that a report may have")
        if value is True:
            written.append(attribute)
        elif value is not None and value is not False:
            written.append(f'{attribute}="{html.escape(clean(value), quote=True)}"')
    if not _NAME.fullmatch(element) or element == "script":
        raise ValueError(f"'{element}' is no element that a report may have")
    if element in _VOID:
        return Html(f"<{' '.join(written)}>")
    return Html(f"<{' '.join(written)}>{escape(children)}</{element}>")


def table(
    caption: Child,
    head: list[Child],
    body: list[list[Child]],
    *,
    numbers: tuple[int, ...] = (),
    marked: int | None = None,
    class_: str | None = None,
) -> Html:
    """A table with a caption that scrolls sideways where the page is narrow; the first column names the line.

    Args:
        caption: What the table shows.
        head: Headings.
        body: Lines of cells.
        numbers: Columns set to the right.
        marked: The line that is set off.
        class_: A class of the table.
    """
    right = {i: "number" for i in numbers}
    header = tag("tr", [tag("th", cell, scope="col", class_=right.get(i)) for i, cell in enumerate(head)])
    heads = [_TAGS.sub("", escape(cell)) for cell in head]
    lines = []
    for number, line in enumerate(body):
        first = tag("th", line[0], scope="row", class_=right.get(0), data_head=heads[0] if heads[0] in NAMED else None)
        rest = [_labelled(cell, heads[i], right.get(i)) for i, cell in enumerate(line[1:], start=1)]
        lines.append(tag("tr", first, rest, class_="chosen" if number == marked else None))
    inner = tag("table", tag("caption", tag("span", caption)), tag("thead", header), tag("tbody", lines), class_=class_)
    return tag("div", inner, class_="scroll", tabindex="0", role="region", aria_label="A wide table")


def _labelled(cell: Child, head: str, class_: str | None) -> Html:
    """A cell that carries its heading, which stands before it where the page is too narrow for columns."""
    made = cell if isinstance(cell, Html) and cell.startswith("<td") else tag("td", cell, class_=class_)
    return Html(f'<td data-head="{head}"{made[3:]}')
