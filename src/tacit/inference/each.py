"""Models whose methods take one start, as the driver takes them where nothing is compiled: all starts at once."""

from collections.abc import Callable
from typing import Any, Self

import numpy as np
from jaxtyping import Float

from tacit import trees
from tacit.arrays import Pytree
from tacit.compute import Array
from tacit.engine import is_array
from tacit.inference.closed_form import Sums


def each(function: Callable[..., Any], *stacked: Any) -> Any:
    """``function`` of every start by itself, and the results stacked (NumPy)."""
    starts = len(next(leaf for leaf in trees.leaves(stacked) if is_array(leaf)))
    found = [function(*(_start(part, at) for part in stacked)) for at in range(starts)]
    return trees.map(lambda *leaves: np.stack(leaves) if is_array(leaves[0]) else leaves[0], *found)


def _start(tree: Any, at: int) -> Any:
    return trees.map(lambda leaf: leaf[at] if is_array(leaf) else leaf, tree)


class EachStep(Pytree):
    """The local steps of all starts, one after the other."""

    steps: Any

    def __call__(self, rows: Float[Array, "rows dims"], weights: Float[Array, " rows"], key: None) -> Sums:
        sums: Sums = each(lambda step: step(rows, weights, key), self.steps)
        return sums


class EachModel(Pytree):
    """The models of all starts, one after the other."""

    models: Any

    @property
    def monotone(self) -> bool:
        """As theirs."""
        return bool(self.models.monotone)

    def prepare(self) -> EachStep:
        return EachStep(each(lambda model: model.prepare(), self.models))

    def m_step(self, statistics: Any) -> Self:
        return type(self)(each(lambda model, own: model.m_step(own), self.models, statistics))

    def global_bound(self) -> Float[np.ndarray, " starts"]:
        return np.asarray(each(lambda model: model.global_bound(), self.models))

    def absolute(self, statistics: Any) -> Any:
        return each(lambda model, own: model.absolute(own), self.models, statistics)

    def relative(self, statistics: Any) -> Any:
        return each(lambda model, own: model.relative(own), self.models, statistics)

    def feasible(self, statistics: Any) -> Any:
        return each(lambda model, own: model.feasible(own), self.models, statistics)
