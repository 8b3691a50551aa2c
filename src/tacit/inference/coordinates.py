"""Parameters of any shape and support as points of ℝᵈ: increasing maps and their log-determinants.

A model is written in its own parameters, a pytree; inference moves unconstrained numbers. The log-joint of these gains
the log-determinant of the map (Kucukelbir et al. 2017, ADVI).
"""

import abc
import math
from collections.abc import Mapping
from typing import Any, NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Float, PyTree

from tacit.compute import Array


class Support(eqx.Module):
    """A map from ℝᵐ onto the values a parameter may take."""

    def size(self, shape: tuple[int, ...]) -> int:
        """m, for a parameter of a shape."""
        return math.prod(shape)

    @abc.abstractmethod
    def constrain(self, free: Float[Array, " free"], shape: tuple[int, ...]) -> tuple[Array, Float[Array, ""]]:
        """The parameter, and the log-determinant of the map there."""

    @abc.abstractmethod
    def free(self, value: Float[np.ndarray, "..."]) -> Float[np.ndarray, " free"]:
        """Whose image a value is (on the host).

        Raises:
            ValueError: the value lies outside the support.
        """


class Real(Support):
    """All of ℝ."""

    def constrain(self, free: Float[Array, " free"], shape: tuple[int, ...]) -> tuple[Array, Float[Array, ""]]:
        return free.reshape(shape), jnp.zeros((), free.dtype)

    def free(self, value: Float[np.ndarray, "..."]) -> Float[np.ndarray, " free"]:
        return value.ravel()


class Positive(Support):
    """``θ = exp u``."""

    def constrain(self, free: Float[Array, " free"], shape: tuple[int, ...]) -> tuple[Array, Float[Array, ""]]:
        return jnp.exp(free).reshape(shape), free.sum()

    def free(self, value: Float[np.ndarray, "..."]) -> Float[np.ndarray, " free"]:
        if not (value > 0).all():
            raise ValueError("must be above 0")
        return np.log(value).ravel()


class Interval(Support):
    """``θ = a + (b − a) σ(u)``."""

    low: float = eqx.field(static=True)
    high: float = eqx.field(static=True)

    def __check_init__(self) -> None:
        if not self.low < self.high:
            raise ValueError(f"an interval needs low < high, got ({self.low}, {self.high})")

    def constrain(self, free: Float[Array, " free"], shape: tuple[int, ...]) -> tuple[Array, Float[Array, ""]]:
        width = self.high - self.low
        slope = jax.nn.log_sigmoid(free) + jax.nn.log_sigmoid(-free) + math.log(width)
        return (self.low + width * jax.nn.sigmoid(free)).reshape(shape), slope.sum()

    def free(self, value: Float[np.ndarray, "..."]) -> Float[np.ndarray, " free"]:
        share = (value - self.low) / (self.high - self.low)
        if not ((share > 0) & (share < 1)).all():
            raise ValueError(f"must lie between {self.low:g} and {self.high:g}")
        return (np.log(share) - np.log1p(-share)).ravel()


class Simplex(Support):
    """The last axis is a distribution: broken off a stick piece by piece, the k-th of K with ``σ(u_k − log(K − k))``.

    At u = 0 all shares are equal (Stan Development Team, reference manual, "unit simplex").
    """

    def size(self, shape: tuple[int, ...]) -> int:
        return math.prod(shape[:-1]) * (shape[-1] - 1)

    def constrain(self, free: Float[Array, " free"], shape: tuple[int, ...]) -> tuple[Array, Float[Array, ""]]:
        pieces = shape[-1] - 1
        even = jnp.log(jnp.arange(pieces, 0, -1, dtype=free.dtype)).reshape(*(1,) * (len(shape) - 1), pieces)
        sticks = free.reshape(*shape[:-1], pieces) - even
        taken, spared = jax.nn.log_sigmoid(sticks), jax.nn.log_sigmoid(-sticks)
        left = jnp.cumsum(spared, -1)
        before = jnp.concatenate([jnp.zeros_like(left[..., :1]), left[..., :-1]], -1)
        logs = jnp.concatenate([taken + before, left[..., -1:]], -1)
        return jnp.exp(logs), (taken + spared + before).sum()

    def free(self, value: Float[np.ndarray, "..."]) -> Float[np.ndarray, " free"]:
        if not ((value > 0).all() and np.allclose(value.sum(-1), 1.0, atol=1e-6)):
            raise ValueError("must be above 0 and sum to one along the last axis")
        pieces = value.shape[-1] - 1
        rest = np.flip(np.cumsum(np.flip(value, -1), -1), -1)[..., 1:]
        return (np.log(value[..., :-1]) - np.log(rest) + np.log(np.arange(pieces, 0, -1))).ravel()


class Ordered(Support):
    """The last axis increases: ``θ_1 = u_1``, ``θ_k = θ_{k−1} + exp u_k``."""

    def constrain(self, free: Float[Array, " free"], shape: tuple[int, ...]) -> tuple[Array, Float[Array, ""]]:
        laid = free.reshape(shape)
        steps = jnp.concatenate([laid[..., :1], jnp.exp(laid[..., 1:])], -1)
        return jnp.cumsum(steps, -1), laid[..., 1:].sum()

    def free(self, value: Float[np.ndarray, "..."]) -> Float[np.ndarray, " free"]:
        steps = np.diff(value, axis=-1)
        if not (steps > 0).all():
            raise ValueError("must increase along the last axis")
        return np.concatenate([value[..., :1], np.log(steps)], -1).ravel()


SUPPORTS: dict[str, Support] = {
    "real": Real(),
    "positive": Positive(),
    "unit-interval": Interval(0.0, 1.0),
    "simplex": Simplex(),
    "ordered": Ordered(),
}
"""The supports that have a name; an interval (low, high) is written as the pair."""


class Place(NamedTuple):
    """Where a parameter lies among the coordinates."""

    name: str
    shape: tuple[int, ...]
    support: Support
    start: int
    size: int


class Coordinates:
    """The way between a pytree of parameters and ℝᵈ.

    Args:
        parameters: a pytree of numbers and arrays; their values are where inference begins.
        supports: a pytree of names of `SUPPORTS` or pairs (low, high), of the same structure or with a word for a
            whole branch; None: all real. A mapping may leave out what is real.

    Raises:
        ValueError: an unknown support, one that no parameter has, or a value outside its support.
    """

    def __init__(self, parameters: PyTree, supports: PyTree = None) -> None:
        leaves, self._structure = jax.tree_util.tree_flatten_with_path(parameters)
        if not leaves:
            raise ValueError("parameters must hold at least one number or array")
        self.places: list[Place] = []
        begin, at = [], 0
        used: set[str] = set()
        for path, leaf in leaves:
            name = _name(path)
            value = np.asarray(leaf, np.float64)
            support = _support(name, _follow(supports, path, used))
            try:
                begin.append(support.free(value))
            except ValueError as error:
                raise ValueError(f"the start of parameter {name!r} {error}, as its support says") from None
            size = support.size(value.shape)
            self.places.append(Place(name, value.shape, support, at, size))
            at += size
        unknown = {str(key) for key in supports} - used if isinstance(supports, Mapping) else set()
        if unknown:
            known = ", ".join(place.name for place in self.places)
            raise ValueError(f"supports names {sorted(unknown)[0]!r}, which is no parameter; there are {known}")
        self.dims = at
        self.begin = np.concatenate(begin)

    def constrain(self, theta: Float[Array, " dims"]) -> tuple[PyTree, Float[Array, ""]]:
        """The parameters at a point of ℝᵈ, and the log-determinant of the map there."""
        leaves, log_det = [], jnp.zeros((), theta.dtype)
        for place in self.places:
            value, part = place.support.constrain(theta[place.start : place.start + place.size], place.shape)
            leaves.append(value)
            log_det = log_det + part
        return jax.tree.unflatten(self._structure, leaves), log_det

    def by_name(self, parameters: PyTree) -> dict[str, Any]:
        """The leaves of a pytree of parameters by their names."""
        return {p.name: leaf for p, leaf in zip(self.places, jax.tree.leaves(parameters), strict=True)}


def _name(path: tuple[Any, ...]) -> str:
    return ".".join(str(_key(step)) for step in path) or "theta"


def _key(step: object) -> Any:
    """What a step into a pytree is called: a key, the name of a field, or a place."""
    match step:
        case jax.tree_util.DictKey() | jax.tree_util.FlattenedIndexKey():
            return step.key
        case jax.tree_util.GetAttrKey():
            return step.name
        case jax.tree_util.SequenceKey():
            return step.idx
    return step


def _follow(supports: PyTree, path: tuple[Any, ...], used: set[str]) -> Any:
    """What is said of the leaf at the end of a path."""
    said = supports
    for number, step in enumerate(path):
        if isinstance(said, Mapping):
            if number == 0:
                used.add(str(_key(step)))
            said = said.get(_key(step))
        elif isinstance(step, jax.tree_util.GetAttrKey) and hasattr(said, step.name):  # a field of the user's own class
            said = getattr(said, step.name)
        elif isinstance(said, list | tuple) and not (isinstance(said, tuple) and _is_pair(said)):
            said = said[_key(step)]
    return said


def _is_pair(said: tuple) -> bool:
    return len(said) == 2 and all(isinstance(end, int | float) for end in said)


def _support(name: str, said: object) -> Support:
    if said is None:
        return SUPPORTS["real"]
    if isinstance(said, Support):
        return said
    if isinstance(said, tuple) and _is_pair(said):
        return Interval(float(said[0]), float(said[1]))
    if isinstance(said, str) and said in SUPPORTS:
        return SUPPORTS[said]
    raise ValueError(
        f"the support of parameter {name!r} must be one of {', '.join(map(repr, SUPPORTS))} or a pair (low, high); "
        f"got {said!r}"
    )
