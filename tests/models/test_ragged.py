"""The E-step without the padding of starts of fewer components is the one with it."""

import dataclasses

import jax
import numpy as np
import pytest

from tacit.compute import eagerly
from tacit.models.components.steps import LinearStep, Pairs, Step, WhitenedStep
from tacit.models.mixture import ragged
from tacit.models.mixture.model import MixtureStep
from tacit.models.mixture.rules import PosteriorRule

STARTS, WIDTH, ROWS, DIMS = 7, 5, 40, 3


def step(kind: str, random: np.random.Generator) -> Step:
    shape = (STARTS, WIDTH)
    if kind == "linear":
        features = DIMS + DIMS * (DIMS + 1) // 2
        return LinearStep(Pairs(), random.normal(size=(*shape, features)), random.normal(size=shape), (0, 1, 2))
    factors = np.tril(random.normal(size=(*shape, DIMS, DIMS)), -1) + 2.0 * np.eye(DIMS)
    return WhitenedStep(random.normal(size=(*shape, DIMS)), factors, np.zeros(shape), (0, 1, 2))


@pytest.mark.parametrize("kinds", [["linear"], ["whitened"], ["linear", "whitened"]])
def test_padding_says_nothing(kinds: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    random = np.random.default_rng(0)
    numbers = np.array([1, 5, 2, 2, 4, 1, 3])
    log_weights = np.where(np.arange(WIDTH) < numbers[:, None], np.log(random.random((STARTS, WIDTH))), -np.inf)
    log_weights[4, [0, 3]] = log_weights[4, [3, 4]]  # a component without weight stands before others
    rows, weights = random.normal(size=(ROWS, DIMS)), random.random(ROWS)
    whole = MixtureStep(log_weights, tuple(step(kind, random) for kind in kinds), PosteriorRule())
    with eagerly():
        assert ragged.present(log_weights) is not None
        found = whole(rows, weights, None)
        monkeypatch.setattr(ragged, "FULL", -1.0)
        expected = dataclasses.replace(whole)(rows, weights, None)
    for one, other in zip(jax.tree.leaves(found), jax.tree.leaves(expected), strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-11, atol=1e-11)


def test_long_tables_are_taken_in_pieces(monkeypatch: pytest.MonkeyPatch) -> None:
    random = np.random.default_rng(1)
    log_weights = np.where(np.arange(WIDTH) < random.integers(1, 4, STARTS)[:, None], -1.0, -np.inf)
    rows, weights = random.normal(size=(1500, DIMS)), random.random(1500)
    part = step("linear", random)
    with eagerly():
        there = ragged.present(log_weights)
        assert there is not None
        parts = [chosen for chosen in [part.among(there.starts, there.components)] if chosen is not None]
        found = ragged.sums_of_present(log_weights, parts, there, rows, weights)
        monkeypatch.setattr(ragged, "LONG", 2000)
        expected = ragged.sums_of_present(log_weights, parts, there, rows, weights)
    for one, other in zip(jax.tree.leaves(found), jax.tree.leaves(expected), strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-10, atol=1e-10)


def test_starts_that_are_full_stay_together() -> None:
    assert ragged.present(np.zeros((STARTS, WIDTH))) is None
    assert ragged.present(np.zeros(WIDTH)) is None
    assert ragged.present(np.full((2, WIDTH), -np.inf)) is None
