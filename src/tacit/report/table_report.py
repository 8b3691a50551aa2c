"""The report of a model of a table: groups, odd rows, how well it fits."""

from collections.abc import Mapping, Sequence
from types import MappingProxyType

import numpy as np
from jaxtyping import Float

from tacit.compute import Array
from tacit.data.kinds import LeftOut
from tacit.report import deep_words, words
from tacit.report.choice import Candidates, choice
from tacit.report.code_section import architecture, code_facts, code_section, curves, score_notes
from tacit.report.deep import Code
from tacit.report.fit import (
    FitFacts,
    data_section,
    held_out_fact,
    learning_section,
    model_section,
    notes,
    repeat_section,
    rise,
    told_held_out,
)
from tacit.report.group_section import formed, group_section
from tacit.report.groups import Groups, Snapshots
from tacit.report.html import Child
from tacit.report.page import Fact, Report
from tacit.report.parts import Section, section, those_there
from tacit.report.row_section import row_section
from tacit.report.samples import beside
from tacit.report.table import FittedTable, table_facts, told_columns, told_left_out


def table_report(
    title: str,
    fit: FitFacts,
    rows: FittedTable | None = None,
    *,
    groups: Groups | None = None,
    snapshots: Snapshots | None = None,
    candidates: Candidates | None = None,
    log_density: Float[Array, " rows"] | None = None,
    reasons: Mapping[int, str] = MappingProxyType({}),
    samples: Float[np.ndarray, "draws columns"] | None = None,
    code: Code | None = None,
    left_out: Sequence[LeftOut] = (),
    made: str = "",
) -> Report:
    """The page of a model of a table.

    Args:
        title: Heading of the page.
        fit: What every report tells.
        rows: The rows that were fitted; groups, snapshots, densities and samples need them.
        groups: The hidden groups.
        snapshots: How they formed.
        candidates: What the model was chosen from.
        log_density: Log density of each row, in nats.
        reasons: By row, why it is odd; else worked out from its group's means and spreads.
        samples: Rows drawn from the model.
        code: What a deep model says of each row.
        left_out: Columns that no model saw.
        made: When, as it should be read.
    """
    if rows is None and any(each is not None for each in (groups, snapshots, samples, log_density)):
        raise ValueError("groups, snapshots, samples and log_density need the rows")
    told = told_held_out(fit.held_out, "row")
    told += score_notes(fit.held_out, code, "row") if told else []
    told += [] if rows is None or samples is None else beside(rows, samples, groups, snapshots)
    sections = those_there(
        None if rows is None or groups is None else group_section(rows, groups),
        code_section(code, "row"),
        None if rows is None or log_density is None else _rows(rows, log_density, groups, reasons, code),
        section("fit", "Fit", "How well it fits", *told),
        model_section(fit, architecture(code, "row"), choice(candidates)),
        learning_section(fit, *_course(fit, rows, snapshots, code)),
        data_section(*told_columns(rows), *told_left_out(left_out), *notes(fit, "Reading the table")),
        repeat_section(fit.repeat),
    )
    facts = [Fact("Groups", str(len(groups.weights)))] if groups is not None else []
    facts += [] if rows is None else table_facts(rows)
    facts += [*code_facts(code), *held_out_fact(fit.held_out, "row")]
    weights = None if groups is None else np.asarray(groups.weights)
    number, columns = (0, 0) if rows is None else rows.values.shape
    settled = None if fit.trace is None or code is not None else fit.trace.converged  # a deep fit ends at a rate of 0
    own = words.cautions(weights, number, columns, settled, candidates is not None and candidates.at_floor)
    return Report(title, facts, sections, _lead(fit.source, rows, groups), (*fit.warnings, *own), made)


def _rows(
    rows: FittedTable,
    log_density: Float[Array, " rows"],
    groups: Groups | None,
    reasons: Mapping[int, str],
    code: Code | None,
) -> Section | None:
    how = "" if code is None else deep_words.scored(np.asarray(log_density))
    return row_section(rows, log_density, groups, reasons, how)


def _course(fit: FitFacts, rows: FittedTable | None, snapshots: Snapshots | None, code: Code | None) -> list[Child]:
    """How the bound rose, and how the groups formed; of a deep model, the two terms of its bound."""
    steps = () if snapshots is None else tuple(snapshots.at)
    course = curves(code, fit.trace, "row") or rise(fit, steps)
    if rows is not None and snapshots is not None and steps:
        course.append(formed(rows, snapshots))
    return course


def _lead(source: str, rows: FittedTable | None, groups: Groups | None) -> str:
    if rows is None:
        return ""
    number, columns = rows.values.shape
    several = 0 if groups is None else len(groups.weights)
    said = words.lead(source, number, columns, several, rows.gaps)
    if groups is not None and several > 1 and number:
        said += f" {words.certainty(np.asarray(groups.responsibilities))}"
    return said
