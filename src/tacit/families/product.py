"""A product of families over the columns of a row: one density, column by column independent."""

import dataclasses
import itertools
from collections.abc import Iterator
from typing import ClassVar, Self

import numpy as np
from jaxtyping import Bool, Float

from tacit.arrays import static, xp
from tacit.compute import Array
from tacit.engine import PRNGKeyArray, jax
from tacit.families.base import Family


class Product(Family):
    """``p(x) = ∏_j p_j(x[columns_j])`` over a row of D values.

    A part whose family has ``event_dims = 0`` describes its columns one by one (parameters ``[*batch,
    D_j]``); one with ``event_dims = 1`` describes them together (batch ``[*batch]``). Every column belongs
    to one part. A missing value (NaN) contributes nothing: its column is summed out, which is exact for
    independent columns; in a part that describes columns together the values must be missing together, or
    its family must know what to do.
    """

    name: ClassVar[str] = "product"
    event_dims: ClassVar[int] = 1
    exponential: ClassVar[bool] = False

    columns: tuple[tuple[int, ...], ...] = static()
    families: tuple[Family, ...]

    def __post_init__(self) -> None:
        flat = sorted(itertools.chain.from_iterable(self.columns))
        if flat != list(range(len(flat))):
            raise ValueError(f"columns must name each of 0 … D−1 once; found {self.columns}")
        if len(self.columns) != len(self.families):
            raise ValueError(f"{len(self.columns)} groups of columns, but {len(self.families)} families")

    @property
    def dims(self) -> int:
        """D, the number of columns."""
        return sum(len(group) for group in self.columns)

    def _parts(self, x: Float[Array, "... dims"]) -> Iterator[tuple[Family, Float[Array, "..."], Bool[Array, "..."]]]:
        """Each family with its columns of x and what is observed: by column, or ``[..., 1]``."""
        for group, family in zip(self.columns, self.families, strict=True):
            part = x[..., np.asarray(group)]
            missing = xp.isnan(part)
            if family.event_dims:
                missing = missing.all(-1, keepdims=True)
            yield family, xp.where(missing, 0.0, part) if family.event_dims else part, ~missing

    def _in_order(self, parts: list[Array]) -> Array:
        """Concatenate the parts' columns and put them where they belong in the row."""
        order = np.argsort(np.concatenate([np.asarray(group) for group in self.columns]))
        return xp.concatenate(parts, axis=-1)[..., order]

    def log_prob(self, x: Float[Array, "... dims"]) -> Float[Array, "..."]:
        total = xp.zeros(())
        for family, part, observed in self._parts(x):
            value = family.log_prob(part)
            if family.event_dims:
                value = value[..., None]
            total = total + xp.where(observed, value, 0.0).sum(-1)
        return total

    def supports(self, x: Float[Array, "... dims"]) -> Bool[Array, "... dims"]:
        groups = zip(self.columns, self.families, strict=True)
        return self._in_order([family.supports(x[..., np.asarray(group)]) for group, family in groups])

    def expected_statistics(self, x: Float[Array, "... dims"]) -> Float[Array, "..."]:
        """The parts' statistics one after the other, flattened, each followed by what of it was observed.

        The indicators add up to the weights of the columns, which ``maximise`` needs where values are
        missing.
        """
        pieces = []
        for family, part, observed in self._parts(x):
            values = family.expected_statistics(part)
            if family.event_dims:
                values = values[..., None, :]
            values = xp.where(observed[..., None], values, 0.0)
            seen = xp.broadcast_to(observed[..., None], (*values.shape[:-1], 1))
            both = xp.concatenate([values, seen], axis=-1)
            pieces.append(both.reshape(*both.shape[:-2], -1))
        lead = xp.broadcast_shapes(*(piece.shape[:-1] for piece in pieces))
        return xp.concatenate([xp.broadcast_to(p, (*lead, p.shape[-1])) for p in pieces], axis=-1)

    def maximise(self, statistics: Float[Array, "..."], weight: Float[Array, "..."]) -> Self:
        """The parts' own maximisers; each column's weight is in the statistics, times ``weight > 0``."""
        parts, start = [], 0
        for group, family in zip(self.columns, self.families, strict=True):
            cells = 1 if family.event_dims else len(group)
            features = self._features(family, len(group))
            stop = start + cells * (features + 1)
            block = statistics[..., start:stop].reshape(*statistics.shape[:-1], cells, features + 1)
            seen = xp.where(weight[..., None] > 0, block[..., -1], 0.0)
            if family.event_dims:
                parts.append(family.maximise(block[..., 0, :-1], seen[..., 0]))
            else:
                parts.append(family.maximise(block[..., :-1], seen))
            start = stop
        return dataclasses.replace(self, families=tuple(parts))

    @staticmethod
    def _features(family: Family, columns: int) -> int:
        """F, the number of statistics of one event of this family."""
        x = jax.ShapeDtypeStruct((columns,), xp.result_type(float))
        return int(jax.eval_shape(family.expected_statistics, x).shape[-1])

    def _add(self, values: list[Float[Array, "..."]]) -> Float[Array, "..."]:
        total = xp.zeros(())
        for family, value in zip(self.families, values, strict=True):
            total = total + (value if family.event_dims else value.sum(-1))
        return total

    def entropy(self, base: float | None = None) -> Float[Array, "..."]:
        return self._add([family.entropy(base) for family in self.families])

    def cross_entropy(self, other: Self, base: float | None = None) -> Float[Array, "..."]:
        pairs = zip(self.families, other.families, strict=True)
        return self._add([p.cross_entropy(q, base) for p, q in pairs])

    def kl_divergence(self, other: Self, base: float | None = None) -> Float[Array, "..."]:
        pairs = zip(self.families, other.families, strict=True)
        return self._add([p.kl_divergence(q, base) for p, q in pairs])

    def mean(self) -> Float[Array, "... dims"]:
        return self._in_order([family.mean() for family in self.families])

    def variance(self) -> Float[Array, "... dims"]:
        return self._in_order([family.variance() for family in self.families])

    def sample(self, *, key: PRNGKeyArray, shape: tuple[int, ...] = ()) -> Float[Array, "... dims"]:
        keys = jax.random.split(key, len(self.families))
        pairs = zip(keys, self.families, strict=True)
        return self._in_order([family.sample(key=part, shape=shape) for part, family in pairs])
