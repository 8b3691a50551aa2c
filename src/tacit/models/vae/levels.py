"""Two levels of latent variables: ``p(z₂) p(z₁|z₂) p(x|z₁)``, with ``q(z₁|x) q(z₂|z₁)``; z holds z₁, then z₂."""

from collections.abc import Callable, Sequence

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Float, PRNGKeyArray

from tacit.arrays import static
from tacit.compute import Array
from tacit.families.transformed import Distribution, Gaussian, white_log_prob
from tacit.models.vae.networks import MLP
from tacit.models.vae.posteriors import Diagonal, Posterior
from tacit.models.vae.priors import Prior, Whole


def _conditional(network: MLP, z: Float[Array, "... into"]) -> Gaussian:
    """``N(z'; μ(z), diag σ²(z))``."""
    flat = z.reshape(-1, z.shape[-1])
    return Diagonal().read(jax.vmap(network)(flat).reshape(*z.shape[:-1], -1))


class TwoGaussians(Distribution):
    """``q(z₁|x) q(z₂|z₁)``, both Gaussian with independent dimensions (Burda et al. 2016, section 5)."""

    first: Gaussian
    network: MLP
    """From z₁ to the mean and log-scale of z₂."""

    def noise(self, key: PRNGKeyArray, number: int, *, shared: bool = False) -> Array:
        rows, one = self.first.mean.shape
        two = self.network.layers[-1].bias.shape[0] // 2
        return jax.random.normal(key, (number, 1 if shared else rows, one + two), self.first.mean.dtype)

    def moved(self, noise: Float[Array, "draws #rows dims"]) -> tuple[Float[Array, "draws rows dims"], Array]:
        lower, upper = jnp.split(noise, [self.first.mean.shape[-1]], axis=-1)
        one, log_one = self.first.moved(lower)
        two, log_two = _conditional(self.network, one).moved(upper)
        return jnp.concatenate([one, two], axis=-1), log_one + log_two

    def log_prob(self, z: Float[Array, "... #rows dims"]) -> Float[Array, "..."]:
        one, two = jnp.split(z, [self.first.mean.shape[-1]], axis=-1)
        return self.first.log_prob(one) + _conditional(self.network, one).log_prob(two)

    @property
    def mean(self) -> Float[Array, "rows dims"]:
        """The mean of z₁, and that of z₂ there."""
        return jnp.concatenate([self.first.mean, _conditional(self.network, self.first.mean).mean], axis=-1)

    @property
    def scale(self) -> Float[Array, "rows dims"]:
        """The standard deviation of z₁, and that of z₂ at the mean of z₁."""
        return jnp.concatenate([self.first.scale, _conditional(self.network, self.first.mean).scale], axis=-1)


class TwoLevels(Posterior):
    """``first`` dimensions read from the encoder, ``second`` more from a network of those."""

    network: MLP
    first: int = static()
    second: int = static()

    def __init__(
        self, first: int, second: int, hidden: Sequence[int], *, key: PRNGKeyArray, activation: str = "silu"
    ) -> None:
        self.network = MLP(first, hidden, 2 * second, key=key, activation=activation)
        self.first, self.second = first, second

    def outputs(self, latent: object) -> int:
        return 2 * self.first

    def width(self, latent: object) -> int:
        return self.first + self.second

    def visible(self, latent: object) -> int:
        return self.first

    def read(self, outputs: Float[Array, "rows outputs"]) -> TwoGaussians:
        return TwoGaussians(Diagonal().read(outputs), self.network)


class TopDown(Prior):
    """``p(z₂) p(z₁|z₂)``: z₂ ~ N(0, I), and z₁ Gaussian around what a network makes of it."""

    network: MLP
    first: int = static()
    second: int = static()

    def __init__(
        self, first: int, second: int, hidden: Sequence[int], *, key: PRNGKeyArray, activation: str = "silu"
    ) -> None:
        self.network = MLP(second, hidden, 2 * first, key=key, activation=activation)
        self.first, self.second = first, second

    def log_prob(self, z: Float[Array, "... dims"], model: Whole) -> Float[Array, "..."]:
        one, two = jnp.split(z, [self.first], axis=-1)
        return white_log_prob(two) + _conditional(self.network, two).log_prob(one)

    def sample(self, key: PRNGKeyArray, number: int, model: Whole) -> Float[Array, "draws dims"]:
        white = jax.random.normal(key, (number, self.first + self.second))
        below, two = jnp.split(white, [self.first], axis=-1)
        one, _ = _conditional(self.network, two).moved(below[None])
        return jnp.concatenate([one[0], two], axis=-1)


class Leading(eqx.Module):
    """A decoder that sees the first level alone: the leading numbers of z, and what follows both levels."""

    network: Callable
    first: int = static()
    dims: int = static()

    def __call__(self, z: Float[Array, " dims"]) -> Float[Array, "..."]:
        return self.network(jnp.concatenate([z[: self.first], z[self.dims :]]))
