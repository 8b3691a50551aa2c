"""How well a factor model reproduces the covariance of the columns: likelihood ratio and the indices made of it."""

from dataclasses import dataclass

import numpy as np
import scipy.optimize
import scipy.stats
from jaxtyping import Float


@dataclass(frozen=True)
class FactorFit:
    """The fit of a factor model, against the covariance that is free and against columns that are independent.

    Attributes:
        chi2: the likelihood ratio against the free covariance, by Bartlett's correction (1951) as R's ``factanal`` has
            it; NaN where there are no degrees of freedom.
        dof: degrees of freedom, ``((D − Q)² − D − Q) / 2``.
        p_value: the probability of a larger one if the model holds.
        rmsea: ``√max((χ²/ν − 1) / (N − 1), 0)`` (Steiger 1990); at most 0.06 is called close by convention.
        rmsea_interval: its 90 % interval.
        tli: ``(χ₀²/ν₀ − χ²/ν) / (χ₀²/ν₀ − 1)`` (Tucker & Lewis 1973); 0.95 or more is called good by convention.
        srmr: root mean square of the residual correlations, those of a column with itself among them (Hu & Bentler
            1999); at most 0.08 is called good by convention.
        log_likelihood: of the rows, in nats.
        bic: ``−2 log L + ν log N`` of the free parameters, lower is better.
    """

    chi2: float
    dof: int
    p_value: float
    rmsea: float
    rmsea_interval: tuple[float, float]
    tli: float
    srmr: float
    log_likelihood: float
    bic: float


def degrees_of_freedom(dims: int, factors: int) -> int:
    """Of a covariance that is free, those that a factor model does not use."""
    return ((dims - factors) ** 2 - dims - factors) // 2


def factor_fit(
    distance: float,
    null: float,
    residual: Float[np.ndarray, "d d"],
    factors: int,
    weight: float,
    log_likelihood: float,
    parameters: int,
) -> FactorFit:
    """The indices from two likelihood ratios.

    Args:
        distance: ``2 (log L of the free covariance − log L) / N``; NaN where the free covariance is singular.
        null: the same of independent columns.
        residual: correlations of the columns less those of the model.
        factors: Q.
        weight: N.
        log_likelihood: of the model.
        parameters: how many are free.
    """
    dims = residual.shape[0]
    dof, null_dof = degrees_of_freedom(dims, factors), dims * (dims - 1) // 2
    base = weight - 1.0 - (2.0 * dims + 5.0) / 6.0
    below = np.tril_indices(dims)
    srmr = float(np.sqrt((residual[below] ** 2).mean()))
    bic = float(-2.0 * log_likelihood + parameters * np.log(weight))
    if dof <= 0 or not np.isfinite(distance):
        nothing = float("nan")
        return FactorFit(nothing, dof, nothing, nothing, (nothing, nothing), nothing, srmr, log_likelihood, bic)
    chi2 = max(base - 2.0 * factors / 3.0, 0.0) * max(distance, 0.0)
    null_ratio, ratio = base * null / max(null_dof, 1), chi2 / dof
    tli = (null_ratio - ratio) / (null_ratio - 1.0) if null_ratio != 1.0 else float("nan")
    rmsea = float(np.sqrt(max((ratio - 1.0) / (weight - 1.0), 0.0)))
    p_value = float(scipy.stats.chi2.sf(chi2, dof))
    return FactorFit(chi2, dof, p_value, rmsea, _interval(chi2, dof, weight), float(tli), srmr, log_likelihood, bic)


def _interval(chi2: float, dof: int, weight: float) -> tuple[float, float]:
    """The RMSEA at which χ² would be the 95 % and the 5 % quantile of the non-central distribution."""

    def end(share: float) -> float:
        def away(centre: float) -> float:
            return float(scipy.stats.ncx2.cdf(chi2, dof, centre) if centre else scipy.stats.chi2.cdf(chi2, dof)) - share

        if away(0.0) <= 0.0:
            return 0.0
        most = max(2.0 * chi2, 10.0)
        while away(most) > 0.0:
            most *= 2.0
        centre = float(scipy.optimize.brentq(away, 0.0, most))
        return float(np.sqrt(centre / (dof * (weight - 1.0))))

    return end(0.95), end(0.05)
