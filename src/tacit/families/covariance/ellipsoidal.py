"""M-steps of all structures over whole covariance matrices: Σ_k = λ_k D_k A_k D_kᵀ.

The objective is −½ Σ_k [n_k log|Σ_k| + tr(Σ_k⁻¹ S_k)] (Celeux & Govaert 1995; for EVE and VVE Browne &
McNicholas 2014).
"""

from typing import NamedTuple, Self

import numpy as np
from jaxtyping import Float, Int

from tacit.arrays import cholesky_factor, eigh, inverse_triangle, spread, xp
from tacit.compute import Array
from tacit.families.covariance.definite import definite
from tacit.families.covariance.diagonal import (
    INNER_ITERATIONS,
    INNER_TOLERANCE,
    finest,
    fixed_point,
    maximise_variances,
    present,
)
from tacit.families.covariance.orientation import common_orientation
from tacit.structures import STRUCTURES, canonical_name


def maximise_covariances(
    structure: str,
    scatter: Float[Array, "*starts components dims dims"],
    counts: Float[Array, "*starts components"],
    previous: Float[Array, "*starts components dims dims"],
    *,
    tolerance: float = INNER_TOLERANCE,
    iterations: int = INNER_ITERATIONS,
) -> Float[Array, "*starts components dims dims"]:
    """The covariances that maximise −½ Σ_k [n_k log|Σ_k| + tr(Σ_k⁻¹ S_k)] under a structure.

    Closed for all but VEI, VEE, VEV, EVE and VVE; those iterate from ``previous``, and every move raises the
    objective. VEI, VEE and VEV come to its one maximum; EVE and VVE may have several and come to one. What rounding
    has left without a Cholesky factor is lifted by `definite`, so that every covariance has one.

    Args:
        structure: any name that ``canonical_name`` knows.
        scatter: S_k, the weighted scatter about the component's mean; positive definite where ``counts`` > 0, but for
            rounding.
        counts: n_k, the components' weights.
        previous: the covariances before the step. A component without any weight keeps them and has no part
            in what is shared.
        tolerance: relative change (of volumes or shapes; for EVE and VVE the slope in any angle) at which the
            iterations end.
        iterations: their limit.
    """
    problem = _Problem.of(scatter, counts, previous)
    known = canonical_name(structure, scatter.shape[-1])
    if known not in PLAIN:
        problem = problem._replace(scatter=definite(problem.scatter))
    return problem.answered(_maximised(known, problem, tolerance, iterations), previous)


def maximise_each(
    structures: Int[np.ndarray, " starts"],
    scatter: Float[Array, "starts components dims dims"],
    counts: Float[Array, "starts components"],
    previous: Float[Array, "starts components dims dims"],
    *,
    tolerance: float = INNER_TOLERANCE,
    iterations: int = INNER_ITERATIONS,
) -> Float[Array, "starts components dims dims"]:
    """`maximise_covariances` where every start has a structure of its own, by its place in ``STRUCTURES``."""
    problem, found, names = _Problem.of(scatter, counts, previous), np.empty(scatter.shape), list(STRUCTURES)
    sound = problem._replace(scatter=definite(problem.scatter))
    for number in np.unique(structures).tolist():
        its, known = np.flatnonzero(structures == number), canonical_name(names[number], scatter.shape[-1])
        part = _Problem(*(leaf[its] for leaf in (problem if known in PLAIN else sound)))
        found[its] = _maximised(known, part, tolerance, iterations)
    return problem.answered(found, previous)


PLAIN = ("EEE", "VVV")
"""Structures that take no logarithm of the scatter, so that it may be singular."""


class _Problem(NamedTuple):
    """What is maximised, with the identity for components without any weight."""

    scatter: Array
    counts: Array
    before: Array
    active: Array

    @classmethod
    def of(cls, scatter: Array, counts: Array, previous: Array) -> Self:
        active = present(counts)
        cells, eye = active[..., None, None], np.eye(scatter.shape[-1], dtype=scatter.dtype)
        whole, before = xp.where(cells, scatter, eye), xp.where(cells, previous, eye)
        return cls(whole, xp.where(active, counts, 0.0), before, active)

    def answered(self, fresh: Array, previous: Array) -> Array:
        """The covariances found, symmetric and with a Cholesky factor; those of components without weight stay."""
        return definite(xp.where(self.active[..., None, None], 0.5 * (fresh + xp.swapaxes(fresh, -1, -2)), previous))


def _maximised(known: str, problem: _Problem, tolerance: float, iterations: int) -> Array:
    """The covariances of a structure under its canonical name."""
    whole, counts, before, active = problem
    end = finest(tolerance, whole.dtype)
    if STRUCTURES[known].diagonal:
        return _along_the_axes(known, whole, counts, before, tolerance, iterations)
    if known in ("EEV", "VEV"):
        return _own_orientation(known, whole, counts, before, tolerance, iterations)
    if known in ("EVE", "VVE"):
        axes, variances = common_orientation(whole, counts, before, known == "EVE", end, iterations)
        turned: Array = (axes[..., None, :, :] * variances[..., None, :]) @ xp.swapaxes(axes, -1, -2)[..., None, :, :]
        return turned
    if known == "VEE":
        return _own_volume(whole, counts, before, end, iterations)
    if known == "EVV":
        return _own_shape(whole, counts)
    if known == "EEE":
        pooled = xp.where(active[..., None, None], whole, 0.0).sum(-3, keepdims=True)
        return xp.broadcast_to(pooled / counts.sum(-1)[..., None, None, None], whole.shape)
    return whole / xp.where(active, counts, 1.0)[..., None, None]


def _along_the_axes(
    structure: str,
    scatter: Float[Array, "*starts components dims dims"],
    counts: Float[Array, "*starts components"],
    before: Float[Array, "*starts components dims dims"],
    tolerance: float,
    iterations: int,
) -> Float[Array, "*starts components dims dims"]:
    """EII, VII, EEI, VEI, EVI, VVI (E, V): only the diagonal of the scatter counts."""
    squares = xp.diagonal(scatter, axis1=-2, axis2=-1)
    variances = maximise_variances(
        structure,
        squares,
        xp.broadcast_to(counts[..., None], squares.shape),
        xp.diagonal(before, axis1=-2, axis2=-1),
        tolerance=tolerance,
        iterations=iterations,
    )
    return spread(variances)


def _own_orientation(
    structure: str,
    scatter: Float[Array, "*starts components dims dims"],
    counts: Float[Array, "*starts components"],
    before: Float[Array, "*starts components dims dims"],
    tolerance: float,
    iterations: int,
) -> Float[Array, "*starts components dims dims"]:
    """EEV and VEV: D_k holds the axes of S_k in the order of its eigenvalues; these follow EEI or VEI."""
    squares, axes = eigh(scatter)
    variances = maximise_variances(
        {"EEV": "EEI", "VEV": "VEI"}[structure],
        squares,
        xp.broadcast_to(counts[..., None], squares.shape),
        eigh(before)[0] if structure == "VEV" else squares,
        tolerance=tolerance,
        iterations=iterations,
    )
    return (axes * variances[..., None, :]) @ xp.swapaxes(axes, -1, -2)


def _own_volume(
    scatter: Float[Array, "*starts components dims dims"],
    counts: Float[Array, "*starts components"],
    before: Float[Array, "*starts components dims dims"],
    end: float,
    iterations: int,
) -> Float[Array, "*starts components dims dims"]:
    """VEE, Σ_k = λ_k C with |C| = 1: λ_k = tr(C⁻¹ S_k) / (D n_k) and C ∝ Σ_k S_k / λ_k in turn."""
    active, dims = counts > 0, scatter.shape[-1]

    def form(log_volumes):
        mixed = (xp.where(active, xp.exp(-log_volumes), 0.0)[..., None, None] * scatter).sum(-3)
        return mixed / xp.exp(_log_volumes(mixed))[..., None, None]

    def improve(log_volumes):
        half = inverse_triangle(cholesky_factor(form(log_volumes)))
        half = half[..., None, :, :]
        traces = ((half @ scatter) * half).sum((-2, -1))
        return xp.where(active, xp.log(traces / (dims * xp.where(active, counts, 1.0))), 0.0)

    log_volumes = fixed_point(improve, _log_volumes(before), end, iterations)
    return xp.exp(log_volumes)[..., None, None] * form(log_volumes)[..., None, :, :]


def _own_shape(
    scatter: Float[Array, "*starts components dims dims"], counts: Float[Array, "*starts components"]
) -> Float[Array, "*starts components dims dims"]:
    """EVV, |Σ_k| = λ^D for every k: Σ_k = λ S_k / |S_k|^(1/D) with λ = Σ_k |S_k|^(1/D) / Σ_k n_k."""
    volumes = xp.exp(_log_volumes(scatter))
    shared = xp.where(counts > 0, volumes, 0.0).sum(-1) / counts.sum(-1)
    return scatter * (shared[..., None] / volumes)[..., None, None]


def _log_volumes(matrices: Float[Array, "*batch dims dims"]) -> Float[Array, "*batch"]:
    """log |M|^(1/D) of positive definite matrices."""
    factor = cholesky_factor(matrices)
    return 2.0 * xp.log(xp.diagonal(factor, axis1=-2, axis2=-1)).mean(-1)
