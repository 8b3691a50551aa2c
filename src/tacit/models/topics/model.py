"""Latent Dirichlet allocation as a model of the closed-form driver (Blei, Ng & Jordan 2003).

    p(w, z, θ, β) = ∏_k Dir(β_k | η_k) ∏_d Dir(θ_d | α) ∏_n θ_{d z_dn} β_{z_dn w_dn}
    q = ∏_k Dir(β_k | λ_k) ∏_d Dir(θ_d | γ_d) ∏_n q(z_dn)

The bound is that of log p(w | α, η), complete with every constant; a document is the sequence of its words.

The concentrations of Dirichlet distributions by maximum likelihood: Newton's method in linear time.

The log-likelihood is concave and its Hessian is a diagonal plus a constant, so that a step takes no longer than the
gradient (Minka 2000, "Estimating a Dirichlet distribution"). Steps are cut so that all stay positive, and halved until
the likelihood rises: it never falls.

What is told of fitted topics, and the local step for new documents, on the host: nothing has to be compiled.
"""

from typing import ClassVar, NamedTuple, Self

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jax.scipy.special import polygamma
from jaxtyping import Bool, Float, Int, PyTree
from scipy.special import gammaln, psi

from tacit.compute import Array
from tacit.models.topics.gammas import digamma, log_gamma, ordered_sum
from tacit.models.topics.local import DocumentSchedule, DocumentStep, Statistics
from tacit.spaces import Spaces

STEPS = 30
HALVINGS = 12
SMALLEST = 1e-4
"""The least concentration: below it a level that never occurs would be all but impossible."""
NEAR = 1e-10
"""Relative change below which the maximum is reached."""


class _Climb(NamedTuple):
    number: Int[Array, ""]
    values: Float[Array, " levels"]
    moving: Bool[Array, ""]


def newton(
    values: Float[Array, " levels"],
    logs: Float[Array, " levels"],
    known: Float[Array, "groups levels"],
    weight: Float[Array, ""],
    *,
    tied: bool = False,
) -> Float[Array, " levels"]:
    """The maximum over a of ``Σ_g w [log Γ(Σ_l a_l + b_gl) − Σ_l log Γ(a_l + b_gl)] + Σ_l a_l s_l``.

    Args:
        values: where to begin; all positive.
        logs: ``s``, the summed ``E log π_l`` of all distributions.
        known: ``b``, what is added to the concentrations of each group of distributions.
        weight: distributions of a group.
        tied: one concentration for all levels.
    """

    def likelihood(a):
        full = (a + known).T
        normalizer = jnp.sum(log_gamma(ordered_sum(full)) - ordered_sum(log_gamma(full)))
        return weight * normalizer + ordered_sum(a * logs)

    def direction(a):
        full = a + known
        total = ordered_sum(full.T)
        gradient = weight * (jnp.sum(digamma(total)) - jnp.sum(digamma(full), axis=0)) + logs
        diagonal = -weight * jnp.sum(polygamma(1, full), axis=0)
        shared = weight * jnp.sum(polygamma(1, total))
        if tied:
            bend = ordered_sum(diagonal) + a.size**2 * shared
            return jnp.full_like(a, -ordered_sum(gradient) / bend)
        # (diag q + z 11ᵀ)⁻¹ g by the matrix inversion lemma
        pull = ordered_sum(gradient / diagonal) / (1.0 / shared + ordered_sum(1.0 / diagonal))
        return -(gradient - pull) / diagonal

    def climb(state):
        number, a, _ = state
        way = direction(a)
        way = way * jnp.minimum(1.0, 0.9 / jnp.maximum(jnp.max(-way / a), 1e-300))
        here = likelihood(a)

        def lower(carry):
            halvings, size = carry
            there = likelihood(jnp.maximum(a + size * way, SMALLEST))
            return (halvings < HALVINGS) & ~(there >= here)

        halvings, size = jax.lax.while_loop(lower, lambda c: (c[0] + 1, 0.5 * c[1]), (0, jnp.ones(())))
        after = jnp.where(halvings < HALVINGS, jnp.maximum(a + size * way, SMALLEST), a)
        return _Climb(number + 1, after, jnp.max(jnp.abs(after - a) / a) > NEAR)

    def going(state):
        return state.moving & (state.number < STEPS)

    return jax.lax.while_loop(going, climb, _Climb(jnp.asarray(0), values, jnp.asarray(True))).values


class TopicModel(eqx.Module):
    """What is known of K topics: ``q(β_k) = Dir(λ_k)``, and the priors."""

    spaces: ClassVar[Spaces] = {
        "concentrations": "positive",
        "document_prior": "positive",
        "word_prior": "positive",
        "seeds": "any",
    }

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


class TopicsSummary(NamedTuple):
    """What is told of topics."""

    means: Float[np.ndarray, "topics words"]
    """``E β``."""
    logs: Float[np.ndarray, "topics words"]
    """``E log β``."""
    divergence: float
    """``Σ_k KL(q(β_k) ‖ p(β_k))``, in nats."""


def summary(model: TopicModel) -> TopicsSummary:
    """What is told of topics."""
    found = np.asarray(model.concentrations)
    prior = np.broadcast_to(np.asarray(model.prior), found.shape)
    logs = psi(found) - psi(found.sum(0))
    parts = (found - prior) * logs - gammaln(found) + gammaln(prior)
    divergence = parts.sum() + gammaln(found.sum(0)).sum() - gammaln(prior.sum(0)).sum()
    return TopicsSummary((found / found.sum(0)).T, logs.T, float(divergence))


def local_step(model: TopicModel) -> DocumentStep:
    """The local step in double precision, as ``model.prepare`` makes it inside the engine."""
    told = summary(model)
    logs = np.log(told.means.T) if model.schedule.point else told.logs.T
    scale = logs.max(axis=1)
    return DocumentStep(np.exp(logs - scale[:, None]), scale, model.document_prior, model.schedule, single=False)
