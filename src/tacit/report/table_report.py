"""The report of a model of a table: groups, odd rows, how well it fits."""

from collections.abc import Mapping, Sequence
from types import MappingProxyType

import numpy as np
import pyarrow as pa
from jaxtyping import Float

from tacit import plots
from tacit.compute import Array
from tacit.data.kinds import LeftOut
from tacit.data.levels import show_level
from tacit.plots.style import short_number, thin
from tacit.report import deep_sentences, sentences
from tacit.report.anomaly_section import anomaly_section
from tacit.report.choice import Candidates, choice
from tacit.report.code_section import architecture, code_facts, code_section, curves, score_notes
from tacit.report.data_section import told_copies, told_correlations
from tacit.report.deep import Code
from tacit.report.fit import FitFacts, closing, held_out_fact, rise, told_held_out
from tacit.report.group_section import formed, group_section
from tacit.report.groups import Groups, Snapshots
from tacit.report.html import Child, table, tag
from tacit.report.page import Fact, Report
from tacit.report.parts import Section, folded, framed, picture, section, those_there
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
    by_ratio: Sequence[str] = (),
    reasons: Mapping[int, str] = MappingProxyType({}),
    usual: Float[Array, " rows"] | None = None,
    samples: Float[np.ndarray, "draws columns"] | None = None,
    code: Code | None = None,
    own: Sequence[Section | None] = (),
    left_out: Sequence[LeftOut] = (),
    made: str = "",
) -> Report:
    """The page of a model of a table.

    Args:
        title, fit: Heading of the page; what every report tells.
        rows: The rows that were fitted; groups, snapshots, densities and samples need them.
        groups, snapshots: The hidden groups; how they formed.
        candidates: What the model was chosen from.
        log_density: Log density of each row, in nats.
        by_ratio: Columns above 0 in which that is a density of ratios, with respect to dx/x.
        reasons: By row, why it is odd; else worked out from its group's means and spreads.
        usual: Log density that is usual for a row of which as much is seen as of each.
        samples, code: Rows drawn from the model; what a deep model says of each row.
        own: What only models of this kind tell.
        left_out, made: Columns that no model saw; when it was made, as it should be read.
    """
    if rows is None and any(each is not None for each in (groups, snapshots, samples, log_density)):
        raise ValueError("groups, snapshots, samples and log_density need the rows")
    drawn = [] if rows is None or samples is None else beside(rows, samples, groups, snapshots)
    sections = those_there(
        None if rows is None or groups is None else group_section(rows, groups),
        code_section(code, "row"),
        *own,
        _rows(rows, log_density, groups, reasons, code, by_ratio, usual),
        section("fit", "Fit", "How well it fits", *_told(fit, code), *drawn),
        *closing(
            fit,
            "Reading the table",
            model=(architecture(code, "row"), choice(candidates)),
            course=_course(fit, rows, snapshots, code),
            data=(*told_columns(rows), *told_correlations(rows), *told_copies(rows), *told_left_out(left_out)),
        ),
    )
    told = _cautions(fit, rows, groups, code, floored=candidates is not None and candidates.at_floor)
    notices = [sentences.named(each, groups.names if groups else ()) for each in (*fit.warnings, *told)]
    return Report(title, _facts(rows, groups, code, fit), sections, _lead(fit.source, rows, groups), notices, made)


def _cautions(
    fit: FitFacts, rows: FittedTable | None, groups: Groups | None, code: Code | None, *, floored: bool
) -> Sequence[str]:
    weights = None if groups is None else np.asarray(groups.weights)
    number, columns = (0, 0) if rows is None else rows.values.shape
    trace = fit.trace  # a fit by gradients ends at a rate of 0
    settled = None if trace is None or code is not None or trace.measured else trace.converged
    return sentences.cautions(weights, number, columns, settled, floored)


def _told(fit: FitFacts, code: Code | None) -> list[Child]:
    """What rows kept aside say of the fit."""
    told = told_held_out(fit.held_out, "row")
    return [*told, *(score_notes(fit.held_out, code, "row") if told else [])]


def _facts(rows: FittedTable | None, groups: Groups | None, code: Code | None, fit: FitFacts) -> list[Fact]:
    facts = [Fact("Groups", str(len(groups.weights)))] if groups is not None else []
    facts += [] if rows is None else table_facts(rows)
    return [*facts, *code_facts(code), *held_out_fact(fit.held_out, "row")]


def _rows(
    rows: FittedTable | None,
    log_density: Float[Array, " rows"] | None,
    groups: Groups | None,
    reasons: Mapping[int, str],
    code: Code | None,
    by_ratio: Sequence[str],
    usual: Float[Array, " rows"] | None,
) -> Section | None:
    if rows is None or log_density is None:
        return None
    how = "" if code is None else deep_sentences.scored(np.asarray(log_density))
    if by_ratio:
        names = ", ".join(by_ratio[:5]) + (f" and {len(by_ratio) - 5} more" if len(by_ratio) > 5 else "")
        how += (
            f" Of columns above 0 ({names}) ratios count, so that neither units nor values near 0 decide: their "
            "density is one with respect to dx/x."
        )
    return anomaly_section(rows, log_density, groups, reasons, how, usual)


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
    noise = None if groups is None else groups.noise
    said = sentences.lead(source, number, columns, several, rows.gaps, noise)
    if groups is not None and several > 1 and number:
        said += f" {sentences.certainty(np.asarray(groups.responsibilities), noise)}"
    return said


_TILES = 9
_DRAWN = 60
_ROWS = 50_000
_NUMBERS = ("continuous", "positive", "count")


def beside(
    rows: FittedTable, samples: Float[np.ndarray, "draws columns"], groups: Groups | None, snapshots: Snapshots | None
) -> list[Child]:
    """Rows drawn from the model beside those of the data: two columns as clouds, every column by itself."""
    values, schema = rows.values, rows.schema
    if samples.shape[1] != len(schema):
        raise ValueError(f"samples has {samples.shape[1]} columns, values has {len(schema)}")
    if not len(samples):
        return []
    pair = _pair(rows, groups, snapshots)
    values = values[thin(len(values), _ROWS)] if len(values) > _ROWS else values
    shown: list[Child] = [tag("h3", "Rows made by the model, beside the data")]
    if pair is not None:
        names = [schema.names[j] for j in pair]
        figure = plots.samples_beside_data(values[:, pair], samples[:, pair], names)
        says = f"{sentences.listed(names)}: data on the left, rows drawn from the model on the right"
        caption = "If the model fits, the two clouds look alike."
        shown.append(framed(caption, picture(figure, "beside", says)))
    tiles = []
    for j, column in enumerate(schema.columns[:_DRAWN]):
        levels = {0: [show_level(level) for level in column.levels or ()]}
        height = 1.1 if column.levels is None else 0.28 * min(max(len(column.levels), 2), 6)
        figure = plots.samples_by_column(
            values[:, [j]], samples[:, [j]], [column.name], [column.kind], levels=levels, cell=(2.2, height)
        )
        tiles.append(picture(figure, f"sample{j}", f"{column.name}: data in grey, the model in blue"))
    how = "Grey: the data. Blue: rows drawn from the model."
    if len(schema) > len(tiles):
        how += f" The first {len(tiles)} of {len(schema)} columns are drawn."
    shown.append(framed(how, tiles[:_TILES], class_="tiles"))
    rest = tiles[_TILES:]
    if rest:
        shown.append(folded(sentences.counted(len(rest), "more column"), framed(None, rest, class_="tiles")))
    return shown


def _pair(rows: FittedTable, groups: Groups | None, snapshots: Snapshots | None) -> list[int] | None:
    """The two columns to show as a cloud: those of the snapshots, else the two that tell groups apart best."""
    if snapshots is not None:
        return list(snapshots.columns)
    numbers = [j for j, kind in enumerate(rows.schema.kinds) if kind in _NUMBERS]
    if len(numbers) < 2:
        return None
    kept = thin(len(rows.values), _ROWS)
    share = None if groups is None else np.asarray(groups.responsibilities)[kept]
    best = plots.telling_columns(rows.values[kept][:, numbers], plots.hard_labels(len(kept), share, None), 2)
    return [numbers[j] for j in best]


def figure_section(tables: Sequence[tuple[str, pa.Table]]) -> Section | None:
    """Figures of the model: tables with their headings."""
    found: list[Child] = []
    for heading, one in tables:
        columns = [one.column(name).to_pylist() for name in one.column_names]
        cells = [[short_number(v, 4) if isinstance(v, float) else str(v) for v in column] for column in columns]
        found.append(table(heading, list(one.column_names), [list(row) for row in zip(*cells, strict=True)]))
    return section("figures", "Figures", "Figures of the model", *found)
