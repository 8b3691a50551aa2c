"""One host loop for every way to fit: all are watched, broken off, checkpointed and traced alike."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from sklearn.datasets import load_iris

from tacit import GaussianMixture
from tacit.inference.watch import Progress, watch
from tacit.models.mixture import rows as answers
from tacit.storage import Checkpoint, fingerprint

pytestmark = [
    pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning"),
    pytest.mark.reuses_keys,
]
ROWS = load_iris().data
WAYS = ["em", "online-em", "gradient"]


class Looker:
    """A watcher that remembers, and may press Ctrl-C."""

    def __init__(self, stop_at: int = 10**9) -> None:
        self.looks: list[Progress] = []
        self.stop_at = stop_at

    def look(self, progress: Progress) -> None:
        self.looks.append(progress)
        if progress.iteration >= self.stop_at:
            raise KeyboardInterrupt

    def done(self, progress: Progress) -> None:
        return None

    def resume(self, label: str, state: Any) -> None:
        return None


def made(inference: str, **settings: Any) -> GaussianMixture:
    return GaussianMixture(3, random_state=0, tol=0.0, max_iter=12, inference=inference, **settings)


@pytest.mark.parametrize("inference", WAYS)
def test_every_way_to_fit_is_watched_and_says_how_far_it_is(inference: str) -> None:
    looker = Looker()
    with watch(looker):
        model = made(inference).fit(ROWS)
    last = looker.looks[-1]
    assert last.iteration == model.n_iter_ == model.trace_.iteration[-1]
    assert last.max_iter == 12
    assert np.isfinite([progress.bound_per_weight for progress in looker.looks]).all()
    np.testing.assert_array_equal(model.trace_.iteration, np.arange(model.n_iter_ + 1))


@pytest.mark.parametrize("inference", WAYS)
def test_control_c_keeps_the_best_so_far_and_the_fit_goes_on_to_the_same_bits(inference: str, tmp_path: Path) -> None:
    whole = made(inference).fit(ROWS)
    mark = fingerprint(made(inference), ROWS)
    with watch(Looker(stop_at=4), Checkpoint(tmp_path / "c", mark)):
        broken = made(inference).fit(ROWS)
    assert broken.stop_reason_ == "interrupted"
    assert 4 <= broken.n_iter_ < whole.n_iter_
    with watch(Checkpoint(tmp_path / "c", mark)):
        resumed = made(inference).fit(ROWS)
    np.testing.assert_array_equal(resumed.means_, whole.means_)
    np.testing.assert_array_equal(resumed.trace_.bound, whole.trace_.bound)


@pytest.mark.parametrize("inference", WAYS)
def test_verbose_prints_whatever_the_way_to_fit(inference: str, capsys: pytest.CaptureFixture[str]) -> None:
    made(inference, verbose=1, verbose_interval=1).fit(ROWS)
    assert "iteration" in capsys.readouterr().out


@pytest.mark.parametrize("max_iter", [1, 2, 7, 40])
def test_iterations_mean_the_same_where_they_are_accelerated(max_iter: int) -> None:
    settings: dict[str, Any] = {"random_state": 0, "tol": 1e-9, "max_iter": max_iter}
    model = GaussianMixture(3, accelerate=True, **settings).fit(ROWS)
    assert model.trace_.iteration[-1] == model.n_iter_ <= max_iter
    assert np.all(np.diff(model.trace_.iteration) > 0)
    assert model.trace_.bound.size <= 2 + model.n_iter_ / 2
    assert model.trace_.bound[-1] / len(ROWS) == pytest.approx(model.lower_bound_, rel=1e-12)


@pytest.mark.parametrize("work", [None, 0])
def test_a_start_that_was_repaired_is_taken_up_in_its_own_form(
    work: int | None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    if work is not None:  # compiled, too
        monkeypatch.setattr(answers, "SMALL_WORK", work)
    random = np.random.default_rng(0)
    narrow = np.concatenate([random.normal(at, 1e-5, (40, 2)) for at in (0.0, 1.0, 1.00003)])

    def model() -> GaussianMixture:
        return GaussianMixture(3, random_state=0, tol=0.0, max_iter=12, reg_covar=0.0)

    whole, mark = model().fit(narrow), fingerprint(model(), narrow)
    assert not np.all([group.product_form for group in whole.model_.groups])
    with watch(Checkpoint(tmp_path, mark, every=0.0), Looker(4)):
        model().fit(narrow)
    with watch(Checkpoint(tmp_path, mark, every=0.0)):
        again = model().fit(narrow)
    np.testing.assert_array_equal(again.trace_.bound, whole.trace_.bound)
    np.testing.assert_array_equal(again.means_, whole.means_)
