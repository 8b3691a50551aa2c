"""Posteriors of a mixture's weights: a Dirichlet, or the sticks of a Dirichlet process.

    π ~ Dirichlet(α, …, α)                                      "dirichlet_distribution"
    π_k = v_k ∏_{j<k} (1 − v_j),   v_k ~ Beta(1, γ), k = 1, 2, …   "dirichlet_process" (Sethuraman 1994)

For the process q gives every row to one of the first K sticks, and the sticks beyond keep their prior: a bound on the
evidence of the process itself (Blei & Jordan 2006, with no stick fixed at 1).
"""

import abc
from typing import TYPE_CHECKING, ClassVar, Self

import numpy as np
from jaxtyping import Bool, Float, Int

from tacit.arrays import Pytree, chosen, special, xp
from tacit.compute import Array
from tacit.families.dirichlet import Dirichlet
from tacit.families.numeric import log_beta
from tacit.spaces import Spaces


class WeightPosterior(Pytree):
    """``q(π)`` of K components; those that are not active are padding, and stand last."""

    ordered: ClassVar[bool]
    """Whether the order of the components is part of the model."""
    if TYPE_CHECKING:

        @property
        def prior(self) -> Float[Array, "*starts"]:
            """α or γ."""

    @abc.abstractmethod
    def updated(self, counts: Float[Array, "*starts components"], active: Bool[Array, "*starts components"]) -> Self:
        """After rows with these expected counts."""

    @abc.abstractmethod
    def expected_log(self) -> Float[Array, "*starts components"]:
        """``E log π_k``."""

    @property
    @abc.abstractmethod
    def counts(self) -> Float[Array, "*starts components"]:
        """The expected rows of every component."""

    @abc.abstractmethod
    def mean(self) -> Float[Array, "*starts components"]:
        """``E π_k``, shared out among the K components."""

    @abc.abstractmethod
    def kl_divergence(self) -> Float[Array, "*starts"]:
        """``KL(q(π)‖p(π))``."""

    @abc.abstractmethod
    def take(self, order: Int[Array, "*starts chosen"]) -> Self:
        """Components chosen and ordered by index."""

    @abc.abstractmethod
    def draw(self, number: int, random: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
        """Draws of π ``[number, K]`` from q, and ``log p(π) − log q(π)`` of each."""


class DirichletWeights(WeightPosterior):
    """``q(π) = Dirichlet(α + n)``; a concentration of 0 marks padding."""

    spaces: ClassVar[Spaces] = {"concentrations": "positive", "prior": "positive"}

    ordered = False

    concentrations: Float[Array, " components"]
    prior: Float[Array, ""]
    """α."""

    def updated(self, counts: Float[Array, "*starts components"], active: Bool[Array, "*starts components"]) -> Self:
        return type(self)(xp.where(active, self.prior[..., None] + counts, 0.0), self.prior)

    @property
    def counts(self) -> Float[Array, "*starts components"]:
        return xp.maximum(self.concentrations - self.prior[..., None], 0.0)

    @property
    def _posterior(self) -> Dirichlet:
        return Dirichlet(self.concentrations)

    @property
    def _prior(self) -> Dirichlet:
        return Dirichlet(xp.where(self.concentrations > 0, self.prior[..., None], 0.0))

    def expected_log(self) -> Float[Array, "*starts components"]:
        return self._posterior.expected_log()

    def mean(self) -> Float[Array, "*starts components"]:
        return self._posterior.mean()

    def kl_divergence(self) -> Float[Array, "*starts"]:
        return self._posterior.kl_divergence(self._prior)

    def take(self, order: Int[Array, "*starts chosen"]) -> Self:
        return type(self)(chosen(self.concentrations, order), self.prior)

    def draw(self, number: int, random: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
        weights = random.dirichlet(np.asarray(self.concentrations), size=number)
        weights = np.maximum(weights, np.finfo(float).tiny)
        return weights, np.asarray(self._prior.log_prob(weights) - self._posterior.log_prob(weights))


class StickWeights(WeightPosterior):
    """``q(v_k) = Beta(1 + n_k, γ + n_{k+1} + … + n_K)``; heavier components come first, which raises the bound."""

    spaces: ClassVar[Spaces] = {"ones": "positive", "rest": "positive", "prior": "positive"}

    ordered = True

    ones: Float[Array, " components"]
    rest: Float[Array, " components"]
    prior: Float[Array, ""]
    """γ."""

    def updated(self, counts: Float[Array, "*starts components"], active: Bool[Array, "*starts components"]) -> Self:
        counts = xp.where(active, counts, 0.0)
        after = xp.cumsum(counts[..., ::-1], axis=-1)[..., ::-1] - counts
        return type(self)(1.0 + counts, self.prior[..., None] + xp.maximum(after, 0.0), self.prior)

    @property
    def counts(self) -> Float[Array, "*starts components"]:
        return self.ones - 1.0

    def expected_log(self) -> Float[Array, "*starts components"]:
        total = special.digamma(self.ones + self.rest)
        left = xp.cumsum(special.digamma(self.rest) - total, axis=-1)
        before = xp.concatenate([xp.zeros_like(left[..., :1]), left[..., :-1]], axis=-1)
        return special.digamma(self.ones) - total + before

    def mean(self) -> Float[Array, "*starts components"]:
        share = self.ones / (self.ones + self.rest)
        before = xp.concatenate([xp.ones_like(share[..., :1]), xp.cumprod(1.0 - share, axis=-1)[..., :-1]], axis=-1)
        shares = share * before
        return shares / shares.sum(-1, keepdims=True)

    def kl_divergence(self) -> Float[Array, "*starts"]:
        total = special.digamma(self.ones + self.rest)
        inner = (self.ones - 1.0) * (special.digamma(self.ones) - total)
        prior = self.prior[..., None]
        inner = inner + (self.rest - prior) * (special.digamma(self.rest) - total)
        own, first = log_beta(xp.stack([self.ones, self.rest], axis=-1)), -xp.log(prior)  # B(1, γ) = 1/γ
        return (inner - own + first).sum(-1)

    def take(self, order: Int[Array, "*starts chosen"]) -> Self:
        # what stands after a component has changed, and with it the best q of its stick
        return self.updated(chosen(self.ones, order) - 1.0, np.ones(order.shape, bool))

    def draw(self, number: int, random: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
        a, b = np.asarray(self.ones), np.asarray(self.rest)
        v = np.clip(random.beta(a, b, size=(number, a.size)), np.finfo(float).tiny, 1.0 - np.finfo(float).epsneg)
        ratio = (
            special.xlogy(1.0 - a, v) + special.xlog1py(self.prior - b, -v) + special.betaln(a, b) + np.log(self.prior)
        )
        before = np.cumprod(np.concatenate([np.ones((number, 1)), 1.0 - v[:, :-1]], axis=1), axis=1)
        return v * before, np.asarray(ratio).sum(axis=1)
