"""What a group of columns does in an E-step, and the features of rows that it is made of.

Where features of the rows are free of the parameters, log-densities and statistics are each one matrix product.
Arrays of parameters lead with ``[K]``, or with ``[starts, K]`` where many fits go side by side.
"""

import abc
import dataclasses
from typing import Any, TypeVar

import numpy as np
from jaxtyping import Bool, Float, Int

from tacit import trees
from tacit.arrays import Pytree, product, squared_norm, static, traced, upper_triangle, xp
from tacit.compute import LOG_2PI, Array
from tacit.engine import jax
from tacit.families.base import Distribution, ExponentialFamily

D = TypeVar("D", bound=Distribution)

FILLER = 1.0
"""Stands in for a missing value; it lies in the support of every family."""


def take(rows: Float[Array, "rows dims"], columns: tuple[int, ...], log: bool = False) -> Float[Array, "rows d"]:
    """The columns of a group, on the log scale where the family is log-normal."""
    if columns != tuple(range(rows.shape[-1])):
        first, last = columns[0], columns[-1] + 1
        contiguous = columns == tuple(range(first, last))
        rows = rows[..., first:last] if contiguous else rows[..., np.asarray(columns)]
    return xp.log(rows) if log else rows


class Step(Pytree):
    """One group's share of an E-step."""

    @abc.abstractmethod
    def terms(self, rows: Float[Array, "rows dims"]) -> tuple[Float[Array, "*starts rows components"], Any]:
        """Log-densities of the rows under every component, and what ``statistics`` will want again."""

    @abc.abstractmethod
    def statistics(self, memo: Any, responsibilities: Float[Array, "*starts rows components"]) -> Any:
        """Expected statistics, summed over rows with the (weighted) responsibilities."""

    def among(self, *there: Int[np.ndarray, " chosen"]) -> "Step | None":
        """The step of components in one row, by start and number; None of one that cannot be taken apart like that."""
        return None


class Pairs(Pytree):
    """Features of a Gaussian vector: x, and x_i x_j for i ≤ j; ``single`` where products may be taken in float32."""

    single: bool = static(default=False)

    def __call__(self, x: Float[Array, "rows d"]) -> tuple[Float[Array, "f rows"], None]:
        i, j = upper_triangle(x.shape[1])
        across = x.T
        return xp.concatenate([across, across[i] * across[j]]), None


class Squares(Pytree):
    """Features of independent Gaussian columns: x and x²; where entries may be missing, their mask too."""

    complete: bool = static()

    def __call__(self, x: Float[Array, "rows d"]) -> tuple[Float[Array, "f rows"], None]:
        across = x.T
        if self.complete:
            return xp.concatenate([across, across * across]), None
        seen = ~xp.isnan(across)
        across = xp.where(seen, across, 0.0)
        return xp.concatenate([across, across * across, seen.astype(x.dtype)]), None


class FamilyFeatures(Pytree):
    """T(x) of an exponential family over the columns of a group, flattened, then the mask of observed entries."""

    family: ExponentialFamily
    complete: bool = static()

    def __call__(self, x: Float[Array, "rows d"]) -> tuple[Float[Array, "f rows"], Float[Array, " rows"]]:
        events, seen = observed_events(self.family, x)
        statistics = self.family.sufficient_statistics(events)
        base = self.family.log_base(events)
        if self.complete:
            return statistics.reshape(x.shape[0], -1).T, base.sum(-1)
        mask = seen.astype(x.dtype)
        masked = (statistics * mask[..., None]).reshape(x.shape[0], -1)
        return xp.concatenate([masked, mask], axis=1).T, xp.where(seen, base, 0.0).sum(-1)


def observed_events(
    family: Distribution, x: Float[Array, "rows d"]
) -> tuple[Float[Array, "rows events ..."], Bool[Array, "rows events"]]:
    """The events of a row and which of them are seen: each column is one, or the whole row is."""
    events = x[:, None, :] if family.event_dims else x
    missing = xp.isnan(events)
    seen = ~(missing.any(-1) if family.event_dims else missing)
    return xp.where(missing, FILLER, events), seen


def under_all(family: D) -> D:
    """A family with batch ``[*starts, K, events]`` as ``[*starts, 1, K, events]``, to meet rows."""
    starts = np.ndim(family.mean()) - 2 - family.event_dims
    return trees.map(lambda leaf: xp.expand_dims(leaf, starts), family)


class LinearStep(Step):
    """``logits = η T(X) + c + log h``; statistics ``T(X) R``."""

    features: Any
    natural: Float[Array, "*starts components f"]
    constant: Float[Array, "*starts components"]
    columns: tuple[int, ...] = static()
    log: bool = static(default=False)

    def terms(self, rows: Float[Array, "rows dims"]) -> tuple[Float[Array, "*starts rows components"], Any]:
        x = take(rows, self.columns, self.log)
        features, base = self.features(x)
        across = product(self.natural, features)
        across += self.constant[..., None]  # in place, where it is a NumPy array
        logits = xp.swapaxes(across, -1, -2)
        if self.log:
            logits = logits - xp.where(xp.isnan(x), 0.0, x).sum(-1)[:, None]
        return (logits if base is None else logits + base[:, None]), features

    def statistics(self, memo: Any, responsibilities: Float[Array, "*starts rows components"]) -> Any:
        counts = responsibilities.sum(-2)
        if traced(responsibilities):
            # the barrier keeps XLA from turning the product into RᵀTᵀ, which its CPU kernels do in half again the time
            return counts, jax.lax.optimization_barrier(memo @ responsibilities).T
        return counts, product(xp.swapaxes(responsibilities, -1, -2), memo.T)

    def among(self, *there: Int[np.ndarray, " chosen"]) -> "Step | None":
        if trees.leaves(self.features):
            return None  # which have parameters of their own
        return dataclasses.replace(self, natural=self.natural[there], constant=self.constant[there])


class LocalPosteriorStep(Step):
    """A family whose statistics come from a posterior over a local scale: every component sees its own T."""

    family: Any
    columns: tuple[int, ...] = static()
    noise_floor: Float[Array, "*starts columns"] | None = None

    @property
    def _noise(self) -> tuple:
        return () if self.noise_floor is None else (self.noise_floor[..., None, None, :],)

    def terms(self, rows: Float[Array, "rows dims"]) -> tuple[Float[Array, "*starts rows components"], Any]:
        events, seen = observed_events(self.family, take(rows, self.columns))
        log_prob = under_all(self.family).log_prob(events[:, None], *self._noise)
        return xp.where(seen[:, None], log_prob, 0.0).sum(-1), (events, seen)

    def statistics(self, memo: Any, responsibilities: Float[Array, "*starts rows components"]) -> Any:
        events, seen = memo
        mass = responsibilities[..., None] * seen[:, None]
        expected = under_all(self.family).expected_statistics(events[:, None], *self._noise)
        return mass.sum(-3), (mass[..., None] * expected).sum(-4)


class WhitenedStep(Step):
    """A Gaussian vector by ``‖L_k⁻¹(x − μ_k)‖²``, with statistics about the means: no cancellation anywhere.

    ``penalty`` is the noise floor's share of the log-density (zero in a public density).
    """

    means: Float[Array, "*starts components d"]
    factors: Float[Array, "*starts components d d"]
    """``L_k⁻¹``."""
    penalty: Float[Array, "*starts components"]
    columns: tuple[int, ...] = static()

    def terms(self, rows: Float[Array, "rows dims"]) -> tuple[Float[Array, "*starts rows components"], Any]:
        centred = take(rows, self.columns) - self.means[..., None, :]  # [*starts, K, rows, d]
        white = centred @ xp.swapaxes(self.factors, -1, -2)
        log_det = xp.log(xp.diagonal(self.factors, axis1=-2, axis2=-1)).sum(-1)
        constant = log_det - 0.5 * LOG_2PI * centred.shape[-1] - self.penalty
        return xp.swapaxes(constant[..., None] - 0.5 * squared_norm(white), -1, -2), centred

    def statistics(self, memo: Any, responsibilities: Float[Array, "*starts rows components"]) -> Any:
        weighted = xp.swapaxes(responsibilities, -1, -2)[..., None] * memo
        square = xp.swapaxes(weighted, -1, -2) @ memo
        return responsibilities.sum(-2), xp.concatenate([weighted.sum(-2), pack(square)], axis=-1)

    def among(self, *there: Int[np.ndarray, " chosen"]) -> "Step | None":
        return trees.map(lambda leaf: leaf[there], self)


class WhitenedDiagonalStep(Step):
    """The same for independent columns: ``Σ_j ((x_j − μ_kj)/σ_kj)²`` over the observed ones."""

    means: Float[Array, "*starts components d"]
    scales: Float[Array, "*starts components d"]
    penalty: Float[Array, "*starts components d"]
    columns: tuple[int, ...] = static()
    complete: bool = static()
    log: bool = static(default=False)

    def terms(self, rows: Float[Array, "rows dims"]) -> tuple[Float[Array, "*starts rows components"], Any]:
        x = take(rows, self.columns, self.log)
        means, scales, penalty = (part[..., None, :, :] for part in (self.means, self.scales, self.penalty))
        if self.complete:
            centred = x[:, None] - means
            constant = (-0.5 * LOG_2PI - xp.log(scales) - penalty).sum(-1)
            total = constant - 0.5 * squared_norm(centred / scales)
            return total - x.sum(-1)[:, None] if self.log else total, (centred, centred)
        seen = ~xp.isnan(x)
        centred = xp.where(seen[:, None], x[:, None] - means, 0.0)
        each = -0.5 * (LOG_2PI + (centred / scales) ** 2) - xp.log(scales) - penalty
        if self.log:
            each = each - xp.where(seen, x, 0.0)[:, None]
        return xp.where(seen[:, None], each, 0.0).sum(-1), (centred, seen)

    def statistics(self, memo: Any, responsibilities: Float[Array, "*starts rows components"]) -> Any:
        centred, seen = memo
        weighted = responsibilities[..., None] * centred
        parts = [weighted.sum(-3), (weighted * centred).sum(-3)]
        if not self.complete:
            parts.append(xp.swapaxes(responsibilities, -1, -2) @ seen.astype(centred.dtype))
        return responsibilities.sum(-2), xp.concatenate(parts, axis=-1)


def pack(square: Float[Array, "*batch d d"]) -> Float[Array, "*batch f"]:
    """The upper triangle of symmetric matrices, row by row."""
    i, j = upper_triangle(square.shape[-1])
    return square[..., i, j]


def unpack(packed: Float[Array, "*batch f"], dims: int) -> Float[Array, "*batch d d"]:
    """Symmetric matrices from their upper triangles."""
    i, j = upper_triangle(dims)
    place = np.empty((dims, dims), int)
    place[i, j] = place[j, i] = np.arange(i.size)
    return packed[..., place]
