"""``LeastAbsoluteDeviations``: regression on the median, or another quantile, by lifting, with a certificate."""

import warnings
from dataclasses import KW_ONLY
from typing import Annotated

import numpy as np
from numpy.typing import ArrayLike
from sklearn.exceptions import ConvergenceWarning

from tacit.estimators.base import check_level
from tacit.estimators.capabilities import MatrixLike
from tacit.estimators.regression.base import RobustRegression
from tacit.estimators.settings import NOT_NEGATIVE, Number, Whole, settings
from tacit.estimators.stopping import stop_reason
from tacit.inference.closed_form import CONVERGED
from tacit.inference.fit import Fit
from tacit.inference.loop import Trace
from tacit.models.graph import Edge, Graph, Node
from tacit.models.lifting.absolute import AbsoluteRegression
from tacit.models.lifting.design import Design
from tacit.models.lifting.vertex import Vertex, finish, pinball, sandwich

QUIET = 1e-6
"""Reweighting ends where the smoothed objective falls by less than this share of its size."""
LEAST_OBJECTIVE = 1e-300
WALK = 200
"""Edges walked at most, times the number of columns: a few suffice."""


@settings
class LeastAbsoluteDeviations(RobustRegression):
    """``min Σ w |y − X b|``: a line through the median, which no outlier in y pulls away.

    Lifting: ``|t| = ½ min_s (t²/s + s)`` turns the problem into least squares with a weight a row, in turn with the
    best s (Schlossmacher 1973); a smoothing ε that falls to 0 keeps the weights finite. A walk along a few edges of
    the linear programme ends at its exact minimum, and the duality gap proves it (Barrodale & Roberts 1973). It is
    the maximum likelihood fit where noise follows Laplace's distribution, and of its asymmetric form for other
    quantiles.

    Attributes:
        coef_: coefficients ``(d,)``; where columns depend on one another, the shortest in units of their spread.
        intercept_: the constant.
        objective_: the mean pinball loss ``Σ w ρ(r)/Σ w``, ``ρ(t) = max(q t, (q − 1) t)``: at the median half the
            mean absolute residual, as `sklearn.metrics.mean_pinball_loss` has it.
        duality_gap_: ``objective_`` less the best proved lower bound; 0 but for rounding where the fit is exact.
        unique_: whether that proves, too, that no other coefficients are as good.
        scale_: of Laplace's distribution, by maximum likelihood: ``objective_``.
        covariance_: estimated covariance of ``[*coef_, intercept_]`` (Powell's kernel sandwich).
        n_iter_, n_steps_: iterations of reweighting, and edges walked after them.
        converged_: whether the gap is at most ``tol``.
        stop_reason_: in words.
        trace_: iteration, bound (the log-likelihood in nats that the smoothed objective amounts to, with the best
            scale) and seconds; the last is exact.
        log_likelihood_: of the rows, in nats.
    """

    quantile: Annotated[float, Number("between 0 and 1", below=1.0, least_too=False)] = 0.5
    """which quantile of y given x is followed, between 0 and 1; ½ is the median."""
    _: KW_ONLY
    tol: Annotated[float, NOT_NEGATIVE] = 1e-9
    """the duality gap, as a share of the objective, up to which a fit has converged."""
    max_iter: Annotated[int, Whole(1)] = 100
    """most iterations of reweighting; the exact end comes after them in any case."""
    verbose: int = 0
    """print a line every so many iterations."""

    def _solve(self, design: Design) -> None:
        lifted = self._reweighted(design)
        self._finish(design, lifted, self._vertex(design, lifted))

    def _reweighted(self, design: Design) -> Fit | None:
        """The lifted fit, or None where least squares leaves nothing or there is nothing to fit."""
        if design.rank == 0 or not design.left.any():
            return None
        start = AbsoluteRegression(np.zeros((1, design.width)), np.ones(1), np.full(1, float(self.quantile)))
        return self._alternate(start, design, max_iter=int(self.max_iter), tol=QUIET)

    def _vertex(self, design: Design, lifted: Fit | None) -> Vertex:
        rank, weights = design.rank, design.weights
        if lifted is None:
            loss = float(weights @ pinball(design.left, self.quantile))
            return Vertex(np.zeros(rank), loss, 0.0, True, 0)
        start = np.asarray(lifted.model.coefficients)[:rank]
        most = WALK * (rank + 10)
        return finish(design.columns, design.left, weights, float(self.quantile), start, max_steps=most)

    def _finish(self, design: Design, lifted: Fit | None, vertex: Vertex) -> None:
        weights, total = design.weights, float(design.weights.sum())
        self.coef_, self.intercept_ = design.parameters(vertex.coefficients)
        self.objective_ = design.size * vertex.objective / total if design.left.any() else 0.0
        self.duality_gap_ = design.size * vertex.gap / total
        self.unique_ = vertex.unique and design.units.shape[0] - (not design.intercept) == design.units.shape[1]
        self.scale_ = self.objective_
        residuals = design.residuals(vertex.coefficients)
        working = sandwich(design.columns, residuals, weights, float(self.quantile))
        self.covariance_ = design.covariance(working)
        self.n_iter_ = 1 if lifted is None else max(1, lifted.iteration)
        self.n_steps_ = vertex.steps
        self.trace_ = _trace(lifted, design.size, self.objective_ * total, total, float(self.quantile))
        self.log_likelihood_ = float(self.trace_.bound[-1])
        self.converged_ = bool(self.duality_gap_ <= self.tol * self.objective_ + 1e-13 * design.size)
        self.stop_reason_ = stop_reason(CONVERGED) if self.converged_ else "the duality gap is above tol"
        if not self.converged_:
            warnings.warn(
                f"LeastAbsoluteDeviations did not converge: the mean loss {self.objective_:.6g} is proved to within "
                f"{self.duality_gap_:.2g} only. Raise tol, or look for columns that almost depend on one another.",
                ConvergenceWarning,
                stacklevel=5,
            )

    def log_predictive(self, X: MatrixLike, y: ArrayLike | None) -> np.ndarray:
        """``log p(y|x)`` of every row in nats, ``(n,)``: ``log[q(1 − q)/σ] − ρ(r)/σ``, Laplace's at the median."""
        residuals = self._residuals(X, y)
        if self.scale_ == 0.0:
            return np.where(residuals == 0.0, np.inf, -np.inf)
        peak = np.log(self.quantile * (1.0 - self.quantile) / self.scale_)
        return np.asarray(peak - pinball(residuals, self.quantile) / self.scale_)

    def predict_interval(self, X: MatrixLike, level: float = 0.9) -> tuple[np.ndarray, np.ndarray]:
        """Where y lies with this probability if noise is as fitted, equal tails: lower and upper ends, ``(n,)``."""
        check_level(level)
        middle = self.predict(X)
        below, above = (_quantile(p, self.quantile) * self.scale_ for p in (0.5 - 0.5 * level, 0.5 + 0.5 * level))
        return middle + below, middle + above

    def graph(self) -> Graph:
        """The directed graph of the model, as data."""
        return self._graph(Node("s", "s", "latent", ("n",), "exponential"), Edge("sigma", "s"))


def _quantile(probability: float, quantile: float) -> float:
    """Of the asymmetric Laplace distribution of scale 1, whose ``quantile`` is 0."""
    if probability <= quantile:
        return float(np.log(probability / quantile) / (1.0 - quantile))
    return float(-np.log((1.0 - probability) / (1.0 - quantile)) / quantile)


def _trace(lifted: Fit | None, size: float, exact: float, total: float, quantile: float) -> Trace:
    """Log-likelihoods in nats under the best scale, from the smoothed objectives and the exact one.

    ``Σ w [log q(1 − q)/σ − ρ/σ]`` is largest at ``σ = Σ w ρ/Σ w``.
    """
    trace = Trace(np.zeros(0, int), np.zeros(0), np.zeros(0)) if lifted is None else lifted.trace
    objectives = np.maximum(np.append(-size * trace.bound, exact), LEAST_OBJECTIVE)
    bounds = total * (np.log(quantile * (1.0 - quantile)) - np.log(objectives / total) - 1.0)
    seconds = np.append(trace.seconds, trace.seconds[-1:] if trace.seconds.size else 0.0)
    return Trace(np.arange(bounds.size), bounds, seconds)
