"""Hierarchical groups of a sample of rows, to start from: Ward's, and those of Gaussians of any covariance."""

from typing import Any, NamedTuple

import numpy as np
import scipy.cluster.hierarchy
from jaxtyping import Float, Int

WARD_ROWS = 2000
GAUSSIAN_ROWS = 500
"""The rows a hierarchy is grown from; time and memory grow with their square."""
GAUSSIAN_DIMS = 32
"""The widest columns that Gaussians are merged in: 500 rows say no more of a covariance, and every pair of groups costs
a determinant (with 160 columns minutes went by before the first iteration)."""

Labels = dict[int, Int[np.ndarray, " rows"]]
"""The group of every row, for each number of groups that was asked for."""


def principal(rows: Float[np.ndarray, "rows dims"]) -> Float[np.ndarray, "rows kept"]:
    """Principal components of standardised columns, each divided by √σ, σ its singular value (Scrucca & Raftery 2015).

    The first stay the widest, but less so; columns and components of no variance are left out.
    """
    deviation = rows.std(axis=0)
    varies = deviation > 1e-12 * np.abs(rows).max(axis=0, initial=0.0)
    standard = (rows[:, varies] - rows[:, varies].mean(axis=0)) / deviation[varies]
    left, size, _ = np.linalg.svd(standard, full_matrices=False)
    kept = size > 1e-8 * size.max(initial=0.0)
    return left[:, kept] * np.sqrt(size[kept])


def ward(rows: Float[np.ndarray, "rows dims"], numbers: list[int]) -> Labels:
    """Ward's hierarchy, cut at each number of groups."""
    if rows.shape[0] < 2 or rows.shape[1] == 0:
        return _at_random(rows.shape[0], numbers)
    heads = list(range(rows.shape[0]))  # a row of every cluster, SciPy numbers the merged ones on from the rows
    merges = []
    for left, right in scipy.cluster.hierarchy.linkage(rows, method="ward")[:, :2].astype(int):
        merges.append((heads[left], heads[right]))
        heads.append(heads[left])
    return _cut(np.arange(rows.shape[0]), merges, numbers)


def _at_random(count: int, numbers: list[int]) -> Labels:
    """Rows that do not differ, dealt out in turn."""
    return {number: np.arange(count) % number for number in numbers}


def _cut(labels: np.ndarray, merges: list[tuple[int, int]], numbers: list[int]) -> Labels:
    """The labels when each number of groups is left; in a merge the second group joins the first."""
    found: Labels = {}
    left = len(merges) + 1
    for one, other in [*merges, (0, 0)]:
        cut = [number for number in numbers if min(number, len(merges) + 1) == left]
        found |= {number: np.unique(labels, return_inverse=True)[1].ravel() for number in cut}
        labels = np.where(labels == other, one, labels)
        left -= 1
    return found


class _Groups(NamedTuple):
    """Size, mean, scatter and cost of every group."""

    size: np.ndarray
    mean: np.ndarray
    scatter: np.ndarray
    cost: np.ndarray

    def put(self, place: int, values: "_Groups", index: int) -> None:
        """Let one group be another's values."""
        for mine, theirs in zip(self, values, strict=True):
            mine[place] = theirs[index]


def gaussian(rows: Float[np.ndarray, "rows dims"], numbers: list[int]) -> Labels:
    """Agglomeration by the likelihood of Gaussians of any covariance, cut at each number of groups (Fraley 1998).

    Only the first ``GAUSSIAN_DIMS`` columns count; rows come with the widest first, as `principal` gives them.

    Groups G are merged so that ``Σ_G n log(|W/n| + (tr W + t)/n)`` grows least, W the scatter of G about its mean
    and t that of all rows by row and column, which keeps groups of few rows apart. Equal rows begin as one group.
    """
    if rows.shape[0] < 2 or rows.shape[1] == 0:
        return _at_random(rows.shape[0], numbers)
    rows = rows[:, :GAUSSIAN_DIMS]
    floor = max(float(((rows - rows.mean(axis=0)) ** 2).mean()), np.finfo(float).tiny)
    values, labels, copies = np.unique(rows, axis=0, return_inverse=True, return_counts=True)
    count, dims = values.shape
    first = (copies.astype(float), values.astype(float), np.zeros((count, dims, dims)))
    groups = _Groups(*first, _cost(*first[::2], floor))
    rise = np.full((count, count), np.inf)
    for one in range(count - 1):
        rise[one, one + 1 :] = _rises(groups, one, np.arange(one + 1, count), floor)
    rise = np.minimum(rise, rise.T)
    alive, merges = np.ones(count, bool), []
    for _ in range(count - 1):
        one, other = (int(place) for place in np.unravel_index(rise.argmin(), rise.shape))
        merges.append((one, other))
        groups.put(one, _merged(groups, one, np.array([other]), floor), 0)
        alive[other] = False
        rise[other], rise[:, other] = np.inf, np.inf
        rest = np.flatnonzero(alive & (np.arange(count) != one))
        rise[one, rest] = rise[rest, one] = _rises(groups, one, rest, floor)
    return _cut(labels.ravel(), merges, numbers)


def _rises(groups: _Groups, one: int, others: np.ndarray, floor: float) -> np.ndarray:
    """By how much the total cost grows when one group joins each of the others."""
    return _merged(groups, one, others, floor).cost - groups.cost[one] - groups.cost[others]


def _merged(groups: _Groups, one: int, others: np.ndarray, floor: float) -> _Groups:
    """One group joined with each of the others."""
    size = groups.size[one] + groups.size[others]
    apart = groups.mean[others] - groups.mean[one]
    share = groups.size[others] / size
    between = (groups.size[one] * share)[:, None, None] * apart[:, :, None] * apart[:, None, :]
    scatter = groups.scatter[one] + groups.scatter[others] + between
    mean = groups.mean[one] + share[:, None] * apart
    return _Groups(size, mean, scatter, _cost(size, scatter, floor))


def _cost(size: np.ndarray, scatter: np.ndarray, floor: float) -> Any:
    trace = np.trace(scatter, axis1=1, axis2=2)
    volume = np.maximum(np.linalg.det(scatter / size[:, None, None]), 0.0)
    return size * np.log(volume + (trace + floor) / size)
