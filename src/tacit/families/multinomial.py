"""The multinomial distribution of a row of counts, given its total."""

from typing import ClassVar, Self

import numpy as np
from jaxtyping import Bool, Float

from tacit.arrays import special, xp
from tacit.compute import Array
from tacit.engine import PRNGKeyArray, jax, jnp
from tacit.families.base import Parameter, in_base
from tacit.families.categorical import ShareFamily
from tacit.families.numeric import (
    deviance,
    expected_log_rising,
    generating_excess,
    log1p_gap,
    on_support,
    stirling_excess,
)


class Multinomial(ShareFamily):
    """``p(x) = n! / ∏ x_v! · ∏ p_v^{x_v}``, conditional on the row's total n = Σ x_v.

    The last axis of x and of the parameter is the event: the V categories. ``T = x``, ``η_v = log p_v``,
    ``log h = log n! − Σ log x_v!``; over-complete: per item ``A(η) = log Σ e^{η_v}``, which is 0 at every
    member.

    The total is read from each row, and is no parameter: it is an argument, ``total``, of the moments,
    entropies and of sampling (1 where it is left out: one item). Mean parameters are those of one item.
    Being conditional on the total, the density is not to be compared with a product of Poissons.
    """

    name: ClassVar[str] = "multinomial"
    column_kind: ClassVar[str] = "count"
    symbols: ClassVar[tuple[str, ...]] = ("p",)
    parameters: ClassVar[tuple[Parameter, ...]] = (Parameter("probabilities", "shares"),)
    given_total: ClassVar[bool] = True
    event_dims: ClassVar[int] = 1

    @classmethod
    def template(cls, shape: tuple[int, ...], categories: int) -> Self:
        """Equal probabilities of the categories."""
        return cls(xp.full((*shape, categories), 1.0 / categories))

    def _row(self, x: Float[Array, "... categories"]) -> tuple[Bool[Array, "..."], Float[Array, "..."]]:
        """Whether the whole row is supported, and the row (zeros where it is not)."""
        ok = xp.all(self.supports(x), axis=-1)
        return ok, xp.where(ok[..., None], x, 0.0)

    def log_prob(self, x: Float[Array, "... categories"]) -> Float[Array, "..."]:
        ok, counts = self._row(x)
        total = counts.sum(-1)
        # log n! − Σ log x! + Σ x log p, with the bulk cancelled: Σ_v deviance(x_v, n p_v) carries all of it
        bulk = deviance(counts, total[..., None] * self.probabilities).sum(-1)
        value = stirling_excess(total) - stirling_excess(counts).sum(-1) - bulk
        return on_support(ok, x.sum(-1), value)

    def supports(self, x: Float[Array, "... categories"]) -> Bool[Array, "... categories"]:
        return xp.isfinite(x) & (x >= 0) & (x == xp.floor(x))

    def sufficient_statistics(self, x: Float[Array, "... categories"]) -> Float[Array, "... categories"]:
        return self._row(x)[1]

    def log_base(self, x: Float[Array, "... categories"]) -> Float[Array, "..."]:
        _, counts = self._row(x)
        return special.gammaln(counts.sum(-1) + 1.0) - special.gammaln(counts + 1.0).sum(-1)

    def mean(self, total: Float[Array, "..."] | float = 1.0) -> Float[Array, "... categories"]:
        return xp.asarray(total)[..., None] * self.probabilities

    def variance(self, total: Float[Array, "..."] | float = 1.0) -> Float[Array, "... categories"]:
        return self.mean(total) * (1.0 - self.probabilities)

    def expected_log_base(self, total: Float[Array, "..."] | float = 1.0) -> Float[Array, "..."]:
        """``log n! − Σ_v E log x_v!``, with x_v binomial."""
        p = xp.asarray(self.probabilities)
        n = xp.asarray(total, p.dtype)[..., None] * xp.ones_like(p)

        def excess(u: Float[Array, " nodes"]) -> Float[Array, "..."]:
            pu = u.reshape((-1,) + (1,) * n.ndim) * p
            return generating_excess(n * pu, n * xp.log1p(-pu), -n * log1p_gap(-pu))

        return special.gammaln(n[..., 0] + 1.0) - expected_log_rising(excess, xp.ones_like(n)).sum(-1)

    def cross_entropy(
        self, other: Self, base: float | None = None, total: Float[Array, "..."] | float = 1.0
    ) -> Float[Array, "..."]:
        per_item = -special.xlogy(self.probabilities, other.probabilities).sum(-1)
        return in_base(total * per_item - self.expected_log_base(total), base)

    def entropy(self, base: float | None = None, total: Float[Array, "..."] | float = 1.0) -> Float[Array, "..."]:
        return self.cross_entropy(self, base, total)

    def kl_divergence(
        self, other: Self, base: float | None = None, total: Float[Array, "..."] | float = 1.0
    ) -> Float[Array, "..."]:
        p, q = xp.asarray(self.probabilities), xp.asarray(other.probabilities)
        return in_base(total * deviance(p, q).sum(-1), base)

    def sample(
        self,
        *,
        key: PRNGKeyArray,
        shape: tuple[int, ...] = (),
        total: Float[Array, "..."] | float = 1.0,
    ) -> Float[Array, "..."]:
        """Rows of counts ``[*shape, *batch, categories]``; ``total`` broadcasts to ``shape + batch``."""
        p = jnp.broadcast_to(self.probabilities, shape + self.probabilities.shape)
        n = jnp.broadcast_to(jnp.asarray(total, p.dtype), p.shape[:-1])
        return jax.random.multinomial(key, n, p, dtype=p.dtype)

    def draw(self, random: np.random.Generator, total: np.ndarray | None = None) -> np.ndarray:
        shares = np.asarray(self.probabilities)
        return draw_counts(shares / shares.sum(-1, keepdims=True), random, total)

    def seeding_features(self, x: Float[np.ndarray, "rows columns"]) -> Float[np.ndarray, "rows features"]:
        """The square roots of the shares."""
        return share_roots(x)


def draw_counts(
    shares: Float[np.ndarray, "... categories"], random: np.random.Generator, total: np.ndarray | None
) -> Float[np.ndarray, "... categories"]:
    """Rows of counts with these shares and totals (1 if None)."""
    total = np.ones(shares.shape[:-1]) if total is None else total
    return random.multinomial(total.astype(np.int64), shares).astype(np.float64)


def share_roots(x: Float[np.ndarray, "rows columns"]) -> Float[np.ndarray, "rows columns"]:
    """The square roots of what each count is of its row's total."""
    return np.sqrt(x / np.maximum(np.nansum(x, axis=1, keepdims=True), 1.0))
