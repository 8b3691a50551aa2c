"""The pieces that every section is made of: sections, figures, badges, cell texts."""

from collections.abc import Sequence

import numpy as np
from matplotlib.figure import Figure

from tacit.data.levels import show_level
from tacit.data.schema import Column
from tacit.plots.export import to_svg
from tacit.plots.style import alike, group_colour, ink_on
from tacit.report.html import Child, Html, tag


def section(name: str, title: str, *children: Child) -> Html:
    """A section with its heading; ``name`` is where links to it lead."""
    return tag("section", tag("h2", title), children, id=name, aria_label=title)


def picture(figure: Figure, name: str, says: str) -> Html:
    """A figure as inline SVG; ``says`` is for those who cannot see it."""
    return Html(to_svg(figure, title=says, prefix=name))


def framed(caption: Child, *pictures: Child, class_: str | None = None) -> Html:
    """Pictures with a caption; "strip" and "tiles" flow, "wide" scrolls on a narrow page."""
    inner = tag("div", pictures, class_=class_) if class_ else pictures
    return tag("figure", inner, tag("figcaption", caption) if caption else None)


def badge(group: int) -> Html:
    """The number of a group in a disc of its colour."""
    colour = group_colour(group)
    return tag("span", group + 1, class_="badge", style=f"background:{colour};color:{ink_on(colour)}")


def folded(title: str, *children: Child) -> Html:
    """Something that stays closed until asked for."""
    return tag("details", tag("summary", title), children)


def cells(values: Sequence[float], column: Column) -> list[str]:
    """Values of one column as a person would write them: levels by name, numbers alike."""
    if column.levels is None:
        return alike([float(value) for value in values])
    names = [show_level(level) for level in column.levels]
    return [names[int(value)] if np.isfinite(value) and 0 <= value < len(names) else "–" for value in values]


def row_name(row: int, names: Sequence[object] | None) -> str:
    """What a row is called: its own name, or its number from 1."""
    return str(row + 1) if names is None else str(names[row])
