"""What a report tells of a model that foretells a column, as plain data."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Int


@dataclass(frozen=True)
class Coefficient:
    """One coefficient, in the user's units and in standard deviations.

    Attributes:
        name: The column, or a level of it: ``sex = male``.
        owner: The class whose score it belongs to; empty where there is one line of coefficients.
        mean: The estimate, per unit of the column.
        lower: From where its 95 % interval goes.
        upper: To where.
        standard: The estimate, and the ends of its interval, per standard deviation of the column (and in standard
            deviations of the target, where that is a number).
        sentence: What it means.
    """

    name: str
    owner: str
    mean: float
    lower: float
    upper: float
    standard: tuple[float, float, float]
    sentence: str

    @property
    def clear(self) -> bool:
        """Whether the interval leaves 0 out."""
        return self.lower > 0 or self.upper < 0


@dataclass(frozen=True, eq=False)
class Prediction:
    """How a column is foretold.

    Attributes:
        name: The column.
        classes: What there is to be told apart; empty where it is a number.
        positive: The class whose odds the coefficients speak of.
        coefficients: The most telling first; None where the model has none.
        quality: How good it is, in plain sentences.
        accuracy: Share of rows in the right class, and that of always saying the commonest; or None.
        r2: Of a number, or None.
        error: Mean absolute error of a number, and that of always saying the median; or None.
        gain: Nats a row above knowing the target's distribution alone, with its standard error; or None.
        chances: Of rows kept aside, the probability of each class.
        observed: Of these rows the class, −1 where it was not there at fit; or the number.
        foretold: The number that was foretold.
        ends: Of its interval, from and to.
        level: Of the interval.
    """

    name: str
    classes: tuple[str, ...] = ()
    positive: str = ""
    coefficients: tuple[Coefficient, ...] | None = None
    quality: tuple[str, ...] = ()
    accuracy: tuple[float, float] | None = None
    r2: float | None = None
    error: tuple[float, float] | None = None
    gain: tuple[float, float] | None = None
    chances: Float[np.ndarray, "kept classes"] | None = None
    observed: Float[np.ndarray, " kept"] | Int[np.ndarray, " kept"] | None = None
    foretold: Float[np.ndarray, " kept"] | None = None
    ends: tuple[Float[np.ndarray, " kept"], Float[np.ndarray, " kept"]] | None = None
    level: float = 0.9
