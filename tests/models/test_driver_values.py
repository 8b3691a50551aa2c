"""Values that the driver is given: successive halving of starts, and sums that come together from several processes."""

import threading
from collections.abc import Iterable
from typing import Any

import numpy as np
import pytest

from tacit.compute import double_precision
from tacit.data.blocks import Standardise
from tacit.data.dataset import DenseRows
from tacit.data.sources import MemorySource
from tacit.inference.closed_form import Sums, total_sums
from tacit.inference.fit import Fit, fit
from tacit.models.components.gaussian import GaussianComponent
from tacit.models.mixture import rows as answers
from tacit.models.mixture.fitting import MixtureSchedule, Start, run, start
from tacit.models.mixture.model import MixtureModel

RANDOM = np.random.default_rng(1)
ROWS = RANDOM.normal(size=(90, 2)) + 4.0 * RANDOM.integers(3, size=(90, 1))
STARTS, K = 6, 3
GROUPS = np.array([0, 0, 0, 0, 1, 1])


def begun(rows: np.ndarray, view: Standardise, shares: np.ndarray) -> tuple[Start, MemorySource]:
    """Starts of responsibilities ``[starts, rows, K]``, and where the rows are."""
    group = GaussianComponent(
        np.zeros((K, 2)), np.tile(np.eye(2), (K, 1, 1)), np.full(2, 1e-6), None, None, None, (0, 1), "VVV"
    )
    template = MixtureModel(np.full(K, -np.log(K)), (group,), np.ones(K, bool))
    source = MemorySource(DenseRows(rows, np.ones(len(rows))))
    return start(template, source, view, shares, np.ones((len(shares), K), bool)), source


VIEW = Standardise(ROWS.mean(axis=0), ROWS.std(axis=0))
SHARES = np.random.default_rng(2).dirichlet(np.ones(K), size=(STARTS, len(ROWS)))


@double_precision
def fitted(groups: np.ndarray, **schedule: Any) -> list[Fit]:
    """Fits from starts of random responsibilities, the best of every group."""
    first, source = begun(ROWS, VIEW, SHARES)
    return run(first, source, VIEW, MixtureSchedule(40, 0.0, **schedule), np.random.default_rng(3), groups)


@pytest.mark.parametrize("work", [None, 0])
def test_the_better_half_of_every_group_goes_on(work: int | None, monkeypatch: pytest.MonkeyPatch) -> None:
    if work is not None:  # compiled, too
        monkeypatch.setattr(answers, "SMALL_WORK", work)
    alone = fitted(np.arange(STARTS))
    after = {steps: np.array([fit.trace.bound[steps] for fit in alone]) for steps in (5, 9)}
    first, second = fitted(GROUPS, halving=(5, 9))
    last = np.array([fit.bound for fit in alone])
    half = np.argsort(-after[5][:4])[:2]
    kept = half[np.argmax(after[9][half])]
    wanted = np.where(np.isin(np.arange(4), half), after[9][:4], after[5][:4])
    wanted[kept] = last[kept]
    np.testing.assert_allclose(first.bounds, wanted, rtol=1e-10)
    assert first.iteration == 40
    winner = 4 + int(np.argmax(after[5][4:]))  # of two, one is left at the first look
    assert second.bounds[winner - 4] == pytest.approx(last[winner], rel=1e-10)
    np.testing.assert_allclose(first.trace.bound, alone[kept].trace.bound, rtol=1e-10)


def test_no_halving_is_the_fit_of_before() -> None:
    for whole, halved in zip(fitted(GROUPS), fitted(GROUPS, halving=()), strict=True):
        np.testing.assert_array_equal(whole.bounds, halved.bounds)


@pytest.mark.parametrize("eager", [True, False])
def test_parts_of_the_rows_give_the_fit_of_all(eager: bool) -> None:
    """Two threads stand for two machines: each sees a third or the rest of the rows, and adds the other's sums."""
    whole, (models, _) = fitted(np.zeros(STARTS, int))[0], begun(ROWS, VIEW, SHARES)
    together, sums, found = threading.Barrier(2, timeout=120.0), [None, None], [None, None]

    @double_precision
    def machine(number: int, part: slice) -> None:
        def both(parts: Iterable[Sums]) -> Sums:
            sums[number] = total_sums(parts)
            together.wait()
            total = total_sums(sums)
            together.wait()
            return total

        source = MemorySource(DenseRows(ROWS[part], np.ones(len(ROWS[part]))))
        key = np.zeros((STARTS, 2), np.uint32)
        found[number] = fit(
            models.models, source, VIEW, key=key, max_iter=40, tol=0.0, statistics=models.statistics, reduce=both,
            weight=float(len(ROWS)), eager=eager,
        )[0]  # fmt: skip

    threads = [threading.Thread(target=machine, args=each) for each in ((0, slice(30)), (1, slice(30, None)))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for one in found:
        assert one is not None, "a part failed"
        np.testing.assert_allclose(one.trace.bound, whole.trace.bound, rtol=1e-12)
        np.testing.assert_allclose(one.model.groups[0].means, whole.model.groups[0].means, rtol=1e-9)
