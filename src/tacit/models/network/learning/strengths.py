"""How sure the arrows of a structure are: in how many of many learned from resampled rows they stand.

Friedman, Goldszmidt & Wyner (1999). The threshold above which an arrow is taken for real, where none is given, is that
of Scutari & Nagarajan (2013).
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

from tacit.models.network.learning.graphs import EquivalenceClass, Parents, equivalence_class, parents_of, reached


@dataclass(frozen=True, eq=False)
class Strengths:
    """Shares of structures.

    Attributes:
        neighbours: [nodes, nodes], symmetric: how many have an arrow between two nodes, in either direction.
        arrows: [source, target]: how many have that arrow; where data cannot tell the direction, half for each.
        samples: how many structures were learned.
    """

    neighbours: Float[np.ndarray, "nodes nodes"]
    arrows: Float[np.ndarray, "nodes nodes"]
    samples: int

    @property
    def directions(self) -> Float[np.ndarray, "nodes nodes"]:
        """The share of an arrow among those between its ends in either direction; 0 where there is none."""
        return np.where(self.neighbours > 0, self.arrows / np.where(self.neighbours > 0, self.neighbours, 1.0), 0.0)


def bootstrap(
    learned: Callable[[Float[np.ndarray, " rows"], int], Parents], rows: int, samples: int, *, seed: int = 0
) -> Strengths:
    """Learn from many resampled sets of rows.

    Args:
        learned: the structure from weights of rows (how often each was drawn) and a seed.
        rows: how many there are.
        samples: how many sets.
        seed: of the draws.

    Raises:
        ValueError: there are no samples or no rows.
    """
    if samples < 1 or rows < 1:
        raise ValueError(f"there are {samples} samples of {rows} rows; there must be one at least of each")
    random = np.random.default_rng(seed)
    classes = []
    for sample in range(samples):
        weights = np.bincount(random.integers(rows, size=rows), minlength=rows).astype(np.float64)
        classes.append(equivalence_class(learned(weights, seed + sample)))
    return strengths_of(classes)


def strengths_of(classes: list[EquivalenceClass]) -> Strengths:
    """The shares in some equivalence classes."""
    nodes = classes[0].nodes
    arrows = np.zeros((nodes, nodes))
    for each in classes:
        for arrow in each.arrows:
            arrows[arrow] += 1
        for one, other in each.lines:
            arrows[one, other] += 0.5
            arrows[other, one] += 0.5
    arrows /= len(classes)
    return Strengths(arrows + arrows.T, arrows, len(classes))


def threshold_of(strengths: Strengths) -> float:
    """The strength above which arrows are taken for real.

    The distribution of the strengths of all pairs is compared with those in which each is 0 or 1: the nearest of them,
    by the area between the distribution functions, says how many pairs are no arrows, and the threshold is the
    quantile there.
    """
    nodes = len(strengths.neighbours)
    values = np.sort(strengths.neighbours[np.triu_indices(nodes, 1)])
    if not len(values):
        return 0.5
    ends = np.unique([0.0, *values.clip(0, 1), 1.0])
    lengths, heights = np.diff(ends), np.searchsorted(values, ends[:-1], side="right") / len(values)
    # Σ length |height − t| is least at a weighted median of the heights, of several the lowest
    order = np.argsort(heights, kind="stable")
    half = int(np.searchsorted(np.cumsum(lengths[order]), 0.5 * lengths.sum()))
    share = heights[order][min(half, len(order) - 1)]
    if share <= 0:
        return 0.0
    place = max(int(np.ceil(share * len(values) - 1e-9)), 1)
    return float(values[place - 1])


def averaged(strengths: Strengths, threshold: float | None = None) -> Parents:
    """The network of the arrows that are strong enough, the strongest first and none that would close a circle.

    Args:
        strengths: of all arrows.
        threshold: pairs above it are joined, in the direction that more structures have; of None `threshold_of` them.

    Raises:
        ValueError: the threshold is not from 0 to 1.
    """
    if threshold is not None and not 0 <= threshold <= 1:
        raise ValueError(f"threshold is {threshold}; it must be from 0 to 1")
    least = threshold_of(strengths) if threshold is None else threshold
    nodes, sure = len(strengths.arrows), strengths.arrows
    pairs = [
        (one, other) if sure[one, other] >= sure[other, one] else (other, one)
        for one, other in zip(*np.triu_indices(nodes, 1), strict=True)
        if strengths.neighbours[one, other] > least
    ]
    pairs.sort(key=lambda pair: (-sure[pair], -strengths.neighbours[pair], pair))
    kept: list[tuple[int, int]] = []
    paths = reached(((),) * nodes)
    for source, target in ((int(one), int(other)) for one, other in pairs):
        if paths[target, source]:
            if paths[source, target]:
                continue
            source, target = target, source  # the other way makes no circle
        kept.append((source, target))
        before, after = paths[:, source].copy(), paths[target].copy()
        before[source] = after[target] = True
        paths |= before[:, None] & after[None, :]
    return parents_of(nodes, kept)
