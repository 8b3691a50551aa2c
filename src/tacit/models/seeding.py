"""Where a fit starts: k-means++ seeds and a few Lloyd steps, and the sample of rows that is looked at for it.

Seeding sees a sample of the rows, centred and scaled, with gaps read as the column's mean; only the start depends on
it, never the fit.
"""

import numpy as np
from jaxtyping import Float, Int

SAMPLE_ROWS = 16_384


def seeded_labels(
    rows: Float[np.ndarray, "rows dims"],
    weights: Float[np.ndarray, " rows"],
    components: int,
    random: np.random.Generator,
    *,
    far: bool = True,
    lloyd: int = 0,
) -> Int[np.ndarray, " rows"]:
    """Labels of seeds after some Lloyd steps, on the host: nothing has to be compiled for them.

    ``far`` chooses k-means++ seeds; without it they are drawn in proportion to the weights alone.
    """
    picks = plus_plus(rows, weights, components, random) if far else at_random(weights, components, random)
    return _lloyd(rows, weights, rows[picks], lloyd)


def _distances(rows: np.ndarray, centres: np.ndarray, squares: np.ndarray | None = None) -> np.ndarray:
    """``‖x_n − c_k‖²``, never negative; ``squares`` are the rows' own, where they are at hand."""
    cross = rows @ centres.T
    cross *= -2.0
    cross += (np.einsum("nd,nd->n", rows, rows) if squares is None else squares)[:, None]
    cross += np.einsum("kd,kd->k", centres, centres)
    return np.maximum(cross, 0.0, out=cross)


def plus_plus(
    rows: Float[np.ndarray, "rows dims"],
    weights: Float[np.ndarray, " rows"],
    components: int,
    random: np.random.Generator,
) -> Int[np.ndarray, " components"]:
    """The rows that greedy k-means++ seeds (Arthur & Vassilvitskii 2007): each next one is the best of some trials.

    A row is drawn in proportion to its weight times the squared distance to the nearest seed, so weight 2 is the
    same as two copies; where every row lies on a seed, in proportion to the weights alone.
    """
    trials = 2 + int(np.log(max(components, 1)))
    squares = np.einsum("nd,nd->n", rows, rows)
    picks = [int(_drawn(weights, 1, random)[0])]
    nearest = _distances(rows, rows[picks], squares)[:, 0]
    for _ in range(1, components):
        mass = weights * nearest
        drawn = _drawn(mass if mass.any() else weights, trials, random)
        each = np.minimum(nearest[:, None], _distances(rows, rows[drawn], squares))
        best = int(np.argmin(weights @ each))
        picks.append(int(drawn[best]))
        nearest = each[:, best]
    return np.asarray(picks)


def _drawn(mass: np.ndarray, number: int, random: np.random.Generator) -> np.ndarray:
    """Indices drawn in proportion to mass, by inverse CDF; never one without mass."""
    cumulative = np.cumsum(mass)
    picks = np.searchsorted(cumulative, random.uniform(size=number) * cumulative[-1], side="right")
    return np.minimum(picks, np.flatnonzero(mass)[-1])


def at_random(
    weights: Float[np.ndarray, " rows"], components: int, random: np.random.Generator
) -> Int[np.ndarray, " components"]:
    """Different rows drawn in proportion to the weights, as far as there are enough rows of some weight."""
    used = np.flatnonzero(weights)
    share = weights[used] / weights[used].sum()
    return random.choice(used, size=components, replace=used.size < components, p=share)


def _lloyd(rows: np.ndarray, weights: np.ndarray, centres: np.ndarray, steps: int) -> np.ndarray:
    labels = _distances(rows, centres).argmin(axis=1)
    for _ in range(steps):
        share = (labels[:, None] == np.arange(centres.shape[0])) * weights[:, None]
        count = share.sum(axis=0)
        centres = np.where((count > 0)[:, None], share.T @ rows / np.where(count > 0, count, 1.0)[:, None], centres)
        before, labels = labels, _distances(rows, centres).argmin(axis=1)
        if np.array_equal(before, labels):
            break
    return labels


def distinct(
    rows: Float[np.ndarray, "rows dims"], weights: Float[np.ndarray, " rows"]
) -> tuple[Float[np.ndarray, "distinct dims"], Float[np.ndarray, " distinct"]]:
    """Different rows, each with the weight of all its copies, in an order that depends on nothing but their values.

    Seeds drawn from these depend neither on the order of the rows nor on whether a weight is written as copies.
    """
    direction = np.sqrt(np.arange(2.0, rows.shape[1] + 2.0))
    order = np.argsort((rows * direction).sum(axis=1), kind="stable")
    ordered = rows[order]
    new = np.r_[True, (ordered[1:] != ordered[:-1]).any(axis=1)]
    return ordered[new], np.add.reduceat(weights[order], np.flatnonzero(new))


def weighted_sample(
    weights: Float[np.ndarray, " rows"], size: int, random: np.random.Generator
) -> tuple[Int[np.ndarray, " sample"], Float[np.ndarray, " sample"]]:
    """A sample for seeding: indices in order, and the weight that each stands for.

    All rows of some weight if there are at most ``size``. Else ``size`` equal steps through the cumulative weight
    from a random offset, so a row comes in proportion to its weight, a heavy one is never missed, and weight 2 is
    the same as two copies.
    """
    used = np.flatnonzero(weights)
    if used.size <= size:
        return used, weights[used]
    cumulative = np.cumsum(weights)
    steps = (np.arange(size) + random.uniform()) * (cumulative[-1] / size)
    picks = np.minimum(np.searchsorted(cumulative, steps, side="right"), used[-1])
    index, copies = np.unique(picks, return_counts=True)
    return index, copies.astype(np.float64)
