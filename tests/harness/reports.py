"""Reports of tables made by hand from some of their parts, by name."""

from dataclasses import fields
from typing import Any

from tacit.report.fit import FitFacts
from tacit.report.page import Report
from tacit.report.table import FittedTable
from tacit.report.table_report import table_report


def report_of(title: str, **parts: Any) -> Report:
    """A page with these parts: those of `FittedTable`, of `FitFacts`, and what else `table_report` takes."""
    rows = {each.name: parts.pop(each.name) for each in fields(FittedTable) if each.name in parts}
    fit = {each.name: parts.pop(each.name) for each in fields(FitFacts) if each.name in parts}
    return table_report(title, FitFacts(**fit), None if rows.get("values") is None else FittedTable(**rows), **parts)
