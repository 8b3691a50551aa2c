"""Latent Dirichlet allocation as a model of the closed-form driver (Blei, Ng & Jordan 2003).

    p(w, z, θ, β) = ∏_k Dir(β_k | η_k) ∏_d Dir(θ_d | α) ∏_n θ_{d z_dn} β_{z_dn w_dn}
    q = ∏_k Dir(β_k | λ_k) ∏_d Dir(θ_d | γ_d) ∏_n q(z_dn)

The bound is that of log p(w | α, η), complete with every constant; a document is the sequence of its words.
"""

from typing import Self

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Bool, Float, PyTree

from tacit.compute import Array
from tacit.models.topics.concentrations import newton
from tacit.models.topics.gammas import digamma, log_gamma, ordered_sum
from tacit.models.topics.local import DocumentSchedule, DocumentStep, Statistics


class TopicModel(eqx.Module):
    """What is known of K topics: ``q(β_k) = Dir(λ_k)``, and the priors."""

    concentrations: Float[Array, "words topics"]
    """λ, a column a topic."""
    document_prior: Float[Array, " topics"]
    """α."""
    word_prior: Float[Array, " words"]
    """η, what all topics share of their prior."""
    seeds: Float[Array, "words topics"] | None
    """What seed words add to the prior of their topics; None without any."""
    schedule: DocumentSchedule
    learn_documents: str = eqx.field(static=True)
    """Whether α is learned: "no", "each" (one a topic) or "tied" (one for all)."""
    learn_words: str = eqx.field(static=True)
    """Whether η is: "no", "each" (one a word) or "tied"."""
    learning: Bool[Array, ""]
    """Whether priors that may be learned are learned now."""
    single: bool = eqx.field(static=True, default=False)
    """Whether local steps work in single precision."""

    @property
    def monotone(self) -> bool:
        """False: every iteration finds the topics of a document afresh, and may find them elsewhere."""
        return False

    @property
    def prior(self) -> Float[Array, "words topics_or_one"]:
        """η of every topic; one column where all are alike."""
        shared = self.word_prior[:, None]
        return shared if self.seeds is None else shared + self.seeds

    def expected_logs(self) -> Float[Array, "words topics"]:
        """``E log β``, in nats."""
        return digamma(self.concentrations) - digamma(ordered_sum(self.concentrations))

    def means(self) -> Float[Array, "words topics"]:
        """``E β``."""
        return self.concentrations / ordered_sum(self.concentrations)

    def topics(self) -> Float[Array, "topics words"]:
        """``p(w|k)``, lines that sum to one: ``E β``."""
        return self.means().T

    def prepare(self) -> DocumentStep:
        """Once an iteration: what the words say of the topics."""
        logs = jax.lax.cond(self.schedule.point, lambda: jnp.log(self.means()), lambda: self.expected_logs())
        scale = jnp.max(logs, axis=1)
        return DocumentStep(jnp.exp(logs - scale[:, None]), scale, self.document_prior, self.schedule, self.single)

    def m_step(self, statistics: Statistics) -> Self:
        """``λ = η + Σ n q(z)``, and α and η by Newton's method where they are learned."""
        changed = self._priors(statistics)
        return eqx.tree_at(lambda m: m.concentrations, changed, changed.prior + statistics.words)

    def _priors(self, statistics: Statistics) -> Self:
        alpha, eta = self.document_prior, self.word_prior
        if self.learn_documents != "no":

            def better_documents():
                known = jnp.zeros((1, alpha.shape[0]), alpha.dtype)
                tied = self.learn_documents == "tied"
                return newton(alpha, statistics.logs, known, statistics.documents, tied=tied)

            alpha = jax.lax.cond(self.learning, better_documents, lambda: alpha)
        if self.learn_words != "no":

            def better_words():
                found = self.prior + statistics.words
                logs = jnp.sum(digamma(found) - digamma(ordered_sum(found)), axis=1)
                known = jnp.zeros((1, eta.shape[0]), eta.dtype) if self.seeds is None else self.seeds.T
                weight = jnp.asarray(found.shape[1] / known.shape[0], eta.dtype)
                return newton(eta, logs, known, weight, tied=self.learn_words == "tied")

            eta = jax.lax.cond(self.learning, better_words, lambda: eta)
        return eqx.tree_at(lambda m: (m.document_prior, m.word_prior), self, (alpha, eta))

    def global_bound(self) -> Float[Array, ""]:
        """``−Σ_k KL(Dir(λ_k) ‖ Dir(η_k))``; at a point the log-density of β in the softmax basis."""
        return jax.lax.cond(self.schedule.point, lambda: self._log_prior(), lambda: -self.divergence())

    def divergence(self) -> Float[Array, ""]:
        """``Σ_k KL(q(β_k) ‖ p(β_k))``, in nats."""
        found, logs = self.concentrations, self.expected_logs()
        inner = ordered_sum((found - self.prior) * logs - log_gamma(found)) + log_gamma(ordered_sum(found))
        return jnp.sum(inner) - self._normalizer()

    def _normalizer(self) -> Float[Array, ""]:
        """``Σ_k log Γ(Σ_w η_kw) − Σ_w log Γ(η_kw)``."""
        prior = self.prior
        share = self.concentrations.shape[1] / prior.shape[1]
        return share * jnp.sum(log_gamma(ordered_sum(prior)) - ordered_sum(log_gamma(prior)))

    def _log_prior(self) -> Float[Array, ""]:
        return self._normalizer() + jnp.sum(ordered_sum(self.prior * jnp.log(self.means())))

    def absolute(self, statistics: PyTree) -> PyTree:
        """The statistics themselves: they have no origin."""
        return statistics

    def relative(self, statistics: PyTree) -> PyTree:
        """As above."""
        return statistics

    def feasible(self, statistics: Statistics) -> Bool[Array, ""]:
        """Whether extrapolated counts are all positive."""
        return jnp.all(statistics.words >= 0)
