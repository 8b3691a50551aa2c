"""``KMeans``: scikit-learn's face on the hard-EM limit of the engine, with gaps in the rows."""

import warnings
from collections.abc import Mapping
from dataclasses import KW_ONLY
from typing import Annotated, Any, ClassVar, Self

import numpy as np
from sklearn.base import ClassNamePrefixFeaturesOutMixin, ClusterMixin, TransformerMixin
from sklearn.exceptions import ConvergenceWarning
from sklearn.utils import check_array
from sklearn.utils.validation import check_is_fitted

from tacit.data.dataset import ColumnMoments, Dataset, SparseRows
from tacit.estimators.base import double_precision, read_data, seed_of, weighted
from tacit.estimators.capabilities import Assigns, Sweeps, Transforms
from tacit.estimators.settings import NOT_NEGATIVE, Choice, Estimator, Flag, Whole, settings
from tacit.estimators.spreading import SpreadsSums
from tacit.estimators.stopping import stop_reason
from tacit.inference.closed_form import CONVERGED
from tacit.inference.loop import Trace
from tacit.models.graph import Edge, Graph, Node, Plate
from tacit.models.kmeans.fitting import KMeansFit, KMeansSchedule, run, standardiser
from tacit.models.kmeans.model import KMeansModel as Centres
from tacit.models.kmeans.model import Rescale, nearest, scaled, squared_distances
from tacit.models.seeding import SAMPLE_ROWS, at_random, distinct, plus_plus, weighted_sample
from tacit.spaces import Held

SEEDS = ("k-means++", "random")
STARTS_WITHOUT_CARE = 10
"""Starts of ``n_init="auto"`` where they are drawn at random or come from a callable."""
SAMPLE_PER_CLUSTER = 100
"""Rows a cluster that seeding sees at least, where there are as many."""


@settings
class KMeans(
    Assigns,
    Transforms,
    Sweeps,
    SpreadsSums,
    ClassNamePrefixFeaturesOutMixin,
    TransformerMixin,
    ClusterMixin,
    Estimator,
):
    """K-means, ``min Σ_n w_n min_k ‖x_n − c_k‖²``, with scikit-learn's arguments, attributes and results.

    It is hard EM of a mixture of equally many, equally wide, round Gaussians. Missing entries (NaN) are left out:
    a distance is summed over the entries a row has and is not rescaled, because with one σ for all clusters what is
    missing changes all distances of the row alike; a centre is the mean of the entries observed in its cluster, and
    the inertia sums observed entries. A row without any entry has no say, and label 0.

    Attributes:
        cluster_centers_: ``(K, d)``, in the precision of the rows; the heaviest cluster first, unless ``init`` gave
            centres. A column of which a cluster has observed nothing keeps the value it started from.
        labels_: the nearest centre of every row.
        inertia_: the weighted sum of squared distances to it.
        n_iter_: iterations of the best start.
        converged_: whether the centres came to rest.
        stop_reason_: why the best start stopped.
        trace_: iteration, bound (minus the inertia) and seconds.
        snapshots_: the centres after 0, 3, 5, 16 iterations and at the end.
        model_: the centres as a model.
    """

    held: ClassVar[Mapping[str, Held]] = {
        "model_.centres": Held("clusters features"),
        "cluster_centers_": Held("clusters features"),
        "labels_": Held("rows"),
        "inertia_": Held("", "not negative"),
    }

    swept = "n_clusters"
    n_clusters: Annotated[int, Whole(1)] = 8
    """K."""
    _: KW_ONLY
    init: Any = "k-means++"
    """"k-means++", "random", centres ``(K, d)``, or a callable ``(X, n_clusters, random_state)``."""
    n_init: Annotated[int | str, Whole(1, names=("auto",))] = "auto"
    """starts, the best of which is kept; "auto" is 1, or 10 with "random" or a callable."""
    max_iter: Annotated[int, Whole(1)] = 300
    """most iterations of a start."""
    tol: Annotated[float, NOT_NEGATIVE] = 1e-4
    """a start rests when the squared moves of its centres sum to at most ``tol`` times the mean variance."""
    verbose: int = 0
    """print the inertia of every iteration."""
    random_state: Any = None
    """seed, RandomState or Generator."""
    copy_x: Annotated[bool, Flag()] = True
    """accepted; the rows are never changed."""
    algorithm: Annotated[str, Choice(("lloyd", "elkan"))] = "lloyd"
    """"lloyd" or "elkan", with the same result."""

    @double_precision
    def fit(self, X: Any, y: Any = None, sample_weight: Any = None) -> Self:
        """Find the clusters of rows.

        Args:
            X: rows ``(n, d)``, dense or sparse, or a `tacit.data.Dataset`; NaN marks a missing entry.
            y: ignored.
            sample_weight: a weight a row, ``(n,)``; 2 is the same as two copies.

        Raises:
            ValueError: fewer rows than clusters, or what is wrong with rows, weights or a parameter.
        """
        self.check_settings()
        rows = weighted(self._read(X, reset=True), sample_weight)
        if len(rows) < self.n_clusters:
            raise ValueError(f"n_samples={len(rows)} should be >= n_clusters={self.n_clusters}.")
        values = rows.moments()
        if not values.complete:
            rows = self._without_empty_rows(rows, values)
        view = standardiser(values)
        centres = self._starts(rows, view)
        if self.verbose:
            print("Initialization complete")
        tolerance = float(self.tol) * float(np.mean(values.variance))
        schedule = KMeansSchedule(int(self.max_iter), tolerance, type(self).__name__)
        self._finish(run(centres, rows, values, view, schedule), rows)
        return self

    def _check_together(self) -> None:
        if isinstance(self.init, str) and self.init not in SEEDS:
            raise ValueError(
                f"init must be one of {', '.join(map(repr, SEEDS))}, centres or a callable, got {self.init!r}"
            )

    def _without_empty_rows(self, rows: Dataset, values: ColumnMoments) -> Dataset:
        """Weight 0 for rows of which nothing is known; a word about columns of which nothing is known."""
        known = [~np.isnan(part).all(axis=1) for _, part in rows.slices()]
        weights = np.where(np.concatenate(known), rows.weights, 0.0)
        if not weights.any():
            raise ValueError("X has no observed entry in any row of positive weight: there is nothing to cluster")
        unseen = np.flatnonzero(values.seen == 0)
        if unseen.size:
            names = self._names()
            which = ", ".join(str(i) if names is None else repr(names[i]) for i in unseen)
            warnings.warn(
                f"Column(s) {which} of X have no observed entry; all centres are 0 there.", UserWarning, stacklevel=4
            )
        return rows.weighted(weights)

    def _starts(self, rows: Dataset, view: Rescale) -> np.ndarray:
        """Centres of every start ``[starts, K, d]`` in the coordinates of the view."""
        init, random = self.init, seed_of(self.random_state)
        number = self._number_of_starts()
        if self.algorithm == "elkan" and self.n_clusters == 1:
            warnings.warn(
                "algorithm='elkan' doesn't make sense for a single cluster. Using 'lloyd' instead.",
                RuntimeWarning,
                stacklevel=4,
            )
        if isinstance(init, str):
            return self._seeded(rows, view, number, random)
        found = []
        for _ in range(number):
            centres = init
            if callable(init):
                state = np.random.RandomState(random.integers(2**31))
                centres = init(
                    rows.matrix if isinstance(rows, SparseRows) else rows.rows(), self.n_clusters, random_state=state
                )
            found.append(self._checked_centres(centres, rows))
        return (np.stack(found) - view.shift) / view.scale

    def _number_of_starts(self) -> int:
        careless = callable(self.init) or (isinstance(self.init, str) and self.init == "random")
        if self.n_init == "auto":
            return STARTS_WITHOUT_CARE if careless else 1
        if not isinstance(self.init, str) and not callable(self.init) and self.n_init != 1:
            warnings.warn(
                f"Explicit initial center position passed: performing only one init in {type(self).__name__} "
                f"instead of n_init={self.n_init}.",
                RuntimeWarning,
                stacklevel=5,
            )
            return 1
        return int(self.n_init)

    def _seeded(self, rows: Dataset, view: Rescale, number: int, random: np.random.Generator) -> np.ndarray:
        sample, mass = weighted_sample(rows.weights, max(SAMPLE_ROWS, SAMPLE_PER_CLUSTER * self.n_clusters), random)
        part = scaled(rows.rows(sample), view).astype(np.float64)
        filled, mass = distinct(np.where(np.isnan(part), 0.0, part), mass)  # gaps read as the column's mean
        if self.init == "random":
            picks = [at_random(mass, self.n_clusters, random) for _ in range(number)]
        else:
            picks = [plus_plus(filled, mass, self.n_clusters, random) for _ in range(number)]
        return filled[np.stack(picks)]

    def _checked_centres(self, centres: Any, rows: Dataset) -> np.ndarray:
        centres = check_array(centres, dtype=np.float64, accept_sparse="csr")
        centres = centres if isinstance(centres, np.ndarray) else centres.toarray()
        for place, wanted, what in (
            (0, self.n_clusters, "number of clusters"),
            (1, rows.shape[1], "number of features of the data"),
        ):
            if centres.shape[place] != wanted:
                raise ValueError(
                    f"The shape of the initial centers {centres.shape} does not match the {what} {wanted}."
                )
        return centres

    def _finish(self, found: KMeansFit, rows: Dataset) -> None:
        order = np.arange(self.n_clusters)
        if isinstance(self.init, str):
            # heaviest first, so that labels do not jump between runs; equals by their first coordinate
            order = np.lexsort((found.model.centres[:, 0], -found.counts))
        self.model_ = found.model.take(order)
        self.cluster_centers_ = self.model_.centres.astype(rows.dtype)
        self._n_features_out = self.n_clusters
        self.snapshots_ = {step: model.take(order) for step, model in found.snapshots.items()}
        self.trace_ = found.trace
        self.n_iter_ = found.steps
        self.converged_ = found.status == CONVERGED
        self.stop_reason_ = stop_reason(found.status)
        self.labels_, apart = nearest(self._centres(), rows)
        weights = rows.weights
        self.inertia_ = float(weights @ apart.astype(np.float64))
        if self.verbose:
            self._print(self.trace_)
        distinct = np.unique(self.labels_[weights > 0]).size
        if distinct < self.n_clusters:
            warnings.warn(
                f"Number of distinct clusters ({distinct}) found smaller than n_clusters ({self.n_clusters}). "
                "Possibly due to duplicate points in X.",
                ConvergenceWarning,
                stacklevel=4,
            )

    def _print(self, trace: Trace) -> None:
        for iteration, bound in zip(trace.iteration, trace.bound, strict=True):
            print(f"Iteration {iteration}, inertia {-bound}.")
        if self.converged_:
            still = np.array_equal(trace.bound[-1:], trace.bound[-2:-1])
            why = "strict convergence" if still else f"center shift is within tolerance ({self.tol} of a variance)"
            print(f"Converged at iteration {self.n_iter_}: {why}.")

    def _centres(self) -> Centres:
        check_is_fitted(self)
        return Centres(np.asarray(self.cluster_centers_))

    def _read(self, X: Any, *, reset: bool = False) -> Dataset:
        return read_data(self, X, reset=reset, sparse=True)

    @double_precision
    def predict(self, X: Any) -> np.ndarray:
        """The nearest centre of every row, ``(n,)``; entries a row does not have do not count."""
        centres = self._centres()
        return nearest(centres, self._read(X))[0]

    def fit_predict(self, X: Any, y: Any = None, sample_weight: Any = None) -> np.ndarray:
        """Find the clusters; the label of every row."""
        return self.fit(X, sample_weight=sample_weight).labels_

    @double_precision
    def transform(self, X: Any) -> np.ndarray:
        """Distances ``(n, K)`` to all centres, over the entries that a row has."""
        centres = self._centres()
        return np.sqrt(squared_distances(centres, self._read(X)))

    def fit_transform(self, X: Any, y: Any = None, sample_weight: Any = None) -> np.ndarray:
        """Find the clusters; the distances of every row to their centres."""
        return self.fit(X, sample_weight=sample_weight).transform(X)

    @double_precision
    def score(self, X: Any, y: Any = None, sample_weight: Any = None) -> float:
        """Minus the inertia of rows: the weighted sum of squared distances to the nearest centres."""
        centres = self._centres()
        rows = weighted(self._read(X), sample_weight)
        _, apart = nearest(centres, rows)
        return -float(rows.weights @ apart.astype(np.float64))

    def graph(self) -> Graph:
        """The directed graph of the model, as data."""
        nodes = (
            Node("c", "c", "parameter", ("k",)),
            Node("z", "z", "latent", ("n",), "uniform"),
            Node("x", "x", "observed", ("n",), "round normal, σ → 0"),
        )
        plates = (Plate("n", "n = 1…N"), Plate("k", f"k = 1…{self.n_clusters}"))
        return Graph(nodes, (Edge("c", "x"), Edge("z", "x")), plates)

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.input_tags.allow_nan = True
        tags.input_tags.sparse = True
        tags.transformer_tags.preserves_dtype = ["float64", "float32"]
        return tags
