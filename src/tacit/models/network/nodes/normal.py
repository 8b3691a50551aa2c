"""A number with any parents: one linear regression for every configuration of the discrete ones."""

from typing import Self

import numpy as np
from jaxtyping import Float

from tacit.arrays import static
from tacit.compute import LOG_2PI, HostArray
from tacit.engine import PyTree
from tacit.models.network.nodes.base import NetworkNode, codes_of
from tacit.models.network.nodes.configurations import Chunk
from tacit.models.network.nodes.newton import regression_in_units


class NormalNode(NetworkNode):
    """``x | parents ~ N(β_c·(1, u), σ²_c)``: u the continuous parents, c the configuration of the discrete ones.

    The prior of every configuration is normal–gamma: ``β ~ N(0, σ²/κ)`` for the slopes, ``N(m, σ²/κ)`` for the
    intercept, and ``σ⁻² ~ Gamma(a, b)``. The estimate is the mode in ``(β, log σ²)``, whose log density is added to
    the bound; κ = a = b = 0 is the maximum of the likelihood (Bernardo & Smith 2000, section 5.2).
    """

    coefficients: Float[HostArray, "..."]
    """``[*starts, *levels, 1 + continuous parents]``, the intercept first."""
    variances: Float[HostArray, "..."]
    """``[*starts, *levels]``."""
    prior: tuple[float, float, float, float] = static()
    """κ, m, a, b."""
    floor: float = static()
    """The least variance."""

    @property
    def name(self) -> str:
        return "normal"

    def features(self, rows: Float[HostArray, "rows nodes"]) -> Float[HostArray, "rows features"]:
        """``(1, u)`` of every row."""
        return np.column_stack([np.ones(len(rows)), rows[:, list(self.continuous)]])

    def expectation(self, chunk: Chunk) -> Float[HostArray, "..."]:
        coefficients = chunk.configurations(self.discrete).gather(self.coefficients)
        return (coefficients * self.features(chunk.rows)).sum(-1)

    def variances_of(self, chunk: Chunk) -> Float[HostArray, "..."]:
        return chunk.configurations(self.discrete).gather(self.variances)

    def log_prob(self, chunk: Chunk) -> Float[HostArray, "..."]:
        variances = self.variances_of(chunk)
        away = chunk.rows[:, self.place] - self.expectation(chunk)
        return -0.5 * (LOG_2PI + np.log(variances) + away**2 / variances)

    def statistics(self, chunk: Chunk, weights: Float[HostArray, "..."]) -> PyTree:
        """Sums of ``(1, u, x)(1, u, x)ᵀ`` for every configuration."""
        seen = np.column_stack([self.features(chunk.rows), chunk.rows[:, self.place]])
        products = (seen[:, :, None] * seen[:, None, :]).reshape(len(seen), -1)
        return self.as_matrices(chunk.configurations(self.discrete).scatter(weights[..., None] * products))

    def as_matrices(self, summed: Float[HostArray, "..."]) -> Float[HostArray, "..."]:
        """The same sums, their last axis as a matrix."""
        size = len(self.continuous) + 2
        return summed.reshape(*summed.shape[:-1], size, size)

    def m_step(self, statistics: PyTree) -> Self:
        kappa, mean, a, b = self.prior
        size = len(self.continuous) + 1
        count = statistics[..., 0, 0]
        gram = statistics[..., :size, :size] + kappa * np.eye(size)
        cross = statistics[..., :size, size] + kappa * mean * np.eye(size)[0]
        # a ridge of rounding size: where parents are copies of one another, or too few rows have a configuration
        ridge = 1e-10 * np.maximum(np.trace(gram, axis1=-2, axis2=-1) / size, 1e-300)[..., None, None]
        coefficients = np.linalg.solve(gram + ridge * np.eye(size), cross[..., None])[..., 0]
        square = statistics[..., size, size] + kappa * mean**2 - (coefficients * cross).sum(-1)
        freedom = count + 2.0 * a + (size if kappa > 0 else 0)
        variances = (np.maximum(square, 0.0) + 2.0 * b) / np.where(freedom > 0, freedom, 1.0)
        empty = count <= 0
        variances = np.maximum(np.where(empty & (freedom <= 0), self.variances, variances), self.floor)
        coefficients = np.where(empty[..., None] & (kappa <= 0), self.coefficients, coefficients)
        return self.with_values(coefficients, variances)

    def with_values(self, coefficients: Float[HostArray, "..."], variances: Float[HostArray, "..."]) -> Self:
        """The same with other parameters."""
        return type(self)(self.place, self.discrete, self.continuous, coefficients, variances, self.prior, self.floor)

    def log_prior(self) -> Float[HostArray, "*starts"]:
        kappa, mean, a, b = self.prior
        size = len(self.continuous) + 1
        away = self.coefficients - mean * np.eye(size)[0]
        density = -a * np.log(self.variances) - b / self.variances
        if kappa > 0:
            density = density - 0.5 * (kappa * (away**2).sum(-1) / self.variances + size * np.log(self.variances))
        return density.sum(tuple(range(-len(self.discrete), 0))) if self.discrete else density

    def n_parameters(self) -> int:
        return self.coefficients.size + self.variances.size

    def draw(self, rows: Float[HostArray, "rows nodes"], random: np.random.Generator) -> Float[HostArray, " rows"]:
        at = codes_of(rows, self.discrete)
        mean = (self.coefficients[at] * self.features(rows)).sum(-1)
        return mean + np.sqrt(self.variances[at]) * random.standard_normal(len(rows))

    def randomised(self, random: np.random.Generator, strength: float) -> Self:
        noise = random.standard_normal(self.coefficients.shape[:-1]) * np.sqrt(self.variances)
        shaken = self.coefficients.copy()
        shaken[..., 0] += strength * noise
        return self.with_values(shaken, self.variances)

    def reordered(self, variable: int, order: np.ndarray) -> Self:
        axis = self.discrete.index(variable)
        return self.with_values(self.coefficients.take(order, axis), self.variances.take(order, axis))

    def in_units(self, shift: Float[HostArray, " nodes"], scale: Float[HostArray, " nodes"]) -> Self:
        own, parents = self.place, list(self.continuous)
        coefficients = scale[own] * regression_in_units(self.coefficients, shift[parents], scale[parents])
        coefficients[..., 0] += shift[own]
        square = scale[own] ** 2
        return type(self)(
            own,
            self.discrete,
            self.continuous,
            coefficients,
            self.variances * square,
            self.prior,
            self.floor * square,
        )
