"""A density without groups: what it is made of, the density itself, and whether it is right."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

from tacit import plots
from tacit.estimators.flow.capabilities import StackMember
from tacit.plots.style import alike, short_number
from tacit.report import sentences
from tacit.report.html import Child, Html, table, tag
from tacit.report.parts import Section, folded, framed, picture, section

PANELS, MOST_PANELS = 9, 60
"""Columns whose calibration is drawn at once, and at all."""


@dataclass(frozen=True, eq=False)
class PlaneFacts:
    """Of a density of two columns.

    Attributes:
        x, y, log_density: places along both, and the log-density there ``[y, x]``.
        lines: of a square grid over white noise, where they lie among the rows; none of what is no map.
    """

    x: Float[np.ndarray, " across"]
    y: Float[np.ndarray, " down"]
    log_density: Float[np.ndarray, "down across"]
    lines: tuple[Float[np.ndarray, "points 2"], ...]


@dataclass(frozen=True, eq=False)
class MemberRows:
    """Rows that a member explains best.

    Attributes:
        member: its name.
        names: of the rows.
        shares: how much of the density of each is the member's.
        columns, cells: the values of these rows, as they are written.
    """

    member: str
    names: tuple[str, ...]
    shares: tuple[float, ...]
    columns: tuple[str, ...]
    cells: tuple[tuple[str, ...], ...]


@dataclass(frozen=True, eq=False)
class DensityFacts:
    """What a report tells of a density without groups.

    Attributes:
        sentences: what it is made of, and how good it is.
        names: of the columns.
        values, samples: rows of the data, and rows drawn from the model.
        plane: of two columns, the density and the map.
        ranks: where values lie in the model, ``[rows, columns]``; NaN where nothing is known.
        how: what these are.
        calibration: sentences on them.
        members: of a sum of densities, each and last all together; else none.
        rows: those that the smallest member explains best, or None.
    """

    sentences: tuple[str, ...]
    names: tuple[str, ...]
    values: Float[np.ndarray, "rows columns"]
    samples: Float[np.ndarray, "draws columns"] | None
    plane: PlaneFacts | None
    ranks: Float[np.ndarray, "ranked columns"]
    how: str
    calibration: tuple[str, ...]
    members: tuple[StackMember, ...] = ()
    rows: MemberRows | None = None


def flow_section(facts: DensityFacts | None) -> Section | None:
    """Words first, then the pictures, then the figures."""
    if facts is None:
        return None
    return section(
        "density",
        "Density",
        "The density",
        tag("ul", [tag("li", text) for text in facts.sentences]),
        _members(facts),
        _plane(facts),
        _pairs(facts),
        _calibration(facts),
    )


def _members(facts: DensityFacts) -> list[Child]:
    if not facts.members:
        return []
    names = [each.name for each in facts.members]
    scores, errors = (np.array([getattr(each, key) for each in facts.members]) for key in ("held_out", "error"))
    figure = plots.member_scores(names, scores, errors)
    how = "Scores of rows that were held out, each with two standard errors to either side; in blue all together."
    held, slack = alike(scores.tolist(), 5), alike(errors.tolist(), 2)
    body: list[list[Child]] = [
        [each.name, sentences.percent(each.share), score, f"± {error}"]
        for each, score, error in zip(facts.members, held, slack, strict=True)
    ]
    head: list[Child] = ["Member", "Share", "Nats a row", "Standard error"]
    figures = table("The members, and how they score rows that were held out", head, body, numbers=(1, 2, 3))
    shown = framed(how, picture(figure, "members", "Held-out scores of the members"))
    return [tag("h3", "The members"), shown, figures, _member_rows(facts.rows)]


def _member_rows(rows: MemberRows | None) -> Html | None:
    if rows is None or not rows.names:
        return None
    head: list[Child] = ["Row", "Its share", *rows.columns]
    body: list[list[Child]] = [
        [name, sentences.percent(share), *line]
        for name, share, line in zip(rows.names, rows.shares, rows.cells, strict=True)
    ]
    heading = f"Rows that the smallest member, {rows.member}, explains best: there it is needed"
    return table(heading, head, body, numbers=tuple(range(1, len(head))))


def _plane(facts: DensityFacts) -> list[Child]:
    plane = facts.plane
    if plane is None:
        return []
    figure = plots.density_map(plane.x, plane.y, plane.log_density, facts.values, facts.names)
    shown: list[Child] = [
        tag("h3", "The density as a picture"),
        framed(
            "The lines hold 20, 50, 80 and 95 % of what the model expects; dots are rows of the data.",
            picture(figure, "density-map", f"The density of {sentences.listed(list(facts.names))}"),
        ),
    ]
    if plane.lines:
        figure = plots.warped_grid(plane.lines, facts.values, facts.names)
        how = (
            "The map: a square grid over white noise (standard normal numbers, a line every half deviation), carried "
            "to the rows. Where its cells are small, rows are many."
        )
        shown.append(framed(how, picture(figure, "map", "A grid over white noise, carried to the rows")))
    return shown


def _pairs(facts: DensityFacts) -> list[Child]:
    if facts.samples is None or len(facts.names) < 2 or facts.plane is not None:
        return []
    figure = plots.rows_beside(facts.values, facts.samples, facts.names)
    how = "Grey, below: rows of the data. Blue, above: rows drawn from the model. They look alike if it is right."
    if len(facts.names) > 4:
        how += f" The first 4 of {len(facts.names)} columns are drawn."
    return [framed(how, picture(figure, "pairs", "Pairs of columns: data below, rows drawn from the model above"))]


def _calibration(facts: DensityFacts) -> list[Child]:
    shown = [place for place in range(len(facts.names)) if np.isfinite(facts.ranks[:, place]).any()]
    if not shown:
        return []
    tiles = [
        picture(
            plots.rank_bars(facts.ranks[:, [place]], [facts.names[place]], across=1),
            f"ranks{place}",
            f"{facts.names[place]}: where values lie in the model",
        )
        for place in shown[:MOST_PANELS]
    ]
    how = (
        f"Of every value, {facts.how}: a tenth of the model to a bar, the smallest on the left. The bars of a right "
        "model stay in the grey band, nineteen of twenty."
    )
    if len(shown) < len(facts.names):
        how += f" {short_number(len(facts.names) - len(shown), 6)} columns of levels are left out."
    parts: list[Child] = [tag("h3", "Is it right?"), *(tag("p", text) for text in facts.calibration)]
    parts.append(framed(how, tiles[:PANELS], class_="tiles"))
    if tiles[PANELS:]:
        parts.append(
            folded(sentences.counted(len(tiles) - PANELS, "more column"), framed(None, tiles[PANELS:], class_="tiles"))
        )
    return parts


def drawn_lines(most: float = 2.5, step: float = 0.5, points: int = 81) -> Sequence[Float[np.ndarray, "points 2"]]:
    """The lines of a square grid over white noise of two columns."""
    places, along = np.arange(-most, most + 1e-9, step), np.linspace(-most, most, points)
    fixed = [np.full(points, place) for place in places]
    return [np.column_stack([one, along]) for one in fixed] + [np.column_stack([along, one]) for one in fixed]
