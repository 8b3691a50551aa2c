"""What q(z|x) may be: how an encoder's outputs are read as a density of z, and how z is drawn from it."""

import abc

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Float, PRNGKeyArray

from tacit.compute import LOG_2PI, Array

LOG_SCALES = (-9.0, 3.0)
"""Between these the logarithms of scales are kept, smoothly at neither end: a network never leaves them in earnest."""


class Gaussian(eqx.Module):
    """``N(μ, diag σ²)``, a batch of rows ``[rows, dims]``."""

    mean: Float[Array, "rows dims"]
    log_scale: Float[Array, "rows dims"]

    def sample(self, key: PRNGKeyArray, number: int) -> Float[Array, "draws rows dims"]:
        """``z = μ + σ ε``."""
        noise = jax.random.normal(key, (number, *self.mean.shape), self.mean.dtype)
        return self.mean + jnp.exp(self.log_scale) * noise

    def log_prob_each(self, z: Float[Array, "..."]) -> Float[Array, "..."]:
        """``log q(z_j|x)`` of every dimension."""
        white = (z - self.mean) * jnp.exp(-self.log_scale)
        return -0.5 * (white**2 + LOG_2PI) - self.log_scale

    def log_prob(self, z: Float[Array, "... #rows dims"]) -> Float[Array, "..."]:
        """``log q(z|x)``."""
        return self.log_prob_each(z).sum(-1)

    def kl_standard(self, log_scale: Float[Array, ""]) -> Float[Array, "rows dims"]:
        """``KL(q ‖ N(0, s²))`` of every dimension: ``½((σ² + μ²)/s² − 1) − log σ/s``."""
        variance = jnp.exp(2.0 * (self.log_scale - log_scale))
        return 0.5 * (variance + self.mean**2 * jnp.exp(-2.0 * log_scale) - 1.0) - self.log_scale + log_scale

    @property
    def scale(self) -> Float[Array, "rows dims"]:
        """σ."""
        return jnp.exp(self.log_scale)

    def moved(self, noise: Float[Array, "... #rows dims"]) -> Float[Array, "..."]:
        """The draws that standard noise stands for: the same noise for every row."""
        return self.mean + self.scale * noise


class FullGaussian(eqx.Module):
    """``N(μ, L Lᵀ)`` with a Cholesky factor a row."""

    mean: Float[Array, "rows dims"]
    factor: Float[Array, "rows dims dims"]

    def sample(self, key: PRNGKeyArray, number: int) -> Float[Array, "draws rows dims"]:
        """``z = μ + L ε``."""
        noise = jax.random.normal(key, (number, *self.mean.shape), self.mean.dtype)
        return self.moved(noise)

    def moved(self, noise: Float[Array, "... #rows dims"]) -> Float[Array, "..."]:
        """The draws that standard noise stands for."""
        noise = jnp.broadcast_to(noise, (*noise.shape[:-2], *self.mean.shape))
        return self.mean + jnp.einsum("nij,...nj->...ni", self.factor, noise)

    def log_prob(self, z: Float[Array, "... #rows dims"]) -> Float[Array, "..."]:
        """``log q(z|x)``."""
        gap = jnp.broadcast_to(z - self.mean, z.shape)
        white = jnp.vectorize(_forward, signature="(d,d),(d)->(d)")(self.factor, gap)
        log_det = jnp.log(jnp.diagonal(self.factor, axis1=-2, axis2=-1)).sum(-1)
        return -0.5 * (jnp.sum(white**2, -1) + LOG_2PI * z.shape[-1]) - log_det

    def kl_standard(self, log_scale: Float[Array, ""]) -> Float[Array, "rows dims"]:
        """``KL(q ‖ N(0, s² I))``, cut by the chain rule: each dimension given the ones before it, along L."""
        square = jnp.sum(self.factor**2, -1) + self.mean**2
        log_diagonal = jnp.log(jnp.diagonal(self.factor, axis1=-2, axis2=-1))
        return 0.5 * (square * jnp.exp(-2.0 * log_scale) - 1.0) - log_diagonal + log_scale

    @property
    def scale(self) -> Float[Array, "rows dims"]:
        """The standard deviation of every dimension."""
        return jnp.sqrt(jnp.sum(self.factor**2, -1))


def _forward(factor: Array, gap: Array) -> Array:
    return jax.scipy.linalg.solve_triangular(factor, gap, lower=True)


class PointMass(eqx.Module):
    """All mass at one point: the plain auto-encoder, which has no density of z and no bound on log p(x)."""

    mean: Float[Array, "rows dims"]

    def sample(self, key: PRNGKeyArray, number: int) -> Float[Array, "draws rows dims"]:
        """The point, as often as asked."""
        return self.moved(jnp.zeros((number, 1, self.mean.shape[-1]), self.mean.dtype))

    def moved(self, noise: Float[Array, "... #rows dims"]) -> Float[Array, "..."]:
        """The point, whatever the noise."""
        return jnp.broadcast_to(self.mean, (*noise.shape[:-2], *self.mean.shape))

    def log_prob(self, z: Float[Array, "... #rows dims"]) -> Float[Array, "..."]:
        """0: the infinite constant is left out."""
        return jnp.zeros(z.shape[:-1], z.dtype)

    def kl_standard(self, log_scale: Float[Array, ""]) -> Float[Array, "rows dims"]:
        """0: an auto-encoder pays nothing for its codes."""
        return jnp.zeros_like(self.mean)

    @property
    def scale(self) -> Float[Array, "rows dims"]:
        """0."""
        return jnp.zeros_like(self.mean)


class Posterior(eqx.Module):
    """How many outputs an encoder has, and how they are read."""

    @abc.abstractmethod
    def outputs(self, latent: int) -> int:
        """The length of the encoder's output."""

    @abc.abstractmethod
    def read(self, outputs: Float[Array, "rows outputs"]) -> Gaussian | FullGaussian | PointMass:
        """The densities of a batch of rows."""


def _bounded(log_scale: Float[Array, "..."]) -> Float[Array, "..."]:
    return jnp.clip(log_scale, *LOG_SCALES)


class Diagonal(Posterior):
    """Independent dimensions: means, then log-scales."""

    def outputs(self, latent: int) -> int:
        return 2 * latent

    def read(self, outputs: Float[Array, "rows outputs"]) -> Gaussian:
        mean, log_scale = jnp.split(outputs, 2, axis=-1)
        return Gaussian(mean, _bounded(log_scale))


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
        scale = jnp.exp(_bounded(diagonal))
        factor = factor.at[..., jnp.arange(latent), jnp.arange(latent)].set(scale)
        # in units of the row's scale, so that the outputs are of one size
        return FullGaussian(mean, factor.at[..., rows, columns].set(below * scale[..., rows]))


class Point(Posterior):
    """A point."""

    def outputs(self, latent: int) -> int:
        return latent

    def read(self, outputs: Float[Array, "rows outputs"]) -> PointMass:
        return PointMass(outputs)


POSTERIORS: dict[str, type[Posterior]] = {"diagonal": Diagonal, "full": Full, "point": Point}
