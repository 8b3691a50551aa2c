"""``log p(x)`` of single rows by annealed importance sampling with Hamiltonian moves.

Chains of z walk from a density f₀ that is known to the joint p(x, z), along bridges ``f₀(z)^{1−β} p(x, z)^β``; the
products of the ratios that they meet on the way are unbiased estimates of p(x) (Neal 2001; Wu et al. 2017).
Everything is written for one row and vectorised at the end.
"""

import math
from typing import Any, NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Float, PRNGKeyArray, UInt32

from tacit.compute import Array, as_key, compiled
from tacit.models.vae.model import DeepLatent, Rows
from tacit.models.vae.refining import refined_gaussian

STARTS = ("refined", "posterior", "prior")
ASKED = 0.65
"""The acceptance that step sizes are tuned to."""
GAIN = 0.2
"""How far the logarithm of a step size moves for an acceptance that is wrong by 1."""
FIRST_SIZE = 0.2
PILOT_CHAINS = 4
STEEP = 4.0
"""The bridges are spaced as a sigmoid between −4 and 4: close together at both ends."""


class Annealed(NamedTuple):
    """What the chains of some rows give."""

    log_weights: Float[Array, "rows chains"]
    """Each the logarithm of an unbiased estimate of p(x)."""
    acceptance: Float[Array, " rows"]
    """The share of moves that was accepted."""


def spaced(steps: int) -> Float[Array, " steps"]:
    """``β₁ < … < β_T = 1``; β₀ = 0 is left out."""
    at = jax.nn.sigmoid(STEEP * (2.0 * jnp.arange(steps + 1) / steps - 1.0))
    return (at[1:] - at[0]) / (at[-1] - at[0])


class _Bridge(eqx.Module):
    """The two ends for one row."""

    model: DeepLatent
    rows: Rows
    base: Any
    """f₀; None stands for the prior."""

    def begin(self, key: PRNGKeyArray, chains: int) -> Float[Array, "chains dims"]:
        """Draws of f₀."""
        if self.base is None:
            return self.model.prior_sample(self.rows, key, chains)
        return self.base.sample(key, chains)[:, 0]

    def __call__(
        self, z: Float[Array, "chains dims"], beta: Float[Array, ""]
    ) -> tuple[Float[Array, ""], tuple[Float[Array, " chains"], Float[Array, " chains"]]]:
        """``log f₀ + β gap``, summed over chains and of each, and the gap ``log p(x, z) − log f₀(z)``."""
        latent = z[:, None]
        prior, likelihood = self.model.log_prior(self.rows, latent), self.model.log_likelihood(self.rows, latent)
        base = prior if self.base is None else self.base.log_prob(latent)
        gap = (likelihood + prior - base)[:, 0]
        value = base[:, 0] + beta * gap
        return value.sum(), (value, gap)


class _Chains(NamedTuple):
    z: Float[Array, "chains dims"]
    gap: Float[Array, " chains"]
    log_weights: Float[Array, " chains"]
    beta: Float[Array, ""]
    log_size: Float[Array, ""]


def _moved(
    bridge: _Bridge, beta: Array | float, z: Array, gap: Array, size: Array | float, key: PRNGKeyArray, leaps: int
) -> tuple[Float[Array, "chains dims"], Float[Array, " chains"], Float[Array, " chains"]]:
    """One Hamiltonian move at β: the new z and gap, and the probability with which each was accepted."""
    momentum_key, choice, jitter = jax.random.split(key, 3)
    # lengths that differ from move to move: no trajectory comes round to where it began again and again
    size = size * jax.random.uniform(jitter, (), minval=0.8, maxval=1.2)
    climb = jax.value_and_grad(bridge, has_aux=True)
    (_, (value, _)), slope = climb(z, beta)
    momentum = jax.random.normal(momentum_key, z.shape, z.dtype)

    def leap(carry: Any, _: None) -> tuple[Any, None]:
        at, speed, slope, *_ = carry
        speed = speed + 0.5 * size * slope
        at = at + size * speed
        (_, (end, end_gap)), slope = climb(at, beta)
        return (at, speed + 0.5 * size * slope, slope, end, end_gap), None

    (at, speed, _, end, end_gap), _ = jax.lax.scan(leap, (z, momentum, slope, value, gap), length=leaps)
    log_chance = end - value - 0.5 * jnp.sum(speed**2 - momentum**2, axis=-1)
    log_chance = jnp.where(jnp.isnan(log_chance), -jnp.inf, jnp.minimum(log_chance, 0.0))
    taken = jnp.log(jax.random.uniform(choice, log_chance.shape)) < log_chance
    return jnp.where(taken[:, None], at, z), jnp.where(taken, end_gap, gap), jnp.exp(log_chance)


def _walk(
    bridge: _Bridge, key: PRNGKeyArray, chains: int, betas: Array, leaps: int, sizes: Array | None
) -> tuple[Float[Array, " chains"], Float[Array, ""], Float[Array, " steps"]]:
    """Logarithms of the weights, acceptance, and the sizes of the steps: those given, or tuned on the way."""
    begin_key, key = jax.random.split(key)
    z = bridge.begin(begin_key, chains)
    _, (_, gap) = bridge(z, jnp.zeros(()))
    first = _Chains(z, gap, jnp.zeros(chains), jnp.zeros(()), jnp.asarray(math.log(FIRST_SIZE)))

    def step(now: _Chains, moment: tuple[Array, Array, Array]) -> tuple[_Chains, tuple[Array, Array]]:
        number, beta, given = moment
        log_weights = now.log_weights + (beta - now.beta) * now.gap
        log_size = now.log_size if sizes is None else given
        spent = jax.random.fold_in(key, number)
        z, gap, chance = _moved(bridge, beta, now.z, now.gap, jnp.exp(log_size), spent, leaps)
        accepted = chance.mean()
        after = log_size + GAIN * (accepted - ASKED)
        return _Chains(z, gap, log_weights, beta, after), (accepted, log_size)

    given = jnp.zeros(betas.shape) if sizes is None else sizes
    last, (accepted, used) = jax.lax.scan(step, first, (jnp.arange(betas.size), betas, given))
    return last.log_weights, accepted.mean(), used


@compiled
def annealed(
    model: DeepLatent, rows: Rows, keys: UInt32[Array, "rows 2"], chains: int, steps: int, leaps: int, start: str
) -> Annealed:
    """Anneal chains for every row.

    A pilot of a few chains tunes the size of the steps at every bridge, row by row, to an acceptance of 0.65. Other
    chains then walk with those sizes as they are, so that the moves leave their bridges invariant and the weights are
    unbiased.

    Args:
        model: the model.
        rows: what is seen; missing entries count for nothing.
        keys: raw random keys, one a row: what a row is given does not depend on its company.
        chains: of every row.
        steps: bridges.
        leaps: steps of a trajectory.
        start: f₀: the "prior" p(z), the "posterior" q(z|x) of the encoder, or the "refined" Gaussian of the row.
    """
    betas = spaced(steps)

    def one(x: Array, given: Array | None, key: Array) -> tuple[Array, Array]:
        row = Rows(x[None], None if given is None else given[None])
        climb, pilot, final = jax.random.split(as_key(key), 3)
        base = None
        if start == "posterior":
            base = model.posterior(row)
        elif start == "refined":
            base = refined_gaussian(model, row, climb)
        bridge = _Bridge(model, row, base)
        _, _, sizes = _walk(bridge, pilot, min(chains, PILOT_CHAINS), betas, leaps, None)
        log_weights, accepted, _ = _walk(bridge, final, chains, betas, leaps, sizes)
        return log_weights, accepted

    return Annealed(*jax.vmap(one)(rows.x, rows.given, keys))
