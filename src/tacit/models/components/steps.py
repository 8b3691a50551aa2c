"""The E-step's share of each group of columns: log-densities under all components, then weighted statistics.

Where ``log p_k(x) = ⟨η_k, T(x)⟩ + c_k + log h(x)``, the whole step is one matrix product ``η T(X)``, and the
statistics are one more, ``T(X) R``. The features lie with the rows last: on a CPU the products, and the soft-max
between them, then run along the long axis, in three quarters of the time.
"""

import abc
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Bool, Float

from tacit.compute import LOG_2PI, Array
from tacit.families.base import Distribution, ExponentialFamily

FILLER = 1.0
"""Stands in for a missing value; it lies in the support of every family."""


def take(rows: Float[Array, "rows dims"], columns: tuple[int, ...], log: bool = False) -> Float[Array, "rows d"]:
    """The columns of a group, on the log scale where the family is log-normal."""
    if columns != tuple(range(rows.shape[-1])):
        first, last = columns[0], columns[-1] + 1
        contiguous = columns == tuple(range(first, last))
        rows = rows[..., first:last] if contiguous else rows[..., jnp.asarray(columns)]
    return jnp.log(rows) if log else rows


class Step(eqx.Module):
    """One group's share of an E-step."""

    @abc.abstractmethod
    def terms(self, rows: Float[Array, "rows dims"]) -> tuple[Float[Array, "rows components"], Any]:
        """Log-densities of the rows under every component, and what ``statistics`` will want again."""

    @abc.abstractmethod
    def statistics(self, memo: Any, responsibilities: Float[Array, "rows components"]) -> Any:
        """Expected statistics, summed over rows with the (weighted) responsibilities."""


class Pairs(eqx.Module):
    """Features of a Gaussian vector: x, and x_i x_j for i ≤ j."""

    def __call__(self, x: Float[Array, "rows d"]) -> tuple[Float[Array, "f rows"], None]:
        i, j = jnp.triu_indices(x.shape[1])
        across = x.T
        return jnp.concatenate([across, across[i] * across[j]]), None


class Squares(eqx.Module):
    """Features of independent Gaussian columns: x and x²; where entries may be missing, their mask too."""

    complete: bool = eqx.field(static=True)

    def __call__(self, x: Float[Array, "rows d"]) -> tuple[Float[Array, "f rows"], None]:
        across = x.T
        if self.complete:
            return jnp.concatenate([across, across * across]), None
        seen = ~jnp.isnan(across)
        across = jnp.where(seen, across, 0.0)
        return jnp.concatenate([across, across * across, seen.astype(x.dtype)]), None


class FamilyFeatures(eqx.Module):
    """T(x) of an exponential family over the columns of a group, flattened, then the mask of observed entries."""

    family: ExponentialFamily
    complete: bool = eqx.field(static=True)

    def __call__(self, x: Float[Array, "rows d"]) -> tuple[Float[Array, "f rows"], Float[Array, " rows"]]:
        events, seen = observed_events(self.family, x)
        statistics = self.family.sufficient_statistics(events)
        base = self.family.log_base(events)
        if self.complete:
            return statistics.reshape(x.shape[0], -1).T, base.sum(-1)
        mask = seen.astype(x.dtype)
        masked = (statistics * mask[..., None]).reshape(x.shape[0], -1)
        return jnp.concatenate([masked, mask], axis=1).T, jnp.where(seen, base, 0.0).sum(-1)


def observed_events(
    family: Distribution, x: Float[Array, "rows d"]
) -> tuple[Float[Array, "rows events ..."], Bool[Array, "rows events"]]:
    """The events of a row and which of them are seen: each column is one, or the whole row is."""
    events = x[:, None, :] if family.event_dims else x
    missing = jnp.isnan(events)
    seen = ~(missing.any(-1) if family.event_dims else missing)
    return jnp.where(missing, FILLER, events), seen


class LinearStep(Step):
    """``logits = η T(X) + c + log h``; statistics ``T(X) R``."""

    features: Any
    natural: Float[Array, "components f"]
    constant: Float[Array, " components"]
    columns: tuple[int, ...] = eqx.field(static=True)
    log: bool = eqx.field(static=True, default=False)

    def terms(self, rows: Float[Array, "rows dims"]) -> tuple[Float[Array, "rows components"], Any]:
        x = take(rows, self.columns, self.log)
        features, base = self.features(x)
        logits = (self.natural @ features + self.constant[:, None]).T
        if self.log:
            logits = logits - jnp.where(jnp.isnan(x), 0.0, x).sum(-1)[:, None]
        return (logits if base is None else logits + base[:, None]), features

    def statistics(self, memo: Any, responsibilities: Float[Array, "rows components"]) -> Any:
        # the barrier keeps XLA from turning the product into RᵀTᵀ, which its CPU kernels do in half again the time
        return responsibilities.sum(0), jax.lax.optimization_barrier(memo @ responsibilities).T


class LocalPosteriorStep(Step):
    """A family whose statistics come from a posterior over a local scale: every component sees its own T."""

    family: Any
    columns: tuple[int, ...] = eqx.field(static=True)
    noise_floor: Float[Array, " columns"] | None = None

    @property
    def _noise(self) -> tuple:
        return () if self.noise_floor is None else (self.noise_floor,)

    def terms(self, rows: Float[Array, "rows dims"]) -> tuple[Float[Array, "rows components"], Any]:
        events, seen = observed_events(self.family, take(rows, self.columns))
        log_prob = jnp.where(seen[:, None], self.family.log_prob(events[:, None], *self._noise), 0.0)
        return log_prob.sum(-1), (events, seen)

    def statistics(self, memo: Any, responsibilities: Float[Array, "rows components"]) -> Any:
        events, seen = memo
        mass = responsibilities[:, :, None] * seen[:, None]
        expected = self.family.expected_statistics(events[:, None], *self._noise)
        return mass.sum(0), (mass[..., None] * expected).sum(0)


class WhitenedStep(Step):
    """A Gaussian vector by ``‖L_k⁻¹(x − μ_k)‖²``, with statistics about the means: no cancellation anywhere.

    ``penalty`` is the noise floor's share of the log-density (zero in a public density).
    """

    means: Float[Array, "components d"]
    factors: Float[Array, "components d d"]
    """``L_k⁻¹``."""
    penalty: Float[Array, " components"]
    columns: tuple[int, ...] = eqx.field(static=True)

    def terms(self, rows: Float[Array, "rows dims"]) -> tuple[Float[Array, "rows components"], Any]:
        centred = take(rows, self.columns)[:, None] - self.means
        white = jnp.einsum("nkd,ked->nke", centred, self.factors)
        diagonal = jnp.diagonal(self.factors, axis1=-2, axis2=-1)
        log_det = jnp.log(diagonal).sum(-1)
        constant = log_det - 0.5 * LOG_2PI * centred.shape[-1] - self.penalty
        return constant - 0.5 * jnp.sum(white**2, -1), centred

    def statistics(self, memo: Any, responsibilities: Float[Array, "rows components"]) -> Any:
        weighted = responsibilities[..., None] * memo
        square = jnp.einsum("nkd,nke->kde", weighted, memo)
        return responsibilities.sum(0), jnp.concatenate([weighted.sum(0), pack(square)], axis=1)


class WhitenedDiagonalStep(Step):
    """The same for independent columns: ``Σ_j ((x_j − μ_kj)/σ_kj)²`` over the observed ones."""

    means: Float[Array, "components d"]
    scales: Float[Array, "components d"]
    penalty: Float[Array, "components d"]
    columns: tuple[int, ...] = eqx.field(static=True)
    complete: bool = eqx.field(static=True)
    log: bool = eqx.field(static=True, default=False)

    def terms(self, rows: Float[Array, "rows dims"]) -> tuple[Float[Array, "rows components"], Any]:
        x = take(rows, self.columns, self.log)
        seen = ~jnp.isnan(x)
        centred = jnp.where(seen[:, None], x[:, None] - self.means, 0.0)
        each = -0.5 * (LOG_2PI + (centred / self.scales) ** 2) - jnp.log(self.scales) - self.penalty
        if self.log:
            each = each - jnp.where(seen, x, 0.0)[:, None]
        return jnp.where(seen[:, None], each, 0.0).sum(-1), (centred, seen)

    def statistics(self, memo: Any, responsibilities: Float[Array, "rows components"]) -> Any:
        centred, seen = memo
        weighted = responsibilities[..., None] * centred
        parts = [weighted.sum(0), (weighted * centred).sum(0)]
        if not self.complete:
            parts.append(responsibilities.T @ seen.astype(centred.dtype))
        return responsibilities.sum(0), jnp.concatenate(parts, axis=1)


def pack(square: Float[Array, "components d d"]) -> Float[Array, "components f"]:
    """The upper triangle of symmetric matrices, row by row."""
    i, j = jnp.triu_indices(square.shape[-1])
    return square[..., i, j]


def unpack(packed: Float[Array, "components f"], dims: int) -> Float[Array, "components d d"]:
    """Symmetric matrices from their upper triangles."""
    i, j = jnp.triu_indices(dims)
    square = jnp.zeros((*packed.shape[:-1], dims, dims), packed.dtype).at[..., i, j].set(packed)
    return square.at[..., j, i].set(packed)
