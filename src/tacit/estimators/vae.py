"""``VAE``: a variational auto-encoder with scikit-learn's face; its variants are choices of parts."""

import warnings
from collections.abc import Sequence
from typing import Any, Self

import jax
import numpy as np
from sklearn.base import BaseEstimator, DensityMixin, TransformerMixin
from sklearn.exceptions import ConvergenceWarning

from tacit.compute import single_precision
from tacit.data.blocks import Standardise
from tacit.estimators import _deep_parts as parts
from tacit.estimators._base import check_choice, check_whole, read_weights, seed_of
from tacit.estimators._deep_evaluation import DeepEvaluation
from tacit.estimators._deep_rows import Conditions, check_support, read_deep_rows
from tacit.inference.closed_form import CONVERGED, NAN, REASONS
from tacit.inference.fit import Trace
from tacit.inference.objectives import Elbo, ImportanceWeighted
from tacit.inference.stochastic import padded, room
from tacit.inference.train import Course, Trained, train
from tacit.inference.watch import Printer, watch
from tacit.models.vae.model import Rows
from tacit.models.vae.networks import ACTIVATIONS

STEPS = 10_000
"""Steps of a fit whose epochs are not set."""
LEAST_EPOCHS = 20
FEWEST_HELD_OUT = 5
CHECKED = 4096
"""Rows whose values are checked together."""


class VAE(DeepEvaluation, TransformerMixin, DensityMixin, BaseEstimator):
    """A deep latent variable model ``p(x) = ∫ p(x|z) p(z) dz``, learned with an encoder ``q(z|x)``.

    The bound raised is ``E_q log p(x|z) − KL(q(z|x) ‖ p(z)) ≤ log p(x)`` (Kingma & Welling 2014), or another
    ``objective``. Rows are vectors ``(n, d)`` or images ``(n, height, width[, channels])``; NaN marks a missing entry,
    which contributes nothing to the likelihood (Mattei & Frellsen 2019).

    Args:
        n_components: dimensions of z.
        likelihood: p(x|z): "bernoulli", "continuous-bernoulli", "normal", "normal-per-entry", "poisson",
            "negative-binomial", "discretised-logistic", a list with one a column (and ("categorical", levels)), or a
            ``Likelihood``. "auto" takes Bernoulli for 0/1, the discretised logistic for 8-bit images (uint8), the
            continuous Bernoulli for values in [0, 1], and else Normal: with a scale for every entry in rows, and one
            learned scale in images.
        posterior: q(z|x): "diagonal", "full", "point" (a plain auto-encoder), or a ``Posterior``.
        prior: p(z): "normal", "mixture" of Gaussians, "vamp", or a ``Prior``.
        objective: "elbo", "iwae", "renyi", "beta-tcvae", "infovae", or an ``Objective``.
        network: "mlp", "conv", "residual"; "auto" takes convolutions for images.
        hidden: widths of the encoder's fully connected layers, the decoder's in reverse.
        channels: of the convolutions, at every halving of the image.
        activation: "relu", "tanh", "gelu", "silu", "softplus".
        encoder: a network of your own, from one row to ``posterior.outputs(n_components)`` numbers.
        decoder: from one z to ``likelihood.shape(event)`` numbers.
        binarize: "stochastic" draws every pixel anew with its grey level as probability, "threshold" cuts at ½.
        max_epochs: passes over the rows; None makes about 10 000 steps, and 20 passes at least.
        batch_size: rows of a step.
        learning_rate: of Adam, falling to 0 along a half cosine.
        warm_up: share of the fit over which the weight of the KL rises from 0 to 1.
        validation_fraction: of the rows, held out to stop the fit and to choose its best parameters; 0 holds out none.
        patience: measurements of the held-out bound without a better one after which the fit ends; one is taken every
            epoch, or every 200 steps where epochs are shorter.
        clip: the largest norm of a gradient; 0 does not clip.
        optimiser: an `optax.GradientTransformation` in Adam's place (its rate is multiplied by ``learning_rate``).
        n_samples: draws of z in ``score_samples``.
        random_state: seed.
        verbose: print a line every so many epochs.

    Attributes:
        model_: the model, an immutable pytree with NumPy leaves; real columns are centred and scaled in it.
        trace_: how the bound rose: ``iteration`` (epochs), ``bound`` (of all rows, in nats and the user's units; the
            held-out one where rows are held out) and ``seconds``.
        history_: a column a figure: epoch, step, elbo, reconstruction, kl, held_out, seconds …, in nats a row and the
            units of the model.
        lower_bound_: the held-out bound of the parameters that were kept, in nats a row and the user's units.
        n_iter_: epochs.
        converged_, stop_reason_: whether and why the fit ended by itself.
    """

    _passes: int
    _optimiser: list[np.ndarray] | None

    def __init__(
        self,
        n_components: int = 16,
        *,
        likelihood: Any = "auto",
        posterior: Any = "diagonal",
        prior: Any = "normal",
        objective: Any = "elbo",
        network: str = "auto",
        hidden: Sequence[int] = (256, 256),
        channels: Sequence[int] = (32, 64),
        activation: str = "silu",
        encoder: Any = None,
        decoder: Any = None,
        binarize: str | None = None,
        max_epochs: int | None = None,
        batch_size: int = 128,
        learning_rate: float = 1e-3,
        warm_up: float = 0.1,
        validation_fraction: float = 0.1,
        patience: int | None = 20,
        clip: float = 0.0,
        optimiser: Any = None,
        n_samples: int = 1000,
        random_state: Any = None,
        verbose: int = 0,
    ) -> None:
        self.n_components = n_components
        self.likelihood = likelihood
        self.posterior = posterior
        self.prior = prior
        self.objective = objective
        self.network = network
        self.hidden = hidden
        self.channels = channels
        self.activation = activation
        self.encoder = encoder
        self.decoder = decoder
        self.binarize = binarize
        self.max_epochs = max_epochs
        self.batch_size = batch_size
        self.learning_rate = learning_rate
        self.warm_up = warm_up
        self.validation_fraction = validation_fraction
        self.patience = patience
        self.clip = clip
        self.optimiser = optimiser
        self.n_samples = n_samples
        self.random_state = random_state
        self.verbose = verbose

    @single_precision
    def fit(self, X: Any, y: Any = None, sample_weight: Any = None, *, given: Any = None) -> Self:
        """Learn from rows.

        Args:
            X: rows ``(n, d)`` or images ``(n, height, width[, channels])``.
            y: ignored.
            sample_weight: a weight a row.
            given: what the density is conditional on, a label ``(n,)`` or covariates ``(n, c)`` a row.

        Raises:
            ValueError: what is wrong with the rows or a parameter, and what to do.
        """
        x = read_deep_rows(self, X, reset=True)
        weights = np.array(read_weights(X, sample_weight))
        self._check()
        random = seed_of(self.random_state)
        self.conditions_ = Conditions.of(given, x.shape[0])
        self._begin(x, random)
        self._forget()
        trained = self._train(x, weights, self.conditions_.encoded(given, x.shape[0]), random)
        self._finish(trained, x.shape[0])
        return self

    @single_precision
    def partial_fit(self, X: Any, y: Any = None, sample_weight: Any = None, *, given: Any = None) -> Self:
        """One pass over these rows at a constant rate; the first call settles the scale and the networks."""
        fresh = not hasattr(self, "model_")
        x = read_deep_rows(self, X, reset=fresh)
        weights = np.array(read_weights(X, sample_weight))
        random = seed_of(self.random_state)
        if fresh:
            self._check()
            self.conditions_ = Conditions.of(given, x.shape[0])
            self._begin(x, random)
            self._forget()
        self._check_values(self.model_.likelihood, self._inward(x))
        rows = Rows(self._inward(x), self.conditions_.encoded(given, x.shape[0]))
        self._seen(x, weights, np.arange(x.shape[0]))
        course = self._course(1)._replace(max_epochs=1, cosine=False, warm_epochs=0.0, patience=None)
        batches = padded(rows, weights, room(x.shape[0]))
        seed = int(random.integers(2**31)) + self._passes
        objective = parts.choose_objective(self.objective)
        trained = train(
            self.model_, batches, None, objective, course, self._reading(), seed=seed, begun=self._optimiser
        )
        self._optimiser, self._passes = trained.optimiser, self._passes + 1
        self._finish(trained, x.shape[0])
        return self

    def _forget(self) -> None:
        """What only ``partial_fit`` keeps."""
        self._passes, self._optimiser = 0, None

    def _check(self) -> None:
        check_whole("n_components", self.n_components, 1)
        check_whole("batch_size", self.batch_size, 1)
        check_whole("n_samples", self.n_samples, 1)
        if self.max_epochs is not None:
            check_whole("max_epochs", self.max_epochs, 1)
        if self.binarize is not None:
            check_choice("binarize", self.binarize, parts.BINARIZE)
        check_choice("network", self.network, parts.NETWORKS)
        check_choice("activation", self.activation, tuple(ACTIVATIONS))
        if not (np.isfinite(self.learning_rate) and self.learning_rate > 0):
            raise ValueError(f"learning_rate must be a positive number, got {self.learning_rate!r}")
        if not 0 <= self.validation_fraction < 1:
            raise ValueError(f"validation_fraction must be from 0 to below 1, got {self.validation_fraction!r}")

    def _begin(self, x: np.ndarray, random: np.random.Generator) -> None:
        """The model before the first step, and the units it works in."""
        likelihood = parts.choose_likelihood(self.likelihood, x, self.binarize)
        self._levels = parts.is_levels(x, likelihood, self.binarize)
        self.event_shape_ = x.shape[1:]
        real = parts.real_columns(likelihood, self.event_shape_)
        shift, scale = _moments(x)
        self.door_ = Standardise(
            np.where(real, shift, 0.0).astype(np.float32), np.where(real, scale, 1.0).astype(np.float32)
        )
        inward = self._inward(x)
        self._check_values(likelihood, inward)
        counts = not real.all() and x.dtype != np.uint8 and np.nanmax(np.abs(inward)) > 1.0
        view = None
        if counts:
            view = Standardise(np.where(real, 0.0, shift).astype("f4"), np.where(real, 1.0, scale).astype("f4"))
        networks, prior = jax.random.split(jax.random.key(int(random.integers(2**31))))
        read = np.asarray(self._reading()(Rows(inward[: parts.PRIOR_COMPONENTS]), jax.random.key(1)).x)
        self.model_ = parts.build(
            event=self.event_shape_,
            latent=self.n_components,
            conditions=self.conditions_.width,
            hidden=self.hidden,
            channels=self.channels,
            activation=self.activation,
            network=self.network,
            encoder=self.encoder,
            decoder=self.decoder,
            prior=parts.choose_prior(self.prior, self.n_components, read, prior),
            posterior=parts.choose_posterior(self.posterior),
            likelihood=likelihood,
            view=view,
            key=networks,
        )

    def _check_values(self, likelihood: Any, inward: np.ndarray) -> None:
        for start in range(0, inward.shape[0], CHECKED):
            part = self._reading()(Rows(inward[start : start + CHECKED]), jax.random.key(0)).x
            check_support(likelihood, np.asarray(part), start)

    def _reading(self) -> parts.Reading:
        return parts.Reading(self._levels, self.binarize)

    def _course(self, steps_an_epoch: int) -> Course:
        epochs = self.max_epochs or max(LEAST_EPOCHS, -(-STEPS // steps_an_epoch))
        return Course(
            epochs,
            self.batch_size,
            float(self.learning_rate),
            True,
            self.warm_up * epochs,
            self.patience,
            float(self.clip),
            self.optimiser,
            type(self).__name__,
        )

    def _train(self, x: np.ndarray, weights: np.ndarray, given: Any, random: np.random.Generator) -> Trained:
        rows = self._inward(x)
        order = random.permutation(x.shape[0])
        kept = round(self.validation_fraction * x.shape[0])
        kept = 0 if kept < FEWEST_HELD_OUT else kept
        part = lambda index: Rows(rows[index], None if given is None else given[index])  # noqa: E731
        if not weights[order[kept:]].any():
            kept = 0  # all that counts would be held out
        held, learn = order[:kept], np.sort(order[kept:])
        held_out = padded(part(held), weights[held], room(kept)) if weights[held].any() else None
        self._seen(x, weights, learn if held_out is None else held)
        with watch(Printer(self.verbose)) if self.verbose else watch():
            return train(
                self.model_,
                padded(part(learn), weights[learn], room(learn.size)),
                held_out,
                parts.choose_objective(self.objective),
                self._course(-(-learn.size // self.batch_size)),
                self._reading(),
                seed=int(random.integers(2**31)),
            )

    def _seen(self, x: np.ndarray, weights: np.ndarray, measured: np.ndarray) -> None:
        """What the bound of some rows lacks to be that of the user's units: −log scale of every observed entry."""
        log_scale, self._change = np.log(np.asarray(self.door_.scale, np.float64)).ravel(), 0.0
        if log_scale.any():
            there = ~np.isnan(x[measured].reshape(measured.size, -1))
            self._change = -float(np.average(there @ log_scale, weights=weights[measured]))

    def _finish(self, trained: Trained, rows: int) -> None:
        self.model_, change = trained.model, self._change
        self.history_ = trained.trace
        bounds = trained.trace.get("held_out", trained.trace["elbo"])
        self.trace_ = Trace(trained.trace["epoch"], (bounds + change) * rows, trained.trace["seconds"])
        at = np.flatnonzero(trained.trace["step"] == trained.best_step)
        self.lower_bound_ = float(bounds[at[-1]] if at.size else np.nan) + change
        self.n_iter_ = int(trained.trace["epoch"][-1]) if trained.trace["epoch"].size else 0
        self.converged_ = trained.status == CONVERGED
        self.stop_reason_ = REASONS[trained.status]
        if trained.status == NAN:
            warnings.warn(
                "the bound was no number, and half the rate was no cure: the best parameters before that are kept "
                f"(step {trained.best_step}). Lower learning_rate (it is {self.learning_rate}), or set clip=1.",
                ConvergenceWarning,
                stacklevel=4,
            )

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.input_tags.allow_nan = True
        tags.input_tags.three_d_array = True
        tags.transformer_tags.preserves_dtype = ["float32"]
        return tags


def _moments(x: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Mean and standard deviation of every entry over the rows (1 where it does not vary)."""
    if x.dtype == np.uint8:
        return np.zeros(x.shape[1:]), np.ones(x.shape[1:])
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)  # a column without any value
        mean, deviation = np.nanmean(x, axis=0, dtype=np.float64), np.nanstd(x, axis=0, dtype=np.float64)
    mean = np.nan_to_num(np.asarray(mean))
    flat = ~(deviation > 1e-6 * np.maximum(np.abs(mean), 1e-30))
    return mean, np.where(flat, np.maximum(np.abs(mean), 1.0), deviation)


def AutoEncoder(n_components: int = 16, **settings: Any) -> VAE:
    """The plain auto-encoder: q(z|x) is a point, and nothing is paid for codes. It has no likelihood of rows."""
    return VAE(n_components, posterior="point", **settings)


def BetaVAE(n_components: int = 16, *, beta: float = 4.0, **settings: Any) -> VAE:
    """The VAE that pays β times the KL (Higgins et al. 2017)."""
    return VAE(n_components, objective=Elbo(beta=beta), **settings)


def IWAE(n_components: int = 16, *, samples: int = 5, **settings: Any) -> VAE:
    """The importance-weighted auto-encoder (Burda et al. 2016), with doubly reparameterised gradients."""
    return VAE(n_components, objective=ImportanceWeighted(samples), **settings)
