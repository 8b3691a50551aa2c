"""q(z|x) fitted to one row at a time, where the encoder answers for all rows at once (Cremer, Li & Duvenaud 2018)."""

import math
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import optax
from jaxtyping import Float, PRNGKeyArray, UInt32

from tacit.compute import Array, as_key, compiled
from tacit.families.bijections import DiagonalAffine
from tacit.families.transformed import Distribution, Gaussian
from tacit.models.vae.model import DeepLatent, Rows

STEPS = 500
DRAWS = 8
"""Of z in every step."""
RATE = 0.05
"""Of Adam at first; it falls to 0 along a half cosine."""
LEAST_SCALE = 1e-6


class Refined(NamedTuple):
    """Bounds of some rows, in nats and the units of the model."""

    elbo: Float[Array, " rows"]
    """Of the encoder's q(z|x)."""
    best_elbo: Float[Array, " rows"]
    """Of the diagonal Gaussian that was fitted to the row."""
    importance: Float[Array, " rows"]
    """``log (1/K) Σ p(x, z_k)/q(z_k)`` with that Gaussian."""


def refined_gaussian(model: DeepLatent, rows: Rows, key: PRNGKeyArray) -> Gaussian:
    """The diagonal Gaussian of the largest ELBO of every row, by Adam from the encoder's mean and scale.

    The gradient is the pathwise one, without the score of q, so that it has no variance where q is exact (Roeder, Wu &
    Duvenaud 2017).
    """
    density = model.posterior(rows)
    mean, log_scale = density.mean, jnp.log(jnp.maximum(density.scale, LEAST_SCALE))
    # between the prior's unit and the posterior's: steps fit for means that are far off and for those nearly right
    unit = jnp.exp(0.5 * log_scale)

    def at(move: tuple[Array, Array]) -> Gaussian:
        return Gaussian(DiagonalAffine(mean + unit * move[0], log_scale + move[1]))

    def loss(move: tuple[Array, Array], key: PRNGKeyArray) -> Array:
        own, still = at(move), at(jax.lax.stop_gradient(move))
        return -jnp.sum(log_ratios(model, rows, own.sample(key, DRAWS), still).mean(axis=0))

    optimiser = optax.adam(optax.cosine_decay_schedule(RATE, STEPS))
    begin = (jnp.zeros_like(mean), jnp.zeros_like(mean))

    def step(now: Any, number: Array) -> tuple[Any, None]:
        move, state = now
        slope = jax.grad(loss)(move, jax.random.fold_in(key, number))
        change, state = optimiser.update(slope, state)
        return (optax.apply_updates(move, change), state), None

    (move, _), _ = jax.lax.scan(step, (begin, optimiser.init(begin)), jnp.arange(STEPS))
    return at(move)


def log_ratios(
    model: DeepLatent, rows: Rows, latent: Float[Array, "draws rows dims"], density: Distribution
) -> Float[Array, "draws rows"]:
    """``log p(x, z) − log q(z)``."""
    return model.log_likelihood(rows, latent) + model.log_prior(rows, latent) - density.log_prob(latent)


@compiled
def refined(model: DeepLatent, rows: Rows, keys: UInt32[Array, "rows 2"], draws: int, chunk: int) -> Refined:
    """The bounds of every row with the encoder's q and with its own, from ``draws`` of z, ``chunk`` at a time."""

    def one(x: Array, given: Array | None, key: Array) -> Refined:
        row = Rows(x[None], None if given is None else given[None])
        climb, encoder, own = jax.random.split(as_key(key), 3)
        best = refined_gaussian(model, row, climb)
        elbo, _ = _bounds(model, row, model.posterior(row), encoder, draws, chunk)
        return Refined(elbo, *_bounds(model, row, best, own, draws, chunk))

    return jax.vmap(one)(rows.x, rows.given, keys)


def _bounds(
    model: DeepLatent, row: Rows, density: Distribution, key: PRNGKeyArray, draws: int, chunk: int
) -> tuple[Float[Array, ""], Float[Array, ""]]:
    """The mean of the log ratios of draws of q, and the logarithm of the mean ratio."""
    blocks = -(-draws // chunk)

    def add(_: None, number: Array) -> tuple[None, Array]:
        latent = density.sample(jax.random.fold_in(key, number), chunk)
        return None, log_ratios(model, row, latent, density)[:, 0]

    _, found = jax.lax.scan(add, None, jnp.arange(blocks))
    return found.mean(), jax.nn.logsumexp(found) - math.log(blocks * chunk)
