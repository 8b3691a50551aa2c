"""Densities of one value, or one row of counts, whose parameter was integrated over its conjugate posterior.

They answer for rows and are never fitted: a Poisson rate leaves a negative binomial, a Bernoulli's and a category's
probabilities leave their means, a Gaussian Student's t; the others stand here (Johnson, Kemp & Kotz 2005; Johnson, Kotz
& Balakrishnan 1994, chapter 20). Each bears the name of the family it comes from.
"""

from typing import ClassVar

import numpy as np
from jaxtyping import Bool, Float

from tacit.arrays import special, xp
from tacit.compute import Array
from tacit.families.base import Distribution
from tacit.families.multinomial import draw_counts, share_roots
from tacit.families.numeric import on_support
from tacit.families.student_t import StudentT
from tacit.spaces import Spaces


class Lomax(Distribution):
    """``p(x) = (a/b) (1 + x/b)^{−(a+1)}``, x ≥ 0: an exponential whose rate is Gamma(a, b)."""

    spaces: ClassVar[Spaces] = {"shapes": "positive", "scales": "positive"}

    name: ClassVar[str] = "exponential"
    column_kind: ClassVar[str] = "positive"

    shapes: Float[Array, "..."]
    scales: Float[Array, "..."]

    def log_prob(self, x: Float[Array, "..."]) -> Float[Array, "..."]:
        ok = self.supports(x)
        safe = xp.where(ok, x, 0.0)
        value = xp.log(self.shapes / self.scales) - (self.shapes + 1.0) * xp.log1p(safe / self.scales)
        return on_support(ok, x, value)

    def supports(self, x: Float[Array, "..."]) -> Bool[Array, "..."]:
        return xp.isfinite(x) & (x >= 0)

    def mean(self) -> Float[Array, "..."]:
        a = xp.asarray(self.shapes)
        return xp.where(a > 1.0, self.scales / xp.where(a > 1.0, a - 1.0, 1.0), xp.inf)

    def variance(self) -> Float[Array, "..."]:
        a = xp.asarray(self.shapes)
        above = xp.where(a > 2.0, a, 3.0)
        return xp.where(a > 2.0, xp.asarray(self.scales) ** 2 * above / ((above - 1.0) ** 2 * (above - 2.0)), xp.inf)

    def draw(self, random: np.random.Generator, total: np.ndarray | None = None) -> np.ndarray:
        return np.asarray(self.scales) * random.pareto(self.shapes)

    def cdf(self, x: np.ndarray) -> np.ndarray:
        return -np.expm1(-np.asarray(self.shapes) * np.log1p(np.maximum(x, 0.0) / np.asarray(self.scales)))


class LogStudentT(Distribution):
    """Student's t of log x; neither its mean nor its variance is finite."""

    name: ClassVar[str] = "log-normal"
    column_kind: ClassVar[str] = "positive"
    symbols: ClassVar[tuple[str, ...]] = ("μ", "σ", "ν")

    logarithm: StudentT

    def log_prob(self, x: Float[Array, "..."]) -> Float[Array, "..."]:
        ok = self.supports(x)
        y = xp.log(xp.where(ok, x, 1.0))
        return on_support(ok, x, self.logarithm.log_prob(y) - y)

    def supports(self, x: Float[Array, "..."]) -> Bool[Array, "..."]:
        return xp.isfinite(x) & (x > 0)

    def mean(self) -> Float[Array, "..."]:
        return xp.full_like(xp.asarray(self.logarithm.locations), xp.inf)

    variance = mean

    def draw(self, random: np.random.Generator, total: np.ndarray | None = None) -> np.ndarray:
        return np.exp(self.logarithm.draw(random))

    def cdf(self, x: np.ndarray) -> np.ndarray:
        positive = x > 0
        return np.where(positive, self.logarithm.cdf(np.log(np.where(positive, x, 1.0))), 0.0)

    def location_scale(self) -> tuple[np.ndarray, np.ndarray]:
        """Of log x."""
        return self.logarithm.location_scale()

    def filling(self, weights: Float[np.ndarray, "rows components"]) -> np.ndarray | None:
        # there is no mean: the mean of the logarithm, where that has one
        return np.exp(weights @ np.asarray(self.logarithm.locations))


class DirichletMultinomial(Distribution):
    """A multinomial row given its total n whose shares are Dirichlet(α); moments are those of one item.

    ``p(x) = n! Γ(Σα)/Γ(n + Σα) ∏_l Γ(x_l + α_l)/(Γ(α_l) x_l!)``.
    """

    spaces: ClassVar[Spaces] = {"concentrations": "positive"}

    name: ClassVar[str] = "multinomial"
    event_dims: ClassVar[int] = 1
    column_kind: ClassVar[str] = "count"
    given_total: ClassVar[bool] = True
    symbols: ClassVar[tuple[str, ...]] = ("p",)

    concentrations: Float[Array, "... levels"]

    def log_prob(self, x: Float[Array, "... levels"]) -> Float[Array, "..."]:
        ok = xp.asarray(self.supports(x)).all(-1)
        safe = xp.where(ok[..., None], x, 0.0)
        total, alpha = safe.sum(-1), xp.asarray(self.concentrations)
        strength = alpha.sum(-1)
        each = special.gammaln(safe + alpha) - special.gammaln(alpha) - special.gammaln(safe + 1.0)
        value = (
            each.sum(-1) + special.gammaln(total + 1.0) + special.gammaln(strength) - special.gammaln(total + strength)
        )
        return xp.where(ok, value, xp.where(xp.isnan(x).any(-1), xp.nan, -xp.inf))

    def supports(self, x: Float[Array, "..."]) -> Bool[Array, "..."]:
        return xp.isfinite(x) & (x >= 0) & (x == xp.floor(x))

    def mean(self) -> Float[Array, "... levels"]:
        alpha = xp.asarray(self.concentrations)
        return alpha / alpha.sum(-1, keepdims=True)

    def variance(self) -> Float[Array, "... levels"]:
        share = self.mean()
        return share * (1.0 - share)

    def draw(self, random: np.random.Generator, total: np.ndarray | None = None) -> np.ndarray:
        mass = np.maximum(random.standard_gamma(self.concentrations), np.finfo(float).tiny)
        return draw_counts(mass / mass.sum(-1, keepdims=True), random, total)

    def seeding_features(self, x: Float[np.ndarray, "rows columns"]) -> Float[np.ndarray, "rows features"]:
        """The square roots of the shares."""
        return share_roots(x)
