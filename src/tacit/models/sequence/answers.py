"""What a fitted hidden Markov model says of sequences: states filtered, smoothed and along the likeliest path."""

from dataclasses import replace
from typing import NamedTuple

import numpy as np
from jaxtyping import Float, Int

from tacit.compute import eagerly
from tacit.data.dataset import Dataset, dataset_of
from tacit.families.numeric import choose
from tacit.models.mixture.model import MixtureModel
from tacit.models.mixture.rows import each_row
from tacit.models.sequence.lanes import SequenceLanes, lanes_of
from tacit.models.sequence.model import HiddenMarkov


class SmoothedStates(NamedTuple):
    """Of every row, in the order of the sequences."""

    probabilities: Float[np.ndarray, "rows states"]
    log_prob: Float[np.ndarray, " rows"]
    """``log p(x_t | x_1…t−1)``."""


def emitted(model: HiddenMarkov, rows: Dataset | np.ndarray) -> Float[np.ndarray, "rows states"]:
    """``log p(x_t | z_t = k)`` of every row."""
    return np.asarray(each_row(MixtureModel.component_log_prob, model.emissions, dataset_of(rows)))


def _laid(model: HiddenMarkov, log_b: np.ndarray, lengths: np.ndarray) -> tuple[SequenceLanes, np.ndarray]:
    lanes = lanes_of(lengths, log_b.shape[1])
    return lanes, np.swapaxes(lanes.laid(log_b), -1, -2)[:, None]


def _one(model: HiddenMarkov) -> HiddenMarkov:
    """The chain with an axis of one start, as functions on the host take it."""
    start, transitions = np.asarray(model.log_start)[None], np.asarray(model.log_transitions)[None]
    return replace(model, log_start=start, log_transitions=transitions)


def smoothed(model: HiddenMarkov, log_b: np.ndarray, lengths: np.ndarray) -> SmoothedStates:
    """``p(z_t | x)`` given whole sequences."""
    lanes, laid = _laid(model, log_b, lengths)
    with eagerly():
        counts, log_c = _one(model).chain.counted(laid, lanes.first, lanes.live * 1.0, whole=lanes.whole)
    return _answer(lanes, np.asarray(counts.states), np.asarray(log_c))


def filtered(model: HiddenMarkov, log_b: np.ndarray, lengths: np.ndarray) -> SmoothedStates:
    """``p(z_t | x_1…t)``: of every row given those up to it."""
    lanes, laid = _laid(model, log_b, lengths)
    with eagerly():
        states, log_c = _one(model).chain.filtered(laid, lanes.first, whole=lanes.whole)
    return _answer(lanes, np.asarray(states), np.asarray(log_c))


def _answer(lanes: SequenceLanes, states: np.ndarray, log_c: np.ndarray) -> SmoothedStates:
    shares = np.asarray(lanes.rows(np.swapaxes(np.asarray(states)[:, 0], -1, -2)))
    total = shares.sum(1, keepdims=True)
    return SmoothedStates(shares / np.where(total > 0, total, 1.0), np.asarray(lanes.rows(np.asarray(log_c)[:, 0])))


def likeliest(
    model: HiddenMarkov, log_b: np.ndarray, lengths: np.ndarray
) -> tuple[Int[np.ndarray, " rows"], Float[np.ndarray, " sequences"]]:
    """The likeliest path of every sequence (Viterbi), and ``log p(x, z)`` along it."""
    lanes, laid = _laid(model, log_b, lengths)
    with eagerly():
        path, gain = _one(model).chain.path(laid, lanes.first, whole=lanes.whole)
    ends = np.cumsum(lengths)
    return np.asarray(lanes.rows(path[:, 0])), np.add.reduceat(lanes.rows(gain[:, 0]), np.concatenate([[0], ends[:-1]]))


def drawn_paths(
    model: HiddenMarkov, log_b: np.ndarray, lengths: np.ndarray, number: int, random: np.random.Generator
) -> Int[np.ndarray, "rows draws"]:
    """Paths from their joint posterior: forward filtering, backward sampling (Scott 2002)."""
    shares = filtered(model, log_b, lengths).probabilities
    matrix = np.exp(np.asarray(model.log_transitions))
    paths = np.empty((len(log_b), number), np.int64)
    ends = np.cumsum(lengths)
    for back in range(int(lengths.max())):
        rows = (ends - 1 - back)[lengths > back]
        weights = np.repeat(shares[rows][:, None], number, axis=1)
        if back:
            weights *= np.moveaxis(matrix[:, paths[rows + 1]], 0, -1)
        total = weights.sum(-1, keepdims=True)
        weights = np.where(total > 0, weights / np.where(total > 0, total, 1.0), 1.0 / weights.shape[-1])
        flat = choose(weights.reshape(-1, weights.shape[-1]), random)
        paths[rows] = flat.reshape(len(rows), number)
    return paths


def sampled_states(
    model: HiddenMarkov, steps: int, sequences: int, random: np.random.Generator
) -> Int[np.ndarray, "sequences steps"]:
    """Paths of the chain by itself."""
    start, matrix = np.exp(np.asarray(model.log_start)), np.exp(np.asarray(model.log_transitions))
    found = np.empty((sequences, steps), np.int64)
    shares = np.broadcast_to(start, (sequences, start.size))
    for step in range(steps):
        found[:, step] = choose(shares, random)
        shares = matrix[found[:, step]]
    return found


def onward(
    model: HiddenMarkov, ends: Float[np.ndarray, "sequences states"], steps: int
) -> Float[np.ndarray, "sequences steps states"]:
    """``p(z_T+h | x_1…T)`` of the next steps, from the filtered states at the ends; NaN where these are all 0."""
    matrix = np.exp(np.asarray(model.log_transitions))
    found, now = [], ends
    for _ in range(steps):
        now = now @ matrix
        total = now.sum(1, keepdims=True)
        found.append(now / np.where(total > 0, total, np.nan))
    return np.stack(found, axis=1)
