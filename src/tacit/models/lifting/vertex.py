"""The exact end of least absolute deviations: a vertex of its linear programme, and the proof that it is best.

The minimum of ``Σ w ρ(y − A b)``, ``ρ(t) = max(q t, (q − 1) t)``, is taken where as many residuals are 0 as there
are columns. From the rows that reweighting has brought next to 0 we walk along edges, on each to its weighted
median (Barrodale & Roberts 1973; Koenker & d'Orey 1987). The dual programme is

    max Σ d y   with   Aᵀ d = 0,   w (q − 1) ≤ d ≤ w q,

so any such d gives a lower bound: the duality gap certifies the end, and is 0 at the optimum but for rounding. How
sure the coefficients are, Powell's kernel sandwich says.
"""

from typing import NamedTuple

import numpy as np
from jaxtyping import Bool, Float, Int
from scipy.linalg import qr
from scipy.special import ndtri

from tacit.data.dataset import DenseRows

TIE = 1e-9
"""Values of y are moved by so much, in mean absolute residuals, so that no two edges are equally good."""
GOLDEN = 0.6180339887498949
OUTSIDE = 1e-9
"""How far, in the row's weight, a dual value may lie beyond its bounds."""
BASIS_DIGITS = 1e-9
ROOT_2PI = float(np.sqrt(2.0 * np.pi))


class Vertex(NamedTuple):
    """Where the walk ended."""

    coefficients: Float[np.ndarray, " rank"]
    objective: float
    """``Σ w ρ(r)``, a sum."""
    gap: float
    """The objective less the best lower bound that is proved."""
    unique: bool
    """Whether the dual values prove that no other coefficients are as good."""
    steps: int


def pinball(residuals: Float[np.ndarray, "..."], quantile: float) -> Float[np.ndarray, "..."]:
    """``ρ(t) = max(q t, (q − 1) t)``: half the absolute value at the median."""
    return np.maximum(quantile * residuals, (quantile - 1.0) * residuals)


def finish(
    columns: Float[np.ndarray, "rows rank"],
    values: Float[np.ndarray, " rows"],
    weights: Float[np.ndarray, " rows"],
    quantile: float,
    start: Float[np.ndarray, " rank"],
    *,
    max_steps: int,
) -> Vertex:
    """Walk from coefficients near the optimum to the optimum.

    Args:
        columns: A, of full rank.
        values: y, of mean absolute value near 1.
        weights: positive.
        quantile: q.
        start: coefficients near the best.
        max_steps: most edges to walk; a vertex short of the optimum has a gap that says so.
    """
    spread = np.arange(1, len(values) + 1) * GOLDEN % 1.0 - 0.5
    walk = _Walk(columns, values + TIE * spread, weights, quantile)
    basis = _nearest_basis(columns, np.abs(values - columns @ start))
    steps, inverse, dual = 0, *walk.at(basis)
    while steps < max_steps:
        following = walk.along(basis, inverse, dual)
        if following is None:
            break
        basis, steps = following, steps + 1
        inverse, dual = walk.at(basis)
    found = inverse @ values[basis]
    residuals = values - columns @ found
    residuals[basis] = 0.0
    objective = float(weights @ pinball(residuals, quantile))
    inside = np.minimum(weights * quantile - dual, dual + weights * (1.0 - quantile))[basis]
    unique = bool(np.all(inside > OUTSIDE * weights[basis]))
    return Vertex(found, objective, duality_gap(residuals, weights, quantile, dual), unique, steps)


def duality_gap(
    residuals: Float[np.ndarray, " rows"],
    weights: Float[np.ndarray, " rows"],
    quantile: float,
    dual: Float[np.ndarray, " rows"],
) -> float:
    """``Σ w ρ(r) − Σ d r`` for the dual values, shrunk until they keep their bounds; ``Aᵀ d = 0`` is the caller's."""
    limit = np.where(dual > 0, weights * quantile, weights * (quantile - 1.0))
    share = min(1.0, float(np.min(limit / np.where(dual == 0.0, limit, dual), initial=1.0)))
    return max(0.0, float(np.sum(weights * pinball(residuals, quantile) - share * dual * residuals)))


class _Walk(NamedTuple):
    columns: np.ndarray
    values: np.ndarray
    weights: np.ndarray
    quantile: float

    def _residuals(self, basis: np.ndarray, inverse: np.ndarray) -> np.ndarray:
        residuals = self.values - self.columns @ (inverse @ self.values[basis])
        residuals[basis] = 0.0
        return residuals

    def at(self, basis: Int[np.ndarray, " rank"]) -> tuple[np.ndarray, np.ndarray]:
        """The inverse of the basis' rows, and the dual values of all rows, which solve ``Aᵀ d = 0``."""
        inverse = np.linalg.inv(self.columns[basis])
        positive = self._residuals(basis, inverse) > 0
        dual = self.weights * np.where(positive, self.quantile, self.quantile - 1.0)
        dual[basis] = 0.0
        dual[basis] = -inverse.T @ (self.columns.T @ dual)
        return inverse, dual

    def along(self, basis: np.ndarray, inverse: np.ndarray, dual: np.ndarray) -> np.ndarray | None:
        """Let the residual whose dual value breaks its bounds most leave 0, and go down that edge to its lowest point.

        That point is a weighted median. None at the optimum.
        """
        share = dual[basis] / self.weights[basis]
        beyond = np.maximum(share - self.quantile, self.quantile - 1.0 - share)
        leaving = int(np.argmax(beyond))
        if not beyond[leaving] > OUTSIDE:
            return None
        row = basis[leaving]
        up = dual[row] > 0  # the residual becomes positive
        speed = self.columns @ inverse[:, leaving] * (1.0 if up else -1.0)
        speed[basis] = 0.0
        residuals = self._residuals(basis, inverse)
        met = np.flatnonzero(residuals * speed < 0)
        if met.size == 0:
            return None
        order = met[np.argsort(-residuals[met] / speed[met], kind="stable")]
        slope = np.cumsum(self.weights[order] * np.abs(speed[order])) - self.weights[row] * beyond[leaving]
        changed = basis.copy()
        changed[leaving] = order[min(int(np.searchsorted(slope, 0.0)), order.size - 1)]
        return changed


def _nearest_basis(
    columns: Float[np.ndarray, "rows rank"], apart: Float[np.ndarray, " rows"]
) -> Int[np.ndarray, " rank"]:
    """Independent rows, as many as there are columns, with residuals as near 0 as can be."""
    rows, rank = columns.shape
    order = np.argsort(apart, kind="stable")
    many = 4 * rank + 8
    while True:
        near = order[:many]
        size = apart[near] + 1e-9
        _, _, picked = qr((columns[near] / size[:, None]).T, mode="economic", pivoting=True)
        basis = near[picked[:rank]]
        if many >= rows or _sound(columns[basis]):
            return basis if _sound(columns[basis]) else _any_basis(columns)
        many *= 4


def _any_basis(columns: Float[np.ndarray, "rows rank"]) -> Int[np.ndarray, " rank"]:
    """The rows that pivoting takes where residuals do not count."""
    return qr(columns.T, mode="r", pivoting=True)[-1][: columns.shape[1]]


def _sound(square: Float[np.ndarray, "rank rank"]) -> Bool[np.ndarray, ""] | bool:
    """Whether rows are independent beyond rounding."""
    if square.shape[0] < square.shape[1]:
        return False
    lengths = np.linalg.svd(square, compute_uv=False)
    return bool(lengths[-1] > BASIS_DIGITS * lengths[0]) if lengths.size else True


def sandwich(
    columns: Float[np.ndarray, "rows rank"],
    residuals: Float[np.ndarray, " rows"],
    weights: Float[np.ndarray, " rows"],
    quantile: float,
) -> Float[np.ndarray, "rank rank"]:
    """``q(1 − q) D⁻¹ (Σ w a aᵀ) D⁻¹`` with ``D = Σ w K_h(r) a aᵀ`` (Powell 1991; Koenker 2005, section 3.4.2).

    K is a normal kernel, its width h that of Hall & Sheather (1988). Rows need not be alike in spread. NaN where the
    residuals are all 0.

    Args:
        columns: A, of full rank.
        residuals: of the fit.
        weights: copies of a row.
        quantile: q.
    """
    total = float(weights.sum())
    spread = _spread(residuals, weights)
    if not spread > 0.0 or columns.shape[1] == 0:
        return np.full((columns.shape[1],) * 2, np.nan)
    share = hall_sheather(total, quantile)
    width = spread * float(ndtri(min(quantile + share, 0.999)) - ndtri(max(quantile - share, 0.001)))
    kernel = weights * np.exp(-0.5 * (residuals / width) ** 2) / (width * ROOT_2PI)
    rows = DenseRows(columns)
    bread, middle = (
        sum(part.T @ (heavy[place, None] * part) for place, part in rows.slices()) for heavy in (kernel, weights)
    )
    half = np.linalg.pinv(bread, hermitian=True)
    return quantile * (1.0 - quantile) * half @ middle @ half


def hall_sheather(total: float, quantile: float) -> float:
    """The width of the kernel, as a share of the rows: ``n^{-1/3} z^{2/3} [1.5 φ(x)²/(2x² + 1)]^{1/3}``, x = Φ⁻¹(q)."""
    x = float(ndtri(quantile))
    density = np.exp(-0.5 * x * x) / ROOT_2PI
    return float(total ** (-1 / 3) * ndtri(0.975) ** (2 / 3) * (1.5 * density**2 / (2 * x * x + 1)) ** (1 / 3))


def _spread(residuals: np.ndarray, weights: np.ndarray) -> float:
    """The smaller of standard deviation and interquartile range / 1.349, of weighted residuals; 0 if both are."""
    order = np.argsort(residuals)
    below = np.cumsum(weights[order]) / weights.sum()
    quarters = [residuals[order][min(int(np.searchsorted(below, p)), order.size - 1)] for p in (0.25, 0.75)]
    mean = np.average(residuals, weights=weights)
    deviation = float(np.sqrt(np.average((residuals - mean) ** 2, weights=weights)))
    between = float(quarters[1] - quarters[0]) / float(ndtri(0.75) - ndtri(0.25))
    return min(deviation, between) if between > 0 else deviation
