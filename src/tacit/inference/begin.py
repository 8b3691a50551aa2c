"""Where black-box inference begins: at a mode of the log-joint with the curvature there, if that is a good place.

In coordinates centred at the mode and scaled by the curvature a guide of unit scale is near its optimum, and one
learning rate suits every model. A mode may also be a bad place (a spike where nearly no mass is); so the bound decides
between it and the start that the user gave.
"""

from collections.abc import Callable, Iterator
from functools import partial
from typing import Any, NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import scipy.optimize
from jaxtyping import Float, PyTree

from tacit.compute import Array, compiled

DENSE = 256
"""Up to so many coordinates the whole Hessian is worked out; beyond it its diagonal is estimated."""
PROBES = 64
SEARCH_STEPS = 200
TRIAL_DRAWS = 64
CHUNK_ROWS = 65_536
"""Rows that are looked at together where all of them are."""
PLAIN_SCALE = 0.1
"""Of a guide where the curvature is of no use."""

Joint = Callable[[Array, PyTree], tuple[Array, Array]]


class Whitening(eqx.Module):
    """Coordinates u of a model as ``u = centre + factor · θ`` of those that the guide moves."""

    centre: Float[Array, " dims"]
    factor: Float[Array, "dims *dims"]
    """A scale a coordinate, or a lower triangular matrix."""

    def __call__(self, theta: Float[Array, "*draws dims"]) -> Float[Array, "*draws dims"]:
        moved = theta * self.factor if self.factor.ndim == 1 else theta @ self.factor.T
        return self.centre + moved

    def log_det(self) -> Float[Array, ""]:
        """``log |du/dθ|``."""
        diagonal = self.factor if self.factor.ndim == 1 else jnp.diagonal(self.factor)
        return jnp.log(jnp.abs(diagonal)).sum()


class Beginning(NamedTuple):
    """A place to begin at, with the bound that a Gaussian guide has there."""

    whitening: Whitening
    bound: float
    mode: bool
    """Whether the centre is a mode, and the scale from the curvature there."""


class Expansion(eqx.Module):
    """The log-likelihood's first two Taylor terms at the centre, on the average of all rows.

    What a mini-batch says is taken relative to its own terms, so that only the curvature of its rows is noise: with N
    rows the noise of the gradient falls by about √N (control variates: Johnson & Zhang 2013; Baker et al. 2019).
    """

    level: Float[Array, ""]
    slope: Float[Array, " dims"]
    """In the guide's coordinates."""

    def __call__(
        self, likelihood: Callable[[Array], Float[Array, " rows"]], theta: Float[Array, " dims"]
    ) -> Float[Array, " rows"]:
        """The log-likelihood of the rows of a batch, of the same mean over all batches, but quieter."""
        level, rise = jax.jvp(likelihood, (jnp.zeros_like(theta),), (theta,))
        return likelihood(theta) - level - rise + (self.level + self.slope @ theta)


def begin_at(
    joint: Joint,
    rows: PyTree,
    weights: Array,
    start: Float[np.ndarray, " dims"],
    *,
    dense: bool,
    seed: int,
    gradient: bool = True,
) -> Beginning:
    """The better of the mode that a search from ``start`` finds and ``start`` itself (in double precision).

    Args:
        joint: ``(u, rows) → (log prior, log-likelihood of every row)``.
        rows: what the search looks at: a sample will do where there are many.
        weights: of these rows, scaled up to the weight of all.
        start: coordinates u.
        dense: whether the curvature's off-diagonal part is used too.
        seed: of the draws that measure the bound.
        gradient: whether the log-joint has one; else it is ``start`` itself.

    Raises:
        ValueError: the log-joint is not finite at the start.
    """
    at = _Target(joint, rows, weights)
    value, slope = at.value_and_slope(start) if gradient else (at.value(start), np.zeros(start.size))
    if not (np.isfinite(value) and np.isfinite(slope).all()):
        raise ValueError(
            f"the log-joint is {float(value):g} at the start, or its gradient is not finite there: check the formula, "
            "the data for NaN, or give other starting values in parameters"
        )
    plain = Whitening(start, np.full(start.size, PLAIN_SCALE))
    candidates = [Beginning(plain, at.bound(plain, seed), False)]
    if not gradient:
        return candidates[0]
    found = scipy.optimize.minimize(
        at.loss, start, jac=True, method="L-BFGS-B", options={"maxiter": SEARCH_STEPS, "maxcor": 20}
    )
    if np.isfinite(found.fun) and np.isfinite(found.x).all():
        whitening = at.curved(np.asarray(found.x), dense=dense)
        if whitening is not None:
            candidates.append(Beginning(whitening, at.bound(whitening, seed), True))
    return max(candidates, key=lambda each: each.bound if np.isfinite(each.bound) else -np.inf)


def _total(joint: Joint, u: Array, rows: PyTree, weights: Array) -> Array:
    log_prior, log_likelihood = joint(u, rows)
    return log_prior + log_likelihood @ weights


# compiled once for a model, whatever the number of restarts
@partial(compiled, hurry=True)
def _value_and_slope(joint: Joint, u: Array, rows: PyTree, weights: Array) -> tuple[Array, Array]:
    return jax.value_and_grad(lambda v: _total(joint, v, rows, weights))(u)


@partial(compiled, hurry=True)
def _products(joint: Joint, u: Array, many: Array, rows: PyTree, weights: Array) -> Array:
    """The Hessian at u times many vectors, one after another."""
    slope = jax.grad(lambda v: _total(joint, v, rows, weights))
    return jax.lax.map(lambda one: jax.jvp(slope, (u,), (one,))[1], many)


@partial(compiled, hurry=True)
def _sums(joint: Joint, many: Array, rows: PyTree, weights: Array) -> tuple[Array, Array]:
    """``log p(θ)`` and the weighted log-likelihood of some rows at many points, one after another."""

    def one(point: Array) -> tuple[Array, Array]:
        log_prior, log_likelihood = joint(point, rows)
        return log_prior, log_likelihood @ weights

    return jax.lax.map(one, many)


@partial(compiled, hurry=True)
def _expansion(joint: Joint, whitening: Whitening, rows: PyTree, weights: Array) -> tuple[Array, Array]:
    return jax.value_and_grad(lambda theta: joint(whitening(theta), rows)[1] @ weights)(
        jnp.zeros_like(whitening.centre)
    )


def _chunks(rows: PyTree, number: int) -> Iterator[tuple[PyTree, np.ndarray]]:
    """All rows in chunks of one size, with weights that are 0 for what fills the last one up."""
    size = min(number, CHUNK_ROWS)
    for first in range(0, number, size):
        places = np.minimum(np.arange(first, first + size), number - 1)
        yield jax.tree.map(lambda leaf, at=places: leaf[at], rows), (np.arange(first, first + size) < number) * 1.0


def log_joints(joint: Joint, many: Float[np.ndarray, "draws dims"], rows: PyTree, number: int) -> np.ndarray:
    """``log p(x, θ)`` of all rows at many points; no more than a chunk of the rows is on the device at a time."""
    likelihood: Any = 0.0
    for part, weights in _chunks(rows, number):
        log_prior, share = _sums(joint, many, part, weights)
        likelihood = likelihood + np.asarray(share)
    return np.asarray(log_prior) + likelihood


def expanded(joint: Joint, whitening: Whitening, rows: PyTree, number: int) -> Expansion:
    """The expansion of the log-likelihood of all rows at the centre of whitened coordinates."""
    at = jax.tree.map(jnp.asarray, whitening)
    parts = [_expansion(joint, at, part, weights) for part, weights in _chunks(rows, number)]
    level, slope = (np.sum([np.asarray(part[place]) for part in parts], axis=0) / number for place in (0, 1))
    return Expansion(np.asarray(level), slope)


class _Target:
    """The log-joint of all rows as a function of u alone, and what is asked of it."""

    def __init__(self, joint: Joint, rows: PyTree, weights: Array) -> None:
        self._joint, self._given = joint, jax.device_put((rows, weights))

    def value_and_slope(self, u: np.ndarray) -> tuple[Any, np.ndarray]:
        value, slope = _value_and_slope(self._joint, u, *self._given)
        return value, np.asarray(slope)

    def value(self, u: np.ndarray) -> float:
        log_prior, log_likelihood = _sums(self._joint, np.asarray(u)[None], *self._given)
        return float(log_prior[0] + log_likelihood[0])

    def loss(self, u: np.ndarray) -> tuple[float, np.ndarray]:
        value, slope = self.value_and_slope(u)
        # the line search steps back from where there is no value
        return (
            (-float(value), -slope)
            if np.isfinite(value) and np.isfinite(slope).all()
            else (1e300, np.zeros_like(slope))
        )

    def curved(self, mode: np.ndarray, *, dense: bool) -> Whitening | None:
        """Whitening by the negative Hessian at a mode, where it is positive definite."""
        dims = mode.size
        if dims > DENSE:
            signs = np.random.default_rng(0).choice([-1.0, 1.0], (PROBES, dims))
            diagonal = -(signs * np.asarray(_products(self._joint, mode, signs, *self._given))).mean(0)
            return Whitening(mode, diagonal**-0.5) if (diagonal > 0).all() else None
        hessian = -np.asarray(_products(self._joint, mode, np.eye(dims), *self._given))
        hessian = 0.5 * (hessian + hessian.T)
        if not np.isfinite(hessian).all() or np.linalg.eigvalsh(hessian)[0] <= 1e-12 * np.abs(hessian).max():
            return None
        if not dense:
            return Whitening(mode, np.diagonal(hessian) ** -0.5)
        return Whitening(mode, np.linalg.cholesky(np.linalg.inv(hessian)))

    def bound(self, whitening: Whitening, seed: int) -> float:
        """The evidence lower bound of ``N(0, I)`` in the whitened coordinates, but for a constant."""
        noise = np.random.default_rng(seed).standard_normal((TRIAL_DRAWS, whitening.centre.size))
        log_prior, log_likelihood = _sums(self._joint, np.asarray(whitening(noise)), *self._given)
        return float(np.mean(np.asarray(log_prior) + np.asarray(log_likelihood)) + whitening.log_det())
