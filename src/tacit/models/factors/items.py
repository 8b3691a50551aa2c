"""A few normal factors behind columns of any families: ``p(x) = ∫ N(z | 0, I) ∏_j p(x_j | z) dz`` over nodes.

Up to three factors the integral is a sum over the nodes of a Gauss–Hermite product rule (Bock & Aitkin 1981). With rows
as features, the log-likelihoods of all rows at all nodes are a matrix product, and so are the expected counts at every
node. Above that a normal q(z | x) of every row gives a bound to be raised (`tacit.models.factors.item_variational`),
and the density of a row is summed over points of that q, which are drawn as a Sobol sequence and weighted.
"""

import dataclasses
from collections.abc import Iterator
from typing import NamedTuple, Self

import numpy as np
import scipy.special
import scipy.stats
from jaxtyping import Float

from tacit.models.factors.item_blocks import ItemBlock
from tacit.models.factors.item_variational import RowCodes, curves, row_gradients, row_points, settled

NODES = {1: 61, 2: 29, 3: 13}
"""Of each factor, unless it is said."""
SOBOL = 11
"""The power of two of points for more factors."""
OWN = 6
"""The same of the points of a row's own posterior, unless it is said."""
FAINT = -80.0
"""The logarithm of a share of a row's posterior below which a node has none."""
FAR = np.log(1e-14)
"""The same of the weight of a node that is left out, beside the largest."""
CELLS = 1_500_000
"""Numbers, rows by nodes, that are worked on at once."""


class Grid(NamedTuple):
    """Where the integral over z is summed."""

    nodes: Float[np.ndarray, "nodes factors"]
    log_weights: Float[np.ndarray, " nodes"]
    spacing: float
    """Between the nodes nearest to 0, on one axis; 0 of a sequence of points."""


def grid(factors: int, per_factor: int | None = None) -> Grid:
    """The nodes for so many factors.

    Args:
        factors: Q.
        per_factor: nodes on an axis; above three factors the logarithm to base 2 of their number in all.
    """
    if factors > max(NODES):
        power = SOBOL if per_factor is None else per_factor
        points = scipy.stats.qmc.Sobol(factors, rng=np.random.default_rng(0)).random_base2(power)
        nodes = scipy.special.ndtri(points)
        nodes = np.concatenate([nodes, -nodes])  # the mean of z is 0 exactly
        return Grid(nodes, np.full(len(nodes), -np.log(len(nodes))), 0.0)
    number = NODES[factors] if per_factor is None else per_factor
    axis, weights = np.polynomial.hermite_e.hermegauss(number)
    each = np.meshgrid(*[axis] * factors, indexing="ij")
    logs = np.meshgrid(*[np.log(weights / weights.sum())] * factors, indexing="ij")
    log_weights = np.sum([one.ravel() for one in logs], axis=0)
    near = (log_weights > log_weights.max() + FAR) | (number**factors <= NODES[1])
    nodes, log_weights = np.stack([one.ravel() for one in each], 1)[near], log_weights[near]
    return Grid(nodes, log_weights - scipy.special.logsumexp(log_weights), float(np.min(np.diff(axis))))


class Expected(NamedTuple):
    """What an E-step finds."""

    log_likelihood: float
    """Or its bound."""
    features: Float[np.ndarray, "features nodes"] | None
    """``Tᵀ diag(w) p(node | x)``; None where every row has a q."""
    codes: RowCodes | None = None
    """q."""


class Coded(NamedTuple):
    """Rows, and as features."""

    rows: Float[np.ndarray, "rows dims"]
    features: Float[np.ndarray, "rows features"]
    base: Float[np.ndarray, " rows"]
    weights: Float[np.ndarray, " rows"]


class Curve(NamedTuple):
    """The shape of the bound at some parameters."""

    gradient: Float[np.ndarray, " parameters"]
    information: tuple[Float[np.ndarray, "items parameters parameters"], ...]
    """Of the columns of every block, were z known: what is left between columns is not in it."""

    def solved(self, values: Float[np.ndarray, " parameters"]) -> Float[np.ndarray, " parameters"]:
        """The inverse of the information times a vector."""
        found, start = np.empty_like(values), 0
        for part in self.information:
            size = part.shape[0] * part.shape[1]
            own = values[start : start + size].reshape(part.shape[:2])
            found[start : start + size] = np.linalg.solve(part, own[..., None])[..., 0].ravel()
            start += size
        return found


@dataclasses.dataclass(frozen=True, eq=False)
class ItemModel:
    """Blocks of columns, and the factors they share.

    Attributes:
        blocks: together all columns.
        factors: Q.
        per_factor: nodes; None for the usual number.
    """

    blocks: tuple[ItemBlock, ...]
    factors: int
    per_factor: int | None = None

    def grid(self) -> Grid:
        """The nodes."""
        return grid(self.factors, self.per_factor)

    def coded(self, rows: Float[np.ndarray, "rows dims"], weights: Float[np.ndarray, " rows"] | None = None) -> Coded:
        """Rows, levels by their codes, as features."""
        parts, base = [], np.zeros(len(rows))
        for block in self.blocks:
            values = rows[:, list(block.columns)]
            parts.append(block.features(values).reshape(len(rows), -1))
            base = base + block.base(values)
        weights = np.ones(len(rows)) if weights is None else weights
        return Coded(rows, np.concatenate(parts, axis=1), base, weights)

    def table(self, nodes: Float[np.ndarray, "nodes factors"]) -> Float[np.ndarray, "features nodes"]:
        """What every feature adds to a row's log-density at every node."""
        return np.concatenate([block.table(nodes).reshape(-1, len(nodes)) for block in self.blocks])

    @property
    def has_bound(self) -> bool:
        """Whether the likelihood is bounded, and not summed over nodes that all rows share."""
        return self.factors > max(NODES)

    def posteriors(self, coded: Coded, grid: Grid) -> "Iterator[NodePosterior]":
        """Of chunks of rows."""
        if self.has_bound:
            yield from self._own_posteriors(coded)
            return
        table = self.table(grid.nodes)
        size = max(1, CELLS // len(grid.nodes))
        for start in range(0, len(coded.base), size):
            place = slice(start, start + size)
            joint = coded.features[place] @ table
            joint += grid.log_weights
            most = joint.max(1, keepdims=True)
            joint -= most
            joint[joint < FAINT] = -np.inf  # numbers so small that they slow the arithmetic down
            np.exp(joint, out=joint)
            total = joint.sum(1, keepdims=True)
            joint /= total
            yield NodePosterior(place, most[:, 0] + np.log(total[:, 0]) + coded.base[place], grid.nodes, joint)

    def _own_posteriors(self, coded: Coded) -> "Iterator[NodePosterior]":
        points = _standard(self.factors, OWN if self.per_factor is None else self.per_factor)
        size = max(1, CELLS // (len(points) * sum(block.slopes[..., 0].size for block in self.blocks)))
        for start in range(0, len(coded.base), size):
            place = slice(start, start + size)
            rows = coded.rows[place]
            found = row_points(self.blocks, rows, settled(self.blocks, rows, self.factors), points)
            yield NodePosterior(place, found.log_density + coded.base[place], found.nodes, found.shares)

    def bounds(self, coded: Coded) -> Float[np.ndarray, " rows"]:
        """The variational bound of ``log p(x)`` of every row."""
        return settled(self.blocks, coded.rows, self.factors).bound + coded.base

    def expected(self, coded: Coded, grid: Grid, codes: RowCodes | None = None) -> Expected:
        """The E-step.

        Args:
            coded: the rows.
            grid: the nodes.
            codes: the q of the rows that it begins from, above three factors.
        """
        if self.has_bound:
            codes = settled(self.blocks, coded.rows, self.factors, codes)
            return Expected(float(coded.weights @ (codes.bound + coded.base)), None, codes)
        likelihood, found = 0.0, np.zeros((coded.features.shape[1], len(grid.nodes)))
        for place, logs, _, posterior in self.posteriors(coded, grid):
            weight = coded.weights[place]
            likelihood += float(weight @ logs)
            found += coded.features[place].T @ (posterior * weight[:, None])
        return Expected(likelihood, found)

    def improved(self, expected: Expected, grid: Grid, precision: float) -> Self:
        """The M-step, a column at a time."""
        blocks = tuple(block.improved(own, grid.nodes, precision) for block, own in self._own(expected))
        return dataclasses.replace(self, blocks=blocks)

    def _own(self, expected: Expected) -> Iterator[tuple[ItemBlock, np.ndarray]]:
        """The blocks, each with what is expected of its columns, ``[items, width, nodes]``."""
        start, features = 0, expected.features
        if features is None:
            raise ValueError("what is expected of rows that have a q is not kept: there is a gradient only")
        for block in self.blocks:
            size = len(block.columns) * block.width
            yield block, features[start : start + size].reshape(len(block.columns), block.width, -1)
            start += size

    def curve(self, coded: Coded, expected: Expected, grid: Grid, precision: float) -> "Curve":
        """How the bound rises from these parameters (Fisher's identity), and the information of the complete data."""
        if expected.codes is not None:
            held = zip(self.blocks, curves(self.blocks, coded.rows, coded.weights, expected.codes), strict=True)
            parts = [block.with_prior(own.gradient, own.information, precision) for block, own in held]
        else:
            parts = [block.curve(own, grid.nodes, precision) for block, own in self._own(expected)]
        return Curve(np.concatenate([gradient.ravel() for gradient, _ in parts]), tuple(i for _, i in parts))

    def log_prior(self, precision: float) -> float:
        """Of parameters that are normal with this precision."""
        return float(sum(block.log_prior(precision).sum() for block in self.blocks))

    def flat(self) -> Float[np.ndarray, " parameters"]:
        """All parameters."""
        return np.concatenate([block.flat().ravel() for block in self.blocks])

    def with_flat(self, values: Float[np.ndarray, " parameters"]) -> Self:
        """The same model with other parameters."""
        blocks, start = [], 0
        for block in self.blocks:
            shape = block.flat().shape
            size = int(np.prod(shape))
            blocks.append(block.with_flat(values[start : start + size].reshape(shape)))
            start += size
        return dataclasses.replace(self, blocks=tuple(blocks))

    def valid(self) -> bool:
        """Whether the parameters are some."""
        return all(bool(block.valid().all()) for block in self.blocks)

    def n_parameters(self) -> int:
        """Free ones: a rotation is none."""
        return int(self.flat().size) - self.factors * (self.factors - 1) // 2

    def scores(self, coded: Coded) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Of every row ``log p(x)``, ``E[z | x]`` and ``Cov[z | x]``."""
        rule, count = self.grid(), len(coded.base)
        logs, mean = np.empty(count), np.empty((count, self.factors))
        square = np.empty((count, self.factors, self.factors))
        for place, log, nodes, posterior in self.posteriors(coded, rule):
            logs[place] = log
            if nodes.ndim == 2:
                products = (nodes[:, :, None] * nodes[:, None, :]).reshape(len(nodes), -1)
                mean[place] = posterior @ nodes
                square[place] = (posterior @ products).reshape(-1, self.factors, self.factors)
            else:
                mean[place] = np.einsum("nm,nmk->nk", posterior, nodes)
                square[place] = np.swapaxes(nodes * posterior[..., None], 1, 2) @ nodes
        return logs, mean, square - mean[:, :, None] * mean[:, None, :]

    def gradients(self, coded: Coded) -> Float[np.ndarray, "rows parameters"]:
        """``∂ log p(x) / ∂θ`` of every row (Louis 1982: the posterior mean of the complete data's), or of its bound."""
        if self.has_bound:
            return row_gradients(self.blocks, coded.rows, settled(self.blocks, coded.rows, self.factors))
        rule, parts = self.grid(), []
        slopes = [block.slope(rule.nodes) for block in self.blocks]
        for place, _, _, posterior in self.posteriors(coded, rule):
            lines, start = [], 0
            for block, slope in zip(self.blocks, slopes, strict=True):
                width = block.width
                for one in slope:
                    own = coded.features[place, start : start + width]
                    by_level = np.einsum("nm,lmp->nlp", posterior, one, optimize=True)
                    lines.append(np.einsum("nl,nlp->np", own, by_level))
                    start += width
            parts.append(np.concatenate(lines, axis=1))
        return np.concatenate(parts)


class NodePosterior(NamedTuple):
    """Of some rows, over nodes that they share, or of their own."""

    place: slice
    log_density: Float[np.ndarray, " rows"]
    nodes: Float[np.ndarray, "nodes factors"] | Float[np.ndarray, "rows nodes factors"]
    shares: Float[np.ndarray, "rows nodes"]


def _standard(factors: int, power: int) -> Float[np.ndarray, "points factors"]:
    """Points of a standard normal whose mean is 0 and whose covariance is the identity, exactly."""
    nodes = grid(factors, power).nodes
    half = np.linalg.cholesky(nodes.T @ nodes / len(nodes))
    return np.linalg.solve(half, nodes.T).T
