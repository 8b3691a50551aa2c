"""What q(z|x) may be: how an encoder's outputs are read as a density of z, and how z is drawn from it."""

import abc
from typing import ClassVar

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Float, PRNGKeyArray

from tacit.compute import LOG_2PI, Array
from tacit.models.vae.bounded import bounded


class Density(eqx.Module):
    """``q(z|x)`` of a batch of rows, as a function of noise whose law is the same for every row."""

    @abc.abstractmethod
    def noise(self, key: PRNGKeyArray, number: int, *, shared: bool = False) -> Array:
        """Noise ``[number, rows, ...]``, or with one row for all of them."""

    @abc.abstractmethod
    def moved(self, noise: Float[Array, "draws #rows ..."]) -> tuple[Float[Array, "draws rows dims"], Array]:
        """The draws that noise stands for, and ``log q(z|x)`` of them ``[draws, rows]``."""

    @abc.abstractmethod
    def log_prob(self, z: Float[Array, "... #rows dims"]) -> Float[Array, "..."]:
        """``log q(z|x)``."""

    @property
    @abc.abstractmethod
    def scale(self) -> Float[Array, "*rows dims"]:
        """The standard deviation of every dimension."""

    def draw(
        self, key: PRNGKeyArray, number: int
    ) -> tuple[Float[Array, "draws rows dims"], Float[Array, "draws rows"]]:
        """Draws, differentiable in the density's parameters, and ``log q(z|x)`` of them."""
        return self.moved(self.noise(key, number))

    def sample(self, key: PRNGKeyArray, number: int) -> Float[Array, "draws rows dims"]:
        """Draws alone."""
        return self.draw(key, number)[0]


def white_log_prob(noise: Float[Array, "... dims"]) -> Float[Array, "..."]:
    """``log N(ε; 0, I)``."""
    return -0.5 * (jnp.sum(noise**2, -1) + LOG_2PI * noise.shape[-1])


class Centred(Density):
    """A density with its mean as a parameter, moved from standard normal noise."""

    mean: Float[Array, "*rows dims"]

    def noise(self, key: PRNGKeyArray, number: int, *, shared: bool = False) -> Array:
        *rows, dims = self.mean.shape
        return jax.random.normal(key, (number, *([1] if shared else rows), dims), self.mean.dtype)


class Gaussian(Centred):
    """``N(μ, diag σ²)``, a batch of rows ``[rows, dims]``: ``z = μ + σ ε``."""

    log_scale: Float[Array, "*rows dims"]

    def moved(self, noise: Float[Array, "draws #rows dims"]) -> tuple[Float[Array, "draws rows dims"], Array]:
        return self.mean + self.scale * noise, white_log_prob(noise) - self.log_scale.sum(-1)

    def log_prob_each(self, z: Float[Array, "..."]) -> Float[Array, "..."]:
        """``log q(z_j|x)`` of every dimension."""
        white = (z - self.mean) * jnp.exp(-self.log_scale)
        return -0.5 * (white**2 + LOG_2PI) - self.log_scale

    def log_prob(self, z: Float[Array, "... #rows dims"]) -> Float[Array, "..."]:
        return self.log_prob_each(z).sum(-1)

    def kl_standard(self, log_scale: Float[Array, ""]) -> Float[Array, "rows dims"]:
        """``KL(q ‖ N(0, s²))`` of every dimension: ``½((σ² + μ²)/s² − 1) − log σ/s``."""
        variance = jnp.exp(2.0 * (self.log_scale - log_scale))
        return 0.5 * (variance + self.mean**2 * jnp.exp(-2.0 * log_scale) - 1.0) - self.log_scale + log_scale

    @property
    def scale(self) -> Float[Array, "*rows dims"]:
        return jnp.exp(self.log_scale)


class FullGaussian(Centred):
    """``N(μ, L Lᵀ)`` with a Cholesky factor a row: ``z = μ + L ε``."""

    factor: Float[Array, "rows dims dims"]

    def moved(self, noise: Float[Array, "draws #rows dims"]) -> tuple[Float[Array, "draws rows dims"], Array]:
        noise = jnp.broadcast_to(noise, (*noise.shape[:-2], *self.mean.shape))
        z = self.mean + jnp.einsum("nij,...nj->...ni", self.factor, noise)
        return z, white_log_prob(noise) - self._log_diagonal.sum(-1)

    def log_prob(self, z: Float[Array, "... #rows dims"]) -> Float[Array, "..."]:
        white = jnp.vectorize(_forward, signature="(d,d),(d)->(d)")(self.factor, z - self.mean)
        return white_log_prob(white) - self._log_diagonal.sum(-1)

    def kl_standard(self, log_scale: Float[Array, ""]) -> Float[Array, "rows dims"]:
        """``KL(q ‖ N(0, s² I))``, cut by the chain rule: each dimension given the ones before it, along L."""
        square = jnp.sum(self.factor**2, -1) + self.mean**2
        return 0.5 * (square * jnp.exp(-2.0 * log_scale) - 1.0) - self._log_diagonal + log_scale

    @property
    def _log_diagonal(self) -> Float[Array, "rows dims"]:
        return jnp.log(jnp.diagonal(self.factor, axis1=-2, axis2=-1))

    @property
    def scale(self) -> Float[Array, "rows dims"]:
        return jnp.sqrt(jnp.sum(self.factor**2, -1))


def _forward(factor: Array, gap: Array) -> Array:
    return jax.scipy.linalg.solve_triangular(factor, gap, lower=True)


class PointMass(Centred):
    """All mass at one point: the plain auto-encoder, which has no density of z and no bound on log p(x).

    The infinite constant of ``log q`` is left out, and nothing is paid for codes.
    """

    def moved(self, noise: Float[Array, "draws #rows dims"]) -> tuple[Float[Array, "draws rows dims"], Array]:
        z = jnp.broadcast_to(self.mean, (noise.shape[0], *self.mean.shape))
        return z, self.log_prob(z)

    def log_prob(self, z: Float[Array, "... #rows dims"]) -> Float[Array, "..."]:
        return jnp.zeros(z.shape[:-1], z.dtype)

    def kl_standard(self, log_scale: Float[Array, ""]) -> Float[Array, "rows dims"]:
        """0."""
        return jnp.zeros_like(self.mean)

    @property
    def scale(self) -> Float[Array, "rows dims"]:
        return jnp.zeros_like(self.mean)


class Posterior(eqx.Module):
    """How many outputs an encoder has, and how they are read.

    ``latent`` is what the user counts: dimensions of z, or the discrete variables that z is made of.
    """

    likelihood: ClassVar[bool] = True
    """Whether q is a density, so that there is a bound on log p(x)."""
    continuous: ClassVar[bool] = True
    """Whether z may be moved along the line."""

    @abc.abstractmethod
    def outputs(self, latent: int) -> int:
        """The length of the encoder's output."""

    @abc.abstractmethod
    def read(self, outputs: Float[Array, "rows outputs"]) -> Density:
        """The densities of a batch of rows."""

    def width(self, latent: int) -> int:
        """Numbers of one z."""
        return latent

    def visible(self, latent: int) -> int:
        """How many of them, from the first, the decoder sees."""
        return self.width(latent)

    def begun(self, outputs: Float[Array, "rows outputs"]) -> "Posterior":
        """The same, settled by what the fresh encoder says of some rows."""
        return self


class Diagonal(Posterior):
    """Independent dimensions: means, then log-scales."""

    def outputs(self, latent: int) -> int:
        return 2 * latent

    def read(self, outputs: Float[Array, "rows outputs"]) -> Gaussian:
        mean, log_scale = jnp.split(outputs, 2, axis=-1)
        return Gaussian(mean, bounded(log_scale))


class Full(Posterior):
    """A full covariance: means, log-diagonal of the Cholesky factor, then what lies below it."""

    def outputs(self, latent: int) -> int:
        return 2 * latent + latent * (latent - 1) // 2

    def read(self, outputs: Float[Array, "rows outputs"]) -> FullGaussian:
        total = outputs.shape[-1]
        latent = next(d for d in range(1, total + 1) if self.outputs(d) == total)
        mean, diagonal, below = jnp.split(outputs, (latent, 2 * latent), axis=-1)
        factor = jnp.zeros((*outputs.shape[:-1], latent, latent), outputs.dtype)
        rows, columns = jnp.tril_indices(latent, -1)
        scale = jnp.exp(bounded(diagonal))
        factor = factor.at[..., jnp.arange(latent), jnp.arange(latent)].set(scale)
        # in units of the row's scale, so that the outputs are of one size
        return FullGaussian(mean, factor.at[..., rows, columns].set(below * scale[..., rows]))


class Point(Posterior):
    """A point."""

    likelihood: ClassVar[bool] = False

    def outputs(self, latent: int) -> int:
        return latent

    def read(self, outputs: Float[Array, "rows outputs"]) -> PointMass:
        return PointMass(outputs)
