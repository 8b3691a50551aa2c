"""Triangular maps of z: a posterior by inverse autoregressive flow, and a prior by the same map turned round."""

import itertools
import math
from collections.abc import Sequence

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Float, PRNGKeyArray

from tacit.compute import Array
from tacit.models.vae.bounded import bounded
from tacit.models.vae.posteriors import Density, Gaussian, Posterior, white_log_prob
from tacit.models.vae.priors import Prior, Whole

GATE = 2.0
"""Added before the logistic: the map begins near the identity (Kingma et al. 2016)."""
DRAWS = 64
"""Of a flow's posterior, for its mean and spread."""


class MaskedLayers(eqx.Module):
    """A network whose j-th outputs see the inputs before the j-th, and all of a context (Germain et al. 2015)."""

    weights: tuple[Float[Array, "_ _"], ...]
    biases: tuple[Float[Array, " _"], ...]
    context: Float[Array, "_ _"] | None
    dims: int = eqx.field(static=True)
    outs: int = eqx.field(static=True)

    def __init__(self, dims: int, hidden: Sequence[int], outs: int, *, key: PRNGKeyArray, context: int = 0) -> None:
        sizes = [dims, *hidden, outs * dims]
        keys = jax.random.split(key, len(sizes))
        limits = [math.sqrt(6.0 / (a + b)) for a, b in itertools.pairwise(sizes)]
        limits[-1] *= 0.1
        shapes = zip(sizes[1:], sizes[:-1], strict=True)
        self.weights = tuple(
            jax.random.uniform(k, shape, minval=-limit, maxval=limit)
            for k, shape, limit in zip(keys[:-1], shapes, limits, strict=True)
        )
        self.biases = tuple(jnp.zeros(size) for size in sizes[1:])
        self.context = None
        if context:
            self.context = jax.random.normal(keys[-1], (sizes[1], context)) / math.sqrt(context)
        self.dims, self.outs = dims, outs

    def _masks(self) -> list[np.ndarray]:
        degrees = [np.arange(self.dims)]
        # a hidden unit of degree m sees inputs up to m (−1: the context alone); output j sees degrees below j
        degrees += [np.arange(bias.shape[0]) % self.dims - 1 for bias in self.biases[:-1]]
        masks = [after[:, None] >= before[None, :] for before, after in itertools.pairwise(degrees)]
        return [*masks, np.tile(np.arange(self.dims), self.outs)[:, None] > degrees[-1][None, :]]

    def __call__(
        self, z: Float[Array, "*batch dims"], context: Float[Array, "..."] | None
    ) -> Float[Array, "*batch outs dims"]:
        x, masks = z, self._masks()
        for layer, (weight, bias, mask) in enumerate(zip(self.weights, self.biases, masks, strict=True)):
            x = x @ (weight * mask).T + bias
            if layer == 0 and self.context is not None and context is not None:
                x = x + context @ self.context.T
            x = jax.nn.elu(x) if layer < len(self.weights) - 1 else x
        return x.reshape(*x.shape[:-1], self.outs, self.dims)


class AutoregressiveFlow(eqx.Module):
    """``z_j ← s_j z_j + (1 − s_j) m_j`` with m and s from the z before the j-th; the order is turned between steps.

    Forwards it is one pass of the networks; backwards it goes from dimension to dimension (Kingma et al. 2016, section
    4). The log-determinant is ``Σ log s_j``.
    """

    steps: tuple[MaskedLayers, ...]

    def __init__(self, dims: int, hidden: Sequence[int], number: int, *, key: PRNGKeyArray, context: int = 0) -> None:
        keys = jax.random.split(key, number)
        self.steps = tuple(MaskedLayers(dims, hidden, 2, key=k, context=context) for k in keys)

    def forward(
        self, z: Float[Array, "*batch dims"], context: Float[Array, "..."] | None = None
    ) -> tuple[Float[Array, "*batch dims"], Float[Array, "*batch"]]:
        """The image of z and the log-determinant there."""
        log_det = jnp.zeros(z.shape[:-1], z.dtype)
        for step in self.steps:
            shift, share = self._shift_and_share(step, z, context)
            z = (share * z + (1.0 - share) * shift)[..., ::-1]
            log_det = log_det + jnp.log(share).sum(-1)
        return z, log_det

    def backward(
        self, y: Float[Array, "*batch dims"], context: Float[Array, "..."] | None = None
    ) -> tuple[Float[Array, "*batch dims"], Float[Array, "*batch"]]:
        """Whose image y is, and the log-determinant of the way forwards there."""
        log_det = jnp.zeros(y.shape[:-1], y.dtype)
        for step in reversed(self.steps):
            target = y[..., ::-1]

            def settle(z, _, step=step, target=target):
                shift, share = self._shift_and_share(step, z, context)
                return (target - (1.0 - share) * shift) / share, None

            # after pass j the first j dimensions are right, and stay
            y, _ = jax.lax.scan(settle, jnp.zeros_like(target), None, length=target.shape[-1])
            log_det = log_det + jnp.log(self._shift_and_share(step, y, context)[1]).sum(-1)
        return y, log_det

    @staticmethod
    def _shift_and_share(step: MaskedLayers, z: Array, context: Array | None) -> tuple[Array, Array]:
        outputs = step(z, context)
        return outputs[..., 0, :], jax.nn.sigmoid(outputs[..., 1, :] + GATE)


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
