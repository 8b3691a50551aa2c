"""Logistic regression by black-box inference: its log-joint, and the fit of a guide by a stochastic gradient.

The guide moves coordinates in which the posterior of some rows (Laplace's) is a standard normal, so one learning rate
suits every table; what a mini-batch says is taken relative to its own Taylor terms at that posterior's mode.
"""

from typing import Any, NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Float, PRNGKeyArray

from tacit.arrays import softmax
from tacit.compute import Array, single_precision
from tacit.data.dataset import MadeRows
from tacit.data.single_rows import SingleRows
from tacit.families.bijections import DiagonalAffine, TriangularAffine
from tacit.families.transformed import Gaussian
from tacit.inference.begin import Expansion, Whitening
from tacit.inference.black_box import BlackBox, Estimator, Guided
from tacit.inference.closed_form import Sums
from tacit.inference.rounds import RESIDENT_BYTES
from tacit.inference.settling import Settle
from tacit.inference.stochastic import Batches, as_stored
from tacit.inference.train import TrainConfig, Trained, train
from tacit.models.regression.coefficients import CoefficientPrior, Coefficients, design
from tacit.models.regression.fitting import RegressionTable, total
from tacit.models.regression.logistic import LogisticRegression
from tacit.models.regression.surrogates import log_prob

WHOLE_ROWS = 4096
"""Up to so many rows every step sees all of them."""
BATCH_ROWS = 1024
APART = 1.0
"""How far from the first restart's begin the others', in posterior standard deviations."""


class LogisticJoint(eqx.Module):
    """``log p(v)`` and ``log p(y_n|x_n, v)`` at whitened coordinates of the coefficients v."""

    prior: CoefficientPrior
    contrast: Float[Array, "classes units"]
    whitening: Whitening
    expansion: Expansion | None

    def __call__(
        self, theta: Float[Array, " size"], rows: tuple[Float[Array, "rows dims"], Float[Array, " rows"]]
    ) -> tuple[Float[Array, ""], Float[Array, " rows"]]:
        units = self.contrast.shape[1]
        known, labels = design(rows[0], self.prior.intercept), rows[1]

        def likelihood(at):
            return log_prob(self.contrast, known @ self.whitening(at).reshape(units, -1).T, labels)

        each = likelihood(theta) if self.expansion is None else self.expansion(likelihood, theta)
        log_prior = self.prior.log_prob(self.whitening(theta).reshape(units, -1))
        return log_prior + self.whitening.log_det().astype(theta.dtype), each


class SlopeStep(eqx.Module):
    """``Σ_n w_n log p(y_n|x_n, v)`` and its gradient."""

    mean: Float[Array, "units columns"]
    contrast: Float[Array, "classes units"]
    intercept: bool = eqx.field(static=True)

    def __call__(
        self, rows: Float[Array, "rows dims"], weights: Float[Array, " rows"], key: PRNGKeyArray | None
    ) -> Sums:
        known, labels = design(rows[:, :-1], self.intercept), rows[:, -1]
        scores = known @ self.mean.T
        seen = (labels[:, None] == np.arange(self.contrast.shape[0])).astype(scores.dtype)
        away = (seen - softmax(scores @ self.contrast.T)) @ self.contrast
        return Sums((weights[:, None] * away).T @ known, weights @ log_prob(self.contrast, scores, labels))


class Ascent(NamedTuple):
    """How a gradient is estimated and followed."""

    estimator: Estimator
    samples: int
    batch_size: int | None
    learning_rate: float
    max_steps: int
    label: str


class Risen(NamedTuple):
    """A fitted posterior and the course of its fit."""

    coefficients: Coefficients
    trained: Trained


def joint_around(begun: LogisticRegression, table: RegressionTable, *, quiet: bool) -> LogisticJoint:
    """The log-joint in coordinates where a posterior is a standard normal; ``quiet`` for mini-batches."""
    found = begun.coefficients
    factor = np.sqrt(found.variance.ravel()) if begun.mean_field else np.asarray(found.root())
    whitening = Whitening(np.asarray(found.mean).ravel(), factor)
    contrast = np.asarray(begun.surrogate.contrast)
    expansion = None
    if quiet:
        step = SlopeStep(np.asarray(found.mean), contrast, begun.prior.intercept)
        sums, weight = total(step, table.source(), table.view), table.weights.sum()
        slope = np.asarray(sums.statistics).ravel() / weight
        turned = slope * factor if factor.ndim == 1 else factor.T @ slope
        expansion = Expansion(np.asarray(sums.bound) / weight, turned)
    return LogisticJoint(begun.prior, contrast, whitening, expansion)


def guide_of(begun: LogisticRegression, away: Float[np.ndarray, " size"]) -> Gaussian:
    """A standard normal of whitened coordinates, moved by ``away``."""
    at, zeros = jnp.asarray(away, jnp.float32), jnp.zeros(away.size, jnp.float32)
    return Gaussian(DiagonalAffine(at, zeros) if begun.mean_field else TriangularAffine(at, zeros, jnp.diag(zeros)))


def rise(begun: LogisticRegression, table: RegressionTable, ascent: Ascent, *, restart: int, seed: int) -> Risen:
    """Follow the gradient from the posterior ``begun``, or (``restart`` above 0) from a place at random near it."""
    number = int(np.count_nonzero(table.weights))
    batch = min(ascent.batch_size or (number if number <= WHOLE_ROWS else BATCH_ROWS), number)
    joint = joint_around(begun, table, quiet=batch < number)
    random = np.random.default_rng([seed, restart])
    away = APART * min(restart, 1) * random.standard_normal(np.asarray(begun.coefficients.mean).size)
    trained = _train(guide_of(begun, away), joint, table, ascent, batch, int(random.integers(2**31)))
    return Risen(_unwhitened(trained.model.guide, joint.whitening, begun), trained)


@single_precision
def _train(
    guide: Gaussian, joint: LogisticJoint, table: RegressionTable, ascent: Ascent, batch: int, seed: int
) -> Trained:
    shift, scale = np.asarray(table.view.shift)[:-1], np.asarray(table.view.scale)[:-1]
    scaled = MadeRows(table.rows, lambda part: (part - shift) / scale, scale.size)
    rows: Any = SingleRows(scaled).held(RESIDENT_BYTES)
    batches = Batches((rows, table.target.astype(np.float32)), np.asarray(table.weights, np.float32))
    steps = -(-int(np.count_nonzero(table.weights)) // batch)
    config = TrainConfig(
        BlackBox(ascent.samples, ascent.estimator),
        as_stored,
        max_epochs=-(-ascent.max_steps // steps),
        batch_size=batch,
        learning_rate=ascent.learning_rate,
        settle=Settle(),
        label=ascent.label,
    )
    lowered = jax.tree.map(lambda leaf: np.asarray(leaf, np.float32) if eqx.is_array(leaf) else leaf, joint)
    return train(Guided(guide, lowered, float(table.weights.sum())), batches, None, config, seed=seed)


def _unwhitened(guide: Gaussian, whitening: Whitening, begun: LogisticRegression) -> Coefficients:
    """The guide's moments as those of the coefficients, in double precision."""
    guide = jax.tree.map(lambda leaf: jnp.asarray(leaf, jnp.float64), guide)
    shape = begun.coefficients.mean.shape
    mean = whitening(guide.mean).reshape(shape)
    if begun.mean_field:
        scale = jnp.asarray(whitening.factor) * guide.scale
        return Coefficients.independent(mean, (scale**2).reshape(shape))
    factor = jnp.asarray(whitening.factor)
    return Coefficients.from_covariance(mean, factor @ guide.covariance() @ factor.T)
