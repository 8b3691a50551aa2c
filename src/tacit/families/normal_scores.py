"""Normal scores of mixtures of normals on the line: ``z = Φ⁻¹(F(x))`` and back, into the far tails."""

import equinox as eqx
import jax
import jax.numpy as jnp
from jax.scipy.special import log_ndtr
from jaxtyping import Float

from tacit.compute import LOG_2PI, Array

NEWTON_STEPS = 8
"""Of the root of ``log Φ(z) = l`` in a tail, to the last digit of float64."""
HALVINGS, POLISHES = 40, 4
"""Of the bracket of a quantile, and Newton's steps after them."""

Values = Float[Array, "..."]
Parts = Float[Array, "... components"]


def log_normal(z: Values) -> Values:
    """``log φ(z)``."""
    return -0.5 * (z * z + LOG_2PI)


@jax.custom_jvp
def _low_score(log_p: Values) -> Values:
    """z ≤ 0 with ``log Φ(z) = log_p``, for ``log_p ≤ log ½``."""
    # log Φ is concave: Newton's method from a z that is too low never passes the root
    z = -jnp.sqrt(jnp.maximum(-2.0 * log_p, 0.0))

    def nearer(_, z):
        reached = log_ndtr(z)
        return jnp.minimum(z + (log_p - reached) * jnp.exp(reached - log_normal(z)), 0.0)

    return jax.lax.fori_loop(0, NEWTON_STEPS, nearer, z)


@_low_score.defjvp
def _(primals, tangents):
    (log_p,), (slope,) = primals, tangents
    z = _low_score(log_p)
    return z, jnp.exp(log_p - log_normal(z)) * slope


def normal_score(log_below: Values, log_above: Values) -> Values:
    """z with ``Φ(z) = p`` from ``log p`` and ``log (1 − p)``, whichever of the two is the smaller."""
    low = log_below <= log_above
    # the side that is not taken is kept where its root is harmless
    half = -jnp.log(2.0).astype(log_below.dtype)
    return jnp.where(low, _low_score(jnp.where(low, log_below, half)), -_low_score(jnp.where(low, half, log_above)))


def mixed_score(log_weights: Parts, white: Parts, log_scales: Parts) -> tuple[Values, Values]:
    """The normal score of a value under ``Σ w_k N(m_k, s_k²)``, and the log-density there.

    Args:
        log_weights: ``log w_k``, of sum one.
        white: ``(x − m_k)/s_k``.
        log_scales: ``log s_k``.
    """
    below = jax.nn.logsumexp(log_weights + log_ndtr(white), axis=-1)
    above = jax.nn.logsumexp(log_weights + log_ndtr(-white), axis=-1)
    density = jax.nn.logsumexp(log_weights + log_normal(white) - log_scales, axis=-1)
    return normal_score(below, above), density


def mixed_value(z: Values, log_weights: Parts, means: Parts, log_scales: Parts) -> tuple[Values, Values]:
    """The value whose normal score under ``Σ w_k N(m_k, s_k²)`` is z, and the log-density there.

    It lies between the least and the largest ``m_k + s_k z`` of the components that have a weight.
    """
    scales = jnp.exp(log_scales)
    # where nothing flows back: the root's own derivative is that of the score
    ends = jax.lax.stop_gradient(means + scales * z[..., None])
    counted = log_weights > -jnp.inf
    low = jnp.min(jnp.where(counted, ends, jnp.inf), -1)
    high = jnp.max(jnp.where(counted, ends, -jnp.inf), -1)

    def score_at(x):
        return mixed_score(log_weights, (x[..., None] - means) / scales, log_scales)

    def halve(_, ends):
        low, high = ends
        middle = 0.5 * (low + high)
        above = score_at(middle)[0] > z
        return jnp.where(above, low, middle), jnp.where(above, middle, high)

    low, high = jax.lax.fori_loop(0, HALVINGS, halve, (low, high))

    def polish(_, x):
        score, density = score_at(x)
        step = (z - score) * jnp.exp(jnp.clip(log_normal(score) - density, -80.0, 80.0))
        return jnp.clip(x + step, low, high)

    x = jax.lax.fori_loop(0, POLISHES, polish, 0.5 * (low + high))
    return x, score_at(x)[1]


class NormalMixture(eqx.Module):
    """``Σ_k w_k N(m_k, L_k L_kᵀ)`` on ℝᵈ, and its conditionals in the order of the columns."""

    log_weights: Float[Array, " components"]
    means: Float[Array, "components dims"]
    factors: Float[Array, "components dims dims"]
    """L_k, lower triangular."""

    def white(self, x: Float[Array, "*rows dims"]) -> Float[Array, "*rows components dims"]:
        """``L_k⁻¹ (x − m_k)``: entry j is the j-th column's deviation from what the columns before it make expected."""
        inverse = jax.vmap(lambda factor: jax.scipy.linalg.solve_triangular(factor, jnp.eye(len(factor)), lower=True))
        return jnp.einsum("kij,...kj->...ki", inverse(self.factors), x[..., None, :] - self.means)

    @property
    def log_scales(self) -> Float[Array, "components dims"]:
        """The logarithms of the diagonals of L."""
        return jnp.log(jnp.diagonal(self.factors, axis1=-2, axis2=-1))

    def log_prob(self, x: Float[Array, "*rows dims"]) -> Float[Array, "*rows"]:
        """``log p(x)`` in nats."""
        each = log_normal(self.white(x)) - self.log_scales
        return jax.nn.logsumexp(self.log_weights + each.sum(-1), axis=-1)

    def sample(self, key: jax.Array, number: int) -> Float[Array, "draws dims"]:
        """Independent draws."""
        which, noise = jax.random.split(key)
        chosen = jax.random.categorical(which, self.log_weights, shape=(number,))
        white = jax.random.normal(noise, (number, self.means.shape[1]), self.means.dtype)
        return self.means[chosen] + jnp.einsum("nij,nj->ni", self.factors[chosen], white)
