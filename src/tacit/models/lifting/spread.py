"""How sure the coefficients of a quantile regression are: Powell's kernel sandwich."""

import numpy as np
from jaxtyping import Float
from scipy.special import ndtri

ROOT_2PI = float(np.sqrt(2.0 * np.pi))


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
    bread = columns.T @ (kernel[:, None] * columns)
    half = np.linalg.pinv(bread, hermitian=True)
    return quantile * (1.0 - quantile) * half @ (columns.T @ (weights[:, None] * columns)) @ half


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
