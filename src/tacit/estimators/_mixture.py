"""What all mixtures that are fitted by EM share: the fit, criteria and standard errors."""

import abc
import warnings
from collections.abc import Sequence
from typing import Any, NamedTuple, Self

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from sklearn.exceptions import ConvergenceWarning

from tacit.compute import component_bucket
from tacit.data.blocks import MemorySource, Moments, Source, Standardise, dense_rows, moments, shuffled, source
from tacit.estimators._answers import LikelihoodAnswers
from tacit.estimators._base import (
    check_choice,
    check_whole,
    double_precision,
    read_weights,
    seed_of,
)
from tacit.estimators._face import MixtureFace
from tacit.estimators._starts import STARTS, Begin, draw_starts, needs_tiles
from tacit.inference.closed_form import CONVERGED, REASONS
from tacit.inference.fit import Fit
from tacit.inference.online import Average, first_average, see
from tacit.models.mixture.fitting import Schedule, Start, canonical_order, finished, floored, run
from tacit.models.mixture.model import Mixture
from tacit.models.mixture.rules import Draws, Mode, Posterior, Rule

INFERENCE = ("em", "hard-em", "monte-carlo-em", "online-em", "gradient")
FIRST_DRAWS = 10.0
BATCH_ROWS = 256
"""Rows of a mini-batch."""


class Plan(NamedTuple):
    """What a kind of mixture says of the rows at hand before the fit."""

    template: Mixture
    """In the coordinates of the view, with padded components."""
    view: Standardise


class Search(NamedTuple):
    """What the fit of some starts gave, still in the coordinates of the view."""

    view: Standardise
    values: Moments
    data: Source
    fits: list[Fit]
    """The best start of every number of components, in increasing order."""
    given: bool
    """Whether the user gave parameters of the start."""

    def jacobian(self) -> float:
        """What log-likelihoods in the view lack to be those of the user's units."""
        return -float(self.values.seen @ np.log(np.asarray(self.view.scale)))


class BaseMixture(LikelihoodAnswers, MixtureFace):
    """A mixture fitted by EM or one of its kin; a subclass reads rows and plans the groups of columns."""

    @abc.abstractmethod
    def _plan(self, rows: Any, values: Moments, width: int) -> Plan:
        """The template and the view for these rows."""

    def _publish(self, model: Mixture) -> None:
        """Set the fitted parameters as attributes."""
        self.weights_ = np.exp(model.log_weights)

    def _started(self, begun: Start, view: Standardise) -> tuple[Start, bool]:
        """The starts with what the user gave in place of it, and whether the user gave anything."""
        return begun, False

    @double_precision
    def partial_fit(self, X: Any, y: Any = None, sample_weight: Any = None) -> Self:
        """Take in one batch of rows: online EM (Cappé & Moulines 2009), batch after batch.

        The first batch settles the start and the scale, so it should have many rows a component. Arguments are
        those of ``fit``.
        """
        fresh = not hasattr(self, "_online")
        rows = self._read(X, reset=fresh, minimum=2 if fresh else 1)
        weights = read_weights(rows, sample_weight)
        if fresh:
            self._check()
            self._check_rows(rows)
            self._online = self._first_batch(rows, weights)
        view, average, total = self._online
        batch = MemorySource(dense_rows(rows), weights, tiles=True, chunk=BATCH_ROWS)
        block, total = next(batch.blocks()), total + weights.sum()
        model = average.model.with_rows(complete=False, tile=batch.tile)
        if fresh:
            average = first_average(model, block, view)
        average = see(average._replace(model=model), block, view, np.asarray(total))
        self._online = view, average, total
        self.model_ = finished(average.model, view)
        self.n_iter_, self.converged_, self.stop_reason_ = int(average.time), False, "more rows may come"
        self.n_parameters_, self.at_floor_ = self.model_.n_parameters(), bool(floored(self.model_))
        self._publish(self.model_)
        self.lower_bound_ = float(np.average(self._score_rows(rows), weights=weights))
        return self

    def _first_batch(self, rows: Any, weights: np.ndarray) -> tuple[Standardise, Average, float]:
        values = moments(rows, weights)._replace(complete=False)
        plan = self._plan(rows, values, self.n_components)
        number = np.array([self.n_components])
        begun = draw_starts(
            plan.template, rows, weights, plan.view, [self.init_params], number, seed_of(self.random_state)
        )
        models = self._started(begun, plan.view)[0].made()
        model = jax.tree.map(lambda leaf: np.asarray(leaf[0]) if eqx.is_array(leaf) else leaf, models)
        return plan.view, Average(model, None, np.zeros(())), 0.0

    def _check(self) -> None:
        """Refuse parameters that make no sense, in plain words."""
        check_whole("n_components", self.n_components, 1)
        check_whole("max_iter", self.max_iter, 0)
        check_whole("n_init", self.n_init, 1)
        check_choice("init_params", self.init_params, STARTS)
        check_choice("inference", self.inference, INFERENCE)
        check_choice("objective", self.objective, ("mle", "map"))
        if not self.tol >= 0:
            raise ValueError(f"tol must be at least 0 nats a row, got {self.tol!r}")

    def _fit_rows(self, rows: Any, weights: np.ndarray) -> None:
        again = self.warm_start and hasattr(self, "converged_")
        exact = again or self.inference == "gradient"  # padding has no coordinates
        width = self.n_components if exact else component_bucket(self.n_components)
        numbers = np.full(1 if again else self.n_init, self.n_components)
        methods = [self.init_params] * numbers.size
        with self._talking():
            search = self._search(rows, weights, width, numbers, methods, again=again)
        self._finish(search, search.fits[0])
        self._warn()

    def _search(
        self,
        rows: Any,
        weights: np.ndarray,
        width: int,
        numbers: np.ndarray,
        methods: Sequence[Begin],
        *,
        again: bool = False,
    ) -> Search:
        """Fit starts with these numbers of components, begun by these methods; the best of every number is kept."""
        values = moments(rows, weights)
        random = seed_of(self.random_state)
        plan = self._plan(rows, values, width)
        template = eqx.tree_at(lambda m: m.rule, plan.template, self._rule())
        if again:
            begun, given = Start(self._continued(template, plan.view), None), False
        else:
            begun = draw_starts(template, rows, weights, plan.view, methods, numbers, random)
            begun, given = self._started(begun, plan.view)
        tiles = needs_tiles(template, values.complete)
        if self.inference == "online-em":
            data: Source = shuffled(rows, weights, random, chunk=BATCH_ROWS, tiles=tiles)
        else:
            data = source(rows, weights, tiles=tiles)
        models = begun.models.with_rows(complete=values.complete, tile=getattr(data, "tile", 1))
        schedule = Schedule(self.max_iter, self.tol, self.accelerate, type(self).__name__)
        groups = np.unique(numbers, return_inverse=True)[1]
        fits = run(begun._replace(models=models), data, plan.view, schedule, random, groups, self.inference)
        return Search(plan.view, values, data, fits, given)

    def _continued(self, template: Mixture, view: Standardise) -> Mixture:
        """The last fit's parameters, in the coordinates of the new view, as the only start."""
        shift, scale = np.asarray(view.shift), np.asarray(view.scale)
        last = self._fitted().in_units(Standardise(-shift / scale, 1.0 / scale))
        groups = tuple(
            eqx.tree_at(lambda group: group.parameters, new, old.parameters)
            for new, old in zip(template.groups, last.groups, strict=True)
        )
        model = eqx.tree_at(lambda m: (m.log_weights, m.groups), template, (last.log_weights, groups))
        return jax.tree.map(lambda leaf: jnp.asarray(leaf)[None] if eqx.is_array(leaf) else leaf, model)

    def _rule(self) -> Rule:
        if self.inference == "monte-carlo-em":
            return Draws(jnp.asarray(FIRST_DRAWS))
        return Mode() if self.inference == "hard-em" else Posterior()

    def _finish(self, search: Search, found: Fit) -> None:
        view, weight = search.view, search.data.total_weight
        order = None if search.given else canonical_order(finished(found.model, view))
        self.model_ = finished(found.model, view, order)
        # in the user's units each observed entry of a scaled column brings −log scale, and the prior its own
        of_priors = sum(group.change_of_prior(view, self.n_components) for group in found.model.groups)
        change = search.jacobian() + of_priors
        self.trace_ = found.trace._replace(bound=found.trace.bound + change)
        self.snapshots_ = {i: finished(m, view, order) for i, m in found.snapshots.items()}
        self.n_iter_ = found.iteration
        self.lower_bound_ = (found.bound + change) / weight
        self.lower_bounds_ = list(self.trace_.bound[1:] / weight)
        self.converged_ = found.status == CONVERGED
        self.stop_reason_ = REASONS[found.status]
        self.n_parameters_ = self.model_.n_parameters()
        self.at_floor_ = bool(floored(self.model_))
        self._publish(self.model_)

    def _warn(self) -> None:
        names = getattr(self, "feature_names_in_", None)
        for component, columns in floored(self.model_).items():
            listed = ", ".join(repr(str(names[c])) if names is not None else str(c) for c in columns)
            warnings.warn(
                f"component {component} rests on the floor of the variance along column {listed}: it has "
                "collapsed on few distinct values there. Use fewer components, drop the column, or raise the floor.",
                ConvergenceWarning,
                stacklevel=5,
            )
        if not self.converged_ and self.max_iter > 0:
            warnings.warn(
                "Best performing initialization did not converge. Try different init parameters, or increase "
                f"max_iter, tol, or check for degenerate data. ({self.stop_reason_} after {self.n_iter_} iterations)",
                ConvergenceWarning,
                stacklevel=5,
            )

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
