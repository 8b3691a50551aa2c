"""The report of a fit: one HTML file that needs nothing else, neither network nor script."""

import importlib.resources
import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from tacit.files import write_atomically
from tacit.report.html import Html, tag
from tacit.report.parts import Section

_POLICY = "default-src 'none'; style-src 'unsafe-inline'; img-src data:"
"""Even if something slipped through: nothing is loaded, nothing is run."""

TABLE_UNITS = (
    "Numbers are in the units of the table; densities in nats (units of log-density: 2.3 more is ten times as likely)."
)


class Fact(NamedTuple):
    """A figure that one looks for first: what it is of, its value, and its unit or what else goes with it."""

    name: str
    value: str
    unit: str = ""


@dataclass(frozen=True)
class Report:
    """A page: what came out in words and a few figures, and the sections that tell the rest.

    Attributes:
        title: Heading of the page.
        facts: The figures below it.
        sections: In their order.
        lead: A sentence or two on what was looked at and what came out.
        notices: What a reader should know first, each told once.
        made: When, as it should be read; none leaves it out, so that equal fits give equal pages.
        units: In what the numbers are.
    """

    title: str
    facts: Sequence[Fact] = ()
    sections: Sequence[Section] = ()
    lead: str = ""
    notices: Sequence[str] = ()
    made: str = ""
    units: str = TABLE_UNITS


def build(report: Report) -> str:
    """The whole page as text: HTML in UTF-8 that stands alone; every text of the report is escaped."""
    links = [tag("li", tag("a", each.link, href=f"#{each.name}")) for each in report.sections]
    style = importlib.resources.files("tacit.report").joinpath("page.css").read_text(encoding="utf-8")
    head = tag(
        "head",
        tag("meta", charset="utf-8"),
        tag("meta", name="viewport", content="width=device-width, initial-scale=1"),
        Html(f'<meta http-equiv="Content-Security-Policy" content="{_POLICY}">'),
        tag("title", report.title),
        tag("style", Html(style)),
    )
    body = tag(
        "body",
        _header(report),
        tag(
            "main",
            _notices(report.notices),
            tag("nav", tag("ul", links), aria_label="Contents") if len(links) > 1 else None,
            [each.body for each in report.sections],
        ),
        tag("footer", f"Made by tacit. {report.units}"),
    )
    return f'<!DOCTYPE html>\n<html lang="en-GB">{head}{body}</html>\n'


def _header(report: Report) -> Html:
    over = "tacit report" + (f" · {report.made}" if report.made else "")
    facts = [
        tag("div", tag("dt", name), tag("dd", value, [" ", tag("small", unit)] if unit else None))
        for name, value, unit in report.facts
    ]
    return tag(
        "header",
        tag("p", over, class_="over"),
        tag("h1", report.title),
        tag("p", report.lead, class_="lead") if report.lead else None,
        tag("dl", facts, class_="facts") if facts else None,
    )


def _notices(said: Sequence[str]) -> Html | None:
    if not said:
        return None
    listed = tag("ul", [tag("li", each) for each in dict.fromkeys(said)])
    return tag("div", tag("h2", "Worth knowing"), listed, class_="notice", role="note")


def write(path: str | os.PathLike[str], report: Report) -> Path:
    """Write the page; a regular file is there whole or not at all.

    Args:
        path: Where to; its folder is made if need be, and a file that is there is replaced.
        report: What to tell.

    Returns:
        The path.
    """
    target = Path(path)
    text = build(report)
    target.parent.mkdir(parents=True, exist_ok=True)
    write_atomically(target, text)
    return target
