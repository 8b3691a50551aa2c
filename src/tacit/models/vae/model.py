"""``p(x, z) = p(z) p(x|z)`` with ``q(z|x)``: prior, decoder and likelihood, encoder and posterior, put together."""

import math
from collections.abc import Callable
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Float, Int, PRNGKeyArray, UInt32

from tacit.compute import Array, as_key, compiled
from tacit.data.blocks import Standardise
from tacit.families.transformed import Reparameterised
from tacit.inference.objectives import frozen
from tacit.models.vae.likelihoods import Likelihood
from tacit.models.vae.networks import ConvEncoder
from tacit.models.vae.posteriors import EncoderPosterior
from tacit.models.vae.priors import Prior


class RowBatch(eqx.Module):
    """A batch on its way through the model: what is seen, and what it is given."""

    x: Float[Array, "rows ..."]
    """NaN marks a missing entry."""
    given: Float[Array, "rows conditions"] | None = None
    """What the density is conditional on: labels as indicators, covariates."""
    label: Int[Array, " rows"] | None = None
    """The class of a row, for a model that has classes; −1 where it is not known."""


class DeepLatent(eqx.Module):
    """A variational auto-encoder.

    Networks are callables on one row. The encoder sees the row through ``view`` (centred and scaled, gaps filled with
    0), then, where there are conditions, those too; the decoder sees z and the conditions.
    """

    encoder: Callable
    decoder: Callable
    prior: Prior
    posterior_kind: EncoderPosterior
    likelihood: Likelihood
    view: Standardise | None

    def seen(self, x: Float[Array, "rows ..."]) -> Float[Array, "rows ..."]:
        if self.view is not None:
            x = frozen(self.view)(x)
        return jnp.where(jnp.isnan(x), 0.0, x)

    def encoded(self, x: Float[Array, "rows ..."], given: Float[Array, "rows conditions"] | None = None) -> Array:
        """The encoder's outputs."""
        return _over(self.encoder, self.seen(x), given)

    def encode(self, x: Float[Array, "rows ..."], given: Float[Array, "rows conditions"] | None = None) -> Any:
        """``q(z|x)`` of rows as the likelihood takes them."""
        return self.posterior_kind.read(self.encoded(x, given))

    def settled(self, x: Float[Array, "rows ..."], given: Float[Array, "rows conditions"] | None) -> "DeepLatent":
        """The same, with a posterior that begins where the fresh encoder puts some rows."""
        if not self.posterior_kind.begins_from_rows:
            return self
        kind = self.posterior_kind.begun(self.encoded(x, given))
        return eqx.tree_at(lambda model: model.posterior_kind, self, kind)

    def posterior(self, rows: RowBatch) -> Any:
        """``q(z|x)`` of every row."""
        return self.encode(rows.x, rows.given)

    def decode(
        self, latent: Float[Array, "*draws rows dims"], given: Float[Array, "rows conditions"] | None = None
    ) -> Float[Array, "..."]:
        """The decoder's outputs."""
        flat = latent.reshape(-1, latent.shape[-1])
        if given is not None:
            given = jnp.broadcast_to(given, (*latent.shape[:-1], given.shape[-1])).reshape(flat.shape[0], -1)
        outputs = _over(self.decoder, flat, given)
        return outputs.reshape(*latent.shape[:-1], *outputs.shape[1:])

    def log_likelihood(self, rows: RowBatch, latent: Float[Array, "*draws rows dims"]) -> Float[Array, "*draws rows"]:
        """``log p(x|z)`` of the observed entries."""
        return self.likelihood.log_prob(self.decode(latent, rows.given), rows.x)

    def log_prior(self, rows: RowBatch, latent: Float[Array, "*draws rows dims"]) -> Float[Array, "*draws rows"]:
        """``log p(z)``."""
        return self.prior.log_prob(latent, self)

    def kl(self, rows: RowBatch, posterior: Reparameterised) -> Float[Array, "rows dims"] | None:
        """``KL(q(z|x) ‖ p(z))`` of each dimension, where it is closed."""
        return self.prior.kl(posterior)

    def prior_sample(self, rows: RowBatch | None, key: PRNGKeyArray, number: int) -> Float[Array, "draws dims"]:
        """Draws of z from the prior."""
        return self.prior.sample(key, number, self)


def _over(network: Callable, x: Array, given: Array | None) -> Array:
    """A network of one row over a batch; conditions are joined to the row, flattened, unless it takes them apart."""
    if given is None:
        return jax.vmap(network)(x)
    if isinstance(network, ConvEncoder) and network.conditional:
        return jax.vmap(network)(x, given)
    return jax.vmap(lambda row, condition: network(jnp.concatenate([row.reshape(-1), condition])))(x, given)


def rehearsed(model: DeepLatent, event: tuple[int, ...], conditions: int) -> str | None:
    """What fails on the way of rows through encoder, posterior, decoder, likelihood and prior; None if nothing does.

    Only shapes go that way: nothing is computed or compiled.

    Args:
        model: whose arrays may have any shapes.
        event: the shape of a row.
        conditions: numbers that a row is given.
    """

    def way(model: DeepLatent, x: Array, given: Array | None, key: Array) -> Array:
        rows = RowBatch(x, given)
        density = model.posterior(rows)
        latent, _ = density.moved(density.noise(key, 1, shared=True))
        return model.log_likelihood(rows, latent) + model.log_prior(rows, latent)

    x = jax.ShapeDtypeStruct((2, *event), np.float32)
    given = jax.ShapeDtypeStruct((2, conditions), np.float32) if conditions else None
    try:
        found = eqx.filter_eval_shape(way, model, x, given, jax.random.key(0))
    except (ValueError, TypeError, IndexError, AttributeError, ZeroDivisionError, OverflowError) as error:
        return f"its networks do not fit together ({' '.join(str(error).split())[:160]})"
    return None if found.shape == (1, 2) else f"its densities have the shape {found.shape[1:]} for 2 rows"


@compiled
def encode(model: DeepLatent, rows: RowBatch) -> tuple[Float[Array, "rows dims"], Float[Array, "rows dims"]]:
    """Means and standard deviations of q(z|x)."""
    density = model.posterior(rows)
    return density.mean, density.scale


@compiled
def reconstruct(model: DeepLatent, rows: RowBatch) -> Float[Array, "rows ..."]:
    """``E[x|z]`` at the mean of q(z|x)."""
    return model.likelihood.mean(model.decode(model.posterior(rows).mean, rows.given))


@compiled
def decoded_mean(
    model: DeepLatent, latent: Float[Array, "rows dims"], given: Float[Array, "rows conditions"] | None
) -> Float[Array, "rows ..."]:
    """``E[x|z]``."""
    return model.likelihood.mean(model.decode(latent, given))


@compiled
def decoded_draw(
    model: DeepLatent,
    latent: Float[Array, "rows dims"],
    given: Float[Array, "rows conditions"] | None,
    key: UInt32[Array, "2"],
) -> Float[Array, "rows ..."]:
    """A draw of ``p(x|z)``."""
    return model.likelihood.sample(as_key(key), model.decode(latent, given))


@compiled
def prior_draws(model: DeepLatent, key: UInt32[Array, "2"], number: int) -> Float[Array, "draws dims"]:
    """Draws of p(z)."""
    return model.prior_sample(None, as_key(key), number)


@compiled
def row_bounds(model: DeepLatent, rows: RowBatch, key: UInt32[Array, "2"], samples: int) -> Float[Array, " rows"]:
    """``E_q [log p(x|z) + log p(z) − log q(z|x)]`` of every row, by the same noise for every model."""
    latent, log_q = model.posterior(rows).draw(as_key(key), samples)
    return (model.log_likelihood(rows, latent) + model.log_prior(rows, latent) - log_q).mean(0)


@compiled
def importance_log_prob(
    model: DeepLatent, rows: RowBatch, key: UInt32[Array, "2"], samples: int, chunk: int
) -> Float[Array, " rows"]:
    """``log (1/K) Σ_k p(x, z_k)/q(z_k|x)`` of every row (Burda et al. 2016), ``chunk`` draws at a time.

    The noise is the same for every row, so that the score of a row does not depend on its company. On average it is
    below log p(x), and never falls in K.
    """
    base = as_key(key)
    density = model.posterior(rows)
    blocks = -(-samples // chunk)

    def add(total, number):
        latent, log_q = density.moved(density.noise(jax.random.fold_in(base, number), chunk, shared=True))
        log_weights = model.log_likelihood(rows, latent) + model.log_prior(rows, latent) - log_q
        wanted = (number * chunk + jnp.arange(chunk) < samples)[:, None]
        part = jax.nn.logsumexp(jnp.where(wanted, log_weights, -jnp.inf), axis=0)
        return jnp.logaddexp(total, part), None

    start = jnp.full(rows.x.shape[0], -jnp.inf, jnp.float32)
    total, _ = jax.lax.scan(add, start, jnp.arange(blocks))
    return total - math.log(samples)


@compiled
def imputed(
    model: DeepLatent, rows: RowBatch, key: UInt32[Array, "2"], samples: int, draws: int, chunk: int
) -> tuple[Float[Array, "rows ..."], Float[Array, "draws rows ..."]]:
    """The missing entries given the observed ones: their means, and draws, by importance resampling.

    ``p(x_m|x_o) ≈ Σ_k w_k p(x_m|z_k)`` with ``w_k ∝ p(x_o, z_k)/q(z_k|x_o)`` (Mattei & Frellsen 2019, section 3.3),
    ``chunk`` draws of z at a time.
    """
    noise_key, choice, last = jax.random.split(as_key(key), 3)
    density, likelihood = model.posterior(rows), model.likelihood

    def add(carry, number):
        top, total, average = carry
        latent, log_q = density.moved(density.noise(jax.random.fold_in(noise_key, number), chunk, shared=True))
        outputs = model.decode(latent, rows.given)
        log_weights = likelihood.log_prob(outputs, rows.x) + model.log_prior(rows, latent) - log_q
        log_weights = jnp.where((number * chunk + jnp.arange(chunk) < samples)[:, None], log_weights, -jnp.inf)
        above = jnp.maximum(top, log_weights.max(axis=0))
        before, share = jnp.exp(top - above), jnp.exp(log_weights - above)
        part = jax.tree.map(lambda leaf: jnp.einsum("kn,kn...->n...", share, leaf), likelihood.moments(outputs, rows.x))
        average = jax.tree.map(lambda old, new: jnp.einsum("n,n...->n...", before, old) + new, average, part)
        return (above, before * total + share.sum(axis=0), average), (latent, log_weights)

    count = rows.x.shape[0]
    shapes = jax.eval_shape(lambda: likelihood.moments(model.decode(density.draw(noise_key, 1)[0], rows.given), rows.x))
    nothing = jax.tree.map(lambda leaf: jnp.zeros(leaf.shape[1:], leaf.dtype), shapes)
    begin = (jnp.full(count, -jnp.inf, jnp.float32), jnp.zeros(count, jnp.float32), nothing)
    (_, total, average), (latent, log_weights) = jax.lax.scan(add, begin, jnp.arange(-(-samples // chunk)))
    mean = likelihood.settled(jax.tree.map(lambda leaf: jnp.einsum("n,n...->n...", 1.0 / total, leaf), average))
    latent, log_weights = latent.reshape(-1, count, latent.shape[-1]), log_weights.reshape(-1, count)
    picked = jax.random.categorical(choice, log_weights, axis=0, shape=(draws, count))

    def drawn(number):
        outputs = model.decode(latent[picked[number], jnp.arange(count)], rows.given)
        return likelihood.sample_given(jax.random.fold_in(last, number), outputs, rows.x)

    gaps = jnp.isnan(rows.x)
    return jnp.where(gaps, mean, rows.x), jnp.where(gaps, jax.lax.map(drawn, jnp.arange(draws)), rows.x)


@compiled
def latent_shares(
    model: DeepLatent, rows: RowBatch, key: UInt32[Array, "2"]
) -> tuple[Float[Array, "rows dims"], Float[Array, " rows"], Float[Array, " rows"]]:
    """The KL of each latent dimension, and at a draw of z for each row ``log q(z|x)`` and ``log 1/N Σ_m q(z|x_m)``.

    Where the KL is not closed it is estimated by the draw, on one axis.
    """
    density = model.posterior(rows)
    z, log_q = density.draw(as_key(key), 1)
    own = log_q[0]
    kl = model.kl(rows, density)
    if kl is None:
        kl = (own - model.log_prior(rows, z)[0])[:, None]
    mixed = jax.lax.map(lambda one: jax.nn.logsumexp(density.log_prob(one[None])), z[0])
    return kl, own, mixed - math.log(rows.x.shape[0])
