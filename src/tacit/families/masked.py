"""Masked networks: the j-th outputs see only the inputs before the j-th, in one pass (Germain et al. 2015)."""

import itertools
import math
from collections.abc import Callable, Sequence

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Float, PRNGKeyArray

from tacit.compute import Array
from tacit.families.bijections import Given
from tacit.trees import static

Turned = Float[Array, "dims ..."]
"""A number of every coordinate, and the rows last."""
ACTIVATIONS: dict[str, Callable[[Array], Array]] = {"elu": jax.nn.elu, "silu": jax.nn.silu}


class MaskedLayers(eqx.Module):
    """A network whose j-th outputs see the inputs before the j-th, and all of a context.

    Args:
        dims: inputs.
        hidden: widths of the layers between.
        outs: outputs for every input.
        key: for the weights; of NumPy's nothing is compiled.
        context: numbers that a row is given.
        last: the size of the last layer's weights against the usual; 0 makes all outputs the biases at the start.
        activation: "elu" or "silu".
        residual: whether hidden layers of one width are added to what they see; their units are of the same degree.
    """

    weights: tuple[Float[Array, "_ _"], ...]
    biases: tuple[Float[Array, " _"], ...]
    context: Float[Array, "_ _"] | None
    dims: int = static()
    outs: int = static()
    activation: str = static(default="elu")
    residual: bool = static(default=False)

    def __init__(
        self,
        dims: int,
        hidden: Sequence[int],
        outs: int,
        *,
        key: PRNGKeyArray | np.random.Generator,
        context: int = 0,
        last: float = 0.1,
        activation: str = "elu",
        residual: bool = False,
    ) -> None:
        sizes = [dims, *hidden, outs * dims]
        # with added layers the few inputs count for as much as the many hidden units
        limits = [math.sqrt(3.0 / a if residual else 6.0 / (a + b)) for a, b in itertools.pairwise(sizes)]
        limits[-1] *= last
        shapes = [*zip(sizes[1:], sizes[:-1], strict=True)]
        size = (1.0 if len(sizes) > 2 else last) / math.sqrt(max(context, 1))
        weights: list[Array]
        biases: list[Array]
        seen: Array
        if isinstance(key, np.random.Generator):
            kind = jax.dtypes.canonicalize_dtype(np.float64)
            weights = [key.uniform(-limit, limit, s).astype(kind) for s, limit in zip(shapes, limits, strict=True)]
            seen = (size * key.normal(size=(sizes[1], context))).astype(kind)
            biases = [np.zeros(size, kind) for size in sizes[1:]]
        else:
            *keys, last_key = jax.random.split(key, len(sizes))
            weights = [
                jax.random.uniform(k, s, minval=-limit, maxval=limit)
                for k, s, limit in zip(keys, shapes, limits, strict=True)
            ]
            seen = size * jax.random.normal(last_key, (sizes[1], context))
            biases = [jnp.zeros(size) for size in sizes[1:]]
        self.weights, self.biases = tuple(weights), tuple(biases)
        self.context = seen if context else None
        self.dims, self.outs, self.activation, self.residual = dims, outs, activation, residual

    def _masks(self) -> list[np.ndarray]:
        # a hidden unit of degree m sees inputs up to m (−1: the context alone); output j sees degrees below j
        degrees = [np.arange(self.dims), *(self._degrees(bias.shape[0]) for bias in self.biases[:-1])]
        masks = [after[:, None] >= before[None, :] for before, after in itertools.pairwise(degrees)]
        return [*masks, np.tile(np.arange(self.dims), self.outs)[:, None] > degrees[-1][None, :]]

    def _degrees(self, width: int) -> np.ndarray:
        """Of the units of a hidden layer; where they are fewer than inputs, the last inputs are seen all the same."""
        if width >= self.dims:
            return np.arange(width) % self.dims - 1
        return np.linspace(-1 if width > 1 else self.dims - 2, self.dims - 2, width).astype(int)

    def __call__(self, z: Turned, context: Given) -> Float[Array, "outs dims ..."]:
        """The outputs of rows, which come last: ``[dims, *rows]`` as ``[outs, dims, *rows]``.

        A context ``[*rows, conditions]`` is that of the last axes of rows.
        """
        x, active = z, ACTIVATIONS[self.activation]
        seen = None
        if self.context is not None and context is not None:
            seen = jnp.tensordot(self.context, context, axes=(1, -1))
            seen = seen.reshape(len(seen), *[1] * (x.ndim - seen.ndim), *seen.shape[1:])
        *layers, last = zip(self.weights, self.biases, self._masks(), strict=True)
        for layer, (weight, bias, mask) in enumerate(layers):
            before, x = x, _seeing(weight, mask, x) + bias.reshape(-1, *[1] * (x.ndim - 1))
            if layer == 0 and seen is not None:
                x = x + seen
            x = active(x)
            if self.residual and layer and before.shape[0] == x.shape[0]:
                x = before + x
        weight, bias, mask = last
        outs = _seeing(weight, mask, x) + bias.reshape(-1, *[1] * (x.ndim - 1))
        if not layers and seen is not None:
            outs = outs + seen
        return outs.reshape(self.outs, self.dims, *outs.shape[1:])


def _seeing(weight: Float[Array, "outs ins"], mask: np.ndarray, x: Float[Array, "ins ..."]) -> Array:
    """``(W ∘ M) x``."""
    return _product(weight * mask, weight.T * mask.T, x)


@jax.custom_jvp
def _product(matrix: Float[Array, "outs ins"], turned: Float[Array, "ins outs"], x: Float[Array, "ins ..."]) -> Array:
    """``W x``, of W and its transpose: what flows back to x is then a product of rows with columns, twice as fast."""
    return jnp.tensordot(matrix, x, 1)


@_product.defjvp
def _product_jvp(at, moved):
    (matrix, turned, x), (more, _, further) = at, moved
    return _product(matrix, turned, x), jnp.tensordot(more, x, 1) + jnp.tensordot(turned, further, axes=(0, 0))
