"""What all mixtures share, however they are fitted: settings, the fit, batches of rows, and the answers to rows."""

import abc
import warnings
from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import KW_ONLY
from typing import Annotated, Any, ClassVar, NamedTuple, Self

import numpy as np
from sklearn.base import DensityMixin
from sklearn.exceptions import ConvergenceWarning

from tacit import trees
from tacit.compute import component_bucket
from tacit.data.blocks import Standardise
from tacit.data.dataset import ColumnMoments, Dataset
from tacit.data.sources import BlockSource, MemorySource, shuffled, source
from tacit.engine import is_array, jnp
from tacit.estimators.base import double_precision, seed_of, weighted
from tacit.estimators.capabilities import Mixes, ReadsOnce, Sweeps
from tacit.estimators.mixture.answers import MixtureAnswers, labelled
from tacit.estimators.mixture.starts import STARTS, needs_tiles
from tacit.estimators.settings import TOLERANCE, Choice, Estimator, Whole, settings
from tacit.estimators.spreading import SpreadsSums
from tacit.estimators.stopping import stop_reason
from tacit.inference.closed_form import CONVERGED
from tacit.inference.fit import Fit
from tacit.inference.online import Average, first_average, see
from tacit.inference.watch import Printer, watch
from tacit.models.mixture import rows as answers
from tacit.models.mixture.bayesian import MixturePosterior
from tacit.models.mixture.fitting import MixtureSchedule, Start, run
from tacit.models.mixture.model import MixtureModel
from tacit.models.mixture.summary import MixtureSummary, summarise
from tacit.spaces import Held

BATCH_ROWS = 256
"""Rows of a mini-batch."""


class Layout(NamedTuple):
    """What a kind of mixture says of the rows at hand before the fit."""

    template: MixtureModel | MixturePosterior
    """What is fitted, in the coordinates of the view, with padded components."""
    plain: MixtureModel
    """The same groups of columns with parameters, whose statistics make the starts."""
    view: Standardise


class Search(NamedTuple):
    """What the fit of some starts gave, still in the coordinates of the view."""

    layout: Layout
    rows: Dataset
    values: ColumnMoments
    data: BlockSource
    fits: list[Fit]
    """The best start of every number of components, in increasing order; or every start, where all are judged."""
    given: bool
    """Whether the user gave parameters of the start."""
    random: np.random.Generator

    @property
    def view(self) -> Standardise:
        """The coordinates of the fits."""
        return self.layout.view

    def jacobian(self) -> float:
        """What log-likelihoods in the view lack to be those of the user's units."""
        return -float(self.values.seen @ np.log(np.asarray(self.view.scale)))


@settings
class MixtureBase(MixtureAnswers, Mixes, Sweeps, ReadsOnce, SpreadsSums, DensityMixin, Estimator):
    """A mixture; a subclass lays out groups of columns, and says what is fitted and how it is published."""

    held: ClassVar[Mapping[str, Held]] = {
        "weights_": Held("components", "probability"),
        "noise_weight_": Held("", "probability"),
        "lower_bound_": Held("", "any"),
    }

    n_components: Annotated[int, Whole(1)] = 1
    """K."""
    _: KW_ONLY
    tol: Annotated[float, TOLERANCE] = 1e-3
    """EM stops when the bound a row changes by less, in nats."""
    max_iter: Annotated[int, Whole(0)] = 100
    """most iterations."""
    n_init: Annotated[int, Whole(1)] = 1
    """starts; the best is kept."""
    init_params: Annotated[str, Choice(STARTS)] = "kmeans"
    """"kmeans", "k-means++", "random", "random_from_data", "hierarchical" (Ward on scaled principal components),
    "hierarchical-columns" (Ward on scaled columns) or "hierarchical-gaussian" (by the likelihood of Gaussians of any
    covariance, Fraley 1998)."""
    random_state: Any = None
    """seed."""
    warm_start: bool = False
    """go on from the last fit."""
    verbose: int = 0
    """as in scikit-learn; 1 prints the course of the fit."""
    verbose_interval: int = 10
    """as in scikit-learn: iterations from one line to the next."""
    inference: str = "em"
    """how the model is fitted."""

    def sizes(self) -> dict[str, int]:
        return super().sizes() | {"components": self.model_.log_weights.size - self.model_.noise}

    @abc.abstractmethod
    def _layout(self, rows: Dataset, values: ColumnMoments, width: int, *, batches: bool) -> Layout:
        """Groups, priors and the view for these rows; ``batches`` where the model is averaged over mini-batches."""

    @abc.abstractmethod
    def _begun(
        self,
        layout: Layout,
        rows: Dataset,
        methods: Sequence[str],
        numbers: np.ndarray,
        random: np.random.Generator,
    ) -> tuple[Start, bool]:
        """Starts by these methods with so many components, and whether the user gave parameters of them."""

    @abc.abstractmethod
    def _resumed(self, layout: Layout, inverse: Standardise) -> MixtureModel | MixturePosterior:
        """The last fit, moved from the user's units by ``inverse``, on this layout."""

    @abc.abstractmethod
    def _schedule(self, weight: float) -> MixtureSchedule:
        """How long and how to iterate over rows of so much weight."""

    @abc.abstractmethod
    def _apart(self, numbers: np.ndarray) -> np.ndarray:
        """Which starts compete: the best of each group is kept."""

    def _confirmed(self, search: Search) -> Search:
        """With more starts, where one was asked for and its kind is judged by whether it is found again."""
        return search

    @abc.abstractmethod
    def _end(self, search: Search) -> None:
        """Keep the best fit, and set the attributes."""

    @abc.abstractmethod
    def _settle(self, model: MixtureModel | MixturePosterior, view: Standardise, rows: Dataset) -> None:
        """Set the attributes after a batch of rows."""

    @double_precision
    def fit(self, X: Any, y: Any = None, sample_weight: Any = None) -> Self:
        """Fit the mixture to rows.

        Args:
            X: rows ``(n, d)``, or a `tacit.data.Dataset`; NaN marks a missing entry, which is integrated out.
            y: ignored.
            sample_weight: a weight a row, ``(n,)``; 2 is the same as two copies.

        Raises:
            ValueError: what is wrong with the rows, the weights or a parameter, and what to do.
        """
        self.fit_read(weighted(self.read(X, reset=True, minimum=2), sample_weight))
        return self

    def _check_all(self, rows: Dataset) -> None:
        self.check_settings()
        if rows.shape[0] < self.n_components:
            raise ValueError(
                f"Expected n_samples >= n_components but got n_components = {self.n_components}, "
                f"n_samples = {rows.shape[0]}"
            )
        self._dtype = rows.dtype

    def fit_read(self, rows: Dataset) -> None:
        """Fit to rows that were read; as `fit` in all else."""
        self._check_all(rows)
        self.__dict__.pop("_online", None)  # a series of batches ends here
        again = self.warm_start and "converged_" in vars(self)
        exact = again or self.inference == "gradient"  # padding has no coordinates
        width = self.n_components if exact else component_bucket(self.n_components)
        numbers = np.full(1 if again else self.n_init, self.n_components)
        methods = [self.init_params] * numbers.size
        with self._talking():
            search = self.search(rows, width, numbers, methods, again=again)
            if not again:
                search = self._confirmed(search)
        self._end(search)
        self._warn()

    def search(
        self,
        rows: Dataset,
        width: int,
        numbers: np.ndarray,
        methods: Sequence[str],
        *,
        again: bool = False,
    ) -> Search:
        """Fit starts with these numbers of components, begun by these methods."""
        layout, values, random = self._laid(rows, width)
        if again:
            begun, given = Start(self._continued(layout), None), False
        else:
            begun, given = self._begun(layout, rows, methods, numbers, random)
        search = self._unfitted_search(layout, rows, values, random)._replace(given=given)
        return search._replace(fits=self._run(search, begun, self._apart(numbers)))

    def begin_search(self, rows: Dataset, width: int) -> Search:
        """A search of which nothing has been fitted yet; ``width`` is K with padding."""
        layout, values, random = self._laid(rows, width)
        return self._unfitted_search(layout, rows, values, random)

    def _laid(self, rows: Dataset, width: int) -> tuple[Layout, ColumnMoments, np.random.Generator]:
        values, random = rows.moments(), seed_of(self.random_state)
        return self._layout(rows, values, width, batches=self.inference.startswith("online")), values, random

    def _unfitted_search(
        self, layout: Layout, rows: Dataset, values: ColumnMoments, random: np.random.Generator
    ) -> Search:
        """The rows where they are fitted, in a random order if statistics are averaged over mini-batches."""
        tiles = needs_tiles(layout.plain, values.complete)
        if self.inference.startswith("online"):
            data: BlockSource = shuffled(rows, random, chunk=BATCH_ROWS, tiles=tiles)
        else:
            data = source(rows, tiles=tiles)
        return Search(layout, rows, values, data, [], False, random)

    def schedule(self, search: Search) -> MixtureSchedule:
        """How long and how the fits of a search iterate."""
        return self._schedule(search.data.total_weight)._replace(label=type(self).__name__)

    def _run(
        self, search: Search, begun: Start, apart: np.ndarray, schedule: MixtureSchedule | None = None
    ) -> list[Fit]:
        """The best start of every group of them."""
        data = search.data
        models = begun.models.with_rows(complete=search.values.complete, tile=data.tile)
        how = {"vb": "em", "online-vb": "online-em"}.get(self.inference, self.inference)
        schedule = schedule or self.schedule(search)
        return run(begun._replace(models=models), data, search.view, schedule, search.random, apart, how)

    def _continued(self, layout: Layout) -> MixtureModel | MixturePosterior:
        """The last fit, in the coordinates of the new view, as the only start."""
        shift, scale = np.asarray(layout.view.shift), np.asarray(layout.view.scale)
        model = self._resumed(layout, Standardise(-shift / scale, 1.0 / scale))
        return trees.map(lambda leaf: jnp.asarray(leaf)[None] if is_array(leaf) else leaf, model)

    @double_precision
    def partial_fit(self, X: Any, y: Any = None, sample_weight: Any = None) -> Self:
        """Take in one batch of rows, batch after batch.

        It is online EM (Cappé & Moulines 2009) where parameters are estimates, and stochastic variational inference
        (Hoffman et al. 2013) where they have posteriors.

        The first batch settles the start, the scale and the priors that follow from the data, so it should have many
        rows a component. Arguments are those of ``fit``.
        """
        fresh = "_online" not in vars(self)
        rows = weighted(self.read(X, reset=fresh, minimum=2 if fresh else 1), sample_weight)
        if fresh:
            self._check_all(rows)
            self._online = self._first_batch(rows)
        view, average, total = self._online
        batch = MemorySource(rows, tiles=True, chunk=BATCH_ROWS)
        block, total = next(batch.blocks()), total + rows.total_weight
        model = average.model.with_rows(complete=False, tile=batch.tile)
        if fresh:
            average = first_average(model, block, view)
        average = see(average._replace(model=model), block, view, np.asarray(total))
        self._online = view, average, total
        self.n_iter_, self.converged_, self.stop_reason_ = int(average.time), False, "more rows may come"
        self._settle(average.model, view, rows)
        return self

    def _first_batch(self, rows: Dataset) -> tuple[Standardise, Average, float]:
        for name in ("lower_bound_", "lower_bounds_", "trace_", "snapshots_", "_rows_seen"):  # of an earlier fit
            self.__dict__.pop(name, None)
        values = rows.moments()._replace(complete=False)
        layout = self._layout(rows, values, self.n_components, batches=True)
        number, random = np.array([self.n_components]), seed_of(self.random_state)
        begun, _ = self._begun(layout, rows, [self.init_params], number, random)
        models = Start(begun.models.with_rows(complete=False), begun.statistics).made()
        model = trees.map(lambda leaf: np.asarray(leaf[0]) if is_array(leaf) else leaf, models)
        return layout.view, Average(model, None, np.zeros(())), 0.0

    def _ended(self, found: Fit) -> None:
        """How a fit ended, as attributes."""
        self.n_iter_ = found.iteration
        self.converged_ = found.status == CONVERGED
        self.stop_reason_ = stop_reason(found.status)

    @abc.abstractmethod
    def _warn(self) -> None:
        """Say what is wrong with a fit that has ended."""

    def _warn_unconverged(self) -> None:
        if self.max_iter > 0:
            warnings.warn(
                "Best performing initialization did not converge. Try different init parameters, or increase "
                f"max_iter, tol, or check for degenerate data. ({self.stop_reason_} after {self.n_iter_} iterations)",
                ConvergenceWarning,
                stacklevel=6,
            )

    def _talking(self) -> AbstractContextManager:
        """Print the course of the fit where ``verbose`` asks for it."""
        return watch(Printer(self.verbose_interval)) if self.verbose else nullcontext()

    @double_precision
    def predict_proba(self, X: Any) -> np.ndarray:
        """``p(z = k | x)`` of every row, ``(n, K)``."""
        model, rows = self.fitted_model(), self.read(X, reset=False)
        return answers.responsibilities(model, rows).astype(rows.dtype, copy=False)

    def predict(self, X: Any) -> np.ndarray:
        """The likeliest component of every row, ``(n,)``; −1 where that is noise."""
        return labelled(self.fitted_model(), self.predict_proba(X).argmax(axis=1))

    def _n_parameters(self) -> int:
        """Free parameters, by the name that scikit-learn's mixtures have for it."""
        self.fitted_model()
        return int(self.n_parameters_)

    @double_precision
    def _estimate_weighted_log_prob(self, X: Any) -> np.ndarray:
        """``log π_k p(x | k)``, ``(n, K)``, as scikit-learn's."""
        model = self.fitted_model()
        return np.asarray(answers.joint_log_prob(model, self.read(X, reset=False)))

    def _estimate_log_weights(self) -> np.ndarray:
        """``log π_k``, ``(K,)``, as scikit-learn's."""
        return np.asarray(self.fitted_model().log_weights)

    def _estimate_log_prob(self, X: Any) -> np.ndarray:
        """``log p(x | k)``, ``(n, K)``, as scikit-learn's."""
        return self._estimate_weighted_log_prob(X) - self._estimate_log_weights()

    def _estimate_log_prob_resp(self, X: Any) -> tuple[np.ndarray, np.ndarray]:
        """``log p(x)``, ``(n,)``, and the logarithms of the responsibilities, ``(n, K)``, as scikit-learn's."""
        joint = self._estimate_weighted_log_prob(X)
        total = np.logaddexp.reduce(joint, axis=1)
        return total, joint - total[:, None]

    @double_precision
    def sample(self, n_samples: int = 1, totals: Any = None) -> tuple[np.ndarray, np.ndarray]:
        """New rows ``(n, d)`` and the components ``(n,)`` they come from, in their order; −1 is noise, and last.

        Args:
            n_samples: how many rows, at least 1.
            totals: multinomial columns only: the sum of each row's counts, a number, ``(n,)``, or
                ``(n, groups)`` where several groups of columns are multinomial.

        Raises:
            ValueError: fewer than one row, or multinomial columns without totals.
        """
        rows, components = self._new_rows(n_samples, totals)
        return rows, labelled(self.fitted_model(), components)

    @double_precision
    def summary(self) -> MixtureSummary:
        """Weights of the groups, and what each group says of every column."""
        return summarise(self.fitted_model())

    def fit_predict(self, X: Any, y: Any = None, sample_weight: Any = None) -> np.ndarray:
        """Fit, then the likeliest component of every row."""
        return self.fit(X, sample_weight=sample_weight).predict(X)
