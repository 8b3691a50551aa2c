"""Triangular maps of z: a posterior by inverse autoregressive flow, and a prior by the same map turned round."""

from collections.abc import Sequence

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Float, PRNGKeyArray

from tacit.compute import Array
from tacit.families.triangular import AutoregressiveFlow
from tacit.models.vae.bounded import bounded
from tacit.models.vae.posteriors import Density, Gaussian, Posterior, white_log_prob
from tacit.models.vae.priors import Prior, Whole

DRAWS = 64
"""Of a flow's posterior, for its mean and spread."""


class FlowDensity(Density):
    """A Gaussian moved by an autoregressive flow; its mean and spread are those of some fixed draws."""

    base: Gaussian
    flow: AutoregressiveFlow
    context: Float[Array, "rows context"]

    def noise(self, key: PRNGKeyArray, number: int, *, shared: bool = False) -> Array:
        return self.base.noise(key, number, shared=shared)

    def moved(self, noise: Float[Array, "draws #rows dims"]) -> tuple[Float[Array, "draws rows dims"], Array]:
        z, log_q = self.base.moved(noise)
        y, log_det = self.flow.forward(z, self.context)
        return y, log_q - log_det

    def log_prob(self, z: Float[Array, "... #rows dims"]) -> Float[Array, "..."]:
        z = jnp.broadcast_to(z, jnp.broadcast_shapes(z.shape, self.base.mean.shape))
        white, log_det = self.flow.backward(z, self.context)
        return self.base.log_prob(white) - log_det

    def _draws(self) -> Float[Array, "draws rows dims"]:
        return self.moved(self.noise(jax.random.key(0), DRAWS, shared=True))[0]

    @property
    def mean(self) -> Float[Array, "rows dims"]:
        return self._draws().mean(0)

    @property
    def scale(self) -> Float[Array, "rows dims"]:
        return self._draws().std(0)


class InverseAutoregressive(Posterior):
    """A diagonal Gaussian, then steps of inverse autoregressive flow that see a context (Kingma et al. 2016)."""

    flow: AutoregressiveFlow
    context: int = eqx.field(static=True)

    def __init__(
        self, dims: int, *, key: PRNGKeyArray, hidden: Sequence[int] = (64,), number: int = 2, context: int = 32
    ) -> None:
        self.flow = AutoregressiveFlow(dims, hidden, number, key=key, context=context)
        self.context = context

    def outputs(self, latent: int) -> int:
        return 2 * latent + self.context

    def read(self, outputs: Float[Array, "rows outputs"]) -> FlowDensity:
        latent = (outputs.shape[-1] - self.context) // 2
        mean, log_scale, context = jnp.split(outputs, (latent, 2 * latent), axis=-1)
        return FlowDensity(Gaussian(mean, bounded(log_scale)), self.flow, context)


class FlowPrior(Prior):
    """``N(0, I)`` seen through an autoregressive flow: z is white once it has been moved (Papamakarios et al. 2017).

    The density takes one pass, a draw one a dimension.
    """

    flow: AutoregressiveFlow
    dims: int = eqx.field(static=True)

    def __init__(self, dims: int, *, key: PRNGKeyArray, hidden: Sequence[int] = (64,), number: int = 4) -> None:
        self.flow = AutoregressiveFlow(dims, hidden, number, key=key)
        self.dims = dims

    def log_prob(self, z: Float[Array, "... dims"], model: Whole) -> Float[Array, "..."]:
        white, log_det = self.flow.forward(z)
        return white_log_prob(white) + log_det

    def sample(self, key: PRNGKeyArray, number: int, model: Whole) -> Float[Array, "draws dims"]:
        return self.flow.backward(jax.random.normal(key, (number, self.dims)))[0]
