"""K-means as a model: against brute force, enumeration and scipy, and the laws of its iteration."""

import itertools

import jax
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.spatial.distance import cdist
from sklearn.cluster import KMeans as Peer

from tacit.compute import double_precision
from tacit.data.dataset import DenseRows
from tacit.inference.closed_form import CONVERGED, STOPPED
from tacit.models.kmeans import fitting
from tacit.models.kmeans.fitting import KMeansFit, KMeansSchedule, Lloyd, LloydStep, run, standardiser
from tacit.models.kmeans.model import KMeansModel, nearest, scaled, squared_distances


def brute_force(rows: np.ndarray, centres: np.ndarray) -> np.ndarray:
    """Squared distances over what is observed, entry by entry."""
    return np.array([[np.nansum((x - c) ** 2) for c in centres] for x in rows])


def with_gaps(rows: np.ndarray, share: float, random: np.random.Generator) -> np.ndarray:
    return np.where(random.uniform(size=rows.shape) < share, np.nan, rows)


@double_precision
def fitted(
    rows: np.ndarray,
    centres: np.ndarray,
    weights: np.ndarray | None = None,
    tol: float = 0.0,
    max_iter: int = 300,
) -> KMeansFit:
    """A fit from given centres: ``[K, d]``, or ``[starts, K, d]``."""
    weights = np.ones(len(rows)) if weights is None else weights
    data = DenseRows(rows, weights)
    values = data.moments()
    view = standardiser(values)
    starts = (np.atleast_3d(centres.T).T - view.shift) / view.scale
    schedule = KMeansSchedule(max_iter, tol * float(values.variance.mean()))
    return run(starts, data, values, view, schedule)


RANDOM = np.random.default_rng(20)
ROWS = RANDOM.normal(size=(150, 3))
CENTRES = RANDOM.normal(size=(4, 3))
WEIGHTS = RANDOM.uniform(size=150)


class TestOneStep:
    @pytest.mark.parametrize("kind", [np.float64, np.float32])
    @pytest.mark.parametrize("gaps", [False, True])
    def test_statistics_and_bound(self, kind: type, gaps: bool) -> None:
        rows = (with_gaps(ROWS, 0.3, np.random.default_rng(1)) if gaps else ROWS).astype(kind)
        apart = brute_force(rows.astype(float), CENTRES)
        labels = apart.argmin(axis=1)
        padded = np.concatenate([CENTRES, np.zeros((2, 3))])
        with jax.enable_x64(True):
            step = LloydStep(padded, np.arange(6) < 4, gaps, plain=False)
            sums = jax.tree.map(np.asarray, step(rows, WEIGHTS, jax.random.key(0)))
        close = 1e-12 if kind == np.float64 else 1e-5
        for k in range(4):
            mine = labels == k
            seen = ~np.isnan(rows[mine])
            np.testing.assert_allclose(
                sums.statistics.values[k], WEIGHTS[mine] @ np.where(seen, rows[mine], 0.0), rtol=close, atol=close
            )
            observed = WEIGHTS[mine] @ seen if gaps else WEIGHTS[mine].sum()
            np.testing.assert_allclose(sums.statistics.seen[k], observed, rtol=close)
            np.testing.assert_allclose(sums.statistics.counts[k], WEIGHTS[mine].sum(), rtol=close)
        assert not np.any(sums.statistics.counts[4:])
        energy = WEIGHTS @ np.nansum(rows.astype(float) ** 2, axis=1)
        np.testing.assert_allclose(sums.bound - energy, -WEIGHTS @ apart.min(axis=1), rtol=close * 10)

    @pytest.mark.parametrize("share", [0.0, 0.4])
    def test_answers(self, share: float) -> None:
        rows = with_gaps(ROWS, share, np.random.default_rng(2))
        apart = brute_force(rows, CENTRES)
        with jax.enable_x64(True):
            labels, distance = nearest(KMeansModel(CENTRES), rows)
            all_distances = squared_distances(KMeansModel(CENTRES), rows)
        np.testing.assert_array_equal(labels, apart.argmin(axis=1))
        np.testing.assert_allclose(distance, apart.min(axis=1), rtol=1e-13)
        np.testing.assert_allclose(all_distances, apart, rtol=1e-13)
        if not share:
            np.testing.assert_allclose(all_distances, cdist(ROWS, CENTRES, "sqeuclidean"), rtol=1e-13)

    def test_distances_to_far_centres_do_not_cancel(self) -> None:
        far = 1e9 + np.arange(12.0).reshape(4, 3)
        with jax.enable_x64(True):
            labels, apart = nearest(KMeansModel(far), far + 0.25)
        np.testing.assert_array_equal(labels, np.arange(4))
        np.testing.assert_allclose(apart, 3 / 16, rtol=1e-13)

    def test_the_view_keeps_digits(self) -> None:
        values = DenseRows(ROWS * 1e-9 + 5.0).moments()
        view = standardiser(values)
        assert np.log2(view.scale[0]) == round(np.log2(view.scale[0]))
        assert np.ptp(view.scale) == 0.0
        np.testing.assert_array_equal(scaled(ROWS, view) * view.scale, ROWS - view.shift)


def every_partition(rows: np.ndarray, clusters: int) -> float:
    """The least inertia over all labellings, centres at the means of observed entries."""
    best = np.inf
    for labels in itertools.product(range(clusters), repeat=len(rows) - 1):
        which = np.array((0, *labels))
        parts = [rows[which == k] for k in range(clusters) if np.any(which == k)]
        best = min(best, sum(np.nansum((part - np.nanmean(part, axis=0)) ** 2) for part in parts))
    return best


class TestFit:
    @pytest.mark.filterwarnings("ignore:Mean of empty slice:RuntimeWarning")
    @pytest.mark.parametrize("share", [0.0, 0.25])
    def test_many_starts_find_the_best_of_all_partitions(self, share: float) -> None:
        rows = with_gaps(ROWS[:8, :2], share, np.random.default_rng(5))
        pairs = np.array(list(itertools.combinations(range(8), 2)))
        found = fitted(rows, np.where(np.isnan(rows), np.nanmean(rows, axis=0), rows)[pairs])
        np.testing.assert_allclose(-found.trace.bound[-1], every_partition(rows, 2), rtol=1e-12)
        np.testing.assert_allclose(brute_force(rows, found.model.centres).min(1).sum(), -found.trace.bound[-1])

    @pytest.mark.parametrize("tol", [0.0, 1e-4, 1e-2])
    @pytest.mark.parametrize("max_iter", [1, 4, 300])
    def test_every_iteration_is_scikit_learns(self, tol: float, max_iter: int) -> None:
        peer = Peer(4, init=CENTRES, tol=tol, max_iter=max_iter).fit(ROWS)
        found = fitted(ROWS, CENTRES, tol=tol, max_iter=max_iter)
        assert found.steps == peer.n_iter_
        np.testing.assert_allclose(found.model.centres, peer.cluster_centers_, rtol=1e-12)
        np.testing.assert_allclose(-found.trace.bound[-1], peer.inertia_, rtol=1e-12)
        assert found.status == (STOPPED if max_iter < 300 else CONVERGED)

    @pytest.mark.parametrize("weighted", [False, True])
    def test_empty_clusters_take_the_farthest_rows_as_scikit_learns_do(self, weighted: bool) -> None:
        centres = np.concatenate([CENTRES[:2], [[50.0, 50, 50], [60.0, 60, 60], [-70.0, 0, 0]]])
        weights = WEIGHTS if weighted else np.ones(150)
        peer = Peer(5, init=centres, tol=0.0).fit(ROWS, sample_weight=weights)
        found = fitted(ROWS, centres, weights)
        assert found.steps == peer.n_iter_
        np.testing.assert_allclose(found.model.centres, peer.cluster_centers_, rtol=1e-12)
        assert len(found.trace.bound) == found.steps + 1
        assert np.all(np.diff(found.trace.bound) >= 0)
        for step in set(found.snapshots) - {0}:
            then = Peer(5, init=centres, tol=0.0, max_iter=step).fit(ROWS, sample_weight=weights)
            np.testing.assert_allclose(found.snapshots[step].centres, then.cluster_centers_, rtol=1e-12)

    def test_copies_of_the_farthest_row_go_together(self) -> None:
        rows, centres = np.array([[0.0], [1.0], [2.0], [8.0], [9.0]]), np.array([[1.0], [100.0], [200.0]])
        copies = np.array([3.0, 1.0, 1.0, 1.0, 2.0])
        weighted = fitted(rows, centres, copies, max_iter=1)
        repeated = fitted(np.repeat(rows, copies.astype(int), axis=0), centres, max_iter=1)
        np.testing.assert_allclose(weighted.model.centres, [[0.6], [9.0], [8.0]], rtol=1e-14)
        np.testing.assert_allclose(repeated.model.centres, [[0.6], [9.0], [8.0]], rtol=1e-14)

    @pytest.mark.parametrize("together", [True, False])
    def test_starts_with_and_without_empty_clusters(self, together: bool, monkeypatch: pytest.MonkeyPatch) -> None:
        if not together:
            monkeypatch.setattr(fitting, "TOGETHER_ROWS", 0)  # as if there were many rows
        lost = np.concatenate([CENTRES[:3], [[80.0, 0, 0]]])
        starts = np.stack([lost, CENTRES, ROWS[:4]])
        inertias = [Peer(4, init=start, tol=0.0).fit(ROWS).inertia_ for start in starts]
        found = fitted(ROWS, starts)
        np.testing.assert_allclose(-found.trace.bound[-1], min(inertias), rtol=1e-12)

    def test_a_column_that_a_cluster_never_shows_keeps_its_start(self) -> None:
        rows = np.array([[0.0, np.nan], [0.1, np.nan], [5.0, 1.0], [5.2, 3.0]])
        found = fitted(rows, np.array([[0.0, -7.0], [5.0, 2.5]]))
        np.testing.assert_allclose(found.model.centres, [[0.05, -7.0], [5.1, 2.0]], rtol=1e-14)

    @pytest.mark.parametrize("share", [0.0, 0.3])
    def test_streamed_is_in_memory(self, share: float, monkeypatch: pytest.MonkeyPatch) -> None:
        rows = with_gaps(np.tile(ROWS, (40, 1)) + 0.1 * RANDOM.normal(size=(6000, 3)), share, RANDOM)
        weights = RANDOM.uniform(size=6000)
        whole = fitted(rows, CENTRES, weights)
        monkeypatch.setattr(fitting, "STREAM_BYTES", 0)
        streamed = fitted(rows, CENTRES, weights)
        assert streamed.steps == whole.steps
        np.testing.assert_allclose(streamed.model.centres, whole.model.centres, rtol=1e-12)
        np.testing.assert_allclose(streamed.trace.bound, whole.trace.bound, rtol=1e-12)

    def test_no_gap_is_the_limit_of_few_gaps(self) -> None:
        complete = fitted(ROWS, CENTRES)
        holed = fitted(np.concatenate([ROWS, np.full((1, 3), np.nan)]), CENTRES, np.r_[np.ones(150), 0.0])
        np.testing.assert_allclose(holed.model.centres, complete.model.centres, rtol=1e-12)
        assert holed.steps == complete.steps

    def test_snapshots_are_the_models_on_the_way(self) -> None:
        found = fitted(ROWS, CENTRES)
        assert set(found.snapshots) == {i for i in (0, 3, 5, 16) if i <= found.steps} | {found.steps}
        np.testing.assert_allclose(found.snapshots[0].centres, CENTRES, rtol=1e-12)
        three = Peer(4, init=CENTRES, tol=0.0, max_iter=3).fit(ROWS)
        np.testing.assert_allclose(found.snapshots[3].centres, three.cluster_centers_, rtol=1e-12)


class TestLaws:
    @given(st.integers(0, 10**6), st.floats(-1e6, 1e6), st.floats(1e-6, 1e6), st.booleans())
    def test_shift_scale_and_order(self, seed: int, shift: float, scale: float, gaps: bool) -> None:
        random = np.random.default_rng(seed)
        rows = with_gaps(random.normal(size=(60, 2)), 0.2 if gaps else 0.0, random)
        centres, order = random.normal(size=(3, 2)), random.permutation(60)
        plain = fitted(rows, centres)
        moved = fitted(scale * rows[order] + shift, scale * centres + shift)
        close = 1e-9 * (1 + abs(shift) / scale)
        np.testing.assert_allclose((moved.model.centres - shift) / scale, plain.model.centres, atol=close)
        assert np.all(np.diff(plain.trace.bound) >= -1e-9)

    @given(st.integers(0, 10**6), st.booleans())
    def test_a_weight_is_copies(self, seed: int, gaps: bool) -> None:
        random = np.random.default_rng(seed)
        rows = with_gaps(random.normal(size=(60, 2)), 0.2 if gaps else 0.0, random)
        rows[0] = 0.0  # keeps every column observed
        copies, centres = random.integers(0, 4, size=60), random.normal(size=(3, 2))
        copies[0] = 1
        weighted = fitted(rows, centres, copies.astype(float), tol=1e-3)
        repeated = fitted(np.repeat(rows, copies, axis=0), centres, tol=1e-3)
        np.testing.assert_allclose(weighted.model.centres, repeated.model.centres, atol=1e-11)
        assert weighted.steps == repeated.steps


def test_a_start_that_rests_proposes_itself() -> None:
    with jax.enable_x64(True):
        model = Lloyd(
            CENTRES,
            np.ones(4, bool),
            *(np.asarray(7, np.int32), np.asarray(True), np.asarray(False)),
            *(np.asarray(0.0), np.asarray(300, np.int32), np.asarray(1.0)),
            gaps=False,
            plain=False,
            monotone=True,
        )
        after = model.m_step(model.prepare()(ROWS, WEIGHTS, jax.random.key(0)).statistics)
        after = jax.tree.map(np.asarray, after)
    np.testing.assert_array_equal(after.centres, CENTRES)
    assert int(after.steps) == 7
