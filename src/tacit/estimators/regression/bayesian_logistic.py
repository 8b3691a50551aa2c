"""``BayesianLogisticRegression``: classes given rows, with a posterior over the coefficients."""

import math
import warnings
from dataclasses import KW_ONLY
from typing import Annotated, Any, Self

import numpy as np
from numpy.typing import ArrayLike
from scipy.special import ndtri
from sklearn.base import ClassifierMixin
from sklearn.exceptions import ConvergenceWarning
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import check_is_fitted

from tacit.data.blocks import Standardise
from tacit.data.dataset import Dataset
from tacit.estimators.base import Seed, check_level, double_precision, seed_of, weighted
from tacit.estimators.capabilities import MatrixLike, PredictsClasses
from tacit.estimators.regression.base import POSTERIOR_DRAWS, BayesianRegression
from tacit.estimators.regression.coefficients import CoefficientTable
from tacit.estimators.regression.logistic_fit import METHODS, LogisticFound, LogisticPlan, fitted
from tacit.estimators.settings import POSITIVE, TOLERANCE, Choice, Number, Whole, settings
from tacit.estimators.verdict import Verdict, judged
from tacit.inference.posterior import Posterior
from tacit.inference.watch import printing
from tacit.models.graph import Graph
from tacit.models.regression.expected import drawn, draws_of, expected_log_likelihood, nodes, predictive
from tacit.models.regression.fitting import RegressionTable
from tacit.models.regression.separation import separating
from tacit.models.regression.surrogates import contrasts

SEPARATION_ROWS = 5_000
"""Rows that are looked at for whether the classes are separated."""
MOST_JUDGED = 200
"""Beyond so many coefficients k̂ says nothing."""


@settings
class BayesianLogisticRegression(PredictsClasses, ClassifierMixin, BayesianRegression):
    """Classes given rows, ``p(y|x, w) = softmax(w₀ + Wx)_y``, with a Gaussian posterior over the coefficients.

    Two classes have one line of coefficients, the log-odds of the second; K classes have a line each, which sum to
    zero. Predictions average over the posterior, so they are less sure where the rows say little. Classes that can be
    separated, collinear and constant columns do no harm: the prior keeps the coefficients finite.

    Attributes:
        classes_: the classes in order.
        coef_, intercept_: posterior means in the user's units, ``(1 or K, d)`` and ``(1 or K,)``.
        coef_sd_, intercept_sd_: posterior standard deviations.
        prior_scale_: the prior's scale, given or learned.
        lower_bound_: what was raised, in nats a row: the bound, or Laplace's approximation of the log evidence.
        elbo_: the evidence lower bound of the posterior itself, in nats of all rows, by quadrature.
        trace_, n_iter_, converged_, stop_reason_: the course of the fit (bound in nats of all rows).
        verdict_: k̂, moments corrected by importance weights, log evidence, agreement of the starts.
        model_: the model, in the coordinates of standardised columns.
    """

    method: Annotated[str, Choice(("auto", *METHODS))] = "auto"
    """how the posterior is found. "laplace" ("auto"): the mode and the curvature there. "jaakkola-jordan" (two
    classes), "bohning" and "bouchard" raise a quadratic bound on the evidence in closed form, which never falls, and
    understate the spread. "reparameterised", "score-function", "score-function-control-variate" and
    "score-function-leave-one-out" follow a stochastic gradient of the evidence lower bound itself."""
    _: KW_ONLY
    prior_scale: Annotated[
        float | str, Number("a positive number or 'learned'", least_too=False, below=math.inf, names=("learned",))
    ] = 2.5
    """standard deviation of the coefficients' normal prior, for columns of unit standard deviation where
    ``standardize``; "learned" takes the one of the largest bound (empirical Bayes; the gradient methods take
    Laplace's). With K > 2 classes it is that of K − 1 orthonormal contrasts of the classes' scores."""
    max_iter: Annotated[int, Whole(1)] = 1000
    """iterations of the closed form, or Newton's."""
    tol: Annotated[float, TOLERANCE] = 1e-7
    """change of the bound, in nats a row, below which these have converged."""
    n_init: Annotated[int, Whole(1)] = 2
    """independent starts; the verdict says whether they agree. Of many rows they see a part only."""
    learning_rate: Annotated[float | None, POSITIVE] = None
    """of the gradient methods, in units of the posterior; it falls as the fit settles. None: 0.05, and 0.01 for the
    score function."""
    batch_size: Annotated[int | None, Whole(1)] = None
    """rows a step of these; None: all up to 4096, else 1024."""
    n_samples: Annotated[int | None, Whole(1)] = None
    """their draws a step; None: 8, and 64 for the score function."""
    max_steps: Annotated[int, Whole(1)] = 20_000
    """an end for gradient fits that do not settle."""
    random_state: Seed = None
    """seed."""

    @double_precision
    def fit(self, X: MatrixLike, y: ArrayLike | None, sample_weight: ArrayLike | None = None) -> Self:
        """Find the posterior of the coefficients.

        Args:
            X: complete rows ``(n, d)``, or a `tacit.data.Dataset`; memory-mapped ones are read a piece at a time.
            y: their classes ``(n,)``: numbers or texts, at least two.
            sample_weight: a weight a row; 2 is the same as two copies, and 0 as no row.

        Raises:
            ValueError: what is wrong with rows, classes, weights or a parameter, and what to do.
        """
        rows = weighted(self._read(X, reset=True), sample_weight)
        labels, weights = self._labels(y, rows), rows.weights
        self.check_settings()
        self.classes_ = np.unique(labels[weights > 0])
        if self.classes_.size < 2:
            raise ValueError(
                f"y has one class only, {self.classes_.tolist()[0]!r}: a classifier needs rows of two classes at least"
            )
        place = np.clip(np.searchsorted(self.classes_, labels), 0, self.classes_.size - 1)
        contrast = contrasts(self.classes_.size)
        self._check_size(contrast.shape[1] * len(self._columns()))
        shift, scale = self._viewed(rows)
        self._view = Standardise(np.append(shift, 0.0), np.append(scale, 1.0))
        table = RegressionTable(rows, place.astype(np.float64), self._view)
        with printing(self.verbose):
            found = fitted(self._plan(contrast), table, seed_of(self.random_state))
        self._finish(found, table)
        return self

    def _labels(self, y: ArrayLike | None, rows: Dataset) -> np.ndarray:
        labels = self._target(y, rows)
        check_classification_targets(labels)
        return labels

    def _plan(self, contrast: np.ndarray) -> LogisticPlan:
        method = "laplace" if self.method == "auto" else self.method
        if method == "jaakkola-jordan" and self.classes_.size > 2:
            raise ValueError(
                f"'jaakkola-jordan' bounds two classes, and y has {self.classes_.size}: take method='bouchard' or "
                "'bohning'"
            )
        return LogisticPlan(
            method,
            self.posterior == "mean-field",
            self._prior(),
            self._learns_prior(),
            contrast,
            len(self._columns()),
            self.max_iter,
            self.tol,
            self.n_init,
            self.learning_rate,
            self.batch_size,
            self.n_samples,
            self.max_steps,
            type(self).__name__,
        )

    def _finish(self, found: LogisticFound, table: RegressionTable) -> None:
        weight = float(table.weights.sum())
        self.model_ = found.model
        self.trace_, self.n_iter_ = found.trace, found.iterations
        self.converged_, self.stop_reason_ = found.converged, found.stop
        self.elbo_ = expected_log_likelihood(found.model, table) - float(found.model.coefficients.kl(found.model.prior))
        self.lower_bound_ = (self.elbo_ if found.bound is None else found.bound) / weight
        self.prior_scale_ = float(found.model.prior.scale)
        self._publish(found.model.coefficients, self._outputs())
        self.n_parameters_ = int(np.asarray(found.model.coefficients.mean).size)
        self.verdict_ = self._verdict(found, table)
        if not self.converged_:
            warnings.warn(
                f"the fit did not converge: {self.stop_reason_} ({self.n_iter_} iterations). Increase max_iter or "
                "tol (max_steps for gradients).",
                ConvergenceWarning,
                stacklevel=4,
            )

    def _verdict(self, found: LogisticFound, table: RegressionTable) -> Verdict:
        names: list[str] = []
        columns = log_ratios = None
        why_not = "no draws were asked for"
        if self.n_parameters_ > MOST_JUDGED:
            why_not = f"{self.n_parameters_:,} coefficients: it says nothing beyond about {MOST_JUDGED}"
        elif self.n_draws > 1:
            draws, log_ratios = drawn(found.model, table, self.n_draws)
            names, columns = self._flat(draws)
        return judged(
            names=names,
            draws=columns,
            log_ratios=log_ratios,
            why_not=why_not,
            bounds=found.bounds,
            agreement=found.agreement,
            stop=found.stop,
            notes=self._separation(table),
        )

    def _separation(self, table: RegressionTable) -> tuple[str, ...]:
        """A sentence where a class is told from the others without a mistake; of the rows of a sample, if many."""
        some = table.some(SEPARATION_ROWS, np.random.default_rng(0))
        seen = some.weights > 0
        found = separating(
            np.asarray(some.rows.rows(), np.float64)[seen], some.target[seen].astype(int), self.classes_.size
        )
        if found is None:
            return ()
        which, columns = found
        names = [repr(self._column_names()[place]) for place in columns]
        tells = f"{names[0]} alone tells" if len(names) == 1 else f"a combination of {', '.join(names[:5])} tells"
        tells = tells if len(names) <= 5 else f"a combination of {len(names)} columns tells"
        others = "the other" if self.classes_.size == 2 else "the others"
        among = "" if some.weights.size == table.weights.size else f" among {some.weights.size:,} rows looked at"
        return (
            f"The classes are separated{among}: {tells} class {str(self.classes_[which])!r} from {others} without a "
            "mistake. The rows say that its coefficients are large, not how large: without the prior they would grow "
            "without end, so their size is the prior's choice.",
        )

    def _outputs(self) -> np.ndarray:
        """From units to the lines of coefficients."""
        return np.ones((1, 1)) if self.classes_.size == 2 else np.asarray(self.model_.surrogate.contrast)

    def _lines(self) -> list[str]:
        """Whose lines they are; of two classes there is one, and it needs no name."""
        return [] if self.classes_.size == 2 else [str(name) for name in self.classes_.tolist()]

    def _own(self, draws: np.ndarray) -> np.ndarray:
        """Draws ``[draws, units, columns]`` as ``[draws, lines, columns]`` in the user's units."""
        return np.einsum("ou,sui,ji->soj", self._outputs(), draws, self._to_units(), optimize=True)

    def _flat(self, draws: np.ndarray) -> tuple[list[str], np.ndarray]:
        own, columns = self._own(draws), self._columns()
        names = [f"{line}: {name}" for line in self._lines() for name in columns] or columns
        return names, own.reshape(len(own), -1)

    @double_precision
    def _drawn(self) -> Posterior:
        own = self._own(draws_of(self.model_.coefficients, POSTERIOR_DRAWS, 1)[0])
        many, axes = self.n_features_in_, ["class"]
        coords: dict[str, list[Any]] = {"column": self._column_names(), "class": self._lines()}
        if self.classes_.size == 2:
            own, axes, coords = own[:, 0], [], {"column": self._column_names()}
        draws = {"coef": own[..., :many]} | ({"intercept": own[..., many]} if self.fit_intercept else {})
        return Posterior(draws, dims={"coef": [*axes, "column"], "intercept": axes}, coords=coords)

    @double_precision
    def predict_proba(self, X: MatrixLike) -> np.ndarray:
        """``E_q p(y|x, w)`` of every row and class, ``(n, K)``: probabilities averaged over the posterior."""
        check_is_fitted(self)
        rows = self._read(X, reset=False)
        contrast = np.asarray(self.model_.surrogate.contrast)
        points, shares = nodes(contrast.shape[1])
        chances = self._by_chunks(
            lambda known: predictive(self.model_.coefficients, contrast, known, points, shares), rows
        )
        return chances / chances.sum(1, keepdims=True)

    def predict_log_proba(self, X: MatrixLike) -> np.ndarray:
        """The logarithms of ``predict_proba``."""
        return np.log(np.maximum(self.predict_proba(X), np.finfo(float).tiny))

    def decision_function(self, X: MatrixLike) -> np.ndarray:
        """Two classes: the log-odds of ``predict_proba``, ``(n,)``; more: its logarithms, ``(n, K)``."""
        found = self.predict_log_proba(X)
        return found[:, 1] - found[:, 0] if self.classes_.size == 2 else found

    def predict(self, X: MatrixLike) -> np.ndarray:
        """The likeliest class of every row."""
        scores = self.decision_function(X)
        return self.classes_[(scores > 0).astype(int) if scores.ndim == 1 else scores.argmax(axis=1)]

    def log_score(self, X: MatrixLike, y: ArrayLike | None, sample_weight: ArrayLike | None = None) -> float:
        """The mean log predictive probability of rows' classes, ``log E_q p(y|x, w)``, in nats."""
        rows = weighted(self._read(X, reset=False), sample_weight)
        place = self._places(self._labels(y, rows))
        found = self.predict_log_proba(rows if self._names() is None else X)
        return float(np.average(found[np.arange(place.size), place], weights=rows.weights))

    @double_precision
    def elbo(self, X: MatrixLike, y: ArrayLike | None, sample_weight: ArrayLike | None = None) -> float:
        """``Σ w E_q log p(y|x, w) − KL(q ‖ prior)`` in nats of these rows, by quadrature, whatever the method was."""
        check_is_fitted(self)
        rows = weighted(self._read(X, reset=False), sample_weight)
        table = RegressionTable(rows, self._places(self._labels(y, rows)).astype(np.float64), self._view)
        model = self.model_
        return expected_log_likelihood(model, table) - float(model.coefficients.kl(model.prior))

    def _places(self, labels: np.ndarray) -> np.ndarray:
        place = np.clip(np.searchsorted(self.classes_, labels), 0, self.classes_.size - 1)
        strange = labels != self.classes_[place]
        if strange.any():
            raise ValueError(f"y has a class that was not there at fit: {labels[strange].tolist()[0]!r}")
        return place

    def summary(self, level: float = 0.95) -> CoefficientTable:
        """Every coefficient with its posterior mean, standard deviation and central interval, in the user's units."""
        check_level(level)
        check_is_fitted(self)
        return self._table(self._lines(), float(ndtri(0.5 + 0.5 * level)), level)

    def graph(self) -> Graph:
        """The directed graph of the model, as data."""
        return self._graph("categorical", noise=False)
