"""Triangular maps by masked networks: increasing maps whose j-th coordinate sees only those up to the j-th."""

import itertools
import math
from collections.abc import Sequence

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Float, PRNGKeyArray

from tacit.compute import Array
from tacit.families.bijections import Bijection, Composed, Given, Moved, Reverse, Vectors

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

    def __call__(self, z: Vectors, context: Given) -> Float[Array, "... outs dims"]:
        x, masks = z, self._masks()
        for layer, (weight, bias, mask) in enumerate(zip(self.weights, self.biases, masks, strict=True)):
            x = x @ (weight * mask).T + bias
            if layer == 0 and self.context is not None and context is not None:
                x = x + context @ self.context.T
            x = jax.nn.elu(x) if layer < len(self.weights) - 1 else x
        return x.reshape(*x.shape[:-1], self.outs, self.dims)


class Gated(Bijection):
    """``y_j = s_j x_j + (1 − s_j) m_j`` with m and s from the x before the j-th (Kingma et al. 2016, section 4).

    Forwards it is one pass of the network; backwards it goes from dimension to dimension.
    """

    network: MaskedLayers

    def forward(self, x: Vectors, given: Given = None) -> Moved:
        shift, share = self._shift_and_share(x, given)
        return share * x + (1.0 - share) * shift, jnp.log(share).sum(-1)

    def inverse(self, y: Vectors, given: Given = None) -> Moved:
        rows = () if given is None else given.shape[:-1]
        y = jnp.broadcast_to(y, (*jnp.broadcast_shapes(y.shape[:-1], rows), y.shape[-1]))

        def settle(x, _):
            shift, share = self._shift_and_share(x, given)
            return (y - (1.0 - share) * shift) / share, None

        # after pass j the first j dimensions are right, and stay
        x, _ = jax.lax.scan(settle, jnp.zeros_like(y), None, length=y.shape[-1])
        return x, -jnp.log(self._shift_and_share(x, given)[1]).sum(-1)

    def _shift_and_share(self, x: Vectors, given: Given) -> tuple[Array, Array]:
        outputs = self.network(x, given)
        return outputs[..., 0, :], jax.nn.sigmoid(outputs[..., 1, :] + GATE)


class AutoregressiveFlow(Composed):
    """Gated steps, and the order turned round after each: inverse autoregressive flow (Kingma et al. 2016)."""

    steps: tuple[MaskedLayers, ...]

    def __init__(self, dims: int, hidden: Sequence[int], number: int, *, key: PRNGKeyArray, context: int = 0) -> None:
        keys = jax.random.split(key, number)
        self.steps = tuple(MaskedLayers(dims, hidden, 2, key=k, context=context) for k in keys)

    @property
    def parts(self) -> tuple[Bijection, ...]:
        return tuple(part for network in self.steps for part in (Gated(network), Reverse()))
