"""Networks that are written for one row: they are vectorised where they are used.

A convolution here is a product of patches with a matrix: inside a scan on a CPU XLA's own is more than ten times
slower.
"""

import math
from collections.abc import Callable, Sequence

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Float, PRNGKeyArray

from tacit.compute import Array

ACTIVATIONS: dict[str, Callable] = {
    "relu": jax.nn.relu,
    "tanh": jnp.tanh,
    "gelu": jax.nn.gelu,
    "silu": jax.nn.silu,
    "softplus": jax.nn.softplus,
}
LOG_SCALES = (-9.0, 3.0)
"""Between these lie the logarithms of scales of z."""


def bounded(x: Float[Array, "..."], low: float = LOG_SCALES[0], high: float = LOG_SCALES[1]) -> Float[Array, "..."]:
    """x itself well inside, and ever closer to a bound beyond it: cut off there, a fit that is once out stays out."""
    below = high - jax.nn.softplus(high - x)
    return low + jax.nn.softplus(below - low)


def glorot(key: PRNGKeyArray, out: int, into: int, limit: float) -> Float[Array, "out into"]:
    """What `jax.random.uniform` draws from ``U(−limit, limit)``, to the bit, and hardly ever with a new program.

    The i-th number follows from the key and i alone (``jax_threefry_partitionable``), so a power of two of them are
    drawn, and the first are taken: a program serves many sizes.
    """
    count = out * into
    if isinstance(key, jax.core.Tracer):
        return jax.random.uniform(key, (out, into), minval=-limit, maxval=limit)
    drawn = jax.random.uniform(key, (max(256, 1 << (count - 1).bit_length()),), minval=-limit, maxval=limit)
    return jnp.asarray(np.asarray(drawn)[:count].reshape(out, into))


class Linear(eqx.Module):
    """``W x + b``, W drawn as Glorot & Bengio 2010 do."""

    weight: Float[Array, "out into"]
    bias: Float[Array, " out"]

    def __init__(self, into: int, out: int, *, key: PRNGKeyArray, scale: float = 1.0) -> None:
        limit = scale * math.sqrt(6.0 / (into + out))
        self.weight = glorot(key, out, into, limit)
        self.bias = jnp.asarray(np.zeros(out))

    def __call__(self, x: Float[Array, " into"]) -> Float[Array, " out"]:
        return self.weight @ x + self.bias


class MLP(eqx.Module):
    """Fully connected layers; rows of any shape are flattened. The last layer has no activation."""

    layers: tuple[Linear, ...]
    activation: str = eqx.field(static=True)
    shape: tuple[int, ...] | None = eqx.field(static=True)
    """Of what comes out, if it is no vector."""

    def __init__(
        self,
        into: int,
        hidden: Sequence[int],
        out: int,
        *,
        key: PRNGKeyArray,
        activation: str = "tanh",
        shape: tuple[int, ...] | None = None,
    ) -> None:
        sizes = [into, *hidden, out]
        keys = jax.random.split(key, len(sizes) - 1)
        self.layers = tuple(Linear(a, b, key=k) for a, b, k in zip(sizes[:-1], sizes[1:], keys, strict=True))
        self.activation, self.shape = activation, shape

    def __call__(self, x: Float[Array, "..."]) -> Float[Array, "..."]:
        x = x.reshape(-1)
        for layer in self.layers[:-1]:
            x = ACTIVATIONS[self.activation](layer(x))
        x = self.layers[-1](x)
        return x if self.shape is None else x.reshape(self.shape)


class Convolution(eqx.Module):
    """A 3×3 convolution with zeros around the image, of every pixel or of every second one."""

    weight: Float[Array, "out patch"]
    bias: Float[Array, " out"]
    stride: int = eqx.field(static=True)

    def __init__(self, into: int, out: int, *, key: PRNGKeyArray, stride: int = 1) -> None:
        limit = math.sqrt(6.0 / (9 * into + out))
        self.weight = glorot(key, out, 9 * into, limit)
        self.bias = jnp.asarray(np.zeros(out))
        self.stride = stride

    def __call__(self, x: Float[Array, "height width into"]) -> Float[Array, "high wide out"]:
        height, width, into = x.shape
        step, out = self.stride, self.bias.shape[0]
        if step == 1 and 2 * out <= into:
            # few outputs: nine products first, moved into place and added after; the patches are never made
            taps = self.weight.reshape(out, 9, into).transpose(2, 1, 0).reshape(into, 9 * out)
            parts = _around(x @ taps).reshape(height + 2, width + 2, 9, out)
            moved = [parts[i : i + height, j : j + width, 3 * i + j] for i in range(3) for j in range(3)]
            return sum(moved, self.bias)
        around = _around(x)
        patches = [around[i : i + height : step, j : j + width : step] for i in range(3) for j in range(3)]
        return jnp.concatenate(patches, axis=-1) @ self.weight.T + self.bias

    def doubled(self, x: Float[Array, "height width into"]) -> Float[Array, "high wide out"]:
        """The convolution of the image with every pixel doubled, from the small image.

        An output pixel sees two rows and two columns of it, so the nine weights are added up to four for each of the
        four places that an output can have in a doubled pixel: less than half of the work.
        """
        height, width, into = x.shape
        out = self.bias.shape[0]
        taps = self.weight.reshape(out, 3, 3, into)
        around = _around(x)
        places = []
        for a in range(2):
            rows = (taps[:, 0], taps[:, 1] + taps[:, 2]) if a == 0 else (taps[:, 0] + taps[:, 1], taps[:, 2])
            for b in range(2):
                cut = [(r[:, 0], r[:, 1] + r[:, 2]) if b == 0 else (r[:, 0] + r[:, 1], r[:, 2]) for r in rows]
                kernel = jnp.concatenate([k for pair in cut for k in pair], axis=-1)
                seen = [around[a + i : a + i + height, b + j : b + j + width] for i in range(2) for j in range(2)]
                places.append(jnp.concatenate(seen, axis=-1) @ kernel.T + self.bias)
        together = jnp.stack(places, axis=2).reshape(height, width, 2, 2, out)
        return together.transpose(0, 2, 1, 3, 4).reshape(2 * height, 2 * width, out)


def _around(x: Float[Array, "height width channels"]) -> Float[Array, "high wide channels"]:
    """The image in a frame of zeros, one pixel wide."""
    return jnp.pad(x, ((1, 1), (1, 1), (0, 0)))


class Residual(eqx.Module):
    """``x + g(x)`` with two convolutions in g, the second of them begun near 0."""

    first: Convolution
    second: Convolution
    activation: str = eqx.field(static=True)

    def __init__(self, channels: int, *, key: PRNGKeyArray, activation: str) -> None:
        one, two = jax.random.split(key)
        self.first = Convolution(channels, channels, key=one)
        second = Convolution(channels, channels, key=two)
        self.second = eqx.tree_at(lambda c: c.weight, second, 0.1 * second.weight)
        self.activation = activation

    def __call__(self, x: Float[Array, "height width channels"]) -> Float[Array, "height width channels"]:
        act = ACTIVATIONS[self.activation]
        return x + self.second(act(self.first(act(x))))


def halvings(height: int, width: int) -> int:
    """How often an image is halved: down to 7 or less in its shorter side, three times at most."""
    times = 0
    while times < 3 and min(height, width) > 7:
        height, width, times = -(-height // 2), -(-width // 2), times + 1
    return times


class ConvEncoder(eqx.Module):
    """Convolutions that halve the image, with residual blocks between them, then a fully connected end."""

    stages: tuple[tuple[Convolution, tuple[Residual, ...]], ...]
    end: MLP
    """It sees the conditions too."""
    activation: str = eqx.field(static=True)
    conditional: bool = eqx.field(static=True)

    def __init__(
        self,
        shape: tuple[int, int, int],
        channels: Sequence[int],
        hidden: Sequence[int],
        out: int,
        *,
        key: PRNGKeyArray,
        activation: str = "silu",
        blocks: int = 0,
        conditions: int = 0,
    ) -> None:
        height, width, into = shape
        stages = []
        for number in range(halvings(height, width)):
            key, one, two = jax.random.split(key, 3)
            wide = channels[min(number, len(channels) - 1)]
            extra = tuple(Residual(wide, key=k, activation=activation) for k in jax.random.split(two, blocks))
            stages.append((Convolution(into, wide, key=one, stride=2), extra))
            height, width, into = -(-height // 2), -(-width // 2), wide
        self.stages = tuple(stages)
        self.end = MLP(height * width * into + conditions, hidden, out, key=key, activation=activation)
        self.activation, self.conditional = activation, conditions > 0

    def __call__(
        self, x: Float[Array, "height width *channels"], given: Float[Array, " conditions"] | None = None
    ) -> Float[Array, " out"]:
        x = x[..., None] if x.ndim == 2 else x
        for convolution, blocks in self.stages:
            x = ACTIVATIONS[self.activation](convolution(x))
            for block in blocks:
                x = block(x)
        return self.end(x if given is None else jnp.concatenate([x.reshape(-1), given]))


class ConvDecoder(eqx.Module):
    """The way back: every pixel is doubled and convolved, then images of odd size are cut."""

    begin: MLP
    stages: tuple[tuple[Convolution, tuple[Residual, ...]], ...]
    last: Convolution
    sizes: tuple[tuple[int, int], ...] = eqx.field(static=True)
    """Height and width after every doubling; the first is the one to begin with."""
    event: tuple[int, ...] = eqx.field(static=True)
    """The shape of what comes out: that of the image, then the outputs of every entry."""
    activation: str = eqx.field(static=True)

    def __init__(
        self,
        latent: int,
        shape: tuple[int, int, int],
        channels: Sequence[int],
        hidden: Sequence[int],
        outs: int,
        *,
        key: PRNGKeyArray,
        activation: str = "silu",
        blocks: int = 0,
        event: tuple[int, ...] | None = None,
    ) -> None:
        height, width, final = shape
        sizes = [(height, width)]
        for _ in range(halvings(height, width)):
            sizes.append((-(-sizes[-1][0] // 2), -(-sizes[-1][1] // 2)))
        self.sizes = tuple(reversed(sizes))
        wides = [channels[min(number, len(channels) - 1)] for number in range(len(sizes) - 1)][::-1]
        into = wides[0] if wides else channels[0]
        key, start = jax.random.split(key)
        first = self.sizes[0]
        self.begin = MLP(
            latent, hidden, first[0] * first[1] * into, key=start, activation=activation, shape=(*first, into)
        )
        stages = []
        for wide in [*wides[1:], wides[-1]] if wides else []:
            key, one, two = jax.random.split(key, 3)
            extra = tuple(Residual(wide, key=k, activation=activation) for k in jax.random.split(two, blocks))
            stages.append((Convolution(into, wide, key=one), extra))
            into = wide
        self.stages = tuple(stages)
        self.last = Convolution(into, final * outs, key=key)
        self.event, self.activation = event or (height, width, final, outs), activation

    @property
    def numbers(self) -> int:
        """How many are held at once for one z, roughly: the patches of the last stage."""
        height, width = self.sizes[-1]
        return 4 * height * width * (self.last.weight.shape[1] // 9)

    def __call__(self, z: Float[Array, " latent"]) -> Float[Array, "..."]:
        act = ACTIVATIONS[self.activation]
        x = act(self.begin(z))
        for (height, width), (convolution, blocks) in zip(self.sizes[1:], self.stages, strict=True):
            x = act(convolution.doubled(x))[:height, :width]
            for block in blocks:
                x = block(x)
        return self.last(x).reshape(self.event)
