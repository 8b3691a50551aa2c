"""Centring and scaling of the numbers of a network inside the engine, and the way back."""

import dataclasses
from collections.abc import Sequence

import numpy as np
from jaxtyping import Bool, Float

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
        rows: Float[HostArray, "rows nodes"],
        weights: Float[HostArray, " rows"],
        densities: Sequence[int],
        logged: Sequence[int],
    ) -> float:
        """What the log-likelihood gains in the units of the table, of rows inside the engine.

        ``−Σ w log scale`` of what is seen of the nodes that have a density, and ``−Σ w log x`` of those that are
        logarithms of their columns.
        """
        scaled = ~np.isnan(rows[:, densities]) * np.log(self.scale[densities])
        logs = np.nan_to_num(rows[:, logged] * self.scale[logged] + self.shift[logged])
        return -float(weights @ (scaled.sum(1) + logs.sum(1)))


def units_of(
    rows: Float[HostArray, "rows nodes"], weights: Float[HostArray, " rows"], scaled: Bool[HostArray, " nodes"]
) -> Units:
    """Means and deviations of the nodes that are scaled; 0 and 1 of the others, and of what does not vary."""
    seen = ~np.isnan(rows) * weights[:, None]
    total = np.maximum(seen.sum(0), 1e-300)
    filled = np.nan_to_num(rows)
    mean = (seen * filled).sum(0) / total
    deviation = np.sqrt((seen * (filled - mean) ** 2).sum(0) / total)
    vary = scaled & (deviation > 1e-12 * np.abs(mean)) & (deviation > 0)
    return Units(np.where(scaled, mean, 0.0), np.where(vary, deviation, 1.0))
