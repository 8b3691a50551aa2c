"""What q(z|x) may be: how an encoder's outputs are read as a density of z, and how z is drawn from it."""

import abc
from collections.abc import Sequence
from typing import ClassVar

import equinox as eqx
import jax.numpy as jnp
from jaxtyping import Float, PRNGKeyArray

from tacit.arrays import static
from tacit.compute import Array
from tacit.families.bijections import Bijection, DiagonalAffine, TriangularAffine
from tacit.families.scalar_maps import spline_after_affine
from tacit.families.transformed import Gaussian, Reparameterised, Transformed
from tacit.families.triangular import AutoregressiveFlow, TriangularSteps
from tacit.models.vae.networks import bounded


class PointMass(Reparameterised):
    """All mass at one point: the plain auto-encoder, which has no density of z and no bound on log p(x).

    The infinite constant of ``log q`` is left out, and nothing is paid for codes.
    """

    at: Float[Array, "rows dims"]

    def noise(self, key: PRNGKeyArray, number: int, *, shared: bool = False) -> Array:
        return jnp.zeros((number, 1 if shared else self.at.shape[0]))

    def moved(self, noise: Float[Array, "draws #rows"]) -> tuple[Float[Array, "draws rows dims"], Array]:
        z = jnp.broadcast_to(self.at, (noise.shape[0], *self.at.shape))
        return z, self.log_prob(z)

    def log_prob(self, z: Float[Array, "... #rows dims"]) -> Float[Array, "..."]:
        return jnp.zeros(z.shape[:-1], z.dtype)

    @property
    def mean(self) -> Float[Array, "rows dims"]:
        return self.at

    def kl_standard(self, log_scale: Float[Array, ""]) -> Float[Array, "rows dims"]:
        """0."""
        return jnp.zeros_like(self.at)

    @property
    def scale(self) -> Float[Array, "rows dims"]:
        return jnp.zeros_like(self.at)


class EncoderPosterior(eqx.Module):
    """How many outputs an encoder has, and how they are read.

    ``latent`` is what the user counts: dimensions of z, or the discrete variables that z is made of.
    """

    likelihood: ClassVar[bool] = True
    """Whether q is a density, so that there is a bound on log p(x)."""
    continuous: ClassVar[bool] = True
    """Whether z may be moved along the line."""
    begins_from_rows: ClassVar[bool] = False
    """Whether it is settled before the first step by what the fresh encoder says of some rows."""

    @abc.abstractmethod
    def outputs(self, latent: int) -> int:
        """The length of the encoder's output."""

    @abc.abstractmethod
    def read(self, outputs: Float[Array, "rows outputs"]) -> Reparameterised:
        """The densities of a batch of rows."""

    def width(self, latent: int) -> int:
        """Numbers of one z."""
        return latent

    def visible(self, latent: int) -> int:
        """How many of them, from the first, the decoder sees."""
        return self.width(latent)

    def begun(self, outputs: Float[Array, "rows outputs"]) -> "EncoderPosterior":
        """The same, settled by what the fresh encoder says of some rows, where it ``begins_from_rows``."""
        return self


class Diagonal(EncoderPosterior):
    """Independent dimensions: means, then log-scales."""

    def outputs(self, latent: int) -> int:
        return 2 * latent

    def read(self, outputs: Float[Array, "*rows outputs"]) -> Gaussian:
        mean, log_scale = jnp.split(outputs, 2, axis=-1)
        return Gaussian(DiagonalAffine(mean, bounded(log_scale)))


class Full(EncoderPosterior):
    """A full covariance: means, log-diagonal of the Cholesky factor, then what lies below it."""

    def outputs(self, latent: int) -> int:
        return 2 * latent + latent * (latent - 1) // 2

    def read(self, outputs: Float[Array, "rows outputs"]) -> Gaussian:
        total = outputs.shape[-1]
        latent = next(d for d in range(1, total + 1) if self.outputs(d) == total)
        mean, diagonal, below = jnp.split(outputs, (latent, 2 * latent), axis=-1)
        log_scale, (rows, columns) = bounded(diagonal), jnp.tril_indices(latent, -1)
        # in units of the row's scale, so that the outputs are of one size
        below = below * jnp.exp(log_scale)[..., rows]
        square = jnp.zeros((*outputs.shape[:-1], latent, latent), outputs.dtype).at[..., rows, columns].set(below)
        return Gaussian(TriangularAffine(mean, log_scale, square))


class Point(EncoderPosterior):
    """A point."""

    likelihood: ClassVar[bool] = False

    def outputs(self, latent: int) -> int:
        return latent

    def read(self, outputs: Float[Array, "rows outputs"]) -> PointMass:
        return PointMass(outputs)


class MovedPosterior(EncoderPosterior):
    """A diagonal Gaussian moved by a flow that sees a context, which the encoder gives beside it."""

    flow: eqx.AbstractVar[Bijection]
    context: eqx.AbstractVar[int]

    def outputs(self, latent: int) -> int:
        return 2 * latent + self.context

    def read(self, outputs: Float[Array, "rows outputs"]) -> Transformed:
        own, context = jnp.split(outputs, [outputs.shape[-1] - self.context], axis=-1)
        return Transformed(Diagonal().read(own), self.flow, context)


class InverseAutoregressive(MovedPosterior):
    """A diagonal Gaussian, then steps of inverse autoregressive flow that see a context (Kingma et al. 2016)."""

    flow: AutoregressiveFlow
    context: int = static()

    def __init__(
        self, dims: int, *, key: PRNGKeyArray, hidden: Sequence[int] = (64,), number: int = 2, context: int = 32
    ) -> None:
        self.flow = AutoregressiveFlow(dims, hidden, number, key=key, context=context)
        self.context = context


class SplineAutoregressive(MovedPosterior):
    """The same with affine maps and splines in the steps, which begin at the identity (Durkan et al. 2019)."""

    flow: TriangularSteps
    context: int = static()

    def __init__(
        self, dims: int, *, key: PRNGKeyArray, hidden: Sequence[int] = (64,), number: int = 2, context: int = 32
    ) -> None:
        self.flow = TriangularSteps(dims, spline_after_affine(), number, hidden, key=key, turned=True, context=context)
        self.context = context
