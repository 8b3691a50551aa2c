"""The passes through a hidden Markov chain against the enumeration of all paths, however the rows lie in lanes."""

import functools
import itertools
from typing import NamedTuple

import jax
import numpy as np
import pytest

from tacit.compute import eagerly
from tacit.models.sequence import lanes as lanes_module
from tacit.models.sequence.lanes import SequenceLanes, lanes_of
from tacit.models.sequence.model import StateChain

LENGTHS = np.array([4, 1, 3, 6, 2])
STATES = 3


class Enumerated(NamedTuple):
    """What all paths together say of one sequence."""

    log_likelihood: float
    smoothed: np.ndarray
    pairs: np.ndarray
    path: tuple[int, ...]
    best: float


def enumerated(start: np.ndarray, matrix: np.ndarray, log_b: np.ndarray) -> Enumerated:
    paths = list(itertools.product(range(len(start)), repeat=len(log_b)))
    with np.errstate(divide="ignore"):
        logs = np.array(
            [
                np.log(start[p[0]])
                + sum(np.log(matrix[a, b]) for a, b in itertools.pairwise(p))
                + sum(log_b[t, k] for t, k in enumerate(p))
                for p in paths
            ]
        )
    total = np.logaddexp.reduce(logs)
    smoothed, pairs = np.zeros(log_b.shape), np.zeros(matrix.shape)
    for share, path in zip(np.exp(logs - total), paths, strict=True):
        for t, k in enumerate(path):
            smoothed[t, k] += share
        for a, b in itertools.pairwise(path):
            pairs[a, b] += share
    return Enumerated(total, smoothed, pairs, paths[int(np.argmax(logs))], float(logs.max()))


@functools.cache
def problem(zeros: bool) -> tuple[np.ndarray, np.ndarray, np.ndarray, list[Enumerated]]:
    random = np.random.default_rng(1)
    start, matrix = random.dirichlet(np.ones(STATES)), random.dirichlet(np.ones(STATES), STATES)
    if zeros:
        start, matrix = np.array([1.0, 0.0, 0.0]), np.triu(matrix)
        matrix /= matrix.sum(1, keepdims=True)
    log_b = random.normal(size=(LENGTHS.sum(), STATES)) * 3.0
    ends = np.cumsum(LENGTHS)
    found = [enumerated(start, matrix, log_b[e - n : e]) for e, n in zip(ends, LENGTHS, strict=True)]
    return start, matrix, log_b, found


def layouts() -> dict[str, SequenceLanes]:
    packed = lanes_module._packed(LENGTHS, 2)
    longest = max(int(LENGTHS[lane].sum()) for lane in packed)
    cut = {f"cut {n}": lanes_module._cut(LENGTHS, n) for n in (2, 3, 4, 7)}
    return {"chosen": lanes_of(LENGTHS, STATES), "whole": lanes_module._whole(LENGTHS, packed, longest)} | cut


def logs(values: np.ndarray) -> np.ndarray:
    with np.errstate(divide="ignore"):
        return np.log(values)


@pytest.mark.parametrize("layout", sorted(layouts()))
@pytest.mark.parametrize(("exact", "zeros"), [(False, False), (True, False), (True, True)])
def test_passes_are_the_enumeration_of_all_paths(layout: str, exact: bool, zeros: bool) -> None:
    start, matrix, log_b, sequences = problem(zeros)
    lanes = layouts()[layout]
    laid = np.swapaxes(lanes.laid(log_b), -1, -2)[:, None]
    chain = StateChain(logs(start)[None], logs(matrix)[None], exact)
    with eagerly():
        counts, log_c = chain.counted(laid, lanes.first, lanes.live * 1.0, whole=lanes.whole)
        path, gain = chain.path(laid, lanes.first, whole=lanes.whole)
        hard, _ = chain.counted(laid, lanes.first, lanes.live * 1.0, whole=lanes.whole, hard=True)
    ends = np.cumsum(LENGTHS)
    begins = np.concatenate([[0], ends[:-1]])
    totals = np.add.reduceat(lanes.rows(log_c[:, 0]), begins)
    np.testing.assert_allclose(totals, [s.log_likelihood for s in sequences], rtol=1e-13)
    smoothed = lanes.rows(np.swapaxes(counts.states[:, 0], -1, -2))
    np.testing.assert_allclose(smoothed, np.concatenate([s.smoothed for s in sequences]), atol=1e-13)
    np.testing.assert_allclose(counts.transitions[0], sum(s.pairs for s in sequences), atol=1e-12)
    np.testing.assert_allclose(counts.begun[0], sum(s.smoothed[0] for s in sequences), atol=1e-13)
    np.testing.assert_array_equal(lanes.rows(path[:, 0]), np.concatenate([s.path for s in sequences]))
    np.testing.assert_allclose(np.add.reduceat(lanes.rows(gain[:, 0]), begins), [s.best for s in sequences], rtol=1e-13)
    assert hard.transitions.sum() == LENGTHS.sum() - LENGTHS.size


def test_compiled_passes_are_the_same() -> None:
    start, matrix, log_b, _ = problem(False)
    lanes = layouts()["cut 3"]
    laid = np.swapaxes(lanes.laid(log_b), -1, -2)
    with jax.enable_x64(True):
        for exact in (False, True):
            chain = StateChain(logs(start), logs(matrix), exact)
            with eagerly():
                one = StateChain(logs(start)[None], logs(matrix)[None], exact)
                plain, log_c = one.counted(laid[:, None], lanes.first, lanes.live * 1.0, whole=False)

            def passes(b, first, weights, chain=chain):
                return chain.counted(b, first, weights, whole=False)

            found, compiled_c = jax.jit(passes)(laid, lanes.first, lanes.live * 1.0)
            np.testing.assert_allclose(found.states, plain.states[:, 0], atol=1e-13)
            np.testing.assert_allclose(found.transitions, plain.transitions[0], atol=1e-12)
            np.testing.assert_allclose(compiled_c, log_c[:, 0], atol=1e-12)


def test_a_chain_of_20_slices_is_the_forward_sum() -> None:
    random = np.random.default_rng(5)
    start, matrix = random.dirichlet(np.ones(4)), random.dirichlet(np.ones(4), 4)
    b = random.random((20, 4))
    alpha = start * b[0]  # unscaled: 20 steps are few enough
    for row in b[1:]:
        alpha = (alpha @ matrix) * row
    lanes = lanes_of(np.array([20]), 4)
    laid = np.swapaxes(lanes.laid(np.log(b)), -1, -2)[:, None]
    with eagerly():
        _, log_c = StateChain(np.log(start)[None], np.log(matrix)[None]).counted(
            laid, lanes.first, lanes.live * 1.0, whole=lanes.whole
        )
    assert lanes.rows(log_c[:, 0]).sum() == pytest.approx(np.log(alpha.sum()), rel=1e-13)


def test_ties_never_tear_a_path() -> None:
    """All paths are equally likely but for what is impossible: the one found has no impossible step."""
    matrix = np.array([[0.0, 1.0], [1.0, 0.0]])
    lengths = np.array([50])
    lanes = lanes_module._cut(lengths, 7)
    laid = np.swapaxes(lanes.laid(np.zeros((50, 2))), -1, -2)[:, None]
    with eagerly():
        path, _ = StateChain(np.log([[0.5, 0.5]]), logs(matrix)[None], True).path(laid, lanes.first, whole=False)
    assert np.all(np.abs(np.diff(lanes.rows(path[:, 0]))) == 1)


def test_what_underflows_is_made_up_for() -> None:
    """Log-densities that differ by thousands, and a chain of steps that no double holds."""
    random = np.random.default_rng(2)
    log_b = random.normal(size=(200, 3)) * 5000.0
    start, matrix = random.dirichlet(np.ones(3)), random.dirichlet(np.ones(3), 3)
    lanes = lanes_module._cut(np.array([200]), 9)
    laid = np.swapaxes(lanes.laid(log_b), -1, -2)[:, None]
    found = []
    with eagerly():
        for exact in (False, True):
            chain = StateChain(np.log(start)[None], np.log(matrix)[None], exact)
            counts, log_c = chain.counted(laid, lanes.first, lanes.live * 1.0, whole=False)
            found.append((lanes.rows(log_c[:, 0]).sum(), counts.transitions))
    assert found[0][0] == pytest.approx(found[1][0], rel=1e-13)
    np.testing.assert_allclose(found[0][1], found[1][1], atol=1e-9)


@pytest.mark.parametrize("exact", [False, True])
def test_a_row_that_no_state_allows_is_as_if_it_were_not_seen(exact: bool) -> None:
    start, matrix, log_b, _ = problem(False)
    log_b = log_b.copy()
    log_b[7] = -np.inf
    chain, lanes = StateChain(logs(start)[None], logs(matrix)[None], exact), layouts()["cut 3"]
    found = []
    for values in (log_b, np.where(np.isneginf(log_b), 0.0, log_b)):
        laid = np.swapaxes(lanes.laid(values), -1, -2)[:, None]
        with eagerly():
            counts, log_c = chain.counted(laid, lanes.first, lanes.live * 1.0, whole=False)
        found.append((counts.states, lanes.rows(log_c[:, 0])))
    np.testing.assert_allclose(found[0][0], found[1][0], atol=1e-14)
    assert np.isneginf(found[0][1][7])
    np.testing.assert_allclose(np.delete(found[0][1], 7), np.delete(found[1][1], 7), atol=1e-14)
