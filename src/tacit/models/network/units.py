"""Centring and scaling of the numbers of a network inside the engine, and the way back."""

import dataclasses
from collections.abc import Sequence

import numpy as np
from jaxtyping import Float, Int

from tacit.compute import HostArray
from tacit.models.network.nodes.base import NetworkNode


@dataclasses.dataclass(frozen=True, eq=False)
class Units:
    """``x = inside · scale + shift`` of every node; 1 and 0 of what is not scaled."""

    shift: Float[HostArray, " nodes"]
    scale: Float[HostArray, " nodes"]

    def inside(self, rows: Float[HostArray, "rows nodes"]) -> Float[HostArray, "rows nodes"]:
        """Rows as the engine has them."""
        return (rows - self.shift) / self.scale

    def in_units(self, nodes: Sequence[NetworkNode]) -> tuple[NetworkNode, ...]:
        """Distributions of the values themselves."""
        return tuple(node.in_units(self.shift, self.scale) for node in nodes)

    def log_change(
        self,
        seen: Float[HostArray, " nodes"],
        total: Float[HostArray, " nodes"],
        densities: Sequence[int],
        logged: Int[HostArray, " logged"],
    ) -> float:
        """What the log-likelihood gains in the units of the table.

        ``−Σ w log scale`` of what is seen of the nodes that have a density, and ``−Σ w log x`` of those that are
        logarithms of their columns.

        Args:
            seen: the weight of what is seen of every node.
            total: the sum of it times the weights.
            densities: the nodes that have one.
            logged: those that are logarithms.
        """
        return -float(seen[densities] @ np.log(self.scale[densities]) + total[logged].sum())
