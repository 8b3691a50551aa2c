"""M-steps of the structures along the axes: EII VII EEI VEI EVI VVI (and E, V for one column).

The objective is −½ Σ_kj [n_kj log v_kj + S_kj / v_kj], with counts per column because a missing entry does
not count. In log v it is concave, and every structure is a linear subspace of log v: one maximum each.
"""

from collections.abc import Callable

import numpy as np
from jaxtyping import Bool, Float

from tacit.arrays import traced, while_loop, xp
from tacit.compute import Array
from tacit.families.covariance.orientation import shapes_along
from tacit.families.numeric import tiny
from tacit.structures import STRUCTURES, canonical_name

INNER_TOLERANCE = 1e-11
"""Default change, relative, at which an inner iteration ends (never below a few units of rounding)."""
INNER_ITERATIONS = 20
"""Default limit of an inner iteration: short of the tolerance, the step has still raised the objective."""

_POOLED_AXES = {"EII": (-2, -1), "VII": (-1,), "EEI": (-2,), "VVI": ()}
"""Over which axes scatter and counts are pooled, where one division is the answer."""


def maximise_variances(
    structure: str,
    scatter: Float[Array, "*starts components dims"],
    counts: Float[Array, "*starts components dims"],
    previous: Float[Array, "*starts components dims"],
    *,
    tolerance: float = INNER_TOLERANCE,
    iterations: int = INNER_ITERATIONS,
) -> Float[Array, "*starts components dims"]:
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
    variances: Array
    known = canonical_name(structure, scatter.shape[-1])
    if not STRUCTURES[known].diagonal:
        raise ValueError(f"structure {structure!r} is not one along the axes: use maximise_covariances")
    name = {"E": "EII", "V": "VII"}.get(known, known)
    seen = present(counts)
    scatter, counts = xp.where(seen, scatter, 0.0), xp.where(seen, counts, 0.0)
    if name in _POOLED_AXES:
        axes = _POOLED_AXES[name]
        total, weight = scatter.sum(axes, keepdims=True), counts.sum(axes, keepdims=True)
        variances = xp.where(weight > 0, total / xp.where(weight > 0, weight, 1.0), previous)
    elif name == "EVI" and not traced(counts) and (counts == counts[..., :1]).all():
        variances = shapes_along(xp.where(seen, scatter, 1.0), counts[..., 0], equal_volume=True)
    else:
        solve = _equal_shape if name == "VEI" else _equal_volume
        variances = solve(scatter, counts, xp.asarray(previous), finest(tolerance, scatter.dtype), iterations)
    return xp.where(xp.any(seen, axis=-1)[..., None], variances, previous)


def present(counts: Float[Array, "*shape"]) -> Bool[Array, "*shape"]:
    """Where there is any weight: counts so small that a division by them may overflow are none."""
    return xp.asarray(counts) > 1e4 * tiny(counts)


def finest(tolerance: float, dtype: np.dtype) -> float:
    """The tolerance, or where the arithmetic is too coarse for it, eight units of rounding."""
    return max(tolerance, 8.0 * float(np.finfo(dtype).eps))


def fixed_point(improve: Callable[[Array], Array], start: Array, end: float, iterations: int) -> Array:
    """Repeat ``improve`` until no entry changes by more than ``end``, or the limit is met."""

    def unfinished(state):
        return state[1] & (state[2] < iterations)

    def step(state):
        fresh = improve(state[0])
        return fresh, (xp.abs(fresh - state[0]) > end).any(), state[2] + 1

    found: Array = while_loop(unfinished, step, (start, np.asarray(True), np.asarray(0)))[0]
    return found


def _equal_shape(
    scatter: Float[Array, "*starts components dims"],
    counts: Float[Array, "*starts components dims"],
    previous: Float[Array, "*starts components dims"],
    end: float,
    iterations: int,
) -> Float[Array, "*starts components dims"]:
    """VEI, v_kj = λ_k a_j with Π_j a_j = 1: volumes and shape in turn, each exact given the other.

    λ_k = Σ_j (S_kj / a_j) / Σ_j n_kj and a_j ∝ Σ_k (S_kj / λ_k) / Σ_k n_kj (Celeux & Govaert 1995).
    A column without weight keeps its share of the shape.
    """
    active = counts.sum(-1) > 0
    rows, columns = xp.where(active, counts.sum(-1), 1.0), counts.sum(-2)
    weighed = columns > 0
    logs = xp.where(active[..., None], xp.log(previous), 0.0)
    start = logs.sum(-2) / xp.maximum(active.sum(-1), 1)[..., None]

    def volumes(log_shape):
        return xp.where(active, (scatter * xp.exp(-log_shape)[..., None, :]).sum(-1) / rows, 1.0)

    def improve(log_shape):
        share = (scatter / volumes(log_shape)[..., None]).sum(-2) / xp.where(weighed, columns, 1.0)
        fresh = xp.where(weighed, xp.log(xp.where(weighed, share, 1.0)), log_shape)
        return fresh - fresh.mean(-1, keepdims=True)

    log_shape = fixed_point(improve, start - start.mean(-1, keepdims=True), end, iterations)
    return volumes(log_shape)[..., None] * xp.exp(log_shape)[..., None, :]


def _equal_volume(
    scatter: Float[Array, "*starts components dims"],
    counts: Float[Array, "*starts components dims"],
    previous: Float[Array, "*starts components dims"],
    end: float,
    iterations: int,
) -> Float[Array, "*starts components dims"]:
    """EVI, Π_j v_kj = λ^D for every k, also where the columns of a component have unequal counts.

    With a multiplier per component, stationarity is v_kj = S_kj / (n_kj + x_k) and Σ_k x_k = 0, where x_k
    solves GM_j(n_kj + x) = w GM_j(S_kj), w = 1/λ (GM: the geometric mean over the columns). With equal counts
    in every column, λ = Σ_k |S_k|^(1/D) / Σ_k n_k. A component that never saw some column has x_k = 0: its
    unseen variances are free to keep the volume, and share what that takes. If all are such, λ stays.
    """
    seen, dims = counts > 0, counts.shape[-1]
    whole, active = xp.all(seen, axis=-1), xp.any(seen, axis=-1)
    log_scatter = xp.log(xp.where(seen, scatter, 1.0))
    log_previous = xp.where(active[..., None], xp.log(previous), 0.0)
    before = -log_previous.sum((-2, -1)) / xp.maximum(active.sum(-1) * dims, 1)
    log_w, shifted = _common_volume(log_scatter, counts, whole, end, iterations)
    log_w = xp.where(whole.any(-1), log_w, before)
    divisor = xp.where(whole[..., None], shifted, counts)
    logs = xp.where(seen, log_scatter - xp.log(xp.where(seen, divisor, 1.0)), log_previous)
    lack = (-dims * log_w[..., None] - logs.sum(-1)) / xp.maximum((~seen).sum(-1), 1)
    return xp.exp(xp.where(seen, logs, logs + lack[..., None]))


def _common_volume(
    log_scatter: Float[Array, "*starts components dims"],
    counts: Float[Array, "*starts components dims"],
    whole: Bool[Array, "*starts components"],
    end: float,
    iterations: int,
) -> tuple[Float[Array, "*starts"], Float[Array, "*starts components dims"]]:
    """log w and n_kj + x_k of EVI, from the components that saw every column.

    GM is concave and increasing in x, so x_k(w) and Σ_k x_k(w) are convex and increasing: Newton's steps in w
    converge from any start, and with equal counts the sum is linear in w and one step is exact.
    """
    log_gm = xp.where(whole, log_scatter.mean(-1), 0.0)
    lowest = xp.where(whole, counts.min(-1), 1.0)
    excess = xp.where(whole[..., None], counts - lowest[..., None], 0.0)

    def steepness(s):
        return (xp.exp(s)[..., None] / (excess + xp.exp(s)[..., None])).mean(-1)

    def solve(log_w, s):
        # s = log(min_j n_kj + x_k): mean_j log(excess_kj + e^s) = log w + log GM_k, convex, increasing in s
        def newton(s):
            gap = xp.log(excess + xp.exp(s)[..., None]).mean(-1) - log_w[..., None] - log_gm
            return s - gap / steepness(s)

        return fixed_point(newton, s, end, iterations)

    def improve(state):
        s = solve(state[..., 0], state[..., 1:])
        total = xp.where(whole, xp.exp(s) - lowest, 0.0).sum(-1)  # Σ_k x_k
        rate = xp.where(whole, xp.exp(s) / steepness(s), 0.0).sum(-1)  # d/d log w of it: more than the total
        return xp.concatenate([(state[..., 0] + xp.log1p(-total / rate))[..., None], s], axis=-1)

    weight = xp.where(whole, counts.mean(-1), 0.0).sum(-1)
    guess = xp.log(weight / xp.where(whole, xp.exp(log_gm), 0.0).sum(-1))
    final = fixed_point(improve, xp.concatenate([guess[..., None], xp.log(lowest)], axis=-1), end, iterations)
    return final[..., 0], excess + xp.exp(solve(final[..., 0], final[..., 1:]))[..., None]
