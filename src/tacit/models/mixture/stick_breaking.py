"""Posteriors of a mixture's weights: a Dirichlet, or the sticks of a Dirichlet process.

    π ~ Dirichlet(α, …, α)                                      "dirichlet_distribution"
    π_k = v_k ∏_{j<k} (1 − v_j),   v_k ~ Beta(1, γ), k = 1, 2, …   "dirichlet_process" (Sethuraman 1994)

For the process q gives every row to one of the first K sticks, and the sticks beyond keep their prior: a bound on the
evidence of the process itself (Blei & Jordan 2006, with no stick fixed at 1).
"""

import abc
from typing import Self

import equinox as eqx
import jax.numpy as jnp
import numpy as np
from jax.scipy.special import betaln, digamma, xlog1py, xlogy
from jaxtyping import Bool, Float, Int

from tacit.compute import Array
from tacit.families.dirichlet import Dirichlet


class WeightPosterior(eqx.Module):
    """``q(π)`` of K components; those that are not active are padding, and stand last."""

    ordered: eqx.AbstractClassVar[bool]
    """Whether the order of the components is part of the model."""
    prior: eqx.AbstractVar[Float[Array, ""]]
    """α or γ."""

    @abc.abstractmethod
    def updated(self, counts: Float[Array, " components"], active: Bool[Array, " components"]) -> Self:
        """After rows with these expected counts."""

    @abc.abstractmethod
    def expected_log(self) -> Float[Array, " components"]:
        """``E log π_k``."""

    @property
    @abc.abstractmethod
    def counts(self) -> Float[Array, " components"]:
        """The expected rows of every component."""

    @abc.abstractmethod
    def mean(self) -> Float[Array, " components"]:
        """``E π_k``, shared out among the K components."""

    @abc.abstractmethod
    def kl_divergence(self) -> Float[Array, ""]:
        """``KL(q(π)‖p(π))``."""

    @abc.abstractmethod
    def take(self, order: Int[Array, " chosen"]) -> Self:
        """Components chosen and ordered by index."""

    @abc.abstractmethod
    def draw(self, number: int, random: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
        """Draws of π ``[number, K]`` from q, and ``log p(π) − log q(π)`` of each."""


class DirichletWeights(WeightPosterior):
    """``q(π) = Dirichlet(α + n)``; a concentration of 0 marks padding."""

    ordered = False

    concentrations: Float[Array, " components"]
    prior: Float[Array, ""]
    """α."""

    def updated(self, counts: Float[Array, " components"], active: Bool[Array, " components"]) -> Self:
        return type(self)(jnp.where(active, self.prior + counts, 0.0), self.prior)

    @property
    def counts(self) -> Float[Array, " components"]:
        return jnp.maximum(jnp.asarray(self.concentrations) - self.prior, 0.0)

    @property
    def _posterior(self) -> Dirichlet:
        return Dirichlet(self.concentrations)

    @property
    def _prior(self) -> Dirichlet:
        return Dirichlet(jnp.where(jnp.asarray(self.concentrations) > 0, self.prior, 0.0))

    def expected_log(self) -> Float[Array, " components"]:
        return self._posterior.expected_log()

    def mean(self) -> Float[Array, " components"]:
        return self._posterior.mean()

    def kl_divergence(self) -> Float[Array, ""]:
        return self._posterior.kl_divergence(self._prior)

    def take(self, order: Int[Array, " chosen"]) -> Self:
        return type(self)(self.concentrations[order], self.prior)

    def draw(self, number: int, random: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
        weights = random.dirichlet(np.asarray(self.concentrations), size=number)
        weights = np.maximum(weights, np.finfo(float).tiny)
        return weights, np.asarray(self._prior.log_prob(weights) - self._posterior.log_prob(weights))


class StickWeights(WeightPosterior):
    """``q(v_k) = Beta(1 + n_k, γ + n_{k+1} + … + n_K)``; heavier components come first, which raises the bound."""

    ordered = True

    ones: Float[Array, " components"]
    rest: Float[Array, " components"]
    prior: Float[Array, ""]
    """γ."""

    def updated(self, counts: Float[Array, " components"], active: Bool[Array, " components"]) -> Self:
        counts = jnp.where(active, counts, 0.0)
        after = jnp.cumsum(counts[::-1])[::-1] - counts
        return type(self)(1.0 + counts, self.prior + jnp.maximum(after, 0.0), self.prior)

    @property
    def counts(self) -> Float[Array, " components"]:
        return jnp.asarray(self.ones) - 1.0

    def expected_log(self) -> Float[Array, " components"]:
        total = digamma(self.ones + self.rest)
        left = jnp.cumsum(digamma(self.rest) - total)
        return digamma(self.ones) - total + jnp.concatenate([jnp.zeros(1), left[:-1]])

    def mean(self) -> Float[Array, " components"]:
        share = self.ones / (self.ones + self.rest)
        shares = share * jnp.concatenate([jnp.ones(1), jnp.cumprod(1.0 - share)[:-1]])
        return shares / shares.sum()

    def kl_divergence(self) -> Float[Array, ""]:
        total = digamma(self.ones + self.rest)
        inner = (self.ones - 1.0) * (digamma(self.ones) - total)
        inner = inner + (self.rest - self.prior) * (digamma(self.rest) - total)
        return jnp.sum(inner - betaln(self.ones, self.rest) + betaln(1.0, self.prior))

    def take(self, order: Int[Array, " chosen"]) -> Self:
        # what stands after a component has changed, and with it the best q of its stick
        return self.updated(self.ones[order] - 1.0, jnp.ones(np.size(order), bool))

    def draw(self, number: int, random: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
        a, b = np.asarray(self.ones), np.asarray(self.rest)
        v = np.clip(random.beta(a, b, size=(number, a.size)), np.finfo(float).tiny, 1.0 - np.finfo(float).epsneg)
        ratio = xlogy(1.0 - a, v) + xlog1py(self.prior - b, -v) + betaln(a, b) - betaln(1.0, self.prior)
        before = np.cumprod(np.concatenate([np.ones((number, 1)), 1.0 - v[:, :-1]], axis=1), axis=1)
        return v * before, np.asarray(ratio).sum(axis=1)
