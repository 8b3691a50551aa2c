"""``number_of_factors``: how many factors or principal components a table holds, before any is fitted."""

import dataclasses
from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa
from numpy.typing import ArrayLike
from sklearn.base import BaseEstimator

from tacit import plots
from tacit.compute import eagerly
from tacit.data.frames import feature_names, from_frame
from tacit.data.results import TableResult
from tacit.estimators.base import Seed, check_choice, check_whole, read_data, seed_of, weighted
from tacit.estimators.capabilities import MatrixLike
from tacit.models.factors import retention
from tacit.models.factors.retention import SphericityTest
from tacit.models.factors.sequence import Sequence, sequence

LEAST_ROWS = 3
"""With two rows every correlation is 1 or −1."""
DRAWN = 4_000_000
"""Cells of a table of noise beyond which its gaps are not drawn: they make no difference there."""
MANY = 500
"""Columns from which on several threads gain more than they cost."""
WORDS = ((0.9, "marvellous"), (0.8, "meritorious"), (0.7, "middling"), (0.6, "mediocre"), (0.5, "miserable"))
"""Kaiser's (1974) words for KMO, a convention."""
_READER = type("number_of_factors", (BaseEstimator,), {})
"""In whose name rows are read, and refused."""


@dataclasses.dataclass(frozen=True, eq=False)
class NumberOfFactors(TableResult):
    """What several methods say of how many factors there are, and what they say it from.

    Attributes:
        names: of the columns.
        correlation: of the columns ``(d, d)``; with gaps each from the rows that have both.
        n: rows, by their weights; with gaps the harmonic mean of what the pairs of columns have.
        eigenvalues: of the correlation matrix ``(d,)``, in decreasing order.
        reduced_eigenvalues: of the same matrix with communalities on its diagonal: of what the columns share.
        parallel_components: the quantile of the eigenvalues of noise, place by place.
        parallel_components_mean: their mean.
        parallel_factors: the quantile of the reduced eigenvalues of noise.
        parallel_factors_mean: their mean.
        map: Velicer's mean squared partial correlation after 0, 1, …, d − 1 components; NaN once one is spent.
        map_fourth_power: the same of fourth powers, the revised MAP.
        kmo: Kaiser, Meyer and Olkin's measure of sampling adequacy; NaN where the matrix has no inverse.
        kmo_columns: the same of every column ``(d,)``.
        bartlett: the test of sphericity: ``statistic``, ``degrees_of_freedom``, ``p_value``.
        bic: of factor models of 0, 1, 2, … factors by maximum likelihood, lower is better; None where the matrix has no
            inverse.
        p_values: of their likelihood ratios against the free covariance; likewise.
        draws: tables of noise.
        quantile: of their eigenvalues, that those of the table must exceed.
        seed: what they were drawn with; given as ``random_state`` it draws them again.
        communalities: what stands on the diagonal of the reduced matrices: "one-factor" or "smc".
        notes: what to mind.
    """

    names: tuple[str, ...]
    correlation: np.ndarray
    n: float
    eigenvalues: np.ndarray
    reduced_eigenvalues: np.ndarray
    parallel_components: np.ndarray
    parallel_components_mean: np.ndarray
    parallel_factors: np.ndarray
    parallel_factors_mean: np.ndarray
    map: np.ndarray
    map_fourth_power: np.ndarray
    kmo: float
    kmo_columns: np.ndarray
    bartlett: SphericityTest
    bic: np.ndarray | None
    p_values: np.ndarray | None
    draws: int
    quantile: float
    seed: int
    communalities: str
    notes: tuple[str, ...]

    @property
    def suggested(self) -> dict[str, int]:
        """The number that each method suggests.

        "kaiser", eigenvalues above 1, is a mere convention, often too many; "likelihood_ratio", the first number whose
        factors leave no more than chance (p ≥ 0.05), grows with the rows, and is not there where none does.
        """
        fits = None if self.bic is None or self.p_values is None else Sequence(self.bic, self.p_values)
        by_likelihood = {} if fits is None else {"bic": fits.by_bic}
        if fits is not None and fits.by_ratio is not None:
            by_likelihood["likelihood_ratio"] = fits.by_ratio
        return {
            "parallel_factors": retention.above(self.reduced_eigenvalues, self.parallel_factors),
            "parallel_components": retention.above(self.eigenvalues, self.parallel_components),
            "map": int(np.nanargmin(self.map)),
            "map_fourth_power": int(np.nanargmin(self.map_fourth_power)),
            "kaiser": int((self.eigenvalues > 1.0).sum()),
            **by_likelihood,
        }

    def to_arrow(self) -> pa.Table:
        """A line a number of factors: eigenvalues beside those of noise, and what MAP leaves after so many."""
        columns = {
            "number": np.arange(1, len(self.names) + 1),
            "eigenvalue": self.eigenvalues,
            "parallel_components_mean": self.parallel_components_mean,
            "parallel_components": self.parallel_components,
            "reduced_eigenvalue": self.reduced_eigenvalues,
            "parallel_factors_mean": self.parallel_factors_mean,
            "parallel_factors": self.parallel_factors,
            "map": np.append(self.map[1:], np.nan),
            "map_fourth_power": np.append(self.map_fourth_power[1:], np.nan),
            "bic": self._by_number(self.bic),
            "p_value": self._by_number(self.p_values),
        }
        return pa.table({name: pa.array(values, from_pandas=True) for name, values in columns.items()})

    def _by_number(self, values: np.ndarray | None) -> np.ndarray:
        """Of 1, 2, … factors, NaN where there is none."""
        found = np.full(len(self.names), np.nan)
        if values is not None:
            found[: len(values) - 1] = values[1:]
        return found

    def headline(self) -> str:
        """What the methods suggest."""
        return str(self)

    def __str__(self) -> str:
        found = self.suggested
        factors = _counted(found["parallel_factors"], "factor")
        components = _counted(found["parallel_components"], "principal component")
        lines = [
            f"Parallel analysis suggests {factors} and {components} ({self.draws} draws, quantile {self.quantile:g}, "
            f"seed {self.seed}). Velicer's MAP suggests {found['map']}, with fourth powers {found['map_fourth_power']}."
            f" Kaiser's rule, a convention, counts {_counted(found['kaiser'], 'eigenvalue')} above 1.",
            self._likelihood(found),
            self._adequacy(),
            *self.notes,
        ]
        return "\n".join(line for line in lines if line)

    def _likelihood(self, found: dict[str, int]) -> str:
        if "bic" not in found:
            return ""
        ratio = found.get("likelihood_ratio")
        said = (
            f"{ratio} leave no more than chance" if ratio is not None else "all that were tried leave more than chance"
        )
        return f"Of factors fitted by maximum likelihood BIC prefers {found['bic']}; {said}."

    def _adequacy(self) -> str:
        if np.isnan(self.kmo):
            return ""
        word = next((word for least, word in WORDS if self.kmo >= least), "unacceptable")
        chance = self.bartlett.p_value
        return (
            f"KMO {self.kmo:.2f} ({word}, as Kaiser's convention has it), lowest {self.kmo_columns.min():.2f} "
            f"({self.names[int(self.kmo_columns.argmin())]}); Bartlett's test that no columns correlate: χ² "
            f"{self.bartlett.statistic:,.1f} on {self.bartlett.degrees_of_freedom}, p "
            f"{'< 0.001' if chance < 0.001 else f'= {chance:.3f}'}."
        )

    def plot(self) -> Any:
        """A matplotlib ``Figure``: both screes, with the line of parallel analysis."""
        found = self.suggested
        return plots.scree(
            self.eigenvalues,
            self.reduced_eigenvalues,
            components_of_noise=self.parallel_components,
            factors_of_noise=self.parallel_factors,
            suggested=(found["parallel_components"], found["parallel_factors"]),
            noise=f"noise, {100 * self.quantile:g} % of draws",
        )


def _counted(number: int, what: str) -> str:
    return f"{number} {what}{'' if number == 1 else 's'}"


def number_of_factors(
    X: MatrixLike | None = None,
    *,
    correlation: ArrayLike | None = None,
    n: float | None = None,
    sample_weight: ArrayLike | None = None,
    draws: int = 200,
    quantile: float = 0.95,
    communalities: str = "one-factor",
    random_state: Seed = 0,
) -> NumberOfFactors:
    """How many factors: parallel analysis (Horn 1965), Velicer's MAP (1976, 2000), Kaiser's rule; KMO and Bartlett.

    Parallel analysis keeps what exceeds tables of noise, of the same size, gaps and weights, whose columns are
    independent normals: of principal components the eigenvalues of the correlation matrix, of common factors those of
    what the columns share. The two answer different questions, and stand apart.

    Args:
        X: rows ``(n, d)``, numbers; with gaps each correlation is taken from the rows that have both columns.
        correlation: a correlation or covariance matrix in place of rows, such as a published one or polychoric
            correlations.
        n: the rows that it comes from.
        sample_weight: a weight a row; 2 is the same as two copies.
        draws: tables of noise.
        quantile: of their eigenvalues.
        communalities: on the diagonal of the reduced matrices: "one-factor", those of a single factor of least squares
            (the default of R's ``psych::fa.parallel``), or "smc", squared multiple correlations (Humphreys & Ilgen
            1969), which with many rows let small factors pass.
        random_state: seed.

    Raises:
        ValueError: neither rows nor a matrix; fewer than three rows; a column that is constant or without a value; two
            columns that fewer than three rows share, or one of which is constant in them; a matrix that is none of
            correlations.
    """
    check_whole("draws", draws, 1)
    check_choice("communalities", communalities, retention.COMMUNALITIES)
    if not 0.0 < quantile < 1.0:
        raise ValueError(f"quantile must lie between 0 and 1, got {quantile}")
    if (X is None) == (correlation is None):
        raise ValueError("give either rows X, or correlation= and n=")
    if X is not None and n is not None:
        raise ValueError("n goes with correlation=; rows count themselves, and their weights")
    if X is None and sample_weight is not None:
        raise ValueError("sample_weight goes with rows X; give the rows of a matrix as n=")
    given = _of_matrix(correlation, n) if X is None else _of_rows(X, sample_weight)
    if len(given.names) < 2:
        raise ValueError("one column correlates with nothing: give at least two")
    seed = random_state if isinstance(random_state, int | np.integer) else seed_of(random_state).integers(2**31)
    noise = _Noise(draws, quantile, int(seed), communalities)
    with eagerly(len(given.names) < MANY):
        return _by_all(given, noise)


class _Given(NamedTuple):
    """Correlations, how many rows stand behind them, where tables of noise have values, and what to mind."""

    names: tuple[str, ...]
    matrix: np.ndarray
    n: float
    there: np.ndarray | None = None
    notes: tuple[str, ...] = ()


@dataclasses.dataclass(frozen=True)
class _Noise:
    """How tables of noise are drawn and used."""

    draws: int
    quantile: float
    seed: int
    communalities: str


def _by_all(given: _Given, noise: _Noise) -> NumberOfFactors:
    """What all methods say."""
    names, matrix, n = given.names, given.matrix, given.n
    random = np.random.default_rng(noise.seed)
    whole, shared = retention.parallel(n, len(names), given.there, noise.draws, noise.communalities, random)
    partial, fourth = retention.partial_squares(matrix)
    fits = sequence(matrix, n)
    kmo, kmo_columns = retention.sampling_adequacy(matrix)
    return NumberOfFactors(
        names=names,
        correlation=matrix,
        n=n,
        eigenvalues=np.linalg.eigvalsh(matrix)[::-1],
        reduced_eigenvalues=retention.reduced_eigenvalues(matrix, noise.communalities),
        parallel_components=np.quantile(whole, noise.quantile, axis=0),
        parallel_components_mean=whole.mean(0),
        parallel_factors=np.quantile(shared, noise.quantile, axis=0),
        parallel_factors_mean=shared.mean(0),
        map=partial,
        map_fourth_power=fourth,
        kmo=kmo,
        kmo_columns=kmo_columns,
        bartlett=retention.sphericity(matrix, n),
        bic=None if fits is None else fits.bic,
        p_values=None if fits is None else fits.p_value,
        notes=(*given.notes, *_of_singular(matrix, names)),
        **dataclasses.asdict(noise),
    )


def _of_rows(X: MatrixLike, sample_weight: ArrayLike | None) -> _Given:
    """Pairwise correlations of rows."""
    reader = _READER()
    data = weighted(read_data(reader, _framed(X), reset=True, minimum=LEAST_ROWS), sample_weight)
    rows, weights = np.asarray(data.rows(), np.float64), np.asarray(data.weights, np.float64)
    rows, weights = rows[weights > 0], weights[weights > 0]
    given = vars(reader).get("feature_names_in_")
    names = tuple(f"column {place}" for place in range(rows.shape[1])) if given is None else tuple(map(str, given))
    seen = ~np.isnan(rows)
    for place, name in enumerate(names):
        values = rows[seen[:, place], place]
        if not values.size:
            raise ValueError(f"{name!r} has no value: leave it out")
        if values.min() == values.max():
            raise ValueError(f"{name!r} is constant ({values[0]:g}), and correlates with nothing: leave it out")
    total = float(weights.sum())
    if total < LEAST_ROWS:
        raise ValueError(f"the weights sum to {total:g}; they count rows, of which it takes {LEAST_ROWS} at least")
    scaled = (rows - np.nanmean(rows, 0)) / np.nanstd(rows, 0)
    matrix, count = retention.pairwise_correlations(scaled, weights)
    for i, j in np.argwhere(np.triu((count < LEAST_ROWS) | np.isnan(matrix), 1)):
        what = f"have {count[i, j]:g} rows in common" if count[i, j] < LEAST_ROWS else "vary in no row that has both"
        raise ValueError(f"{names[i]!r} and {names[j]!r} {what}: leave one of them out")
    if seen.all():
        return _Given(names, matrix, total)
    pairs = count[np.triu_indices(len(names), 1)]
    n = float(len(pairs) / (1.0 / pairs).sum()) if pairs.size else total
    missing = f"{int((~seen).sum()):,} of {seen.size:,} cells are missing"
    there = _as_rows(seen, weights) if total * len(names) <= DRAWN else None
    return _Given(names, matrix, n, there, (f"{missing}: each correlation is from the rows that have both.",))


def _framed(X: MatrixLike) -> Any:
    """Rows as they are read; a mapping is a frame, and of an array the place of infinity is told."""
    if isinstance(X, np.ndarray) and X.ndim == 2 and X.dtype.kind == "f":
        for row, column in np.argwhere(np.isinf(X)):
            raise ValueError(f"column {column} holds infinity in row {row}: a missing entry is NaN")
    return from_frame(X) if isinstance(X, Mapping) else X


def _as_rows(seen: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """The gaps of as many rows as the weights count: copies of each, or in proportion where weights are fractions."""
    ends = np.cumsum(weights)
    number = max(LEAST_ROWS, round(float(ends[-1])))
    places = np.searchsorted(ends, (np.arange(number) + 0.5) * ends[-1] / number)
    return seen[np.minimum(places, len(seen) - 1)]


def _of_matrix(correlation: Any, n: float | None) -> _Given:
    """The correlations of a matrix that is given."""
    if n is None:
        raise ValueError("correlation= needs n=, the number of rows that it comes from")
    if isinstance(n, bool) or not np.isfinite(n) or n < LEAST_ROWS:
        raise ValueError(f"n must be the number of rows, at least {LEAST_ROWS}; got {n!r}")
    given = feature_names(correlation)
    try:
        matrix = np.asarray(correlation, np.float64)
    except (TypeError, ValueError):
        raise ValueError("correlation holds what is no number; its row names do not belong into it") from None
    if matrix.ndim != 2 or matrix.shape[0] != matrix.shape[1] or not matrix.size:
        raise ValueError(f"correlation must be square, got the shape {matrix.shape}")
    names = tuple(f"column {place}" for place in range(len(matrix))) if given is None else given
    if not np.isfinite(matrix).all():
        i, j = np.argwhere(~np.isfinite(matrix))[0]
        raise ValueError(
            f"the correlation of {names[i]!r} with {names[j]!r} is {matrix[i, j]}: every one must be known"
        )
    spread = np.diagonal(matrix)
    for place in np.flatnonzero(spread <= 0):
        raise ValueError(f"the variance of {names[place]!r} is {spread[place]:g}: no matrix of correlations")
    scaled = matrix / np.sqrt(np.outer(spread, spread))
    if np.abs(scaled - scaled.T).max() > 1e-6:
        i, j = np.unravel_index(np.abs(scaled - scaled.T).argmax(), scaled.shape)
        raise ValueError(
            f"correlation is not symmetric: {names[i]!r} with {names[j]!r} is {matrix[i, j]:g}, and {matrix[j, i]:g}"
        )
    scaled = (scaled + scaled.T) / 2
    least = float(np.linalg.eigvalsh(scaled).min())
    if least < -1e-6:
        raise ValueError(
            f"these are correlations of no distribution: an eigenvalue is {least:.3g}; of pairwise ones make it so "
            "first (polychoric_correlations(…, positive_semidefinite=True)), or give the rows X"
        )
    np.fill_diagonal(scaled, 1.0)
    return _Given(names, scaled, float(n))


def _of_singular(matrix: np.ndarray, names: tuple[str, ...]) -> list[str]:
    """What is to be said of a matrix without an inverse."""
    if not retention.is_singular(matrix):
        return []
    i, j = np.unravel_index(np.abs(np.triu(matrix, 1)).argmax(), matrix.shape)
    least = float(np.linalg.eigvalsh(matrix).min())
    if abs(matrix[i, j]) > 1.0 - 1e-9:
        why = f"{names[i]!r} and {names[j]!r} are copies"
    elif least < -retention.SINGULAR:
        why = f"taken pair by pair, the correlations are those of no distribution (least eigenvalue {least:.3g})"
    else:
        why = "a column is the sum of others, or there are fewer rows than columns"
    return [f"The correlation matrix has no inverse ({why}): KMO and Bartlett's test are left out."]
