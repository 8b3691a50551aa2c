"""How a deep model is fitted: parts from parameters, rows to learn from and rows held out, and what is told after."""

import warnings
from collections.abc import Sequence
from typing import Any

import jax
import numpy as np
from sklearn.base import DensityMixin, TransformerMixin
from sklearn.exceptions import ConvergenceWarning

from tacit.data.blocks import Standardise
from tacit.estimators.base import check_whole, read_weights, seed_of
from tacit.estimators.capabilities import Sweeps
from tacit.estimators.settings import Estimator
from tacit.estimators.stopping import stop_reason
from tacit.estimators.vae import parts
from tacit.estimators.vae.answers import DeepAnswers
from tacit.estimators.vae.networks import NetworkPlan, networks
from tacit.estimators.vae.rows import CHECKED, Conditions, Facts, read_deep_rows
from tacit.inference.closed_form import CONVERGED, NAN
from tacit.inference.loop import Trace
from tacit.inference.objectives import Objective
from tacit.inference.rounds import RESIDENT_BYTES
from tacit.inference.stochastic import padded, room
from tacit.inference.train import TrainConfig, Trained, train
from tacit.inference.watch import Printer, watch
from tacit.models.vae.model import DeepLatent, RowBatch
from tacit.models.vae.priors import VampPrior

STEPS = 10_000
"""Steps of a fit whose epochs are not set."""
LEAST_EPOCHS = 20
FEWEST_HELD_OUT, MOST_HELD_OUT = 5, 10_000


class DeepFit(DeepAnswers, Sweeps, TransformerMixin, DensityMixin, Estimator):
    """Fits ``model_`` by the parameters of the estimator, which are annotated here."""

    likelihood: Any
    posterior: Any
    prior: Any
    objective: Any
    network: str
    hidden: Sequence[int]
    channels: Sequence[int]
    activation: str
    encoder: Any
    decoder: Any
    max_epochs: int | None
    batch_size: int
    learning_rate: float
    schedule: str
    warm_up: float
    validation_fraction: float
    patience: int | None
    clip: float
    optimiser: Any
    verbose: int
    _passes: int
    _optimiser: list[np.ndarray] | None

    def _fit(self, X: Any, sample_weight: Any, given: Any, label: np.ndarray | None = None) -> None:
        x = read_deep_rows(self, X, reset=True)
        weights = np.array(read_weights(X, sample_weight))
        self.check_settings()
        random = seed_of(self.random_state)
        self.conditions_ = Conditions.of(given, x.shape[0])
        self._begin(x, random)
        rows = RowBatch(x, self.conditions_.encoded(given, x.shape[0]), label)
        self._finish(self._train(rows, weights, random), float(weights.sum()))

    def _fit_more(self, X: Any, sample_weight: Any, given: Any) -> None:
        fresh = "model_" not in vars(self)
        x = read_deep_rows(self, X, reset=fresh)
        weights = np.array(read_weights(X, sample_weight))
        random = seed_of(self.random_state)
        if fresh:
            self.check_settings()
            self.conditions_ = Conditions.of(given, x.shape[0])
            self._begin(x, random)
        self._check_values(self._deep_latent.likelihood, x)
        self._seen(x, weights, np.arange(x.shape[0]))
        config = self._course(1)._replace(max_epochs=1, cosine=False, warm_epochs=0.0, patience=None)
        batches = padded(RowBatch(x, self.conditions_.encoded(given, x.shape[0])), weights, room(x.shape[0]))
        seed = int(random.integers(2**31)) + self._passes
        trained = train(self.model_, batches, None, config, seed=seed, begun=self._optimiser)
        self._optimiser, self._passes = trained.optimiser, self._passes + 1
        self._finish(trained, float(weights.sum()))

    def _check_together(self) -> None:
        two = self.n_components
        if not isinstance(two, (tuple, list)):
            return check_whole("n_components", two, 1)
        if len(two) != 2:
            raise ValueError(f"n_components must be a number, or two of them for two levels, got {two!r}")
        for number in two:
            check_whole("each of n_components", number, 1)
        return None

    def _begin(self, x: np.ndarray, random: np.random.Generator) -> None:
        """The model before the first step, and the units it works in."""
        self._passes, self._optimiser = 0, None  # what only partial_fit keeps
        facts = Facts.of(x)
        likelihood = parts.choose_likelihood(self.likelihood, x, facts, self.binarize)
        self._cut = self.binarize is not None and not facts.binary
        self._levels = parts.is_levels(x, facts, likelihood, self.binarize)
        self.event_shape_ = x.shape[1:]
        real = parts.real_columns(likelihood, self.event_shape_)
        self.view_ = Standardise(
            np.where(real, facts.mean, 0.0).astype("f4"), np.where(real, facts.scale, 1.0).astype("f4")
        )
        self._check_values(likelihood, x)
        view = None if real.all() else self._view(facts, real)
        key = jax.random.key(int(random.integers(2**31)))
        few = np.asarray(self._reading(self.binarize)(RowBatch(x[: parts.PRIOR_COMPONENTS]), jax.random.key(1)).x)
        self.model_ = self._compose(likelihood, view, few, key)

    def _view(self, facts: Facts, real: np.ndarray) -> Standardise:
        """Rows as the encoder sees them: centred; counts, which may be large, scaled too."""
        unit = 255.0 if self._levels else 1.0
        small = (np.maximum(np.abs(facts.low), np.abs(facts.high))[~real] <= unit).all()
        scale = np.where(real | small, 1.0, facts.scale)
        return Standardise(np.where(real, 0.0, facts.mean / unit).astype("f4"), scale.astype("f4"))

    def _compose(self, likelihood: Any, view: Standardise | None, few: np.ndarray, key: Any) -> Any:
        """The model of these parts; ``few`` are rows as the likelihood takes them."""
        return self._latent(likelihood, view, few, key)

    def _latent(self, likelihood: Any, view: Standardise | None, few: np.ndarray, key: Any) -> DeepLatent:
        conditions = self.conditions_.width
        latent = tuple(self.n_components) if isinstance(self.n_components, list) else self.n_components
        key, prior_key, code_key = jax.random.split(key, 3)
        posterior = parts.choose_posterior(self._asked_posterior(), latent, self.hidden, self.activation, code_key)
        shape = {"hidden": self.hidden, "activation": self.activation, "key": prior_key}
        prior = parts.choose_prior(self.prior, posterior, latent, few, shape)
        if conditions and isinstance(prior, VampPrior):
            raise ValueError(
                "prior='vamp' has no pseudo-rows for what is given: take another prior, or leave given out"
            )
        plan = self._plan(latent, conditions, likelihood.shape(self.event_shape_))
        encoder, decoder = networks(plan, posterior, self.encoder, self.decoder, key)
        model = DeepLatent(encoder, decoder, prior, posterior, likelihood, view)
        nothing = np.zeros((few.shape[0], conditions), np.float32) if conditions else None
        return model.settled(few, nothing)

    def _plan(self, latent: Any, conditions: int, outputs: tuple[int, ...]) -> NetworkPlan:
        return NetworkPlan(
            self.event_shape_, latent, conditions, outputs, self.hidden, self.channels, self.activation, self.network
        )

    def _check_values(self, likelihood: Any, x: np.ndarray) -> None:
        for start in range(0, x.shape[0], CHECKED):
            self._check_part(likelihood, x[start : start + CHECKED], start)

    def _asked_posterior(self) -> Any:
        """What the user asked for; a model whose settings are of the posterior makes it."""
        return self.posterior

    def _objective(self) -> Objective:
        return parts.choose_objective(self._asked_objective(), self._deep_latent.posterior_kind)

    def _course(self, steps_an_epoch: int) -> TrainConfig:
        epochs = self.max_epochs or max(LEAST_EPOCHS, -(-STEPS // steps_an_epoch))
        return TrainConfig(
            self._objective(),
            self._reading(self.binarize),
            epochs,
            self.batch_size,
            float(self.learning_rate),
            self.schedule == "cosine",
            self.warm_up * epochs,
            self.patience,
            float(self.clip),
            self.optimiser,
            type(self).__name__,
        )

    def _train(self, rows: RowBatch, weights: np.ndarray, random: np.random.Generator) -> Trained:
        count = rows.x.shape[0]
        order = random.permutation(count)
        if rows.label is not None:  # few rows have labels: others are held out as long as there are any
            order = order[np.argsort(np.asarray(rows.label)[order] >= 0, kind="stable")]
        held, learn = held_out_rows(order, self.validation_fraction, weights)
        part = lambda index: jax.tree.map(lambda leaf: leaf[index], rows)  # noqa: E731
        held_out = padded(part(held), weights[held], room(held.size)) if weights[held].any() else None
        self._seen(np.asarray(rows.x), weights, learn if held_out is None else held)
        if rows.x.nbytes > RESIDENT_BYTES:  # never copied: what is held out has no weight among the rest
            weights[held] = 0.0
            batches = padded(rows, weights, count)
        else:
            batches = padded(part(learn), weights[learn], room(learn.size))
        config = self._course(-(-learn.size // self.batch_size))
        with watch(*([Printer(self.verbose)] if self.verbose else [])):
            return train(self.model_, batches, held_out, config, seed=int(random.integers(2**31)))

    def _seen(self, x: np.ndarray, weights: np.ndarray, measured: np.ndarray) -> None:
        """What the bound of some rows lacks to be that of the user's units: −log scale of every observed entry."""
        log_scale, self._change = np.log(np.asarray(self.view_.scale, np.float64)).ravel(), 0.0
        if not log_scale.any():
            return
        for start in range(0, measured.size, CHECKED):
            few = measured[start : start + CHECKED]
            self._change -= float(weights[few] @ (~np.isnan(x[few].reshape(few.size, -1)) @ log_scale))
        self._change /= float(weights[measured].sum())

    def _finish(self, trained: Trained, weight: float) -> None:
        self.model_, change = trained.model, self._change
        self.history_ = trained.trace
        bounds = trained.trace.get("held_out", trained.trace["elbo"])
        self.trace_ = Trace(trained.trace["epoch"], (bounds + change) * weight, trained.trace["seconds"])
        at = np.flatnonzero(trained.trace["step"] == trained.best_step)
        self.lower_bound_ = float(bounds[at[-1]] if at.size else np.nan) + change
        self.n_iter_ = int(trained.trace["epoch"][-1]) if trained.trace["epoch"].size else 0
        self.converged_ = trained.status == CONVERGED
        self.stop_reason_ = stop_reason(trained.status)
        if trained.status == NAN:
            warnings.warn(
                "the bound was no number, and half the rate was no cure: the best parameters before that are kept "
                f"(step {trained.best_step}). Lower learning_rate (it is {self.learning_rate}), or set clip=1.",
                ConvergenceWarning,
                stacklevel=5,
            )


def held_out_rows(order: np.ndarray, share: float, weights: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Which rows are held out, the first of a mixed order, and which are learned from, in the order they came in.

    None is held out where there are too few, or where all that counts would be.
    """
    kept = min(round(share * order.size), MOST_HELD_OUT)
    if kept < FEWEST_HELD_OUT or not weights[order[kept:]].any():
        kept = 0
    return order[:kept], np.sort(order[kept:])
