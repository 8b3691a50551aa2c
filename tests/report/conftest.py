"""The parts of a report with everything in it, made by hand from three groups of mixed columns."""

import numpy as np
import pytest

from tacit.data.kinds import LeftOut
from tacit.data.schema import Column, Schema
from tacit.models.graph import mixture_graph
from tacit.plots import gaussian_curves
from tacit.report import (
    BoundCurve,
    Candidate,
    Candidates,
    Gaussians,
    Groups,
    HeldOutFact,
    ModelSummary,
    Repeat,
    Snapshots,
)

WEIGHTS = np.array([0.5, 0.3, 0.2])
MEANS = np.array([[40.0, 18.0], [48.0, 15.0], [49.0, 19.0]])
COVARIANCES = np.stack([np.array([[7.0, 1.0], [1.0, 1.5]])] * 3)


def table(rows, rng):
    """Two Gaussian columns, a skewed one, a count, a binary and a categorical one, with gaps."""
    group = np.repeat(np.arange(3), (WEIGHTS * rows).astype(int))
    pair = np.stack([rng.multivariate_normal(MEANS[k], COVARIANCES[k]) for k in group])
    values = np.column_stack(
        [
            pair,
            np.exp(rng.normal(3 + group, 1.2)),
            rng.poisson(1 + 3 * group),
            rng.random(len(group)) < np.array([0.1, 0.5, 0.9])[group],
            np.where(rng.random(len(group)) < 0.9, group, 3),
        ]
    ).astype(float)
    values[rng.random(values.shape) < 0.05] = np.nan
    return group, values


@pytest.fixture(scope="session")
def content():
    rng = np.random.default_rng(0)
    group, values = table(100, rng)
    share = 0.94 * np.eye(3)[group] + 0.02
    columns = (
        Column("bill_length_mm", "continuous", None, "numbers with decimals"),
        Column("bill_depth_mm", "continuous"),
        Column("income", "positive"),
        Column("visits", "count"),
        Column("smoker", "binary", ("no", "yes")),
        Column("region", "categorical", ("north", "south", "west", "east")),
    )
    grid = np.geomspace(1, 3000, 50)
    curves = gaussian_curves(np.log(grid), WEIGHTS, np.array([3.0, 4.0, 5.0]), np.full(3, 1.44)) / grid
    rows = [
        Candidate(k, s, -900.0 - 40 * (k - 3) ** 2 - (s == "EEE"), -420.0, 7 * k, k < 9, k == 8)
        for s in ("VVV", "EEE")
        for k in range(1, 10)
    ]
    return dict(
        source="table.csv",
        made="1 May 2026",
        schema=Schema(columns),
        values=values,
        row_names=[f"customer {i}" for i in range(100)],
        left_out=(LeftOut("id", "it numbers the rows", "identifier"),),
        notes=("“n/a” was read as missing.",),
        model=ModelSummary("Mixture", "It finds hidden groups.", (("Starts", "10"),), "VVV", 44),
        graph=mixture_graph([(("μ", "Σ"), "normal"), (("λ",), "Poisson")], rows=100, components=3),
        candidates=Candidates(tuple(rows), 2),
        trace=BoundCurve(np.arange(41), -900 - 100 / (1.0 + np.arange(41)), 0.4, True, "converged"),
        snapshots=Snapshots((0, 1), {i: (WEIGHTS, MEANS + 3 / (1 + i), COVARIANCES) for i in (0, 3, 5, 16, 40)}),
        groups=Groups(WEIGHTS, share, Gaussians((0, 1), MEANS, COVARIANCES), {2: (grid, curves)}),
        log_density=rng.normal(-9, 2, 100),
        samples=np.nan_to_num(table(100, np.random.default_rng(1))[1], nan=1.0),
        held_out=HeldOutFact(-9.123, 0.2, 30, ("One group", -10.5)),
        warnings=("Five rows were very far off.",),
        repeat=Repeat("tacit fit table.csv", "import tacit", "[fit]\nseed = 1", (("tacit", "0.1.0"),)),
    )
