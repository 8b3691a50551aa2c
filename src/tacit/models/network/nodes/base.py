"""The protocol of a node: its density given its parents, expected statistics, and a weighted fit.

Arrays of parameters lead with the levels of the discrete parents; while fits from many starts go side by side, with
``[starts]`` before them. A new kind of node is one final class of `NetworkNode` in one file.
"""

import abc
from typing import Self

import numpy as np
from jaxtyping import Float

from tacit.arrays import Pytree, static
from tacit.compute import HostArray
from tacit.engine import PyTree
from tacit.models.network.nodes.configurations import Chunk


class NetworkNode(Pytree):
    """The distribution of one column given its parents.

    Attributes:
        place: the number of the node, which is the column of its values in rows.
        discrete: its parents that have levels, in the order of the axes of its parameters.
        continuous: its other parents.
    """

    place: int = static()
    discrete: tuple[int, ...] = static()
    continuous: tuple[int, ...] = static()

    @property
    def parents(self) -> tuple[int, ...]:
        """All parents."""
        return (*self.discrete, *self.continuous)

    @property
    def levels(self) -> int | None:
        """How many values it has; None of a number."""
        return None

    @property
    @abc.abstractmethod
    def name(self) -> str:
        """The kind of distribution, as it is called in tables: "table", "normal", …"""

    @property
    def members(self) -> tuple[int, ...]:
        """The discrete variables that its density depends on, itself last if it is one."""
        return self.discrete if self.levels is None else (*self.discrete, self.place)

    @abc.abstractmethod
    def log_prob(self, chunk: Chunk) -> Float[HostArray, "..."]:
        """Log-density of the values of rows, ``[*hidden levels, rows]`` (one row where it is the same for all).

        Hidden are those of the ``members`` that are not seen in every row.
        """

    def log_factor(self, chunk: Chunk) -> Float[HostArray, "..."]:
        """``log_prob``, where a value that is missing, and is no level, says nothing."""
        logs = self.log_prob(chunk)
        return logs if self.levels is not None else np.where(np.isnan(chunk.rows[:, self.place]), 0.0, logs)

    def expectation(self, chunk: Chunk) -> Float[HostArray, "..."]:
        """The mean of a number given its parents, ``[*hidden levels, rows]``."""
        raise TypeError(f"{type(self).__name__} has levels, and no mean")

    def variances_of(self, chunk: Chunk) -> Float[HostArray, "..."]:
        """The variance of a number given its parents, ``[*hidden levels, rows]``; that of a count is its mean."""
        return self.expectation(chunk)

    @abc.abstractmethod
    def statistics(self, chunk: Chunk, weights: Float[HostArray, "..."]) -> PyTree:
        """Expected statistics, summed over rows: ``weights [*hidden levels, rows]`` are posteriors times weights."""

    @abc.abstractmethod
    def m_step(self, statistics: PyTree) -> Self:
        """The next node; every array may lead with ``[starts]``."""

    def log_prior(self) -> Float[HostArray, "*starts"]:
        """The log prior density of the parameters, in the coordinates in which ``m_step`` finds the mode."""
        return np.zeros(())

    @abc.abstractmethod
    def n_parameters(self) -> int:
        """Free parameters."""

    @abc.abstractmethod
    def draw(self, rows: Float[HostArray, "rows nodes"], random: np.random.Generator) -> Float[HostArray, " rows"]:
        """Values given the parents' values in the same rows."""

    @abc.abstractmethod
    def randomised(self, random: np.random.Generator, strength: float) -> Self:
        """Parameters shaken, so that what is hidden is not symmetric at the start of a fit."""

    @abc.abstractmethod
    def reordered(self, variable: int, order: np.ndarray) -> Self:
        """The same with the levels of a discrete variable in another order."""

    def in_units(self, shift: Float[HostArray, " nodes"], scale: Float[HostArray, " nodes"]) -> Self:
        """The same for ``x·scale + shift`` of every column; what has levels, or counts, has 0 and 1."""
        return self


def codes_of(rows: Float[HostArray, "rows nodes"], places: tuple[int, ...]) -> tuple[np.ndarray, ...]:
    """The levels of some columns as indices."""
    return tuple(rows[:, place].astype(np.intp) for place in places)
