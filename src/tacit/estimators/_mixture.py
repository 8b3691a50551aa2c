"""The face that all mixtures share: fit, and the answers of a fitted mixture."""

import abc
import warnings
from typing import Any, NamedTuple, Self

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from sklearn.base import BaseEstimator, DensityMixin
from sklearn.exceptions import ConvergenceWarning
from sklearn.utils.validation import check_is_fitted

from tacit.compute import component_bucket
from tacit.data.blocks import Moments, Standardise, moments, source
from tacit.estimators._base import double_precision, read_rows, read_weights, seed_of
from tacit.estimators._starts import draw_starts, needs_tiles
from tacit.inference.closed_form import CONVERGED, REASONS
from tacit.inference.fit import Fit
from tacit.models.mixture import rows as answers
from tacit.models.mixture.fitting import Schedule, finished, run
from tacit.models.mixture.model import Mixture
from tacit.models.mixture.rules import Draws, Mode, Posterior, Rule

INFERENCE = ("em", "hard-em", "monte-carlo-em", "online-em", "gradient")


class Plan(NamedTuple):
    """What a kind of mixture says of the rows at hand before the fit."""

    template: Mixture
    """In the coordinates of the view, with padded components."""
    view: Standardise


class BaseMixture(DensityMixin, BaseEstimator, metaclass=abc.ABCMeta):
    """Fit and answers of a mixture; a subclass reads rows and plans the groups of columns."""

    @abc.abstractmethod
    def _plan(self, rows: Any, values: Moments, width: int) -> Plan:
        """The template and the view for these rows."""

    def _read(self, X: Any, *, reset: bool, minimum: int = 1) -> Any:
        return read_rows(self, X, reset=reset, minimum=minimum)

    def _publish(self, model: Mixture) -> None:
        """Set the fitted parameters as attributes."""
        self.weights_ = np.exp(model.log_weights)

    def _started(self, models: Mixture, view: Standardise) -> tuple[Mixture, bool]:
        """The starts with what the user gave in place of it, and whether the user gave anything."""
        return models, False

    @double_precision
    def fit(self, X: Any, y: Any = None, sample_weight: Any = None) -> Self:
        """Fit the mixture to rows.

        Args:
            X: rows ``(n, d)``; NaN marks a missing entry, which is integrated out.
            y: ignored.
            sample_weight: a weight a row, ``(n,)``; 2 is the same as two copies.

        Raises:
            ValueError: what is wrong with the rows, the weights or a parameter, and what to do.
        """
        rows = self._read(X, reset=True, minimum=2)
        self._fit_rows(rows, read_weights(rows, sample_weight))
        return self

    def _fit_rows(self, rows: Any, weights: np.ndarray) -> None:
        if rows.shape[0] < self.n_components:
            raise ValueError(
                f"Expected n_samples >= n_components but got n_components = {self.n_components}, "
                f"n_samples = {rows.shape[0]}"
            )
        values = moments(rows, weights)
        random = seed_of(self.random_state)
        width = component_bucket(self.n_components)
        plan = self._plan(rows, values, width)
        template = eqx.tree_at(lambda m: m.rule, plan.template, self._rule())
        number = np.full(self._number_of_starts(), self.n_components)
        models = draw_starts(template, rows, weights, plan.view, self.init_params, number, random)
        models, given = self._started(models, plan.view)
        tiles = needs_tiles(template, values.complete)
        data = source(rows, weights, tiles=tiles)
        models = models.with_rows(complete=values.complete, tile=getattr(data, "tile", 1))
        key = jax.random.key(int(random.integers(2**31)))
        schedule = Schedule(self.max_iter, self.tol, accelerate=self.accelerate, label=type(self).__name__)
        found = run(models, data, plan.view, schedule, key)
        self._finish(found, plan, values, given, float(weights.sum()))

    def _rule(self) -> Rule:
        return Mode() if self.inference == "hard-em" else Posterior()

    def _number_of_starts(self) -> int:
        return self.n_init

    def _finish(self, found: Fit, plan: Plan, values: Moments, given: bool, weight: float) -> None:
        # log-density in the user's units: each observed entry of a scaled column brings −log scale
        jacobian = -float(values.seen @ np.log(np.asarray(plan.view.scale)))
        self.model_ = finished(found.model, plan.view, ordered=not given)
        self.trace_ = found.trace._replace(bound=found.trace.bound + jacobian)
        self.snapshots_ = {i: finished(m, plan.view, ordered=False) for i, m in found.snapshots.items()}
        self.n_iter_ = found.iteration
        self.lower_bound_ = (found.bound + jacobian) / weight
        self.lower_bounds_ = list(self.trace_.bound / weight)
        self.converged_ = found.status == CONVERGED
        self.stop_reason_ = REASONS[found.status]
        self.n_parameters_ = self.model_.n_parameters()
        self._publish(self.model_)
        if not self.converged_ and self.max_iter > 0:
            warnings.warn(
                f"Best performing initialization did not converge ({self.stop_reason_} after {self.n_iter_} "
                "iterations). Try different init parameters, or increase max_iter, tol, or check for "
                "degenerate data.",
                ConvergenceWarning,
                stacklevel=5,
            )

    def _fitted(self) -> Mixture:
        check_is_fitted(self)
        return self.model_

    @double_precision
    def score_samples(self, X: Any) -> np.ndarray:
        """``log p(x)`` of every row in nats, ``(n,)``; missing entries are integrated out."""
        model = self._fitted()
        return answers.log_prob(model, self._read(X, reset=False))

    def score(self, X: Any, y: Any = None, sample_weight: Any = None) -> float:
        """Mean log-density a row, in nats."""
        values = self.score_samples(X)
        return float(np.average(values, weights=sample_weight))

    @double_precision
    def predict_proba(self, X: Any) -> np.ndarray:
        """``p(z = k | x)`` of every row, ``(n, K)``."""
        model = self._fitted()
        return answers.responsibilities(model, self._read(X, reset=False))

    def predict(self, X: Any) -> np.ndarray:
        """The likeliest component of every row, ``(n,)``."""
        return self.predict_proba(X).argmax(axis=1)

    def fit_predict(self, X: Any, y: Any = None, sample_weight: Any = None) -> np.ndarray:
        """Fit, then the likeliest component of every row."""
        return self.fit(X, sample_weight=sample_weight).predict(X)

    def bic(self, X: Any) -> float:
        """scikit-learn's criterion, ``−2 log L + ν log N``: lower is better."""
        values = self.score_samples(X)
        return float(-2.0 * values.sum() + self.n_parameters_ * np.log(values.size))

    def aic(self, X: Any) -> float:
        """scikit-learn's criterion, ``−2 log L + 2 ν``: lower is better."""
        return float(-2.0 * self.score_samples(X).sum() + 2.0 * self.n_parameters_)

    def icl(self, X: Any) -> float:
        """``bic(X) − 2 Σ log max_k r_nk`` (Biernacki et al. 2000), in the same sign: lower is better."""
        return float(self.bic(X) - 2.0 * np.log(self.predict_proba(X).max(axis=1)).sum())

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.input_tags.allow_nan = True
        return tags
