"""Bayesian linear regression: one pass over the rows for ``ΦᵀΦ``, ``Φᵀy`` and ``yᵀy``, and all else from these.

``y = φᵀv + ε``, ``ε ~ N(0, σ²)``. Under ``v|σ² ~ N(0, σ² g²)`` and ``σ⁻² ~ Gamma(a₀, b₀)`` the posterior is exact
(Normal–Gamma; Bishop 2006, exercise 3.12); with σ known or set to where the evidence is largest it is Gaussian
(section 3.5); with a prior of v that does not know σ, ``q(v) q(σ²)`` is found by alternation (section 10.3).
"""

import math
from functools import partial
from typing import ClassVar, NamedTuple

import equinox as eqx
import numpy as np
from jaxtyping import Float, PRNGKeyArray
from scipy.special import gammaln, psi

from tacit.arrays import cholesky_factor, special, spread, xp
from tacit.compute import LOG_2PI, Array, compiled, eagerly
from tacit.inference.closed_form import Sums
from tacit.inference.loop import on_host
from tacit.models.regression.coefficients import FEW_COEFFICIENTS, CoefficientPrior, Coefficients, cho_solve, design
from tacit.models.regression.logistic import SCALES, highest
from tacit.spaces import Spaces


class Gram(NamedTuple):
    """Sums over the rows of a design and their targets."""

    weight: Float[Array, ""]
    gram: Float[Array, "columns columns"]
    cross: Float[Array, " columns"]
    square: Float[Array, ""]


class GramStep(eqx.Module):
    """The sums of a chunk; the target is the last column."""

    intercept: bool = eqx.field(static=True)

    def __call__(
        self, rows: Float[Array, "rows dims"], weights: Float[Array, " rows"], key: PRNGKeyArray | None
    ) -> Sums:
        known, target = design(rows[:, :-1], self.intercept), rows[:, -1]
        heavy = known * weights[:, None]
        sums = Gram(weights.sum(), heavy.T @ known, heavy.T @ target, weights @ target**2)
        return Sums(sums, np.zeros(()))


class NoisePrior(NamedTuple):
    """``σ⁻² ~ Gamma(shape, rate)``, in units of the targets' variance."""

    shape: float
    rate: float


class LinearRegression(eqx.Module):
    """The posterior: ``v ~ t(mean, covariance; dof)`` and ``y|x ~ t(φᵀ mean, noise + φᵀ covariance φ; noise_dof)``."""

    spaces: ClassVar[Spaces] = {"dof": "any", "noise": "positive", "noise_dof": "any"}

    coefficients: Coefficients
    """Location and the square of the scale: the covariance itself where ``dof`` is infinite."""
    dof: float
    noise: float
    """``b/a`` of the Gamma posterior of the precision, or σ² itself."""
    noise_dof: float
    """``2a``; infinite where σ is fixed."""
    prior: CoefficientPrior


class Solved(NamedTuple):
    """A posterior, the log evidence or a bound on it in nats (of scaled targets), and how it rose."""

    model: LinearRegression
    bound: float
    trace: np.ndarray
    converged: bool


def _solve(sums: Gram, precisions: Float[Array, " columns"]) -> tuple[Array, Array, Array, Array]:
    """``(G + T)⁻¹b``, its matrix, what is left of yᵀy, and ``½ log|T| − ½ log|G + T|``."""
    factor = cholesky_factor(sums.gram + spread(precisions))
    mean, inverse = cho_solve(factor, sums.cross), cho_solve(factor, np.eye(sums.cross.size))
    logs = 0.5 * xp.log(precisions).sum() - xp.log(factor.diagonal()).sum()
    # ‖y − Φm‖² + mᵀTm, the same as yᵀy − bᵀm, without its cancellation's sign
    left = sums.square - 2.0 * sums.cross @ mean + mean @ sums.gram @ mean + precisions @ mean**2
    return mean, inverse, xp.maximum(left, 0.0), logs


def log_evidence(
    sums: Gram, prior: CoefficientPrior, noise: NoisePrior | Float[Array, ""] | float | None
) -> Float[Array, ""]:
    """``log p(y)`` in nats: σ integrated out under its prior, or known, or (None) where it is most likely."""
    _, _, left, logs = _solve(sums, prior.precisions(sums.cross.shape[0]))
    weight = sums.weight
    if isinstance(noise, NoisePrior):
        shape, rate = noise.shape + 0.5 * weight, noise.rate + 0.5 * left
        gammas = special.gammaln(shape) - gammaln(noise.shape)
        return logs - 0.5 * weight * LOG_2PI + gammas + noise.shape * math.log(noise.rate) - shape * xp.log(rate)
    variance = left / weight if noise is None else noise**2
    return logs - 0.5 * weight * (LOG_2PI + xp.log(variance)) - 0.5 * left / variance


def solve(
    sums: Gram, prior: CoefficientPrior, noise: NoisePrior | float | None, *, learn: bool, mean_field: bool
) -> Solved:
    """The exact posterior, given σ's prior, or σ, or the most likely σ; with ``learn`` the prior's scale is the best.

    Mean field is the independent Gaussian nearest to the exact one, in ``KL(q‖p)``: it is for a fixed σ only.
    """
    if learn:  # σ, where it is known, is in units of the target: traced, so that another target compiles nothing
        with eagerly(sums.cross.size <= FEW_COEFFICIENTS):
            prior = on_host(_learned(sums, prior, np.asarray(noise) if isinstance(noise, float) else noise))
    mean, inverse, left, _ = _solve(sums, prior.precisions(sums.cross.shape[0]))
    evidence = float(log_evidence(sums, prior, noise))
    if isinstance(noise, NoisePrior):
        shape = noise.shape + 0.5 * float(sums.weight)
        variance, dof = (noise.rate + 0.5 * float(left)) / shape, 2.0 * shape
    else:
        variance, dof = float(left / sums.weight) if noise is None else noise**2, math.inf
    if mean_field:
        precision = sums.gram.diagonal() + prior.precisions(mean.size)
        found = Coefficients.independent(mean[None], variance / precision[None])
        evidence -= float(0.5 * (np.log(precision).sum() + np.linalg.slogdet(inverse)[1]))
    else:
        found = Coefficients.from_covariance(mean[None], variance * inverse)
    return Solved(on_host(LinearRegression(found, dof, variance, dof, prior)), evidence, np.array([evidence]), True)


@partial(compiled, hurry=True)
def _learned(sums: Gram, prior: CoefficientPrior, noise: NoisePrior | Float[Array, ""] | None) -> CoefficientPrior:
    def scaled(log_scale):
        return CoefficientPrior(xp.exp(log_scale), prior.intercept_scale, prior.intercept)

    def gain(log_scale):
        return log_evidence(sums, scaled(log_scale), noise)

    def slope(log_scale):
        precisions = scaled(log_scale).precisions(sums.cross.shape[0])
        mean, inverse, left, _ = _solve(sums, precisions)
        slopes = slice(0, mean.shape[0] - prior.intercept)
        precision = xp.exp(-2.0 * log_scale)
        volume = (precision * inverse.diagonal()[slopes] - 1.0).sum()  # of ½ log|T| − ½ log|G + T|
        fall = precision * (mean[slopes] ** 2).sum()  # half of that by which what is left falls
        if isinstance(noise, NoisePrior):
            return volume + fall * (noise.shape + 0.5 * sums.weight) / (noise.rate + 0.5 * left)
        return volume + fall * (sums.weight / left if noise is None else noise**-2)

    low, high = np.log(SCALES)
    return scaled(highest(gain, low, high, slope))


def alternate(
    sums: Gram, prior: CoefficientPrior, noise: NoisePrior, *, learn: bool, mean_field: bool, max_iter: int, tol: float
) -> Solved:
    """``q(v) q(σ⁻²)``, and the prior's scale where it is learned, each at its best in turn (Bishop 2006, 10.3).

    The prior of v, ``N(0, scale²)``, does not depend on σ.
    """
    gram, cross, square, weight = np.asarray(sums.gram), np.asarray(sums.cross), float(sums.square), float(sums.weight)
    size, slopes = cross.size, cross.size - prior.intercept
    shape, rate = noise.shape + 0.5 * weight, noise.rate + 0.5 * square
    scale, trace, converged = float(prior.scale), [-np.inf], False
    while len(trace) <= max_iter and not converged:
        narrow = np.array(eqx.tree_at(lambda p: p.scale, prior, np.asarray(scale)).precisions(size))
        expected = shape / rate
        precision = expected * gram + np.diag(narrow)
        mean = np.linalg.solve(precision, expected * cross)
        covariance = np.diag(1.0 / np.diag(precision)) if mean_field else np.linalg.inv(precision)
        second = np.diag(covariance) + mean**2
        misfit = square - 2.0 * cross @ mean + mean @ gram @ mean + (gram * covariance).sum()
        rate = noise.rate + 0.5 * misfit
        if learn and slopes:
            scale = float(np.clip(np.sqrt(second[:slopes].mean()), *SCALES))
            narrow[:slopes] = scale**-2
        kl = 0.5 * ((narrow * second - 1.0 - np.log(narrow)).sum() - np.linalg.slogdet(covariance)[1])
        trace.append(_fit_of_noise(noise, shape, rate, weight) - kl)
        converged = abs(trace[-1] - trace[-2]) < tol * weight
    prior = eqx.tree_at(lambda p: p.scale, prior, np.asarray(scale))
    found = (
        Coefficients.independent(mean[None], np.diag(covariance)[None])
        if mean_field
        else Coefficients.from_covariance(mean[None], covariance)
    )
    model = LinearRegression(found, math.inf, rate / shape, 2.0 * shape, prior)
    return Solved(on_host(model), trace[-1], np.array(trace[1:]), converged)


def _fit_of_noise(noise: NoisePrior, shape: float, rate: float, weight: float) -> float:
    """``E log p(y|v, σ) − KL(q(σ⁻²) ‖ p(σ⁻²))`` at the best rate: there the misfit is ``2 (rate − rate₀)``."""
    log_precision, precision = psi(shape) - math.log(rate), shape / rate
    fit = 0.5 * weight * (log_precision - LOG_2PI) - precision * (rate - noise.rate)
    kl = (
        (shape - noise.shape) * psi(shape)
        - gammaln(shape)
        + gammaln(noise.shape)
        + noise.shape * (math.log(rate) - math.log(noise.rate))
        + shape * (noise.rate - rate) / rate
    )
    return float(fit - kl)


def log_joint(
    sums: Gram,
    prior: CoefficientPrior,
    noise: NoisePrior | None,
    draws: Float[np.ndarray, "draws columns"],
    deviations: Float[np.ndarray, " draws"],
) -> Float[np.ndarray, " draws"]:
    """``log p(y, v, σ⁻²)`` of draws in nats; without a noise prior σ is fixed, and v's prior in units of it."""
    precision, weight = deviations**-2.0, float(sums.weight)
    gram, cross = np.asarray(sums.gram), np.asarray(sums.cross)
    misfit = float(sums.square) - 2.0 * draws @ cross + np.einsum("si,ij,sj->s", draws, gram, draws, optimize=True)
    fit = 0.5 * weight * (np.log(precision) - LOG_2PI) - 0.5 * precision * misfit
    narrow = np.asarray(prior.precisions(draws.shape[1]))
    if noise is None:
        narrow = narrow * precision[0]
    fit += 0.5 * (np.log(narrow) - LOG_2PI - narrow * draws**2).sum(1)
    if noise is None:
        return fit
    shape, rate = noise.shape, noise.rate
    return fit + shape * math.log(rate) - gammaln(shape) + (shape - 1.0) * np.log(precision) - rate * precision
