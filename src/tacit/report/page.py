"""The report of a fit: one HTML file that needs nothing else, neither network nor script."""

import importlib.resources
import os
from pathlib import Path

from tacit.files import write_atomically
from tacit.report.code_section import code_section
from tacit.report.content import ReportContent
from tacit.report.data_section import data_section, fit_section, repeat_section
from tacit.report.group_section import group_section
from tacit.report.html import Html, tag
from tacit.report.image_section import image_section, odd_images_section
from tacit.report.model_section import learning_section, model_section
from tacit.report.opening import notices, opening
from tacit.report.prediction_section import effect_section, foretold_section
from tacit.report.row_section import row_section
from tacit.report.topic_section import document_section, topic_section

_POLICY = "default-src 'none'; style-src 'unsafe-inline'; img-src data:"
"""Even if something slipped through: nothing is loaded, nothing is run."""

_SECTIONS = {
    "groups": ("Groups", group_section),
    "topics": ("Topics", topic_section),
    "documents": ("Documents", document_section),
    "images": ("Images", image_section),
    "code": ("Code", code_section),
    "effects": ("What goes with it", effect_section),
    "foretold": ("How good it is", foretold_section),
    "rows": ("Odd rows", row_section),
    "odd": ("Odd images", odd_images_section),
    "fit": ("Fit", fit_section),
    "model": ("Model", model_section),
    "learning": ("Learning", learning_section),
    "data": ("Data", data_section),
    "repeat": ("Repeat", repeat_section),
}

_TABLE = "Numbers are in the units of the table; densities in nats."
_PIXELS = "Pixels are shown from black to white over the range of the images; densities are in nats."
_WORDS = "Shares are of words; probabilities are told in nats, or as perplexities."


def build(content: ReportContent) -> str:
    """The whole page as text.

    Args:
        content: What to tell; sections whose part is missing are left out.

    Returns:
        HTML in UTF-8 that stands alone; every text of the content is escaped.
    """
    sections = {name: make(content) for name, (_, make) in _SECTIONS.items()}
    told = {name: section for name, section in sections.items() if section is not None}
    links = [tag("li", tag("a", _SECTIONS[name][0], href=f"#{name}")) for name in told]
    style = importlib.resources.files("tacit.report").joinpath("page.css").read_text(encoding="utf-8")
    head = tag(
        "head",
        tag("meta", charset="utf-8"),
        tag("meta", name="viewport", content="width=device-width, initial-scale=1"),
        Html(f'<meta http-equiv="Content-Security-Policy" content="{_POLICY}">'),
        tag("title", content.title),
        tag("style", Html(style)),
    )
    body = tag(
        "body",
        opening(content),
        tag(
            "main",
            notices(content),
            tag("nav", tag("ul", links), aria_label="Contents") if len(links) > 1 else None,
            list(told.values()),
        ),
        tag("footer", f"Made by tacit. {_units(content)}"),
    )
    return f'<!DOCTYPE html>\n<html lang="en-GB">{head}{body}</html>\n'


def _units(content: ReportContent) -> str:
    if content.topics is not None:
        return _WORDS
    return _TABLE if content.images is None else _PIXELS


def write(path: str | os.PathLike[str], content: ReportContent) -> Path:
    """Write the page; a regular file is there whole or not at all.

    Args:
        path: Where to; its folder is made if need be, and a file that is there is replaced.
        content: What to tell.

    Returns:
        The path.
    """
    target = Path(path)
    text = build(content)
    target.parent.mkdir(parents=True, exist_ok=True)
    write_atomically(target, text)
    return target
