"""Numbers of a network kept between bounds, with a gradient everywhere."""

import jax
from jaxtyping import Float

from tacit.compute import Array

LOG_SCALES = (-9.0, 3.0)
"""Between these lie the logarithms of scales of z."""


def bounded(x: Float[Array, "..."], low: float = LOG_SCALES[0], high: float = LOG_SCALES[1]) -> Float[Array, "..."]:
    """x itself well inside, and ever closer to a bound beyond it: cut off there, a fit that is once out stays out."""
    below = high - jax.nn.softplus(high - x)
    return low + jax.nn.softplus(below - low)
