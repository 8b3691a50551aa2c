"""Items of levels, ordered or not: their blocks (`tacit.models.factors.item_blocks`)."""

import numpy as np
import scipy.special
from jaxtyping import Float

from tacit.models.factors.item_averages import Averages, Rise, averaged
from tacit.models.factors.item_blocks import LOG_2PI, ItemBlock

TILTS = 12
"""Rounds in which the bound of a sum of exponentials is made tight."""
LEAST = 1e-300
"""Probabilities below this count as this."""


class Levels(ItemBlock):
    """What columns of levels share."""

    def features(self, values: Float[np.ndarray, "rows items"]) -> Float[np.ndarray, "rows items width"]:
        return (values[..., None] == np.arange(self.width)).astype(np.float64)

    def means(self, nodes: Float[np.ndarray, "nodes factors"]) -> Float[np.ndarray, "items outcomes nodes"]:
        return np.exp(self.table(nodes))

    def drawn(
        self, codes: Float[np.ndarray, "rows factors"], random: np.random.Generator
    ) -> Float[np.ndarray, "rows items"]:
        ends = self.means(codes).cumsum(1)
        return (random.random((len(self.columns), 1, len(codes))) * ends[:, -1:] > ends).sum(1).T.astype(np.float64)


class Graded(Levels):
    """Ordered levels; two of them too."""

    family = "ordinal"

    def _cut(self, nodes: np.ndarray) -> np.ndarray:
        """``a + η`` between every two levels."""
        return self.intercepts[:, :, None] + (self.slopes[:, 0] @ nodes.T)[:, None, :]

    def probabilities(self, nodes: Float[np.ndarray, "nodes factors"]) -> Float[np.ndarray, "items width nodes"]:
        """Of every level: differences are taken in the tail that is small."""
        at = self._cut(nodes)
        above, below = _cumulative(at, self.link), _cumulative(-at, self.link)
        one, zero = np.ones_like(at[:, :1]), np.zeros_like(at[:, :1])
        above, below = np.concatenate([one, above, zero], 1), np.concatenate([zero, below, one], 1)
        upper = above[:, :-1] - above[:, 1:]
        lower = below[:, 1:] - below[:, :-1]
        return np.where(above[:, :-1] < below[:, 1:], upper, lower)

    def table(self, nodes: Float[np.ndarray, "nodes factors"]) -> Float[np.ndarray, "items width nodes"]:
        return np.log(np.maximum(self.probabilities(nodes), LEAST))

    def slope(self, nodes: Float[np.ndarray, "nodes factors"]) -> Float[np.ndarray, "items width nodes parameters"]:
        at = self._cut(nodes)
        height = _density(at, self.link)
        chance = np.maximum(self.probabilities(nodes), LEAST)
        items, cuts, number = height.shape
        found = np.zeros((items, cuts + 1, number, cuts + nodes.shape[1]))
        for cut in range(cuts):
            found[:, cut + 1, :, cut] = height[:, cut] / chance[:, cut + 1]
            found[:, cut, :, cut] = -height[:, cut] / chance[:, cut]
        rise = found[..., :cuts].sum(-1)
        found[..., cuts:] = rise[..., None] * nodes
        return found

    def along(
        self, values: Float[np.ndarray, "rows items"], heights: Float[np.ndarray, "rows items sets points"]
    ) -> Float[np.ndarray, "rows items points"]:
        above, below, seen = self._ends(values)
        chance = _between(above[..., None] + heights[:, :, 0], below[..., None] + heights[:, :, 0], self.link)
        return np.where(seen[..., None], np.log(np.maximum(chance, LEAST)), 0.0)

    def _ends(self, values: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """The intercepts on either side of every value, ∞ at the ends, and whether there is a value."""
        padded = np.pad(self.intercepts, ((0, 0), (1, 1)), constant_values=((0, 0), (np.inf, -np.inf)))
        seen = ~np.isnan(values)
        level, items = np.where(seen, values, 0.0).astype(int), np.arange(len(self.columns))
        return padded[items, level], padded[items, level + 1], seen

    def averages(
        self,
        values: Float[np.ndarray, "rows items"],
        mean: Float[np.ndarray, "rows items sets"],
        covariance: Float[np.ndarray, "rows items sets sets"],
    ) -> Averages:
        above, below, seen = self._ends(values)
        level, cuts = np.where(seen, values, 0.0).astype(int), np.arange(self.intercepts.shape[1])
        is_above = ((level[..., None] - 1 == cuts) & seen[..., None]).astype(np.float64)[:, :, None]
        is_below = ((level[..., None] == cuts) & seen[..., None]).astype(np.float64)[:, :, None]

        def rise(heights: np.ndarray) -> Rise:
            upper, lower = above[..., None] + heights, below[..., None] + heights
            chance = np.maximum(_between(upper, lower, self.link), LEAST)
            first = np.where(seen[..., None], _density(upper, self.link) / chance, 0.0)
            last = np.where(seen[..., None], _density(lower, self.link) / chance, 0.0)
            by_cut = first[..., None] * is_above - last[..., None] * is_below
            return Rise(np.where(seen[..., None], np.log(chance), 0.0), first - last, by_cut)

        return averaged(rise, mean[..., 0], covariance[..., 0, 0])

    def valid(self) -> np.ndarray:
        return np.isfinite(self.flat()).all(1) & (np.diff(self.intercepts, axis=1) < 0).all(1)

    def latent_variances(self) -> Float[np.ndarray, "items sets"]:
        return np.full((len(self.columns), 1), 1.0 if self.link == "probit" else np.pi**2 / 3.0)


class Nominal(Levels):
    """Levels without an order."""

    family = "categorical"

    def _heights(self, nodes: np.ndarray) -> np.ndarray:
        found = self.intercepts[:, :, None] + np.einsum("jlq,mq->jlm", self.slopes, nodes, optimize=True)
        return np.concatenate([np.zeros_like(found[:, :1]), found], axis=1)

    def table(self, nodes: Float[np.ndarray, "nodes factors"]) -> Float[np.ndarray, "items width nodes"]:
        heights = self._heights(nodes)
        return heights - scipy.special.logsumexp(heights, axis=1, keepdims=True)

    def slope(self, nodes: Float[np.ndarray, "nodes factors"]) -> Float[np.ndarray, "items width nodes parameters"]:
        chance = np.exp(self.table(nodes))[:, 1:]
        own = np.concatenate([np.zeros((1, self.width - 1)), np.eye(self.width - 1)])
        by_height = own[None, :, None, :] - np.swapaxes(chance, 1, 2)[:, None]
        by_slope = by_height[..., None] * nodes[None, None, :, None, :]
        return np.concatenate([by_height, by_slope.reshape(*by_height.shape[:3], -1)], axis=-1)

    def along(
        self, values: Float[np.ndarray, "rows items"], heights: Float[np.ndarray, "rows items sets points"]
    ) -> Float[np.ndarray, "rows items points"]:
        own = self.intercepts[..., None] + heights
        whole = np.concatenate([np.zeros_like(own[:, :, :1]), own], axis=2)
        logs = whole - scipy.special.logsumexp(whole, axis=2, keepdims=True)
        return np.einsum("njl,njlm->njm", self.features(values), logs)

    def averages(
        self,
        values: Float[np.ndarray, "rows items"],
        mean: Float[np.ndarray, "rows items sets"],
        covariance: Float[np.ndarray, "rows items sets sets"],
    ) -> Averages:
        """Less than the mean, by the tilted bound of Knowles & Minka (2011), section 3, for heights that correlate.

        ``E[log Σ_l exp h_l] ≤ ½ tᵀCt + log Σ_l exp(m_l + ½ C_ll − (Ct)_l)`` for any tilts t; it is least where t are
        the shares of the sum.
        """
        chosen = self.features(values)
        seen = chosen.sum(-1)
        middle = np.concatenate([np.zeros_like(mean[..., :1]), self.intercepts + mean], axis=-1)
        wide = np.pad(covariance, ((0, 0), (0, 0), (1, 0), (1, 0)))
        raised = middle + 0.5 * np.diagonal(wide, axis1=-2, axis2=-1)
        tilt = scipy.special.softmax(middle, axis=-1)
        for _ in range(TILTS):
            tilt = 0.5 * (tilt + scipy.special.softmax(raised - (wide @ tilt[..., None])[..., 0], axis=-1))
        turned = (wide @ tilt[..., None])[..., 0]
        above = 0.5 * (tilt * turned).sum(-1) + scipy.special.logsumexp(raised - turned, axis=-1)
        share = scipy.special.softmax(raised - turned, axis=-1)
        value = (chosen * middle).sum(-1) - seen * above
        rise = (chosen - seen[..., None] * share)[..., 1:]
        one = seen[..., None, None] * (share[..., None] * (np.eye(self.width) - share[..., None, :]))[..., 1:, 1:]
        off = seen[..., None] * (tilt - share)[..., 1:]
        curvature = one + off[..., None] * off[..., None, :]
        return Averages(value, rise, curvature, rise, np.tile(one, (1, 1, 2, 2)))

    def latent_variances(self) -> Float[np.ndarray, "items sets"]:
        return np.full((len(self.columns), self.width - 1), np.pi**2 / 3.0)


def _between(upper: np.ndarray, lower: np.ndarray, link: str) -> np.ndarray:
    """``F(upper) − F(lower)``, taken in the tail that is small."""
    far = upper + lower > 0.0  # −∞ and ∞ only at the ends
    first, last = np.where(far, -lower, upper), np.where(far, -upper, lower)
    return _cumulative(first, link) - _cumulative(last, link)


def _cumulative(at: np.ndarray, link: str) -> np.ndarray:
    return np.asarray(scipy.special.ndtr(at) if link == "probit" else scipy.special.expit(at))


def _density(at: np.ndarray, link: str) -> np.ndarray:
    if link == "probit":
        return np.exp(-0.5 * at**2 - 0.5 * LOG_2PI)
    above = scipy.special.expit(at)
    return np.asarray(above * scipy.special.expit(-at))
