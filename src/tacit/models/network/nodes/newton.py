"""Newton's steps that never go too far, for the nodes whose weighted fit has no closed form.

The log-likelihood of a Poisson or a (multinomial) logistic regression is concave, and its third derivative is bounded
by its second: ``|φ'''| ≤ ‖x‖·φ''`` along any direction of length 1. A step of length ``log(1 + r) / r`` times Newton's,
``r`` that of the step times the longest row, then always gains (Sun & Tran-Dinh 2019, theorem 2): an M-step of one such
step is a generalised one, and the bound of EM never falls.
"""

from typing import NamedTuple

import numpy as np
from jaxtyping import Float

from tacit.compute import HostArray


class LikelihoodCurve(NamedTuple):
    """Of a log-likelihood at the coefficients at hand: what a Newton step needs; sums over rows."""

    gradient: Float[HostArray, "*batch p"]
    information: Float[HostArray, "*batch p p"]
    """Minus the second derivative."""


def safe_step(
    coefficients: Float[HostArray, "*batch p"], curve: LikelihoodCurve, precision: float, reach: float
) -> Float[HostArray, "*batch p"]:
    """The next coefficients under a normal prior of mean 0 and some precision.

    Args:
        coefficients: at hand.
        curve: of the log-likelihood there.
        precision: of the prior.
        reach: the length of the longest row of regressors, times what the family asks for.
    """
    size = coefficients.shape[-1]
    gradient = curve.gradient - precision * coefficients
    information = curve.information + precision * np.eye(size)
    trace = np.trace(information, axis1=-2, axis2=-1) / size
    ridge = 1e-9 * np.maximum(trace, 1e-12)[..., None, None] * np.eye(size)
    step = np.linalg.solve(information + ridge, gradient[..., None])[..., 0]
    length = reach * np.sqrt((step**2).sum(-1, keepdims=True))
    share = np.where(length > 1e-8, np.log1p(length) / np.where(length > 1e-8, length, 1.0), 1.0)
    return coefficients + share * step


def regression_in_units(
    coefficients: Float[HostArray, "*batch p"],
    shift: Float[HostArray, " parents"],
    scale: Float[HostArray, " parents"],
) -> Float[HostArray, "*batch p"]:
    """Coefficients of ``(1, u)`` as those of ``(1, u·scale + shift)``."""
    slopes = coefficients[..., 1:] / scale
    return np.concatenate([(coefficients[..., 0] - slopes @ shift)[..., None], slopes], axis=-1)
