"""The Dirichlet distribution of a vector of probabilities (the weights of a mixture, a table's rows)."""

import math
from typing import ClassVar, Self

from jaxtyping import Float

from tacit.arrays import Pytree, softmax, special, xp
from tacit.compute import Array
from tacit.engine import PRNGKeyArray, jax, jnp
from tacit.families.base import in_base
from tacit.families.numeric import log_beta, ratio, tiny
from tacit.spaces import Spaces


class Dirichlet(Pytree):
    """``p(π) = Γ(Σα)/∏Γ(α_l) · ∏ π_l^{α_l − 1}``, a density on the simplex (with respect to π_1 … π_{L−1}).

    The last axis holds the levels. α_l = 0 says that level l is impossible (padding): its probability is 0,
    and the rest is the Dirichlet of the other levels. At least one α_l is positive.
    """

    spaces: ClassVar[Spaces] = {"concentrations": "not negative"}

    concentrations: Float[Array, "... levels"]

    def _possible(self, values: Float[Array, "... levels"], otherwise: float = 0.0) -> Float[Array, "... levels"]:
        return xp.where(self.concentrations > 0, values, otherwise)

    def _safe(self) -> Float[Array, "... levels"]:
        """The concentrations, with 1 in place of 0 so that nothing unused is infinite."""
        return self._possible(xp.asarray(self.concentrations), 1.0)

    @property
    def total(self) -> Float[Array, "..."]:
        """Σα."""
        return xp.asarray(self.concentrations).sum(-1)

    @property
    def log_normalizer(self) -> Float[Array, "..."]:
        """``log B(α) = Σ log Γ(α_l) − log Γ(Σα)``."""
        return log_beta(self.concentrations)

    def log_prob(self, probabilities: Float[Array, "... levels"]) -> Float[Array, "..."]:
        """Log-density at π on the simplex, in nats."""
        exponent = self._possible(self._safe() - 1.0)
        return special.xlogy(exponent, probabilities).sum(-1) - self.log_normalizer

    def posterior(self, counts: Float[Array, "... levels"]) -> Self:
        """After (expected) counts of the levels; impossible levels stay impossible."""
        return type(self)(self._possible(self.concentrations + counts))

    def log_evidence(self, counts: Float[Array, "... levels"]) -> Float[Array, "..."]:
        """``log ∫ p(π) ∏ π^{counts} dπ``: of one sequence of draws with these counts."""
        return self.posterior(counts).log_normalizer - self.log_normalizer

    def mean(self) -> Float[Array, "... levels"]:
        """``E π = α/Σα``."""
        return self.concentrations / self.total[..., None]

    def mode(self) -> Float[Array, "... levels"]:
        """``(α_l − 1)/Σ(α − 1)``, what MAP weights are; levels with α_l ≤ 1 get 0.

        Where no α_l exceeds 1 the density has no single peak inside, and the mean is returned.
        """
        above = xp.maximum(self.concentrations - 1.0, 0.0)
        total = above.sum(-1, keepdims=True)
        return xp.where(total > 0, ratio(above, total), self.mean())

    def expected_log(self) -> Float[Array, "... levels"]:
        """``E log π_l = ψ(α_l) − ψ(Σα)``; the log of the smallest number where the level is impossible."""
        values = special.digamma(self._safe()) - special.digamma(self.total)[..., None]
        return self._possible(values, math.log(tiny(values)))

    def entropy(self, base: float | None = None) -> Float[Array, "..."]:
        """``−E log p(π)``, negative where the density is narrow."""
        inner = (self._possible(self._safe() - 1.0) * self._possible(self.expected_log())).sum(-1)
        return in_base(self.log_normalizer - inner, base)

    def kl_divergence(self, other: Self, base: float | None = None) -> Float[Array, "..."]:
        """``KL(self‖other)``; both must find the same levels possible."""
        inner = ((self.concentrations - other.concentrations) * self._possible(self.expected_log())).sum(-1)
        return in_base(other.log_normalizer - self.log_normalizer + inner, base)

    def sample(self, *, key: PRNGKeyArray, shape: tuple[int, ...] = ()) -> Float[Array, "... levels"]:
        """Draws of π, of shape ``shape + batch + (levels,)``."""
        a = self._safe()
        logs = self._possible(jax.random.loggamma(key, a, shape + a.shape, a.dtype), -jnp.inf)
        return softmax(logs)
