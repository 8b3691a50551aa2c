"""What a fitted mixture answers beyond scores: new rows, gaps filled, other densities, graph, standard errors."""

from collections.abc import Mapping
from typing import Any

import numpy as np
from sklearn.utils.validation import check_is_fitted

from tacit.data import schema
from tacit.data.dataset import Dataset, DenseRows
from tacit.data.value_sets import Box
from tacit.estimators.base import double_precision, read_data, seed_of, unmasked, weighted
from tacit.estimators.capabilities import AnswersFromMixture, GivesConditionalsExactly, Imputes, Samples, Scores
from tacit.estimators.explaining import Explains
from tacit.estimators.mixture.density import Column, Density, chosen_columns, conditioned, density
from tacit.estimators.query.asking import CONTINUOUS, AnswersQueries
from tacit.estimators.settings import Estimator
from tacit.models.graph import Graph, mixture_graph
from tacit.models.mixture import rows as answers
from tacit.models.mixture import sampling
from tacit.models.mixture.conditional import owner
from tacit.models.mixture.given import MixtureGiven, condition
from tacit.models.mixture.impute import check_vector_gaps, drawn, expected
from tacit.models.mixture.information import standard_errors
from tacit.models.mixture.model import MixtureModel
from tacit.models.mixture.summary import graph_groups, has_priors


class MixtureAnswers(
    AnswersQueries, Explains, GivesConditionalsExactly, Scores, Samples, Imputes, AnswersFromMixture, Estimator
):
    """The answers of a fitted mixture; models of one component have them too."""

    model_: MixtureModel
    n_parameters_: int

    random_state: Any

    def read(self, X: Any, *, reset: bool, minimum: int = 1) -> Dataset:
        """Rows as floats, NaN where missing, checked against the columns at fit, or the first of them (``reset``)."""
        return read_data(self, X, reset=reset, minimum=minimum)

    def fitted_model(self) -> MixtureModel:
        """The fitted model in the user's units, or ``NotFittedError``."""
        check_is_fitted(self)
        return self.model_

    @double_precision
    def score_samples(self, X: Any) -> np.ndarray:
        """``log p(x)`` of every row in nats, ``(n,)``; missing entries are integrated out."""
        self.fitted_model()
        return self.score_read(self.read(X, reset=False))

    def score_read(self, rows: Dataset) -> np.ndarray:
        """``log p(x)`` of rows that were read, in nats, ``(n,)``."""
        return answers.log_prob(self.fitted_model(), rows).astype(rows.dtype, copy=False)

    @double_precision
    def weighed_scores(self, X: Any, sample_weight: Any = None) -> tuple[np.ndarray, np.ndarray]:
        """``log p(x)`` of every row in nats, ``(n,)``, and the weights of the rows, ``(n,)``."""
        self.fitted_model()
        rows = weighted(self.read(X, reset=False), sample_weight)
        return self.score_read(rows), rows.weights

    def score(self, X: Any, y: Any = None, sample_weight: Any = None) -> float:
        """Mean log-density a row, in nats."""
        values, weights = self.weighed_scores(X, sample_weight)
        return float(np.average(values, weights=None if (weights == 1.0).all() else weights))

    def _explained_rows(self, X: Any) -> np.ndarray:
        self.fitted_model()
        return self.read(X, reset=False).rows()

    @double_precision
    def _explained_scores(self, rows: np.ndarray) -> np.ndarray:
        check_vector_gaps(self.fitted_model(), rows)
        return np.asarray(self.score_read(DenseRows(np.asarray(rows, np.float64))), np.float64)

    def _new_rows(self, number: int, totals: Any = None) -> tuple[np.ndarray, np.ndarray]:
        """New rows and the components that they come from, in the order of these."""
        model = self.fitted_model()
        if number < 1:
            raise ValueError(f"Invalid value for 'n_samples': {number} . The sampling requires at least one sample.")
        laid = _totals(totals, number, sampling.multinomial_groups(model))
        return sampling.sample(model, int(number), random=seed_of(self.random_state), totals=laid)

    @double_precision
    def impute(self, X: Any, n_draws: int | None = None, random_state: Any = None) -> np.ndarray:
        """Rows with their missing entries filled in; observed entries stay bit for bit.

        Without draws an entry gets its posterior mean, ``E[x_j|x_o] = Σ_k p(k|x_o) E[x_j|x_o,k]``: a count may
        then be a fraction. A column of categories gets its likeliest code instead.

        Args:
            X: rows ``(n, d)``; NaN marks a missing entry.
            n_draws: m: draw the missing entries from their joint posterior, m times.
            random_state: what the draws depend on; the estimator's own where None.

        Returns:
            ``(n, d)``, or m proper imputations ``(m, n, d)``: analyse each and pool the results (Rubin 1987);
            their average is no data set.
        """
        model = self.fitted_model()
        rows = self.read(X, reset=False).rows()
        check_vector_gaps(model, rows)
        if n_draws is None:
            return expected(model, rows)
        if n_draws < 1:
            raise ValueError(f"n_draws must be at least 1, or None for the posterior mean; got {n_draws}")
        random = seed_of(self.random_state if random_state is None else random_state)
        return drawn(model, rows, int(n_draws), random=random)

    @double_precision
    def marginal(self, columns: Any) -> Density:
        """The density of some columns, the others integrated out.

        Args:
            columns: numbers or names, in the order wanted.
        """
        model = self.fitted_model()
        names = self._names()
        dims = sum(len(group.columns) for group in model.groups)
        chosen = chosen_columns(columns, tuple(range(dims)), names)
        return density(model, np.full((1, dims), np.nan), chosen, names, batched=False)

    def condition(self, values: Mapping[Column, Any]) -> Density:
        """The density of the other columns, given values of these: ``p(x_rest | x_given)``.

        Args:
            values: by column number or name: a number, or an array ``(B,)`` for a batch of B densities.
                Categories are given by code. NaN is an unknown value: it is integrated out.

        Raises:
            ValueError: an unknown column, a value outside its column's support, every column given, or
                arrays of different lengths.
        """
        model = self.fitted_model()
        dims = sum(len(group.columns) for group in model.groups)
        nothing = np.full((1, dims), np.nan)
        return conditioned(model, nothing, tuple(range(dims)), self._names(), values, batched=False)

    @double_precision
    def given(self, evidence: Box) -> MixtureGiven | None:
        model = self.fitted_model()
        dims = sum(len(group.columns) for group in model.groups)
        groups = [values for place, values in evidence.items() if place == dims]
        seen = {place: values for place, values in evidence.items() if place < dims}
        return condition(model, seen, groups[0] if groups else None)

    def hidden_columns(self) -> tuple[schema.Column, ...]:
        """The group, by its number from 1."""
        model = self.fitted_model()
        groups = np.size(model.log_weights) - model.noise
        levels = [str(number + 1) for number in range(groups)] + ["noise"] * model.noise
        return (schema.Column("group", "categorical", tuple(levels)),) if len(levels) > 1 else ()

    def is_continuous(self, place: int, column: schema.Column) -> bool:
        return owner(self.fitted_model(), place)[0].column_kind in CONTINUOUS

    def graph(self) -> Graph:
        """The directed graph of the model, as data."""
        model, names = self.fitted_model(), self._names()
        return mixture_graph(
            graph_groups(model),
            columns=() if names is None else [[names[column] for column in group.columns] for group in model.groups],
            priors=has_priors(model),
            weights_prior=model.concentration is not None,
            components=int(np.size(model.log_weights)) - model.noise,
        )

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.input_tags.allow_nan = True
        return tags


class LikelihoodAnswers(MixtureAnswers):
    """The answers of a mixture whose parameters are estimates."""

    @double_precision
    def standard_errors(self, X: Any, sample_weight: Any = None) -> dict[str, np.ndarray]:
        """Standard errors of the parameters from the observed information at the fit.

        Args:
            X: the rows the mixture was fitted to.
            sample_weight: their weights.

        Returns:
            ``weights`` and the parameters of the groups, each of the parameter's shape.

        Raises:
            ValueError: the information is singular; the message names the components.
        """
        model = self.fitted_model()
        return standard_errors(model, weighted(self.read(X, reset=False), sample_weight))

    def bic(self, X: Any, sample_weight: Any = None) -> float:
        """scikit-learn's criterion, ``−2 log L + ν log N``, N the sum of the weights: lower is better."""
        values, weights = self.weighed_scores(X, sample_weight)
        return float(-2.0 * (weights * values).sum() + self.n_parameters_ * np.log(weights.sum()))

    def aic(self, X: Any, sample_weight: Any = None) -> float:
        """scikit-learn's criterion, ``−2 log L + 2 ν``: lower is better."""
        values, weights = self.weighed_scores(X, sample_weight)
        return float(-2.0 * (weights * values).sum() + 2.0 * self.n_parameters_)


def labelled(model: MixtureModel, components: np.ndarray) -> np.ndarray:
    """The components by which rows are labelled: −1 where they are noise."""
    return (
        np.where(components < np.size(model.log_weights) - model.noise, components, -1) if model.noise else components
    )


def _totals(totals: Any, number: int, groups: int) -> np.ndarray | None:
    if groups == 0:
        if totals is not None:
            raise ValueError("totals are for multinomial columns, and this mixture has none")
        return None
    if totals is None:
        raise ValueError(
            "a multinomial row's total is no part of the model: give totals=, a number or one for each row"
        )
    given = np.asarray(unmasked(totals, "totals"), dtype=np.float64)
    laid = np.broadcast_to(given[:, None] if given.ndim == 1 else given, (number, groups))
    if not ((laid >= 0) & (laid == np.floor(laid))).all():
        raise ValueError("totals must be whole numbers, 0 or more")
    return np.array(laid)
