"""Murray's twelve pairs: EM that begins at correlation 0 stays at the saddle there."""

import numpy as np
import pytest
from scipy.optimize import minimize
from scipy.stats import norm

from tacit import GaussianMixture, Mixture

GAP = np.nan
MURRAY = np.array(
    [[1, 1], [1, -1], [-1, 1], [-1, -1], *[[2, GAP], [-2, GAP], [GAP, 2], [GAP, -2]] * 2],
    dtype=float,
)


@pytest.mark.parametrize("name", ["full", "tied", "VEE", "EVE", "EEV", "VEV", "EVV"])
@pytest.mark.parametrize("accelerate", [False, True])
def test_both_maxima_are_as_murray_says(name: str, accelerate: bool) -> None:
    model = GaussianMixture(1, covariance_type=name, tol=1e-12, max_iter=3000, accelerate=accelerate).fit(MURRAY)
    covariance = np.asarray(model.covariances_).reshape(-1, 2, 2)[0]
    np.testing.assert_allclose(np.diag(covariance), 8.0 / 3.0, rtol=1e-4)
    assert abs(covariance[0, 1]) == pytest.approx(4.0 / 3.0, rel=1e-4)
    assert model.converged_


def test_the_default_tolerance_leaves_the_saddle_too() -> None:
    model = GaussianMixture(1).fit(MURRAY)
    covariance = model.covariances_[0]
    assert abs(covariance[0, 1]) / covariance[0, 0] == pytest.approx(0.5, abs=0.02)
    assert model.converged_
    mixed = Mixture(1, families="normal", covariance_type="full", objective="mle").fit(MURRAY)
    assert mixed.score(MURRAY) == pytest.approx(model.score(MURRAY), abs=1e-3)


def test_three_columns_that_are_seen_in_pairs_come_to_a_maximum() -> None:
    pairs = [(0, 1), (1, 2), (0, 2)]
    rows = np.full((len(MURRAY) * len(pairs), 3), np.nan)
    for block, pair in enumerate(pairs):
        rows[block * len(MURRAY) : (block + 1) * len(MURRAY), pair] = MURRAY
    model = GaussianMixture(1, tol=1e-12, max_iter=5000).fit(rows)

    seen = ~np.isnan(rows)
    both = seen[:, :, None] & seen[:, None, :]
    filled = np.where(seen, rows, 0.0)

    def cost(packed: np.ndarray) -> float:
        root = np.zeros((3, 3))
        root[np.tril_indices(3)] = packed
        spread = np.where(both, root @ root.T + 1e-12 * np.eye(3), np.eye(3))  # a gap is a column of its own
        distance = np.einsum("ni,ni->n", filled, np.linalg.solve(spread, filled[..., None])[..., 0])
        return 0.5 * float((distance + np.linalg.slogdet(spread)[1] + seen.sum(1) * np.log(2 * np.pi)).sum())

    random = np.random.default_rng(0)
    best = min(minimize(cost, random.normal(size=6), method="BFGS").fun for _ in range(6))
    assert model.score(rows) * len(rows) == pytest.approx(-best, abs=1e-3)


def test_columns_that_are_not_related_stay_so() -> None:
    random = np.random.default_rng(0)
    rows = random.normal(size=(4000, 2))
    rows[random.random(rows.shape) < 0.3] = np.nan
    model = GaussianMixture(1, tol=1e-10, max_iter=1000).fit(rows)
    expected = sum(norm(*_moments(rows[:, c])).logpdf(rows[:, c][~np.isnan(rows[:, c])]).sum() for c in (0, 1))
    assert -0.01 < model.score(rows) * len(rows) - expected < 6.0  # half of a χ² of one degree of freedom


def _moments(column: np.ndarray) -> tuple[float, float]:
    return float(np.nanmean(column)), float(np.nanstd(column))
