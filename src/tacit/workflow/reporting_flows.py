"""What the report of a fit tells of a density without groups."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from tacit.estimators.capabilities import MatrixLike, can
from tacit.estimators.flow.capabilities import HasMembers, MovesToNoise, TellsDensity
from tacit.estimators.flow.pictures import on_grid
from tacit.estimators.settings import Estimator
from tacit.report.flow_section import DensityFacts, MemberRows, PlaneFacts, drawn_lines
from tacit.report.parts import cells, row_name
from tacit.report.table import FittedTable

BEST, COLUMNS = 6, 6
"""Rows, and columns of these, that are listed of a member."""
NOTICED = 0.5
"""Share of a row's density from which on a member is said to explain it."""
MOST_ROWS = 20_000
"""Rows whose shares are looked at."""


def density_facts(
    estimator: Estimator,
    told: Mapping[str, Any] | None,
    ranks: np.ndarray | None,
    rows: FittedTable,
    X: MatrixLike,
    samples: np.ndarray | None,
) -> DensityFacts | None:
    """What the density is made of, and whether it is right; None of other models.

    Args:
        estimator: fitted.
        told: what the run's metrics say.
        ranks: where values of rows lie in the model.
        rows: those of the fit.
        X: the same, as the model takes them.
        samples: rows drawn from the model.
    """
    if told is None or ranks is None or not can(estimator, TellsDensity):
        return None
    members = estimator.told_members if can(estimator, HasMembers) else ()
    return DensityFacts(
        tuple(told["sentences"]),
        tuple(rows.schema.names),
        rows.values,
        samples,
        _plane(estimator, rows),
        np.asarray(ranks, np.float64),
        told["how"],
        tuple(told["calibration"]),
        members,
        _member_rows(estimator, rows, X),
    )


def _plane(estimator: Any, rows: FittedTable) -> PlaneFacts | None:
    """The density of two columns, and the map."""
    if len(rows.schema) != 2 or (np.isfinite(rows.values).sum(0) < 2).any():
        return None
    x, y, log_density = on_grid(estimator, rows.values)
    grid = drawn_lines()
    lines: list[np.ndarray] = []
    if can(estimator, MovesToNoise):
        carried = estimator.inverse_transform(np.concatenate(grid))
        lines = np.split(np.asarray(carried), len(grid))
    return PlaneFacts(x, y, log_density, tuple(lines))


def _member_rows(estimator: Estimator, rows: FittedTable, X: MatrixLike) -> MemberRows | None:
    """The rows that the smallest member with a share explains best."""
    if not can(estimator, HasMembers):
        return None
    *members, _ = estimator.told_members
    sizes = np.array([each.share for each in members])
    if (sizes > 0).sum() < 2 or len(rows.values) > MOST_ROWS:
        return None
    smallest = int(np.argmin(np.where(sizes > 0, sizes, np.inf)))
    shares = estimator.member_shares(X)[:, smallest]
    best = [int(place) for place in np.argsort(-shares, kind="stable")[:BEST] if shares[place] > NOTICED]
    columns = rows.schema.columns[:COLUMNS]
    texts = [
        cells(rows.values[best, place].tolist(), column, rows.decimals(place)) for place, column in enumerate(columns)
    ]
    return MemberRows(
        members[smallest].name,
        tuple(row_name(place, rows.row_names) for place in best),
        tuple(float(shares[place]) for place in best),
        tuple(column.name for column in columns),
        tuple(zip(*texts, strict=True)) if best else (),
    )
