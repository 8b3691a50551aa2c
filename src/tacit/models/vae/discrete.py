"""Discrete codes: categorical variables, and vectors of a codebook."""

from typing import ClassVar

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Float, Int, PRNGKeyArray

from tacit.arrays import static
from tacit.compute import Array
from tacit.families.transformed import Reparameterised
from tacit.inference.objectives import Batch, Elbo, LatentVariable, Objective, Terms
from tacit.models.vae.posteriors import EncoderPosterior
from tacit.models.vae.priors import Prior, WholeModel


def _levels(z: Float[Array, "... width"], levels: int) -> Float[Array, "... latent levels"]:
    return z.reshape(*z.shape[:-1], -1, levels)


class OneHots(Reparameterised):
    """Independent categorical variables, each as the indicator of its level, laid side by side.

    A draw is exact (Gumbel 1954: the largest of logits and noise); its gradient is that of the soft maximum at a
    temperature, the straight-through Gumbel-softmax (Jang, Gu & Poole 2017): biased, and of little variance. The
    score function (`tacit.inference.objectives.ScoreFunction`) has no bias.
    """

    logs: Float[Array, "rows latent levels"]
    """``log q(z_j = k|x)``."""
    temperature: float = static()

    def noise(self, key: PRNGKeyArray, number: int, *, shared: bool = False) -> Array:
        rows, *event = self.logs.shape
        return jax.random.gumbel(key, (number, 1 if shared else rows, *event), self.logs.dtype)

    def moved(self, noise: Float[Array, "draws #rows latent levels"]) -> tuple[Float[Array, "draws rows width"], Array]:
        values = self.logs + noise
        soft = jax.nn.softmax(values / self.temperature, axis=-1)
        hard = jax.nn.one_hot(values.argmax(-1), values.shape[-1], dtype=soft.dtype)
        z = hard + soft - jax.lax.stop_gradient(soft)
        flat = z.reshape(*z.shape[:-2], -1)
        return flat, self.log_prob(flat)

    def log_prob(self, z: Float[Array, "... #rows width"]) -> Float[Array, "..."]:
        return (_levels(z, self.logs.shape[-1]) * self.logs).sum((-2, -1))

    def kl_categorical(self, prior: Float[Array, "latent levels"]) -> Float[Array, "rows latent"]:
        """``KL(q ‖ p)`` of every variable against log-probabilities."""
        return (jnp.exp(self.logs) * (self.logs - prior)).sum(-1)

    @property
    def mean(self) -> Float[Array, "rows width"]:
        """The probabilities of the levels."""
        return jnp.exp(self.logs).reshape(self.logs.shape[0], -1)

    @property
    def scale(self) -> Float[Array, "rows width"]:
        return jnp.sqrt(self.mean * (1.0 - self.mean))


class CategoricalCodes(EncoderPosterior):
    """``latent`` independent variables with as many levels each."""

    continuous: ClassVar[bool] = False
    levels: int = static(default=10)
    temperature: float = static(default=2.0 / 3.0)

    def outputs(self, latent: int) -> int:
        return latent * self.levels

    def width(self, latent: int) -> int:
        return latent * self.levels

    def read(self, outputs: Float[Array, "rows outputs"]) -> OneHots:
        return OneHots(jax.nn.log_softmax(_levels(outputs, self.levels), axis=-1), self.temperature)

    def indicators(self, z: Float[Array, "... width"]) -> Float[Array, "... latent levels"]:
        """Codes as indicators of their levels, which they are."""
        return _levels(z, self.levels)

    def of_levels(self, levels: Int[Array, "draws latent"]) -> Float[Array, "draws width"]:
        """Codes by the numbers of their levels."""
        return jax.nn.one_hot(levels, self.levels).reshape(levels.shape[0], -1)


class CodeTable(Prior):
    """Independent categorical variables; their probabilities are learned, and begin equal."""

    logits: Float[Array, "latent levels"]

    def __init__(self, latent: int, levels: int) -> None:
        self.logits = jnp.zeros((latent, levels))

    @property
    def _logs(self) -> Float[Array, "latent levels"]:
        return jax.nn.log_softmax(self.logits, axis=-1)

    def log_prob(self, z: Float[Array, "... width"], model: WholeModel) -> Float[Array, "..."]:
        return (model.posterior_kind.indicators(z) * self._logs).sum((-2, -1))

    def sample(self, key: PRNGKeyArray, number: int, model: WholeModel) -> Float[Array, "draws width"]:
        levels = jax.random.categorical(key, self.logits, shape=(number, self.logits.shape[0]))
        return model.posterior_kind.of_levels(levels)

    def kl(self, posterior: Reparameterised) -> Float[Array, "rows latent"] | None:
        return posterior.kl_categorical(self._logs)  # type: ignore[attr-defined]


class Quantised(Reparameterised):
    """The nearest vector of a codebook to each part of the encoder's outputs: all mass at one code.

    The decoder's gradient goes to the encoder as if nothing had been rounded (van den Oord, Vinyals & Kavukcuoglu
    2017). As q is one code, ``log p(x|z) + log p(z)`` there is a bound on log p(x).
    """

    said: Float[Array, "rows latent length"]
    codebook: Float[Array, "levels length"]

    @property
    def levels(self) -> Int[Array, "rows latent"]:
        """Which code it is."""
        return nearest(self.said, self.codebook)

    def noise(self, key: PRNGKeyArray, number: int, *, shared: bool = False) -> Array:
        return jnp.zeros((number, 1 if shared else self.said.shape[0]))

    def moved(self, noise: Float[Array, "draws #rows"]) -> tuple[Float[Array, "draws rows width"], Array]:
        chosen = self.codebook[self.levels]
        through = self.said + jax.lax.stop_gradient(chosen - self.said)
        rows = through.shape[0]
        z = jnp.broadcast_to(through.reshape(rows, -1), (noise.shape[0], rows, through[0].size))
        return z, jnp.zeros(z.shape[:-1], z.dtype)

    def log_prob(self, z: Float[Array, "... #rows width"]) -> Float[Array, "..."]:
        found = nearest(z.reshape(*z.shape[:-1], *self.said.shape[1:]), self.codebook)
        return jnp.where((found == self.levels).all(-1), 0.0, -jnp.inf)

    def kl_categorical(self, prior: Float[Array, "latent levels"]) -> Float[Array, "rows latent"]:
        """``−log p(code)`` of every variable."""
        return -jnp.take_along_axis(prior[None], self.levels[..., None], axis=-1)[..., 0]

    def distance(self, commitment: float) -> Float[Array, " rows"]:
        """``‖sg(e) − c‖² + β‖e − sg(c)‖²``: what draws codes to what is said, and what is said to codes."""
        chosen, still = self.codebook[self.levels], jax.lax.stop_gradient
        square = (still(self.said) - chosen) ** 2 + commitment * (self.said - still(chosen)) ** 2
        return square.sum((-2, -1))

    @property
    def mean(self) -> Float[Array, "rows width"]:
        return self.codebook[self.levels].reshape(self.said.shape[0], -1)

    @property
    def scale(self) -> Float[Array, "rows width"]:
        return jnp.zeros_like(self.mean)


def nearest(said: Float[Array, "... length"], codebook: Float[Array, "levels length"]) -> Int[Array, "..."]:
    """Which code is nearest."""
    return (jnp.sum(codebook**2, -1) - 2.0 * said @ codebook.T).argmin(-1)


class QuantisedCodes(EncoderPosterior):
    """``latent`` vectors, each one of a codebook that they share."""

    continuous: ClassVar[bool] = False
    begins_from_rows: ClassVar[bool] = True
    codebook: Float[Array, "levels length"]

    def __init__(self, levels: int = 64, length: int = 4) -> None:
        self.codebook = jnp.zeros((levels, length))

    @property
    def levels(self) -> int:
        """How many codes there are."""
        return self.codebook.shape[0]

    def outputs(self, latent: int) -> int:
        return latent * self.codebook.shape[1]

    def width(self, latent: int) -> int:
        return latent * self.codebook.shape[1]

    def read(self, outputs: Float[Array, "rows outputs"]) -> Quantised:
        return Quantised(self._parts(outputs), self.codebook)

    def begun(self, outputs: Float[Array, "rows outputs"]) -> "QuantisedCodes":
        """Codes begin where the fresh encoder puts rows."""
        parts = self._parts(outputs).reshape(-1, self.codebook.shape[1])
        picked = jax.random.choice(jax.random.key(0), parts, (self.levels,), replace=parts.shape[0] < self.levels)
        return eqx.tree_at(lambda kind: kind.codebook, self, picked)

    def indicators(self, z: Float[Array, "... width"]) -> Float[Array, "... latent levels"]:
        """Codes as indicators of their levels."""
        return jax.nn.one_hot(nearest(self._parts(z), self.codebook), self.levels, dtype=z.dtype)

    def of_levels(self, levels: Int[Array, "draws latent"]) -> Float[Array, "draws width"]:
        """Codes by their numbers."""
        return self.codebook[levels].reshape(levels.shape[0], -1)

    def _parts(self, z: Float[Array, "... width"]) -> Float[Array, "... latent length"]:
        return z.reshape(*z.shape[:-1], -1, self.codebook.shape[1])


class VectorQuantised(Objective):
    """``log p(x|z) + log p(z) − ‖sg(e) − c‖² − β‖e − sg(c)‖²`` (van den Oord et al. 2017, equation 3)."""

    commitment: float = static(default=0.25)

    def __call__(self, model: LatentVariable, batch: Batch) -> tuple[Float[Array, " rows"], Terms]:
        raised, terms = Elbo()(model, batch)
        posterior = model.posterior(batch.rows)
        if not isinstance(posterior, Quantised):
            raise ValueError("vector quantisation needs posterior='quantised'")
        distance = posterior.distance(self.commitment)
        return raised - distance, terms | {"quantisation": distance}
