"""Documents in a variational auto-encoder: a decoder that is nothing but topics, an encoder of counts, a likelihood.

The density of a document is that of its words in the order they stand in, so that scores are comparable with those of
latent Dirichlet allocation: there is no multinomial coefficient.
"""

from typing import Any, ClassVar, NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import scipy.sparse as sp
from jaxtyping import Bool, Float, Int, PRNGKeyArray, UInt32

from tacit.arrays import softmax, xp
from tacit.compute import Array, as_key, compiled
from tacit.models.vae.likelihoods import Likelihood
from tacit.models.vae.model import DeepLatent, RowBatch
from tacit.models.vae.networks import MLP

GAIN = 10.0
"""Nats that a weight of 1 stands for."""


class Documents(NamedTuple):
    """Sparse counts of documents as lines of one length: the numbers of words, and how often each stands there."""

    words: Int[Array, "rows longest"]
    counts: Float[Array, "rows longest"]
    """0 marks padding."""

    @classmethod
    def of(cls, counts: sp.csr_array, longest: int) -> "Documents":
        """Documents with at most ``longest`` different words each."""
        rows = counts.shape[0]
        lengths = np.diff(counts.indptr)
        places = np.arange(counts.nnz) - np.repeat(counts.indptr[:-1], lengths)
        lines = np.repeat(np.arange(rows), lengths)
        words, values = np.zeros((rows, longest), np.int32), np.zeros((rows, longest), np.float32)
        words[lines, places], values[lines, places] = counts.indices, counts.data
        return cls(words, values)


class Counted(eqx.Module):
    """From documents as they are stored to rows of counts, one number a word of the vocabulary."""

    vocabulary: int = eqx.field(static=True)

    def __call__(self, rows: Documents, key: PRNGKeyArray | None = None) -> RowBatch:
        lines = jnp.arange(rows.words.shape[0])[:, None]
        empty = jnp.zeros((rows.words.shape[0], self.vocabulary), jnp.float32)
        return RowBatch(empty.at[lines, rows.words].add(rows.counts))


class WordsLikelihood(Likelihood):
    """``Σ_w n_w log softmax(l)_w``: the words of a document, each drawn from one distribution, in their order."""

    measure: ClassVar[str] = "mass"

    def log_prob_each(self, outputs: Float[Array, "... outs"], x: Float[Array, "..."]) -> Float[Array, "..."]:
        return x * jax.nn.log_softmax(outputs[..., 0], axis=-1)

    def mean(self, outputs: Float[Array, "... outs"]) -> Float[Array, "..."]:
        """The share of every word."""
        return jax.nn.softmax(outputs[..., 0], axis=-1)

    def sample(self, key: PRNGKeyArray, outputs: Float[Array, "... outs"]) -> Float[Array, "..."]:
        """One word of a document, as an indicator."""
        logits = outputs[..., 0]
        return jax.nn.one_hot(jax.random.categorical(key, logits), logits.shape[-1], dtype=logits.dtype)

    def supports(self, x: Float[Array, "..."]) -> Bool[Array, "..."]:
        return (x >= 0) & (x == xp.floor(x)) & xp.isfinite(x)


class TopicDecoder(eqx.Module):
    """``l = m + 10 Wᵀ softmax(z)``: a product of experts, topics over the log of the words' overall shares.

    In place of the batch normalisation of Srivastava & Sutton 2017, m begins as the log shares of the corpus (Card, Tan
    & Smith 2018), and W is counted in tens of nats: with Adam's steps, which are of one size, topics then part from one
    another before the encoder has learned to do without them.
    """

    background: Float[Array, " words"]
    weights: Float[Array, "topics words"]

    def __call__(self, z: Float[Array, " topics"]) -> Float[Array, "words 1"]:
        return (self.background + GAIN * (jax.nn.softmax(z) @ self.weights))[:, None]

    def topics(self) -> Float[Array, "topics words"]:
        """``p(w|k)`` of a document of one topic alone."""
        return softmax(self.background + GAIN * self.weights)


class CountEncoder(eqx.Module):
    """A network of ``log(1 + n_w)``."""

    network: MLP

    def __call__(self, x: Float[Array, " words"]) -> Float[Array, " out"]:
        return self.network(jnp.log1p(x))


@compiled
def topic_shares(
    model: DeepLatent, documents: Documents, key: UInt32[Array, "2"], draws: int
) -> Float[Array, "rows topics"]:
    """``E_q softmax(z)`` of every document, over draws whose noise is the same for all of them."""
    density = model.posterior(_counted(model, documents))
    latent, _ = density.moved(density.noise(as_key(key), draws, shared=True))
    return jax.nn.softmax(latent, axis=-1).mean(axis=0)


@compiled
def word_shares(
    model: DeepLatent, documents: Documents, key: UInt32[Array, "2"], draws: int
) -> Float[Array, "rows words"]:
    """``E_q p(w|z)``, what the next word of every document is expected to be."""

    def add(total, number):
        noise = density.noise(jax.random.fold_in(base, number), 1, shared=True)
        latent, _ = density.moved(noise)
        return total + model.likelihood.mean(model.decode(latent[0])), None

    base, rows = as_key(key), _counted(model, documents)
    density = model.posterior(rows)
    total, _ = jax.lax.scan(add, jnp.zeros_like(rows.x), jnp.arange(draws))
    return total / draws


def _counted(model: DeepLatent, documents: Documents) -> RowBatch:
    decoder: Any = model.decoder
    return Counted(decoder.background.shape[0])(documents)
