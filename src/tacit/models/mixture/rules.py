"""What q(z|x) may be in a mixture: the posterior (EM), its mode (hard EM), or draws from it (Monte Carlo EM)."""

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Float, PRNGKeyArray

from tacit.compute import Array

GROWTH = 1.2
MOST = 1e6


class PosteriorRule(eqx.Module):
    """``r_nk = π_k p_k(x_n) / Σ_l π_l p_l(x_n)``; the bound is tight: ``log p(x_n)``."""

    monotone = True

    def __call__(
        self, logits: Float[Array, "rows components"], key: PRNGKeyArray
    ) -> tuple[Float[Array, "rows components"], Float[Array, " rows"]]:
        # one exponential serves both: exp(l − max), its sum, and their quotient; along the rows, as the logits are made
        across = logits.T
        top = jnp.max(across, axis=0)
        lifted = jnp.exp(across - top)
        mass = jnp.sum(lifted, axis=0)
        return (lifted / mass).T, top + jnp.log(mass)


class Mode(eqx.Module):
    """A point mass at the likeliest component; the bound is ``max_k log π_k p_k(x_n)`` (its entropy is 0)."""

    monotone = True

    def __call__(
        self, logits: Float[Array, "rows components"], key: PRNGKeyArray
    ) -> tuple[Float[Array, "rows components"], Float[Array, " rows"]]:
        chosen = jax.nn.one_hot(jnp.argmax(logits, axis=-1), logits.shape[-1], dtype=logits.dtype)
        return chosen, jnp.max(logits, axis=-1)


class Draws(eqx.Module):
    """The average of ``number`` draws of z from its posterior (Wei & Tanner 1990); a fall of the bound is noise.

    The number grows by ``GROWTH`` with every M-step, so that the noise dies out and the fit can converge.
    """

    number: Float[Array, ""]
    monotone = False

    def __call__(
        self, logits: Float[Array, "rows components"], key: PRNGKeyArray
    ) -> tuple[Float[Array, "rows components"], Float[Array, " rows"]]:
        responsibilities, log_prob = PosteriorRule()(logits, key)
        counts = jax.random.multinomial(key, self.number, responsibilities, dtype=logits.dtype)
        return counts / self.number, log_prob

    def grown(self) -> "Draws":
        """The rule of the next iteration."""
        return Draws(jnp.minimum(jnp.ceil(self.number * GROWTH), MOST))


Rule = PosteriorRule | Mode | Draws
