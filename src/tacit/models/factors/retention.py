"""How many factors a correlation matrix holds: eigenvalues beside those of noise, partial correlations, adequacy."""

from typing import NamedTuple

import numpy as np
from jaxtyping import Bool, Float
from scipy.special import gammaincc

COMMUNALITIES = ("one-factor", "smc")
FLAT = 1e-8
"""An eigenvalue below this is 0 where a matrix is inverted."""
SINGULAR = 1e-10
HELD = 2_000_000
"""Entries of drawn matrices or rows that are held at once."""
PASSES, ROUND, STILL = 50, 10, 1e-8
"""Of the search for one factor: rounds of so many passes at most, until no loading moves more."""
LARGEST = 0.995
"""The largest communality of one factor, as in R's psych."""


class SphericityTest(NamedTuple):
    """Bartlett's (1950) test that no two columns correlate: χ², its degrees of freedom, and the p-value."""

    statistic: float
    degrees_of_freedom: int
    p_value: float


def pairwise_correlations(
    rows: Float[np.ndarray, "rows dims"], weights: Float[np.ndarray, " rows"]
) -> tuple[Float[np.ndarray, "dims dims"], Float[np.ndarray, "dims dims"]]:
    """Each correlation from the rows that have both columns, and the weight of those rows; NaN where one is constant.

    Args:
        rows: NaN where missing; best centred, for sums of squares are taken.
        weights: a weight a row.
    """
    there = (~np.isnan(rows)).astype(np.float64)
    held = np.nan_to_num(rows)
    heavy = held * weights[:, None]
    count = (there * weights[:, None]).T @ there
    return _correlations(count, heavy.T @ there, (heavy * held).T @ there, heavy.T @ held), count


def _correlations(count: np.ndarray, sums: np.ndarray, squares: np.ndarray, products: np.ndarray) -> np.ndarray:
    """Correlations from ``Σ x_i``, ``Σ x_i²`` and ``Σ x_i x_j`` over the rows that have i and j."""
    spread = count * squares - sums**2
    spread = np.where(spread > 1e-12 * count * squares, spread, np.nan)
    made = (count * products - sums * np.swapaxes(sums, -1, -2)) / np.sqrt(spread * np.swapaxes(spread, -1, -2))
    dims = made.shape[-1]
    made[..., np.arange(dims), np.arange(dims)] = 1.0
    return made


def reduced_eigenvalues(
    correlations: Float[np.ndarray, "*draws dims dims"], communalities: str
) -> Float[np.ndarray, "*draws dims"]:
    """Eigenvalues of what the columns share: communalities stand on the diagonal; in decreasing order."""
    shared = _one_factor(correlations) if communalities == "one-factor" else _multiple(correlations)
    reduced = correlations.copy()
    dims = correlations.shape[-1]
    reduced[..., np.arange(dims), np.arange(dims)] = shared
    return np.linalg.eigvalsh(reduced)[..., ::-1]


def _multiple(correlations: np.ndarray) -> np.ndarray:
    """Squared multiple correlations ``1 − 1 / (R⁻¹)_jj`` (Guttman 1956): what the other columns tell of each."""
    values, vectors = np.linalg.eigh(correlations)
    inverse = (vectors**2 / np.maximum(values, FLAT)[..., None, :]).sum(-1)
    return np.clip(1.0 - 1.0 / inverse, 0.0, 1.0)


def _one_factor(correlations: np.ndarray) -> np.ndarray:
    """Communalities ``λ_j²`` of the one factor that leaves the least ``Σ_{i≠j} (r_ij − λ_i λ_j)²`` (Comrey 1962).

    Loading by loading, ``λ_i = Σ_{j≠i} r_ij λ_j / Σ_{j≠i} λ_j²``, of all matrices at once; those that stand still
    are left.
    """
    dims, most = correlations.shape[-1], np.sqrt(LARGEST)
    matrices = correlations.reshape(-1, dims, dims)
    values, vectors = np.linalg.eigh(matrices)
    loadings = np.clip(vectors[..., -1] * np.sqrt(values[..., -1:]), -most, most)
    active = np.arange(len(matrices))
    for _ in range(PASSES):
        held, before = matrices[active], loadings[active]
        now = before.copy()
        for _ in range(ROUND):
            before = now.copy()
            for i in range(dims):
                squares = (now**2).sum(-1) - now[:, i] ** 2
                inner = np.einsum("bj,bj->b", held[:, i], now) - now[:, i]
                now[:, i] = np.clip(inner / np.maximum(squares, np.finfo(float).tiny), -most, most)
        loadings[active] = now
        active = active[np.abs(now - before).max(-1, initial=0.0) > STILL]
        if not active.size:
            break
    return (loadings**2).reshape(correlations.shape[:-1])


def partial_squares(
    correlations: Float[np.ndarray, "dims dims"],
) -> tuple[Float[np.ndarray, " dims"], Float[np.ndarray, " dims"]]:
    """Velicer's (1976) MAP: the mean squared correlation that is left once 0, 1, … components are partialled out.

    Its least is where components stop to hold what columns share. The second array has fourth powers (Velicer, Eaton &
    Fava 2000). NaN from where on a column is spent.
    """
    dims = len(correlations)
    values, vectors = np.linalg.eigh(correlations)
    components = (vectors * np.sqrt(np.maximum(values, 0.0))).T[::-1]
    found, left, pairs = np.full((2, dims), np.nan), correlations.copy(), dims * (dims - 1)
    for number in range(dims):
        rest = np.diagonal(left)
        if rest.min() < FLAT:
            break
        squared = left**2 / np.outer(rest, rest)
        np.fill_diagonal(squared, 0.0)
        found[:, number] = squared.sum() / pairs, (squared**2).sum() / pairs
        left = left - np.outer(components[number], components[number])
    return found[0], found[1]


def sampling_adequacy(correlations: Float[np.ndarray, "dims dims"]) -> tuple[float, Float[np.ndarray, " dims"]]:
    """KMO (Kaiser 1970, 1974): ``Σ r² / (Σ r² + Σ p²)`` over pairs, p their partial correlations; and of every column.

    NaN where the matrix has no inverse.
    """
    dims = len(correlations)
    if is_singular(correlations):
        return float("nan"), np.full(dims, np.nan)
    inverse = np.linalg.inv(correlations)
    partial = inverse**2 / np.outer(np.diagonal(inverse), np.diagonal(inverse))
    squared = correlations**2
    for each in (partial, squared):
        np.fill_diagonal(each, 0.0)
    total = np.maximum(squared + partial, np.finfo(float).tiny)
    return float(squared.sum() / total.sum()), squared.sum(0) / total.sum(0)


def sphericity(correlations: Float[np.ndarray, "dims dims"], n: float) -> SphericityTest:
    """Bartlett's test (1950): ``−(n − 1 − (2D + 5)/6) log |R|`` against χ² of ``D (D − 1) / 2`` degrees of freedom."""
    dims = len(correlations)
    freedom = dims * (dims - 1) // 2
    if is_singular(correlations):
        return SphericityTest(float("nan"), freedom, float("nan"))
    statistic = -(n - 1.0 - (2 * dims + 5) / 6) * float(np.linalg.slogdet(correlations)[1])
    return SphericityTest(statistic, freedom, float(gammaincc(freedom / 2, max(statistic, 0.0) / 2)))


def is_singular(correlations: Float[np.ndarray, "dims dims"]) -> bool:
    """Whether an eigenvalue is 0 or below."""
    return bool(np.linalg.eigvalsh(correlations).min() < SINGULAR)


def above(eigenvalues: Float[np.ndarray, " dims"], noise: Float[np.ndarray, " dims"]) -> int:
    """How many eigenvalues, from the first on without a break, exceed those of noise."""
    return int(np.cumprod(eigenvalues > noise).sum())


def parallel(
    n: float,
    dims: int,
    there: Bool[np.ndarray, "rows dims"] | None,
    draws: int,
    communalities: str,
    random: np.random.Generator,
) -> tuple[Float[np.ndarray, "draws dims"], Float[np.ndarray, "draws dims"]]:
    """Eigenvalues of tables of independent normal columns (Horn 1965): whole, and of what they share.

    Args:
        n: rows of each table; a matrix of scatter is drawn at once where they exceed the columns.
        dims: its columns.
        there: where the tables have values, if they have gaps.
        draws: how many tables.
        communalities: as in `reduced_eigenvalues`.
        random: what everything is drawn from.
    """
    size = max(1, HELD // dims**2)
    whole, shared = [], []
    for at in range(0, draws, size):
        number = min(size, draws - at)
        if there is not None:
            made = np.stack([_with_gaps(there, random) for _ in range(number)])
        elif n > dims:
            made = _scattered(n, dims, number, random)
        else:
            made = np.stack([np.corrcoef(random.normal(size=(round(n), dims)), rowvar=False) for _ in range(number)])
        whole.append(np.linalg.eigvalsh(made)[:, ::-1])
        shared.append(reduced_eigenvalues(made, communalities))
    return np.concatenate(whole), np.concatenate(shared)


def _scattered(n: float, dims: int, draws: int, random: np.random.Generator) -> np.ndarray:
    """Correlations of n independent normal rows, by the triangular factor of their scatter (Bartlett 1933)."""
    factor = np.tril(random.normal(size=(draws, dims, dims)), -1)
    places = np.arange(dims)
    factor[:, places, places] = np.sqrt(random.chisquare(n - 1.0 - places, size=(draws, dims)))
    factor /= np.sqrt((factor**2).sum(-1, keepdims=True))
    made = factor @ np.swapaxes(factor, 1, 2)
    made[:, places, places] = 1.0
    return made


def _with_gaps(there: np.ndarray, random: np.random.Generator) -> np.ndarray:
    """Pairwise correlations of independent normal columns with these gaps."""
    dims = there.shape[1]
    count, sums, squares, products = np.zeros((4, dims, dims))
    for at in range(0, len(there), max(1, HELD // dims)):
        seen = there[at : at + max(1, HELD // dims)].astype(np.float64)
        rows = random.normal(size=seen.shape) * seen
        count += seen.T @ seen
        sums += rows.T @ seen
        squares += (rows**2).T @ seen
        products += rows.T @ rows
    return _correlations(count, sums, squares, products)
