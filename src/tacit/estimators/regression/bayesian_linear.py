"""``BayesianLinearRegression``: a number given rows, with a posterior over the coefficients."""

import math
import warnings
from dataclasses import KW_ONLY
from typing import Annotated, Any, Self

import numpy as np
from numpy.typing import ArrayLike
from scipy import stats
from sklearn.base import RegressorMixin
from sklearn.exceptions import ConvergenceWarning
from sklearn.utils.validation import check_is_fitted

from tacit.compute import LOG_2PI
from tacit.data.blocks import Standardise
from tacit.data.dataset import Dataset, DenseRows
from tacit.estimators.base import check_level, double_precision, read_weights, weighted
from tacit.estimators.capabilities import MatrixLike, PredictsIntervals, PredictsNumbers
from tacit.estimators.regression.base import POSTERIOR_DRAWS, POSTERIORS, BayesianRegression
from tacit.estimators.regression.coefficients import CoefficientTable
from tacit.estimators.settings import TOLERANCE, Choice, Number, Whole, settings
from tacit.estimators.stopping import because
from tacit.estimators.verdict import Verdict, judged
from tacit.inference.closed_form import CONVERGED, STOPPED
from tacit.inference.loop import Trace
from tacit.inference.posterior import Posterior
from tacit.models.graph import Graph
from tacit.models.regression.expected import draws_of
from tacit.models.regression.fitting import RegressionTable, moments_of, total
from tacit.models.regression.linear import Gram, GramStep, NoisePrior, Solved, alternate, log_joint, solve

METHODS = ("exact", "evidence", "variational")


@settings
class BayesianLinearRegression(PredictsIntervals, PredictsNumbers, RegressorMixin, BayesianRegression):
    """A number given rows, ``y = w₀ + wᵀx + ε`` with ``ε ~ N(0, σ²)``, and a posterior over w and σ.

    One pass over the rows is all that any method takes; rows larger than memory are streamed.

    Attributes:
        coef_, intercept_: posterior means in the user's units, ``(d,)`` and a number.
        coef_sd_, intercept_sd_: posterior standard deviations.
        noise_scale_: √E[σ²] where it is finite, in the targets' units.
        prior_scale_: the prior's scale, given or learned.
        log_evidence_: ``log p(y|X)`` in nats (exact; not of "variational" or mean field).
        lower_bound_: the log evidence or the bound on it, in nats a row.
        trace_, n_iter_, converged_, stop_reason_: the course of the fit.
        verdict_: what may be trusted.
        model_: the posterior, in the coordinates of standardised columns and targets.
    """

    method: Annotated[str, Choice(METHODS)] = "exact"
    """"exact": σ is integrated out under ``σ⁻² ~ Gamma``, with ``w|σ ~ N(0, σ² prior_scale²)``: the posterior is a
    Student-t, and the log evidence exact. "evidence": σ is set to where the evidence is largest (type II maximum
    likelihood), and the posterior is Gaussian. "variational": ``q(w) q(σ)`` where the prior of w, ``N(0,
    prior_scale²)`` in units of the targets' standard deviation, does not know σ."""
    _: KW_ONLY
    posterior: Annotated[str, Choice(POSTERIORS)] = "full"
    """"full", or "mean-field": independent coefficients, whose spread is understated where columns are correlated; not
    for "exact" unless ``noise_scale`` is given."""
    prior_scale: Annotated[
        float | str, Number("a positive number or 'learned'", least_too=False, below=math.inf, names=("learned",))
    ] = "learned"
    """of the coefficients of columns of unit standard deviation where ``standardize``, in the units named above;
    "learned" takes the one of the largest evidence (or bound)."""
    noise_scale: Annotated[float | None, Number("a positive number or None", least_too=False)] = None
    """σ in the targets' units where it is known; None: unknown."""
    noise_prior: tuple[float, float] = (1e-6, 1e-6)
    """shape and rate of the Gamma prior of σ⁻², σ in units of the targets' standard deviation; by default it says next
    to nothing, however precise the targets are."""
    max_iter: Annotated[int, Whole(1)] = 1000
    """of "variational": most iterations."""
    tol: Annotated[float, TOLERANCE] = 1e-8
    """of "variational": the change of the bound in nats a row that ends them."""

    @double_precision
    def fit(self, X: MatrixLike, y: ArrayLike | None, sample_weight: ArrayLike | None = None) -> Self:
        """Find the posterior of coefficients and noise.

        Args:
            X: complete rows ``(n, d)``, or a `tacit.data.Dataset`; memory-mapped ones are read a piece at a time.
            y: their numbers ``(n,)``.
            sample_weight: a weight a row; 2 is the same as two copies, and 0 as no row.

        Raises:
            ValueError: what is wrong with rows, targets, weights or a parameter, and what to do.
        """
        rows = weighted(self._read(X, reset=True), sample_weight)
        target, weights = self._target(y, rows), rows.weights
        self.check_settings()
        self._check_size(len(self._columns()))
        shift, scale = self._viewed(rows)
        at, width = (moments[0] for moments in moments_of(DenseRows(target[:, None], weights)))
        at, width = (at if self.fit_intercept else 0.0, width) if self.standardize else (0.0, 1.0)
        if self.method == "evidence" and np.abs(target[weights > 0] - at).max() <= 1e-13 * abs(at):
            raise ValueError(
                "y is constant: the most likely noise is 0; take method='exact', with noise_scale where it is known"
            )
        self._view = Standardise(np.append(shift, at), np.append(scale, width))
        table = RegressionTable(rows, target, self._view)
        sums = Gram(*total(GramStep(bool(self.fit_intercept)), table.source(), self._view).statistics)
        self._finish(self._solved(sums), sums)
        return self

    def _target(self, y: ArrayLike | None, rows: Dataset) -> np.ndarray:
        try:
            target = np.asarray(super()._target(y, rows), np.float64)
        except (TypeError, ValueError) as error:
            if "could not convert" not in str(error):
                raise
            raise ValueError(f"y must be numbers: {error}. For classes take BayesianLogisticRegression.") from None
        bad = np.flatnonzero(~np.isfinite(target))
        if bad.size:
            raise ValueError(f"Input y contains NaN or infinity, first in row {bad[0]}: leave such rows out")
        return target

    def _check_together(self) -> None:
        if len(self.noise_prior) != 2 or not min(self.noise_prior) > 0:
            raise ValueError(f"noise_prior must be a positive shape and a positive rate, got {self.noise_prior!r}")
        if self.noise_scale is not None and self.method != "exact":
            raise ValueError("noise_scale is known: take method='exact', which is exact then too")
        if self.posterior == "mean-field" and self.method == "exact" and self.noise_scale is None:
            raise ValueError(
                "method='exact' has all covariances: take posterior='full', or method='evidence' or 'variational'"
            )

    def _solved(self, sums: Gram) -> Solved:
        prior, learn, mean_field = self._prior(), self._learns_prior(), self.posterior == "mean-field"
        gamma = NoisePrior(*map(float, self.noise_prior))
        if self.method == "variational":
            return alternate(
                sums, prior, gamma, learn=learn, mean_field=mean_field, max_iter=self.max_iter, tol=self.tol
            )
        noise: NoisePrior | float | None = gamma if self.method == "exact" else None
        if self.noise_scale is not None:
            noise = float(self.noise_scale) / float(self._view.scale[-1])
        return solve(sums, prior, noise, learn=learn, mean_field=mean_field)

    def _finish(self, solved: Solved, sums: Gram) -> None:
        weight, width = float(sums.weight), float(self._view.scale[-1])
        self.model_ = model = solved.model
        bounds = solved.trace - weight * math.log(width)
        self.trace_ = Trace(np.arange(bounds.size), bounds, np.zeros(bounds.size))
        self.n_iter_, self.converged_ = bounds.size, solved.converged
        exact = self.method != "variational" and self.posterior == "full"
        reason = "the posterior is in closed form" if self.method != "variational" else because(CONVERGED)
        self.stop_reason_ = reason if solved.converged else because(STOPPED)
        self.lower_bound_ = float(bounds[-1]) / weight
        if exact:
            self.log_evidence_ = float(bounds[-1])
        self.prior_scale_ = float(model.prior.scale)
        heavy = model.noise_dof / (model.noise_dof - 2.0) if 2.0 < model.noise_dof < math.inf else 1.0
        self.noise_scale_ = width * math.sqrt(model.noise * heavy)
        widening = math.sqrt(model.dof / (model.dof - 2.0)) if 2.0 < model.dof < math.inf else 1.0
        self._publish(model.coefficients, np.ones((1, 1)), widening)
        self.coef_, self.coef_sd_ = self.coef_[0], self.coef_sd_[0]
        self.intercept_, self.intercept_sd_ = self.intercept_[0], self.intercept_sd_[0]
        self.n_parameters_ = np.asarray(model.coefficients.mean).size + (self.noise_scale is None)
        self.verdict_ = self._verdict(solved, sums, exact)
        if not self.converged_:
            warnings.warn("the fit did not converge: increase max_iter or tol", ConvergenceWarning, stacklevel=4)

    def _verdict(self, solved: Solved, sums: Gram, exact: bool) -> Verdict:
        given = "" if self.method == "exact" else ", given the noise that was learned"
        if exact:
            return judged(why_not=f"the posterior is exact{given}", stop=self.stop_reason_)
        bounds = (self.lower_bound_ * float(sums.weight),)
        if self.n_draws < 2:
            return judged(why_not="no draws were asked for", bounds=bounds, stop=self.stop_reason_)
        draws, log_q, deviations = self._log_q(self.n_draws)
        gamma = NoisePrior(*map(float, self.noise_prior)) if self.method == "variational" else None
        joint = log_joint(sums, solved.model.prior, gamma, draws, deviations)
        jacobian = float(sums.weight) * math.log(float(self._view.scale[-1]))
        own = draws @ self._to_units().T
        own[:, -1] += float(self._view.shift[-1]) if self.fit_intercept else 0.0
        names, columns = self._columns(), own
        if gamma is not None:
            names, columns = [*names, "σ"], np.column_stack([own, deviations * float(self._view.scale[-1])])
        ratios = joint - log_q - jacobian
        return judged(names=names, draws=columns, log_ratios=ratios, bounds=bounds, stop=self.stop_reason_)

    def _log_q(self, number: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Draws of coefficients and σ in the view, and ``log q`` of them (of σ⁻² as the noise's variable)."""
        model = self.model_
        draws, noise = draws_of(model.coefficients, number, 0)
        log_q = np.asarray(model.coefficients.log_prob_of(noise))
        if math.isinf(model.noise_dof):
            return draws[:, 0], log_q, np.full(number, math.sqrt(model.noise))
        shape = 0.5 * model.noise_dof
        rate = shape * model.noise
        precision = np.random.default_rng(1).gamma(shape, 1.0 / rate, number)
        return draws[:, 0], log_q + stats.gamma.logpdf(precision, shape, scale=1.0 / rate), precision**-0.5

    @double_precision
    def _drawn(self) -> Posterior:
        model = self.model_
        normal, _ = draws_of(model.coefficients, POSTERIOR_DRAWS, 1)
        centred = (normal - np.asarray(model.coefficients.mean))[:, 0]
        variance = np.full(POSTERIOR_DRAWS, model.noise)
        if math.isfinite(model.noise_dof):
            shape = 0.5 * model.noise_dof
            variance = shape * model.noise / np.random.default_rng(2).gamma(shape, size=POSTERIOR_DRAWS)
        if math.isfinite(model.dof):
            # given σ the coefficients are Gaussian with a covariance in proportion to σ²
            centred = centred * np.sqrt(variance / model.noise)[:, None]
        own = (np.asarray(model.coefficients.mean)[0] + centred) @ self._to_units().T
        many, width = self.n_features_in_, float(self._view.scale[-1])
        draws = {"coef": own[:, :many]}
        if self.fit_intercept:
            draws["intercept"] = own[:, many] + float(self._view.shift[-1])
        draws["sigma"] = width * np.sqrt(variance)
        return Posterior(draws, dims={"coef": ["column"]}, coords={"column": self._column_names()})

    @double_precision
    def predict(self, X: MatrixLike, return_std: bool = False) -> Any:
        """The posterior predictive mean of every row, ``(n,)``; with ``return_std`` also its standard deviation."""
        check_is_fitted(self)
        rows = self._read(X, reset=False)
        mean, scale = self._predictive(rows)
        if not return_std:
            return mean
        dof = self.model_.noise_dof
        heavy = dof / (dof - 2.0) if 2.0 < dof < math.inf else 1.0
        return mean, scale * math.sqrt(heavy)

    def _predictive(self, rows: Dataset) -> tuple[np.ndarray, np.ndarray]:
        """Location and scale of the predictive Student-t, in the targets' units."""
        model, width = self.model_, float(self._view.scale[-1])

        def moments(known: np.ndarray) -> np.ndarray:
            middle, spread = model.coefficients.scores(known)
            return np.column_stack([middle[:, 0], spread[:, 0, 0]])

        mean, spread = self._by_chunks(moments, rows).T
        return float(self._view.shift[-1]) + width * mean, width * np.sqrt(model.noise + np.maximum(spread, 0.0))

    @double_precision
    def predict_interval(self, X: MatrixLike, level: float = 0.9) -> tuple[np.ndarray, np.ndarray]:
        """Where y lies with this probability under the predictive distribution: lower and upper ends, ``(n,)``."""
        check_level(level)
        check_is_fitted(self)
        mean, scale = self._predictive(self._read(X, reset=False))
        dof, at = self.model_.noise_dof, 0.5 + 0.5 * level
        reach = scale * float(stats.t.ppf(at, dof) if math.isfinite(dof) else stats.norm.ppf(at))
        return mean - reach, mean + reach

    @double_precision
    def log_predictive(self, X: MatrixLike, y: ArrayLike | None) -> np.ndarray:
        """The log predictive density ``log p(y|x)`` of every row's target, ``(n,)``, in nats."""
        check_is_fitted(self)
        rows = self._read(X, reset=False)
        mean, scale = self._predictive(rows)
        away, dof = (self._target(y, rows) - mean) / scale, self.model_.noise_dof
        each = stats.t.logpdf(away, dof) if math.isfinite(dof) else -0.5 * (away**2 + LOG_2PI)
        return np.asarray(each - np.log(scale))

    def log_score(self, X: MatrixLike, y: ArrayLike | None, sample_weight: ArrayLike | None = None) -> float:
        """The mean log predictive density of rows' targets, in nats."""
        each = self.log_predictive(X, y)
        return float(np.average(each, weights=read_weights(each, sample_weight)))

    def summary(self, level: float = 0.95) -> CoefficientTable:
        """Every coefficient with its posterior mean, standard deviation and central interval, in the user's units."""
        check_level(level)
        check_is_fitted(self)
        dof, at = self.model_.dof, 0.5 + 0.5 * level
        # in units of coef_sd_, which is the scale itself where there is no variance
        narrow = math.sqrt((dof - 2.0) / dof) if 2.0 < dof < math.inf else 1.0
        reach = narrow * float(stats.t.ppf(at, dof) if math.isfinite(dof) else stats.norm.ppf(at))
        return self._table([], reach, level)

    def graph(self) -> Graph:
        """The directed graph of the model, as data."""
        return self._graph("normal", noise=True)
