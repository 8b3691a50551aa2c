"""How a deep model is fitted: parts from parameters, rows to learn from and rows held out, and what is told after."""

from collections.abc import Sequence
from typing import Any

import jax
import numpy as np
from jaxtyping import PRNGKeyArray
from numpy.typing import ArrayLike
from sklearn.base import DensityMixin

from tacit.compute import single_precision
from tacit.data.blocks import Standardise
from tacit.estimators.base import check_whole, seed_of, weights_of
from tacit.estimators.capabilities import MatrixLike, Sweeps
from tacit.estimators.gradient_fit import GradientFit, Split
from tacit.estimators.vae import parts
from tacit.estimators.vae.answers import DeepAnswers
from tacit.estimators.vae.networks import NetworkPlan, networks
from tacit.estimators.vae.rows import CHECKED, Conditions, DeepRows, Facts, read_deep_rows
from tacit.inference.objectives import Objective
from tacit.inference.stochastic import padded, room
from tacit.inference.train import TrainConfig, Trained, train
from tacit.models.vae.likelihoods import Likelihood
from tacit.models.vae.model import DeepLatent, RowBatch, rehearsed
from tacit.models.vae.priors import VampPrior

STEPS = 10_000
"""Steps of a fit whose epochs are not set."""
LEAST_EPOCHS = 20


class DeepFit(DeepAnswers, Sweeps, DensityMixin, GradientFit):
    """Fits ``model_`` by the parameters of the estimator, which are annotated here."""

    @property
    def _n_features_out(self) -> int:
        return int(self._width)

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
    clip: float
    schedule: str
    optimiser: Any
    _passes: int
    _optimiser: list[np.ndarray] | None

    @single_precision
    def rehearsal(self) -> str | None:
        for name in ("shift", "scale"):
            shape = np.shape(getattr(self.view_, name))
            if shape != tuple(self.event_shape_):
                return f"view_.{name} should be of rows of the shape {self.event_shape_}, and has the shape {shape}"
        return rehearsed(self._deep_latent, self.event_shape_, self.conditions_.width)

    def _fit(
        self, X: MatrixLike, sample_weight: ArrayLike | None, given: ArrayLike | None, label: np.ndarray | None = None
    ) -> None:
        x = read_deep_rows(self, X, reset=True)
        weights = weights_of(X, sample_weight)
        self.check_settings()
        random = seed_of(self.random_state)
        self.conditions_ = Conditions.of(given, weights)
        self._begin(x, weights, random)
        stored: Any = x  # which is no array where the rows are many
        rows = RowBatch(stored, self.conditions_.encoded(given, x.shape[0]), label)
        order = random.permutation(weights.size)
        if label is not None:  # few rows have labels: others are held out as long as there are any
            order = order[np.argsort(label[order] >= 0, kind="stable")]
        split = Split.of(order, self.validation_fraction, weights)
        config = self._course(-(-split.learned.size // self.batch_size))
        trained = self._learn(self.model_, rows, weights, split, config, int(random.integers(2**31)))
        self._finish(trained, x, weights, split.measured)

    def _fit_more(self, X: MatrixLike, sample_weight: ArrayLike | None, given: ArrayLike | None) -> None:
        fresh = "model_" not in vars(self)
        x = read_deep_rows(self, X, reset=fresh)
        weights = weights_of(X, sample_weight)
        random = seed_of(self.random_state)
        if fresh:
            self.check_settings()
            self.conditions_ = Conditions.of(given, weights)
            self._begin(x, weights, random)
        self._check_values(self._deep_latent.likelihood, x)
        config = self._course(1)._replace(max_epochs=1, cosine=False, warm_epochs=0.0, patience=None)
        batches = padded(RowBatch(x[:], self.conditions_.encoded(given, x.shape[0])), weights, room(x.shape[0]))
        seed = int(random.integers(2**31)) + self._passes
        trained = train(self.model_, batches, None, config, seed=seed, begun=self._optimiser)
        self._optimiser, self._passes = trained.optimiser, self._passes + 1
        self._finish(trained, x, weights, np.arange(x.shape[0]))

    def _check_together(self) -> None:
        two = self.n_components
        if not isinstance(two, (tuple, list)):
            return check_whole("n_components", two, 1)
        if len(two) != 2:
            raise ValueError(f"n_components must be a number, or two of them for two levels, got {two!r}")
        for number in two:
            check_whole("each of n_components", number, 1)
        return None

    def _begin(self, x: DeepRows, weights: np.ndarray, random: np.random.Generator) -> None:
        """The model before the first step, and the units it works in."""
        self._passes, self._optimiser = 0, None  # what only partial_fit keeps
        facts = Facts.of(x, weights)
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

    def _compose(self, likelihood: Likelihood, view: Standardise | None, few: np.ndarray, key: PRNGKeyArray) -> Any:
        """The model of these parts; ``few`` are rows as the likelihood takes them."""
        return self._latent(likelihood, view, few, key)

    def _latent(
        self, likelihood: Likelihood, view: Standardise | None, few: np.ndarray, key: PRNGKeyArray
    ) -> DeepLatent:
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

    def _plan(self, latent: int | tuple[int, int] | None, conditions: int, outputs: tuple[int, ...]) -> NetworkPlan:
        return NetworkPlan(
            self.event_shape_, latent, conditions, outputs, self.hidden, self.channels, self.activation, self.network
        )

    def _check_values(self, likelihood: Likelihood, x: DeepRows) -> None:
        for start in range(0, x.shape[0], CHECKED):
            self._check_part(likelihood, x[start : start + CHECKED], start)

    def _asked_posterior(self) -> Any:
        """What the user asked for; a model whose settings are of the posterior makes it."""
        return self.posterior

    def _objective(self) -> Objective:
        return parts.choose_objective(self._asked_objective(), self._deep_latent.posterior_kind)

    def _course(self, steps_an_epoch: int) -> TrainConfig:
        epochs = self.max_epochs or max(LEAST_EPOCHS, -(-STEPS // steps_an_epoch))
        config = self._train_config(self._objective(), self._reading(self.binarize), epochs)
        return config._replace(cosine=self.schedule == "cosine", clip=float(self.clip), optimiser=self.optimiser)

    def _finish(self, trained: Trained, x: DeepRows, weights: np.ndarray, measured: np.ndarray) -> None:
        """What was learned from rows, of which some were measured by the bound of the trace."""
        self.model_ = trained.model
        self._keep(trained, float(weights.sum()), self._unit_change(x, weights, measured))

    def _unit_change(self, x: DeepRows, weights: np.ndarray, measured: np.ndarray) -> float:
        """What the bound of some rows lacks to be that of the user's units: −log scale of every observed entry."""
        log_scale, change = np.log(np.asarray(self.view_.scale, np.float64)).ravel(), 0.0
        if not log_scale.any():
            return 0.0
        measured = np.sort(measured)  # rows in files are read in order
        for start in range(0, measured.size, CHECKED):
            few = measured[start : start + CHECKED]
            change -= float(weights[few] @ (~np.isnan(x[few].reshape(few.size, -1)) @ log_scale))
        return change / float(weights[measured].sum())
