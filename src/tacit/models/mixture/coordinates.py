"""Unconstrained coordinates around a fitted mixture: zero is the fit, and every vector is a mixture."""

import dataclasses

import numpy as np
from jaxtyping import Float

from tacit.compute import Array
from tacit.engine import jnp
from tacit.models.components.coordinates import Chart, Entries, share_chart
from tacit.models.mixture.model import MixtureModel
from tacit.trees import Pytree


class MixtureCoordinates(Pytree):
    """All coordinates of a mixture: those of the weights, then those of every group's parameters."""

    model: MixtureModel
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

    def mixture(self, step: Float[Array, " coordinates"]) -> MixtureModel:
        """The mixture at these coordinates."""
        weights, values = self.parameters(step)
        present = weights > 0
        logs = jnp.where(present, jnp.log(jnp.where(present, weights, 1.0)), -jnp.inf)
        groups = tuple(g.with_values(v) for g, v in zip(self.model.groups, values, strict=True))
        return dataclasses.replace(self.model, log_weights=logs, groups=groups)


def coordinates(model: MixtureModel) -> MixtureCoordinates:
    """The coordinates around a fitted mixture with NumPy leaves; fixed parameters have none."""
    value = np.exp(np.asarray(model.log_weights))
    fixed = np.zeros(value.shape, bool) if model.fixed_weights is None else np.asarray(model.fixed_weights)
    weights = share_chart(value, ~fixed & (value > 0))
    return MixtureCoordinates(model, weights, tuple(group.charts() for group in model.groups))
