"""The bivariate normal distribution function, and moments of a normal that is known to lie in some ranges."""

import numpy as np
from jaxtyping import Float
from scipy import special


def bivariate_cdf(
    h: Float[np.ndarray, "..."], k: Float[np.ndarray, "..."], correlation: Float[np.ndarray, "..."]
) -> Float[np.ndarray, "..."]:
    """``P(X ≤ h, Y ≤ k)`` of standard normals with a correlation strictly between −1 and 1 (Owen 1956).

    ``½Φ(h) + ½Φ(k) − T(h, (k − ρh)/(h√(1−ρ²))) − T(k, (h − ρk)/(k√(1−ρ²)))``, less ½ where h and k have other signs.
    """
    h, k, rho = np.broadcast_arrays(*(np.asarray(each, np.float64) for each in (h, k, correlation)))
    outer = np.isinf(h) | np.isinf(k)
    x, y = np.where(outer, 1.0, h), np.where(outer, 1.0, k)
    root = np.sqrt((1.0 - rho) * (1.0 + rho))
    with np.errstate(divide="ignore", invalid="ignore"):
        first = np.where(x == 0.0, np.copysign(np.inf, y), (y - rho * x) / (x * root))
        second = np.where(y == 0.0, np.copysign(np.inf, x), (x - rho * y) / (y * root))
    opposed = (x * y < 0.0) | ((x * y == 0.0) & (x + y < 0.0))
    inner = 0.5 * (special.ndtr(x) + special.ndtr(y)) - 0.5 * opposed
    inner = inner - special.owens_t(x, first) - special.owens_t(y, second)
    both = (x == 0.0) & (y == 0.0)
    inner = np.where(both, 0.25 + np.arcsin(rho) / (2.0 * np.pi), inner)
    edge = np.where((h == -np.inf) | (k == -np.inf), 0.0, np.where(h == np.inf, special.ndtr(k), special.ndtr(h)))
    return np.clip(np.where(outer, edge, inner), 0.0, 1.0)


def normal_mass(low: Float[np.ndarray, "..."], high: Float[np.ndarray, "..."]) -> Float[np.ndarray, "..."]:
    """``P(low < X < high)`` of standard normals, to all digits in both tails."""
    low, high = np.broadcast_arrays(low, high)
    upper = low > 0.0
    return np.where(upper, special.ndtr(-low) - special.ndtr(-high), special.ndtr(high) - special.ndtr(low))


def truncated_moments(
    low: Float[np.ndarray, "ranges ..."], high: Float[np.ndarray, "ranges ..."]
) -> tuple[Float[np.ndarray, "..."], Float[np.ndarray, "..."]]:
    """Mean and variance of standard normals that are known to lie in one of some ranges; NaN where that is impossible.

    ``E[X; a<X<b] = φ(a) − φ(b)`` and ``E[X²; a<X<b] = P + aφ(a) − bφ(b)``.
    """
    mass = normal_mass(low, high)
    first = _density(low) - _density(high)
    second = mass + _times(low) - _times(high)
    total = mass.sum(0)
    with np.errstate(invalid="ignore", divide="ignore"):
        mean = first.sum(0) / total
        return mean, np.maximum(second.sum(0) / total - mean**2, 0.0)


def _density(x: np.ndarray) -> np.ndarray:
    return np.exp(-0.5 * np.square(x)) / np.sqrt(2.0 * np.pi)


def _times(x: np.ndarray) -> np.ndarray:
    return np.where(np.isinf(x), 0.0, x) * _density(x)


def log_mass(values: Float[np.ndarray, "..."]) -> Float[np.ndarray, "..."]:
    """Logarithms of probabilities, −inf of 0."""
    with np.errstate(divide="ignore"):
        return np.log(np.maximum(values, 0.0))
