"""The E-step of Gaussian vectors over many rows as NumPy's matrix products, a piece of the rows at a time.

Log-densities are ``η T(x)`` and statistics ``Σ r T(x)`` with the packed features ``T = (1, x, x_i x_j for i ≤ j)``. A
few components make products so narrow that a library spends as much on laying out the features as on multiplying
them; pieces that are small enough it multiplies where they lie. Features are made band by band of ``x xᵀ``, so that
each is one run of memory. In single precision the products are taken in float32 and added up in float64.
"""

import dataclasses
import functools
from typing import Any, NamedTuple

import numpy as np
from jaxtyping import Float

from tacit.arrays import upper_triangle
from tacit.compute import Array
from tacit.data.sources import BlockSource
from tacit.inference.closed_form import Sums
from tacit.models.components.gaussian import Form, GaussianComponent
from tacit.models.components.steps import LinearStep, Pairs, Step
from tacit.models.mixture.rules import PosteriorRule, Rule

MANY_NUMBERS = 60_000
"""Features and log-densities of a chunk, together, from which on pieces of it are worth the calls."""
IN_PLACE = 1_000_000
"""Multiplications of a product up to which the libraries multiply the operands where they lie."""
LONGEST, SHORTEST = 512, 128
"""Rows of a piece: in a shorter one calls cost more than products."""
FEWEST_COLUMNS = 12
"""Columns from which on that is so: below, the compiler's one pass over a row costs less than many over a piece."""
SINGLE_ERROR = 1e-4
"""Nats a row by which products in float32 may err."""
CACHED = 1_300_000
"""Bytes of the features that are looked at together: they stay in the cache of a core between two products."""


class Pieces(NamedTuple):
    """How the rows of a chunk are cut."""

    rows: int
    together: int
    """How many pieces are multiplied by one call."""


@functools.cache
def pieces_of(rows: int, features: int, components: int, width: int) -> Pieces:
    """How to cut a chunk of so many rows; ``width`` is that of a number, in bytes."""
    most = max(SHORTEST, min(LONGEST, IN_PLACE // (features * components)))
    if SHORTEST * features * components > IN_PLACE:
        most = LONGEST  # wide products are worth laying out
    size = 1 << (most.bit_length() - 1)
    return Pieces(size, max(1, min(rows // size, CACHED // (features * size * width))))


@functools.cache
def bands(dims: int) -> np.ndarray:
    """Where in the packed upper triangle the pairs ``(i, i + q)`` stand, band after band."""
    i, j = upper_triangle(dims)
    place = np.empty((dims, dims), int)
    place[i, j] = np.arange(i.size)
    return np.concatenate([np.diagonal(place, offset) for offset in range(dims)])


def products_step(parts: tuple[Step, ...], rule: Rule, rows: Any) -> LinearStep | None:
    """The step of the one group of a mixture whose rows are better taken in pieces; None of any other."""
    part = parts[0]
    if len(parts) != 1 or not isinstance(rule, PosteriorRule) or not isinstance(part, LinearStep):
        return None
    numbers = len(rows) * (part.natural.shape[-1] + part.constant.size)
    return part if isinstance(part.features, Pairs) and not part.log and numbers >= MANY_NUMBERS else None


def sums_of_products(
    log_weights: Float[Array, "*starts components"],
    part: LinearStep,
    rows: Float[Array, "rows d"],
    weights: Float[Array, " rows"],
) -> Sums:
    """What the E-step of a mixture returns: counts, packed sums, and the sum of ``log p(x)``."""
    work = _Work(log_weights, part, rows)
    size, together = work.pieces
    for first in range(0, len(rows), size * together):
        some, mass = rows[first : first + size * together], weights[first : first + size * together]
        whole = len(some) // size * size
        if whole:
            work.add(some[:whole], mass[:whole], size)
        if whole < len(some):
            work.add(some[whole:], mass[whole:], len(some) - whole)
    return work.sums()


class _Work:
    """The sums so far, and the arrays that every piece writes to anew."""

    def __init__(self, log_weights: Array, part: LinearStep, rows: Array) -> None:
        self.columns = part.columns
        dims, kind = len(part.columns), np.float32 if part.features.single else np.float64
        self.there = ~np.isneginf(log_weights.reshape(-1, log_weights.shape[-1])).all(0)
        constant = (part.constant + log_weights)[..., self.there]
        natural = part.natural[..., self.there, :]
        self.lead, self.order = constant.shape, bands(dims)
        second = natural[..., dims:][..., self.order]
        joined = np.concatenate([np.maximum(constant, -1e30)[..., None], natural[..., :dims], second], axis=-1)
        self.natural = joined.reshape(-1, joined.shape[-1]).astype(kind)
        components, features = self.natural.shape
        self.pieces = pieces_of(len(rows), features, components, np.dtype(kind).itemsize)
        shape = self.pieces.together, self.pieces.rows
        self.features = np.empty((shape[0], features, shape[1]), kind)
        self.features[:, 0] = 1.0
        self.logits = np.empty((shape[0], components, shape[1]), kind)
        self.turned = np.empty((shape[0], shape[1], components), kind)
        self.total = np.zeros((features, components))
        self.bound = np.zeros(self.lead[:-1] or (1,))

    def add(self, rows: Array, weights: Array, size: int) -> None:
        """Some pieces of so many rows."""
        number, dims = len(rows) // size, len(self.columns)
        features = self.features[:number, :, :size]
        x = features[:, 1 : 1 + dims]
        across = rows if self.columns == tuple(range(rows.shape[1])) else rows[:, np.asarray(self.columns)]
        np.copyto(x, across.reshape(number, size, dims).transpose(0, 2, 1), casting="same_kind")
        place = 1 + dims
        for band in range(dims):
            np.multiply(x[:, band:], x[:, : dims - band], out=features[:, place : place + dims - band])
            place += dims - band
        self._weigh(features, np.asarray(weights).reshape(number, size))

    def _weigh(self, features: np.ndarray, weights: np.ndarray) -> None:
        """Responsibilities from the features, and the statistics under them."""
        number, size = weights.shape
        logits = self.logits[:number, :, :size]
        np.matmul(self.natural, features, out=logits)
        lifted = logits.reshape(number, -1, self.lead[-1], size)
        top = lifted.max(2)
        lifted -= top[:, :, None]
        np.exp(lifted, out=lifted)
        mass = lifted.sum(2)
        lifted *= (weights[:, None] / mass).astype(lifted.dtype, copy=False)[:, :, None]
        top += np.log(mass)
        self.bound += np.einsum("psn,pn->s", top, weights)
        turned = self.turned[:number, :size]
        np.copyto(turned, lifted.reshape(number, -1, size).transpose(0, 2, 1))
        self.total += np.matmul(features, turned).sum(0, dtype=np.float64)

    def sums(self) -> Sums:
        dims = len(self.columns)
        found = self.total.T.reshape(*self.lead, -1)
        packed = np.empty((*self.lead, found.shape[-1] - 1))
        packed[..., :dims] = found[..., 1 : 1 + dims]
        packed[..., dims + self.order] = found[..., 1 + dims :]
        counts = self._laid(found[..., 0])
        bound = self.bound if len(self.lead) > 1 else self.bound[0]
        return Sums((counts, ((counts, self._laid(packed)),)), bound)

    def _laid(self, values: np.ndarray) -> np.ndarray:
        """Of all components, 0 of those without weight."""
        ahead = len(self.lead) - 1
        whole = np.zeros((*self.lead[:-1], self.there.size, *values.shape[ahead + 1 :]))
        whole[(slice(None),) * ahead + (self.there,)] = values
        return whole


def in_products(models: Any, source: BlockSource) -> bool:
    """Whether the E-step over the rows of a source goes faster in pieces, on all cores, than compiled."""
    if not source.resident or not isinstance(models.rule, PosteriorRule) or len(models.groups) != 1:
        return False
    (group,) = models.groups
    if not isinstance(group, GaussianComponent) or group.diagonal or not group.product_form or group.log:
        return False
    dims = len(group.columns)
    features = 1 + dims + dims * (dims + 1) // 2
    fits = features * models.active.size * SHORTEST <= IN_PLACE
    return group.complete and dims >= FEWEST_COLUMNS and fits


def beyond_single(models: Any) -> np.ndarray:
    """Where products in float32 may err by more than `SINGLE_ERROR` nats a row, ``[]`` or ``[starts]``."""
    (group,) = models.groups
    worst = SINGLE_ERROR / float(np.finfo(np.float32).eps) / len(group.columns)
    return np.asarray(~(group.conditioning() < worst))


def in_form(models: Any, form: Form) -> Any:
    """Models of one group of Gaussian vectors whose E-step is computed in another form."""
    return dataclasses.replace(models, groups=tuple(dataclasses.replace(g, form=form) for g in models.groups))
