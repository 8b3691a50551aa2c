"""Items behind many factors: a normal q(z | x) for every row, and the bound it gives of the likelihood.

``log p(x) ≥ Σ_j E_q[log p(x_j | z)] − KL(q ‖ N(0, I))`` with ``q = N(m, V)``. Every ``η_j = λ_j·z`` is normal under q,
so each term is an integral in one dimension, whatever the number of factors. At the best q, with g and h the
derivatives of the terms by the mean of η and −2 times those by its variance, ``m = Σ g_j λ_j`` and
``V⁻¹ = I + Σ h_j λ_j λ_jᵀ`` (Opper & Archambeau 2009), to which Newton's steps go. By the envelope theorem the bound at
the best q rises with the parameters as it does where q is held.
"""

from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np
from jaxtyping import Float

from tacit.models.factors.item_averages import Averages
from tacit.models.factors.item_blocks import ItemBlock

ROWS = 2048
"""Rows that are worked on at once."""
ROUNDS = 100
"""Most steps to the best q of a row."""
SETTLED = 1e-9
"""Nats of the bound of a row: q is the best where a step brings less."""


class RowCodes(NamedTuple):
    """``q(z | x) = N(m, V)`` of every row."""

    mean: Float[np.ndarray, "rows factors"]
    precision: Float[np.ndarray, "rows factors factors"]
    """``V⁻¹``."""
    bound: Float[np.ndarray, " rows"]
    """Of ``log p(x)``, but for what no parameter changes."""

    def taken(self, place: np.ndarray | slice) -> "RowCodes":
        """Of some rows."""
        return RowCodes(self.mean[place], self.precision[place], self.bound[place])


class _There(NamedTuple):
    """What is known where q is this."""

    codes: RowCodes
    slope: Float[np.ndarray, "rows factors"]
    """Of the bound, by m."""
    next_precision: Float[np.ndarray, "rows factors factors"]


def _spread(precision: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """``L⁻¹``, with ``V⁻¹ = L Lᵀ``, and V."""
    half = np.linalg.inv(np.linalg.cholesky(precision))
    return half, np.swapaxes(half, -1, -2) @ half


def _averages(
    blocks: Sequence[ItemBlock], rows: np.ndarray, mean: np.ndarray, covariance: np.ndarray
) -> Iterator[tuple[ItemBlock, Averages, np.ndarray, np.ndarray]]:
    """Of every block, with its slopes in one list and their squares."""
    for block in blocks:
        items, sets, factors = block.slopes.shape
        slopes = block.slopes.reshape(-1, factors)
        squares = np.einsum("jsk,jtl->jstkl", block.slopes, block.slopes).reshape(-1, factors**2)
        middle = (mean @ slopes.T).reshape(len(rows), items, sets)
        wide = (covariance.reshape(len(rows), -1) @ squares.T).reshape(len(rows), items, sets, sets)
        yield block, block.averages(rows[:, list(block.columns)], middle, wide), slopes, squares


def _look(blocks: Sequence[ItemBlock], rows: np.ndarray, mean: np.ndarray, precision: np.ndarray) -> _There:
    count, factors = mean.shape
    half, covariance = _spread(precision)
    log_det = 2.0 * np.log(np.diagonal(half, axis1=1, axis2=2)).sum(1)
    bound = 0.5 * (log_det + factors - np.einsum("nkk->n", covariance) - (mean**2).sum(1))
    slope, wanted = -mean, np.tile(np.eye(factors).ravel(), (count, 1))
    for _, found, slopes, squares in _averages(blocks, rows, mean, covariance):
        bound = bound + found.value.sum(1)
        slope = slope + found.by_height.reshape(count, -1) @ slopes
        wanted = wanted + found.curvature.reshape(count, -1) @ squares
    return _There(RowCodes(mean, precision, bound), slope, wanted.reshape(count, factors, factors))


def settled(
    blocks: Sequence[ItemBlock], rows: Float[np.ndarray, "rows dims"], factors: int, start: RowCodes | None = None
) -> RowCodes:
    """The best q of every row.

    Args:
        blocks: all columns.
        rows: levels by their codes, NaN where missing.
        factors: Q.
        start: where to begin; the prior where None.
    """
    if start is None:
        start = RowCodes(
            np.zeros((len(rows), factors)), np.tile(np.eye(factors), (len(rows), 1, 1)), np.zeros(len(rows))
        )
    parts = [slice(begun, begun + ROWS) for begun in range(0, len(rows), ROWS)]
    found = [_settled(blocks, rows[part], start.taken(part)) for part in parts]
    return RowCodes(*(np.concatenate(each) for each in zip(*found, strict=True)))


def _settled(blocks: Sequence[ItemBlock], rows: np.ndarray, start: RowCodes) -> RowCodes:
    """A step of all rows that still rise: Newton's, halved where the bound would fall."""
    there = _look(blocks, rows, start.mean, start.precision)
    best, open_rows, length = RowCodes(*(each.copy() for each in there.codes)), np.arange(len(rows)), np.ones(len(rows))
    for _ in range(ROUNDS):
        move = np.linalg.solve(there.next_precision, there.slope[..., None])[..., 0]
        size = length[open_rows]
        mean = there.codes.mean + size[:, None] * move
        precision = there.codes.precision
        precision = precision + size[:, None, None] * (there.next_precision - precision)
        tried = _look(blocks, rows[open_rows], mean, precision)
        rise = tried.codes.bound - there.codes.bound
        kept = rise >= 0.0
        taken = open_rows[kept]
        best.mean[taken], best.precision[taken] = mean[kept], precision[kept]
        best.bound[taken] = tried.codes.bound[kept]
        length[open_rows] = np.where(kept, np.minimum(1.0, 2.0 * size), 0.25 * size)
        left = np.where(kept, rise > SETTLED, length[open_rows] > 1e-4)
        if not left.any():
            break
        there = _There(
            best.taken(open_rows[left]),
            np.where(kept[:, None], tried.slope, there.slope)[left],
            np.where(kept[:, None, None], tried.next_precision, there.next_precision)[left],
        )
        open_rows = open_rows[left]
    return best


class BlockCurve(NamedTuple):
    """How the bound rises with the parameters of a block, and how it bends."""

    gradient: Float[np.ndarray, "items parameters"]
    information: Float[np.ndarray, "items parameters parameters"]


def curves(
    blocks: Sequence[ItemBlock],
    rows: Float[np.ndarray, "rows dims"],
    weights: Float[np.ndarray, " rows"],
    codes: RowCodes,
) -> list[BlockCurve]:
    """Of every block, where q is held.

    Args:
        blocks, rows: as in `settled`.
        weights: of the rows.
        codes: the best q.
    """
    total: list[BlockCurve] = []
    for begun in range(0, len(rows), ROWS):
        part = slice(begun, begun + ROWS)
        mean, covariance = codes.mean[part], _spread(codes.precision[part])[1]
        second = covariance + mean[:, :, None] * mean[:, None, :]
        found = [
            _curve(block, own, weights[part], mean, covariance, second)
            for block, own, _, _ in _averages(blocks, rows[part], mean, covariance)
        ]
        total = [BlockCurve(*map(np.add, *pair)) for pair in zip(total, found, strict=True)] if total else found
    return total


def _curve(
    block: ItemBlock, found: Averages, weights: np.ndarray, mean: np.ndarray, covariance: np.ndarray, second: np.ndarray
) -> BlockCurve:
    (items, sets, factors), count = block.slopes.shape, len(weights)
    others = found.by_other.shape[-1]
    by_other = np.einsum("n,njp->jp", weights, found.by_other)
    rise = (found.by_height * weights[:, None, None]).reshape(count, -1).T @ mean
    bend = (found.curvature.reshape(count, -1) * weights[:, None]).T @ covariance.reshape(count, -1)
    bend = bend.reshape(items, sets, sets, factors, factors)
    by_slope = rise.reshape(items, sets, factors) - np.einsum("jstkl,jtl->jsk", bend, block.slopes)
    moments = np.concatenate([np.ones((count, 1)), mean, second.reshape(count, -1)], axis=1)
    every = (found.squares.reshape(count, -1) * weights[:, None]).T @ moments
    every = every.reshape(items, others + sets, others + sets, -1)
    information = np.zeros((items, others + sets * factors, others + sets * factors))
    information[:, :others, :others] = every[:, :others, :others, 0]
    across = every[:, :others, others:, 1 : 1 + factors].reshape(items, others, sets * factors)
    information[:, :others, others:] = across
    information[:, others:, :others] = np.swapaxes(across, 1, 2)
    inner = every[:, others:, others:, 1 + factors :].reshape(items, sets, sets, factors, factors)
    information[:, others:, others:] = inner.transpose(0, 1, 3, 2, 4).reshape(items, sets * factors, sets * factors)
    gradient = np.concatenate([by_other, by_slope.reshape(items, -1)], axis=1)
    order = _order(block, others)
    return BlockCurve(gradient[:, order], information[:, order][:, :, order])


def _order(block: ItemBlock, others: int) -> np.ndarray:
    """The places of the parameters of `flat`: intercepts, slopes, the noise."""
    cuts, (_, sets, factors) = block.intercepts.shape[1], block.slopes.shape
    places = np.arange(others + sets * factors)
    return np.concatenate([places[:cuts], places[others:], places[cuts:others]])


def row_gradients(
    blocks: Sequence[ItemBlock], rows: Float[np.ndarray, "rows dims"], codes: RowCodes
) -> Float[np.ndarray, "rows parameters"]:
    """Of the bound of every row, by all parameters."""
    mean, covariance = codes.mean, _spread(codes.precision)[1]
    parts = []
    for block, found, slopes, _ in _averages(blocks, rows, mean, covariance):
        items, sets, factors = block.slopes.shape
        bend = np.einsum("nkl,pl->npk", covariance, slopes).reshape(len(rows), items, sets, factors)
        by_slope = found.by_height[..., None] * mean[:, None, None, :] - found.curvature @ bend
        own = np.concatenate([found.by_other, by_slope.reshape(len(rows), items, -1)], axis=-1)
        parts.append(own[..., _order(block, found.by_other.shape[-1])].reshape(len(rows), -1))
    return np.concatenate(parts, axis=1)


class RowPoints(NamedTuple):
    """Points of the posterior of every row, with their shares of it."""

    log_density: Float[np.ndarray, " rows"]
    """``log p(x)``, but for what no parameter changes."""
    nodes: Float[np.ndarray, "rows points factors"]
    shares: Float[np.ndarray, "rows points"]


def row_points(
    blocks: Sequence[ItemBlock],
    rows: Float[np.ndarray, "rows dims"],
    codes: RowCodes,
    points: Float[np.ndarray, "points factors"],
) -> RowPoints:
    """By importance sampling from q, at ``m + V^½ u``.

    Args:
        blocks, rows: as in `settled`.
        codes: the best q.
        points: u, of a standard normal.
    """
    half, _ = _spread(codes.precision)
    nodes = codes.mean[:, None] + points @ half
    log_det = np.log(np.diagonal(half, axis1=1, axis2=2)).sum(1)
    logs = 0.5 * ((points**2).sum(1) - (nodes**2).sum(2)) + log_det[:, None]
    for block in blocks:
        heights = np.einsum("jsk,nmk->njsm", block.slopes, nodes, optimize=True)
        logs = logs + block.along(rows[:, list(block.columns)], heights).sum(1)
    most = logs.max(1, keepdims=True)
    shares = np.exp(logs - most)
    total = shares.sum(1, keepdims=True)
    return RowPoints(most[:, 0] + np.log(total[:, 0] / len(points)), nodes, shares / total)
