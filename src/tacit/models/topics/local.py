"""The local step of latent Dirichlet allocation: the topics of every document, given what is known of the words.

``q(θ_d) = Dir(γ_d)`` and ``q(z_dn = k) ∝ E_dk B_kw``. Variational Bayes has ``E_dk = exp E log θ_dk`` and
``B_kw = exp E log β_kw`` (Blei, Ng & Jordan 2003); at a point, ``E_dk = γ_dk`` and ``B_kw = E β_kw``: then θ is the
mode in the softmax basis (MacKay 1998), and the steps are those of the zero-order collapsed bound without the
exclusion of the word itself (Asuncion et al. 2009; Foulds et al. 2013). Either way ``γ_dk = α_k + Σ_w n_dw q(z = k)``.

A document is the sequence of its words: no probability here holds the multinomial coefficient of their order.
"""

from typing import NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Bool, Float, Int, PRNGKeyArray, PyTree

from tacit.compute import Array
from tacit.data.documents import Pages
from tacit.inference.closed_form import Sums
from tacit.models.topics.gammas import digamma, exp_digamma, log_gamma

TINY = {"float64": 1e-290, "float32": 1e-30}
"""What a word's probability is held above, so that nothing is divided by 0."""


class DocumentSchedule(NamedTuple):
    """How far the topics of a document are iterated, from equal ones; all traced."""

    point: Bool[Array, ""]
    """At a point; else variational Bayes."""
    first: Int[Array, ""]
    """Steps at a point, before the others if there are any."""
    steps: Int[Array, ""]
    """Most steps of variational Bayes."""
    tol: Float[Array, ""]
    """Mean absolute change of a document's γ below which it rests."""


class Mixed(NamedTuple):
    """What the documents of a page are found to be."""

    gamma: Float[Array, "documents topics"]
    tiled: Float[Array, "tiles topics"]
    """E of the document of every tile."""
    shares: Float[Array, "tiles length"]
    """``n_dw / Σ_k E_dk B_kw``."""


class Statistics(NamedTuple):
    """What documents leave behind; additive over documents."""

    words: Float[Array, "*starts words topics"]
    """``Σ_d n_dw q(z_dw = k)``."""
    logs: Float[Array, "*starts topics"]
    """``Σ_d E log θ_dk``."""
    documents: Float[Array, "*starts"]
    """Their number."""


class DocumentStep(eqx.Module):
    """The E-step; ``B`` is scaled by its largest entry in each word's row, ``scale`` is the log of that."""

    words: Float[Array, "words topics"]
    scale: Float[Array, " words"]
    prior: Float[Array, " topics"]
    schedule: DocumentSchedule
    single: bool = eqx.field(static=True)
    """Whether documents are worked on in single precision; what is summed over them is double."""

    def __call__(self, rows: Pages, weights: Float[Array, "pages documents"], key: PRNGKeyArray) -> Sums:
        """The statistics and the bound of some pages, in nats."""

        step, rows = self._narrowed(rows) if self.single else (self, rows)
        wide, kind = self.prior.dtype, step.words.dtype

        def page(carry, part):
            (words, logs, bound), (pages, weight) = carry, part
            mixed = step.mixed(pages, weight.shape[0])
            words = _added(words, pages.words, mixed)
            expected = digamma(mixed.gamma) - digamma(mixed.gamma.sum(1, keepdims=True))
            bounds = step.bounds(pages, mixed, expected)
            return (words, logs + weight @ expected.astype(wide), bound + weight @ bounds.astype(wide)), None

        empty = (jnp.zeros(self.words.shape, kind), jnp.zeros(self.prior.shape, wide), jnp.zeros((), wide))
        (words, logs, bound), _ = jax.lax.scan(page, empty, (rows, weights))
        return Sums(Statistics(words.astype(wide) * self.words, logs, weights.sum()), bound)

    def _narrowed(self, rows: Pages) -> tuple["DocumentStep", Pages]:
        """This step and its rows in single precision."""

        def narrow(tree: PyTree) -> PyTree:
            return jax.tree.map(lambda x: x.astype(jnp.float32) if jnp.issubdtype(x.dtype, jnp.floating) else x, tree)

        return narrow(self), narrow(rows)

    def mixed(self, pages: Pages, documents: int) -> Mixed:
        """The fixed point of every document of one page."""
        topics = self.words[pages.words]  # gathered once: [tiles, length, topics]
        member = (pages.slots == jnp.arange(documents)[:, None]).astype(topics.dtype)
        point, first, steps, tol = self.schedule

        def shares(tiled):
            norm = jnp.einsum("tlk,tk->tl", topics, tiled)
            return pages.counts / jnp.maximum(norm, TINY[norm.dtype.name])

        def step(gamma, weights):
            tiled = weights(gamma)[pages.slots]
            return self.prior + member @ (tiled * jnp.einsum("tlk,tl->tk", topics, shares(tiled)))

        def going(carry):
            number, _, change = carry
            return (number < steps) & (change > tol)

        def bayes(carry):
            number, gamma, _ = carry
            after = step(gamma, exp_digamma)
            return number + 1, after, jnp.max(jnp.mean(jnp.abs(after - gamma), axis=1))

        gamma = jnp.ones((documents, self.prior.shape[0]), topics.dtype)
        gamma = jax.lax.fori_loop(0, first, lambda _, g: step(g, lambda x: x), gamma)
        start = (jnp.zeros((), steps.dtype), gamma, jnp.asarray(jnp.inf, topics.dtype))
        gamma = jax.lax.while_loop(going, bayes, start)[1]
        tiled = jax.lax.cond(point, lambda g: g, exp_digamma, gamma)[pages.slots]
        return Mixed(gamma, tiled, shares(tiled))

    def bounds(
        self, pages: Pages, mixed: Mixed, expected: Float[Array, "documents topics"]
    ) -> Float[Array, " documents"]:
        """Each document's share of the bound.

        ``Σ_w n_w log Σ_k exp(E log θ_k + E log β_kw) − KL(Dir(γ) ‖ Dir(α))``, or at a point
        ``Σ_w n_w log Σ_k θ_k β_kw + log p(θ)``, the density being that of the softmax basis.
        """
        norm = pages.counts / jnp.where(mixed.shares > 0, mixed.shares, 1.0)
        seen = pages.counts > 0
        logs = jnp.where(seen, jnp.log(jnp.where(seen, norm, 1.0)) + self.scale[pages.words], 0.0)
        member = (pages.slots == jnp.arange(mixed.gamma.shape[0])[:, None]).astype(logs.dtype)
        both = jnp.stack([jnp.sum(pages.counts * logs, 1), jnp.sum(pages.counts, 1)], axis=1)
        likelihood, length = (member @ both).T
        total = mixed.gamma.sum(1)
        prior = log_gamma(self.prior.sum()[None])[0] - jnp.sum(log_gamma(self.prior))

        def at_a_point():
            theta = jnp.log(mixed.gamma / total[:, None])
            return likelihood - length * jnp.log(total) + prior + theta @ self.prior

        def bayes():
            entropy = jnp.sum(log_gamma(mixed.gamma) + (self.prior - mixed.gamma) * expected, 1) - log_gamma(total)
            return likelihood - length * digamma(total) + prior + entropy

        return jax.lax.cond(self.schedule.point, at_a_point, bayes)


def _added(
    total: Float[Array, "words topics"], words: Int[Array, "tiles length"], mixed: Mixed
) -> Float[Array, "words topics"]:
    """``Σ shares · E`` added to the rows of the words, one entry after the other: a scatter takes ten times as long."""
    length = words.shape[1]
    ids, shares = words.reshape(-1), mixed.shares.reshape(-1)

    def one(number, total):
        row = jax.lax.dynamic_slice_in_dim(total, ids[number], 1)
        row = row + shares[number] * jax.lax.dynamic_slice_in_dim(mixed.tiled, number // length, 1)
        return jax.lax.dynamic_update_slice_in_dim(total, row, ids[number], 0)

    return jax.lax.fori_loop(0, ids.size, one, total)
