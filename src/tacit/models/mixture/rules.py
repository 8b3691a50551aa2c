"""What q(z|x) may be in a mixture: the posterior (EM), its mode (hard EM), or draws from it (Monte Carlo EM)."""

import numpy as np
from jaxtyping import Float

from tacit.arrays import Pytree, xp
from tacit.compute import Array
from tacit.engine import PRNGKeyArray, jax

GROWTH = 1.2
MOST = 1e6


class PosteriorRule(Pytree):
    """``r_nk = π_k p_k(x_n) / Σ_l π_l p_l(x_n)``; the bound is tight: ``log p(x_n)``."""

    monotone = True

    def __call__(
        self, logits: Float[Array, "*starts rows components"], key: PRNGKeyArray | None
    ) -> tuple[Float[Array, "*starts rows components"], Float[Array, "*starts rows"]]:
        # one exponential serves both: exp(l − max), its sum, and their quotient; along the rows, as the logits are made
        across = xp.swapaxes(logits, -1, -2)
        top = across.max(-2)
        lifted = xp.exp(across - top[..., None, :])
        mass = lifted.sum(-2)
        return xp.swapaxes(lifted / mass[..., None, :], -1, -2), top + xp.log(mass)


class Mode(Pytree):
    """A point mass at the likeliest component; the bound is ``max_k log π_k p_k(x_n)`` (its entropy is 0)."""

    monotone = True

    def __call__(
        self, logits: Float[Array, "*starts rows components"], key: PRNGKeyArray | None
    ) -> tuple[Float[Array, "*starts rows components"], Float[Array, "*starts rows"]]:
        chosen = logits.argmax(-1)[..., None] == np.arange(logits.shape[-1])
        return chosen.astype(logits.dtype), logits.max(-1)


class Draws(Pytree):
    """The average of ``number`` draws of z from its posterior (Wei & Tanner 1990); a fall of the bound is noise.

    The number grows by ``GROWTH`` with every M-step, so that the noise dies out and the fit can converge.
    """

    number: Float[Array, ""]
    monotone = False

    def __call__(
        self, logits: Float[Array, "*starts rows components"], key: PRNGKeyArray | None
    ) -> tuple[Float[Array, "*starts rows components"], Float[Array, "*starts rows"]]:
        assert key is not None  # drawn in compiled programs alone
        responsibilities, log_prob = PosteriorRule()(logits, key)
        counts = jax.random.multinomial(key, self.number, responsibilities, dtype=logits.dtype)
        return counts / self.number, log_prob

    def grown(self) -> "Draws":
        """The rule of the next iteration."""
        return Draws(xp.minimum(xp.ceil(self.number * GROWTH), MOST))


Rule = PosteriorRule | Mode | Draws
