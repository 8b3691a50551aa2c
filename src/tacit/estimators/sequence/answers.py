"""What a fitted hidden Markov model answers about sequences of rows."""

import warnings
from typing import Any, cast

import numpy as np
from sklearn.utils.validation import check_is_fitted

from tacit import plots
from tacit.arrays import spread
from tacit.compute import double_precision
from tacit.data.dataset import Dataset
from tacit.data.errors import listed
from tacit.data.sequenced import SequencedRows, SequenceOrder
from tacit.estimators.base import Seed, check_level, check_whole, seed_of
from tacit.estimators.capabilities import AssignsSoftly, Imputes, MatrixLike, Measures, ReadsOnce, Samples, Sweeps
from tacit.estimators.mixture.columns import FamilyColumns
from tacit.estimators.mixture.density import Density
from tacit.estimators.sequence.forecasts import Forecast
from tacit.estimators.sequence.reading import (
    ByRow,
    Forecasts,
    SequenceOptions,
    ordered,
    sequence_names,
    sequence_weights,
)
from tacit.models.components.gaussian import GaussianComponent
from tacit.models.graph import Graph, hidden_markov_graph
from tacit.models.mixture.expectations import marginal_moments
from tacit.models.mixture.impute import check_vector_gaps, drawn_under, expected_under
from tacit.models.mixture.sampling import draw
from tacit.models.mixture.summary import MixtureSummary, graph_groups, has_priors, summarise
from tacit.models.sequence.answers import drawn_paths, emitted, filtered, likeliest, onward, sampled_states, smoothed
from tacit.models.sequence.model import HiddenMarkov

PAST = 60
"""Steps before a forecast that its picture shows."""


class HiddenMarkovAnswers(FamilyColumns, Forecasts, AssignsSoftly, Measures, Samples, Imputes, Sweeps, ReadsOnce):
    """The answers of a fitted hidden Markov model, in the order in which rows are given."""

    model_: HiddenMarkov
    weights_: np.ndarray
    families_: list[str]
    sequences_: tuple[Any, ...]
    random_state: Any
    n_components: int

    def sizes(self) -> dict[str, int]:
        return super().sizes() | {"components": int(self.model_.log_start.shape[0])}

    def fitted_chain(self) -> HiddenMarkov:
        """The fitted model in the user's units, or ``NotFittedError``."""
        check_is_fitted(self)
        return self.model_

    def base_measure(self) -> tuple[str, ...]:
        """A word a column: "density" or "mass"."""
        found: dict[int, str] = {}
        for group in self.fitted_chain().emissions.groups:
            word = "mass" if group.column_kind in ("count", "binary", "categorical") else "density"
            if group.given_total:
                word = "mass given the total of columns " + ", ".join(map(str, group.columns))
            found |= dict.fromkeys(group.columns, word)
        return tuple(found[place] for place in sorted(found))

    def read(self, X: MatrixLike, *, reset: bool, minimum: int = 1) -> Dataset:
        """Rows as numbers, in the order given; those of a data set of sequences stay one."""
        rows = super().read(X, reset=reset, minimum=minimum)
        if isinstance(X, SequencedRows) and not isinstance(rows, SequencedRows):
            return SequencedRows(rows, X.groups, X.time)
        return rows

    def score_read(self, rows: Dataset) -> np.ndarray:
        """``log p(x_t | x_1 … x_t−1)`` of rows that were read, in nats, ``(n,)``."""
        order = ordered(rows, len(rows), SequenceOptions())
        model = self.fitted_chain()
        return order.back(filtered(model, emitted(model, rows)[order.order], order.lengths).log_prob)

    def plot(self, X: MatrixLike | None = None) -> Any:
        """A matplotlib ``Figure``: the states, and how they follow one another."""
        model = self.fitted_chain()
        return plots.transition_diagram(np.exp(np.asarray(model.log_transitions)), self.weights_)

    def _read(self, X: MatrixLike, said: SequenceOptions) -> tuple[Dataset, np.ndarray, SequenceOrder]:
        """Rows as they are given, ``log p(x_t|k)`` in order, and the order."""
        model = self.fitted_chain()
        rows = self.read(X, reset=False)
        order = ordered(X, len(rows), said)
        return rows, emitted(model, rows)[order.order], order

    @double_precision
    def score_samples(
        self, X: MatrixLike, *, groups: ByRow = None, lengths: ByRow = None, time: ByRow = None
    ) -> np.ndarray:
        """``log p(x_t | x_1 … x_t−1)`` of every row in nats, ``(n,)``: of a row given those before it in its sequence.

        Summed over a sequence they are its log-likelihood, exactly. Missing entries are integrated out.
        """
        _, log_b, order = self._read(X, SequenceOptions(groups, lengths, time))
        return order.back(filtered(self.model_, log_b, order.lengths).log_prob)

    def score(
        self,
        X: MatrixLike,
        y: ByRow = None,
        sample_weight: ByRow = None,
        *,
        groups: ByRow = None,
        lengths: ByRow = None,
        time: ByRow = None,
    ) -> float:
        """The log-likelihood of all sequences in nats: the sum of ``score_samples``, as hmmlearn's and not a mean."""
        said = SequenceOptions(groups, lengths, time)
        values = self.score_samples(X, groups=groups, lengths=lengths, time=time)
        if sample_weight is None and not isinstance(X, Dataset):
            return float(values.sum())
        rows = self.read(X, reset=False)
        order = ordered(X, len(rows), said)
        weights = np.repeat(sequence_weights(rows, order, sample_weight), order.lengths)
        return float(weights @ values[order.order])

    @double_precision
    def predict_proba(
        self, X: MatrixLike, *, groups: ByRow = None, lengths: ByRow = None, time: ByRow = None
    ) -> np.ndarray:
        """``p(z_t = k | x)`` of every row given its whole sequence (smoothed), ``(n, K)``; NaN of one that is
        impossible under the model, and a warning.
        """
        _, log_b, order = self._read(X, SequenceOptions(groups, lengths, time))
        return order.back(_told(smoothed(self.model_, log_b, order.lengths).probabilities, order))

    @double_precision
    def filter(self, X: MatrixLike, *, groups: ByRow = None, lengths: ByRow = None, time: ByRow = None) -> np.ndarray:
        """``p(z_t = k | x_1 … x_t)`` of every row given those up to it, ``(n, K)``."""
        _, log_b, order = self._read(X, SequenceOptions(groups, lengths, time))
        return order.back(_told(filtered(self.model_, log_b, order.lengths).probabilities, order))

    @double_precision
    def predict(self, X: MatrixLike, *, groups: ByRow = None, lengths: ByRow = None, time: ByRow = None) -> np.ndarray:
        """The state of every row along the likeliest path of its sequence (Viterbi), ``(n,)``."""
        _, log_b, order = self._read(X, SequenceOptions(groups, lengths, time))
        path, values = likeliest(self.model_, log_b, order.lengths)
        _say_impossible(np.isneginf(values), order, "its states mean nothing")
        return order.back(path)

    @double_precision
    def decode(
        self, X: MatrixLike, lengths: ByRow = None, *, groups: ByRow = None, time: ByRow = None
    ) -> tuple[float, np.ndarray]:
        """``log p(x, z)`` along the likeliest paths, summed over sequences, and these paths, as hmmlearn's."""
        _, log_b, order = self._read(X, SequenceOptions(groups, lengths, time))
        path, values = likeliest(self.model_, log_b, order.lengths)
        return float(values.sum()), order.back(path)

    def fit_predict(self, X: MatrixLike, y: ByRow = None, **how: Any) -> np.ndarray:
        """Fit, then the state of every row along the likeliest path."""
        said = {name: how[name] for name in ("groups", "lengths", "time") if name in how}
        return cast(np.ndarray, self.fit(X, y, **how).predict(X, **said))

    @double_precision
    def sample(
        self, n_samples: int = 1, n_sequences: int = 1, random_state: Seed = None
    ) -> tuple[np.ndarray, np.ndarray]:
        """New sequences, one after another: rows ``(n_sequences · n_samples, d)``, and their states.

        Args:
            n_samples: rows of each.
            n_sequences: how many sequences.
            random_state: what the draws depend on; the estimator's own where None.
        """
        model = self.fitted_chain()
        for name, value in (("n_samples", n_samples), ("n_sequences", n_sequences)):
            check_whole(name, value, 1)
        random = seed_of(self.random_state if random_state is None else random_state)
        states = sampled_states(model, int(n_samples), int(n_sequences), random).ravel()
        return draw(model.emissions, states, random), states

    @double_precision
    def impute(
        self,
        X: MatrixLike,
        n_draws: int | None = None,
        random_state: Seed = None,
        *,
        groups: ByRow = None,
        lengths: ByRow = None,
        time: ByRow = None,
    ) -> np.ndarray:
        """Rows with their missing entries filled in, given all that is seen of their sequences.

        Without draws an entry gets its expectation, ``Σ_k p(z_t = k|x) E[x_tj | x_t, k]``; a column of levels its
        likeliest code. With draws whole paths of states are drawn from their joint posterior, then the entries.

        Returns: ``(n, d)``, or m proper imputations ``(m, n, d)``.
        """
        rows, log_b, order = self._read(X, SequenceOptions(groups, lengths, time))
        model, dense = self.fitted_chain(), rows.rows()[order.order].astype(np.float64, copy=False)
        check_vector_gaps(model.emissions, dense)
        if n_draws is None:
            shares = _told(smoothed(model, log_b, order.lengths).probabilities, order)
            return order.back(expected_under(model.emissions, dense, shares))
        check_whole("n_draws", n_draws, 1)
        random = seed_of(self.random_state if random_state is None else random_state)
        paths = drawn_paths(model, log_b, order.lengths, int(n_draws), random)
        return order.back(drawn_under(model.emissions, dense, paths, random=random), axis=1)

    @double_precision
    def forecast(
        self,
        steps: int,
        X: MatrixLike | None = None,
        *,
        level: float = 0.9,
        groups: ByRow = None,
        lengths: ByRow = None,
        time: ByRow = None,
    ) -> Forecast:
        """What comes after the last row of every sequence: ``p(x_T+h | x_1…T) = Σ_k p(z_T+h = k|x_1…T) p(x|k)``.

        Args:
            steps: how many steps, H.
            X: the sequences that go on; those of the fit where None.
            level: probability of the intervals.
            groups, lengths, time: as at fit.
        """
        model = self.fitted_chain()
        check_whole("steps", steps, 1)
        check_level(level)
        past: tuple[np.ndarray, ...] = ()
        if X is None:
            ends, names = self.ends_, self.sequences_
        else:
            rows, log_b, order = self._read(X, SequenceOptions(groups, lengths, time))
            last = np.cumsum(order.lengths) - 1
            ends, names = filtered(model, log_b, order.lengths).probabilities[last], sequence_names(order)
            dense = rows.rows()[order.order]
            past = tuple(
                dense[max(end - PAST, end - length) + 1 : end + 1]
                for end, length in zip(last, order.lengths, strict=True)
            )
        shares = onward(model, ends, steps)
        unlike = [name for name, end in zip(names, ends, strict=True) if not end.any()]
        if unlike:
            warnings.warn(
                f"under the model sequence {listed(unlike)} is impossible, and nothing follows from it: its forecast "
                "is NaN",
                UserWarning,
                stacklevel=3,
            )
        return self._forecast(shares, names, past, float(level))

    def _forecast(
        self, shares: np.ndarray, names: tuple[Any, ...], past: tuple[np.ndarray, ...], level: float
    ) -> Forecast:
        emissions, columns = self.fitted_chain().emissions, tuple(self._column_names())
        flat = shares.reshape(-1, shares.shape[-1])
        density = Density(
            columns=tuple(range(len(columns))),
            feature_names=columns,
            weights=flat,
            _model=emissions,
            _given=np.full((len(flat), len(columns)), np.nan),
            _names=columns,
            _log_given=np.zeros(len(flat)),
            _batched=True,
        )
        means, variances = marginal_moments(emissions)
        mean = flat @ means
        sd = np.sqrt(np.maximum(flat @ (variances + means**2) - mean**2, flat @ variances))
        ends = [density.quantile([(1 - level) / 2, (1 + level) / 2], place) for place in range(len(columns))]
        low, high = np.stack([each[:, 0] for each in ends], 1), np.stack([each[:, 1] for each in ends], 1)
        shape = (*shares.shape[:2], len(columns))
        chances = {
            place: (flat @ codes[:, at]).reshape(*shares.shape[:2], -1)
            for group in emissions.groups
            if (codes := group.code_probabilities()) is not None
            for at, place in enumerate(group.columns)
        }
        mean, sd, low, high = (each.reshape(shape) for each in (mean, sd, low, high))
        return Forecast(columns, names, mean, sd, low, high, level=level, states=shares, past=past, levels=chances)

    def _ends(self, rows: Dataset, lengths: np.ndarray) -> np.ndarray:
        """The filtered states at the ends of sequences in order."""
        shares = filtered(self.model_, emitted(self.model_, rows), lengths).probabilities
        return np.asarray(shares[np.cumsum(lengths) - 1])

    def bic(
        self,
        X: MatrixLike,
        sample_weight: ByRow = None,
        *,
        groups: ByRow = None,
        lengths: ByRow = None,
        time: ByRow = None,
    ) -> float:
        """``−2 log L + ν log N``, N the rows: lower is better."""
        score = self.score(X, None, sample_weight, groups=groups, lengths=lengths, time=time)
        rows = self.read(X, reset=False)
        total = float((rows.weights if sample_weight is None else np.asarray(sample_weight, float)).sum())
        return -2.0 * score + self.n_parameters_ * float(np.log(total))

    def aic(self, X: MatrixLike, sample_weight: ByRow = None, **said: ByRow) -> float:
        """``−2 log L + 2 ν``: lower is better; ``groups``, ``lengths`` and ``time`` as of `bic`."""
        return -2.0 * self.score(X, None, sample_weight, **said) + 2.0 * self.n_parameters_

    @double_precision
    def summary(self) -> MixtureSummary:
        """Shares of the states over all steps, and what each state says of every column."""
        return summarise(self.fitted_chain().emissions)

    def graph(self) -> Graph:
        """The directed graph of the model: one step and the state before it."""
        model, names = self.fitted_chain().emissions, self._names()
        columns = [] if names is None else [[names[column] for column in group.columns] for group in model.groups]
        return hidden_markov_graph(graph_groups(model), columns=columns, priors=has_priors(model))

    @property
    def n_features(self) -> int:
        """How many columns there are, by hmmlearn's name."""
        return self.n_features_in_

    def _normal(self, name: str) -> GaussianComponent:
        groups = self.fitted_chain().emissions.groups
        if len(groups) == 1 and isinstance(groups[0], GaussianComponent) and not groups[0].log:
            return groups[0]
        raise AttributeError(f"{name} is of models whose columns are all normal; summary() tells of every column")

    @property
    def means_(self) -> np.ndarray:
        """Means of the states, ``(K, d)``, of columns that are all normal."""
        return np.asarray(self._normal("means_").means)

    @property
    def covars_(self) -> np.ndarray:
        """Covariances of the states, ``(K, d, d)``, of columns that are all normal."""
        found = np.asarray(self._normal("covars_").covariances)
        return found if found.ndim == 3 else np.asarray(spread(found))

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.input_tags.allow_nan = True
        return tags


def _told(shares: np.ndarray, order: SequenceOrder) -> np.ndarray:
    """Probabilities of states in order, NaN where nothing is possible, which is said."""
    lost = ~(shares.sum(1) > 0)
    if not lost.any():
        return shares
    _say_impossible(np.logical_or.reduceat(lost, np.cumsum(order.lengths) - order.lengths), order, "it has NaN there")
    return np.where(lost[:, None], np.nan, shares)


def _say_impossible(lost: np.ndarray, order: SequenceOrder, said: str) -> None:
    names = [name for name, gone in zip(sequence_names(order), lost, strict=True) if gone]
    if names:
        warnings.warn(f"under the model sequence {listed(names)} is impossible: {said}", UserWarning, stacklevel=4)
