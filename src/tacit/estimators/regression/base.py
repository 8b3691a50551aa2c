"""What Bayesian regressions share on the way in: reading rows, standardising, coefficients in the user's units."""

import warnings
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from typing import Any

import numpy as np
from sklearn.utils.validation import check_is_fitted

from tacit.compute import row_bucket
from tacit.data.blocks import Standardise, padded
from tacit.data.dataset import Dataset
from tacit.estimators.base import read_data, unmasked
from tacit.estimators.capabilities import HasCoefficients, TakesDatasets
from tacit.estimators.regression.coefficients import CoefficientTable
from tacit.estimators.settings import Estimator
from tacit.inference.watch import Printer, watch
from tacit.models.graph import Edge, Graph, Node, Plate
from tacit.models.regression.coefficients import CoefficientPrior, Coefficients, moved
from tacit.models.regression.fitting import moments_of

ANSWER_ROWS = 4096
"""Rows that are answered for at a time."""
COLLINEAR_ROWS = 4096
COLLINEAR = 1e-10
"""Eigenvalues of the correlations below this are none."""
LOADING = 0.1
LARGEST = 6000
"""Coefficients of a posterior with all covariances at most: their matrix then has 288 MB."""


class Regression(HasCoefficients, TakesDatasets, Estimator):
    """Reading, scaling and reporting; a subclass fits ``_coefficients`` in the coordinates of ``_view``."""

    fit_intercept: bool
    standardize: bool
    prior_scale: Any
    intercept_scale: float
    verbose: int
    _view: Standardise
    """Of the columns and, last, of the target."""

    def _read(self, X: Any, *, reset: bool) -> Dataset:
        """Complete rows of floats.

        Raises:
            ValueError: infinite or missing values, text, or other columns than at fit.
        """
        rows = read_data(self, unmasked(X), reset=reset)
        if any(np.isnan(np.sum(part)) for _, part in rows.slices()):
            gaps = np.flatnonzero(rows.total(lambda part, _: np.isnan(part).sum(axis=0)))
            raise ValueError(
                f"Input X contains NaN, in column {self._listed(gaps)}: {type(self).__name__} needs complete rows. "
                "Fill them (GaussianMixture().fit(X).impute(X)), leave them out, or take GenerativeClassifier, which "
                "sums missing entries out."
            )
        return rows

    def _listed(self, columns: np.ndarray) -> str:
        names = self._column_names()
        return ", ".join(repr(names[place]) for place in columns[:10]) + (", …" if columns.size > 10 else "")

    def _viewed(self, rows: Dataset) -> tuple[np.ndarray, np.ndarray]:
        """Shift and scale of the columns; warns of columns about which the rows say nothing of their own."""
        shift, scale = moments_of(rows)
        # without an intercept a constant column says something: only zeros say nothing
        middle = shift if self.fit_intercept else np.zeros_like(shift)
        seen = np.flatnonzero(rows.weights)
        away = rows.rows(seen[:COLLINEAR_ROWS]).astype(np.float64) - middle
        still = np.ptp(away, axis=0) <= 1e-13 * np.abs(shift) if self.fit_intercept else ~away.any(axis=0)
        flat = still.copy()
        if still.any() and seen.size > COLLINEAR_ROWS:  # a rare one may stir later
            ends = [(part.min(axis=0), part.max(axis=0)) for _, part in rows.take(seen).slices()]
            low, high = np.min([low for low, _ in ends], axis=0), np.max([high for _, high in ends], axis=0)
            flat &= high - low <= 1e-13 * np.abs(shift) if self.fit_intercept else (low == 0.0) & (high == 0.0)
        if flat.any() and len(rows) > 1:
            warnings.warn(
                f"column {self._listed(np.flatnonzero(flat))} is {'constant' if self.fit_intercept else '0 everywhere'}"
                ": its coefficient is what the prior says. Leave it out.",
                UserWarning,
                stacklevel=4,
            )
        self._warn_of_collinear(away / (scale if self.fit_intercept else _lengths(away)), still)
        if not self.standardize:
            return np.zeros_like(shift), np.ones_like(scale)
        return (shift if self.fit_intercept else np.zeros_like(shift)), scale

    def _warn_of_collinear(self, scaled: np.ndarray, flat: np.ndarray) -> None:
        moving = np.flatnonzero(~flat)
        if moving.size < 2 or scaled.shape[0] <= moving.size + 1:
            return
        values, vectors = np.linalg.eigh(scaled[:, moving].T @ scaled[:, moving] / scaled.shape[0])
        null = vectors[:, values < COLLINEAR * values[-1]]
        if null.size:
            bound = moving[(np.abs(null) > LOADING).any(axis=1)]
            warnings.warn(
                f"columns {self._listed(bound)} are collinear: only some sums of their coefficients are known from the "
                "rows, the rest is what the prior says. Leave some of them out to read the coefficients.",
                UserWarning,
                stacklevel=5,
            )

    def _prior(self, *, learn: bool) -> CoefficientPrior:
        scale = 1.0 if learn else float(self.prior_scale)
        return CoefficientPrior(np.asarray(scale), np.asarray(float(self.intercept_scale)), bool(self.fit_intercept))

    def _learns_prior(self) -> bool:
        """Whether the prior's scale is to be learned."""
        return isinstance(self.prior_scale, str)

    def _check_size(self, coefficients: int, *, full: bool) -> None:
        if full and coefficients > LARGEST:
            raise ValueError(
                f"a posterior with all covariances of {coefficients:,} coefficients takes a matrix of that size, and "
                f"{LARGEST:,} are the most: leave columns out, or bring them down to fewer first (TruncatedSVD)"
            )

    def _talking(self) -> AbstractContextManager:
        return watch(Printer(self.verbose)) if self.verbose else nullcontext()

    def _columns(self) -> list[str]:
        """What the coefficients belong to, the intercept last."""
        return self._column_names() + (["intercept"] if self.fit_intercept else [])

    def _to_units(self) -> np.ndarray:
        """From coefficients of the view to those of the user's columns."""
        shift, scale = np.asarray(self._view.shift)[:-1], np.asarray(self._view.scale)[:-1]
        target_scale = float(self._view.scale[-1])
        if not self.fit_intercept:
            return target_scale * np.diag(1.0 / scale)
        matrix = np.diag(np.append(1.0 / scale, 1.0))
        matrix[-1, :-1] = -shift / scale
        return target_scale * matrix

    def _publish(self, coefficients: Coefficients, outputs: np.ndarray, widening: float = 1.0) -> None:
        """Means and standard deviations in the user's units."""
        own = moved(coefficients, outputs, self._to_units())
        mean, sd = np.asarray(own.mean), widening * np.sqrt(np.asarray(own.variance))
        many = self.n_features_in_
        self.coef_, self.coef_sd_ = mean[:, :many], sd[:, :many]
        shape = mean.shape[0]
        self.intercept_ = mean[:, many] + float(self._view.shift[-1]) if self.fit_intercept else np.zeros(shape)
        self.intercept_sd_ = sd[:, many] if self.fit_intercept else np.zeros(shape)

    def _table(self, classes: list[str], reach: float, level: float) -> CoefficientTable:
        """``reach``: half the interval in standard deviations."""
        check_is_fitted(self)
        mean, sd = np.atleast_2d(self.coef_), np.atleast_2d(self.coef_sd_)
        if self.fit_intercept:
            mean = np.column_stack([mean, np.atleast_1d(self.intercept_)])
            sd = np.column_stack([sd, np.atleast_1d(self.intercept_sd_)])
        return CoefficientTable.of(classes, self._columns(), mean, sd, reach, level)

    def _design(self, rows: np.ndarray) -> np.ndarray:
        """Rows in the coordinates of the view, with a column of ones."""
        shift, scale = np.asarray(self._view.shift)[:-1], np.asarray(self._view.scale)[:-1]
        scaled = (np.asarray(rows, np.float64) - shift) / scale
        return np.column_stack([scaled, np.ones(rows.shape[0])]) if self.fit_intercept else scaled

    def _by_chunks(self, function: Callable[[np.ndarray], Any], rows: Dataset) -> np.ndarray:
        """A function of some rows of the design, over all rows; few sizes are compiled."""
        parts = []
        for _, some in rows.slices(ANSWER_ROWS):
            known = padded(self._design(some), min(row_bucket(len(some)), ANSWER_ROWS))
            parts.append(np.asarray(function(known))[: len(some)])
        return np.concatenate(parts)

    def _graph(self, family: str, *, noise: bool) -> Graph:
        learned = isinstance(self.prior_scale, str)
        nodes = [
            Node("s", "s", "parameter" if learned else "hyperparameter"),
            Node("w", "w", "parameter", (), "normal"),
            Node("x", "x", "hyperparameter", ("n",)),
            Node("y", "y", "observed", ("n",), family),
        ]
        edges = [Edge("s", "w"), Edge("w", "y"), Edge("x", "y")]
        if noise:
            nodes.append(Node("sigma", "σ", "parameter"))
            edges.append(Edge("sigma", "y"))
        return Graph(tuple(nodes), tuple(edges), (Plate("n", "n = 1…N"),))


def _lengths(columns: np.ndarray) -> np.ndarray:
    """Root mean squares, 1 for a column of zeros."""
    largest = np.abs(columns).max(axis=0)
    largest = np.where(largest > 0.0, largest, 1.0)
    lengths = largest * np.sqrt(np.mean((columns / largest) ** 2, axis=0))
    return np.where(lengths > 0.0, lengths, 1.0)
