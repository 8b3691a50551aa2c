"""M-steps of the structures along the axes: EII VII EEI VEI EVI VVI (and E, V for one column).

The objective is −½ Σ_kj [n_kj log v_kj + S_kj / v_kj], with counts per column because a missing entry does
not count. In log v it is concave, and every structure is a linear subspace of log v: one maximum each.
"""

from collections.abc import Callable

import jax
import jax.numpy as jnp
from jaxtyping import Bool, Float

from tacit.compute import Array
from tacit.families.covariance.structures import STRUCTURES, canonical_name

INNER_TOLERANCE = 1e-11
"""Default change, relative, at which an inner iteration ends (never below a few units of rounding)."""
INNER_ITERATIONS = 20
"""Default limit of an inner iteration: short of the tolerance, the step has still raised the objective."""

_POOLED_AXES = {"EII": (0, 1), "VII": (1,), "EEI": (0,), "VVI": ()}
"""Over which axes scatter and counts are pooled, where one division is the answer."""


def maximise_variances(
    structure: str,
    scatter: Float[Array, "components dims"],
    counts: Float[Array, "components dims"],
    previous: Float[Array, "components dims"],
    *,
    tolerance: float = INNER_TOLERANCE,
    iterations: int = INNER_ITERATIONS,
) -> Float[Array, "components dims"]:
    """The variances that maximise −½ Σ_kj [n_kj log v_kj + S_kj / v_kj] under a structure along the axes.

    Closed for EII, VII, EEI and VVI. VEI takes its two parts in turn, from the shape of ``previous``, and
    never lowers the objective; EVI is solved by Newton's method, exact after one step where the counts of a
    component do not differ between columns.

    Args:
        structure: EII, VII, EEI, VEI, EVI, VVI (E or V where D = 1), or scikit-learn's name of one of them.
        scatter: S_kj, the weighted sum of squares about the component's mean, over the observed entries of
            column j; positive where the count is.
        counts: n_kj, the weight of the observed entries.
        previous: the variances before the step. A component without any weight keeps them and has no part in
            what is shared; a cell without weight that the structure leaves free keeps its own.
        tolerance: relative change at which the iterations of VEI and EVI end.
        iterations: their limit.

    Raises:
        ValueError: the structure has an orientation, so that variances do not describe it.
    """
    known = canonical_name(structure, scatter.shape[-1])
    if not STRUCTURES[known].diagonal:
        raise ValueError(f"structure {structure!r} is not one along the axes: use maximise_covariances")
    name = {"E": "EII", "V": "VII"}.get(known, known)
    seen = present(counts)
    scatter, counts = jnp.where(seen, scatter, 0.0), jnp.where(seen, counts, 0.0)
    if name in _POOLED_AXES:
        axes = _POOLED_AXES[name]
        total, weight = scatter.sum(axes, keepdims=True), counts.sum(axes, keepdims=True)
        variances = jnp.where(weight > 0, total / jnp.where(weight > 0, weight, 1.0), previous)
    else:
        solve = _equal_shape if name == "VEI" else _equal_volume
        variances = solve(scatter, counts, jnp.asarray(previous), finest(tolerance, scatter.dtype), iterations)
    return jnp.where(seen.any(-1)[:, None], variances, previous)


def present(counts: Float[Array, "*shape"]) -> Bool[jax.Array, "*shape"]:
    """Where there is any weight: counts so small that a division by them may overflow are none."""
    return jnp.asarray(counts) > 1e4 * float(jnp.finfo(counts.dtype).tiny)


def finest(tolerance: float, dtype: jnp.dtype) -> Float[jax.Array, ""]:
    """The tolerance, or where the arithmetic is too coarse for it, eight units of rounding."""
    return jnp.asarray(max(tolerance, 8.0 * float(jnp.finfo(dtype).eps)), dtype)


def fixed_point(
    improve: Callable[[jax.Array], jax.Array], start: jax.Array, end: jax.Array, iterations: int
) -> jax.Array:
    """Repeat ``improve`` until no entry changes by more than ``end``, or the limit is met."""

    def unfinished(state):
        return (state[1] > end) & (state[2] < iterations)

    def step(state):
        fresh = improve(state[0])
        return fresh, jnp.abs(fresh - state[0]).max(), state[2] + 1

    return jax.lax.while_loop(unfinished, step, (start, jnp.full_like(end, jnp.inf), jnp.asarray(0)))[0]


def _equal_shape(
    scatter: Float[jax.Array, "components dims"],
    counts: Float[jax.Array, "components dims"],
    previous: Float[jax.Array, "components dims"],
    end: Float[jax.Array, ""],
    iterations: int,
) -> Float[jax.Array, "components dims"]:
    """VEI, v_kj = λ_k a_j with Π_j a_j = 1: volumes and shape in turn, each exact given the other.

    λ_k = Σ_j (S_kj / a_j) / Σ_j n_kj and a_j ∝ Σ_k (S_kj / λ_k) / Σ_k n_kj (Celeux & Govaert 1995).
    A column without weight keeps its share of the shape.
    """
    active = counts.sum(-1) > 0
    rows, columns = jnp.where(active, counts.sum(-1), 1.0), counts.sum(0)
    weighed = columns > 0
    logs = jnp.where(active[:, None], jnp.log(previous), 0.0)
    start = logs.sum(0) / jnp.maximum(active.sum(), 1)

    def volumes(log_shape):
        return jnp.where(active, (scatter * jnp.exp(-log_shape)).sum(-1) / rows, 1.0)

    def improve(log_shape):
        share = (scatter / volumes(log_shape)[:, None]).sum(0) / jnp.where(weighed, columns, 1.0)
        fresh = jnp.where(weighed, jnp.log(jnp.where(weighed, share, 1.0)), log_shape)
        return fresh - fresh.mean()

    log_shape = fixed_point(improve, start - start.mean(), end, iterations)
    return volumes(log_shape)[:, None] * jnp.exp(log_shape)


def _equal_volume(
    scatter: Float[jax.Array, "components dims"],
    counts: Float[jax.Array, "components dims"],
    previous: Float[jax.Array, "components dims"],
    end: Float[jax.Array, ""],
    iterations: int,
) -> Float[jax.Array, "components dims"]:
    """EVI, Π_j v_kj = λ^D for every k, also where the columns of a component have unequal counts.

    With a multiplier per component, stationarity is v_kj = S_kj / (n_kj + x_k) and Σ_k x_k = 0, where x_k
    solves GM_j(n_kj + x) = w GM_j(S_kj), w = 1/λ (GM: the geometric mean over the columns). With equal counts
    in every column, λ = Σ_k |S_k|^(1/D) / Σ_k n_k. A component that never saw some column has x_k = 0: its
    unseen variances are free to keep the volume, and share what that takes. If all are such, λ stays.
    """
    seen, dims = counts > 0, counts.shape[-1]
    whole, active = seen.all(-1), seen.any(-1)
    log_scatter = jnp.log(jnp.where(seen, scatter, 1.0))
    log_previous = jnp.where(active[:, None], jnp.log(previous), 0.0)
    before = -log_previous.sum() / jnp.maximum(active.sum() * dims, 1)
    log_w, shifted = _common_volume(log_scatter, counts, whole, end, iterations)
    log_w = jnp.where(whole.any(), log_w, before)
    divisor = jnp.where(whole[:, None], shifted, counts)
    logs = jnp.where(seen, log_scatter - jnp.log(jnp.where(seen, divisor, 1.0)), log_previous)
    lack = (-dims * log_w - logs.sum(-1)) / jnp.maximum((~seen).sum(-1), 1)
    return jnp.exp(jnp.where(seen, logs, logs + lack[:, None]))


def _common_volume(
    log_scatter: Float[jax.Array, "components dims"],
    counts: Float[jax.Array, "components dims"],
    whole: Bool[jax.Array, " components"],
    end: Float[jax.Array, ""],
    iterations: int,
) -> tuple[Float[jax.Array, ""], Float[jax.Array, "components dims"]]:
    """log w and n_kj + x_k of EVI, from the components that saw every column.

    GM is concave and increasing in x, so x_k(w) and Σ_k x_k(w) are convex and increasing: Newton's steps in w
    converge from any start, and with equal counts the sum is linear in w and one step is exact.
    """
    log_gm = jnp.where(whole, log_scatter.mean(-1), 0.0)
    lowest = jnp.where(whole, counts.min(-1), 1.0)
    excess = jnp.where(whole[:, None], counts - lowest[:, None], 0.0)

    def steepness(s):
        return (jnp.exp(s)[:, None] / (excess + jnp.exp(s)[:, None])).mean(-1)

    def solve(log_w, s):
        # s = log(min_j n_kj + x_k): mean_j log(excess_kj + e^s) = log w + log GM_k, convex, increasing in s
        def newton(s):
            gap = jnp.log(excess + jnp.exp(s)[:, None]).mean(-1) - log_w - log_gm
            return s - gap / steepness(s)

        return fixed_point(newton, s, end, iterations)

    def improve(state):
        s = solve(state[0], state[1:])
        total = jnp.where(whole, jnp.exp(s) - lowest, 0.0).sum()  # Σ_k x_k
        rate = jnp.where(whole, jnp.exp(s) / steepness(s), 0.0).sum()  # d/d log w of it: more than the total
        return jnp.concatenate([(state[0] + jnp.log1p(-total / rate))[None], s])

    weight = jnp.where(whole, counts.mean(-1), 0.0).sum()
    guess = jnp.log(weight / jnp.where(whole, jnp.exp(log_gm), 0.0).sum())
    final = fixed_point(improve, jnp.concatenate([guess[None], jnp.log(lowest)]), end, iterations)
    return final[0], excess + jnp.exp(solve(final[0], final[1:]))[:, None]
