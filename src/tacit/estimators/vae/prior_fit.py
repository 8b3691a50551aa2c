"""A prior that is learned after the fit: the density of the codes, by maximum likelihood."""

import warnings
from typing import Any, Self

import equinox as eqx
import jax
import numpy as np
from jaxtyping import Float, PRNGKeyArray
from numpy.typing import ArrayLike

from tacit.compute import Array, single_precision
from tacit.estimators.base import check_whole, seed_of, weights_of
from tacit.estimators.capabilities import MatrixLike
from tacit.estimators.gradient_fit import Split
from tacit.estimators.vae.fit import DeepFit
from tacit.estimators.vae.parts import Reading
from tacit.estimators.vae.rows import read_deep_rows
from tacit.inference.objectives import LogDensity, frozen
from tacit.inference.stochastic import adam, padded, room
from tacit.inference.train import TrainConfig
from tacit.models.flow.model import FlowRows
from tacit.models.vae.discrete import CategoricalCodes, QuantisedCodes
from tacit.models.vae.levels import TwoLevels
from tacit.models.vae.model import DeepLatent, RowBatch, row_bounds
from tacit.models.vae.priors import SplineFlowPrior

STEPS, LEAST_EPOCHS = 3000, 10
RATE, DECAY, CLIP, EPS = 2e-3, 1e-4, 5.0, 1e-5
"""Of Adam, as for `TriangularFlow`."""
DRAWS = 16
"""Draws of z a row by which the change of the bound is measured."""
BATCH = 256


class CodesOf(eqx.Module):
    """The reader of a fit to codes: a row becomes a draw of ``q(z|x)``, anew at every step."""

    model: DeepLatent
    read: Reading

    def __call__(self, rows: RowBatch, key: PRNGKeyArray) -> FlowRows:
        seen, drawn = jax.random.split(key)
        posterior = frozen(self.model).posterior(self.read(rows, seen))
        return FlowRows(jax.lax.stop_gradient(posterior.draw(drawn, 1)[0][0]))


class CodeDensity(eqx.Module):
    """The density of codes that is learned."""

    prior: SplineFlowPrior

    def log_prob(self, rows: FlowRows) -> Float[Array, " rows"]:
        """``log p(z)``."""
        return self.prior.log_density(rows.x)


class FitsPrior(DeepFit):
    """Learns a prior of its codes."""

    prior_gain_: float
    prior_gain_error_: float

    @single_precision
    def fit_prior(
        self,
        X: MatrixLike,
        sample_weight: ArrayLike | None = None,
        *,
        given: ArrayLike | None = None,
        steps: int = 2,
        hidden: tuple[int, ...] = (64, 64),
        max_epochs: int | None = None,
    ) -> Self:
        """Learn a spline flow as the prior of a fitted model; encoder and decoder stay as they are.

        The bound gains most, over priors, from the density of the codes ``1/N Σ_n q(z|x_n)`` (Hoffman & Johnson 2016).
        The flow is fitted to draws of it by maximum likelihood, and takes the place of the prior if the bound of rows
        held out rises (those that `fit` has held out, where X and ``random_state`` are the same). Then ``prior_gain_``
        is by how much, in nats a row, with ``prior_gain_error_``; else the prior is kept, which a warning says.

        Args:
            X: rows, as for `fit`.
            sample_weight: a weight a row.
            given: what the density is conditional on; the prior does not depend on it.
            steps: of the flow.
            hidden: widths of its networks' layers.
            max_epochs: passes over the rows; None makes about 3 000 steps.

        Raises:
            ValueError: codes that have no density, or two levels of them.
        """
        model = self._with_codes()
        check_whole("steps", steps, 1)
        if max_epochs is not None:
            check_whole("max_epochs", max_epochs, 1)
        x, weights = read_deep_rows(self, X, reset=False), weights_of(X, sample_weight)
        self._check_values(model.likelihood, x)
        random = seed_of(self.random_state)
        random.integers(2**31)  # what the fit has drawn before it chose the rows to hold out
        split = Split.of(random.permutation(weights.size), self.validation_fraction, weights)
        stored: Any = x
        rows = RowBatch(stored, self.conditions_.encoded(given, x.shape[0]))
        key = jax.random.key(int(random.integers(2**31)))
        shift, scale = self._code_units(rows, split.learned)
        begun = CodeDensity(SplineFlowPrior(shift.size, key=key, number=steps, hidden=hidden, shift=shift, scale=scale))
        batches = -(-split.learned.size // BATCH)
        config = TrainConfig(
            LogDensity(),
            CodesOf(model, self._reading(self.binarize)),
            max_epochs or max(LEAST_EPOCHS, -(-STEPS // batches)),
            BATCH,
            RATE,
            patience=20,
            label="prior",
            optimiser=adam(CLIP, DECAY, EPS, flat=True),
            keep_start=True,
        )
        trained = self._learn(begun, rows, weights, split, config, int(random.integers(2**31)))
        changed = eqx.tree_at(lambda m: m.prior, model, trained.model.prior)
        self._settle(model, changed, rows, weights, split.measured)
        return self

    def _with_codes(self) -> DeepLatent:
        """The model, if its codes are points of a space with a density."""
        model = self._deep_latent
        kind = model.posterior_kind
        if not kind.likelihood or isinstance(kind, (CategoricalCodes, QuantisedCodes, TwoLevels)):
            raise ValueError(
                f"a prior of codes is learned where q(z|x) is a density of numbers; this model's is "
                f"{type(kind).__name__}: take posterior='diagonal', 'full' or a flow"
            )
        return model

    def _code_units(self, rows: RowBatch, places: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Means and deviations of the codes of some rows."""
        some = places[: 16 * BATCH]
        part = jax.tree.map(lambda leaf: leaf[some], rows)
        whole = padded(part, np.ones(some.size), room(some.size)).rows
        drawn = CodesOf(self._deep_latent, self._reading(self.binarize))(whole, jax.random.key(0)).x
        codes = np.asarray(drawn, np.float64)[: some.size]
        return codes.mean(0), np.maximum(codes.std(0), 1e-3)

    def _settle(
        self, before: DeepLatent, after: DeepLatent, rows: RowBatch, weights: np.ndarray, places: np.ndarray
    ) -> None:
        """Keep the better prior by the bound of some rows, the same draws for both."""
        part = jax.tree.map(lambda leaf: np.asarray(leaf[places]), rows)
        whole = padded(part, np.ones(places.size), room(places.size)).rows
        read = self._reading(self.binarize)(whole, jax.random.key(0))
        both = [np.asarray(row_bounds(each, read, np.zeros(2, np.uint32), DRAWS)) for each in (before, after)]
        gain = (both[1] - both[0])[: places.size].astype(np.float64)
        share = weights[places] / weights[places].sum()
        self.prior_gain_ = float(share @ gain)
        self.prior_gain_error_ = float(np.sqrt(share**2 @ (gain - self.prior_gain_) ** 2))
        if self.prior_gain_ > 0:
            self.model_ = jax.tree.map(np.asarray, after)
            self.lower_bound_ += self.prior_gain_
            return
        lost, self.prior_gain_, self.prior_gain_error_ = self.prior_gain_, 0.0, 0.0
        warnings.warn(
            f"the flow would change the bound of rows held out by {lost:.3g} nats a row: the prior is kept as it was",
            UserWarning,
            stacklevel=4,
        )
