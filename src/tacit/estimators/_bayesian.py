"""What mixtures fitted by variational Bayes share: starts, the fit, the posterior predictive, the batches."""

import abc
import warnings
from typing import Any, NamedTuple, Self

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from sklearn.exceptions import ConvergenceWarning

from tacit.compute import component_bucket
from tacit.data.blocks import MemorySource, Moments, Source, Standardise, dense_rows, moments, shuffled, source
from tacit.estimators._base import check_choice, check_whole, double_precision, read_weights, seed_of
from tacit.estimators._bayesian_verdict import verdict
from tacit.estimators._face import MixtureFace
from tacit.estimators._starts import STARTS, draw_starts, needs_tiles
from tacit.inference.closed_form import CONVERGED, INTERRUPTED, REASONS
from tacit.inference.fit import Fit, Trace, on_host
from tacit.inference.online import Average, first_average, see
from tacit.inference.verdict import Verdict, judged
from tacit.models.components.base import ComponentPosterior
from tacit.models.components.wishart import Kind
from tacit.models.graph import Graph, mixture_graph
from tacit.models.mixture.bayesian import BayesianMixture
from tacit.models.mixture.fitting import Schedule, Start, run
from tacit.models.mixture.model import Mixture
from tacit.models.mixture.stick_breaking import DirichletWeights, StickWeights, WeightPosterior
from tacit.models.mixture.summary import Summary, summarise

INFERENCE = ("vb", "online-vb")
WEIGHTS = ("dirichlet_process", "dirichlet_distribution")
BATCH_ROWS = 256
"""Rows of a mini-batch."""
CHEAP = 2e8
"""Rows × features × components below which a second start costs little, to see whether the fit is found again."""


STOPS = {
    "converged": "the bound rose by less than tol",
    "bound fell": "the bound fell by rounding",
    "bound is not a number": "the bound is not a number",
    "max_iter reached": "max_iter was reached",
    "interrupted": "it was interrupted",
}
"""Why a fit ended, as what follows "because"."""


class Layout(NamedTuple):
    """What a kind of mixture says of the rows at hand before the fit."""

    groups: tuple[ComponentPosterior, ...]
    """Of which nothing is known but the priors, in the coordinates of the view, with padded components."""
    plain: Mixture
    """The same groups of columns with parameters, whose statistics make the starts."""
    view: Standardise


class BayesianFace(MixtureFace):
    """A mixture with a posterior over weights and parameters; a subclass lays out groups of columns and priors."""

    model_: Mixture
    posterior_: BayesianMixture
    trace_: Trace
    verdict_: Verdict
    n_features_in_: int

    @abc.abstractmethod
    def _layout(self, rows: Any, values: Moments, width: int) -> Layout:
        """Groups, priors and the view for these rows."""

    def _publish(self) -> None:
        """Set the fitted parameters as attributes."""
        posterior = self.posterior_.weights
        counts = np.asarray(posterior.counts)
        self.weights_ = np.exp(np.asarray(self.model_.log_weights))
        self.weight_concentration_prior_ = float(posterior.prior)
        self.weight_concentration_: Any = None
        if isinstance(posterior, StickWeights):
            self.weight_concentration_ = np.asarray(posterior.ones), np.asarray(posterior.rest)
        elif isinstance(posterior, DirichletWeights):
            self.weight_concentration_ = np.asarray(posterior.concentrations)
        self.expected_counts_ = counts
        self.n_components_used_ = int((counts >= counts.sum() / max(self._rows_seen, 1)).sum())

    def _check(self) -> None:
        check_whole("n_components", self.n_components, 1)
        check_whole("max_iter", self.max_iter, 0)
        check_whole("n_init", self.n_init, 1)
        check_choice("init_params", self.init_params, STARTS)
        check_choice("inference", self.inference, INFERENCE)
        check_choice("weight_concentration_prior_type", self.weight_concentration_prior_type, WEIGHTS)
        if not self.tol >= 0:
            raise ValueError(f"tol must be at least 0 nats, got {self.tol!r}")
        given = self.weight_concentration_prior
        if given is not None and not 0 < given < np.inf:
            raise ValueError(f"weight_concentration_prior must be above 0, got {given!r}")

    def _kind(self) -> Kind:
        """The structure of the covariances, by a checked name."""
        kinds: dict[str, Kind] = {"full": "full", "tied": "tied", "diag": "diag", "spherical": "spherical"}
        return kinds[self.covariance_type]

    def _weights(self, active: np.ndarray) -> WeightPosterior:
        given = self.weight_concentration_prior
        prior = np.asarray(1.0 / self.n_components if given is None else float(given))
        if self.weight_concentration_prior_type == "dirichlet_distribution":
            return DirichletWeights(np.where(active, prior, 0.0), prior)
        return StickWeights(np.ones(active.size), np.full(active.size, float(prior)), prior)

    def _template(self, layout: Layout, *, batches: bool) -> BayesianMixture:
        """Components of which nothing is known; those of batches stay in place, as averages over batches need."""
        active = np.asarray(layout.plain.active)
        return BayesianMixture(self._weights(active), layout.groups, active, sorted=not batches)

    def _fit_rows(self, rows: Any, weights: np.ndarray) -> None:
        again = self.warm_start and hasattr(self, "posterior_")
        batches = self.inference == "online-vb"
        width = self.n_components if again else component_bucket(self.n_components)
        values, random = moments(rows, weights), seed_of(self.random_state)
        layout = self._layout(rows, values, width)
        tiles = needs_tiles(layout.plain, values.complete)
        if again:
            begun = Start(self._continued(layout), None)
        else:
            begun = self._begun(layout, rows, weights, self.n_init, random, batches=batches)
        if batches:
            data: Source = shuffled(rows, weights, random, chunk=BATCH_ROWS, tiles=tiles)
        else:
            data = source(rows, weights, tiles=tiles)
        models = begun.models.with_rows(complete=values.complete, tile=getattr(data, "tile", 1))
        # scikit-learn's tol is of the whole bound here; the driver's is a row
        schedule = Schedule(self.max_iter, self.tol / data.total_weight, False, type(self).__name__)
        apart = np.arange(models.active.shape[0])
        inference = "online-em" if batches else "em"
        with self._talking():
            fits = run(begun._replace(models=models), data, layout.view, schedule, random, apart, inference)
            stopped = any(found.status == INTERRUPTED for found in fits)
            if not again and not stopped and self._affords_another(rows, layout):
                other = self._begun(layout, rows, weights, 1, random, batches=batches)
                models = other.models.with_rows(complete=values.complete, tile=getattr(data, "tile", 1))
                second = schedule._replace(label=f"{schedule.label} again")
                fits += run(other._replace(models=models), data, layout.view, second, random, None, inference)
        change = -float(values.seen @ np.log(np.asarray(layout.view.scale)))
        self._rows_seen = int(np.count_nonzero(weights))
        self._finish(fits, layout.view, change)
        self._judge(fits, layout.view, change, data, random, complete=values.complete)
        self._warn()

    def _affords_another(self, rows: Any, layout: Layout) -> bool:
        """Whether a second start costs little, where one was asked for: it tells whether the fit is found again."""
        if self.n_init > 1 or self.n_components == 1 or self.max_iter == 0:
            return False
        features = sum(group.n_features for group in layout.groups)
        return rows.shape[0] * features * self.n_components * self.max_iter < CHEAP

    def _begun(
        self,
        layout: Layout,
        rows: Any,
        weights: np.ndarray,
        number: int,
        random: np.random.Generator,
        *,
        batches: bool,
    ) -> Start:
        """Starts from groups of a sample of the rows, which stand for all of them."""
        components = np.full(number, self.n_components)
        methods = [self.init_params] * number
        begun = draw_starts(layout.plain, rows, weights, layout.view, methods, components, random)
        share = weights.sum() / np.asarray(begun.statistics[0]).sum(axis=1)
        statistics = jax.tree.map(
            lambda leaf: np.asarray(leaf) * share.reshape(-1, *(1,) * (leaf.ndim - 1)), begun.statistics
        )
        template = self._template(layout, batches=batches)
        models = jax.tree.map(lambda leaf: np.stack([leaf] * number) if eqx.is_array(leaf) else leaf, template)
        return Start(models, statistics)

    def _continued(self, layout: Layout) -> BayesianMixture:
        """The last fit's posterior, in the coordinates of the new view and under the new priors, as the only start."""
        shift, scale = np.asarray(layout.view.shift), np.asarray(layout.view.scale)
        last = self.posterior_.in_units(Standardise(-shift / scale, 1.0 / scale))
        template = self._template(layout, batches=self.inference == "online-vb")
        groups = tuple(
            eqx.tree_at(lambda group: group.parameters, new, old.parameters)
            for new, old in zip(template.groups, last.groups, strict=True)
        )
        weights = template.weights.updated(jnp.asarray(last.weights.counts), jnp.asarray(template.active))
        model = BayesianMixture(weights, groups, template.active, sorted=template.sorted)
        return jax.tree.map(lambda leaf: jnp.asarray(leaf)[None] if eqx.is_array(leaf) else leaf, model)

    def _finish(self, fits: list[Fit], view: Standardise, change: float) -> None:
        """Keep the best of the starts that were asked for; bounds are in the user's units from here on."""
        bounds = np.array([-np.inf if np.isnan(found.bound) else found.bound for found in fits])
        found = fits[int(np.argmax(bounds[: self.n_init]))]
        self._settle(found.model, view)
        earlier = {i: m for i, m in found.snapshots.items() if i < found.iteration}
        self.snapshots_ = {i: _answering(self._ordered(m, view)) for i, m in earlier.items()}
        self.snapshots_[found.iteration] = self.model_
        self.trace_ = found.trace._replace(bound=found.trace.bound + change)
        self.n_iter_ = found.iteration
        self.lower_bound_ = float(found.bound + change)
        self.lower_bounds_ = list(self.trace_.bound[1:])
        self.converged_ = found.status == CONVERGED
        self.stop_reason_ = REASONS[found.status]

    def _judge(
        self,
        fits: list[Fit],
        view: Standardise,
        change: float,
        data: Source,
        random: np.random.Generator,
        *,
        complete: bool,
    ) -> None:
        """k̂ of the posterior, and whether other starts found the same."""
        ranked = sorted((f for f in fits if not np.isnan(f.bound)), key=lambda f: -f.bound)
        names = self._names() or tuple(f"x{place}" for place in range(self.n_features_in_))
        rivals = [self._ordered(f.model, view) for f in ranked if f.bound + change != self.lower_bound_][:1]
        if not rivals and len(ranked) > 1:
            rivals = [self.posterior_]  # all ended alike
        bounds = [f.bound + change for f in ranked]
        stop = STOPS[self.stop_reason_]
        self.verdict_ = verdict(
            self.posterior_, rivals, bounds, data, self._rows_seen, names, stop, random, complete=complete
        )

    def _settle(self, model: BayesianMixture, view: Standardise) -> None:
        self.posterior_ = self._ordered(model, view)
        self.model_ = _answering(self.posterior_)
        self.n_parameters_ = self.posterior_.n_parameters()
        self.at_floor_ = False  # there is none: the prior holds every component
        self._publish()

    @staticmethod
    def _ordered(model: BayesianMixture, view: Standardise) -> BayesianMixture:
        """Without padding, in the user's units, heaviest components first; equal ones by their first parameter."""
        model, view = on_host((model, view))
        active = np.flatnonzero(model.active)
        counts = np.round(np.asarray(model.weights.counts)[active], 6)
        first = jax.tree.leaves(model.groups[0].parameters)[0][active].reshape(active.size, -1)[:, 0]
        return on_host(model.take(active[np.lexsort((first, -counts))]).in_units(view))

    def _warn(self) -> None:
        if not self.converged_ and self.max_iter > 0:
            warnings.warn(
                "Best performing initialization did not converge. Try different init parameters, or increase "
                f"max_iter, tol, or check for degenerate data. ({self.stop_reason_} after {self.n_iter_} iterations)",
                ConvergenceWarning,
                stacklevel=5,
            )

    @double_precision
    def partial_fit(self, X: Any, y: Any = None, sample_weight: Any = None) -> Self:
        """Take in one batch of rows: stochastic variational inference (Hoffman et al. 2013), batch after batch.

        The first batch settles the start, the scale and the priors that follow from the data, so it should have many
        rows a component. Arguments are those of ``fit``.
        """
        fresh = not hasattr(self, "_online")
        rows = self._read(X, reset=fresh, minimum=2 if fresh else 1)
        weights = read_weights(rows, sample_weight)
        if fresh:
            self._check()
            self._check_rows(rows)
            self._online = self._first_batch(rows, weights)
            self._rows_seen = 0
            for name in ("lower_bound_", "lower_bounds_", "trace_", "snapshots_"):  # of an earlier fit
                self.__dict__.pop(name, None)
        view, average, total = self._online
        batch = MemorySource(dense_rows(rows), weights, tiles=True, chunk=BATCH_ROWS)
        block, total = next(batch.blocks()), total + weights.sum()
        model = average.model.with_rows(complete=False, tile=batch.tile)
        if fresh:
            average = first_average(model, block, view)
        average = see(average._replace(model=model), block, view, np.asarray(total))
        self._online, self._rows_seen = (view, average, total), self._rows_seen + int(np.count_nonzero(weights))
        self._settle(average.model, view)
        self.n_iter_, self.converged_, self.stop_reason_ = int(average.time), False, "more rows may come"
        self.verdict_ = judged(why_not="only the rows of the last batch are at hand", stop="more rows may come")
        return self

    def _first_batch(self, rows: Any, weights: np.ndarray) -> tuple[Standardise, Average, float]:
        values = moments(rows, weights)._replace(complete=False)
        layout = self._layout(rows, values, self.n_components)
        begun = self._begun(layout, rows, weights, 1, seed_of(self.random_state), batches=True)
        models = Start(begun.models.with_rows(complete=False), begun.statistics).made()
        model = jax.tree.map(lambda leaf: np.asarray(leaf[0]) if eqx.is_array(leaf) else leaf, models)
        return layout.view, Average(model, None, np.zeros(())), 0.0

    @double_precision
    def summary(self) -> Summary:
        """Weights of the groups, and what each says of every column, at the posterior means of the parameters.

        The predictive of a group of few rows has no variance: its spread is not what describes the group.
        """
        self._fitted()
        return summarise(on_host(self.posterior_.expected()))

    @double_precision
    def graph(self) -> Graph:
        """The directed graph of the model, as data: weights and parameters are random, with priors."""
        self._fitted()
        process = self.weight_concentration_prior_type == "dirichlet_process"
        return mixture_graph(
            [(group.symbols, group.name) for group in self.posterior_.groups],
            priors=True,
            weights_prior="stick-breaking" if process else "Dirichlet",
            components=self.n_components,
        )


def _answering(posterior: BayesianMixture) -> Mixture:
    """The posterior predictive with NumPy leaves."""
    return on_host(posterior.predictive())
