"""What mixtures fitted by variational Bayes share: starts, the fit, the posterior predictive, the batches."""

import abc
import math
from collections.abc import Mapping, Sequence
from dataclasses import KW_ONLY
from typing import Annotated, Any, ClassVar, NamedTuple

import numpy as np

from tacit import trees
from tacit.data.blocks import Standardise
from tacit.data.dataset import ColumnMoments, Dataset
from tacit.engine import is_array, jnp
from tacit.estimators.base import double_precision
from tacit.estimators.capabilities import EmptiesItself
from tacit.estimators.mixture.base import Layout, MixtureBase, Search
from tacit.estimators.mixture.parameters import NATIVE
from tacit.estimators.mixture.starts import draw
from tacit.estimators.mixture.verdict import verdict
from tacit.estimators.settings import Choice, Estimator, Number, settings
from tacit.estimators.stopping import because
from tacit.estimators.verdict import Verdict, judged
from tacit.inference.closed_form import INTERRUPTED
from tacit.inference.loop import Trace, on_host
from tacit.models.components.base import ComponentPosterior
from tacit.models.components.wishart import Kind
from tacit.models.graph import Graph, mixture_graph
from tacit.models.mixture.bayesian import MixturePosterior
from tacit.models.mixture.fitting import MixtureSchedule, Start
from tacit.models.mixture.model import MixtureModel
from tacit.models.mixture.stick_breaking import DirichletWeights, StickWeights, WeightPosterior
from tacit.models.mixture.summary import MixtureSummary, summarise
from tacit.spaces import Held

INFERENCE = ("vb", "online-vb")
WEIGHTS = ("dirichlet_process", "dirichlet_distribution")
CHEAP = 2e8
"""Rows × features × components below which a second start costs little, to see whether the fit is found again."""


class PriorComponents(NamedTuple):
    """Groups of columns with posteriors of which nothing is known but the priors, and what makes their starts."""

    groups: tuple[ComponentPosterior, ...]
    """In the coordinates of the view, with padded components."""
    plain: MixtureModel
    """The same groups of columns with parameters, whose statistics make the starts."""
    view: Standardise


class Posteriors(Estimator):
    """What a fit by variational Bayes leaves."""

    model_: MixtureModel
    posterior_: MixturePosterior
    trace_: Trace
    verdict_: Verdict
    _rows_seen: int


@settings
class VariationalMixture(Posteriors, EmptiesItself, MixtureBase):
    """A mixture with a posterior over weights and parameters; a subclass lays out groups of columns and priors."""

    held: ClassVar[Mapping[str, Held]] = {
        "weight_concentration_": Held("components | 2 components", "positive"),
        "weight_concentration_prior_": Held("", "positive"),
        "expected_counts_": Held("components", "not negative"),
    }

    _: KW_ONLY
    tol: Annotated[float, Number("at least 0 nats")] = 1e-3
    """the fit stops when the bound of all rows changes by less, in nats."""
    covariance_type: Annotated[str, Choice(NATIVE)] = "full"
    """"full", "tied", "diag" or "spherical"."""
    weight_concentration_prior_type: Annotated[str, Choice(WEIGHTS)] = "dirichlet_process"
    """"dirichlet_process" (stick-breaking) or "dirichlet_distribution"."""
    weight_concentration_prior: Annotated[float | None, Number("above 0", least_too=False, below=math.inf)] = None
    """γ, or the Dirichlet's α; ``1/K`` if None. The smaller, the fewer components."""
    inference: Annotated[str, Choice(INFERENCE)] = "vb"
    """"vb", or "online-vb": mini-batches, stochastic variational inference (Hoffman et al. 2013)."""

    @abc.abstractmethod
    def _groups(self, rows: Dataset, values: ColumnMoments, width: int) -> PriorComponents:
        """Groups, priors and the view for these rows."""

    def _layout(self, rows: Dataset, values: ColumnMoments, width: int, *, batches: bool) -> Layout:
        """Components of which nothing is known; those of batches stay in place, as averages over batches need."""
        groups, plain, view = self._groups(rows, values, width)
        active = np.asarray(plain.active)
        return Layout(MixturePosterior(self._weights(active), groups, active, sorted=not batches), plain, view)

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

    def _schedule(self, weight: float) -> MixtureSchedule:
        # scikit-learn's tol is of the whole bound here; the driver's is a row
        return MixtureSchedule(self.max_iter, self.tol / weight, False)

    def _apart(self, numbers: np.ndarray) -> np.ndarray:
        return np.arange(numbers.size)

    def _begun(
        self,
        layout: Layout,
        rows: Dataset,
        methods: Sequence[str],
        numbers: np.ndarray,
        random: np.random.Generator,
    ) -> tuple[Start, bool]:
        """Starts from groups of a sample of the rows, which stand for all of them."""
        begun = draw(layout.plain, rows, layout.view, methods, numbers, random).begun(layout.plain, layout.view)
        share = rows.total_weight / np.asarray(begun.statistics[0]).sum(axis=1)
        statistics = trees.map(
            lambda leaf: np.asarray(leaf) * share.reshape(-1, *(1,) * (leaf.ndim - 1)), begun.statistics
        )
        models = trees.map(lambda leaf: np.stack([leaf] * numbers.size) if is_array(leaf) else leaf, layout.template)
        return Start(models, statistics), False

    def _resumed(self, layout: Layout, inverse: Standardise) -> MixturePosterior:
        """The last fit's posterior, under the new priors."""
        template, last = layout.template, self.posterior_.in_units(inverse)
        assert isinstance(template, MixturePosterior)
        groups = tuple(
            trees.put(lambda group: group.parameters, new, old.parameters)
            for new, old in zip(template.groups, last.groups, strict=True)
        )
        weights = template.weights.updated(jnp.asarray(last.weights.counts), jnp.asarray(template.active))
        return MixturePosterior(weights, groups, template.active, sorted=template.sorted)

    def _confirmed(self, search: Search) -> Search:
        """With a second start where one was asked for and costs little: it tells whether the fit is found again."""
        stopped = any(found.status == INTERRUPTED for found in search.fits)
        if stopped or self.n_init > 1 or self.n_components == 1 or self.max_iter == 0:
            return search
        features = sum(group.n_features for group in search.layout.template.groups)
        if len(search.rows) * features * self.n_components * self.max_iter >= CHEAP:
            return search
        numbers = np.array([self.n_components])
        other, _ = self._begun(search.layout, search.rows, [self.init_params], numbers, search.random)
        try:
            schedule = self.schedule(search)
            schedule = schedule._replace(label=f"{schedule.label} again")
            return search._replace(fits=search.fits + self._run(search, other, np.zeros(1, int), schedule))
        except KeyboardInterrupt:
            return search  # which has what was asked for

    def _end(self, search: Search) -> None:
        """Keep the best of the starts that were asked for; bounds are in the user's units from here on."""
        fits, view, change = search.fits, search.view, search.jacobian()
        self._rows_seen = int(np.count_nonzero(search.rows.weights))
        bounds = np.array([-np.inf if np.isnan(found.bound) else found.bound for found in fits])
        found = fits[int(np.argmax(bounds[: self.n_init]))]
        self._keep(found.model, view)
        earlier = found.snapshots.before(found.iteration)
        self.snapshots_ = {i: _answering(self._ordered(m, view)) for i, m in earlier.items()}
        self.snapshots_[found.iteration] = self.model_
        self.trace_ = found.trace._replace(bound=found.trace.bound + change)
        self.lower_bound_ = float(found.bound + change)
        self.lower_bounds_ = list(self.trace_.bound[1:])
        self._ended(found)
        self._judge(search, found.status)

    def _judge(self, search: Search, status: int) -> None:
        """k̂ of the posterior, and whether other starts found the same."""
        view, change = search.view, search.jacobian()
        ranked = sorted((f for f in search.fits if not np.isnan(f.bound)), key=lambda f: -f.bound)
        names = self._names() or tuple(f"x{place}" for place in range(self.n_features_in_))
        rivals = [self._ordered(f.model, view) for f in ranked if f.bound + change != self.lower_bound_][:1]
        if not rivals and len(ranked) > 1:
            rivals = [self.posterior_]  # all ended alike
        self.verdict_ = verdict(
            self.posterior_,
            rivals,
            [f.bound + change for f in ranked],
            search.data,
            self._rows_seen,
            names,
            because(status, converged="the bound rose by less than tol"),
            search.random,
            complete=search.values.complete,
        )

    def _settle(self, model: MixtureModel | MixturePosterior, view: Standardise, rows: Dataset) -> None:
        assert isinstance(model, MixturePosterior)
        self._rows_seen = vars(self).get("_rows_seen", 0) + int(np.count_nonzero(rows.weights))
        self._keep(model, view)
        self.verdict_ = judged(why_not="only the rows of the last batch are at hand", stop=self.stop_reason_)

    def _keep(self, model: MixturePosterior, view: Standardise) -> None:
        self.posterior_ = self._ordered(model, view)
        self.model_ = _answering(self.posterior_)
        self.n_parameters_ = self.posterior_.n_parameters()
        self.at_floor_ = False  # there is none: the prior holds every component
        self._publish()

    @staticmethod
    def _ordered(model: MixturePosterior, view: Standardise) -> MixturePosterior:
        """Without padding, in the user's units, heaviest components first; equal ones by their first parameter."""
        model, view = on_host((model, view))
        active = np.flatnonzero(model.active)
        counts = np.round(np.asarray(model.weights.counts)[active], 6)
        first = trees.leaves(model.groups[0].parameters)[0][active].reshape(active.size, -1)[:, 0]
        return on_host(model.take(active[np.lexsort((first, -counts))]).in_units(view))

    def _warn(self) -> None:
        if not self.converged_:
            self._warn_unconverged()

    @double_precision
    def summary(self) -> MixtureSummary:
        """Weights of the groups, and what each says of every column, at the posterior means of the parameters.

        The predictive of a group of few rows has no variance: its spread is not what describes the group.
        """
        self.fitted_model()
        return summarise(on_host(self.posterior_.expected()))

    @double_precision
    def graph(self) -> Graph:
        """The directed graph of the model, as data: weights and parameters are random, with priors."""
        self.fitted_model()
        process = self.weight_concentration_prior_type == "dirichlet_process"
        return mixture_graph(
            [(group.symbols, group.name) for group in self.posterior_.groups],
            priors=True,
            weights_prior="stick-breaking" if process else "Dirichlet",
            components=self.n_components,
        )


def _answering(posterior: MixturePosterior) -> MixtureModel:
    """The posterior predictive with NumPy leaves."""
    return on_host(posterior.predictive())
