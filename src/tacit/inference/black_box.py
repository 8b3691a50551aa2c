"""Black-box variational inference: the evidence lower bound of any log-joint under a guide q(θ), and its gradients.

    F(q) = E_q[ log p(θ) + Σ_n w_n log p(x_n|θ) − log q(θ) ]

by draws of θ, over mini-batches of rows: the driver averages over rows, so each is given its log-likelihood and the
share 1/N of what belongs to θ alone, N being the weight of all rows.
"""

from typing import Any, Literal, Protocol

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Float, PyTree

from tacit.compute import Array
from tacit.families.transformed import Reparameterised
from tacit.inference.objectives import Batch, Objective, Terms, frozen

Estimator = Literal[
    "reparameterised",
    "sticking-the-landing",
    "score-function",
    "score-function-control-variate",
    "score-function-leave-one-out",
]
ESTIMATORS: tuple[Estimator, ...] = (
    "reparameterised",
    "sticking-the-landing",
    "score-function",
    "score-function-control-variate",
    "score-function-leave-one-out",
)
"""How the gradient of the bound is estimated."""
LEAST_DRAWS = {"score-function-control-variate": 4, "score-function-leave-one-out": 2}
"""What the estimators that compare draws with one another need."""


class LogJoint(Protocol):
    """A model as black-box inference sees it; arrays that it holds (priors, hyper-parameters) do not move."""

    def __call__(self, theta: Float[Array, " dims"], rows: PyTree) -> tuple[Float[Array, ""], Float[Array, " rows"]]:
        """``log p(θ)`` on ℝᵈ, Jacobian included, and ``log p(x_n|θ)`` of every row, in nats."""


class Guided(eqx.Module):
    """A guide and the log-joint that it is to come near: what the gradient driver moves is the guide."""

    guide: Reparameterised
    joint: Any
    """A `LogJoint`."""
    size: float = eqx.field(static=True)
    """N, the weight of all rows."""


class BlackBox(Objective):
    """The bound of a `Guided` model, by S draws of θ that all rows of the batch share.

    ``estimator``: "reparameterised" moves noise through the guide (Kingma & Welling 2014), with the entropy in closed
    form where there is one; "sticking-the-landing" leaves the score of q out, and has no noise left where q is the
    posterior (Roeder et al. 2017). The score function needs no gradient of the model, at the price of noise:
    "score-function" is the plain one; "-control-variate" takes ``a_j ∇_j log q`` away from each coordinate, a_j
    estimated by the other half of the draws, which keeps it unbiased (Ranganath et al. 2014); "-leave-one-out" takes
    the mean of the other draws away from each (Mnih & Rezende 2016; Kool et al. 2019).

    Raises:
        ValueError: fewer draws than the estimator compares.
    """

    samples: int = eqx.field(static=True, default=8)
    estimator: Estimator = eqx.field(static=True, default="sticking-the-landing")

    def __check_init__(self) -> None:
        least = LEAST_DRAWS.get(self.estimator, 1)
        if self.samples < least:
            raise ValueError(f"{self.estimator!r} needs at least {least} draws, got samples={self.samples}")

    def __call__(self, model: Guided, batch: Batch) -> tuple[Float[Array, " rows"], Terms]:
        if self.estimator in ("reparameterised", "sticking-the-landing"):
            return self._reparameterised(model, batch)
        return self._by_score(model, batch)

    def _reparameterised(self, model: Guided, batch: Batch) -> tuple[Float[Array, " rows"], Terms]:
        guide = model.guide
        theta, log_q = guide.draw(batch.key, self.samples)
        entropy = guide.entropy()
        if self.estimator == "sticking-the-landing":
            log_q = frozen(guide).log_prob(theta)
        elif entropy is not None:
            log_q = jnp.broadcast_to(-entropy, log_q.shape)
        log_prior, log_likelihood = _each(model, theta, batch.rows)
        spare = log_prior - log_q
        raised = log_likelihood.mean(0) + batch.warmth * spare.mean() / model.size
        return raised, _terms(log_likelihood, spare, model.size)

    def _by_score(self, model: Guided, batch: Batch) -> tuple[Float[Array, " rows"], Terms]:
        guide = model.guide
        theta = jax.lax.stop_gradient(guide.draw(batch.key, self.samples)[0])
        log_q = guide.log_prob(theta)
        log_prior, log_likelihood = _each(model, theta, batch.rows)
        spare = log_prior - jax.lax.stop_gradient(log_q)
        share = batch.weights / jnp.maximum(batch.weights.sum(), 1e-30)
        value = jax.lax.stop_gradient(log_likelihood @ share + batch.warmth * spare / model.size)
        if self.estimator == "score-function-control-variate":
            slope = _controlled(guide, theta, value)
            surrogate = sum(jnp.vdot(p, s) for p, s in zip(_parameters(guide), jax.tree.leaves(slope), strict=True))
        else:
            level = (value.sum() - value) / (self.samples - 1) if self.estimator != "score-function" else 0.0
            surrogate = ((value - level) * log_q).mean()
        raised = value.mean() + surrogate - jax.lax.stop_gradient(surrogate)
        terms = _terms(log_likelihood, spare, model.size)
        return jnp.broadcast_to(raised, batch.weights.shape), terms


def _each(
    model: Guided, theta: Float[Array, "draws dims"], rows: PyTree
) -> tuple[Float[Array, " draws"], Float[Array, "draws rows"]]:
    joint = frozen(model.joint)
    return jax.vmap(lambda one: joint(one, rows))(theta)


def _terms(log_likelihood: Float[Array, "draws rows"], spare: Float[Array, " draws"], size: float) -> Terms:
    reconstruction = log_likelihood.mean(0)
    kl = jnp.broadcast_to(-spare.mean() / size, reconstruction.shape)
    return {"elbo": reconstruction - kl, "reconstruction": reconstruction, "kl": kl}


def _parameters(guide: Reparameterised) -> list[Array]:
    return jax.tree.leaves(eqx.filter(guide, eqx.is_inexact_array))


def _controlled(guide: Reparameterised, theta: Float[Array, "draws dims"], value: Float[Array, " draws"]) -> PyTree:
    """``E[(f − a_j) ∇_j log q]``, with a_j from the half of the draws to which a draw does not belong."""
    moving, still = eqx.partition(frozen(guide), eqx.is_inexact_array)

    def score(one):
        return jax.grad(lambda parameters: eqx.combine(parameters, still).log_prob(one))(moving)

    scores = jax.vmap(score)(theta)
    half = value.shape[0] // 2

    def coordinate(h):
        f = value.reshape(-1, *(1,) * (h.ndim - 1))
        levels = []
        for part in (slice(half, None), slice(None, half)):
            square = jnp.mean(h[part] ** 2, 0)
            levels.append(jnp.mean(f[part] * h[part] ** 2, 0) / jnp.where(square > 0, square, 1.0))
        first, second = levels
        return ((f[:half] - first) * h[:half]).sum(0) / value.shape[0] + ((f[half:] - second) * h[half:]).sum(
            0
        ) / value.shape[0]

    return jax.tree.map(coordinate, scores)
