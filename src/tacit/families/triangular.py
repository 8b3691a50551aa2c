"""Triangular maps: increasing maps whose j-th coordinate sees only the coordinates up to the j-th.

A simple density seen through one is a flexible density with an exact log-determinant (Papamakarios et al. 2017).
"""

import itertools
import math
from collections.abc import Sequence

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Float, PRNGKeyArray

from tacit.compute import Array

GATE = 2.0
"""Added before the logistic: the map begins near the identity (Kingma et al. 2016)."""


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
