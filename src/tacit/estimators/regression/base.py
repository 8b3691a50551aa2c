"""What regressions share: settings, reading rows and targets, standardising, coefficients in the user's units."""

import abc
import math
import warnings
from collections.abc import Callable, Mapping
from dataclasses import KW_ONLY
from typing import Annotated, Any, ClassVar, Self

import numpy as np
from numpy.typing import ArrayLike
from scipy.special import ndtri
from sklearn.base import RegressorMixin
from sklearn.utils.validation import check_array, check_consistent_length, check_is_fitted, column_or_1d

from tacit.compute import row_bucket
from tacit.data.blocks import AsTheyAre, Standardise, padded
from tacit.data.dataset import Dataset, dataset_of
from tacit.data.sources import source
from tacit.estimators.base import check_level, double_precision, numeric_data, read_data, unmasked, weighted
from tacit.estimators.capabilities import HasCoefficients, MatrixLike, PredictsIntervals, PredictsNumbers, TakesDatasets
from tacit.estimators.regression.coefficients import CoefficientTable, lengths_of
from tacit.estimators.settings import Choice, Estimator, Flag, Number, Whole, settings
from tacit.estimators.spreading import SpreadsSums
from tacit.inference.fit import Fit, fit
from tacit.inference.posterior import Posterior
from tacit.inference.watch import printing
from tacit.models.graph import Edge, Graph, Node, Plate
from tacit.models.lifting.absolute import AbsoluteRegression
from tacit.models.lifting.design import Design, applied
from tacit.models.lifting.student import StudentRegression
from tacit.models.regression.coefficients import CoefficientPrior, Coefficients, moved
from tacit.models.regression.fitting import moments_of
from tacit.spaces import Held

POSTERIORS = ("full", "mean-field")
POSTERIOR_DRAWS = 4000
ANSWER_ROWS = 4096
"""Rows that are answered for at a time."""
COLLINEAR_ROWS = 4096
COLLINEAR = 1e-10
"""Eigenvalues of the correlations below this are none."""
LOADING = 0.1
SMALL_WORK = 10_000_000
"""Rows × starts × squared coefficients up to which NumPy alternates: compiling would take longer."""
LARGEST = 6000
"""Coefficients of a posterior with all covariances at most: their matrix then has 288 MB."""


@settings
class LinearModel(Estimator):
    """A coefficient a column, and an intercept."""

    held: ClassVar[Mapping[str, Held]] = {
        "prior_scale_": Held("", "positive"),
        "noise_scale_": Held("", "positive"),
        "coef_": Held("features | units features"),
        "intercept_": Held(" | units"),
        "coef_sd_": Held("features | units features", "not negative"),
        "intercept_sd_": Held(" | units", "not negative"),
        "classes_": Held("classes", "any"),
        "model_.coefficients.mean": Held("units columns"),
        "model_.surrogate.contrast": Held("classes units"),
        "_view.shift": Held("viewed"),
        "_view.scale": Held("viewed", "positive"),
        "scale_": Held("", "not negative"),
        "dof_": Held("", "positive"),
        "covariance_": Held("columns columns", "any"),
        "scale_sd_": Held("", "any"),
        "dof_sd_": Held("", "any"),
        "row_weights_": Held("rows", "not negative"),
        "objective_": Held("", "not negative"),
        "log_likelihood_": Held("", "any"),
        "duality_gap_": Held("", "any"),
    }

    _: KW_ONLY
    fit_intercept: Annotated[bool, Flag()] = True
    """whether there is an intercept."""

    def sizes(self) -> dict[str, int]:
        features = self.n_features_in_
        return super().sizes() | {"columns": features + bool(self.fit_intercept), "viewed": features + 1}

    def rehearsal(self) -> str | None:
        for name in ("coef_", "intercept_"):
            if np.asarray(getattr(self, name, None)).dtype.kind not in "fiu":
                return f"{name} should be numbers"
        view = vars(self).get("_view")
        if view is not None and max(np.abs(view.shift).max(), np.max(view.scale)) > 1e150:
            return "its columns lie so far out that their squares are no numbers"
        return None

    def _columns(self) -> list[str]:
        """What the coefficients belong to, the intercept last."""
        return self._column_names() + (["intercept"] if self.fit_intercept else [])

    def _complete(self, rows: Dataset) -> Dataset:
        """The rows; raises `ValueError` where an entry is missing."""
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


@settings
class BayesianSettings(LinearModel):
    """What regressions with a posterior over the coefficients may be asked."""

    _: KW_ONLY
    posterior: Annotated[str, Choice(POSTERIORS)] = "full"
    """"full" (all covariances) or "mean-field" (independent coefficients, whose spread is understated where columns are
    correlated)."""
    prior_scale: Annotated[
        float | str, Number("a positive number or 'learned'", least_too=False, below=math.inf, names=("learned",))
    ] = "learned"
    """standard deviation of the coefficients' normal prior, or "learned"."""
    intercept_scale: Annotated[float, Number("a positive number", least_too=False, below=math.inf)] = 10.0
    """that of the intercept, at the mean of the rows and targets."""
    standardize: Annotated[bool, Flag()] = True
    """whether the priors are those of centred and scaled columns (and targets, where they are numbers); else of these
    as they are. Coefficients are in the user's units either way."""
    n_draws: Annotated[int, Whole(0)] = 1000
    """draws by which the verdict judges a posterior that is not exact; 0 leaves its k̂ out."""
    verbose: int = 0
    """print a line every so many iterations; a fit that takes one pass has none."""


class BayesianRegression(HasCoefficients, SpreadsSums, BayesianSettings):
    """A posterior over the coefficients; a subclass finds it in the coordinates of ``_view``."""

    _view: Standardise
    """Of the columns and, last, of the target."""

    def _read(self, X: MatrixLike | Dataset, *, reset: bool) -> Dataset:
        """Complete rows of floats.

        Raises:
            ValueError: infinite or missing values, text, or other columns than at fit.
        """
        return self._complete(read_data(self, unmasked(X), reset=reset))

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
        self._warn_of_collinear(away / (scale if self.fit_intercept else lengths_of(away)), still)
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

    def _target(self, y: ArrayLike | None, rows: Dataset) -> np.ndarray:
        """A target a row, as it is given.

        Raises:
            ValueError: there are none, or not one a row.
        """
        if y is None:
            raise ValueError(f"{type(self).__name__} requires y to be passed, but the target y is None")
        target = column_or_1d(unmasked(y, "y"), warn=True)
        check_consistent_length(rows, target)
        return target

    def _prior(self) -> CoefficientPrior:
        scale = 1.0 if self._learns_prior() else float(self.prior_scale)
        return CoefficientPrior(np.asarray(scale), np.asarray(float(self.intercept_scale)), bool(self.fit_intercept))

    def _learns_prior(self) -> bool:
        """Whether the prior's scale is to be learned."""
        return isinstance(self.prior_scale, str)

    def _check_size(self, coefficients: int) -> None:
        if self.posterior == "full" and coefficients > LARGEST:
            raise ValueError(
                f"a posterior with all covariances of {coefficients:,} coefficients takes a matrix of that size, and "
                f"{LARGEST:,} are the most: leave columns out, or bring them down to fewer first (TruncatedSVD)"
            )

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

    @property
    def posterior_(self) -> Posterior:
        """Draws of ``coef`` and ``intercept`` (and of a number's ``sigma``) from the posterior, in the user's units."""
        check_is_fitted(self)
        return self._drawn()

    @abc.abstractmethod
    def _drawn(self) -> Posterior:
        """The draws."""

    def _table(self, classes: list[str], reach: float, level: float) -> CoefficientTable:
        """``reach``: half the interval in standard deviations."""
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
        nodes = [
            Node("s", "s", "parameter" if self._learns_prior() else "hyperparameter"),
            Node("w", "w", "parameter", (), "normal"),
            Node("x", "x", "hyperparameter", ("n",)),
            Node("y", "y", "observed", ("n",), family),
        ]
        edges = [Edge("s", "w"), Edge("w", "y"), Edge("x", "y")]
        if noise:
            nodes.append(Node("sigma", "σ", "parameter"))
            edges.append(Edge("sigma", "y"))
        return Graph(tuple(nodes), tuple(edges), (Plate("n", "n = 1…N"),))


class NumberRegression(HasCoefficients, PredictsIntervals, PredictsNumbers, TakesDatasets, RegressorMixin, LinearModel):
    """A number from complete rows, with estimated coefficients and their covariance."""

    coef_: np.ndarray
    intercept_: float
    covariance_: np.ndarray

    def _read(self, X: MatrixLike, y: ArrayLike | None, *, reset: bool) -> tuple[Dataset, np.ndarray]:
        """Complete rows and their targets.

        Raises:
            ValueError: what is wrong with them.
        """
        if isinstance(X, Dataset):
            if y is None:
                raise ValueError(f"{type(self).__name__} requires y to be passed, but the target y is None")
            rows = self._complete(read_data(self, X, reset=reset))
            values = check_array(unmasked(y, "y"), ensure_2d=False, dtype=None, input_name="y", estimator=self)
            values = column_or_1d(values, warn=True)
            check_consistent_length(rows, values)
        else:
            checks = {"dtype": np.float64, "y_numeric": True, "reset": reset}
            found, values = numeric_data(self, unmasked(X), unmasked(y, "y"), **checks)
            rows = dataset_of(found)
        if values.dtype.kind not in "fiub":
            raise ValueError(f"y must be numbers, and has {str(values[0])!r}; of classes, take a classifier")
        return rows, np.asarray(values, np.float64)

    def _rows(self, X: MatrixLike) -> Dataset:
        """Complete rows for a fitted model."""
        check_is_fitted(self)
        if isinstance(X, Dataset):
            rows = self._complete(read_data(self, X, reset=False))
        else:
            rows = dataset_of(numeric_data(self, unmasked(X), dtype=np.float64, reset=False))
        return rows

    def summary(self, level: float = 0.95) -> CoefficientTable:
        """Every coefficient with its standard error and normal interval, in the user's units; the intercept last."""
        check_level(level)
        check_is_fitted(self)
        names = self._columns()
        mean, sd = np.append(self.coef_, self.intercept_), np.sqrt(np.maximum(np.diagonal(self.covariance_), 0.0))
        reach = float(ndtri(0.5 + 0.5 * level))
        return CoefficientTable.of([], names, mean[None, : len(names)], sd[None, : len(names)], reach, level)


class RobustRegression(NumberRegression):
    """``y = X coef_ + intercept_ + noise``; what kind of noise is the subclass's."""

    verbose: int

    @double_precision
    def fit(self, X: MatrixLike, y: ArrayLike | None, sample_weight: ArrayLike | None = None) -> Self:
        """Fit to rows and their targets.

        Args:
            X: rows ``(n, d)``, without gaps.
            y: targets ``(n,)``.
            sample_weight: a weight a row; 2 is the same as two copies, and 0 as no row.

        Raises:
            ValueError: what is wrong with rows, targets, weights or a parameter.
        """
        self.check_settings()
        rows, values = self._read(X, y, reset=True)
        rows = weighted(rows, sample_weight)
        used = rows.weights > 0
        some, goals = (rows, values) if used.all() else (rows.take(used), values[used])
        with printing(self.verbose):
            self._solve(Design.of(some, goals, intercept=bool(self.fit_intercept)))
        self._rested(values - applied(rows, self.coef_, self.intercept_))
        return self

    @abc.abstractmethod
    def _solve(self, design: Design) -> None:
        """Fit to the rows of positive weight."""

    def _rested(self, residuals: np.ndarray) -> None:
        """The fit is done; the residuals are those of all rows."""

    def _alternate(self, starts: AbsoluteRegression | StudentRegression, design: Design, **settings: Any) -> Fit:
        """The best of some starts, by the closed-form driver; the settings are those of `fit`."""
        keys = np.zeros((len(starts.coefficients), 2), np.uint32)  # nothing here is random
        settings = {"label": type(self).__name__} | settings
        number, width = starts.coefficients.shape
        small = len(design.rows) * number * width**2 <= SMALL_WORK
        return fit(starts, source(design.rows), AsTheyAre(), key=keys, eager=small, **settings)[0]

    def _residuals(self, X: MatrixLike, y: ArrayLike | None) -> np.ndarray:
        """``y − X coef_ − intercept_`` of new rows with their targets."""
        check_is_fitted(self)
        rows, values = self._read(X, y, reset=False)
        return values - applied(rows, self.coef_, self.intercept_)

    @double_precision
    def predict(self, X: MatrixLike) -> np.ndarray:
        """The expected middle of y for every row, ``(n,)``."""
        rows = self._rows(X)
        return applied(rows, self.coef_, self.intercept_)

    def _graph(self, mixing: Node, *edges: Edge, more: tuple[Node, ...] = ()) -> Graph:
        """The graph where the noise of a row is normal given what ``mixing`` is there."""
        check_is_fitted(self)
        nodes = (
            Node("x", "x", "hyperparameter", ("n",)),
            Node("w", "w", "parameter"),
            Node("sigma", "σ", "parameter"),
            *more,
            mixing,
            Node("y", "y", "observed", ("n",), "normal"),
        )
        common = (Edge("x", "y"), Edge("w", "y"), Edge("sigma", "y"), Edge(mixing.name, "y"))
        return Graph(nodes, (*common, *edges), (Plate("n", "n = 1…N"),))
