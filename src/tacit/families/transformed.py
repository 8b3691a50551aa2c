"""Distributions of vectors that are drawn from by moving noise: white noise, and what bijections make of it."""

import abc

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Float, PRNGKeyArray

from tacit.compute import LOG_2PI, Array
from tacit.families.bijections import Affine, Bijection, DiagonalAffine

Drawn = tuple[Float[Array, "draws *rows dims"], Float[Array, "draws *rows"]]
MOMENT_DRAWS = 64
"""By which mean and spread are known where they are not closed."""


class Reparameterised(eqx.Module):
    """A batch of distributions, as functions of noise whose law is the same for all of them.

    Parameters lead with the axes ``*rows`` of the batch, which may be none; draws with one more before those.
    """

    @abc.abstractmethod
    def noise(self, key: PRNGKeyArray, number: int, *, shared: bool = False) -> Array:
        """Noise ``[number, *rows, ...]``, or with one row for all of them."""

    @abc.abstractmethod
    def moved(self, noise: Float[Array, "draws ..."]) -> Drawn:
        """The draws that noise stands for, and ``log q`` of them ``[draws, *rows]``, without an inverse."""

    @abc.abstractmethod
    def log_prob(self, z: Float[Array, "... dims"]) -> Float[Array, "..."]:
        """``log q(z)`` in nats."""

    @property
    @abc.abstractmethod
    def mean(self) -> Float[Array, "*rows dims"]:
        """``E[z]``."""

    @property
    @abc.abstractmethod
    def scale(self) -> Float[Array, "*rows dims"]:
        """The standard deviation of every dimension."""

    def entropy(self) -> Float[Array, "*rows"] | None:
        """``H(q)`` in nats, where it has a closed form."""
        return None

    def kl_standard(self, log_scale: Float[Array, ""]) -> Float[Array, "*rows dims"] | None:
        """``KL(q ‖ N(0, s² I))`` of every dimension given the ones before it, where it has a closed form."""
        return None

    def log_prob_each(self, z: Float[Array, "... dims"]) -> Float[Array, "... dims"] | None:
        """``log q(z_j)`` of every dimension, where these are independent."""
        return None

    def draw(self, key: PRNGKeyArray, number: int) -> Drawn:
        """Draws, differentiable in the parameters, and ``log q`` of them."""
        return self.moved(self.noise(key, number))

    def sample(self, key: PRNGKeyArray, number: int) -> Float[Array, "draws *rows dims"]:
        """Draws alone."""
        return self.draw(key, number)[0]


def white_log_prob(noise: Float[Array, "... dims"]) -> Float[Array, "..."]:
    """``log N(ε; 0, I)``."""
    return -0.5 * (jnp.sum(noise**2, -1) + LOG_2PI * noise.shape[-1])


class WhiteNoise(Reparameterised):
    """``N(0, I)``."""

    dims: int = eqx.field(static=True)

    def noise(self, key: PRNGKeyArray, number: int, *, shared: bool = False) -> Array:
        return jax.random.normal(key, (number, self.dims))

    def moved(self, noise: Float[Array, "draws ..."]) -> Drawn:
        return noise, white_log_prob(noise)

    def log_prob(self, z: Float[Array, "... dims"]) -> Float[Array, "..."]:
        return white_log_prob(z)

    @property
    def mean(self) -> Float[Array, "*rows dims"]:
        return jnp.zeros(self.dims)

    @property
    def scale(self) -> Float[Array, "*rows dims"]:
        return jnp.ones(self.dims)


class Gaussian(Reparameterised):
    """White noise moved by an affine map, ``N(m, L Lᵀ)``, and all that is closed about it."""

    map: Affine

    def noise(self, key: PRNGKeyArray, number: int, *, shared: bool = False) -> Array:
        *rows, dims = self.mean.shape
        return jax.random.normal(key, (number, *([1] * len(rows) if shared else rows), dims), self.mean.dtype)

    def moved(self, noise: Float[Array, "draws ..."]) -> Drawn:
        z, log_det = self.map.forward(noise)
        return z, white_log_prob(noise) - log_det

    def log_prob(self, z: Float[Array, "... dims"]) -> Float[Array, "..."]:
        return self._log_prob_in_turn(z).sum(-1)

    def log_prob_each(self, z: Float[Array, "... dims"]) -> Float[Array, "... dims"] | None:
        return self._log_prob_in_turn(z) if isinstance(self.map, DiagonalAffine) else None

    def _log_prob_in_turn(self, z: Float[Array, "... dims"]) -> Float[Array, "... dims"]:
        """Of every dimension given the ones before it."""
        white, _ = self.map.inverse(z)
        return -0.5 * (white**2 + LOG_2PI) - self.map.log_scale

    def kl_standard(self, log_scale: Float[Array, ""]) -> Float[Array, "*rows dims"]:
        # ½((σ² + μ²)/s² − 1) − log σ/s; of dependent dimensions σ² is the variance, and log σ the diagonal of L
        square = self.map.variance(log_scale) + self.mean**2 * jnp.exp(-2.0 * log_scale)
        return 0.5 * (square - 1.0) - self.map.log_scale + log_scale

    @property
    def mean(self) -> Float[Array, "*rows dims"]:
        return jnp.asarray(self.map.shift)

    @property
    def scale(self) -> Float[Array, "*rows dims"]:
        return self.map.scale

    def covariance(self) -> Float[Array, "*rows dims dims"]:
        """``L Lᵀ``."""
        return self.map.factor @ self.map.factor.mT

    def entropy(self) -> Float[Array, "*rows"]:
        return self.map.log_det + 0.5 * self.mean.shape[-1] * (1.0 + LOG_2PI)


class Transformed(Reparameterised):
    """A distribution moved by a bijection: ``log q(y) = log p(x) − log |∂y/∂x|``.

    The batch is the base's: parameters of the bijection and what it is given broadcast against it. Mean and spread are
    those of some fixed draws.
    """

    base: Reparameterised
    bijection: Bijection
    given: Float[Array, "*rows conditions"] | None = None
    """What the bijection is given."""
    moment_draws: int = eqx.field(static=True, default=MOMENT_DRAWS)

    def noise(self, key: PRNGKeyArray, number: int, *, shared: bool = False) -> Array:
        return self.base.noise(key, number, shared=shared)

    def moved(self, noise: Float[Array, "draws ..."]) -> Drawn:
        x, log_prob = self.base.moved(noise)
        y, log_det = self.bijection.forward(x, self.given)
        return y, log_prob - log_det

    def log_prob(self, z: Float[Array, "... dims"]) -> Float[Array, "..."]:
        x, log_det = self.bijection.inverse(z, self.given)
        return self.base.log_prob(x) + log_det

    def _draws(self) -> Float[Array, "draws *rows dims"]:
        return self.moved(self.noise(jax.random.key(0), self.moment_draws, shared=True))[0]

    @property
    def mean(self) -> Float[Array, "*rows dims"]:
        return self._draws().mean(0)

    @property
    def scale(self) -> Float[Array, "*rows dims"]:
        return self._draws().std(0)

    def covariance(self) -> Float[Array, "*rows dims dims"]:
        """``Cov[y]``."""
        apart = self._draws() - self.mean
        return jnp.einsum("s...i,s...j->...ij", apart, apart) / self.moment_draws
