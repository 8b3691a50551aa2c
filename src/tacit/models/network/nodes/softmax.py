"""A discrete node with continuous parents: a (multinomial) logistic regression, one for all levels of the others."""

import math
from typing import Self

import numpy as np
from jaxtyping import Float

from tacit.arrays import logsumexp, static
from tacit.compute import HostArray
from tacit.models.network.nodes.base import NetworkNode, codes_of
from tacit.models.network.nodes.configurations import Chunk
from tacit.models.network.nodes.newton import LikelihoodCurve, regression_in_units, safe_step

SELF_CONCORDANCE = math.sqrt(6.0)
"""How the third derivative of a multinomial logistic regression is bounded (Sun & Tran-Dinh 2019, table 2)."""


class SoftmaxNode(NetworkNode):
    """``p(x = l | u, c) ∝ exp(β_cl·(1, u))``, u the continuous parents, c the others; β of the first level is 0."""

    coefficients: Float[HostArray, "..."]
    """``[*starts, *levels of the discrete parents, levels − 1, 1 + continuous parents]``, the intercept first."""
    precision: float = static()
    """Of a normal prior on the coefficients."""
    reach: float = static()
    """The length of the longest row of regressors."""
    number: int = static()
    """Levels."""

    @property
    def levels(self) -> int:
        return self.number

    @property
    def name(self) -> str:
        return "logistic"

    def features(self, rows: Float[HostArray, "rows nodes"]) -> Float[HostArray, "rows features"]:
        """``(1, u)`` of every row."""
        return np.column_stack([np.ones(len(rows)), rows[:, list(self.continuous)]])

    def log_chances(
        self, coefficients: Float[HostArray, "..."], features: Float[HostArray, "rows features"]
    ) -> Float[HostArray, "..."]:
        """Of every level, ``[..., rows, levels]``, of coefficients ``[..., rows, levels − 1, features]``."""
        logits = (coefficients * features[:, None, :]).sum(-1)
        logits = np.concatenate([np.zeros((*logits.shape[:-1], 1)), logits], axis=-1)
        return logits - logsumexp(logits)[..., None]

    def log_prob(self, chunk: Chunk) -> Float[HostArray, "..."]:
        coefficients = chunk.configurations(self.discrete).gather(self.coefficients)
        logs = self.log_chances(coefficients, self.features(chunk.rows))
        if self.place in chunk.seen:
            own = chunk.codes[:, self.place].reshape(*(1,) * (logs.ndim - 2), -1, 1)
            return np.take_along_axis(logs, own, -1)[..., 0]
        return np.moveaxis(logs, -1, -2)

    def statistics(self, chunk: Chunk, weights: Float[HostArray, "..."]) -> LikelihoodCurve:
        given, features = chunk.configurations(self.discrete), self.features(chunk.rows)
        if self.place in chunk.seen:
            counts = weights[..., None] * np.eye(self.number)[chunk.codes[:, self.place]]
        else:
            counts = np.moveaxis(weights, -2, -1)
        total = counts.sum(-1, keepdims=True)
        chances = np.exp(self.log_chances(given.gather(self.coefficients), features))[..., 1:]
        residual = counts[..., 1:] - total * chances
        size = (self.number - 1) * features.shape[1]
        gradient = given.scatter((residual[..., None] * features[:, None, :]).reshape(*residual.shape[:-1], size))
        spread = chances[..., :, None] * (np.eye(self.number - 1) - chances[..., None, :])
        products = features[:, None, :, None, None] * features[:, None, None, None, :]
        information = total[..., None, None, None] * spread[..., :, None, :, None] * products
        summed = given.scatter(information.reshape(*residual.shape[:-1], size * size))
        return LikelihoodCurve(gradient, summed.reshape(*summed.shape[:-1], size, size))

    def m_step(self, statistics: LikelihoodCurve) -> Self:
        shape = self.coefficients.shape
        flat = self.coefficients.reshape(*shape[:-2], -1)
        found = safe_step(flat, statistics, self.precision, SELF_CONCORDANCE * self.reach)
        return self.with_coefficients(found.reshape(shape))

    def with_coefficients(self, coefficients: Float[HostArray, "..."]) -> Self:
        """The same with other parameters."""
        return type(self)(
            self.place, self.discrete, self.continuous, coefficients, self.precision, self.reach, self.number
        )

    def log_prior(self) -> Float[HostArray, "*starts"]:
        axes = tuple(range(-len(self.discrete) - 2, 0))
        return -0.5 * self.precision * (self.coefficients**2).sum(axes)

    def n_parameters(self) -> int:
        return self.coefficients.size

    def draw(self, rows: Float[HostArray, "rows nodes"], random: np.random.Generator) -> Float[HostArray, " rows"]:
        coefficients = self.coefficients[codes_of(rows, self.discrete)]
        logs = self.log_chances(
            np.broadcast_to(coefficients, (len(rows), *coefficients.shape[-2:])), self.features(rows)
        )
        return np.argmax(logs + random.gumbel(size=logs.shape), axis=-1).astype(float)

    def randomised(self, random: np.random.Generator, strength: float) -> Self:
        shaken = self.coefficients.copy()
        shaken[..., 0] += strength * random.standard_normal(shaken.shape[:-1])
        return self.with_coefficients(shaken)

    def reordered(self, variable: int, order: np.ndarray) -> Self:
        if variable != self.place:
            return self.with_coefficients(self.coefficients.take(order, self.discrete.index(variable)))
        whole = np.concatenate([np.zeros_like(self.coefficients[..., :1, :]), self.coefficients], axis=-2)
        whole = whole.take(order, -2)
        return self.with_coefficients(whole[..., 1:, :] - whole[..., :1, :])

    def in_units(self, shift: Float[HostArray, " nodes"], scale: Float[HostArray, " nodes"]) -> Self:
        parents = list(self.continuous)
        return self.with_coefficients(regression_in_units(self.coefficients, shift[parents], scale[parents]))
