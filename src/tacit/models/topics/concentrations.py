"""The concentrations of Dirichlet distributions by maximum likelihood: Newton's method in linear time.

The log-likelihood is concave and its Hessian is a diagonal plus a constant, so that a step takes no longer than the
gradient (Minka 2000, "Estimating a Dirichlet distribution"). Steps are cut so that all stay positive, and halved until
the likelihood rises: it never falls.
"""

from typing import NamedTuple

import jax
import jax.numpy as jnp
from jax.scipy.special import polygamma
from jaxtyping import Bool, Float, Int

from tacit.compute import Array
from tacit.models.topics.gammas import digamma, log_gamma, ordered_sum

STEPS = 30
HALVINGS = 12
SMALLEST = 1e-4
"""The least concentration: below it a level that never occurs would be all but impossible."""
NEAR = 1e-10
"""Relative change below which the maximum is reached."""


class _Climb(NamedTuple):
    number: Int[Array, ""]
    values: Float[Array, " levels"]
    moving: Bool[Array, ""]


def newton(
    values: Float[Array, " levels"],
    logs: Float[Array, " levels"],
    known: Float[Array, "groups levels"],
    weight: Float[Array, ""],
    *,
    tied: bool = False,
) -> Float[Array, " levels"]:
    """The maximum over a of ``Σ_g w [log Γ(Σ_l a_l + b_gl) − Σ_l log Γ(a_l + b_gl)] + Σ_l a_l s_l``.

    Args:
        values: where to begin; all positive.
        logs: ``s``, the summed ``E log π_l`` of all distributions.
        known: ``b``, what is added to the concentrations of each group of distributions.
        weight: distributions of a group.
        tied: one concentration for all levels.
    """

    def likelihood(a):
        full = (a + known).T
        normalizer = jnp.sum(log_gamma(ordered_sum(full)) - ordered_sum(log_gamma(full)))
        return weight * normalizer + ordered_sum(a * logs)

    def direction(a):
        full = a + known
        total = ordered_sum(full.T)
        gradient = weight * (jnp.sum(digamma(total)) - jnp.sum(digamma(full), axis=0)) + logs
        diagonal = -weight * jnp.sum(polygamma(1, full), axis=0)
        shared = weight * jnp.sum(polygamma(1, total))
        if tied:
            bend = ordered_sum(diagonal) + a.size**2 * shared
            return jnp.full_like(a, -ordered_sum(gradient) / bend)
        # (diag q + z 11ᵀ)⁻¹ g by the matrix inversion lemma
        pull = ordered_sum(gradient / diagonal) / (1.0 / shared + ordered_sum(1.0 / diagonal))
        return -(gradient - pull) / diagonal

    def climb(state):
        number, a, _ = state
        way = direction(a)
        way = way * jnp.minimum(1.0, 0.9 / jnp.maximum(jnp.max(-way / a), 1e-300))
        here = likelihood(a)

        def lower(carry):
            halvings, size = carry
            there = likelihood(jnp.maximum(a + size * way, SMALLEST))
            return (halvings < HALVINGS) & ~(there >= here)

        halvings, size = jax.lax.while_loop(lower, lambda c: (c[0] + 1, 0.5 * c[1]), (0, jnp.ones(())))
        after = jnp.where(halvings < HALVINGS, jnp.maximum(a + size * way, SMALLEST), a)
        return _Climb(number + 1, after, jnp.max(jnp.abs(after - a) / a) > NEAR)

    def going(state):
        return state.moving & (state.number < STEPS)

    return jax.lax.while_loop(going, climb, _Climb(jnp.asarray(0), values, jnp.asarray(True))).values
