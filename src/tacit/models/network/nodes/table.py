"""A discrete node with discrete parents: a table of probabilities, with a Dirichlet prior on its rows."""

from typing import Self

import numpy as np
from jaxtyping import Float

from tacit.arrays import static
from tacit.compute import HostArray
from tacit.engine import PyTree
from tacit.models.network.nodes.base import NetworkNode, codes_of
from tacit.models.network.nodes.configurations import Chunk


class TableNode(NetworkNode):
    """``p(x = l | parents = c) = table[c, l]``, each row of it Dirichlet(α).

    The estimate is the posterior mean, counts + α over their sum. It is the mode in softmax coordinates, whose log
    prior density is ``Σ α log table`` but for a constant (MacKay 1998): the bound of a fit with it never falls, and
    nothing is impossible for having never been seen. With α = 0 it is the maximum of the likelihood.
    """

    table: Float[HostArray, "..."]
    """``[*starts, *levels of the parents, levels]``."""
    alpha: float = static()
    """The prior count of every entry."""
    number: int = static()
    """Levels."""

    @property
    def levels(self) -> int:
        return self.number

    @property
    def name(self) -> str:
        return "table"

    def log_prob(self, chunk: Chunk) -> Float[HostArray, "..."]:
        with np.errstate(divide="ignore"):
            return np.log(chunk.configurations(self.members).gather(self.table))

    def statistics(self, chunk: Chunk, weights: Float[HostArray, "..."]) -> PyTree:
        return chunk.configurations(self.members).scatter(weights[..., None])[..., 0]

    def m_step(self, statistics: PyTree) -> Self:
        counts = statistics + self.alpha
        total = counts.sum(-1, keepdims=True)
        # of a configuration that no row has, without a prior: what there was
        table = np.where(total > 0, counts / np.where(total > 0, total, 1.0), self.table)
        return self.with_table(table)

    def with_table(self, table: Float[HostArray, "..."]) -> Self:
        """The same with other probabilities."""
        return type(self)(self.place, self.discrete, self.continuous, table, self.alpha, self.number)

    def log_prior(self) -> Float[HostArray, "*starts"]:
        axes = tuple(range(-len(self.members), 0))
        if not self.alpha:
            return np.zeros(self.table.shape[: -len(self.members)])
        with np.errstate(divide="ignore"):
            return self.alpha * np.log(self.table).sum(axes)

    def n_parameters(self) -> int:
        return self.table.size // self.number * (self.number - 1)

    def draw(self, rows: Float[HostArray, "rows nodes"], random: np.random.Generator) -> Float[HostArray, " rows"]:
        chances = self.table[codes_of(rows, self.discrete)]
        cumulative = np.broadcast_to(chances, (len(rows), self.number)).cumsum(1)
        level = (cumulative < random.random((len(rows), 1)) * cumulative[:, -1:]).sum(1)
        return np.minimum(level, self.number - 1).astype(float)

    def randomised(self, random: np.random.Generator, strength: float) -> Self:
        noise = random.dirichlet(np.ones(self.number), self.table.shape[:-1])
        return self.with_table((1.0 - strength) * self.table + strength * noise)

    def reordered(self, variable: int, order: np.ndarray) -> Self:
        axis = self.members.index(variable)
        return self.with_table(self.table.take(order, axis))
