"""``PoissonRegression`` and ``NegativeBinomialRegression``: counts given rows, with their exposure."""

import abc
import warnings
from collections.abc import Mapping
from dataclasses import KW_ONLY
from functools import partial
from typing import Annotated, Any, ClassVar, Self

import numpy as np
from numpy.typing import ArrayLike
from sklearn.exceptions import ConvergenceWarning
from sklearn.utils.validation import check_is_fitted

from tacit.data.dataset import Dataset, JoinedRows, MadeRows
from tacit.data.sources import stays
from tacit.estimators.base import check_level, double_precision, read_weights, weighted
from tacit.estimators.capabilities import MatrixLike, PredictsCounts
from tacit.estimators.regression.base import NumberRegression
from tacit.estimators.settings import NOT_NEGATIVE, POSITIVE, Whole, settings
from tacit.estimators.spreading import SpreadsSums
from tacit.inference.loop import Trace
from tacit.models.graph import Edge, Graph, Node, Plate
from tacit.models.regression import counts
from tacit.models.regression.counts import CountModel, CountSums, HeldCounts, Raised, StreamedCountRows
from tacit.spaces import Held


class CountFit(PredictsCounts, SpreadsSums, NumberRegression):
    """What a fit to counts leaves; a column that is the exposure has no coefficient."""

    held: ClassVar[Mapping[str, Held]] = {
        "coef_": Held("slopes"),
        "covariance_": Held("estimates estimates", "any"),
        "dispersion_": Held("", "not negative"),
        "model_.coefficients.mean": Held("..."),
    }

    dispersion_: float
    model_: CountModel
    _place: int | None

    def sizes(self) -> dict[str, int]:
        place = vars(self).get("_place")
        return super().sizes() | {"slopes": self.n_features_in_ - (place is not None)}

    def rehearsal(self) -> str | None:
        place = vars(self).get("_place")
        if place is not None and (type(place) is not int or not 0 <= place < self.n_features_in_):
            return f"the place of its exposure should be one of {self.n_features_in_} columns, and is {place!r:.40}"
        return super().rehearsal()


@settings
class CountRegression(CountFit):
    """``log E[y] = X coef_ + intercept_ + log exposure``; how counts scatter about it is the subclass's."""

    exposure: int | str | None = None
    """the column, by number or name, that says over how much a row was counted (days, people, kilometres): its
    logarithm is added with the coefficient 1, and ``predict`` multiplies by it. None: all rows alike, or as ``fit`` is
    told."""
    _: KW_ONLY
    prior_scale: Annotated[float | None, POSITIVE] = None
    """standard deviation of a normal prior of the coefficients of columns in standard deviations; None: maximum
    likelihood."""
    tol: Annotated[float, NOT_NEGATIVE] = 1e-12
    """change of the log-likelihood a row, in nats, below which the fit has converged."""
    max_iter: Annotated[int, Whole(1)] = 100
    """most Newton steps."""
    verbose: int = 0
    """print a line every so many steps."""

    @abc.abstractmethod
    def _raised(self, rows: CountSums, penalty: np.ndarray) -> Raised:
        """Raise the likelihood, in the coordinates of standardised columns."""

    @double_precision
    def fit(
        self,
        X: MatrixLike,
        y: ArrayLike | None,
        sample_weight: ArrayLike | None = None,
        *,
        exposure: ArrayLike | None = None,
    ) -> Self:
        """Fit to rows and their counts.

        Args:
            X: rows ``(n, d)``, without gaps.
            y: counts ``(n,)``, 0 or more.
            sample_weight: a weight a row; 2 is the same as two copies, and 0 as no row.
            exposure: over how much each row was counted, ``(n,)``, where no column says so.

        Raises:
            ValueError: what is wrong with rows, counts, weights, exposures or a parameter.
        """
        self.check_settings()
        rows, values = self._counts(X, y, reset=True)
        rows = weighted(rows, sample_weight)
        self._place = self._exposure_place()
        if stays(rows):
            seen, shift, scale = self._streamed(rows, values, exposure)
        else:
            seen, shift, scale = self._held_rows(rows, values, exposure)
        if self.fit_intercept and not seen.sum(counts.counted)[0]:
            raise ValueError("every y is 0: there is no rate to be learned from counts that never occur")
        penalty = np.zeros(len(shift) + int(self.fit_intercept))
        if self.prior_scale is not None:
            penalty[: len(shift)] = 1.0 / float(self.prior_scale) ** 2
        self._finish(seen, self._raised(seen, penalty), shift, scale)
        return self

    def _held_rows(
        self, rows: Dataset, values: np.ndarray, exposure: ArrayLike | None
    ) -> tuple[CountSums, np.ndarray, np.ndarray]:
        """Rows in memory, with shift and scale of their columns."""
        design, offset = self._split(rows.rows(), exposure)
        used = rows.weights > 0
        design, weights = design[used], rows.weights[used]
        shift, scale = _moments(design, weights, centred=bool(self.fit_intercept))
        how = shift, scale, bool(self.fit_intercept)
        return HeldCounts(counts.count_rows(design, values[used], offset[used], weights, how)), shift, scale

    def _streamed(
        self, rows: Dataset, values: np.ndarray, exposure: ArrayLike | None
    ) -> tuple[CountSums, np.ndarray, np.ndarray]:
        """The same of rows that stay where they lie: of each its count and its exposure are held."""
        place = self._place
        column = None if place is None else rows.column(place)
        offset = self._offset(len(rows), column, exposure)
        design = rows if place is None else MadeRows(rows, partial(_without, place), rows.shape[1] - 1)
        moments = design.moments()
        shift = moments.mean if self.fit_intercept else np.zeros_like(moments.mean)
        spread = np.sqrt(moments.variance + (moments.mean - shift) ** 2)
        flat = spread <= 1e-13 * np.maximum(np.abs(moments.mean), 1e-300)
        scale = np.where(flat, 1.0, spread)
        joined = JoinedRows(JoinedRows(design, values), offset)
        return StreamedCountRows(joined, shift, scale, intercept=bool(self.fit_intercept)), shift, scale

    def _counts(self, X: MatrixLike, y: ArrayLike | None, *, reset: bool) -> tuple[Dataset, np.ndarray]:
        """Complete rows and their counts; raises `ValueError` where one is below 0."""
        rows, values = self._read(X, y, reset=reset)
        low = np.flatnonzero(values < 0)
        if low.size:
            raise ValueError(f"y must be counts, 0 or more, and is {values[low[0]]:g} in row {low[0]}")
        return rows, values

    def _exposure_place(self) -> int | None:
        if self.exposure is None:
            return None
        names = self._column_names()
        if isinstance(self.exposure, str):
            if self.exposure not in names:
                raise ValueError(f"exposure names the column {self.exposure!r}, and there are {', '.join(names)}")
            return names.index(self.exposure)
        if not 0 <= int(self.exposure) < len(names):
            raise ValueError(f"exposure names column {self.exposure}, and there are {len(names)}, from 0")
        return int(self.exposure)

    def _split(self, rows: np.ndarray, exposure: ArrayLike | None) -> tuple[np.ndarray, np.ndarray]:
        """The columns that have coefficients, and the logarithm of the exposure."""
        rows, place = np.asarray(rows, np.float64), self._place
        offset = self._offset(len(rows), None if place is None else rows[:, place], exposure)
        return rows if place is None else _without(place, rows), offset

    def _offset(self, rows: int, column: np.ndarray | None, exposure: ArrayLike | None) -> np.ndarray:
        """The logarithm of the exposure of every row, which a column says, or whoever asks."""
        if column is not None:
            if exposure is not None:
                raise ValueError("the exposure is a column of X here: leave exposure= out of the call")
            much = column
        elif exposure is None:
            much = np.ones(rows)
        else:
            given = np.ndim(exposure) > 0
            much = read_weights(np.empty((rows, 1)), exposure) if given else np.full(rows, float(np.asarray(exposure)))
        bad = np.flatnonzero(~((much > 0) & np.isfinite(much)))
        if bad.size:
            raise ValueError(f"an exposure must be above 0, and is {much[bad[0]]:g} in row {bad[0]}")
        return np.log(much)

    def _finish(self, seen: CountSums, found: Raised, shift: np.ndarray, scale: np.ndarray) -> None:
        width, model = len(shift), found.model
        back = np.diag(np.append(1.0 / scale, np.ones(int(self.fit_intercept))))
        if self.fit_intercept:
            back[-1, :width] = -shift / scale
        own = back @ model.coefficients
        spread = counts.covariance(found.information)
        many = len(own)
        self.coef_ = own[:width]
        self.intercept_ = float(own[width]) if self.fit_intercept else 0.0
        self.covariance_ = np.zeros((width + 1, width + 1))
        self.covariance_[:many, :many] = back @ spread[:many, :many] @ back.T
        self.dispersion_ = float(model.dispersion)
        self.dispersion_sd_ = float("nan")
        if len(spread) > many:  # of log α
            self.dispersion_sd_ = self.dispersion_ * float(np.sqrt(max(spread[-1, -1], 0.0)))
        self.model_ = CountModel(own, self.dispersion_)
        likelihood, deviance, scattered = seen.sum(counts.judged, model)
        self.log_likelihood_, self.deviance_ = float(likelihood), float(deviance)
        self.pearson_ratio_ = float(scattered) / max(seen.weight - many, 1.0)
        steps = len(found.trace)
        self.trace_ = Trace(np.arange(steps), np.asarray(found.trace), np.zeros(steps))
        if self.verbose:
            for step in range(0, steps, max(1, int(self.verbose))):
                print(f"{type(self).__name__}: step {step}, {found.trace[step] / seen.weight:.6f} nats a row")
        self.n_iter_, self.converged_ = max(1, steps - 1), bool(found.converged)
        self.stop_reason_ = "converged" if found.converged else "max_iter reached"
        self.n_parameters_ = many + (len(spread) > many)
        self._warn()

    def _warn(self) -> None:
        if not self.converged_:
            warnings.warn(
                f"{type(self).__name__} did not converge in {self.n_iter_} steps: raise max_iter, or give prior_scale= "
                "where a level or column has no counts at all.",
                ConvergenceWarning,
                stacklevel=5,
            )

    def _means(self, X: MatrixLike, exposure: ArrayLike | None) -> np.ndarray:
        rows = self._rows(X)
        design, offset = self._split(rows.rows(), exposure)
        return CountModel(self.coef_, self.dispersion_).means(design, offset + self.intercept_)

    @double_precision
    def predict(self, X: MatrixLike, *, exposure: ArrayLike | None = None) -> np.ndarray:
        """The expected count of every row, ``(n,)``."""
        return self._means(X, exposure)

    def predict_quantile(self, X: MatrixLike, share: float = 0.5, *, exposure: ArrayLike | None = None) -> np.ndarray:
        """The least count that so much of the probability lies at or below, of every row; the median where ½."""
        check_level(share)
        return self.model_.quantile(share, self._means(X, exposure))

    def predict_interval(
        self, X: MatrixLike, level: float = 0.9, *, exposure: ArrayLike | None = None
    ) -> tuple[np.ndarray, np.ndarray]:
        """Between which counts y lies with at least this probability at the fitted parameters, ends included."""
        check_level(level)
        means = self._means(X, exposure)
        return self.model_.quantile((1.0 - level) / 2.0, means), self.model_.quantile((1.0 + level) / 2.0, means)

    @double_precision
    def log_predictive(self, X: MatrixLike, y: ArrayLike | None, *, exposure: ArrayLike | None = None) -> np.ndarray:
        """``log p(y|x)`` of every row in nats at the fitted parameters, ``(n,)``."""
        check_is_fitted(self)
        _, values = self._counts(X, y, reset=False)
        return self.model_.log_prob(values, self._means(X, exposure))

    def _columns(self) -> list[str]:
        names = self._column_names()
        if self._place is not None:
            names = [name for place, name in enumerate(names) if place != self._place]
        return names + (["intercept"] if self.fit_intercept else [])

    def _drawn_graph(self, family: str, *, dispersed: bool) -> Graph:
        nodes = [
            Node("x", "x", "hyperparameter", ("n",)),
            Node("w", "w", "parameter"),
            Node("y", "y", "observed", ("n",), family),
        ]
        edges = [Edge("x", "y"), Edge("w", "y")]
        if dispersed:
            nodes.append(Node("alpha", "α", "parameter"))
            edges.append(Edge("alpha", "y"))
        return Graph(tuple(nodes), tuple(edges), (Plate("n", "n = 1…N"),))

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.target_tags.positive_only = True
        return tags


@settings
class PoissonRegression(CountRegression):
    """A count given rows, ``y ~ Poisson(exposure · exp(X coef_ + intercept_))``, by maximum likelihood.

    The variance of such counts is their mean; where they scatter more, standard errors and intervals are too small, and
    ``NegativeBinomialRegression`` learns by how much.

    Attributes:
        coef_, intercept_: coefficients of the logarithm of the expected count, ``(d,)`` and the constant.
        covariance_: of ``[*coef_, intercept_]``, the inverse of the observed information.
        log_likelihood_, deviance_: of the rows, with every constant, in nats; and twice what it lacks to the largest.
        pearson_ratio_: ``Σ (y − μ)²/μ`` over the degrees of freedom: 1 for Poisson's counts, above where they scatter
            more.
        dispersion_: 0.
        n_iter_, converged_, stop_reason_, trace_: how the fit ended.
    """

    def _raised(self, rows: CountSums, penalty: np.ndarray) -> Raised:
        return _poisson(self, rows, penalty)

    def graph(self) -> Graph:
        """The directed graph of the model, as data."""
        return self._drawn_graph("Poisson", dispersed=False)


@settings
class NegativeBinomialRegression(CountRegression):
    """A count given rows, with mean ``μ = exposure · exp(X coef_ + intercept_)`` and variance ``μ + α μ²``.

    Each row's Poisson rate is multiplied by a hidden gamma variable of mean 1 and variance α (NB2); coefficients and α
    are those of the largest likelihood together. Where counts scatter no more than Poisson's, α is 0.

    Attributes:
        coef_, intercept_: coefficients of the logarithm of the expected count, ``(d,)`` and the constant.
        dispersion_, dispersion_sd_: α and its standard error; 0 and NaN where counts are no more than Poisson's.
        covariance_: of ``[*coef_, intercept_]``, from the observed information, α unknown.
        log_likelihood_, deviance_: of the rows, with every constant, in nats; and twice what it lacks to the largest.
        pearson_ratio_: ``Σ (y − μ)²/(μ + α μ²)`` over the degrees of freedom.
        n_iter_, converged_, stop_reason_, trace_: how the fit ended.
    """

    def _raised(self, rows: CountSums, penalty: np.ndarray) -> Raised:
        plain = _poisson(self, rows, penalty)
        if not counts.overdispersed(rows, plain.model):
            return plain
        start = CountModel(plain.model.coefficients, counts.first_dispersion(rows, plain.model))
        found = counts.raised(rows, start, penalty, dispersed=True, max_iter=int(self.max_iter), tol=float(self.tol))
        if found.model.dispersion <= counts.LEAST * 1.01:
            return plain
        return found

    def graph(self) -> Graph:
        """The directed graph of the model, as data."""
        return self._drawn_graph("negative binomial", dispersed=True)


def _poisson(model: CountRegression, rows: CountSums, penalty: np.ndarray) -> Raised:
    """Poisson's likelihood raised from the mean rate."""
    first = np.zeros(len(penalty))
    if model.fit_intercept:
        number, total = rows.sum(counts.counted)
        first[-1] = np.log(max(float(number), 1e-300) / total)
    return counts.raised(
        rows, CountModel(first, 0.0), penalty, dispersed=False, max_iter=int(model.max_iter), tol=float(model.tol)
    )


def _without(place: int, rows: np.ndarray) -> np.ndarray:
    return np.delete(rows, place, axis=1)


def _moments(design: np.ndarray, weights: np.ndarray, *, centred: bool) -> tuple[np.ndarray, np.ndarray]:
    """Shift and scale of the columns; 1 where one does not vary."""
    share = weights / weights.sum()
    mean = share @ design
    shift = mean if centred else np.zeros_like(mean)
    spread = np.sqrt(share @ (design - shift) ** 2)
    flat = spread <= 1e-13 * np.maximum(np.abs(mean), 1e-300)
    return shift, np.where(flat, 1.0, spread)
