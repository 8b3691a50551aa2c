"""The groups: what sets each apart in words, a table of their profiles, and pictures of them."""

import dataclasses
from collections.abc import Sequence

import numpy as np

from tacit import plots
from tacit.data.levels import show_level
from tacit.data.schema import Column
from tacit.plots.progress import moment_name
from tacit.plots.style import alike, group_colour, short_number, thin
from tacit.report import sentences
from tacit.report.effects import Effect, effects
from tacit.report.groups import Groups, Snapshots
from tacit.report.html import Child, Html, table, tag
from tacit.report.parts import Section, badge, folded, framed, picture, section
from tacit.report.sureness_section import sureness
from tacit.report.table import FittedTable

_PAIRS = 5
_PROFILE = 25
_TILES = 9
_DRAWN = 120
_ROWS = 50_000
_MOMENTS = 8
_NAMED = 6
"""Columns that a caption names."""
_MANY, _CROWD = 4, 9
"""Groups beyond which a table has no room for a column each: on a page of 800 pixels, and on any."""
_NUMBERS = ("continuous", "positive", "count")


def group_section(rows: FittedTable, groups: Groups) -> Section | None:
    """Words first, then the pictures, then the figures; of a long table 50 000 rows drawn at random."""
    rows.check("groups.responsibilities", groups.responsibilities)
    number = len(rows.values)
    if number > _ROWS:
        kept = np.sort(thin(number, _ROWS))
        rows = dataclasses.replace(rows, values=rows.values[kept], row_names=None)
        groups = dataclasses.replace(groups, responsibilities=np.asarray(groups.responsibilities)[kept])
    columns = rows.schema.columns
    counts = [len(column.levels or ()) for column in columns]
    found = effects(rows.values, rows.schema.kinds, counts, np.asarray(groups.responsibilities))
    several = len(groups.weights) > 1
    return section(
        "groups",
        "Groups",
        "The groups" if several else "The rows",
        _in_words(groups, found, columns) if several else None,
        tag("p", sentences.noise(groups.noise)) if groups.noise is not None else None,
        tag("p", f"For speed, this section looks at {short_number(_ROWS, 15)} rows drawn at random.", class_="note")
        if number > _ROWS
        else None,
        _pairs(rows, groups),
        _columns(rows, groups, found),
        _profile(groups, found, columns) if several else None,
        sureness(groups.responsibilities, rows.row_names) if several else None,
    )


def formed(rows: FittedTable, snapshots: Snapshots) -> Child:
    """The groups at some steps of the fit."""
    pair, moments = list(snapshots.columns), sorted(snapshots.at)
    if len(moments) > _MOMENTS:
        kept = np.unique(np.linspace(0, len(moments) - 1, _MOMENTS).round().astype(int))
        moments = [moments[i] for i in kept]
    names = [rows.schema.names[j] for j in pair]
    last = moments[-1]
    panels = []
    for moment in moments:
        figure = plots.evolution(
            rows.values[:, pair], {moment: snapshots.at[moment]}, names, cell=(1.45, 1.4), last=last
        )
        panels.append(picture(figure, f"step{moment}", f"{moment_name(moment, last)}: the groups' ellipses"))
    caption = (
        f"How the groups formed, in {sentences.listed(names)}. Each step moves them to where the data are likelier."
    )
    return framed(caption, panels, class_="strip")


def _in_words(groups: Groups, found: list[list[Effect]], columns: tuple[Column, ...]) -> Html:
    weights, together = np.asarray(groups.weights), bool(groups.dependent)
    lines = []
    for k, share in enumerate(weights):
        width = f"width:{100 * share / max(weights.max(), 1e-300):.1f}%;background:{group_colour(k)}"
        lines.append(
            tag(
                "li",
                badge(k),
                tag(
                    "div",
                    tag(
                        "p",
                        sentences.named(
                            sentences.describe_group(k, float(share), found[k], columns, together=together),
                            groups.names,
                        ),
                    ),
                    tag("div", tag("i", style=width), class_="bar", aria_hidden="true"),
                ),
            )
        )
    about = "A group is compared with all other rows, column by column; rows count by their probability."
    note = "Groups are numbered from 1, by size: in Python, Group 1 is component 0."
    left = tag("p", sentences.emptied(len(weights), groups.emptied)) if groups.emptied else ""
    return Html(tag("ol", lines, class_="groups") + left + tag("p", f"{about} {note}", class_="note"))


def _pairs(rows: FittedTable, groups: Groups) -> Html | None:
    """Pairs of numeric columns; one column alone is drawn as a density."""
    values, schema = rows.values, rows.schema
    gaussians = groups.gaussians
    numbers = [j for j, kind in enumerate(schema.kinds) if kind in _NUMBERS]
    chosen = list(gaussians.columns) if gaussians is not None else numbers
    if len(chosen) < 2:
        return None
    names = [schema.names[j] for j in chosen]
    x = values[:, chosen]
    share = np.asarray(groups.responsibilities)
    drawn = {} if gaussians is None else {"means": gaussians.means, "covariances": gaussians.covariances}
    several = len(groups.weights) > 1
    how = "Each dot is a row, in the colour of its most probable group. " if several else "Each dot is a row. "
    if groups.noise is not None:
        how += "Grey ones are noise. "
    if gaussians is not None:
        how += "The inner ellipse of a group holds about half of its rows, the outer one nine tenths. "
    if len(chosen) == 2:
        figure = plots.ellipses(x, names, responsibilities=share, size=(4.3, 3.5), **drawn)
    else:
        weights = np.asarray(groups.weights)
        cell = {3: 2.1, 4: 1.75}.get(len(chosen), 1.5)
        figure = plots.pair_plot(x, names, responsibilities=share, weights=weights, cell=cell, **drawn)
        line = "a curve" if gaussians is not None else "an outline"
        how += f"On the diagonal: how often each value occurs, with {line} for each group. "
    if len(chosen) > _PAIRS:
        how += f"Shown are the {_PAIRS} of {len(chosen)} columns that tell the groups apart best. "
    if len(values) > 2000:
        how += "2,000 rows drawn at random are shown. "
    if gaussians is None:
        shown = plots.telling_columns(x, plots.hard_labels(len(x), share, None), _PAIRS)
        how += _of_logarithms([names[j] for j in shown if plots.wants_logarithm(x[:, j])]).strip()
    says = f"Scatter plots of {sentences.listed(names[:_PAIRS])}, coloured by group"
    return framed(how.strip(), picture(figure, "pairs", says), class_="wide" if len(chosen) > 2 else None)


def _columns(rows: FittedTable, groups: Groups, found: list[list[Effect]]) -> list[Child]:
    """The columns that no pair plot shows, those that differ most first: nine, and the others folded away."""
    values, schema = rows.values, rows.schema
    paired = set(groups.gaussians.columns) if groups.gaussians is not None else set()
    paired = paired if 2 <= len(paired) <= _PAIRS else set()
    logs = {j for j in range(len(schema)) if plots.in_logarithms(values[:, j], schema.kinds[j])}
    drawn_in_logs = paired & logs if groups.gaussians is not None else set()
    alone = [j for j in range(len(schema)) if j not in paired or j in drawn_in_logs]
    if not alone:
        return []
    strength = {e.column: max(f.strength for g in found for f in g if f.column == e.column) for g in found for e in g}
    alone = sorted(alone, key=lambda j: -strength.get(j, 0.0)) if len(alone) > _TILES else alone
    share = np.asarray(groups.responsibilities) if len(groups.weights) > 1 else None
    if len(schema) == 1:
        return [_lone(rows, groups)]
    tiles = []
    for j in alone[:_DRAWN]:
        column, curves = schema.columns[j], {0: _curves(groups, j)} if _curves(groups, j) is not None else None
        levels = {0: [show_level(level) for level in column.levels or ()]}
        figure = plots.marginals(
            values[:, [j]], [column.name], [column.kind], responsibilities=share, levels=levels, curves=curves
        )
        tiles.append(picture(figure, f"column{j}", f"{column.name} in each group"))
    how = "One column at a time, by group: curves or bars show how often each value occurs in a group."
    how = how if share is not None else "One column at a time."
    how += _of_logarithms([schema.names[j] for j in alone[:_DRAWN] if j in logs])
    if len(alone) > len(tiles):
        how += f" The {len(alone) - len(tiles)} columns that differ least are not drawn."
    shown = framed(how, tiles[:_TILES], class_="tiles")
    rest = tiles[_TILES:]
    hidden = folded(sentences.counted(len(rest), "more column"), framed(None, rest, class_="tiles")) if rest else None
    return [tag("h3", "Column by column"), shown, hidden]


def _of_logarithms(names: Sequence[str]) -> str:
    """Which columns a picture shows on a logarithmic axis, as a caption says it."""
    if not names:
        return ""
    has = "The axis of" if len(names) == 1 else "The axes of"
    of = sentences.listed([sentences.quoted(name) for name in names[:_NAMED]])
    more = f" and {len(names) - _NAMED} more" if len(names) > _NAMED else ""
    return f" {has} {of}{more} {'is' if len(names) == 1 else 'are'} logarithmic: equal steps are equal factors."


def _lone(rows: FittedTable, groups: Groups) -> Html | None:
    """The only column of a table, drawn large."""
    values, schema, curves = rows.values, rows.schema, _curves(groups, 0)
    column = schema.columns[0]
    says = f"How often each value of {column.name} occurs"
    if curves is None:
        share = np.asarray(groups.responsibilities)
        levels = {0: [show_level(level) for level in column.levels or ()]}
        figure = plots.marginals(values, [column.name], [column.kind], responsibilities=share, levels=levels, width=5.0)
        how = "Each group by itself." + _of_logarithms(
            [column.name] if plots.in_logarithms(values[:, 0], column.kind) else []
        )
        return framed(how, picture(figure, "column0", says))
    figure = plots.density_plot(values[:, 0], column.name, *curves, size=(4.6, 2.4))
    how = "Grey: how often each value occurs. In colour: each group, as large as its share. Dark: their sum."
    how += _of_logarithms([column.name] if plots.wants_logarithm(values[:, 0]) else [])
    return framed(how, picture(figure, "column0", says))


def _curves(groups: Groups, column: int) -> tuple[np.ndarray, np.ndarray] | None:
    """The weighted densities of one column: given, or of a Gaussian's marginal."""
    if column in groups.curves:
        grid, curves = groups.curves[column]
        return np.asarray(grid), np.asarray(curves)
    gaussians = groups.gaussians
    if gaussians is None or column not in gaussians.columns:
        return None
    place = gaussians.columns.index(column)
    means = np.asarray(gaussians.means)[:, place]
    variances = np.asarray(gaussians.covariances)[:, place, place]
    spread = np.sqrt(np.maximum(variances, 0.0))
    grid = np.linspace(float((means - 4 * spread).min()), float((means + 4 * spread).max()), 300)
    return grid, plots.gaussian_curves(grid, np.asarray(groups.weights), means, variances)


def _profile(groups: Groups, found: list[list[Effect]], columns: tuple[Column, ...]) -> Html | None:
    """Means (shares) of every column in every group, tinted where a group differs from the rest."""
    by_column = [{effect.column: effect for effect in group} for group in found]
    order = sorted(
        {effect.column for group in found for effect in group},
        key=lambda j: -max(group[j].strength for group in by_column if j in group),
    )
    if not order:
        return None
    lines: list[list[Child]] = [
        [_profile_name(columns[j], found, j), *_profile_line([group.get(j) for group in by_column], columns[j])]
        for j in order[:_PROFILE]
    ]
    caption: list[Child] = [
        "Typical values: the mean of the group's rows, or the share of the level named. Tinted where a group lies ",
        tag("span", "▲ above", class_="swatch more-2"),
        " or ",
        tag("span", "▼ below", class_="swatch less-2"),
        " the rest; the stronger, the clearer. The columns that differ most come first.",
    ]
    if len(order) > _PROFILE:
        caption.append(f" {sentences.counted(len(order) - _PROFILE, 'further column')} differ less.")
    head: list[Child] = ["Column", *(badge(k) for k in range(len(groups.weights)))]
    groups_shown = len(groups.weights)
    size = " crowd" if groups_shown > _CROWD else " many" if groups_shown > _MANY else ""
    return table(caption, head, lines, class_=f"profile{size}")


def _profile_name(column: Column, found: list[list[Effect]], j: int) -> str:
    """The column, and what is given of it where that is not the mean."""
    medians = any(effect.median for group in found for effect in group if effect.column == j)
    return f"{column.name} – median" if medians else column.name


def _profile_line(found: Sequence[Effect | None], column: Column) -> list[Html]:
    """One column in every group: a number or the share of a level, tinted by how far it is from the rest."""
    numbers = iter(alike([effect.inside for effect in found if effect is not None]))
    cells = []
    for effect in found:
        if effect is None:
            cells.append(tag("td", "–"))
            continue
        text = next(numbers)
        if effect.level is not None:
            level = show_level(column.levels[effect.level]) if column.levels else effect.level
            text = f"{level}: {sentences.percent(effect.inside)}".replace(" %", "\u00a0%")
        depth = int(np.searchsorted([0.15, 0.4, 0.7], effect.strength, side="right"))
        side, mark = ("more", "▲\u00a0") if effect.size > 0 else ("less", "▼\u00a0")
        cells.append(tag("td", mark if depth else None, text, class_=f"{side}-{depth}" if depth else None))
    return cells
