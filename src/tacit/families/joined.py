"""Densities of one value of different kinds, as one batch."""

from collections.abc import Callable
from typing import ClassVar

import numpy as np
from jaxtyping import Bool, Float

from tacit.arrays import static, xp
from tacit.compute import Array
from tacit.families.base import Distribution


class Joined(Distribution):
    """Parts with batches ``[..., K_1]``, ``[..., K_2]``, … as one batch ``[..., K]`` with K their sum.

    Values are continuous, and all but their last axis broadcasts against the batches.
    """

    name: ClassVar[str] = "joined"

    parts: tuple[Distribution, ...]
    sizes: tuple[int, ...] = static()
    """K_1, K_2, …"""

    def _each(self, x: Array, answer: Callable[[Distribution, Array], Array]) -> Array:
        """What every part answers to its share of the last axis of x, or to all of it where that is one value."""
        found, first = [], 0
        for part, size in zip(self.parts, self.sizes, strict=True):
            own = x if xp.shape(x)[-1] == 1 else x[..., first : first + size]
            found.append(answer(part, own))
            first += size
        return concatenated(found)

    def log_prob(self, x: Float[Array, "..."]) -> Float[Array, "..."]:
        return self._each(x, lambda part, own: part.log_prob(own))

    def supports(self, x: Float[Array, "..."]) -> Bool[Array, "..."]:
        """Where one of the parts has a density."""
        return self._each(x, lambda part, own: part.supports(own)).any(-1, keepdims=True) & ~xp.isnan(x)

    def mean(self) -> Float[Array, "..."]:
        return concatenated([part.mean() for part in self.parts])

    def variance(self) -> Float[Array, "..."]:
        return concatenated([part.variance() for part in self.parts])

    def draw(self, random: np.random.Generator, total: np.ndarray | None = None) -> np.ndarray:
        return np.asarray(concatenated([part.draw(random, total) for part in self.parts]))

    def cdf(self, x: np.ndarray) -> np.ndarray:
        return np.asarray(self._each(x, lambda part, own: part.cdf(np.asarray(own))))

    def location_scale(self) -> tuple[np.ndarray, np.ndarray]:
        centres, scales = zip(*(part.location_scale() for part in self.parts), strict=True)
        return np.asarray(concatenated(centres)), np.asarray(concatenated(scales))


def concatenated(arrays: list[Array] | tuple[Array, ...]) -> Array:
    """Arrays joined along their last axis, the others broadcast."""
    outer = np.broadcast_shapes(*(xp.shape(array)[:-1] for array in arrays))
    return xp.concatenate([xp.broadcast_to(array, (*outer, xp.shape(array)[-1])) for array in arrays], axis=-1)
