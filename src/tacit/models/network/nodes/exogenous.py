"""A column that is conditioned on only: it has no distribution, and is known in every row."""

from typing import Self

import numpy as np
from jaxtyping import Float

from tacit.arrays import static
from tacit.compute import HostArray
from tacit.models.network.nodes.base import NetworkNode
from tacit.models.network.nodes.configurations import Chunk


class ExogenousNode(NetworkNode):
    """Nothing is said of its values."""

    number: int | None = static(default=None)
    """Levels, if it has any."""

    @property
    def levels(self) -> int | None:
        return self.number

    @property
    def name(self) -> str:
        return "exogenous"

    def log_prob(self, chunk: Chunk) -> Float[HostArray, "..."]:
        return np.zeros(1)

    def statistics(self, chunk: Chunk, weights: Float[HostArray, "..."]) -> Float[HostArray, ""]:
        return np.zeros(())

    def m_step(self, statistics: Float[HostArray, "..."]) -> Self:
        return self

    def n_parameters(self) -> int:
        return 0

    def draw(self, rows: Float[HostArray, "rows nodes"], random: np.random.Generator) -> Float[HostArray, " rows"]:
        return rows[:, self.place]

    def randomised(self, random: np.random.Generator, strength: float) -> Self:
        return self

    def reordered(self, variable: int, order: np.ndarray) -> Self:
        return self
