"""Components of several kinds over the same columns, one kind after another: Gaussians and uniform noise, say.

Every part has its own E- and M-step, and takes its own share of the responsibilities.
"""

import dataclasses
from collections.abc import Callable, Iterator, Sequence
from typing import Any, Self

import numpy as np
from jaxtyping import Bool, Float, Int

from tacit import trees
from tacit.arrays import static, xp
from tacit.compute import Array
from tacit.data.blocks import Standardise
from tacit.engine import PyTree
from tacit.families.base import Distribution
from tacit.families.joined import Joined
from tacit.models.components.base import Component, ConditionedColumns, Picture
from tacit.models.components.coordinates import Chart
from tacit.models.components.steps import Step

GAUSSIAN_DOFS = float(np.finfo(np.float64).max)
"""Degrees of freedom of what is no Student's t, beside one that is."""


class ConcatenatedStep(Step):
    """The E-steps of all parts, side by side along the components."""

    parts: tuple[Step, ...]
    sizes: tuple[int, ...] = static()

    def terms(self, rows: Float[Array, "rows dims"]) -> tuple[Float[Array, "*starts rows components"], Any]:
        logits, memos = zip(*(part.terms(rows) for part in self.parts), strict=True)
        return xp.concatenate(list(logits), axis=-1), memos

    def statistics(self, memo: Any, responsibilities: Float[Array, "*starts rows components"]) -> Any:
        each = zip(self.parts, memo, places(self.sizes), strict=True)
        return tuple(part.statistics(own, responsibilities[..., here]) for part, own, here in each)


class ConcatenatedComponent(Component):
    """Parts of K_1, K_2, … components over the same continuous columns, as one stack of their sum.

    A component keeps its part, and the parts keep their order.
    """

    parts: tuple[Component, ...]
    sizes: tuple[int, ...] = static()
    """K_1, K_2, …"""

    def __check_init__(self) -> None:
        """Refuse parts from a file that do not go together."""
        shapes = [part.moments()[0].shape for part in self.parts]
        if (
            shapes != [(size, len(self.columns)) for size in self.sizes]
            or len({part.columns for part in self.parts}) != 1
        ):
            raise ValueError("the parts of a stack are over the same columns, and have as many components as it says")

    @property
    def columns(self) -> tuple[int, ...]:
        return self.parts[0].columns

    @property
    def complete(self) -> bool:
        return all(part.complete for part in self.parts)

    @property
    def name(self) -> str:
        return " or ".join(dict.fromkeys(part.name for part in self.parts))

    @property
    def symbols(self) -> tuple[str, ...]:
        return tuple(symbol for part in self.parts for symbol in part.symbols)

    @property
    def parameters(self) -> PyTree:
        return tuple(trees.leaves([self.parts[number].parameters for number, _ in self._estimated()]))

    @property
    def column_kind(self) -> str:
        return self.parts[0].column_kind

    @property
    def joint(self) -> bool:
        return any(part.joint for part in self.parts)

    @property
    def has_prior(self) -> bool:
        return any(part.has_prior for part in self.parts)

    @property
    def noise(self) -> int:
        return sum(size for part, size in zip(self.parts, self.sizes, strict=True) if part.background)

    @property
    def kinds(self) -> tuple[Component, ...]:
        return tuple(kind for part in self.parts for kind in part.kinds)

    @property
    def product_form(self) -> bool:
        return any(part.product_form for part in self.parts)

    @property
    def hidden_variable(self) -> bool:
        return any(part.hidden_variable for part in self.parts)

    def _with(self, change: Callable[[Any], Component]) -> Self:
        """The stack of the parts changed."""
        return dataclasses.replace(self, parts=tuple(change(part) for part in self.parts))

    def _placed(self) -> Iterator[tuple[Component, slice]]:
        """Every part, and where its components stand."""
        return zip(self.parts, places(self.sizes), strict=True)

    def prepare(self) -> Step:
        return ConcatenatedStep(tuple(part.prepare() for part in self.parts), self.sizes)

    def m_step(self, statistics: PyTree) -> Self:
        stepped = zip(self.parts, statistics, strict=True)
        return dataclasses.replace(self, parts=tuple(part.m_step(own) for part, own in stepped))

    def absolute(self, statistics: PyTree) -> PyTree:
        return tuple(part.absolute(own) for part, own in zip(self.parts, statistics, strict=True))

    def relative(self, statistics: PyTree) -> PyTree:
        return tuple(part.relative(own) for part, own in zip(self.parts, statistics, strict=True))

    def global_bound(self, active: Bool[Array, "*starts components"]) -> Float[Array, "*starts"]:
        return xp.stack([part.global_bound(active[..., here]) for part, here in self._placed()]).sum(0)

    def take(self, order: Int[Array, "*starts chosen"]) -> Self:
        """Components chosen and ordered within their parts.

        Raises:
            ValueError: components of a part behind those of a later one, or, of several starts, not equally many.
        """
        chosen = np.asarray(order)
        owner = np.searchsorted(np.cumsum(self.sizes), chosen, side="right")
        if (np.diff(owner, axis=-1) < 0).any() or (owner != owner.reshape(-1, owner.shape[-1])[0]).any():
            raise ValueError("components of different kinds keep their order: those of one kind stand together")
        parts, sizes = [], []
        for number, (part, here) in enumerate(self._placed()):
            own = chosen[owner == number].reshape(*chosen.shape[:-1], -1) - here.start
            parts.append(part.take(own))
            sizes.append(own.shape[-1])
        return dataclasses.replace(self, parts=tuple(parts), sizes=tuple(sizes))

    def with_rows(self, *, complete: bool, tile: int) -> Self:
        return self._with(lambda part: part.with_rows(complete=complete, tile=tile))

    def in_units(self, view: Standardise) -> Self:
        return self._with(lambda part: part.in_units(view))

    def whitened(self) -> Self:
        return self._with(lambda part: part.whitened())

    def without_floor(self) -> Self:
        return self._with(lambda part: part.without_floor())

    def plain(self) -> Component:
        return self._with(lambda part: part.plain())

    def marginal(self, positions: np.ndarray, places: tuple[int, ...]) -> Component:
        return self._with(lambda part: part.marginal(positions, places))

    def n_parameters(self) -> int:
        return sum(part.n_parameters() for part in self.parts)

    def change_of_prior(self, view: Standardise, components: int) -> float:
        return sum(part.change_of_prior(view, components) for part in self.parts)

    def conditioning(self) -> Float[np.ndarray, "*starts"]:
        return np.asarray(np.max([part.conditioning() for part in self.parts if part.product_form], axis=0))

    def floored(self) -> Bool[np.ndarray, "*starts components columns"] | None:
        found = [part.floored() for part in self.parts]
        outer = next((resting.shape[:-2] for resting in found if resting is not None), None)
        if outer is None:
            return None
        free = [np.zeros((*outer, size, len(self.columns)), bool) for size in self.sizes]
        return np.concatenate([f if r is None else r for r, f in zip(found, free, strict=True)], axis=-2)

    def log_prob(self, rows: Float[Array, "rows dims"]) -> Float[Array, "*starts rows components"]:
        return xp.concatenate([part.log_prob(rows) for part in self.parts], axis=-1)

    def supports(self, x: Float[Array, "rows d"]) -> Bool[Array, "rows d"]:
        """Where a part has a density."""
        return xp.stack([xp.broadcast_to(part.supports(x), x.shape) for part in self.parts]).any(0)

    def moments(self) -> tuple[Float[Array, "components d"], Float[Array, "components d"]]:
        means, variances = zip(*(part.moments() for part in self.parts), strict=True)
        return xp.concatenate(list(means)), xp.concatenate(list(variances))

    def draw(
        self, labels: Int[np.ndarray, " rows"], random: np.random.Generator, total: np.ndarray | None = None
    ) -> Float[np.ndarray, "rows d"]:
        drawn = np.empty((labels.size, len(self.columns)))
        for part, here in self._placed():
            own = (labels >= here.start) & (labels < here.stop)
            if own.any():
                drawn[own] = part.draw(labels[own] - here.start, random, None if total is None else total[own])
        return drawn

    def column(self, place: int) -> Distribution:
        return Joined(tuple(part.column(place) for part in self.parts), self.sizes)

    def seeding_features(self, x: Float[np.ndarray, "rows d"]) -> Float[np.ndarray, "rows features"]:
        return self.parts[0].seeding_features(x)

    def covariance_matrices(self) -> Float[Array, "components d d"] | None:
        if not self.joint:
            return None
        found = []
        for part in self.parts:
            own = part.covariance_matrices()
            found.append(part.moments()[1][..., None] * np.eye(len(self.columns)) if own is None else own)
        return xp.concatenate(found)

    def given(self, rows: Float[Array, "rows dims"]) -> ConditionedColumns:
        found = [part.given(rows) for part in self.parts]
        dofs = None
        if any(each.dofs is not None for each in found):
            lacking = [xp.full_like(each.means[..., 0], GAUSSIAN_DOFS) for each in found]
            dofs = xp.concatenate([f if e.dofs is None else e.dofs for e, f in zip(found, lacking, strict=True)], -1)
        means = xp.concatenate([each.means for each in found], axis=-2)
        return ConditionedColumns(means, xp.concatenate([each.scales for each in found], axis=-2), dofs)

    def column_given(self, place: int, found: Sequence[ConditionedColumns]) -> Distribution:
        given = []
        for part, here in self._placed():
            own = [
                ConditionedColumns(
                    each.means[:, here], each.scales[:, here], None if each.dofs is None else each.dofs[:, here]
                )
                for each in found
            ]
            given.append(part.column_given(place, own if part.joint else []))
        return Joined(tuple(given), self.sizes)

    def correction(
        self,
        rows: Float[Array, "rows dims"],
        fresh: Float[Array, "rows draws d"],
        labels: Int[Array, "rows draws"],
    ) -> Float[Array, "rows draws d"]:
        total = xp.zeros_like(fresh)
        for part, here in self._placed():
            own = (labels >= here.start) & (labels < here.stop)
            found = part.correction(rows, fresh, xp.where(own, labels - here.start, 0))
            total = xp.where(own[..., None], found, total)
        return total

    def hidden(self, rows: Float[Array, "rows dims"]) -> PyTree:
        return tuple(part.hidden(rows) for part in self.parts)

    def redraw(
        self, hidden: PyTree, labels: Int[np.ndarray, "rows draws"], random: np.random.Generator
    ) -> Float[np.ndarray, "rows draws d"]:
        drawn = np.empty((*labels.shape, len(self.columns)))
        for (part, here), known in zip(self._placed(), hidden, strict=True):
            own = (labels >= here.start) & (labels < here.stop)
            drawn[own] = part.redraw(known, np.where(own, labels - here.start, 0), random)[own]
        return drawn

    def _estimated(self) -> list[tuple[int, str]]:
        """The parts that are no noise, and what goes before the names of their parameters: nothing if there is one."""
        numbers = [number for number, part in enumerate(self.parts) if not part.background]
        return [(number, f"parts.{number}." if len(numbers) > 1 else "") for number in numbers]

    def values(self) -> dict[str, Array]:
        named = self._estimated()
        return {before + name: value for number, before in named for name, value in self.parts[number].values().items()}

    def with_values(self, values: dict[str, Float[Array, "..."]]) -> Self:
        parts = list(self.parts)
        for number, before in self._estimated():
            own = {name: values[before + name] for name in parts[number].values()}
            parts[number] = parts[number].with_values(own)
        return dataclasses.replace(self, parts=tuple(parts))

    def charts(self) -> dict[str, Chart]:
        ((number, _),) = self._estimated()[:1]
        if number or len(self._estimated()) > 1:
            raise ValueError(f"standard errors are not known for components of several kinds ({self.name})")
        return self.parts[number].charts()

    def chart(self) -> Picture | None:
        return self.parts[0].chart()


def places(sizes: Sequence[int]) -> list[slice]:
    """Where the components of every part stand."""
    ends = np.cumsum(sizes).tolist()
    return [slice(end - size, end) for end, size in zip(ends, sizes, strict=True)]
