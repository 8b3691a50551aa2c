"""What a fitted linear Gaussian state space answers about series of rows."""

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike
from scipy.special import ndtri
from sklearn.base import TransformerMixin
from sklearn.utils.validation import check_is_fitted

from tacit.compute import double_precision
from tacit.data.dataset import Dataset
from tacit.data.sequenced import SequenceOrder
from tacit.estimators.base import Seed, check_level, check_whole, read_data, seed_of
from tacit.estimators.capabilities import Imputes, MatrixLike, Measures, Samples, Sweeps, TakesDatasets, Transforms
from tacit.estimators.sequence.forecasts import Forecast
from tacit.estimators.sequence.reading import (
    ByRow,
    Forecasts,
    SequenceOptions,
    ordered,
    sequence_names,
    sequence_weights,
)
from tacit.estimators.settings import Estimator
from tacit.models.graph import Graph, state_space_graph
from tacit.models.sequence import state_space
from tacit.models.sequence.kalman import FilteredSeries, System, filtered
from tacit.models.sequence.linear_gaussian import LinearGaussian, posterior
from tacit.models.sequence.series import SeriesBatch, laid_series, rows_of

STEPS_DRAWN = 12
"""Steps of a forecast that is drawn unasked."""
PAST = 60
"""Steps before a forecast that its picture shows."""


class ReadSeries(NamedTuple):
    """Rows that were read, in the order of series and time."""

    rows: np.ndarray
    order: SequenceOrder
    laid: SeriesBatch


def read_inputs(U: ArrayLike | None, rows: int, expected: int | None = None, name: str = "U") -> np.ndarray:
    """Inputs as numbers ``(n, q)``.

    Raises:
        ValueError: inputs are missing, of another shape, or not what the model was fitted with.
    """
    if U is None:
        if expected:
            raise ValueError(
                f"the model was fitted with {expected} inputs: give {name}= of the shape ({rows}, {expected})"
            )
        return np.zeros((rows, 0))
    try:
        given = np.asarray(U, np.float64)
    except (TypeError, ValueError):
        raise ValueError(f"{name} must hold numbers, a line of inputs a row") from None
    given = given[:, None] if given.ndim == 1 else given
    if given.ndim != 2 or len(given) != rows:
        raise ValueError(f"{name} must hold a line of inputs a row, {rows} of them; its shape is {np.shape(U)}")
    if expected is not None and given.shape[1] != expected:
        raise ValueError(f"{name} has {given.shape[1]} columns, and the model was fitted with {expected} inputs")
    bad = ~np.isfinite(given)
    if bad.any():
        row, column = (int(i) for i in np.argwhere(bad)[0])
        raise ValueError(
            f"{name}: row {row}, column {column} is missing or infinite; inputs must be known at every step"
        )
    return given


class StateSpaceAnswers(
    TransformerMixin, Forecasts, Measures, Samples, Imputes, Transforms, Sweeps, TakesDatasets, Estimator
):
    """The answers of a fitted state space, in the order in which rows are given."""

    model_: LinearGaussian
    sequences_: tuple[Any, ...]
    random_state: Any

    def sizes(self) -> dict[str, int]:
        return super().sizes() | {"states": int(self.model_.transition.shape[0])}

    def read(self, X: MatrixLike, *, reset: bool, minimum: int = 1) -> Dataset:
        """Rows as floats, NaN where missing, checked against the columns at fit, or the first of them (``reset``)."""
        return read_data(self, X, reset=reset, minimum=minimum)

    def fitted_space(self) -> LinearGaussian:
        """The fitted model in the user's units, or ``NotFittedError``."""
        check_is_fitted(self)
        return self.model_

    def plot(self, X: MatrixLike | None = None) -> Any:
        """A matplotlib ``Figure``: what comes after the first series, of ``X`` or of the fit."""
        return self.forecast(STEPS_DRAWN, X).plot()

    def base_measure(self) -> tuple[str, ...]:
        """Every column is continuous."""
        return ("density",) * self.n_features_in_

    @property
    def _system(self) -> System:
        return self.fitted_space().systems()[0]

    def _read(self, X: MatrixLike, U: ArrayLike | None, said: SequenceOptions) -> ReadSeries:
        system = self._system
        rows = self.read(X, reset=False)
        order = ordered(X, len(rows), said)
        inputs = read_inputs(U, len(rows), system.inputs.shape[1])
        dense = rows.rows()[order.order].astype(np.float64, copy=False)
        laid = laid_series(dense, inputs[order.order], order.lengths, np.ones(order.lengths.size))
        return ReadSeries(dense, order, laid)

    @double_precision
    def score_samples(
        self, X: MatrixLike, *, U: ByRow = None, groups: ByRow = None, lengths: ByRow = None, time: ByRow = None
    ) -> np.ndarray:
        """``log p(y_t | y_1 … y_t−1)`` of every row in nats, ``(n,)``: of a row given those before it in its series.

        Summed over a series they are its log-likelihood, exactly. Missing entries are integrated out.
        """
        read = self._read(X, U, SequenceOptions(groups, lengths, time))
        found = filtered(self._system, read.laid)
        return read.order.back(rows_of(read.laid, found.log_prob))

    def score(
        self,
        X: MatrixLike,
        y: ByRow = None,
        sample_weight: ByRow = None,
        *,
        U: ByRow = None,
        groups: ByRow = None,
        lengths: ByRow = None,
        time: ByRow = None,
    ) -> float:
        """The log-likelihood of all series in nats: the sum of ``score_samples``."""
        values = self.score_samples(X, U=U, groups=groups, lengths=lengths, time=time)
        rows = self.read(X, reset=False)
        order = ordered(X, len(rows), SequenceOptions(groups, lengths, time))
        weights = np.repeat(sequence_weights(rows, order, sample_weight), order.lengths)
        return float(weights @ values[order.order])

    @double_precision
    def transform(
        self,
        X: MatrixLike,
        *,
        return_std: bool = False,
        U: ByRow = None,
        groups: ByRow = None,
        lengths: ByRow = None,
        time: ByRow = None,
    ) -> Any:
        """``E[x_t | y]`` of every row given its whole series (smoothed), ``(n, k)``; perhaps with its deviations."""
        read = self._read(X, U, SequenceOptions(groups, lengths, time))
        _, states = posterior(self._system, read.laid)
        means = read.order.back(rows_of(read.laid, states.means))
        if not return_std:
            return means
        spread = np.sqrt(np.diagonal(states.covariances, axis1=-2, axis2=-1))[states.entry]
        laid = np.broadcast_to(spread[..., None], states.means.shape)
        return means, read.order.back(rows_of(read.laid, laid))

    def smooth(self, X: MatrixLike, **how: Any) -> Any:
        """The same as ``transform``, by the name that it has for series."""
        return self.transform(X, **how)

    @double_precision
    def filter(self, X: MatrixLike, *, return_std: bool = False, U: ByRow = None, **said: ByRow) -> Any:
        """``E[x_t | y_1 … y_t]`` of every row given those up to it, ``(n, k)``; perhaps with its deviations.

        ``groups``, ``lengths`` and ``time`` are those of `transform`.
        """
        read = self._read(X, U, SequenceOptions(**said))
        found = filtered(self._system, read.laid)
        means = read.order.back(rows_of(read.laid, found.means))
        if not return_std:
            return means
        roots = found.gains.filtered[found.gains.entry]
        laid = np.broadcast_to(np.sqrt((roots**2).sum(-1))[..., None], found.means.shape)
        return means, read.order.back(rows_of(read.laid, laid))

    @double_precision
    def impute(
        self,
        X: MatrixLike,
        n_draws: int | None = None,
        random_state: Seed = None,
        *,
        U: ByRow = None,
        groups: ByRow = None,
        lengths: ByRow = None,
        time: ByRow = None,
    ) -> np.ndarray:
        """Rows with their missing entries filled in, given all that is seen of their series.

        Args:
            X: rows ``(n, d)``; NaN marks a missing entry.
            n_draws: m: draw the missing entries from their joint posterior, m times; None for their expectation.
            random_state: what the draws depend on; the estimator's own where None.
            U, groups, lengths, time: as at fit.

        Returns: ``(n, d)``, or m proper imputations ``(m, n, d)``.
        """
        read = self._read(X, U, SequenceOptions(groups, lengths, time))
        missing = np.isnan(read.rows)
        expectation = rows_of(read.laid, state_space.expected_outputs(self._system, read.laid))
        filled = np.where(missing, expectation, read.rows)
        if n_draws is None:
            return read.order.back(filled)
        check_whole("n_draws", n_draws, 1)
        random = seed_of(self.random_state if random_state is None else random_state)
        draws = np.stack(
            [
                np.where(
                    missing,
                    filled + rows_of(read.laid, state_space.disturbed(self._system, read.laid, random)),
                    read.rows,
                )
                for _ in range(int(n_draws))
            ]
        )
        return read.order.back(draws, axis=1)

    @double_precision
    def sample(self, n_samples: int = 1, *, U: ByRow = None, random_state: Seed = None) -> np.ndarray:
        """A new series of so many rows, ``(n_samples, d)``."""
        check_whole("n_samples", n_samples, 1)
        system = self._system
        inputs = read_inputs(U, int(n_samples), system.inputs.shape[1])
        random = seed_of(self.random_state if random_state is None else random_state)
        return state_space.simulated(system, inputs[:, None, :, None], random)[:, 0, :, 0]

    @double_precision
    def forecast(
        self,
        steps: int,
        X: MatrixLike | None = None,
        *,
        level: float = 0.9,
        U: ByRow = None,
        future_U: ByRow = None,
        groups: ByRow = None,
        lengths: ByRow = None,
        time: ByRow = None,
    ) -> Forecast:
        """What comes after the last row of every series, ``p(y_T+h | y_1…T)``, which is Gaussian.

        Args:
            steps: how many steps, H.
            X: the series that go on; those of the fit where None.
            level: probability of the intervals.
            U: inputs at the rows of X.
            future_U: inputs at the next steps, ``(H, q)``, the same for all series.
            groups, lengths, time: as at fit.
        """
        system = self._system
        check_whole("steps", steps, 1)
        check_level(level)
        past: tuple[np.ndarray, ...] = ()
        if X is None:
            means, covariances, names = self.end_means_, self.end_covariances_, self.sequences_
        else:
            read = self._read(X, U, SequenceOptions(groups, lengths, time))
            means, covariances = _ends(filtered(system, read.laid), read.laid)
            names, ends = sequence_names(read.order), np.cumsum(read.order.lengths)
            past = tuple(read.rows[max(e - PAST, e - n) : e] for e, n in zip(ends, read.order.lengths, strict=True))
        inputs = read_inputs(future_U, int(steps), system.inputs.shape[1], "future_U")
        mean, variance = state_space.onward(system, means, covariances, inputs)
        sd = np.sqrt(variance)
        reach = float(ndtri(0.5 + 0.5 * level)) * sd
        return Forecast(
            tuple(self._column_names()), names, mean, sd, mean - reach, mean + reach, float(level), None, past
        )

    def _keep_ends(self, rows: np.ndarray, inputs: np.ndarray, lengths: np.ndarray) -> None:
        laid = laid_series(rows, inputs, lengths, np.ones(lengths.size))
        self.end_means_, self.end_covariances_ = _ends(filtered(self._system, laid), laid)

    def bic(
        self,
        X: MatrixLike,
        sample_weight: ByRow = None,
        *,
        U: ByRow = None,
        groups: ByRow = None,
        lengths: ByRow = None,
        time: ByRow = None,
    ) -> float:
        """``−2 log L + ν log N``, N the rows: lower is better."""
        score = self.score(X, None, sample_weight, U=U, groups=groups, lengths=lengths, time=time)
        rows = self.read(X, reset=False)
        total = float((rows.weights if sample_weight is None else np.asarray(sample_weight, float)).sum())
        return -2.0 * score + self.n_parameters_ * float(np.log(total))

    def aic(self, X: MatrixLike, sample_weight: ByRow = None, **said: ByRow) -> float:
        """``−2 log L + 2 ν``: lower is better; ``U``, ``groups``, ``lengths`` and ``time`` as of `bic`."""
        return -2.0 * self.score(X, None, sample_weight, **said) + 2.0 * self.n_parameters_

    def graph(self) -> Graph:
        """The directed graph of the model: one step and the state before it."""
        return state_space_graph(inputs=bool(self.fitted_space().inputs.shape[1]), columns=self._names() or ())

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.input_tags.allow_nan = True
        return tags


def _ends(found: FilteredSeries, laid: SeriesBatch) -> tuple[np.ndarray, np.ndarray]:
    """Mean and covariance of the state at the last row of every series."""
    last = laid.live.sum(0) - 1  # [batch, columns]
    batch, columns = np.indices(last.shape)
    means = found.means[last, batch, :, columns].reshape(last.size, -1)
    roots = found.gains.filtered[found.gains.entry[last], batch].reshape(last.size, *found.gains.filtered.shape[2:])
    return means, roots @ np.swapaxes(roots, -1, -2)
