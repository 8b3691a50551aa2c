"""Items of levels, ordered or not: their blocks (`tacit.models.factors.item_blocks`)."""

import numpy as np
import scipy.special
from jaxtyping import Float

from tacit.models.factors.item_blocks import LOG_2PI, ItemBlock

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

    def latent_variances(self) -> Float[np.ndarray, "items sets"]:
        return np.full((len(self.columns), self.width - 1), np.pi**2 / 3.0)


def _cumulative(at: np.ndarray, link: str) -> np.ndarray:
    return np.asarray(scipy.special.ndtr(at) if link == "probit" else scipy.special.expit(at))


def _density(at: np.ndarray, link: str) -> np.ndarray:
    if link == "probit":
        return np.exp(-0.5 * at**2 - 0.5 * LOG_2PI)
    above = scipy.special.expit(at)
    return np.asarray(above * scipy.special.expit(-at))
