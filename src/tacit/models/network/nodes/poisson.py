"""A count with any parents: ``log E[x]`` is linear in the continuous ones, for every configuration of the others."""

from typing import Self

import numpy as np
import scipy.special
from jaxtyping import Float

from tacit.arrays import static
from tacit.compute import HostArray
from tacit.models.network.nodes.base import NetworkNode, codes_of
from tacit.models.network.nodes.configurations import Chunk
from tacit.models.network.nodes.newton import LikelihoodCurve, regression_in_units, safe_step

MOST = 30.0
"""The largest logarithm of a mean."""


class PoissonNode(NetworkNode):
    """``x | parents ~ Poisson(exp(β_c·(1, u)))``, u the continuous parents, c the levels of the discrete ones."""

    coefficients: Float[HostArray, "..."]
    """``[*starts, *levels, 1 + continuous parents]``, the intercept first."""
    precision: float = static()
    """Of a normal prior on the coefficients."""
    reach: float = static()
    """The length of the longest row of regressors."""

    @property
    def name(self) -> str:
        return "poisson"

    def features(self, rows: Float[HostArray, "rows nodes"]) -> Float[HostArray, "rows features"]:
        """``(1, u)`` of every row."""
        return np.column_stack([np.ones(len(rows)), rows[:, list(self.continuous)]])

    def _log_means(self, chunk: Chunk) -> Float[HostArray, "..."]:
        coefficients = chunk.configurations(self.discrete).gather(self.coefficients)
        return np.minimum((coefficients * self.features(chunk.rows)).sum(-1), MOST)

    def expectation(self, chunk: Chunk) -> Float[HostArray, "..."]:
        return np.exp(self._log_means(chunk))

    def log_prob(self, chunk: Chunk) -> Float[HostArray, "..."]:
        x, log_mean = chunk.rows[:, self.place], self._log_means(chunk)
        return x * log_mean - np.exp(log_mean) - scipy.special.gammaln(x + 1.0)

    def statistics(self, chunk: Chunk, weights: Float[HostArray, "..."]) -> LikelihoodCurve:
        given, features = chunk.configurations(self.discrete), self.features(chunk.rows)
        mean = np.exp(self._log_means(chunk))
        gradient = given.scatter((weights * (chunk.rows[:, self.place] - mean))[..., None] * features)
        products = (features[:, :, None] * features[:, None, :]).reshape(len(features), -1)
        information = given.scatter((weights * mean)[..., None] * products)
        size = features.shape[1]
        return LikelihoodCurve(gradient, information.reshape(*information.shape[:-1], size, size))

    def m_step(self, statistics: LikelihoodCurve) -> Self:
        return self.with_coefficients(safe_step(self.coefficients, statistics, self.precision, self.reach))

    def with_coefficients(self, coefficients: Float[HostArray, "..."]) -> Self:
        """The same with other parameters."""
        return type(self)(self.place, self.discrete, self.continuous, coefficients, self.precision, self.reach)

    def log_prior(self) -> Float[HostArray, "*starts"]:
        axes = tuple(range(-len(self.discrete) - 1, 0))
        return -0.5 * self.precision * (self.coefficients**2).sum(axes)

    def n_parameters(self) -> int:
        return self.coefficients.size

    def draw(self, rows: Float[HostArray, "rows nodes"], random: np.random.Generator) -> Float[HostArray, " rows"]:
        log_mean = (self.coefficients[codes_of(rows, self.discrete)] * self.features(rows)).sum(-1)
        return random.poisson(np.exp(np.minimum(log_mean, MOST))).astype(float)

    def randomised(self, random: np.random.Generator, strength: float) -> Self:
        shaken = self.coefficients.copy()
        shaken[..., 0] += strength * random.standard_normal(shaken.shape[:-1])
        return self.with_coefficients(shaken)

    def reordered(self, variable: int, order: np.ndarray) -> Self:
        return self.with_coefficients(self.coefficients.take(order, self.discrete.index(variable)))

    def in_units(self, shift: Float[HostArray, " nodes"], scale: Float[HostArray, " nodes"]) -> Self:
        parents = list(self.continuous)
        return self.with_coefficients(regression_in_units(self.coefficients, shift[parents], scale[parents]))
