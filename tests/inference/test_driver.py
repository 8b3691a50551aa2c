"""The closed-form driver: blocks, streams, chunks and watchers change nothing but the clock."""

from typing import Any

import jax
import numpy as np
import pytest
from sklearn.datasets import load_iris

from tacit import GaussianMixture
from tacit.data.blocks import pattern_tiles
from tacit.data.dataset import DenseRows
from tacit.data.sources import MemorySource, StreamSource
from tacit.estimators.mixture import base
from tacit.inference import loop
from tacit.inference.watch import Progress, watch

pytestmark = [
    pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning"),
    pytest.mark.reuses_keys,
]
ROWS = load_iris().data


class Looker:
    """A watcher that counts, and may press Ctrl-C."""

    def __init__(self, stop_at: int = 10**9) -> None:
        self.looks: list[Progress] = []
        self.stop_at = stop_at

    def look(self, progress: Progress) -> None:
        self.looks.append(progress)
        if progress.iteration >= self.stop_at:
            raise KeyboardInterrupt

    def done(self, progress: Progress) -> None:
        self.looks.append(progress)

    def resume(self, label: str, state: Any) -> None:
        return None


def fitted(**settings: Any) -> GaussianMixture:
    return GaussianMixture(3, random_state=0, tol=1e-9, max_iter=60, **settings).fit(ROWS)


def test_the_length_of_a_block_changes_no_bit(monkeypatch: pytest.MonkeyPatch) -> None:
    whole = fitted()
    monkeypatch.setattr(loop, "ADVANCE_SECONDS", 0.0)  # one iteration a block
    looker = Looker()
    with watch(looker):
        step_by_step = fitted()
    assert len(looker.looks) > 10
    np.testing.assert_array_equal(whole.trace_.bound, step_by_step.trace_.bound)
    np.testing.assert_array_equal(whole.means_, step_by_step.means_)


@pytest.mark.parametrize("kind", ["full", "diag"])
def test_streamed_is_in_memory(monkeypatch: pytest.MonkeyPatch, kind: str) -> None:
    whole = fitted(covariance_type=kind)
    monkeypatch.setattr(base, "source", lambda rows, tiles: StreamSource(rows, chunks=1))
    streamed = fitted(covariance_type=kind)
    np.testing.assert_allclose(streamed.trace_.bound, whole.trace_.bound, rtol=1e-12)
    np.testing.assert_allclose(streamed.means_, whole.means_, rtol=1e-9)


def test_interrupted_gives_the_best_so_far() -> None:
    with watch(Looker(stop_at=3)):
        stopped = fitted()
    assert stopped.stop_reason_ == "interrupted"
    assert not stopped.converged_
    assert 3 <= stopped.n_iter_ < 60
    assert stopped.lower_bound_ == pytest.approx(stopped.trace_.bound[-1] / 150)
    assert np.isfinite(stopped.score(ROWS))


def test_the_trace_and_its_snapshots() -> None:
    model = fitted()
    assert len(model.trace_.bound) == model.n_iter_ + 1
    assert set(model.snapshots_) >= {0, 3, 5, 16, model.n_iter_}
    assert model.trace_.bound[0] < model.trace_.bound[-1]
    assert np.all(np.diff(model.trace_.seconds) >= 0)


def test_a_second_fit_compiles_nothing() -> None:
    fitted()
    compiled: list[str] = []

    def listen(event: str, duration: float, **_: Any) -> None:
        if "backend_compile" in event:
            compiled.append(event)

    jax.monitoring.register_event_duration_secs_listener(listen)
    try:
        GaussianMixture(4, random_state=5, tol=1e-4, max_iter=37, reg_covar=1e-5).fit(ROWS[:140])
    finally:
        jax.monitoring.unregister_event_duration_listener(listen)
    assert compiled == []


def test_tiles_hold_one_pattern_each_and_give_rows_back() -> None:
    random = np.random.default_rng(0)
    rows = np.where(random.random((90, 3)) < 0.4, np.nan, random.normal(size=(90, 3)))
    block, tile, slots = pattern_tiles(rows, np.ones(90))
    laid = np.asarray(block.rows).reshape(-1, tile, 3)
    missing = np.isnan(laid)
    assert (missing == missing[:, :1]).all()
    assert block.weights.sum() == 90
    source = MemorySource(DenseRows(rows), tiles=True)
    np.testing.assert_array_equal(source.to_rows(np.asarray(next(source.blocks()).rows)), rows)
    assert sorted(slots) == sorted(set(slots))


def test_moments_of_far_rows_keep_their_digits() -> None:
    rows = np.random.default_rng(0).normal(size=(500, 2)) + 1e9
    found = DenseRows(rows).moments()
    np.testing.assert_allclose(found.variance, (rows - rows.mean(axis=0)).var(axis=0), rtol=1e-10)
