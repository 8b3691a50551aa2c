"""Polychoric correlations: ordinal columns as cut normal variables (Pearson 1900; Olsson 1979).

A column with levels 1 … L is a standard normal variable seen through thresholds ``τ_1 < … < τ_{L−1}``; two columns are
a bivariate normal with correlation ρ. In two steps: thresholds from the margins, ``τ_l = Φ⁻¹(share at or below l)``,
then for each pair the ρ that maximises ``Σ_ij n_ij log π_ij(ρ)``, where π_ij is the probability of the cell. With two
levels a column it is the tetrachoric correlation.
"""

import dataclasses
from collections.abc import Sequence

import numpy as np
from jaxtyping import Float
from scipy.special import ndtr, ndtri, owens_t

MOST_LEVELS = 50
"""A column of more levels is a measurement: its correlations need no thresholds."""
BOUND = 1.0 - 1e-6
"""How close to 1 a correlation is followed where its likelihood still rises there."""
STEPS, QUICK, TOLERANCE = 150, 12, 1e-13
"""Of the search for a correlation: steps at most, those after which every other one halves its bracket, and its end."""
LEAST = 1e-15
"""The arithmetic of a cell's probability, which is a sum of four, ends here."""
CELLS = 2_000_000
"""Cells of tables that are held at once."""
ROWS = 8192


@dataclasses.dataclass(frozen=True, eq=False)
class Polychoric:
    """Correlations of the normal variables behind ordinal columns.

    Attributes:
        correlations: symmetric, 1 on the diagonal; pair by pair, so that they need not be positive semi-definite.
        thresholds: of each column, one fewer than its levels.
        levels: of each column, in their order.
        weights: the rows that each pair has in common, by their weights.
        at_bound: pairs of columns whose likelihood rises towards 1 or −1.
        corrected: pairs whose table of two by two had an empty cell that was corrected.
        least_eigenvalue: of the correlations as the pairs give them; below 0 they are those of no distribution.
    """

    correlations: Float[np.ndarray, "dims dims"]
    thresholds: tuple[np.ndarray, ...]
    levels: tuple[np.ndarray, ...]
    weights: Float[np.ndarray, "dims dims"]
    at_bound: tuple[tuple[int, int], ...]
    corrected: tuple[tuple[int, int], ...]
    least_eigenvalue: float


def polychoric(
    X: Float[np.ndarray, "rows dims"],
    weights: Float[np.ndarray, " rows"] | None = None,
    *,
    correction: float = 0.5,
    positive_semidefinite: bool = False,
    names: Sequence[str] | None = None,
) -> Polychoric:
    """Polychoric correlations of all pairs of columns, in two steps.

    Args:
        X: levels as numbers, of which only the order counts; NaN where missing. Thresholds are those of all rows that
            have the column, tables those of the rows that have both.
        weights: a weight a row; 2 is the same as two copies.
        correction: what stands in for the empty cell of a two-by-two table, whose ρ is else 1 or −1 (R's psych: 0.5);
            0 for nothing. Larger tables may have empty cells, and are left as they are.
        positive_semidefinite: whether the correlations are made so, by `semidefinite`.
        names: of the columns, for what is told.

    Raises:
        ValueError: a column without a value, with one level alone, or with very many; two columns that no row has both.
    """
    rows = np.asarray(X, np.float64)
    called = [f"column {place}" for place in range(rows.shape[1])] if names is None else [repr(name) for name in names]
    if not correction >= 0:
        raise ValueError(f"correction must be 0 or more, got {correction}")
    weight = np.ones(len(rows)) if weights is None else np.asarray(weights, np.float64)
    rows, weight = rows[weight > 0], weight[weight > 0]
    levels, codes = _coded(rows, called)
    widest = max((len(each) for each in levels), default=2)
    tables = _tables(codes, weight, widest)
    counts = tables.sum((1, 3))
    for i, j in np.argwhere(counts == 0):
        raise ValueError(f"{called[i]} and {called[j]} have no row in common: leave one of them out")
    seen = np.einsum("iaia->ia", tables)  # the margins
    cuts = np.full((len(levels), widest + 1), np.inf)
    cuts[:, 0] = -np.inf
    for place, each in enumerate(levels):
        shares = seen[place, : len(each)].cumsum()
        cuts[place, 1 : len(each)] = ndtri(shares[:-1] / shares[-1])
    first, second = np.triu_indices(len(levels), 1)
    pairs = tables[first, :, second, :]
    small = np.array([len(each) == 2 for each in levels], bool)
    empty = (pairs[:, :2, :2] == 0).any((1, 2)) & small[first] & small[second] & (correction > 0)
    pairs[empty, :2, :2] = np.where(pairs[empty, :2, :2] == 0, correction, pairs[empty, :2, :2])
    size = max(1, CELLS // (widest + 1) ** 2)
    parts = [slice(at, at + size) for at in range(0, len(first), size)]
    found = [_correlations(pairs[part], cuts[first[part]], cuts[second[part]]) for part in parts]
    values = np.concatenate(found) if found else np.zeros(0)
    correlations = np.eye(len(levels))
    correlations[first, second] = correlations[second, first] = values
    return Polychoric(
        semidefinite(correlations) if positive_semidefinite else correlations,
        tuple(cut[1 : len(each)] for cut, each in zip(cuts, levels, strict=True)),
        levels,
        counts,
        tuple((int(i), int(j)) for i, j in zip(first, second, strict=True) if abs(correlations[i, j]) >= BOUND),
        tuple((int(i), int(j)) for i, j in zip(first[empty], second[empty], strict=True)),
        float(np.linalg.eigvalsh(correlations).min(initial=1.0)),
    )


def semidefinite(correlations: Float[np.ndarray, "dims dims"]) -> Float[np.ndarray, "dims dims"]:
    """Correlations without eigenvalues below 0: these become 0 (to the arithmetic), and the diagonal 1 again."""
    values, vectors = np.linalg.eigh(correlations)
    if values.min(initial=0.0) >= 0:
        return correlations
    made = (vectors * np.maximum(values, 1e-10)) @ vectors.T
    scale = np.sqrt(np.diagonal(made))
    made = made / np.outer(scale, scale)
    np.fill_diagonal(made, 1.0)
    return (made + made.T) / 2


def bivariate_normal_cdf(
    h: Float[np.ndarray, "*any"], k: Float[np.ndarray, "*any"], rho: Float[np.ndarray, "*any"]
) -> Float[np.ndarray, "*any"]:
    """``P(X ≤ h, Y ≤ k)`` of standard normals with correlation ρ, to some 1e-15; h and k may be infinite.

    ``½ Φ(h) + ½ Φ(k) − T(h, (k − ρh) / (h √(1−ρ²))) − T(k, (h − ρk) / (k √(1−ρ²))) − ½ [hk < 0, or hk = 0 > h + k]``
    with Owen's T (Owen 1956, eq. 2.1).
    """
    slack = np.sqrt((1.0 - rho) * (1.0 + rho))
    finite = np.isfinite(h) & np.isfinite(k)
    one, other = np.where(finite, h, 1.0), np.where(finite, k, 1.0)

    def owen(here: np.ndarray, there: np.ndarray) -> np.ndarray:
        across, along = there - rho * here, here * slack
        safe = np.where(along == 0, 1.0, along)
        steep = np.where(across == 0, 0.0, np.copysign(np.inf, across) * np.where(here < 0, -1.0, 1.0))
        return owens_t(here, np.where(along == 0, steep, across / safe))

    opposed = (one * other < 0) | ((one * other == 0) & (one + other < 0))
    inside = 0.5 * (ndtr(one) + ndtr(other)) - owen(one, other) - owen(other, one) - 0.5 * opposed
    inside = np.where((one == 0) & (other == 0), 0.25 + np.arcsin(rho) / (2 * np.pi), inside)
    # at an end one of them decides: P(X ≤ ∞, Y ≤ k) = Φ(k), P(X ≤ −∞, Y ≤ k) = 0
    return np.where(finite, np.maximum(inside, 0.0), np.minimum(ndtr(h), ndtr(k)))


def _coded(rows: np.ndarray, called: Sequence[str]) -> tuple[tuple[np.ndarray, ...], np.ndarray]:
    """The levels of every column, and their places in it; −1 where missing."""
    levels, codes = [], np.full(rows.shape, -1)
    for place, name in enumerate(called):
        there = ~np.isnan(rows[:, place])
        found, codes[there, place] = np.unique(rows[there, place], return_inverse=True)
        if len(found) < 2:
            only = "has no value" if not len(found) else "has one level alone"
            raise ValueError(f"{name} {only}, and correlates with nothing: leave it out")
        if len(found) > MOST_LEVELS:
            raise ValueError(
                f"{name} has {len(found)} levels; polychoric correlations are of columns with a few (at most "
                f"{MOST_LEVELS}): leave it out, group its values, or take ordinary correlations"
            )
        levels.append(found)
    return tuple(levels), codes


def _tables(codes: np.ndarray, weight: np.ndarray, widest: int) -> np.ndarray:
    """The tables of all pairs at once, ``(dims, levels, dims, levels)``, as one product of indicators."""
    dims = codes.shape[1]
    total = np.zeros((dims * widest, dims * widest))
    for at in range(0, len(codes), ROWS):
        indicators = (codes[at : at + ROWS, :, None] == np.arange(widest)).reshape(-1, dims * widest).astype(float)
        total += (indicators * weight[at : at + ROWS, None]).T @ indicators
    return total.reshape(dims, widest, dims, widest)


def _cells(one: np.ndarray, other: np.ndarray, rho: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Probabilities of the cells and their derivatives in ρ, ``dΦ₂/dρ = φ₂`` (Plackett 1954), of every pair."""
    h, k, r = np.broadcast_arrays(one[:, :, None], other[:, None, :], rho[:, None, None])
    finite = np.isfinite(h) & np.isfinite(k)
    a, b, left = np.where(finite, h, 0.0), np.where(finite, k, 0.0), (1.0 - r) * (1.0 + r)
    density = np.exp(-(a**2 - 2 * r * a * b + b**2) / (2 * left)) / (2 * np.pi * np.sqrt(left)) * finite

    def cells(corners: np.ndarray) -> np.ndarray:
        return np.diff(np.diff(corners, axis=1), axis=2)

    return cells(bivariate_normal_cdf(h, k, r)), cells(density)


def _correlations(tables: np.ndarray, one: np.ndarray, other: np.ndarray) -> np.ndarray:
    """The ρ of every table: Fisher's scoring, kept within a bracket that the sign of the slope narrows.

    Where the expected information is far from the observed one (few rows, empty cells) scoring creeps, or leaps: the
    bracket is then halved, on the scale of ``artanh ρ``.
    """
    end = np.arctanh(BOUND)
    low, high, rho = np.full(len(tables), -end), np.full(len(tables), end), np.zeros(len(tables))
    active = np.arange(len(tables))
    for number in range(STEPS):
        chance, change = _cells(one[active], other[active], rho[active])
        chance = np.maximum(chance, LEAST)
        count = tables[active]
        slope = (count * change / chance).sum((1, 2))
        information = count.sum((1, 2)) * (change**2 / chance).sum((1, 2))
        here = np.arctanh(rho[active])
        low[active], high[active] = np.where(slope > 0, here, low[active]), np.where(slope > 0, high[active], here)
        step = rho[active] + np.divide(slope, information, out=np.zeros_like(slope), where=information > 0)
        inside = (step > np.tanh(low[active])) & (step < np.tanh(high[active])) & (information > 0)
        inside &= number < QUICK or number % 2 == 0
        after = np.where(inside, step, np.tanh((low[active] + high[active]) / 2))
        after = np.where(slope == 0, rho[active], after)
        moved = np.abs(after - rho[active])
        rho[active] = after
        active = active[moved > TOLERANCE]
        if not active.size:
            break
    return np.where(end - np.abs(np.arctanh(rho)) < 1e-3, np.copysign(BOUND, rho), rho)
