"""What p(z) may be: a Gaussian, a mixture of Gaussians, a flow, or the encoder's own view of some pseudo-rows."""

import abc
import math
from collections.abc import Sequence
from typing import Any, Protocol

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Float, PRNGKeyArray

from tacit.compute import Array
from tacit.families.bijections import Chain, DiagonalAffine, Inverse
from tacit.families.scalar_maps import spline_after_affine
from tacit.families.transformed import Gaussian, Reparameterised, Transformed, WhiteNoise
from tacit.families.triangular import AutoregressiveFlow, TriangularSteps
from tacit.models.vae.networks import bounded


class WholeModel(Protocol):
    """The model that a prior belongs to: some priors are made of its other parts."""

    posterior_kind: Any

    def encode(self, x: Float[Array, "rows ..."]) -> Reparameterised:
        """``q(z|x)`` of rows."""


class Prior(eqx.Module):
    """A density of z. The whole model is given because some priors are made of its other parts."""

    @abc.abstractmethod
    def log_prob(self, z: Float[Array, "... dims"], model: WholeModel) -> Float[Array, "..."]:
        """``log p(z)``."""

    @abc.abstractmethod
    def sample(self, key: PRNGKeyArray, number: int, model: WholeModel) -> Float[Array, "draws dims"]:
        """Draws of z."""

    def kl(self, posterior: Reparameterised) -> Float[Array, "rows dims"] | None:
        """``KL(q ‖ p)`` of each dimension, where it has a closed form."""
        return None


class StandardNormal(Prior):
    """``N(0, σ² I)``; σ is learned unless it is ``fixed``."""

    log_scale: Float[Array, ""]
    dims: int = eqx.field(static=True)
    fixed: bool = eqx.field(static=True)

    def __init__(self, dims: int, scale: float = 1.0, *, fixed: bool = True) -> None:
        self.log_scale = jnp.asarray(math.log(scale), jnp.float32)
        self.dims, self.fixed = dims, fixed

    @property
    def _log_scale(self) -> Float[Array, ""]:
        return jax.lax.stop_gradient(self.log_scale) if self.fixed else self.log_scale

    @property
    def _density(self) -> Gaussian:
        return Gaussian(DiagonalAffine(jnp.zeros(self.dims), jnp.broadcast_to(self._log_scale, self.dims)))

    def log_prob(self, z: Float[Array, "... dims"], model: WholeModel) -> Float[Array, "..."]:
        return self._density.log_prob(z)

    def sample(self, key: PRNGKeyArray, number: int, model: WholeModel) -> Float[Array, "draws dims"]:
        return self._density.sample(key, number)

    def kl(self, posterior: Reparameterised) -> Float[Array, "rows dims"] | None:
        return posterior.kl_standard(self._log_scale)


class MixtureOfGaussians(Prior):
    """``Σ_k π_k N(m_k, diag s_k²)``, all learned."""

    logits: Float[Array, " components"]
    means: Float[Array, "components dims"]
    log_scales: Float[Array, "components dims"]

    def __init__(self, dims: int, components: int, *, key: PRNGKeyArray) -> None:
        self.logits = jnp.zeros(components)
        self.means = jax.random.normal(key, (components, dims))
        self.log_scales = jnp.zeros((components, dims)) - 0.5

    def log_prob(self, z: Float[Array, "... dims"], model: WholeModel) -> Float[Array, "..."]:
        parts = Gaussian(DiagonalAffine(self.means, bounded(self.log_scales))).log_prob(z[..., None, :])
        return jax.nn.logsumexp(parts + jax.nn.log_softmax(self.logits), axis=-1)

    def sample(self, key: PRNGKeyArray, number: int, model: WholeModel) -> Float[Array, "draws dims"]:
        which, noise = jax.random.split(key)
        chosen = jax.random.categorical(which, self.logits, shape=(number,))
        white = jax.random.normal(noise, (number, self.means.shape[1]))
        return self.means[chosen] + jnp.exp(bounded(self.log_scales))[chosen] * white


class VampPrior(Prior):
    """``1/K Σ_k q(z|u_k)`` over learned pseudo-rows u_k (Tomczak & Welling 2018)."""

    rows: Float[Array, "components ..."]

    def log_prob(self, z: Float[Array, "... dims"], model: WholeModel) -> Float[Array, "..."]:
        parts = model.encode(self.rows).log_prob(z[..., None, :])
        return jax.nn.logsumexp(parts, axis=-1) - math.log(self.rows.shape[0])

    def sample(self, key: PRNGKeyArray, number: int, model: WholeModel) -> Float[Array, "draws dims"]:
        which, noise = jax.random.split(key)
        chosen = jax.random.randint(which, (number,), 0, self.rows.shape[0])
        return model.encode(self.rows[chosen]).sample(noise, 1)[0]


class FlowPrior(Prior):
    """``N(0, I)`` seen through an autoregressive flow: z is white once it has been moved (Papamakarios et al. 2017).

    The density takes one pass, a draw one a dimension.
    """

    flow: AutoregressiveFlow
    dims: int = eqx.field(static=True)

    def __init__(self, dims: int, *, key: PRNGKeyArray, hidden: Sequence[int] = (64,), number: int = 4) -> None:
        self.flow = AutoregressiveFlow(dims, hidden, number, key=key)
        self.dims = dims

    @property
    def _density(self) -> Transformed:
        return Transformed(WhiteNoise(self.dims), Inverse(self.flow))

    def log_prob(self, z: Float[Array, "... dims"], model: WholeModel) -> Float[Array, "..."]:
        return self._density.log_prob(z)

    def sample(self, key: PRNGKeyArray, number: int, model: WholeModel) -> Float[Array, "draws dims"]:
        return self._density.sample(key, number)


class SplineFlowPrior(Prior):
    """The same with affine maps and splines in the steps (Durkan et al. 2019), as in `TriangularFlow`.

    It begins as independent normals of these means and deviations.
    """

    units: DiagonalAffine
    """From centred and scaled codes back."""
    flow: TriangularSteps
    dims: int = eqx.field(static=True)

    def __init__(
        self,
        dims: int,
        *,
        key: PRNGKeyArray,
        hidden: Sequence[int] = (64, 64),
        number: int = 2,
        shift: np.ndarray | None = None,
        scale: np.ndarray | None = None,
    ) -> None:
        self.flow = TriangularSteps(dims, spline_after_affine(), number, hidden, key=key, turned=True)
        centre = jnp.zeros(dims) if shift is None else jnp.asarray(shift, jnp.float32)
        self.units = DiagonalAffine(centre, jnp.zeros(dims) if scale is None else jnp.log(jnp.asarray(scale, "f4")))
        self.dims = dims

    @property
    def _density(self) -> Transformed:
        return Transformed(WhiteNoise(self.dims), Inverse(Chain((Inverse(self.units), self.flow))))

    def log_density(self, z: Float[Array, "... dims"]) -> Float[Array, "..."]:
        """``log p(z)``, which needs no other part of a model."""
        return self._density.log_prob(z)

    def log_prob(self, z: Float[Array, "... dims"], model: WholeModel) -> Float[Array, "..."]:
        return self.log_density(z)

    def sample(self, key: PRNGKeyArray, number: int, model: WholeModel) -> Float[Array, "draws dims"]:
        return self._density.sample(key, number)
