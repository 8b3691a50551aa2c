"""``StudentTRegression``: linear regression whose noise has heavy tails, fitted by EM."""

import warnings
from dataclasses import KW_ONLY
from typing import Annotated

import jax.numpy as jnp
import numpy as np
from numpy.typing import ArrayLike
from scipy.special import stdtrit
from sklearn.exceptions import ConvergenceWarning

from tacit.data.dataset import DenseRows
from tacit.estimators.base import check_level, double_precision
from tacit.estimators.capabilities import MatrixLike
from tacit.estimators.regression.base import RobustRegression
from tacit.estimators.settings import NOT_NEGATIVE, POSITIVE, Whole, settings
from tacit.estimators.stopping import stop_reason
from tacit.families.student_t import DOF_RANGE, StudentT
from tacit.inference.closed_form import CONVERGED
from tacit.inference.fit import Fit
from tacit.inference.loop import Trace
from tacit.models.graph import Edge, Graph, Node
from tacit.models.lifting.absolute import AbsoluteRegression
from tacit.models.lifting.design import Design
from tacit.models.lifting.student import StudentRegression, covariance, information

LEAST_SCALE = 1e-8
"""Of σ, in mean absolute residuals of least squares."""
SAFETY = 2.0
"""A line through m of N rows has an infinite likelihood where ν < m/(N − m): a learned ν is kept so far above."""
START_DOF = 4.0
NORMAL_DOF = 1e4
"""From here on noise is normal to the digits of any table, and ν has no standard error."""


@settings
class StudentTRegression(RobustRegression):
    """``y = X coef_ + intercept_ + σ t_ν``: least squares that outliers in y do not pull away.

    Student's t is a normal whose precision is multiplied by a hidden gamma variable u. EM alternates least squares
    with weights ``E[u | residual] = (ν + 1)/(ν + δ)``, small for a row far from the line, and these weights
    (Lange, Little & Taylor 1989), with parameter expansion (Liu, Rubin & Wu 1998) and squared extrapolation
    (Varadhan & Roland 2008). The likelihood may have several tops: two starts are made, from least squares and from
    least absolute deviations, and the better end is kept.

    Attributes:
        coef_, intercept_: coefficients ``(d,)`` and the constant; where columns depend on one another, the shortest
            in units of their spread.
        scale_, dof_: σ in units of y, and ν.
        row_weights_: ``E[u | residual]`` of every row at fit, ``(n,)``: near (ν + 1)/ν for ordinary rows, near 0
            for outliers.
        log_likelihood_: of the rows, in nats, with every constant.
        covariance_: estimated covariance of ``[*coef_, intercept_]`` from the observed information, ν and σ unknown.
        scale_sd_, dof_sd_: standard errors; NaN for a ν that is given or so large that noise is normal.
        at_floor_: whether σ ended at its floor: the line runs through too many rows, and the fit means little.
        n_iter_, converged_, stop_reason_: how the fit ended.
        trace_: iteration, bound (the log-likelihood in nats) and seconds.
    """

    dof: Annotated[float | None, POSITIVE] = None
    """ν, degrees of freedom; learned if None. 1 is Cauchy's distribution, a large number the normal."""
    _: KW_ONLY
    tol: Annotated[float, NOT_NEGATIVE] = 1e-10
    """change of the log-likelihood a row, in nats, below which a start has converged."""
    max_iter: Annotated[int, Whole(1)] = 1000
    """most iterations of a start."""
    verbose: int = 0
    """print a line every so many iterations."""

    def _solve(self, design: Design) -> None:
        best = self._best(design)
        self._finish(design, best)
        self._errors(design, best)

    def _rested(self, residuals: np.ndarray) -> None:
        self.row_weights_ = (self.dof_ + 1.0) / (self.dof_ + (residuals / self.scale_) ** 2)
        self._warn()

    def _best(self, design: Design) -> Fit:
        """The better of two starts."""
        learn, weights = self.dof is None, design.weights
        width = design.width
        middle = AbsoluteRegression(np.zeros((1, width)), np.ones(1), np.full(1, 0.5))
        label = f"{type(self).__name__}: a start"
        robust = self._alternate(middle, design, max_iter=50, tol=1e-4, label=label).model
        starts = np.stack([np.zeros(width), np.asarray(robust.coefficients)])
        apart = np.abs(design.residuals(starts[1, : design.rank]))
        order = np.argsort(apart)
        half = order[np.searchsorted(np.cumsum(weights[order]), 0.5 * weights.sum())]
        scales = np.array([np.sqrt(weights @ design.left**2 / weights.sum()), 1.5 * apart[half]])
        least = _least_dof(*design.columns.shape)
        models = StudentRegression(
            starts,
            np.maximum(scales, LEAST_SCALE),
            np.full(2, max(START_DOF, least) if learn else float(self.dof or 0.0)),
            np.full(2, LEAST_SCALE),
            np.full(2, least),
            learn,
        )
        # where least squares leaves nothing, there is nothing to iterate for
        most = int(self.max_iter) if design.left.any() else 1
        return self._alternate(models, design, max_iter=most, tol=float(self.tol), accelerate=True)

    def _finish(self, design: Design, best: Fit) -> None:
        model, total = best.model, float(design.weights.sum())
        self.coef_, self.intercept_ = design.parameters(model.coefficients[: design.rank])
        self.scale_, self.dof_ = design.size * float(model.scale), float(model.dof)
        self.at_floor_ = bool(model.scale <= LEAST_SCALE * (1.0 + 1e-6))
        # working values are y over its size: p(y) = p(e) / size
        shift = total * float(np.log(design.size))
        self.log_likelihood_ = best.bound - shift
        self.trace_ = Trace(best.trace.iteration, best.trace.bound - shift, best.trace.seconds)
        self.n_iter_ = max(1, best.iteration)
        self.converged_ = best.status == CONVERGED and not self.at_floor_
        self.stop_reason_ = stop_reason(best.status)

    def _errors(self, design: Design, best: Fit) -> None:
        """Standard errors from the observed information."""
        rank, model = design.rank, best.model
        inside = _least_dof(*design.columns.shape) * (1.0 + 1e-9) < model.dof < NORMAL_DOF
        free = self.dof is None and bool(inside)
        scale = float(model.scale)
        residuals = design.residuals(model.coefficients[:rank]) / scale
        found = sum(
            information(rows / scale, residuals[part], design.weights[part], self.dof_)
            for part, rows in DenseRows(design.columns).slices()
        )
        working = covariance(np.asarray(found), rank + 1 + free)
        if self.at_floor_:
            working = np.full_like(working, np.nan)
        self.covariance_ = design.covariance(working[:rank, :rank])
        sd = np.sqrt(np.diagonal(working))
        self.scale_sd_ = float(sd[rank] * self.scale_)
        self.dof_sd_ = float(sd[rank + 1]) if free else float("nan")

    def _warn(self) -> None:
        if self.at_floor_:
            warnings.warn(
                "StudentTRegression: the line runs through so many rows that σ fell to its floor. The fit says little "
                "beyond that; give dof=, or look for copies of rows and columns that determine the target.",
                ConvergenceWarning,
                stacklevel=5,
            )
        elif not self.converged_:
            warnings.warn(
                f"StudentTRegression did not converge in {self.n_iter_} iterations ({self.stop_reason_}): raise "
                "max_iter or tol.",
                ConvergenceWarning,
                stacklevel=5,
            )

    @double_precision
    def log_predictive(self, X: MatrixLike, y: ArrayLike | None) -> np.ndarray:
        """``log p(y|x)`` of every row in nats at the fitted parameters, ``(n,)``."""
        noise = StudentT(jnp.zeros(()), jnp.asarray(self.scale_), jnp.asarray(self.dof_))
        return np.asarray(noise.log_prob(jnp.asarray(self._residuals(X, y))))

    def predict_interval(self, X: MatrixLike, level: float = 0.9) -> tuple[np.ndarray, np.ndarray]:
        """Where y lies with this probability at the fitted parameters: lower and upper ends, ``(n,)``."""
        check_level(level)
        middle, reach = self.predict(X), self.scale_ * float(stdtrit(self.dof_, 0.5 + 0.5 * level))
        return middle - reach, middle + reach

    def graph(self) -> Graph:
        """The directed graph of the model, as data."""
        nu = Node("nu", "ν", "parameter" if self.dof is None else "hyperparameter")
        return self._graph(Node("u", "u", "latent", ("n",), "gamma"), Edge("nu", "u"), more=(nu,))


def _least_dof(rows: int, rank: int) -> float:
    """The least ν that is learned: below, the likelihood of a line through as many rows as it can meet is infinite."""
    return max(DOF_RANGE[0], SAFETY * rank / max(rows - rank, 1))
