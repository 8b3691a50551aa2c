"""Guides: the densities q(θ) over all parameters of a model that black-box inference moves (Ranganath et al. 2014).

A guide is a density on ℝᵈ; what the parameters' supports are is `tacit.inference.coordinates`' to know.
"""

import abc
from collections.abc import Sequence
from typing import Literal, Self

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Float, PRNGKeyArray

from tacit.compute import LOG_2PI, Array
from tacit.families.triangular import AutoregressiveFlow

GuideName = Literal["mean-field", "full-rank", "flow"]
GUIDES: tuple[GuideName, ...] = ("mean-field", "full-rank", "flow")
MOMENT_DRAWS = 4096
"""Draws by which a flow's mean and spread are known."""


class Guide(eqx.Module):
    """A density on ℝᵈ that is drawn from by moving standard normal noise."""

    @property
    @abc.abstractmethod
    def dims(self) -> int:
        """d."""

    @abc.abstractmethod
    def draw(self, key: PRNGKeyArray, number: int) -> tuple[Float[Array, "draws dims"], Float[Array, " draws"]]:
        """Draws, differentiable in the guide's parameters, and their log-density in nats."""

    @abc.abstractmethod
    def log_prob(self, theta: Float[Array, "*draws dims"]) -> Float[Array, "*draws"]:
        """``log q(θ)`` in nats."""

    @abc.abstractmethod
    def entropy(self) -> Float[Array, ""] | None:
        """``H(q)`` in nats where it has a closed form, else None."""

    @property
    @abc.abstractmethod
    def mean(self) -> Float[Array, " dims"]:
        """``E_q[θ]``."""

    @abc.abstractmethod
    def covariance(self) -> Float[Array, "dims dims"]:
        """``Cov_q[θ]``."""

    @property
    def scale(self) -> Float[Array, " dims"]:
        """Standard deviations of θ under q."""
        return jnp.sqrt(jnp.diagonal(self.covariance()))


class MeanField(Guide):
    """``∏_j N(θ_j; m_j, s_j²)``; the logarithms of the s_j are what is moved."""

    location: Float[Array, " dims"]
    log_scale: Float[Array, " dims"]

    @classmethod
    def around(cls, location: Float[Array, " dims"], scale: Float[Array, " dims"]) -> Self:
        """The guide with these means and standard deviations."""
        return cls(jnp.asarray(location), jnp.log(jnp.asarray(scale)))

    @property
    def dims(self) -> int:
        return self.location.shape[-1]

    def draw(self, key: PRNGKeyArray, number: int) -> tuple[Float[Array, "draws dims"], Float[Array, " draws"]]:
        noise = jax.random.normal(key, (number, self.dims), self.location.dtype)
        theta = self.location + jnp.exp(self.log_scale) * noise
        return theta, _white(noise) - self.log_scale.sum()

    def log_prob(self, theta: Float[Array, "*draws dims"]) -> Float[Array, "*draws"]:
        return _white((theta - self.location) * jnp.exp(-self.log_scale)) - self.log_scale.sum()

    def entropy(self) -> Float[Array, ""]:
        return self.log_scale.sum() + 0.5 * self.dims * (1.0 + LOG_2PI)

    @property
    def mean(self) -> Float[Array, " dims"]:
        return jnp.asarray(self.location)

    @property
    def scale(self) -> Float[Array, " dims"]:
        return jnp.exp(self.log_scale)

    def covariance(self) -> Float[Array, "dims dims"]:
        return jnp.diag(jnp.exp(2.0 * self.log_scale))


class FullRank(Guide):
    """``N(m, L Lᵀ)``; L is lower triangular, and the logarithms of its diagonal are what is moved."""

    location: Float[Array, " dims"]
    below: Float[Array, "dims dims"]
    """L below the diagonal; the logarithms of its diagonal on it; what is above does not count."""

    @classmethod
    def around(cls, location: Float[Array, " dims"], covariance: Float[Array, "dims dims"]) -> Self:
        """The guide with this mean and covariance."""
        factor = jnp.linalg.cholesky(jnp.asarray(covariance))
        logs = jnp.log(jnp.diagonal(factor))
        return cls(jnp.asarray(location), jnp.tril(factor, -1) + jnp.diag(logs))

    @property
    def dims(self) -> int:
        return self.location.shape[-1]

    @property
    def factor(self) -> Float[Array, "dims dims"]:
        """L."""
        return jnp.tril(self.below, -1) + jnp.diag(jnp.exp(jnp.diagonal(self.below)))

    def draw(self, key: PRNGKeyArray, number: int) -> tuple[Float[Array, "draws dims"], Float[Array, " draws"]]:
        noise = jax.random.normal(key, (number, self.dims), self.location.dtype)
        return self.location + noise @ self.factor.T, _white(noise) - jnp.trace(self.below)

    def log_prob(self, theta: Float[Array, "*draws dims"]) -> Float[Array, "*draws"]:
        centred = (theta - self.location).reshape(-1, self.dims)
        white = jax.scipy.linalg.solve_triangular(self.factor, centred.T, lower=True).T
        return (_white(white) - jnp.trace(self.below)).reshape(theta.shape[:-1])

    def entropy(self) -> Float[Array, ""]:
        return jnp.trace(self.below) + 0.5 * self.dims * (1.0 + LOG_2PI)

    @property
    def mean(self) -> Float[Array, " dims"]:
        return jnp.asarray(self.location)

    def covariance(self) -> Float[Array, "dims dims"]:
        return self.factor @ self.factor.T


class Flow(Guide):
    """A Gaussian of full rank moved by inverse autoregressive flow (Kingma et al. 2016): skew and curved posteriors.

    A draw is one pass of small networks; the density of a given θ takes one a dimension.
    """

    base: FullRank
    flow: AutoregressiveFlow

    @classmethod
    def around(
        cls,
        location: Float[Array, " dims"],
        covariance: Float[Array, "dims dims"],
        *,
        key: PRNGKeyArray,
        hidden: Sequence[int] = (32,),
        number: int = 4,
    ) -> Self:
        """A guide near this Gaussian."""
        base = FullRank.around(location, covariance)
        return cls(base, AutoregressiveFlow(base.dims, hidden, number, key=key))

    @property
    def dims(self) -> int:
        return self.base.dims

    def draw(self, key: PRNGKeyArray, number: int) -> tuple[Float[Array, "draws dims"], Float[Array, " draws"]]:
        noise = jax.random.normal(key, (number, self.dims), self.base.location.dtype)
        moved, log_det = self.flow.forward(noise)
        theta = self.base.location + moved @ self.base.factor.T
        return theta, _white(noise) - log_det - jnp.trace(self.base.below)

    def log_prob(self, theta: Float[Array, "*draws dims"]) -> Float[Array, "*draws"]:
        centred = (theta - self.base.location).reshape(-1, self.dims)
        moved = jax.scipy.linalg.solve_triangular(self.base.factor, centred.T, lower=True).T
        white, log_det = self.flow.backward(moved)
        return (_white(white) - log_det - jnp.trace(self.base.below)).reshape(theta.shape[:-1])

    def entropy(self) -> None:
        return None

    def _moments(self) -> Float[Array, "draws dims"]:
        return self.draw(jax.random.key(0), MOMENT_DRAWS)[0]

    @property
    def mean(self) -> Float[Array, " dims"]:
        return self._moments().mean(0)

    def covariance(self) -> Float[Array, "dims dims"]:
        return jnp.atleast_2d(jnp.cov(self._moments().T))


def guide_around(
    name: GuideName, location: Float[np.ndarray, " dims"], scale: Float[np.ndarray, " dims"], *, key: PRNGKeyArray
) -> Guide:
    """The guide of a name, begun as independent normal distributions."""
    if name == "mean-field":
        return MeanField.around(location, scale)
    covariance = np.diag(np.asarray(scale) ** 2)
    return FullRank.around(location, covariance) if name == "full-rank" else Flow.around(location, covariance, key=key)


def _white(noise: Float[Array, "*draws dims"]) -> Float[Array, "*draws"]:
    return -0.5 * (jnp.sum(noise**2, -1) + LOG_2PI * noise.shape[-1])
