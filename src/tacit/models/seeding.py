"""Where a fit starts: k-means++ seeds and a few Lloyd steps, hierarchical groups, random responsibilities.

Seeding sees a sample of the rows, centred and scaled, with gaps read as the column's mean; only the start depends on
it, never the fit.
"""

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Float, Int, PRNGKeyArray
from scipy import sparse
from scipy.cluster import hierarchy

from tacit.compute import Array

HIERARCHY_ROWS = 2000
SAMPLE_ROWS = 16_384


def squared_distances(
    rows: Float[Array, "rows dims"], centres: Float[Array, "components dims"]
) -> Float[Array, "rows components"]:
    """``‖x_n − c_k‖²``, never negative."""
    cross = rows @ centres.T
    return jnp.maximum(jnp.sum(rows**2, 1)[:, None] - 2.0 * cross + jnp.sum(centres**2, 1), 0.0)


def plus_plus(
    rows: Float[Array, "rows dims"],
    weights: Float[Array, " rows"],
    components: int,
    *,
    key: PRNGKeyArray,
    trials: int,
) -> Float[Array, "components dims"]:
    """Seeds of greedy k-means++ (Arthur & Vassilvitskii 2007): each next one is the best of some trials.

    A row is drawn in proportion to weight times squared distance, so weight 2 is the same as two copies.
    """
    first_key, key = jax.random.split(key)
    first = rows[_draw(weights, jax.random.uniform(first_key, (1,)))[0]]
    centres = jnp.zeros((components, rows.shape[1]), rows.dtype).at[0].set(first)

    def add(number, carry):
        centres, nearest = carry
        picks = _draw(weights * nearest, jax.random.uniform(jax.random.fold_in(key, number), (trials,)))
        each = jnp.minimum(nearest[:, None], squared_distances(rows, rows[picks]))
        best = jnp.argmin(weights @ each)
        return centres.at[number].set(rows[picks[best]]), each[:, best]

    start = (centres, squared_distances(rows, first[None])[:, 0])
    return jax.lax.fori_loop(1, components, add, start)[0]


def _draw(mass: Float[Array, " rows"], uniform: Float[Array, " draws"]) -> Int[Array, " draws"]:
    """Indices drawn in proportion to mass, by inverse CDF."""
    cumulative = jnp.cumsum(mass)
    picks = jnp.searchsorted(cumulative, uniform * cumulative[-1], side="right")
    return jnp.clip(picks, 0, mass.shape[0] - 1)


def seeded_labels(
    rows: Float[np.ndarray, "rows dims"],
    weights: Float[np.ndarray, " rows"],
    components: Int[np.ndarray, " starts"],
    random: np.random.Generator,
    *,
    far: bool = True,
    lloyd: int = 0,
) -> Int[np.ndarray, "starts rows"]:
    """Labels of seeds after some Lloyd steps, for every start, on the host: nothing has to be compiled for them.

    ``far`` chooses k-means++ seeds; without it they are drawn in proportion to the weights alone.
    """
    return np.stack(
        [_lloyd(rows, weights, _seeds(rows, weights, int(k), random, far), lloyd) for k in components]
    )


def _distances(rows: np.ndarray, centres: np.ndarray) -> np.ndarray:
    cross = rows @ centres.T
    cross *= -2.0
    cross += np.einsum("nd,nd->n", rows, rows)[:, None]
    cross += np.einsum("kd,kd->k", centres, centres)
    return np.maximum(cross, 0.0, out=cross)


def _seeds(
    rows: np.ndarray, weights: np.ndarray, components: int, random: np.random.Generator, far: bool
) -> np.ndarray:
    if not far:
        used = np.flatnonzero(weights)
        return rows[random.choice(used, size=components, replace=used.size < components)]
    trials = 2 + int(np.log(max(components, 1)))
    cumulative = np.cumsum(weights)
    picks = [int(np.searchsorted(cumulative, random.uniform() * cumulative[-1], side="right"))]
    nearest = _distances(rows, rows[picks])[:, 0]
    for _ in range(1, components):
        cumulative = np.cumsum(weights * nearest)
        drawn = np.searchsorted(cumulative, random.uniform(size=trials) * cumulative[-1], side="right")
        drawn = np.minimum(drawn, rows.shape[0] - 1)
        each = np.minimum(nearest[:, None], _distances(rows, rows[drawn]))
        best = int(np.argmin(weights @ each))
        picks.append(int(drawn[best]))
        nearest = each[:, best]
    return rows[np.minimum(picks, rows.shape[0] - 1)]


def _lloyd(rows: np.ndarray, weights: np.ndarray, centres: np.ndarray, steps: int) -> np.ndarray:
    labels = _distances(rows, centres).argmin(axis=1)
    for _ in range(steps):
        share = sparse.csr_array(
            (weights, labels, np.arange(rows.shape[0] + 1)), shape=(rows.shape[0], centres.shape[0])
        )
        count = share.sum(axis=0)
        centres = np.where(
            (count > 0)[:, None], share.T @ rows / np.where(count > 0, count, 1.0)[:, None], centres
        )
        before, labels = labels, _distances(rows, centres).argmin(axis=1)
        if np.array_equal(before, labels):
            break
    return labels


def ward_labels(rows: np.ndarray, components: list[int]) -> dict[int, np.ndarray]:
    """Labels of Ward's hierarchy on scaled principal components, cut at each number of groups.

    All columns are turned to principal components of unit variance, as mclust's start does (Scrucca & Raftery 2015).
    """
    left, size, _ = np.linalg.svd(rows - rows.mean(axis=0), full_matrices=False)
    kept = size > 1e-8 * max(size[0], 1e-300) if size.size else np.zeros(0, bool)
    if rows.shape[0] < 2 or not kept.any():
        return {number: np.arange(rows.shape[0]) % number for number in components}
    tree = hierarchy.linkage(left[:, kept], method="ward")
    cut = hierarchy.cut_tree(tree, [min(number, rows.shape[0]) for number in components])
    return {number: cut[:, i] for i, number in enumerate(components)}


def sample_rows(rows: int, size: int, random: np.random.Generator) -> np.ndarray:
    """Indices of a sorted sample without replacement, or all of them."""
    return np.arange(rows) if rows <= size else np.sort(random.choice(rows, size, replace=False))
