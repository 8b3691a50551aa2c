"""What a network knows once something is said of some columns, as all exact answers are made of it."""

import functools
from collections.abc import Mapping

import numpy as np
import scipy.special
import scipy.stats
from jaxtyping import Float

from tacit.compute import HostArray
from tacit.data.value_sets import Box, Cut, ValueSet
from tacit.models.given import Conditioned, FixedLaw, Law, LevelsLaw
from tacit.models.network.case import CasePosteriors, Impossible, NumberPosterior, case_posteriors
from tacit.models.network.model import Network


class NumberLaw(Law):
    """A mixture of normal or of Poisson laws; with ``logged`` it is that of the logarithm."""

    def __init__(self, posterior: NumberPosterior, logged: bool) -> None:
        self._posterior, self._logged = posterior, logged

    @property
    def kind(self) -> str:
        if self._posterior.family == "poisson":
            return "count"
        return "positive" if self._logged else "continuous"

    def cdf(self, x: Float[HostArray, "..."]) -> Float[HostArray, "..."]:
        parts = self._posterior
        x = np.asarray(x, np.float64)[..., None]
        if parts.family == "poisson":
            return np.asarray(scipy.stats.poisson.cdf(x, parts.means) @ parts.weights)
        if self._logged:
            with np.errstate(divide="ignore", invalid="ignore"):
                x = np.where(x > 0, np.log(np.where(x > 0, x, 1.0)), -np.inf)
        return np.asarray(scipy.special.ndtr((x - parts.means) / np.sqrt(parts.variances)) @ parts.weights)

    def probability(self, low: Cut, high: Cut) -> float:
        """Between two ends; of a count, an end itself belongs where the cut is behind or before it."""
        if self._posterior.family == "poisson":
            ends = [np.ceil(x) - 1 if not after else np.floor(x) for x, after in (low, high)]
        else:
            ends = [low[0], high[0]]
        if min(ends) == -np.inf:
            return float(self.cdf(np.asarray(ends[1])))
        parts, logged = self._posterior, self._logged
        if parts.family == "normal" and not logged:  # by the nearer tail, where a difference would cancel
            z = [(end - parts.means) / np.sqrt(parts.variances) for end in ends]
            flip = z[0] > 0
            upper, lower = np.where(flip, -z[0], z[1]), np.where(flip, -z[1], z[0])
            return float(parts.weights @ (scipy.special.ndtr(upper) - scipy.special.ndtr(lower)))
        return float(self.cdf(np.asarray(ends[1])) - self.cdf(np.asarray(ends[0])))

    def moments(self) -> tuple[float, float]:
        parts = self._posterior
        if not self._logged:
            return parts.mean, parts.variance
        means = np.exp(parts.means + 0.5 * parts.variances)
        mean = float(parts.weights @ means)
        return mean, float(parts.weights @ (means**2 * np.exp(parts.variances)) - mean**2)

    def location_scale(self) -> tuple[float, float]:
        return self._posterior.mean, float(np.sqrt(max(self._posterior.variance, 1e-300)))


class NetworkGiven(Conditioned):
    """A network after single values of columns, and sets of levels, are given."""

    def __init__(
        self,
        network: Network,
        row: Float[HostArray, " nodes"],
        likelihoods: Mapping[int, Float[HostArray, "_ rows"]],
        logged: frozenset[int],
        densities: int,
        ranged: tuple[int, ValueSet] | None,
    ) -> None:
        self._network, self.row, self._likelihoods = network, row, likelihoods
        self._logged, self._densities, self._ranged = logged, densities, ranged

    @functools.cached_property
    def _found(self) -> CasePosteriors | Impossible:
        try:
            return case_posteriors(self._network, self.row, self._likelihoods)
        except Impossible as contradiction:
            return contradiction

    @property
    def _posteriors(self) -> CasePosteriors | None:
        return None if isinstance(self._found, Impossible) else self._found

    @property
    def contradiction(self) -> str:
        return str(self._found) if isinstance(self._found, Impossible) else ""

    @property
    def log_probability(self) -> float:
        if self._posteriors is None:
            return -np.inf
        nodes = self._network.nodes
        said = [v for v in self._logged if not np.isnan(self.row[v]) and nodes[v].name != "exogenous"]
        return self._posteriors.log_prob - float(self.row[said].sum()) + self._log_share()

    def _log_share(self) -> float:
        """The logarithm of the probability that the number of which a range is said lies there."""
        if self._ranged is None or self._posteriors is None:
            return 0.0
        place, values = self._ranged
        law = NumberLaw(self._posteriors.numbers[place], place in self._logged)
        share = sum(law.probability(low, high) for low, high in values.ranges())
        return float(np.log(share)) if share > 0 else -np.inf

    @property
    def densities(self) -> int:
        return self._densities

    def column(self, place: int) -> Law | None:
        found = self._posteriors
        if found is None or self._ranged is not None:
            return None
        node = self._network.nodes[place]
        if place in found.levels:
            return LevelsLaw(found.levels[place])
        if place in found.numbers:
            return NumberLaw(found.numbers[place], place in self._logged)
        value = float(np.exp(self.row[place])) if place in self._logged else float(self.row[place])
        kind = "categorical" if node.levels else "count" if node.name == "poisson" else "continuous"
        return FixedLaw(value, kind, node.levels)


def network_given(
    network: Network, evidence: Box, row: Float[HostArray, " nodes"], logged: frozenset[int]
) -> NetworkGiven | None:
    """What a network knows once nodes lie in sets of values; None where several numbers lie in ranges.

    Args:
        network: fitted.
        evidence: of nodes, the values that they may have; of those that are logarithms inside, in their own units.
        row: of the nodes, what is known anyway.
        logged: nodes that are logarithms of their columns.
    """
    row, likelihoods, densities, ranged = np.array(row), {}, 0, None
    for place, values in evidence.items():
        node, point = network.nodes[place], values.point
        if node.levels is not None:
            likelihoods[place] = values.contains(np.arange(node.levels)).astype(float)[:, None]
        elif point is None:
            if ranged is not None:
                return None
            ranged = place, values
        elif place in logged and point <= 0:
            return None
        else:
            row[place] = np.log(point) if place in logged else point
            densities += node.name == "normal"
    return NetworkGiven(network, row, likelihoods, logged, densities, ranged)
