"""Unconstrained coordinates around a fitted mixture: zero is the fit, and every vector is a mixture.

Weights move as log-ratios, means in units of their standard deviations, positive parameters by factors
``exp δ``, probabilities in logits; covariances as their structure allows, ``Σ_k = λ_k D_k A_k D_kᵀ``
(Celeux & Govaert 1995): volumes and shapes in logarithms, and orientations by Cayley's rotations
``(I − S)⁻¹(I + S)``, S antisymmetric (Golub & Van Loan 2013, section 2.1) — or, where shape and orientation
are shared together or vary together, by a unit lower-triangular factor on the Cholesky factor.
"""

import abc
import math
from typing import Any, Literal

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Bool, Float

from tacit.compute import Array
from tacit.families.bernoulli import Bernoulli
from tacit.families.categorical import Categorical
from tacit.families.covariance import STRUCTURES
from tacit.families.exponential import Exponential
from tacit.families.gamma import Gamma
from tacit.families.log_normal import LogNormal
from tacit.families.multinomial import Multinomial
from tacit.families.negative_binomial import NegativeBinomial
from tacit.families.normal import Normal
from tacit.families.poisson import Poisson
from tacit.families.student_t import StudentT
from tacit.models.mixture.gaussian import GaussianGroup
from tacit.models.mixture.group import FamilyGroup
from tacit.models.mixture.model import Mixture

_NEARLY_ZERO = 1e-100
"""Stands for a rate or a probability of 0, whose logarithm has no derivatives."""

SHARED = -1
"""The owner of a coordinate that moves several components."""


class Chart(eqx.Module):
    """Coordinates of one array of parameters ``[K, ...]``."""

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
    places: tuple[int, ...] = eqx.field(static=True)
    """Where the coordinates stand in the flattened array."""
    kind: Kind = eqx.field(static=True)

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
    moving: tuple[int, ...] = eqx.field(static=True)
    """Components whose covariance is not fixed."""
    structure: str = eqx.field(static=True)
    triangular: bool = eqx.field(static=True)

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


def covariance_chart(group: GaussianGroup) -> Covariances:
    """The chart of a Gaussian group's covariances under its structure."""
    parts, name = STRUCTURES[group.structure], group.structure
    values = np.asarray(group.covariances)
    moving = tuple(np.flatnonzero(_moving(group.fixed_covariances, values.shape[0])).tolist())
    if group.diagonal:
        return Covariances(values, None, moving, name, triangular=False)
    if parts.shape == parts.orientation:
        return Covariances(np.ones(values.shape[:2]), np.linalg.cholesky(values), moving, name, triangular=True)
    if parts.orientation == "V":
        spread, frames = np.linalg.eigh(values)
        return Covariances(spread, frames, moving, name, triangular=False)
    # one frame for all: that of a combination in which no two directions are alike by symmetry
    share = np.arange(1.0, 1.0 + values.shape[0]) / np.trace(values, axis1=1, axis2=2)
    frame = np.linalg.eigh(np.einsum("k,kde->de", share, values))[1]
    spread = np.einsum("dj,kde,ej->kj", frame, values, frame)
    return Covariances(spread, np.array(np.broadcast_to(frame, values.shape)), moving, name, triangular=False)


def _places(free: np.ndarray) -> tuple[int, ...]:
    return tuple(np.flatnonzero(free).tolist())


def _entries(value: Array, free: np.ndarray, kind: Kind) -> Entries:
    inside = np.where(value > 0, value, _NEARLY_ZERO)
    if kind == "odds":
        inside = np.minimum(inside, 1.0 - np.finfo(float).epsneg)
    return Entries(inside, np.ones(value.shape), np.ones(value.shape, bool), _places(free), kind)


def _real(value: Array, scale: Array, moving: np.ndarray) -> Entries:
    return Entries(value, scale, np.ones(value.shape, bool), _places(_over(moving, value)), "shift")


def _positive(value: Array, moving: np.ndarray, most: float = np.inf) -> Entries:
    return _entries(value, _over(moving, value) & (value > 0) & (value < most), "factor")


def _shares(value: Array, moving: np.ndarray) -> Entries:
    largest = np.arange(value.shape[-1]) == value.argmax(-1)[..., None]
    return _entries(value, _over(moving, value) & (value > 0) & ~largest, "ratios")


def _over(moving: np.ndarray, value: Array) -> np.ndarray:
    return np.broadcast_to(moving.reshape(-1, *(1,) * (value.ndim - 1)), value.shape)


MOST = {"dispersions": 0.99e10, "dofs": 0.99e6}
"""Above these a negative binomial is a Poisson, and Student's t a Normal: at its bound, a parameter has no error."""


def family_charts(family: Any, moving: np.ndarray) -> dict[str, Chart]:
    """The charts of a family's parameters by name; parameters on their boundary have no coordinates.

    Args:
        family: with batch ``[K, columns]`` and NumPy leaves.
        moving: the components that are not fixed.

    Raises:
        ValueError: a family whose coordinates are not known.
    """
    match family:
        case LogNormal():
            return family_charts(family.logarithm, moving)
        case Normal():
            means = _real(family.means, np.sqrt(family.variances), moving)
            return {"means": means, "variances": _positive(family.variances, moving)}
        case Poisson() | Exponential():
            return {"rates": _positive(family.rates, moving)}
        case Gamma():
            return {"shapes": _positive(family.shapes, moving), "rates": _positive(family.rates, moving)}
        case NegativeBinomial():
            dispersions = _positive(family.dispersions, moving, MOST["dispersions"])
            return {"means": _positive(family.means, moving), "dispersions": dispersions}
        case StudentT():
            return {
                "locations": _real(family.locations, np.asarray(family.scales), moving),
                "scales": _positive(family.scales, moving),
                "dofs": _positive(family.dofs, moving, MOST["dofs"]),
            }
        case Bernoulli():
            value = family.probabilities
            inside = _over(moving, value) & (value > 0) & (value < 1)
            return {"probabilities": _entries(value, inside, "odds")}
        case Categorical() | Multinomial():
            return {"probabilities": _shares(family.probabilities, moving)}
    raise ValueError(f"standard errors are not known for the family {family.name}")


class Coordinates(eqx.Module):
    """All coordinates of a mixture: those of the weights, then those of every group's parameters."""

    model: Mixture
    weights: Entries
    groups: tuple[dict[str, Chart], ...]

    def _charts(self) -> list[Chart]:
        return [self.weights, *(charts[name] for charts in self.groups for name in sorted(charts))]

    @property
    def owners(self) -> np.ndarray:
        """The component that each coordinate moves, or ``SHARED``."""
        return np.concatenate([chart.owners for chart in self._charts()])

    def parameters(
        self, step: Float[Array, " coordinates"]
    ) -> tuple[Float[Array, " components"], tuple[dict[str, Float[Array, "..."]], ...]]:
        """Weights, and the parameters of every group by name, at these coordinates."""
        sizes = [chart.owners.size for chart in self._charts()]
        parts = iter(jnp.split(step, np.cumsum(sizes)[:-1]))
        weights = self.weights.moved(next(parts))
        groups = tuple({name: charts[name].moved(next(parts)) for name in sorted(charts)} for charts in self.groups)
        return weights, groups

    def mixture(self, step: Float[Array, " coordinates"]) -> Mixture:
        """The mixture at these coordinates."""
        weights, values = self.parameters(step)
        present = weights > 0
        logs = jnp.where(present, jnp.log(jnp.where(present, weights, 1.0)), -jnp.inf)
        groups = tuple(_with(g, v) for g, v in zip(self.model.groups, values, strict=True))
        return eqx.tree_at(lambda m: (m.log_weights, m.groups), self.model, (logs, groups))


def _with(group: Any, values: dict[str, Float[Array, "..."]]) -> Any:
    names = list(values)

    def places(g: Any) -> list[Any]:
        target = g if isinstance(g, GaussianGroup) else getattr(g.family, "logarithm", g.family)
        return [getattr(target, name) for name in names]

    return eqx.tree_at(places, group, [values[name] for name in names])


def coordinates(model: Mixture) -> Coordinates:
    """The coordinates around a fitted mixture with NumPy leaves; fixed parameters have none."""
    value = np.exp(np.asarray(model.log_weights))
    fixed = np.zeros(value.shape, bool) if model.fixed_weights is None else np.asarray(model.fixed_weights)
    shared = ~fixed & (value > 0)
    largest = np.arange(value.size) == np.argmax(np.where(shared, value, -1.0))
    weights = Entries(value, np.ones(value.shape), shared, _places(shared & ~largest), "ratios")
    return Coordinates(model, weights, tuple(_group_charts(group) for group in model.groups))


def _group_charts(group: GaussianGroup | FamilyGroup) -> dict[str, Chart]:
    if isinstance(group, FamilyGroup):
        family = jax.tree.map(np.asarray, group.family)
        components = jax.tree.leaves(family)[0].shape[0]
        return family_charts(family, _moving(group.fixed, components))
    means = np.asarray(group.means)
    values = np.asarray(group.covariances)
    variances = values if group.diagonal else np.diagonal(values, axis1=-2, axis2=-1)
    return {
        "means": _real(means, np.sqrt(variances), _moving(group.fixed_means, means.shape[0])),
        "covariances": covariance_chart(group),
    }


def _moving(fixed: Any, components: int) -> np.ndarray:
    return np.ones(components, bool) if fixed is None else ~np.asarray(fixed)
