"""Where a fit starts: k-means++ seeds and a few Lloyd steps, hierarchical groups, random responsibilities.

Seeding sees a sample of the rows, centred and scaled, with gaps read as the column's mean; only the start depends on
it, never the fit.
"""

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Float, Int, PRNGKeyArray
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


@eqx.filter_jit
def seeded_labels(
    rows: Float[Array, "rows dims"],
    weights: Float[Array, " rows"],
    active: Int[Array, " starts"],
    components: int,
    keys: PRNGKeyArray,
    lloyd: Int[Array, ""],
) -> Int[Array, "starts rows"]:
    """Labels of k-means++ seeds after some Lloyd steps, for every start; only the first ``active`` components are used."""
    trials = 2 + int(np.log(max(components, 1)))

    def one(key, number):
        used = jnp.arange(components) < number
        centres = plus_plus(rows, weights, components, key=key, trials=trials)

        def label(centres):
            return jnp.argmin(jnp.where(used, squared_distances(rows, centres), jnp.inf), axis=1)

        def step(_, centres):
            share = jax.nn.one_hot(label(centres), components, dtype=rows.dtype) * weights[:, None]
            count = share.sum(0)
            moved = share.T @ rows / jnp.where(count > 0, count, 1.0)[:, None]
            return jnp.where((count > 0)[:, None], moved, centres)

        return label(jax.lax.fori_loop(0, lloyd, step, centres))

    return jax.vmap(one)(keys, active)


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
