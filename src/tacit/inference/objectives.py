"""What a stochastic fit follows: estimates of bounds on ``log p(x)``, each made of the same named terms.

An objective sees a model, a batch of rows and a key; it gives a number a row to be raised (its gradient is the one to
follow), and the named terms. ``elbo``, ``reconstruction`` and ``kl`` are always among the terms, so that fits by
different objectives can be compared (``elbo = reconstruction − kl``, in nats a row).
"""

import abc
import math
from collections.abc import Mapping
from typing import Literal, NamedTuple, Protocol

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Float, PRNGKeyArray, PyTree

from tacit.compute import Array
from tacit.families.transformed import Reparameterised

Terms = dict[str, Float[Array, " rows"]]
"""Named parts of a bound, a number a row, in nats."""


class Batch(NamedTuple):
    """What an objective is given beside the model."""

    rows: PyTree
    weights: Float[Array, " rows"]
    """0 marks padding."""
    key: PRNGKeyArray
    """Spent by the objective."""
    warmth: Float[Array, ""]
    """What multiplies the KL while the fit warms up, from 0 to 1."""


class LatentVariable(Protocol):
    """A model ``p(x, z) = p(z) p(x|z)`` with an approximate posterior."""

    def posterior(self, rows: PyTree) -> Reparameterised:
        """``q(z|x)`` of every row."""

    def log_likelihood(self, rows: PyTree, latent: PyTree) -> Float[Array, "*draws rows"]:
        """``log p(x|z)``."""

    def log_prior(self, rows: PyTree, latent: PyTree) -> Float[Array, "*draws rows"]:
        """``log p(z)``."""

    def kl(self, rows: PyTree, posterior: Reparameterised) -> Float[Array, "rows dims"] | None:
        """``KL(q(z|x) ‖ p(z))`` of each latent dimension where it has a closed form, else None."""

    def prior_sample(self, rows: PyTree, key: PRNGKeyArray, number: int) -> Float[Array, "draws dims"]:
        """Draws of z from the prior."""


class HasDensity(Protocol):
    """A model whose density is known in closed form."""

    def log_prob(self, rows: PyTree) -> Float[Array, " rows"]:
        """``log p(x)``."""


class Objective(eqx.Module):
    """What is raised."""

    @abc.abstractmethod
    def __call__(self, model: PyTree, batch: Batch) -> tuple[Float[Array, " rows"], Terms]:
        """What is to be raised by a model at its current parameters, a number a row, and the terms."""

    def bound(self) -> "Objective":
        """What held-out rows are measured by to choose the best parameters: the plain evidence lower bound."""
        return Elbo()

    def words(self, figures: Mapping[str, float]) -> str:
        """What is told of a running fit beside the bound, from the terms a row."""
        return f"reconstruction {figures['reconstruction']:.3f}, KL {figures['kl']:.3f}"


def frozen(tree: PyTree) -> PyTree:
    """The same values, through which no gradient flows."""
    return jax.tree.map(lambda leaf: jax.lax.stop_gradient(leaf) if eqx.is_inexact_array(leaf) else leaf, tree)


class _Split(NamedTuple):
    latent: PyTree
    posterior: Reparameterised
    log_q: Float[Array, "draws rows"]
    log_likelihood: Float[Array, "draws rows"]
    kl: Float[Array, "rows dims"]
    """Estimated by the draws, on one axis, where it is not closed."""


def _split(model: LatentVariable, batch: Batch, samples: int) -> _Split:
    posterior = model.posterior(batch.rows)
    latent, log_q = posterior.draw(batch.key, samples)
    log_likelihood = model.log_likelihood(batch.rows, latent)
    kl = model.kl(batch.rows, posterior)
    if kl is None:
        kl = (log_q - model.log_prior(batch.rows, latent)).mean(0)[:, None]
    return _Split(latent, posterior, log_q, log_likelihood, kl)


def _terms(reconstruction: Array, kl: Array, **more: Array) -> Terms:
    return {"elbo": reconstruction - kl, "reconstruction": reconstruction, "kl": kl, **more}


class Elbo(Objective):
    """``E_q log p(x|z) − β KL(q(z|x) ‖ p(z))``, by S draws; the KL in closed form where there is one.

    β = 1 is the evidence lower bound (Kingma & Welling 2014); β ≠ 1 is the β-VAE (Higgins et al. 2017). With
    ``free_bits`` λ, no latent dimension is paid less than λ nats for, on the average of the batch (Kingma et al. 2016,
    appendix C.8). ``capacity`` C charges ``β |KL − C|`` instead (Burgess et al. 2018).
    """

    samples: int = eqx.field(static=True, default=1)
    beta: Float[Array, ""] | float = 1.0
    free_bits: float = eqx.field(static=True, default=0.0)
    capacity: float | None = eqx.field(static=True, default=None)

    def __call__(self, model: LatentVariable, batch: Batch) -> tuple[Float[Array, " rows"], Terms]:
        split = _split(model, batch, self.samples)
        kl, reconstruction, total = split.kl, split.log_likelihood.mean(0), split.kl.sum(1)
        charged = total
        if self.free_bits > 0:
            average = batch.weights @ kl / jnp.maximum(batch.weights.sum(), 1e-30)
            # where the average is below λ the charge is constant: no gradient
            charged = jnp.where(average > self.free_bits, kl, jax.lax.stop_gradient(kl)).sum(1)
        if self.capacity is not None:
            charged = jnp.abs(total - self.capacity)
        return reconstruction - self.beta * batch.warmth * charged, _terms(reconstruction, total)

    def bound(self) -> "Objective":
        """The same, with one draw: what β, free bits or a capacity ask for is not what the plain bound prefers."""
        return Elbo(1, self.beta, self.free_bits, self.capacity)


class LogDensity(Objective):
    """``log p(x)`` itself, of a model that has it in closed form: maximum likelihood, a bound without a gap."""

    def __call__(self, model: HasDensity, batch: Batch) -> tuple[Float[Array, " rows"], Terms]:
        exact = model.log_prob(batch.rows)
        return exact, _terms(exact, jnp.zeros_like(exact))

    def bound(self) -> "Objective":
        """The same."""
        return self

    def words(self, figures: Mapping[str, float]) -> str:
        """Nothing: the log-density has no parts."""
        return ""


class ImportanceWeighted(Objective):
    """``E log (1/K) Σ_k p(x, z_k)/q(z_k|x)`` (Burda et al. 2016): tighter with every draw.

    ``gradient`` "reparameterised" follows the plain one; "sticking-the-landing" leaves out the score of q (Roeder et
    al. 2017: less noise where q is near the posterior, biased for K > 1); "doubly-reparameterised" is unbiased and its
    signal grows with K (Tucker et al. 2019). The bound with K = 1 and "sticking-the-landing" is the ELBO with the KL
    estimated by the draw.
    """

    samples: int = eqx.field(static=True, default=5)
    gradient: Literal["reparameterised", "sticking-the-landing", "doubly-reparameterised"] = eqx.field(
        static=True, default="doubly-reparameterised"
    )

    def __call__(self, model: LatentVariable, batch: Batch) -> tuple[Float[Array, " rows"], Terms]:
        split, rows, warmth = _split(model, batch, self.samples), batch.rows, batch.warmth
        latent, log_q = split.latent, split.log_q
        if self.gradient != "reparameterised":
            log_q = frozen(split.posterior).log_prob(latent)
        log_weights = split.log_likelihood - warmth * (log_q - model.log_prior(rows, latent))
        bound = jax.nn.logsumexp(log_weights, axis=0) - math.log(self.samples)
        terms = _terms(split.log_likelihood.mean(0), split.kl.sum(1), iwae=bound)
        if self.gradient != "doubly-reparameterised":
            return bound, terms
        share = jax.lax.stop_gradient(jax.nn.softmax(log_weights, axis=0))
        still, fixed = jax.lax.stop_gradient(latent), frozen(model)
        # the decoder's gradient at draws that stand still, and the draws' own under squared shares
        decoder = model.log_likelihood(rows, still) + warmth * model.log_prior(rows, still)
        path = fixed.log_likelihood(rows, latent) + warmth * (fixed.log_prior(rows, latent) - log_q)
        # where the KL counts for less than 1 the score of q does too, and less of it is turned into the path
        return (share * decoder + share * (1.0 - warmth + warmth * share) * path).sum(0), terms


class Renyi(Objective):
    """``1/(1−α) log E_q (p(x, z)/q(z|x))^{1−α}`` by S draws (Li & Turner 2016): α → 1 is the ELBO, α = 0 is IWAE's."""

    samples: int = eqx.field(static=True, default=5)
    alpha: float = eqx.field(static=True, default=0.5)

    def __call__(self, model: LatentVariable, batch: Batch) -> tuple[Float[Array, " rows"], Terms]:
        split = _split(model, batch, self.samples)
        log_prior = model.log_prior(batch.rows, split.latent)
        log_weights = split.log_likelihood + batch.warmth * (log_prior - split.log_q)
        if self.alpha == 1.0:
            bound = log_weights.mean(0)
        else:
            power = 1.0 - self.alpha
            bound = (jax.nn.logsumexp(power * log_weights, axis=0) - math.log(self.samples)) / power
        return bound, _terms(split.log_likelihood.mean(0), split.kl.sum(1), renyi=bound)


class TotalCorrelation(Objective):
    """``E_q log p(x|z) − I(x; z) − β TC(z) − Σ_j KL(q(z_j) ‖ p(z_j))``, the β-TCVAE (Chen et al. 2018).

    The aggregate posterior of the batch is estimated with mini-batch weighting, for ``size`` rows in all. It asks for
    a posterior that factorises over the latent dimensions and a prior that does.
    """

    beta: float = eqx.field(static=True, default=6.0)
    size: int | None = eqx.field(static=True, default=None)

    def __call__(self, model: LatentVariable, batch: Batch) -> tuple[Float[Array, " rows"], Terms]:
        split = _split(model, batch, 1)
        # [rows, rows, dims]: z of one row under q of another
        pairs = split.posterior.log_prob_each(split.latent[0][:, None, :])
        if pairs is None:
            raise ValueError("the total correlation needs a posterior that factorises: posterior='diagonal'")
        present = jnp.where(batch.weights > 0, 0.0, -jnp.inf)[None, :]
        log_size = jnp.log(jnp.maximum((batch.weights > 0).sum(), 1) * (self.size or 1.0))
        joint = jax.nn.logsumexp(pairs.sum(-1) + present, axis=1) - log_size
        apart = (jax.nn.logsumexp(pairs + present[..., None], axis=1) - log_size).sum(-1)
        correlation = joint - apart
        total = split.log_q[0] - model.log_prior(batch.rows, split.latent)[0]
        reconstruction = split.log_likelihood[0]
        raised = reconstruction - batch.warmth * (total + (self.beta - 1.0) * correlation)
        return raised, _terms(reconstruction, split.kl.sum(1), total_correlation=correlation)


class MaximumMeanDiscrepancy(Objective):
    """``E_q log p(x|z) − (1−α) KL − (α+λ−1) MMD²(q(z) ‖ p(z))``, the InfoVAE (Zhao, Song & Ermon 2019).

    The discrepancy is between the batch's draws and as many of the prior, with the inverse multiquadratic kernel
    ``Σ_s s/(s + ‖z − z'‖²)``, s in {½, 1, 2} × 2 dims.
    """

    weight: float = eqx.field(static=True, default=1000.0)
    alpha: float = eqx.field(static=True, default=0.0)

    def __call__(self, model: LatentVariable, batch: Batch) -> tuple[Float[Array, " rows"], Terms]:
        draw, other = jax.random.split(batch.key)
        split = _split(model, batch._replace(key=draw), 1)
        z = split.latent[0]
        ideal = model.prior_sample(batch.rows, other, z.shape[0])
        share = batch.weights / jnp.maximum(batch.weights.sum(), 1e-30)
        gap = (
            share @ _kernel(z, z) @ share
            + share @ _kernel(ideal, ideal) @ share
            - 2.0 * share @ _kernel(z, ideal) @ share
        )
        reconstruction, total = split.log_likelihood[0], split.kl.sum(1)
        charged = (1.0 - self.alpha) * total + (self.alpha + self.weight - 1.0) * gap
        raised = reconstruction - batch.warmth * charged
        return raised, _terms(reconstruction, total, mmd=jnp.broadcast_to(gap, total.shape))


def _kernel(a: Float[Array, "n dims"], b: Float[Array, "m dims"]) -> Float[Array, "n m"]:
    distance = jnp.sum((a[:, None] - b[None]) ** 2, -1)
    sizes = [2.0 * a.shape[1] * factor for factor in (0.5, 1.0, 2.0)]
    return sum((size / (size + distance) for size in sizes), jnp.zeros(()))


class ScoreFunction(Objective):
    """The ELBO where z cannot be reparameterised: ``E_q[(f − b) ∇ log q + ∇ f]``, ``f = log p(x, z) − log q(z|x)``.

    The baseline b of a draw is the average of f over the others (Kool, van Hoof & Welling 2019; Mnih & Rezende 2016),
    so at least two draws are taken.

    Raises:
        ValueError: one draw with a baseline.
    """

    samples: int = eqx.field(static=True, default=4)
    baseline: bool = eqx.field(static=True, default=True)

    def __call__(self, model: LatentVariable, batch: Batch) -> tuple[Float[Array, " rows"], Terms]:
        posterior, rows = model.posterior(batch.rows), batch.rows
        latent = jax.lax.stop_gradient(posterior.draw(batch.key, self.samples)[0])
        log_q = posterior.log_prob(latent)
        log_likelihood = model.log_likelihood(rows, latent)
        difference = log_q - model.log_prior(rows, latent)
        value = log_likelihood - batch.warmth * difference
        level = (value.sum(0, keepdims=True) - value) / (self.samples - 1) if self.baseline else 0.0
        score = jax.lax.stop_gradient(value - level) * log_q
        # ∇ E_q[f] = E_q[f ∇ log q] + E_q[∇ f]; the value returned is f itself
        raised = (value + score - jax.lax.stop_gradient(score)).mean(0)
        kl = model.kl(rows, posterior)
        return raised, _terms(log_likelihood.mean(0), difference.mean(0) if kl is None else kl.sum(1))

    def __check_init__(self) -> None:
        if self.baseline and self.samples < 2:
            raise ValueError(f"a leave-one-out baseline needs at least two draws, got samples={self.samples}")
