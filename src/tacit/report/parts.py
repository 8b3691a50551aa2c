"""The pieces that every section is made of: sections, figures, badges, cell texts."""

import base64
import contextlib
import contextvars
import io
import re
from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np
from jaxtyping import UInt8
from matplotlib.figure import Figure

from tacit.data.levels import show_level
from tacit.data.schema import Column
from tacit.plots.export import to_svg
from tacit.plots.images import write_png
from tacit.plots.style import alike, as_written, group_colour, ink_on
from tacit.report.html import Child, Html, escape, tag


class Section(NamedTuple):
    """A section of a page: where links to it lead, what they say, and the section itself."""

    name: str
    link: str
    body: Html


JARGON = {
    "nats": "a nat is a unit of log-density: a row that is higher by 0.7 is twice as likely, by 2.3 ten times",
    "BIC": "the Bayesian information criterion: how well the data are fitted, less a charge for every parameter",
    "ICL": "the integrated completed likelihood: BIC, less a charge for groups that overlap",
    "AIC": "Akaike's information criterion: how well the data are fitted, less a smaller charge for every parameter",
    "k̂": "k-hat says how far an approximate posterior is from the exact one: below 0.5 close, above 0.7 not to be "
    "relied on",
    "ELBO": "the evidence lower bound: a log-likelihood that the fit is sure of",
    "KL": "the Kullback–Leibler divergence: how far one distribution is from another, 0 where they are the same",
    "NPMI": "normalised pointwise mutual information: how much more often words stand together than by chance",
}
"""Words of the trade, and what they mean."""
_WORD = re.compile(r"(?<![\w-])(" + "|".join(JARGON) + r")(?![\w-])")
_MARKUP = re.compile(r"<svg.*?</svg>|<pre.*?</pre>|<[^>]*>", re.DOTALL)


def section(name: str, link: str, title: str, *children: Child, part: str = "") -> Section | None:
    """A section with its heading; nothing where it has no content.

    Words of the trade that occur in it are explained at its end.

    Args:
        name: Where links to it lead.
        link: What they say.
        title: The heading.
        children: What stands in it.
        part: The part of the page that it belongs to, if it is not for everybody.
    """
    if not any(children):
        return None
    body = escape(children)
    said = _MARKUP.sub(" ", body)
    used = [word for word in dict.fromkeys(_WORD.findall(said)) if not re.search(rf"{word} \((the|natural)", said)]
    about = tag("p", [[tag("b", word), f": {JARGON[word]}. "] for word in used], class_="note") if used else None
    over = tag("p", part, class_="over-part") if part else None
    return Section(name, link, tag("section", over, tag("h2", title), body, about, id=name, aria_label=title))


def those_there(*sections: Section | None) -> tuple[Section, ...]:
    """The sections that there are, in their order."""
    return tuple(each for each in sections if each is not None)


_KEPT: contextvars.ContextVar[dict[str, Figure] | None] = contextvars.ContextVar("tacit_figures", default=None)


@contextlib.contextmanager
def keeping_figures() -> Iterator[dict[str, Figure]]:
    """The figures of the page that is made inside the ``with`` block, by their names."""
    kept: dict[str, Figure] = {}
    token = _KEPT.set(kept)
    try:
        yield kept
    finally:
        _KEPT.reset(token)


def picture(figure: Figure, name: str, says: str) -> Html:
    """A figure as inline SVG; ``says`` is for those who cannot see it."""
    kept = _KEPT.get()
    if kept is not None:
        kept[name] = figure
    return Html(to_svg(figure, title=says, prefix=name))


def raster(levels: UInt8[np.ndarray, "high wide *channels"], says: str, *, width: int = 640) -> Html:
    """An image within the page, every pixel enlarged by the whole number that comes nearest to a width.

    Args:
        levels: From 0 to 255, grey or in colour.
        says: For those who cannot see it.
        width: On the page, in its own pixels.
    """
    high, wide = levels.shape[:2]
    times = max(1, round(width / wide))
    stream = io.BytesIO()
    write_png(stream, levels)
    data = base64.b64encode(stream.getvalue()).decode("ascii")
    return tag(
        "img",
        src=f"data:image/png;base64,{data}",
        alt=says,
        width=wide * times,
        height=high * times,
        class_="pixels",
    )


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


def cells(values: Sequence[float], column: Column, decimals: int | None = None) -> list[str]:
    """Values of one column as a person would write them: levels by name, numbers with as many decimals as it has."""
    if column.levels is None and decimals is not None:
        return [as_written(float(value), decimals) for value in values]
    if column.levels is None:
        return alike([float(value) for value in values])
    names = [show_level(level) for level in column.levels]
    return [names[int(value)] if np.isfinite(value) and 0 <= value < len(names) else "–" for value in values]


def row_name(row: int, names: Sequence[object] | None) -> str:
    """What a row is called: its own name, or its number from 1."""
    return str(row + 1) if names is None else str(names[row])
