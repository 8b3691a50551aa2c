"""What densities without groups can say of themselves."""

import abc
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from tacit.estimators.capabilities import Capability, MatrixLike, Transforms


class DensityRanks(NamedTuple):
    """Where the values of rows lie in the model: evenly between 0 and 1, column by column, if it is right."""

    ranks: np.ndarray
    """``(n, d)``; NaN where a value is missing, or one of a few levels."""
    how: str
    """What they are, as a sentence says it."""


class StackMember(NamedTuple):
    """One of several densities that are added."""

    name: str
    share: float
    held_out: float
    """In nats a row."""
    error: float


class TellsDensity(Capability):
    """Says in words what its density is made of, and where values lie in it."""

    @abc.abstractmethod
    def told(self) -> tuple[str, ...]:
        """Sentences."""

    @abc.abstractmethod
    def calibration(self, X: MatrixLike) -> DensityRanks:
        """Where the values of rows lie in the model."""


class HasMembers(TellsDensity):
    """Is a weighted sum of densities."""

    @property
    @abc.abstractmethod
    def told_members(self) -> tuple[StackMember, ...]:
        """The members, and last all together."""

    @abc.abstractmethod
    def member_shares(self, X: MatrixLike) -> np.ndarray:
        """``p(k | x)``: how much of the density of every row is each member's."""


class MovesToNoise(Transforms):
    """Moves rows to white noise and back."""

    @abc.abstractmethod
    def inverse_transform(self, Z: ArrayLike) -> np.ndarray:
        """The rows of numbers ``(n, d)`` that are white noise where rows follow the model."""
