"""A fitted flow with all that its answers are made of: scores with gaps and levels, draws, and what those are worth.

What is missing is integrated out exactly where the order is kept and nothing after it is seen; else by draws of a
mixture that stands beside the flow, weighted by what the flow says of them.
"""

import dataclasses
import warnings
from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
from scipy.special import logsumexp, ndtri

from tacit.compute import eagerly, row_bucket
from tacit.data.blocks import padded
from tacit.data.errors import counted
from tacit.inference.importance import RELIABLE, Smoothed, UncertainWeights, pareto_smooth
from tacit.models.flow import model as flow
from tacit.models.flow.columns import ColumnPlan
from tacit.models.flow.model import Flow, FlowRows
from tacit.models.flow.points import points
from tacit.models.mixture.impute import drawn_by
from tacit.models.mixture.model import MixtureModel
from tacit.models.mixture.rows import log_prob

ROWS = 2048
"""Rows that are looked at together; in all draws of a row with gaps they are as many."""
LEVEL_DRAWS = 64
"""By which the mass of a cell is found."""
TOLD = 0.05
"""Share of the rows with gaps whose weights may be bad before it is said."""


@dataclasses.dataclass(frozen=True)
class Integrated:
    """Log-densities of rows, and how the missing entries were integrated out.

    Attributes:
        log_prob: in nats, ``(n,)``; of a row without any value 0.
        effective: how many draws the weights of a row are worth; infinite where it is exact.
        khat: the shape of the weights' tail of draws of what is missing (above 0.7 they are not to be trusted); −∞
            where nothing is, or where that is integrated out exactly.
    """

    log_prob: np.ndarray
    effective: np.ndarray
    khat: np.ndarray

    @property
    def exact(self) -> np.ndarray:
        """Which rows nothing was drawn for."""
        return np.isinf(self.effective)

    def warn(self, stacklevel: int) -> None:
        """Say where the draws are not to be trusted."""
        warn_of(self.khat, "their log-densities are likely too low", stacklevel + 1)


class Filled(NamedTuple):
    """Rows with their gaps filled."""

    means: np.ndarray
    """``(n, d)``"""
    draws: np.ndarray
    """``(draws, n, d)``"""
    khat: np.ndarray
    """Of every row, as of `Integrated`."""


def warn_of(khat: np.ndarray, so: str, stacklevel: int) -> None:
    """Say that of rows the weights are not to be trusted, if they are many, and what comes of it."""
    drawn_for, bad = int((khat > -np.inf).sum()), int((khat > RELIABLE).sum())
    if bad > TOLD * max(drawn_for, 1):
        warnings.warn(
            f"of {counted(drawn_for, 'row')} with missing entries, {bad} have importance weights that are not to "
            f"be trusted (k̂ up to {khat.max():.2f}): {so}. order='kept' makes those exact whose last columns alone are "
            "missing; n_samples= takes more draws.",
            UncertainWeights,
            stacklevel=stacklevel,
        )


@dataclasses.dataclass(frozen=True)
class FittedFlow:
    """A flow in double precision, its columns, and the mixture beside it in the coordinates that it was learned in."""

    flow: Flow
    plan: ColumnPlan
    beside: MixtureModel
    kept: bool
    """Whether the order of the columns is kept."""

    def integrated(self, x: np.ndarray, given: np.ndarray | None, draws: int) -> Integrated:
        """Log-densities of rows with NaN for gaps, and masses of levels."""
        missing = np.isnan(x)
        levelled = self.plan.levelled.any()
        random = np.random.default_rng(0)
        # ways of a row: exact; a mean over draws of its levels; weighted draws of its gaps
        suffix = self.kept & (np.diff(missing.astype(int), axis=1) >= 0).all(1)
        filled = missing.any(1) & ~suffix
        log_prob, effective, khat = np.zeros(len(x)), np.full(len(x), np.inf), np.full(len(x), -np.inf)
        plain = ~filled
        if plain.any():
            own = None if given is None else given[plain]
            shares = random.random((LEVEL_DRAWS if levelled else 1, x.shape[1]))
            each = np.stack([self._in_order(x[plain], own, share) for share in shares])
            log_prob[plain] = total = logsumexp(each, axis=0)
            log_prob[plain] -= np.log(len(shares))
            with np.errstate(invalid="ignore"):  # of what has no mass
                worth = np.exp(-logsumexp(2.0 * (each - total), axis=0))
            effective[plain] = np.where((self.plan.levelled & ~missing[plain]).any(1), worth, np.inf)
        if filled.any():
            own = None if given is None else given[filled]
            weights = self._weighed(x[filled], own, draws)
            log_prob[filled] = logsumexp(weights, axis=0) - np.log(draws)
            smoothed = [_smoothed(row) for row in weights.T]
            effective[filled] = [each.effective for each in smoothed]
            khat[filled] = [each.khat for each in smoothed]
        log_prob += self.plan.log_widths(x)
        return Integrated(np.where(missing.all(1), 0.0, log_prob), effective, khat)

    def _in_order(self, x: np.ndarray, given: np.ndarray | None, share: np.ndarray) -> np.ndarray:
        """Log-densities of rows, of which the last columns may be missing if the order is kept."""
        missing = np.isnan(x)
        u, slopes = self._inward(self.plan.spread(x, share))
        if not missing.any():
            return self._core(u, given) + slopes.sum(1)
        found = [
            np.asarray(flow.core_log_prob_in_turn(self.flow, FlowRows(part, own)))[:size]
            for size, part, own in batches(np.where(missing, 0.0, u), given)
        ]
        return np.where(missing, 0.0, np.concatenate(found) + slopes).sum(1)

    def _weighed(self, x: np.ndarray, given: np.ndarray | None, draws: int) -> np.ndarray:
        """``log p(x_o, x_m) − log q(x_m | x_o)`` of a row's own draws of its gaps, ``[draws, rows]``."""
        size, found = max(1, ROWS // draws), []
        for first in range(0, len(x), size):
            own = None if given is None else given[first : first + size]
            found.append(self._proposed(x[first : first + size], own, draws, None)[1])
        return np.concatenate(found, axis=1)

    def proposed(self, x: np.ndarray, random: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
        """Rows whose gaps are filled by a draw of the mixture, and ``log q`` of it in the coordinates of the core."""
        u, log_q, _ = self._drawn(x, 1, random)
        return np.where(np.isnan(x), self.outward(u[0]), x), log_q[0]

    def _proposed(
        self, x: np.ndarray, given: np.ndarray | None, draws: int, random: np.random.Generator | None
    ) -> tuple[np.ndarray, np.ndarray]:
        """Draws of the gaps in the coordinates of the core ``[draws, rows, dims]``, and their log-weights."""
        u, log_q, slopes = self._drawn(x, draws, random)
        own = None if given is None else np.tile(given, (draws, 1))
        weights = self._core(u.reshape(-1, x.shape[1]), own).reshape(draws, len(x)) + slopes - log_q
        return u, np.where(np.isnan(weights), -np.inf, weights)  # so far out that neither density is a number

    def _drawn(
        self, x: np.ndarray, draws: int, random: np.random.Generator | None
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Draws ``[draws, rows, dims]``, ``log q`` of the gaps ``[draws, rows]``, and the slopes of what is seen."""
        rows, dims = x.shape
        levelled = self.plan.levelled.any()
        times = draws if levelled else 1  # every draw has levels of its own
        width = 1 + dims * (2 if levelled else 1)
        level = points(x, draws, width) if random is None else random.random((rows, draws, width))
        level = np.clip(level, 2.0**-54, None)
        noise, many = ndtri(level[..., 1 : 1 + dims]), np.tile(x, (times, 1))
        shares = np.swapaxes(level[..., 1 + dims :], 0, 1).reshape(-1, dims) if levelled else np.full(dims, 0.5)
        seen, slopes = self._inward(self.plan.spread(many, shares))
        if levelled:
            level, noise = (np.swapaxes(each, 0, 1).reshape(-1, 1, each.shape[-1]) for each in (level, noise))
        u = drawn_by(self.beside, seen, level[..., 0], noise)
        u = u.reshape(draws, rows, dims)
        joint = log_prob(self.beside, u.reshape(-1, x.shape[1])).reshape(draws, len(x))
        own = np.where(np.isnan(many), 0.0, slopes).sum(1).reshape(times, len(x))
        with np.errstate(invalid="ignore"):
            return u, joint - log_prob(self.beside, seen).reshape(times, len(x)), own

    def imputed(
        self, x: np.ndarray, given: np.ndarray | None, draws: int, number: int, random: np.random.Generator
    ) -> Filled:
        """Rows with their gaps filled: by their means, and by ``number`` draws."""
        missing = np.isnan(x)
        draws = max(draws, number)
        found = Filled(np.array(x), np.repeat(x[None], number, axis=0), np.full(len(x), -np.inf))
        exact = self.kept & (np.diff(missing.astype(int), axis=1) >= 0).all(1)
        size = max(1, ROWS // draws)
        for rows in (np.flatnonzero(missing.any(1) & exact), np.flatnonzero(missing.any(1) & ~exact)):
            for first in range(0, rows.size, size):
                part = rows[first : first + size]
                own = None if given is None else given[part]
                if exact[part[0]]:
                    many = None if own is None else np.tile(own, (draws, 1))
                    values = self.continued(np.tile(x[part], (draws, 1)), many, random).reshape(draws, -1, x.shape[1])
                    means, taken = values.mean(0), values[:number]
                else:
                    values, shares, found.khat[part] = self._candidates(x[part], own, draws, random)
                    means = np.einsum("sn,snd->nd", shares, values)
                    taken = values[_chosen(shares, number, random), np.arange(part.size)]
                found.means[part] = np.where(missing[part], means, x[part])
                found.draws[:, part] = np.where(missing[part], taken, x[part])
        return found

    def _candidates(
        self, x: np.ndarray, given: np.ndarray | None, draws: int, random: np.random.Generator
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Rows in the user's units with their gaps drawn ``[draws, rows, dims]``, smoothed weights, and their k̂."""
        u, log_weights = self._proposed(x, given, draws, random)
        smooth = [_smoothed(row) for row in log_weights.T]
        shares = np.exp(np.stack([each.log_weights for each in smooth], axis=1))
        return self.outward(u.reshape(-1, x.shape[1])).reshape(u.shape), shares, np.array([s.khat for s in smooth])

    def continued(self, x: np.ndarray, given: np.ndarray | None, random: np.random.Generator) -> np.ndarray:
        """Rows whose last columns are missing, with a draw of those; the order is kept."""
        missing = np.isnan(x)
        u, _ = self._inward(self.plan.spread(x, random.random(x.shape)))
        z = self.white(np.where(missing, 0.0, u), given)
        z = np.where(missing, random.normal(size=x.shape), z)
        return np.where(missing, self.from_white(z, given), x)

    def white(self, u: np.ndarray, given: np.ndarray | None) -> np.ndarray:
        """Rows in the coordinates of the core as white noise."""
        found = [np.asarray(flow.white(self.flow, FlowRows(part, own)))[:size] for size, part, own in batches(u, given)]
        return np.concatenate(found)

    def from_white(self, z: np.ndarray, given: np.ndarray | None) -> np.ndarray:
        """The rows, in the user's units, that white noise stands for."""
        found = [np.asarray(flow.from_white(self.flow, part, own))[:size] for size, part, own in batches(z, given)]
        return self.plan.snapped(np.concatenate(found))

    def outward(self, u: np.ndarray) -> np.ndarray:
        """The rows, in the user's units, of the coordinates of the core."""
        found = [np.asarray(flow.outward(self.flow, part))[:size] for size, part, _ in batches(u, None)]
        return self.plan.snapped(np.concatenate(found))

    def inward(self, x: np.ndarray, share: float = 0.5) -> np.ndarray:
        """Complete rows in the coordinates of the core, levels at a share of their cells."""
        return self._inward(self.plan.spread(x, np.asarray(share)))[0]

    def slopes(self, x: np.ndarray, share: float = 0.5) -> np.ndarray:
        """``log |∂u_j/∂x_j|`` of every column on the way to the coordinates of the core, NaN where missing."""
        return self._inward(self.plan.spread(x, np.asarray(share)))[1]

    def sample(self, number: int, given: np.ndarray | None, random: np.random.Generator) -> np.ndarray:
        """New rows."""
        base, dims = self.flow.core.base, self.flow.units.shift.shape[-1]
        white = random.normal(size=(number, dims))
        if base is not None:
            which = random.choice(
                len(base.log_weights), number, p=np.exp(base.log_weights) / np.exp(base.log_weights).sum()
            )
            white = base.means[which] + np.einsum("nij,nj->ni", base.factors[which], white)
        found = [np.asarray(flow.from_base(self.flow, part, own))[:size] for size, part, own in batches(white, given)]
        return self.plan.snapped(np.concatenate(found))

    def _core(self, u: np.ndarray, given: np.ndarray | None) -> np.ndarray:
        found = [
            np.asarray(flow.core_log_prob(self.flow, FlowRows(part, own)))[:size]
            for size, part, own in batches(u, given)
        ]
        return np.concatenate(found)

    def _inward(self, x: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Rows in the coordinates of the core, NaN where missing, and the logarithms of the columns' slopes."""
        with eagerly():  # so little is done to a number that to compile it would take longer
            u, slopes = self.flow.inward(x)
        return np.asarray(u), np.asarray(slopes)


def batches(rows: np.ndarray, given: np.ndarray | None) -> Iterator[tuple[int, np.ndarray, np.ndarray | None]]:
    """Rows a part at a time, made up to a few sizes that are compiled: how many they are, they, and what is given."""
    for first in range(0, len(rows), ROWS):
        part = rows[first : first + ROWS]
        room = min(row_bucket(len(part)), ROWS)
        own = None if given is None else padded(np.asarray(given[first : first + ROWS], np.float64), room)
        yield len(part), padded(part, room), own


def _smoothed(log_weights: np.ndarray) -> Smoothed:
    """`pareto_smooth`; where no draw has any mass all count the same, and none is to be trusted."""
    if np.isneginf(log_weights).all():
        return Smoothed(np.full(log_weights.size, -np.log(log_weights.size)), np.inf, 0.0)
    return pareto_smooth(log_weights)


def _chosen(shares: np.ndarray, number: int, random: np.random.Generator) -> np.ndarray:
    """For every row, which draws are taken, ``[number, rows]``."""
    ends = np.cumsum(shares, axis=0)
    ends /= ends[-1]
    at = random.random((number, shares.shape[1]))
    return np.stack([np.searchsorted(end, own) for end, own in zip(ends.T, at.T, strict=True)], axis=1)
