"""LeastAbsoluteDeviations against scikit-learn's QuantileRegressor: time of a fit, objective, coefficients."""

from collections.abc import Iterator

import numpy as np
from sklearn.linear_model import QuantileRegressor

from benchmarks.frame import Row, clock, in_turn, spaced, timed
from tacit import LeastAbsoluteDeviations

TITLE = "LeastAbsoluteDeviations: regression on the median"
NOTE = (
    "Normal columns, noise of Student's t with 2 degrees of freedom. QuantileRegressor(alpha=0) solves the linear "
    "programme by HiGHS, its default; both are exact. Ours is timed after a first fit of that size, which compiles."
)
ROUNDS = 3
SECONDS = 60.0


def run(quick: bool) -> Iterator[Row]:
    """Seconds of a fit at two sizes and at an outer quantile, and how far the two ends are apart."""
    for rows, columns, quantile in ((2_000, 10, 0.5), (20_000, 20, 0.5), (20_000, 20, 0.9)):
        yield from _fits(rows // 10 if quick else rows, columns, quantile)


def _fits(rows: int, columns: int, quantile: float) -> Iterator[Row]:
    random = np.random.default_rng(0)
    X = random.normal(size=(rows, columns))
    y = X @ random.normal(size=columns) + random.standard_t(2, size=rows)
    ours, theirs = LeastAbsoluteDeviations(quantile), QuantileRegressor(quantile=quantile, alpha=0.0)
    first, _ = clock(lambda: ours.fit(X, y))
    turns = in_turn(
        lambda: clock(lambda: ours.fit(X, y))[0], lambda: clock(lambda: theirs.fit(X, y))[0], ROUNDS, SECONDS
    )
    what = f"{spaced(rows)} × {columns}, quantile {quantile:g}"
    yield timed(what, "s", turns, "scikit-learn (HiGHS)", note=f"the first fit, which compiles, took {first:.2f} s")
    residuals = y - theirs.predict(X)
    loss = float(np.mean(np.maximum(quantile * residuals, (quantile - 1.0) * residuals)))
    apart, moved = abs(ours.objective_ / loss - 1.0), np.abs(ours.coef_ - theirs.coef_).max()
    note = (
        f"relative to the objective {loss:.6g}; coefficients apart by at most {moved:.1e}, "
        f"duality gap {ours.duality_gap_:.1e}, {ours.n_iter_} reweightings and {ours.n_steps_} edges"
    )
    yield Row("   objectives apart", "", (apart,), asked="≤ 1e-6", met=bool(apart <= 1e-6), note=note)
