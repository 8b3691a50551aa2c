"""A family of your own for one column, from little: a density, the statistics that it needs, and their maximum."""

import abc
from typing import ClassVar, Self

import numpy as np
from jaxtyping import Float

from tacit.arrays import xp
from tacit.compute import Array
from tacit.engine import PRNGKeyArray, jax, jnp
from tacit.families.base import Family


class SimpleFamily(Family):
    """A family of one value that says what a mixture asks of it, and no more.

    A subclass names itself (``name``), its ``column_kind`` and its ``parameters``, has a field for each of these, and
    gives ``log_prob``, ``supports``, ``statistics``, ``maximise``, ``mean``, ``variance`` and ``draw``; with ``cdf`` it
    also has quantiles. Write with ``tacit.arrays.xp``, which is NumPy for small tables and JAX for large ones.
    """

    exponential: ClassVar[bool] = False
    first: ClassVar[tuple[float, ...]] = ()
    """Values of the parameters to begin with; ones where there are none."""

    @classmethod
    def template(cls, shape: tuple[int, ...]) -> Self:
        """A valid member of this batch shape."""
        return cls(*(xp.full(shape, value) for value in cls.first or (1.0,) * len(cls.parameters)))

    @abc.abstractmethod
    def statistics(self, x: Float[Array, "..."]) -> Float[Array, "..."]:
        """What is summed over rows for `maximise`, on a last axis."""

    def expected_statistics(self, x: Float[Array, "..."]) -> Float[Array, "..."]:
        return self.statistics(x)

    def location_scale(self) -> tuple[np.ndarray, np.ndarray]:
        return np.asarray(self.mean()), np.sqrt(np.asarray(self.variance()))

    def entropy(self, base: float | None = None) -> Float[Array, "..."]:
        raise ValueError(f"no entropy is known for the family {self.name}")

    def cross_entropy(self, other: Self, base: float | None = None) -> Float[Array, "..."]:
        raise ValueError(f"no cross-entropy is known for the family {self.name}")

    def kl_divergence(self, other: Self, base: float | None = None) -> Float[Array, "..."]:
        raise ValueError(f"no divergence is known for the family {self.name}")

    def sample(self, *, key: PRNGKeyArray, shape: tuple[int, ...] = ()) -> Float[Array, "..."]:
        random = np.random.default_rng(np.asarray(jax.random.key_data(key)).ravel().tolist())
        drawn = [self.draw(random) for _ in range(int(np.prod(shape)))]
        return jnp.asarray(np.stack(drawn).reshape(*shape, *np.shape(drawn[0])))

    @abc.abstractmethod
    def draw(self, random: np.random.Generator, total: np.ndarray | None = None) -> np.ndarray:
        """One value from every member, on the host."""
