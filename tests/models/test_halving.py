"""Successive halving of starts in one fit: who is left, who goes on, and that nothing else changes."""

from typing import Any

import numpy as np
import pytest

from tacit.compute import double_precision
from tacit.data.blocks import Standardise
from tacit.data.dataset import DenseRows
from tacit.data.sources import MemorySource
from tacit.inference.fit import Fit
from tacit.models.components.gaussian import GaussianComponent
from tacit.models.mixture import rows as answers
from tacit.models.mixture.fitting import MixtureSchedule, run, start
from tacit.models.mixture.model import MixtureModel

RANDOM = np.random.default_rng(1)
ROWS = RANDOM.normal(size=(90, 2)) + 4.0 * RANDOM.integers(3, size=(90, 1))
STARTS, K = 6, 3
GROUPS = np.array([0, 0, 0, 0, 1, 1])


@double_precision
def fitted(groups: np.ndarray, **schedule: Any) -> list[Fit]:
    """Fits from starts of random responsibilities, the best of every group."""
    group = GaussianComponent(
        np.zeros((K, 2)), np.tile(np.eye(2), (K, 1, 1)), np.full(2, 1e-6), None, None, None, (0, 1), "VVV"
    )
    template = MixtureModel(np.full(K, -np.log(K)), (group,), np.ones(K, bool))
    source = MemorySource(DenseRows(ROWS, np.ones(len(ROWS))))
    view = Standardise(ROWS.mean(axis=0), ROWS.std(axis=0))
    shares = np.random.default_rng(2).dirichlet(np.ones(K), size=(STARTS, len(ROWS)))
    begun = start(template, source, view, shares, np.ones((STARTS, K), bool))
    return run(begun, source, view, MixtureSchedule(40, 0.0, **schedule), np.random.default_rng(3), groups)


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
