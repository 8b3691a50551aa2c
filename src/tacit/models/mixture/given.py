"""A mixture after something is said of some columns: exact where at most two columns of a vector have ranges.

``p(k | e) ∝ π_k p_k(points) Π_j P_k(x_j ∈ S_j | points)``: columns are independent given the component, or one Gaussian
vector, which is conditioned on its single values first.
"""

import dataclasses
import itertools
from collections.abc import Sequence
from functools import cached_property

import numpy as np
import scipy.integrate
from jaxtyping import Float

from tacit.data.value_sets import Box, ValueSet
from tacit.families.base import Distribution
from tacit.families.bivariate import bivariate_cdf, log_mass, truncated_moments
from tacit.families.normal import Normal
from tacit.families.student_t import StudentT
from tacit.models.components.base import Component
from tacit.models.components.factor_analytic import FactorComponent
from tacit.models.components.gaussian import GaussianComponent
from tacit.models.given import Conditioned, FixedLaw, Law, LevelsLaw
from tacit.models.mixture.conditional import owner, supported
from tacit.models.mixture.expectations import conditional_column, weigh
from tacit.models.mixture.model import MixtureModel

CONTINUOUS = ("continuous", "positive")
LEAST = 1e-9
"""A probability of ranges of two columns of one vector that is below it has lost its digits."""
REACH = 12.0
"""Scales from the middle within which an integral is looked for finely."""


def condition(model: MixtureModel, evidence: Box, group: ValueSet | None = None) -> "MixtureGiven | None":
    """What is known once columns lie in some values, or None where that is not known exactly.

    Args:
        model: the mixture, with NumPy leaves.
        evidence: of some columns, by number; single values of continuous columns stand alone.
        group: the components that are possible; None where all are.

    Raises:
        ValueError: a column of a row of counts, which has no distribution of its own.
    """
    dims = sum(len(each.columns) for each in model.groups)
    row, ranged = np.full((1, dims), np.nan), {}
    for column, values in evidence.items():
        part, _ = owner(model, column)
        if part.given_total:
            raise ValueError("counts of one row are known only with its total, and no query is about that")
        if values.point is None:
            ranged[column] = values
        else:
            row[0, column] = values.point
    pairs: dict[int, VectorPair] = {}
    for each in model.groups:
        inside = [column for column in each.columns if column in ranged] if each.joint else []
        if len(inside) > 2 or (len(inside) == 2 and not isinstance(each, GaussianComponent | FactorComponent)):
            return None
        if len(inside) == 2:
            pairs |= dict.fromkeys(inside, pair(each, row, inside[0], inside[1]))
    found = MixtureGiven(model, row, ranged, pairs, group)
    return None if pairs and found.log_ranges < np.log(LEAST) else found


@dataclasses.dataclass(frozen=True, eq=False)
class VectorPair:
    """Two columns of a Gaussian vector under every component, its single values given."""

    columns: tuple[int, int]
    means: Float[np.ndarray, "components 2"]
    deviations: Float[np.ndarray, "components 2"]
    correlations: Float[np.ndarray, " components"]

    def mass(self, first: ValueSet, second: ValueSet) -> Float[np.ndarray, " components"]:
        """The probability of two ranges."""
        total = np.zeros(self.means.shape[0])
        for (a, _), (b, _) in first.ranges():
            for (c, _), (d, _) in second.ranges():
                x = [(end - self.means[:, 0]) / self.deviations[:, 0] for end in (a, b)]
                y = [(end - self.means[:, 1]) / self.deviations[:, 1] for end in (c, d)]
                # the lower tail keeps its digits
                flip_x, flip_y = x[0] > 0, y[0] > 0
                low_x, high_x = np.where(flip_x, -x[1], x[0]), np.where(flip_x, -x[0], x[1])
                low_y, high_y = np.where(flip_y, -y[1], y[0]), np.where(flip_y, -y[0], y[1])
                rho = np.where(flip_x != flip_y, -self.correlations, self.correlations)
                total += (
                    bivariate_cdf(high_x, high_y, rho)
                    - bivariate_cdf(low_x, high_y, rho)
                    - bivariate_cdf(high_x, low_y, rho)
                    + bivariate_cdf(low_x, low_y, rho)
                )
        return np.maximum(total, 0.0)


def pair(group: Component, row: Float[np.ndarray, "1 dims"], first: int, second: int) -> VectorPair:
    """Two columns of a Gaussian vector, given the others that are known: ``Σ_pp − Σ_po Σ_oo⁻¹ Σ_op``."""
    covariances = np.asarray(group.covariance_matrices())
    means = np.asarray(group.moments()[0])
    places = [group.columns.index(first), group.columns.index(second)]
    x = row[0, list(group.columns)]
    seen = np.flatnonzero(~np.isnan(x))
    inner = covariances[:, places][:, :, places]
    centre = means[:, places]
    if seen.size:
        across = covariances[:, places][:, :, seen]
        gain = np.linalg.solve(covariances[:, seen][:, :, seen], np.swapaxes(across, -1, -2))
        centre = centre + np.einsum("kop,ko->kp", gain, x[seen] - means[:, seen])
        inner = inner - across @ gain
    deviations = np.sqrt(np.diagonal(inner, axis1=-2, axis2=-1))
    correlations = np.clip(inner[:, 0, 1] / deviations.prod(-1), -1 + 1e-15, 1 - 1e-15)
    return VectorPair((first, second), centre, deviations, correlations)


def mass(family: Distribution, values: ValueSet) -> Float[np.ndarray, "..."]:
    """``P(x ∈ S)`` under every member of a family of one column."""
    codes = family.code_probabilities()
    if codes is not None:
        return np.asarray(codes @ values.contains(np.arange(codes.shape[-1])))
    total = np.asarray(0.0)
    for (low, after), (high, upto) in values.ranges():
        if family.column_kind == "count":
            begin = np.floor(low) if after else np.ceil(low) - 1.0
            end = np.floor(high) if upto else np.ceil(high) - 1.0
            total = total + np.maximum(_cdf(family, end) - _cdf(family, begin), 0.0)
        elif isinstance(family, Normal | StudentT):
            centre, _ = family.location_scale()
            upper = low > centre
            lower_end = np.where(upper, 2.0 * centre - high, low)
            upper_end = np.where(upper, 2.0 * centre - low, high)
            total = total + np.maximum(family.cdf(upper_end) - family.cdf(lower_end), 0.0)
        else:
            total = total + np.maximum(_cdf(family, high) - _cdf(family, low), 0.0)
    return total


def _cdf(family: Distribution, x: float) -> np.ndarray:
    """Of ends that may be infinite, at which families need not know what they are."""
    if np.isinf(x):
        return np.asarray(1.0 if x > 0 else 0.0)
    return np.asarray(family.cdf(np.full((1, 1), x)))


class MixtureGiven(Conditioned):
    """A mixture whose columns are partly known."""

    def __init__(
        self,
        model: MixtureModel,
        row: Float[np.ndarray, "1 dims"],
        ranged: Box,
        pairs: dict[int, VectorPair],
        group: ValueSet | None,
    ) -> None:
        self._model, self._row, self._ranged, self._pairs, self._group = model, row, ranged, pairs, group

    @cached_property
    def _logits(self) -> Float[np.ndarray, " components"]:
        """``log π_k p_k(points)``, the mass of ranges left out."""
        if not supported(self._model, self._row).all():
            return np.full(np.size(self._model.log_weights), -np.inf)
        shares, log_prob = weigh(self._model, self._row)
        found = np.where(np.isneginf(log_prob[0]), -np.inf, log_mass(shares[0]) + log_prob[0])
        if self._group is not None:
            found = np.where(self._group.contains(np.arange(found.size)), found, -np.inf)
        return found

    @cached_property
    def _masses(self) -> Float[np.ndarray, " components"]:
        """``Σ log P_k`` of the ranges."""
        total = np.zeros(self._logits.size)
        for place, values in self._ranged.items():
            linked = self._pairs.get(place)
            if linked is None:
                total = total + log_mass(mass(conditional_column(self._model, place, self._row), values)).ravel()
            elif place == linked.columns[0]:
                total = total + log_mass(linked.mass(values, self._ranged[linked.columns[1]]))
        return total

    @cached_property
    def _joint(self) -> Float[np.ndarray, " components"]:
        """``log p(k, e)``; a component without weight may hold anything."""
        return np.where(np.isneginf(self._logits), -np.inf, self._logits + self._masses)

    @property
    def log_probability(self) -> float:
        return float(np.logaddexp.reduce(self._joint))

    @property
    def log_ranges(self) -> float:
        """``log P(ranges | points)``."""
        return self.log_probability - float(np.logaddexp.reduce(self._logits))

    @property
    def densities(self) -> int:
        known = np.flatnonzero(~np.isnan(self._row[0]))
        return sum(owner(self._model, int(place))[0].column_kind in CONTINUOUS for place in known)

    @cached_property
    def weights(self) -> Float[np.ndarray, " components"]:
        """``p(k | e)``."""
        return np.exp(self._joint - self.log_probability)

    def column(self, place: int) -> Law | None:
        if place == self._row.shape[1]:
            return LevelsLaw(self.weights)
        group, inner = owner(self._model, place)
        if group.given_total:
            raise ValueError("counts of one row are known only with its total, and no query is about that")
        if not np.isnan(self._row[0, place]):
            codes = group.column(inner).code_probabilities()
            return FixedLaw(float(self._row[0, place]), group.column_kind, None if codes is None else codes.shape[-1])
        own = self._ranged.get(place)
        others = [column for column in group.columns if column in self._ranged and column != place]
        family = conditional_column(self._model, place, self._row)
        if not group.joint or not others:
            return MixtureLaw(self.weights, family, own)
        if own is not None or len(others) > 1 or not isinstance(group, GaussianComponent | FactorComponent):
            return None
        linked = pair(group, self._row, place, others[0])
        return LinkedLaw(self.weights, linked, self._ranged[others[0]])


class MixtureLaw(Law):
    """One column of a mixture, perhaps known to lie in some values."""

    def __init__(self, weights: Float[np.ndarray, " components"], family: Distribution, own: ValueSet | None) -> None:
        self._weights, self._family, self._own = weights, family, own
        self._total = None if own is None else mass(family, own)

    @property
    def kind(self) -> str:
        return self._family.column_kind

    def cdf(self, x: Float[np.ndarray, "..."]) -> Float[np.ndarray, "..."]:
        x = np.asarray(x, np.float64)
        if self._own is None:
            flat = x.ravel()[:, None, None]
            each = np.stack(
                [np.broadcast_to(_cdf(self._family, float(v[0, 0])), (1, self._weights.size)) for v in flat]
            )
        else:
            each = np.stack([self._shares(mass(self._family, self._own.below(float(v)))) for v in x.ravel()])
        weighed = np.where(self._weights > 0, each, 0.0) * self._weights
        return weighed.sum(-1).reshape(x.shape)

    def _shares(self, part: np.ndarray) -> np.ndarray:
        with np.errstate(invalid="ignore", divide="ignore"):
            return np.broadcast_to(part / self._total, (1, self._weights.size))

    def levels(self) -> Float[np.ndarray, " levels"] | None:
        codes = self._family.code_probabilities()
        if codes is None:
            return None
        codes = codes.reshape(-1, codes.shape[-1])
        if self._own is not None:
            codes = np.where(self._own.contains(np.arange(codes.shape[-1])), codes, 0.0)
            total = codes.sum(-1, keepdims=True)
            codes = codes / np.where(total > 0, total, 1.0)
        return np.asarray(self._weights @ codes)

    def location_scale(self) -> tuple[float, float]:
        centres, scales = self._family.location_scale()
        held = np.broadcast_to(self._weights > 0, np.shape(centres))
        return float(np.mean(centres[held])), float(np.ptp(centres[held]) + np.max(scales[held]))

    def moments(self) -> tuple[float, float]:
        codes = self.levels()
        if codes is not None:
            return LevelsLaw(codes).moments()
        if self._own is None:
            mean, variance = (np.ravel(part) for part in self._family.moments())
        else:
            mean, variance = self._truncated(self._own)
        return mixed(self._weights, mean, variance)

    def _truncated(self, own: ValueSet) -> tuple[np.ndarray, np.ndarray]:
        family = self._family
        if isinstance(family, Normal):
            centre, scale = (np.ravel(part) for part in family.location_scale())
            ends = np.array([(low[0], high[0]) for low, high in own.ranges()])
            low, high = ((ends[:, side, None] - centre) / scale for side in (0, 1))
            mean, variance = truncated_moments(low, high)
            return centre + scale * mean, scale**2 * variance
        parts = _sums(family, own) if family.column_kind == "count" else _integrals(family, own)
        total, first, second = (part.reshape(-1, self._weights.size)[0] for part in parts)
        with np.errstate(invalid="ignore", divide="ignore"):
            mean = first / total
            variance = np.maximum(second / total - mean**2, 0.0)
        whole_mean, whole_variance = (np.ravel(part) for part in family.moments())
        if np.isinf([own.cuts[0][0], own.cuts[-1][0]]).any():  # a tail that has no moments keeps having none
            mean = np.where(np.isfinite(whole_mean), mean, whole_mean)
            variance = np.where(np.isfinite(whole_variance), variance, np.inf)
        return mean, variance


def _sums(family: Distribution, own: ValueSet) -> Sequence[np.ndarray]:
    """``Σ p(x) (1, x, x²)`` over whole numbers, up to where nothing is left."""
    mean, variance = family.moments()
    end = float(np.max(np.ceil(mean + 60.0 * np.sqrt(variance) + 60.0)))
    lows = [low for (low, _), _ in own.ranges()]
    x = np.arange(0.0, min(max(end, 2.0 * max(lows, default=0.0) + 60.0), 5e6))
    x = x[own.contains(x)]
    masses = np.exp(np.asarray(family.log_prob(x[:, None, None])))
    return [np.einsum("n,n...->...", x**power, masses) for power in range(3)]


def _integrals(family: Distribution, own: ValueSet) -> Sequence[np.ndarray]:
    """``∫ p(x) (1, x, x²)`` over ranges, of positive columns on the scale of logarithms."""
    positive = family.column_kind == "positive"
    centres, scales = family.location_scale()

    def density(t: float) -> np.ndarray:
        x = np.exp(t) if positive else t
        with np.errstate(all="ignore"):
            p = np.exp(np.asarray(family.log_prob(np.asarray(x)))) * (x if positive else 1.0)
        p = np.where(np.isfinite(p), p, 0.0)
        return np.stack([p, x * p, x * x * p])

    marks = np.unique(np.concatenate([np.ravel(centres + side * REACH * scales) for side in (-1, 0, 1)]))
    total = np.zeros(1)
    for (low, _), (high, _) in own.ranges():
        ends = (
            [-np.inf if low <= 0 else np.log(low), np.log(high) if high > 0 else -np.inf] if positive else [low, high]
        )
        inner = marks[(marks > ends[0]) & (marks < ends[1])]
        cuts = [ends[0], *inner, ends[1]]
        for a, b in itertools.pairwise(cuts):
            total = total + scipy.integrate.quad_vec(density, a, b, epsabs=1e-12, epsrel=1e-10)[0]
    return list(total)


class LinkedLaw(Law):
    """A column of a Gaussian vector another column of which is known to lie in some ranges."""

    def __init__(self, weights: Float[np.ndarray, " components"], linked: VectorPair, other: ValueSet) -> None:
        self._weights, self._pair, self._other = weights, linked, other
        self._total = linked.mass(ValueSet.everything(), other)

    @property
    def kind(self) -> str:
        return "continuous"

    def cdf(self, x: Float[np.ndarray, "..."]) -> Float[np.ndarray, "..."]:
        x = np.asarray(x, np.float64)
        each = np.stack([self._pair.mass(ValueSet.range(-np.inf, float(v)), self._other) for v in x.ravel()])
        with np.errstate(invalid="ignore", divide="ignore"):
            shares = np.where(self._weights > 0, each / self._total, 0.0)
        return np.asarray(shares @ self._weights).reshape(x.shape)

    def location_scale(self) -> tuple[float, float]:
        held = self._weights > 0
        centres, scales = self._pair.means[held, 0], self._pair.deviations[held, 0]
        return float(np.mean(centres)), float(np.ptp(centres) + np.max(scales))

    def moments(self) -> tuple[float, float]:
        # x = μ + σρz + σ√(1−ρ²)ε, and z is known to lie in the ranges
        ends = np.array([(low[0], high[0]) for low, high in self._other.ranges()])
        low, high = ((ends[:, side, None] - self._pair.means[:, 1]) / self._pair.deviations[:, 1] for side in (0, 1))
        centre, spread = truncated_moments(low, high)
        rho, deviation = self._pair.correlations, self._pair.deviations[:, 0]
        mean = self._pair.means[:, 0] + deviation * rho * centre
        return mixed(self._weights, mean, deviation**2 * (rho**2 * spread + 1.0 - rho**2))


def mixed(weights: np.ndarray, means: np.ndarray, variances: np.ndarray) -> tuple[float, float]:
    """Mean and variance of a mixture, by the law of total variance; what has no weight may hold anything."""
    held = weights > 0
    means, variances = np.where(held, means, 0.0), np.where(held, variances, 0.0)
    mean = float(weights @ means)
    return mean, float(weights @ (variances + np.where(held, (means - mean) ** 2, 0.0)))
