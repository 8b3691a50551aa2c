"""A noise-aware end of a stochastic fit: the rate falls when the bound no longer rises beyond its noise.

A fixed number of steps is too many or too few. While the bound rises the rate stays; once the bounds of the later
rounds are no better than those of the earlier, within their own scatter, the noise of the steps is what keeps the
parameters from coming nearer: they are replaced by their average over the stage and the rate is lowered (Pflug 1990;
Dhaka et al. 2020 for variational inference). After the last stage the fit has converged.
"""

from typing import NamedTuple

import numpy as np
from jaxtyping import Float


class Settle(NamedTuple):
    """When a stage of a fit is over, and how many there are."""

    stages: int = 3
    drop: float = 0.2
    """What the rate is multiplied by from one stage to the next."""
    window: int = 3
    """Rounds that are compared with as many before them."""
    tol: float = 0.0
    """A rise by less than this, in nats a row, is none."""

    def settled(self, bounds: Float[np.ndarray, " rounds"]) -> bool:
        """Whether the bounds of a stage's rounds, in their order, have stopped rising beyond their noise."""
        if bounds.size < 2 * self.window:
            return False
        before, after = bounds[-2 * self.window : -self.window], bounds[-self.window :]
        noise = np.sqrt((before.var(ddof=1) + after.var(ddof=1)) / self.window)
        return bool(after.mean() - before.mean() < max(noise, self.tol))

    def last(self, rate: float) -> bool:
        """Whether a rate is that of the last stage."""
        return rate <= self.drop ** (self.stages - 1) * (1.0 + 1e-6)
