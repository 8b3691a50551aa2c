"""``KMeans``: scikit-learn's results, its estimator checks, gaps, and data that are hardly data."""

import pickle
from collections.abc import Callable

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
from scipy import sparse
from sklearn.base import clone
from sklearn.cluster import KMeans as Peer
from sklearn.datasets import load_iris, make_blobs
from sklearn.exceptions import ConvergenceWarning, NotFittedError
from sklearn.metrics import adjusted_rand_score
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from tacit.estimators.kmeans import KMeans

IRIS = load_iris(as_frame=True).data
X = IRIS.to_numpy()
RANDOM = np.random.default_rng(7)


class TestAgainstThePeer:
    @pytest.mark.parametrize("kind", [np.float64, np.float32])
    @pytest.mark.parametrize("clusters", [1, 3, 9])
    def test_equal_starts_equal_results(self, kind: type, clusters: int) -> None:
        rows, _ = make_blobs(1000, 5, centers=7, cluster_std=3.0, random_state=3)
        rows, weights = rows.astype(kind), RANDOM.uniform(size=1000)
        init = rows[:clusters]
        peer = Peer(clusters, init=init, tol=0.0).fit(rows, sample_weight=weights)
        ours = KMeans(clusters, init=init, tol=0.0).fit(rows, sample_weight=weights)
        close = 1e-10 if kind == np.float64 else 1e-4
        np.testing.assert_allclose(ours.cluster_centers_, peer.cluster_centers_, rtol=close, atol=close)
        np.testing.assert_array_equal(ours.labels_, peer.labels_)
        np.testing.assert_allclose(ours.inertia_, peer.inertia_, rtol=close)
        np.testing.assert_allclose(ours.transform(rows), peer.transform(rows), rtol=close * 10, atol=close * 10)
        np.testing.assert_allclose(ours.score(rows, None, weights), peer.score(rows, None, weights), rtol=close)
        assert ours.cluster_centers_.dtype == ours.transform(rows).dtype == kind
        assert ours.labels_.dtype == np.int32
        assert ours.n_iter_ == peer.n_iter_ or kind == np.float32

    def test_the_default_tolerance_stops_at_the_same_iteration(self) -> None:
        rows = RANDOM.normal(size=(3000, 4))
        peer, ours = Peer(8, init=rows[:8]).fit(rows), KMeans(8, init=rows[:8]).fit(rows)
        assert ours.n_iter_ == peer.n_iter_
        np.testing.assert_allclose(ours.cluster_centers_, peer.cluster_centers_, atol=1e-12)

    @pytest.mark.parametrize("init", ["k-means++", "random"])
    def test_own_starts_are_as_good(self, init: str) -> None:
        rows, _ = make_blobs(600, 6, centers=12, cluster_std=1.5, random_state=1)
        theirs = [Peer(12, init=init, n_init=1, random_state=s).fit(rows).inertia_ for s in range(20)]
        ours = [KMeans(12, init=init, n_init=1, random_state=s).fit(rows).inertia_ for s in range(20)]
        spread = np.hypot(np.std(theirs), np.std(ours)) / np.sqrt(20)
        assert np.mean(ours) < np.mean(theirs) + 3 * spread
        best = KMeans(12, init=init, n_init=20, random_state=0).fit(rows).inertia_
        np.testing.assert_allclose(best, min(*theirs, *ours), rtol=1e-3)


class TestBehaviour:
    def test_clone_pickle_and_repeat(self) -> None:
        model = KMeans(3, random_state=5).fit(X)
        again = clone(model).fit(X)
        np.testing.assert_array_equal(again.cluster_centers_, model.cluster_centers_)
        loaded = pickle.loads(pickle.dumps(model))
        np.testing.assert_array_equal(loaded.predict(X), model.labels_)
        np.testing.assert_array_equal(loaded.model_.centres, model.cluster_centers_)

    @pytest.mark.parametrize(
        "convert", [pd.DataFrame, pl.from_pandas, pa.Table.from_pandas], ids=["pandas", "polars", "arrow"]
    )
    def test_frames(self, convert: Callable) -> None:
        frame = convert(IRIS)
        model = KMeans(3, random_state=0).fit(frame)
        np.testing.assert_array_equal(model.labels_, KMeans(3, random_state=0).fit(X).labels_)
        if convert is not pa.Table.from_pandas:
            assert list(model.feature_names_in_) == list(IRIS.columns)

    def test_output_frames_are_named(self) -> None:
        model = KMeans(3, random_state=0).set_output(transform="pandas").fit(IRIS)
        assert list(model.transform(IRIS).columns) == ["kmeans0", "kmeans1", "kmeans2"]

    def test_pipeline_and_grid_search(self) -> None:
        pipe = make_pipeline(StandardScaler(), KMeans(random_state=0))
        search = GridSearchCV(pipe, {"kmeans__n_clusters": [2, 3, 5]}, cv=3).fit(X)
        assert search.best_params_ == {"kmeans__n_clusters": 5}

    def test_heaviest_first_unless_centres_are_given(self) -> None:
        for seed in range(6):
            model = KMeans(3, random_state=seed).fit(X)
            sizes = np.bincount(model.labels_)
            assert list(sizes) == sorted(sizes, reverse=True)
        given = KMeans(3, init=model.cluster_centers_[::-1]).fit(X)
        np.testing.assert_allclose(given.cluster_centers_, model.cluster_centers_[::-1])

    def test_neither_order_nor_copies_matter(self) -> None:
        copies, order = RANDOM.integers(1, 4, size=150), RANDOM.permutation(150)
        one = KMeans(4, random_state=2).fit(X, sample_weight=copies)
        other = KMeans(4, random_state=2).fit(np.repeat(X[order], copies[order], axis=0))
        np.testing.assert_allclose(one.cluster_centers_, other.cluster_centers_, rtol=1e-12)

    def test_number_of_starts(self) -> None:
        calls = []

        def init(rows: np.ndarray, clusters: int, random_state: np.random.RandomState) -> np.ndarray:
            calls.append(rows.shape)
            return rows[random_state.choice(len(rows), clusters, replace=False)]

        model = KMeans(3, init=init, random_state=0).fit(X)
        assert calls == [(150, 4)] * 10
        np.testing.assert_allclose(model.inertia_, 78.851441, rtol=1e-6)
        KMeans(3, init=init, n_init=2, random_state=0).fit(X)
        assert len(calls) == 12

    def test_trace_snapshots_and_reason(self) -> None:
        model = KMeans(5, init=X[:5], tol=0).fit(X)
        np.testing.assert_allclose(-model.trace_.bound[-1], model.inertia_, rtol=1e-12)
        assert len(model.trace_.bound) == model.n_iter_ + 1
        assert (model.converged_, model.stop_reason_) == (True, "converged")
        np.testing.assert_allclose(model.snapshots_[0].centres, X[:5])
        np.testing.assert_array_equal(model.snapshots_[model.n_iter_].centres, model.cluster_centers_)
        short = KMeans(5, init=X[:5], tol=0, max_iter=2).fit(X)
        assert (short.converged_, short.stop_reason_, short.n_iter_) == (False, "max_iter reached", 2)

    def test_graph(self) -> None:
        graph = KMeans(3).graph()
        assert {(edge.source, edge.target) for edge in graph.edges} == {("c", "x"), ("z", "x")}

    def test_not_fitted(self) -> None:
        with pytest.raises(NotFittedError):
            KMeans().predict(X)

    @pytest.mark.parametrize(
        ("setting", "words"),
        [
            ({"n_clusters": 0}, "n_clusters"),
            ({"init": "best"}, "init"),
            ({"n_init": "many"}, "n_init"),
            ({"tol": -1.0}, "tol"),
            ({"algorithm": "full"}, "algorithm"),
            ({"n_clusters": 151}, "n_samples=150 should be >= n_clusters=151"),
            ({"n_clusters": 2, "init": X[:3]}, "number of clusters 2"),
            ({"n_clusters": 3, "init": X[:3, :2]}, "number of features of the data 4"),
        ],
    )
    def test_mistakes_are_named(self, setting: dict, words: str) -> None:
        with pytest.raises(ValueError, match=words):
            KMeans(**setting).fit(X)


class TestGaps:
    def test_the_objective_is_the_sum_over_observed_entries(self) -> None:
        rows = np.where(RANDOM.uniform(size=X.shape) < 0.3, np.nan, X)
        model = KMeans(3, n_init=5, random_state=0).fit(rows)
        apart = np.nansum((rows[:, None] - model.cluster_centers_) ** 2, axis=-1)
        np.testing.assert_array_equal(model.labels_, apart.argmin(axis=1))
        np.testing.assert_array_equal(model.predict(rows), model.labels_)
        np.testing.assert_allclose(model.inertia_, apart.min(axis=1).sum(), rtol=1e-12)
        np.testing.assert_allclose(model.transform(rows) ** 2, apart, rtol=1e-10, atol=1e-12)
        means = [np.nanmean(rows[model.labels_ == k], axis=0) for k in range(3)]
        np.testing.assert_allclose(model.cluster_centers_, means, rtol=1e-10)

    def test_better_than_filling_in_means(self) -> None:
        rows, truth = make_blobs(600, 6, centers=4, cluster_std=1.5, random_state=0)
        holed = np.where(RANDOM.uniform(size=rows.shape) < 0.4, np.nan, rows)
        ours = KMeans(4, n_init=10, random_state=0).fit_predict(holed)
        filled = np.where(np.isnan(holed), np.nanmean(holed, axis=0), holed)
        theirs = Peer(4, n_init=10, random_state=0).fit_predict(filled)
        assert adjusted_rand_score(truth, ours) > adjusted_rand_score(truth, theirs) + 0.05

    def test_rows_and_columns_of_which_nothing_is_known(self) -> None:
        rows = np.column_stack([X, np.full(150, np.nan)])
        rows[17] = np.nan
        with pytest.warns(UserWarning, match=r"Column\(s\) 4 of X have no observed entry"):
            model = KMeans(3, random_state=0).fit(rows)
        without = KMeans(3, random_state=0).fit(np.delete(X, 17, axis=0))
        np.testing.assert_allclose(model.cluster_centers_[:, :4], without.cluster_centers_, rtol=1e-12)
        np.testing.assert_array_equal(model.cluster_centers_[:, 4], 0.0)
        assert model.labels_[17] == 0
        with pytest.raises(ValueError, match="no observed entry in any row"):
            KMeans(1).fit(np.full((3, 2), np.nan))


class TestHardlyData:
    def test_fewer_points_than_clusters(self) -> None:
        rows = np.repeat([[0.0, 1.0], [2.0, 3.0], [5.0, 5.0]], 4, axis=0)
        with pytest.warns(ConvergenceWarning, match=r"distinct clusters \(3\) found smaller than n_clusters \(5\)"):
            model = KMeans(5, random_state=0).fit(rows)
        assert model.inertia_ == 0.0
        assert set(model.labels_) == {0, 1, 2}

    @pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
    @pytest.mark.parametrize("n_init", [1, 10])
    def test_all_rows_alike(self, n_init: int) -> None:
        model = KMeans(3, init="random", n_init=n_init, random_state=0).fit(np.full((20, 2), 3.7))
        np.testing.assert_allclose(model.cluster_centers_, 3.7, rtol=1e-15)
        assert model.inertia_ == pytest.approx(0.0, abs=1e-28)

    @pytest.mark.parametrize("offset", [1e6, 1e12])
    def test_offsets(self, offset: float) -> None:
        rows = RANDOM.integers(0, 30, size=(200, 2)).astype(float)
        plain, moved = (KMeans(4, init=rows[:4] + o).fit(rows + o) for o in (0.0, offset))
        np.testing.assert_array_equal(moved.labels_, plain.labels_)
        np.testing.assert_allclose(moved.cluster_centers_ - offset, plain.cluster_centers_, atol=2e-16 * offset)
        np.testing.assert_allclose(moved.inertia_, plain.inertia_, rtol=1e-9)

    @pytest.mark.parametrize("scale", [1e-150, 1e-12, 1e150])
    def test_scales(self, scale: float) -> None:
        model = KMeans(3, init=X[:3] * scale).fit(X * scale)
        np.testing.assert_allclose(model.cluster_centers_ / scale, KMeans(3, init=X[:3]).fit(X).cluster_centers_)
        np.testing.assert_allclose(model.inertia_ / scale / scale, 78.85, rtol=0.01)

    def test_one_column_one_row_constant_column(self) -> None:
        line = KMeans(2, random_state=0).fit([[0.0], [1.0], [10.0], [11.0]])
        np.testing.assert_allclose(np.sort(line.cluster_centers_[:, 0]), [0.5, 10.5])
        one = KMeans(1).fit([[2.0, 3.0]])
        np.testing.assert_allclose(one.cluster_centers_, [[2.0, 3.0]])
        constant = KMeans(3, init=np.c_[X[:3], np.ones(3)]).fit(np.c_[X, np.ones(150)])
        np.testing.assert_allclose(constant.cluster_centers_[:, 4], 1.0)
        np.testing.assert_allclose(constant.inertia_, KMeans(3, init=X[:3]).fit(X).inertia_, rtol=1e-12)

    def test_sparse_rows(self) -> None:
        rows = sparse.random_array((300, 20), density=0.1, rng=np.random.default_rng(0), format="csr")
        dense = rows.toarray()
        ours = KMeans(4, init=dense[:4]).fit(rows)
        np.testing.assert_allclose(
            ours.cluster_centers_, Peer(4, init=dense[:4]).fit(dense).cluster_centers_, atol=1e-12
        )
        np.testing.assert_array_equal(ours.predict(dense), ours.labels_)

    def test_zero_weights_are_absent(self) -> None:
        weights = (np.arange(150) % 2).astype(float)
        for init in ("k-means++", "random"):
            model = KMeans(6, init=init, n_init=3, random_state=0).fit(X, sample_weight=weights)
            half = KMeans(6, init=init, n_init=3, random_state=0).fit(X[1::2])
            np.testing.assert_allclose(model.cluster_centers_, half.cluster_centers_, rtol=1e-12)
