"""Unconstrained coordinates around fitted parameters: zero is the fit, and every vector is a member.

Means move in units of their standard deviations, positive parameters by factors ``exp δ``, probabilities in logits and
shares in log-ratios; covariances as their structure allows, ``Σ_k = λ_k D_k A_k D_kᵀ`` (Celeux & Govaert 1995): volumes
and shapes in logarithms, and orientations by Cayley's rotations ``(I − S)⁻¹(I + S)``, S antisymmetric (Golub & Van Loan
2013, section 2.1) — or, where shape and orientation are shared together or vary together, by a unit lower-triangular
factor on the Cholesky factor.
"""

import abc
import math
from typing import Literal

import numpy as np
from jaxtyping import Bool, Float

from tacit.compute import Array
from tacit.engine import jnp
from tacit.families.base import Distribution
from tacit.families.covariance import STRUCTURES
from tacit.trees import Pytree, static

_NEARLY_ZERO = 1e-100
"""Stands for a rate or a probability of 0, whose logarithm has no derivatives."""

SHARED = -1
"""The owner of a coordinate that moves several components."""


class Chart(Pytree):
    """Coordinates of one array of parameters ``[K, ...]``."""

    @property
    @abc.abstractmethod
    def most(self) -> float:
        """At this value another, simpler kind of density is reached: there is no standard error."""

    @property
    @abc.abstractmethod
    def owners(self) -> np.ndarray:
        """The component that each coordinate moves, or ``SHARED``."""

    @abc.abstractmethod
    def moved(self, step: Float[Array, " coordinates"]) -> Float[Array, "..."]:
        """The parameters at these coordinates; at 0 those of the fit."""


Kind = Literal["shift", "factor", "odds", "ratios"]


class Entries(Chart):
    """Entries of an array that move one by one, by δ where they have a coordinate and else by 0.

    "shift" is ``value + scale · δ``; "factor" ``value · exp δ``; "odds" multiplies ``p/(1−p)`` by ``exp δ``; "ratios"
    multiplies by ``exp δ`` and restores the sum along the last axis, of the entries that are ``shared``.
    """

    value: Float[Array, "..."]
    scale: Float[Array, "..."]
    shared: Bool[Array, "..."]
    places: tuple[int, ...] = static()
    """Where the coordinates stand in the flattened array."""
    kind: Kind = static()
    most: float = static(default=math.inf)

    @property
    def owners(self) -> np.ndarray:
        inner = math.prod(self.value.shape[1:])
        return np.asarray(self.places, dtype=int) // inner

    def moved(self, step: Float[Array, " coordinates"]) -> Float[Array, "..."]:
        value = self.value
        laid = jnp.zeros(value.size).at[np.asarray(self.places, dtype=int)].set(step).reshape(value.shape)
        if self.kind == "shift":
            return value + self.scale * laid
        lifted = value * jnp.exp(laid)
        if self.kind == "factor":
            return lifted
        if self.kind == "odds":
            return lifted / (lifted + 1.0 - value)
        before = jnp.where(self.shared, value, 0.0).sum(-1, keepdims=True)
        after = jnp.where(self.shared, lifted, 0.0).sum(-1, keepdims=True)
        return jnp.where(self.shared, lifted * before / jnp.where(after > 0, after, 1.0), value)


class Covariances(Chart):
    """Volume, shape and orientation of every component, each shared, its own, or absent.

    ``frames`` is ``D_k`` with ``spread`` the eigenvalues ``λ_k A_k``; or, with ``triangular``, the Cholesky
    factor, ``spread`` ones; or nothing where the covariances are diagonal and ``spread`` the variances.
    """

    spread: Float[Array, "components d"]
    frames: Float[Array, "components d d"] | None
    moving: tuple[int, ...] = static()
    """Components whose covariance is not fixed."""
    structure: str = static()
    triangular: bool = static()

    @property
    def most(self) -> float:
        return math.inf

    def _sizes(self) -> list[tuple[str, int]]:
        """For volume, shape and orientation: whose they are, and the coordinates of one."""
        parts, dims = STRUCTURES[self.structure], self.spread.shape[1]
        return [
            (parts.volume, 1),
            (parts.shape, dims - 1),
            (parts.orientation, dims * (dims - 1) // 2),
        ]

    def _copies(self, letter: str) -> int:
        return {"V": len(self.moving), "E": min(1, len(self.moving)), "I": 0}[letter]

    @property
    def owners(self) -> np.ndarray:
        owners = [np.zeros(0, dtype=int)]
        for letter, size in self._sizes():
            if letter != "I" and self._copies(letter) == len(self.moving):
                owners.append(np.repeat(np.asarray(self.moving, dtype=int), size))
            elif letter == "E":
                owners.append(np.full(size, SHARED))
        return np.concatenate(owners)

    def moved(self, step: Float[Array, " coordinates"]) -> Float[Array, "components d ..."]:
        volume, shape, turn = self._laid(step)
        # the logarithms of a shape sum to 0
        stretch = volume + jnp.concatenate([shape, -shape.sum(1, keepdims=True)], axis=1)
        if self.frames is None:
            return self.spread * jnp.exp(stretch)
        components, dims = self.spread.shape
        identity = jnp.eye(dims)
        below = jnp.zeros((components, dims, dims)).at[:, *np.tril_indices(dims, -1)].set(turn)
        if self.triangular:
            root = self.frames @ ((identity + below) * jnp.exp(0.5 * stretch)[:, None])
        else:
            skew = below - jnp.swapaxes(below, 1, 2)
            rotation = jnp.linalg.solve(identity - skew, identity + skew)
            root = self.frames @ rotation * jnp.sqrt(self.spread * jnp.exp(stretch))[:, None]
        return root @ jnp.swapaxes(root, 1, 2)

    def _laid(self, step):
        """Volume ``[K, 1]``, shape ``[K, d − 1]`` and turn ``[K, d(d − 1)/2]`` of every component."""
        laid, start = [], 0
        for letter, size in self._sizes():
            end = start + self._copies(letter) * size
            part = jnp.zeros((self.spread.shape[0], size))
            if end > start:
                part = part.at[np.asarray(self.moving)].set(step[start:end].reshape(-1, size))
            laid.append(part)
            start = end
        return laid


def covariance_chart(
    values: Float[np.ndarray, "components d ..."], structure: str, fixed: Bool[Array, " components"] | None
) -> Covariances:
    """The chart of matrices, or of variances, under a structure; those that are fixed have no coordinates."""
    parts = STRUCTURES[structure]
    moving = tuple(np.flatnonzero(free_components(fixed, values.shape[0])).tolist())
    if parts.diagonal:
        return Covariances(values, None, moving, structure, triangular=False)
    if parts.shape == parts.orientation:
        return Covariances(np.ones(values.shape[:2]), np.linalg.cholesky(values), moving, structure, triangular=True)
    if parts.orientation == "V":
        spread, frames = np.linalg.eigh(values)
        return Covariances(spread, frames, moving, structure, triangular=False)
    # one frame for all: that of a combination in which no two directions are alike by symmetry
    share = np.arange(1.0, 1.0 + values.shape[0]) / np.trace(values, axis1=1, axis2=2)
    frame = np.linalg.eigh(np.einsum("k,kde->de", share, values))[1]
    spread = np.einsum("dj,kde,ej->kj", frame, values, frame)
    return Covariances(spread, np.array(np.broadcast_to(frame, values.shape)), moving, structure, triangular=False)


def free_components(fixed: Bool[Array, " components"] | None, components: int) -> Bool[np.ndarray, " components"]:
    """The components whose parameters move."""
    return np.ones(components, bool) if fixed is None else ~np.asarray(fixed)


def share_chart(value: Float[np.ndarray, "... levels"], free: Bool[np.ndarray, "... levels"]) -> Entries:
    """The chart of shares that sum to 1 over those that are ``free``; the largest of them follows from the others."""
    largest = np.arange(value.shape[-1]) == np.where(free, value, -1.0).argmax(-1)[..., None]
    return Entries(value, np.ones(value.shape), free, _places(free & ~largest), "ratios")


def real_chart(
    value: Float[Array, "components ..."],
    scale: Float[Array, "components ..."],
    moving: Bool[np.ndarray, " components"],
) -> Entries:
    """The chart of real numbers, each in units of its scale."""
    return Entries(value, scale, np.ones(value.shape, bool), _places(_over(moving, value)), "shift")


def family_charts(family: Distribution, moving: Bool[np.ndarray, " components"]) -> dict[str, Chart]:
    """The charts of a family's parameters by name; parameters on their boundary have no coordinates.

    Args:
        family: with batch ``[K, columns]`` and NumPy leaves.
        moving: the components that are not fixed.

    Raises:
        ValueError: a family whose coordinates are not known.
    """
    if not family.parameters:
        raise ValueError(f"standard errors are not known for the family {family.name}")
    found: dict[str, Chart] = {}
    for parameter in family.parameters:
        value = family.values()[parameter.name]
        free = _over(moving, value) & (value > 0)
        match parameter.space:
            case "real":
                found[parameter.name] = real_chart(value, family.location_scale()[1], moving)
            case "positive":
                found[parameter.name] = _entries(value, free & (value < parameter.most), "factor", parameter.most)
            case "probability":
                found[parameter.name] = _entries(value, free & (value < 1), "odds")
            case "shares":
                largest = np.arange(value.shape[-1]) == value.argmax(-1)[..., None]
                found[parameter.name] = _entries(value, free & ~largest, "ratios")
    return found


def _places(free: np.ndarray) -> tuple[int, ...]:
    return tuple(np.flatnonzero(free).tolist())


def _entries(value: Array, free: np.ndarray, kind: Kind, most: float = math.inf) -> Entries:
    inside = np.where(value > 0, value, _NEARLY_ZERO)
    if kind == "odds":
        inside = np.minimum(inside, 1.0 - np.finfo(float).epsneg)
    return Entries(inside, np.ones(value.shape), np.ones(value.shape, bool), _places(free), kind, most)


def _over(moving: np.ndarray, value: Array) -> np.ndarray:
    return np.broadcast_to(moving.reshape(-1, *(1,) * (value.ndim - 1)), value.shape)
