"""The categorical distribution of a code 0, 1, …, L−1."""

from collections.abc import Sequence
from typing import ClassVar, Self

import numpy as np
from jaxtyping import Bool, Float

from tacit.arrays import softmax, special, xp
from tacit.compute import Array
from tacit.engine import PRNGKeyArray, jax, jnp
from tacit.families.base import ExponentialFamily, Parameter, in_base
from tacit.families.numeric import choose, deviance, log_floored, on_support, ratio


class ShareFamily(ExponentialFamily):
    """What a family of one item of L kinds and one of n such items share: ``η_l = log p_l``, and ``A(η) = 0``."""

    probabilities: Float[Array, "... levels"]

    @property
    def natural(self) -> Float[Array, "... F"]:
        return log_floored(self.probabilities)

    @property
    def log_normalizer(self) -> Float[Array, "..."]:
        return xp.zeros(self.probabilities.shape[:-1], self.probabilities.dtype)

    @property
    def mean_parameters(self) -> Float[Array, "... F"]:
        return xp.asarray(self.probabilities)

    def from_natural(self, natural: Float[Array, "... F"]) -> Self:
        return type(self)(softmax(natural))

    def from_mean_parameters(self, mean_parameters: Float[Array, "... F"]) -> Self:
        return type(self)(mean_parameters)

    def maximise(self, statistics: Float[Array, "..."], weight: Float[Array, "..."]) -> Self:
        """Shares of the summed counts; rows that are all zeros say nothing."""
        return type(self)(shares(statistics, self.probabilities, weight))

    @property
    def n_free(self) -> int:
        return self.probabilities.shape[-1] - 1


class Categorical(ShareFamily):
    """``p(x) = p_x`` for codes x = 0, …, L−1; the last axis of the parameter is the L levels, not batch.

    ``T`` = one-hot, ``η_l = log p_l``, ``h = 1``. These coordinates are over-complete: ``A(η) = log Σ
    e^{η_l}``, which is 0 at every member. Columns with fewer levels are padded to the same L with levels of
    probability 0, which stay at 0: their code never occurs.
    """

    name: ClassVar[str] = "categorical"
    column_kind: ClassVar[str] = "categorical"
    symbols: ClassVar[tuple[str, ...]] = ("p",)
    parameters: ClassVar[tuple[Parameter, ...]] = (Parameter("probabilities", "shares"),)

    @classmethod
    def template(cls, shape: tuple[int, ...], levels: int | Sequence[int]) -> Self:
        """Equal probabilities; ``levels`` is one number or one per last axis of ``shape`` (padded with 0)."""
        counts = np.broadcast_to(np.asarray(levels), shape)
        possible = np.arange(np.max(levels)) < counts[..., None]
        return cls(xp.asarray(possible / counts[..., None], xp.result_type(float)))

    @property
    def levels(self) -> int:
        """L, with the padding."""
        return self.probabilities.shape[-1]

    def log_prob(self, x: Float[Array, "..."]) -> Float[Array, "..."]:
        ok = self.supports(x)
        logs = xp.log(self.probabilities)
        batch = xp.broadcast_shapes(x.shape, logs.shape[:-1])
        code = xp.where(ok, x, 0.0).astype(int)
        table = xp.broadcast_to(logs, (*batch, self.levels))
        index = xp.broadcast_to(code, batch)[..., None]
        return on_support(ok, x, xp.take_along_axis(table, index, axis=-1)[..., 0])

    def supports(self, x: Float[Array, "..."]) -> Bool[Array, "..."]:
        return (x >= 0) & (x < self.levels) & (x == xp.floor(x))

    def sufficient_statistics(self, x: Float[Array, "..."]) -> Float[Array, "..."]:
        codes = xp.arange(self.levels, dtype=xp.result_type(x))
        return (x[..., None] == codes).astype(codes.dtype)

    def log_base(self, x: Float[Array, "..."]) -> Float[Array, "..."]:
        return xp.zeros_like(x)

    def mean(self) -> Float[Array, "..."]:
        """The mean code (of use where the levels are ordered)."""
        return (self.probabilities * xp.arange(self.levels)).sum(-1)

    def variance(self) -> Float[Array, "..."]:
        distance = xp.arange(self.levels) - self.mean()[..., None]
        return (self.probabilities * distance**2).sum(-1)

    def expected_log_base(self) -> Float[Array, "..."]:
        return self.log_normalizer

    def cross_entropy(self, other: Self, base: float | None = None) -> Float[Array, "..."]:
        return in_base(-special.xlogy(self.probabilities, other.probabilities).sum(-1), base)

    def kl_divergence(self, other: Self, base: float | None = None) -> Float[Array, "..."]:
        # Σ p log(p/q), every term p log(p/q) − p + q ≥ 0
        p, q = xp.asarray(self.probabilities), xp.asarray(other.probabilities)
        return in_base(deviance(p, q).sum(-1), base)

    def sample(self, *, key: PRNGKeyArray, shape: tuple[int, ...] = ()) -> Float[Array, "..."]:
        logs = jnp.log(self.probabilities)
        return jax.random.categorical(key, logs, axis=-1, shape=shape + logs.shape[:-1]).astype(logs.dtype)

    def draw(self, random: np.random.Generator, total: np.ndarray | None = None) -> np.ndarray:
        probabilities = np.asarray(self.probabilities)
        flat = choose(probabilities.reshape(-1, self.levels), random)
        return flat.reshape(probabilities.shape[:-1]).astype(np.float64)

    def cdf(self, x: np.ndarray) -> np.ndarray:
        codes = np.arange(self.levels)
        return np.where(codes <= np.asarray(x)[..., None], self.probabilities, 0.0).sum(-1)

    def code_probabilities(self) -> np.ndarray | None:
        return np.asarray(self.probabilities)

    def seeding_features(self, x: Float[np.ndarray, "rows columns"]) -> Float[np.ndarray, "rows features"]:
        """An indicator of every code."""
        return (x[:, :, None] == np.arange(self.levels)).reshape(x.shape[0], -1).astype(float)


def shares(
    counts: Float[Array, "... levels"], otherwise: Float[Array, "... levels"], weight: Float[Array, "..."]
) -> Float[Array, "... levels"]:
    """The counts divided by their own sum; ``otherwise`` where there is no weight or the sum is 0."""
    total = counts.sum(-1)
    seen = (weight > 0) & (total > 0)
    # by their own sum rather than the weight, so that rounding leaves probabilities that sum to 1
    return xp.where(seen[..., None], ratio(counts, total[..., None]), otherwise)
