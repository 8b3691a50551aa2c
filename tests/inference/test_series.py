"""Fits that follow one another: Ctrl-C keeps what the earlier ones gave, also where the later one had nothing yet."""

from pathlib import Path
from typing import Any

import jax.numpy as jnp
import numpy as np
import pytest

from tacit import BayesianLogisticRegression, KMeans, LatentDirichletAllocation, ProdLDA, infer, select_topics
from tacit.inference.series import Series
from tacit.inference.watch import Progress, watch
from tacit.models.kmeans import fitting
from tacit.storage import Checkpoint, fingerprint

pytestmark = [
    pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning"),
    pytest.mark.reuses_keys,
]
RANDOM = np.random.default_rng(0)
COUNTS = RANDOM.poisson(0.4, size=(90, 20))
POINTS = RANDOM.normal(size=(60, 2))
CLASSES = (POINTS[:, 0] + RANDOM.normal(size=60) > 0).astype(int)


class Fits:
    """A watcher that counts fits, and presses Ctrl-C before one of them has anything."""

    def __init__(self, last: int = 10**9) -> None:
        self.last, self.labels = last, list[str]()

    def resume(self, label: str, state: Any) -> None:
        self.labels.append(label)
        if len(self.labels) >= self.last:
            raise KeyboardInterrupt

    def look(self, progress: Progress) -> None:
        return None

    def done(self, progress: Progress) -> None:
        return None


def broken(last: int, fit: Any) -> Any:
    """What a series of fits gives where Ctrl-C comes in the first block of fit number ``last``."""
    fits = Fits(last)
    with watch(fits):
        found = fit()
    assert len(fits.labels) == last  # no other was begun
    return found


def number_of_fits(fit: Any) -> int:
    fits = Fits()
    with watch(fits):
        fit()
    return len(fits.labels)


def press() -> Any:
    raise KeyboardInterrupt


def test_a_series_ends_at_control_c_with_what_there_is() -> None:
    series = Series()
    assert series.then(lambda: 1) == 1
    assert series.then(press, lambda: 2) == 2
    assert series.interrupted
    assert series.then(lambda: 3, lambda: 4) == 4
    with pytest.raises(KeyboardInterrupt):
        series.then(lambda: 3)


def test_what_was_found_before_is_kept_and_nothing_else_is_begun() -> None:
    begun = []

    def fit(item: int) -> int:
        begun.append(item)
        return press() if item == 3 else item

    assert Series().each(fit, range(1, 6)) == [1, 2]
    assert begun == [1, 2, 3]
    with pytest.raises(KeyboardInterrupt):
        Series().each(fit, [3, 4])


def test_the_first_start_of_k_means_survives(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fitting, "TOGETHER_ROWS", 0)
    settings: dict[str, Any] = {"init": "random", "random_state": 0}
    one = KMeans(3, n_init=1, **settings).fit(POINTS)
    found = broken(2, lambda: KMeans(3, n_init=3, **settings).fit(POINTS))
    np.testing.assert_array_equal(found.cluster_centers_, one.cluster_centers_)


def test_k_means_whose_empty_clusters_were_not_refilled_yet_says_so() -> None:
    rows = np.concatenate([POINTS, POINTS + 100])
    centres = np.array([[0.0, 0.0], [1000.0, 1000.0], [2000.0, 2000.0]])
    whole = KMeans(3, init=centres, n_init=1).fit(rows)
    found = broken(2, lambda: KMeans(3, init=centres, n_init=1).fit(rows))
    assert (found.converged_, found.stop_reason_) == (False, "interrupted")
    np.testing.assert_array_equal(found.trace_.bound, whole.trace_.bound[: found.n_iter_ + 1])


@pytest.mark.parametrize("method", ["batch", "online"])
def test_topics_are_kept_from_part_to_part_of_a_fit_and_from_start_to_start(method: str) -> None:
    def made(starts: int = 1) -> LatentDirichletAllocation:
        settings: dict[str, Any] = {"start_iter": 8, "batch_size": 30, "max_iter": 4, "random_state": 0}
        return LatentDirichletAllocation(3, learning_method=method, n_init=starts, **settings)

    whole = made().fit(COUNTS)
    parts = number_of_fits(lambda: made().fit(COUNTS))
    early = broken(2, lambda: made().fit(COUNTS))
    assert "interrupted" in early.verdict_.stop
    assert early.n_iter_ == 0
    assert early.lower_bound_ < whole.lower_bound_
    late = broken(parts + 1, lambda: made(2).fit(COUNTS))
    np.testing.assert_array_equal(late.components_, whole.components_)


class Impatient(Fits):
    """Presses Ctrl-C after three passes."""

    def look(self, progress: Progress) -> None:
        if "start" not in progress.label and progress.iteration == 3:
            assert progress.max_iter == 6
            assert -1000 < progress.bound_per_weight < 0
            raise KeyboardInterrupt


def test_passes_over_documents_are_watched_and_go_on_to_the_same_bits(tmp_path: Path) -> None:
    def made() -> LatentDirichletAllocation:
        settings: dict[str, Any] = {"start_iter": 8, "batch_size": 30, "max_iter": 6, "random_state": 0}
        return LatentDirichletAllocation(3, learning_method="online", **settings)

    whole, mark = made().fit(COUNTS), fingerprint(made(), COUNTS)
    with watch(Checkpoint(tmp_path, mark), Impatient()):
        part = made().fit(COUNTS)
    assert part.n_iter_ == 3
    np.testing.assert_array_equal(part.trace_.bound, whole.trace_.bound[:3])
    np.testing.assert_array_equal(whole.trace_.iteration, range(1, 7))
    assert whole.trace_.bound[0] < whole.trace_.bound[-1] < whole.lower_bound_ + 0.05 * abs(whole.lower_bound_)
    assert "interrupted" in part.verdict_.stop
    with watch(Checkpoint(tmp_path, mark)):
        resumed = made().fit(COUNTS)
    np.testing.assert_array_equal(resumed.components_, whole.components_)
    assert resumed.n_iter_ == whole.n_iter_ == 6


def test_a_regression_keeps_what_is_near_the_mode() -> None:
    def made(method: str, starts: int = 1) -> BayesianLogisticRegression:
        return BayesianLogisticRegression(method, n_init=starts, n_draws=0, max_steps=20, random_state=0)

    whole = made("laplace").fit(POINTS, CLASSES)
    near = broken(2, lambda: made("laplace").fit(POINTS, CLASSES))
    assert near.stop_reason_ == "it was interrupted"
    np.testing.assert_allclose(near.coef_, whole.coef_, atol=0.1)
    begun = broken(3, lambda: made("reparameterised").fit(POINTS, CLASSES))
    np.testing.assert_allclose(begun.coef_, whole.coef_, rtol=1e-6)
    one = made("reparameterised").fit(POINTS, CLASSES)
    first = broken(4, lambda: made("reparameterised", 2).fit(POINTS, CLASSES))
    np.testing.assert_array_equal(first.coef_, one.coef_)


def test_inference_keeps_its_first_restart() -> None:
    def log_joint(p: Any, x: Any) -> Any:
        return -0.5 * p["w"] ** 2, -0.5 * (x - p["w"]) ** 2 + 0.0 * jnp.abs(x)

    def found(restarts: int) -> Any:
        return infer(log_joint, np.arange(3.0), {"w": 0.0}, restarts=restarts, max_steps=300, n_draws=20)

    kept = broken(2, lambda: found(2))
    np.testing.assert_array_equal(kept.posterior.draws["w"], found(1).posterior.draws["w"])


def test_a_choice_of_topics_ends_with_the_numbers_tried() -> None:
    model = ProdLDA(max_epochs=2, hidden=(4,), n_samples=2)
    found = broken(5, lambda: select_topics(COUNTS, (2, 3, 4), estimator=model, random_state=0))  # the third number
    assert found.table.column("n_components").to_pylist() == [2, 3]
    assert found.best.n_components in (2, 3)
    assert np.isfinite(found.best.score(COUNTS))
