"""What a fitted model of items answers: densities, scores, gaps filled, new rows, standard errors, the graph."""

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import ArrayLike
from sklearn.base import ClassNamePrefixFeaturesOutMixin, TransformerMixin
from sklearn.utils.validation import check_is_fitted

from tacit.data.dataset import Dataset, DenseRows
from tacit.data.value_sets import Box
from tacit.estimators.base import double_precision, seed_of, weighted
from tacit.estimators.capabilities import (
    GivesConditionalsExactly,
    Imputes,
    MatrixLike,
    Measures,
    ReadsOnce,
    Samples,
)
from tacit.estimators.explaining import Explains
from tacit.estimators.factors.answers import Latent
from tacit.estimators.factors.capabilities import HasFactors
from tacit.estimators.factors.item_reading import ItemReading
from tacit.estimators.mixture.density import Column, Density, chosen_columns, conditioned, density
from tacit.estimators.query.asking import AnswersQueries
from tacit.estimators.settings import Estimator
from tacit.models.factors.graph import item_graph
from tacit.models.factors.item_errors import FactorFrame, item_errors
from tacit.models.factors.item_levels import Levels
from tacit.models.factors.items import ItemModel
from tacit.models.factors.nodes import node_mixture
from tacit.models.graph import Graph
from tacit.models.mixture.given import MixtureGiven, condition
from tacit.models.mixture.model import MixtureModel

SENTINEL = -1e308
"""Stands for a gap where equal rows are sought."""


class ItemAnswers(
    AnswersQueries,
    Explains,
    GivesConditionalsExactly,
    ItemReading,
    HasFactors,
    Measures,
    Samples,
    Imputes,
    ReadsOnce,
    ClassNamePrefixFeaturesOutMixin,
    TransformerMixin,
    Estimator,
):
    """The answers of a fitted model of items."""

    model_: ItemModel
    n_components: int
    prior_scale: float | None
    rotation: str | None
    normalise: bool
    random_state: Any
    rotation_: np.ndarray
    structure_: np.ndarray
    factor_correlations_: np.ndarray
    communalities_: np.ndarray
    uniquenesses_: np.ndarray
    explained_variance_: np.ndarray
    explained_variance_ratio_: np.ndarray
    discriminations_: np.ndarray
    intercepts_: np.ndarray
    thresholds_: np.ndarray
    difficulties_: np.ndarray | None
    log_likelihood_: float
    bound_: float
    line_names_: tuple[str, ...]
    """What the lines of ``loadings_`` are of."""

    @property
    def column_names(self) -> list[str]:
        """Of the lines of ``loadings_``: columns, and levels of those without an order."""
        return list(self.line_names_)

    def most_factors(self, columns: int) -> int:
        return max(1, (columns - 1) // 2)

    @property
    def integral_(self) -> str:
        """How the factors are integrated out in a fit."""
        return "variational bound" if self._fitted().has_bound else "Gauss–Hermite quadrature"

    def remarks(self) -> list[str]:
        model = self._fitted()
        if not model.has_bound:
            return []
        return [
            f"With {model.factors} factors the fit raised a variational bound of the log-likelihood, "
            f"{self.bound_:,.1f} nats, and not the log-likelihood itself, which is about {self.log_likelihood_:,.1f} "
            "nats. Up to three factors it is summed by Gauss–Hermite quadrature."
        ]

    @property
    def _n_features_out(self) -> int:
        return int(self.loadings_.shape[1])

    def sizes(self) -> dict[str, int]:
        return super().sizes() | {"factors": self.n_components, "lines": len(self.line_names_)}

    def _fitted(self) -> ItemModel:
        """The model, or scikit-learn's ``NotFittedError``."""
        check_is_fitted(self)
        return self.model_

    def base_measure(self) -> tuple[str, ...]:
        """A "density" of a normal column, a "mass" of all others."""
        self._fitted()
        return tuple("density" if family == "normal" else "mass" for family in self.families_)

    @double_precision
    def score_samples(self, X: MatrixLike) -> np.ndarray:
        """``log p(x)`` of every row in nats, ``(n,)``; missing entries are summed out, 0 where all are."""
        self._fitted()
        return self.score_read(self.read(X, reset=False))

    def score_read(self, rows: Dataset) -> np.ndarray:
        """The same of rows that were read."""
        return self._latent(rows)[0].astype(rows.dtype)

    @double_precision
    def score(self, X: MatrixLike, y: Any = None, sample_weight: ArrayLike | None = None) -> float:
        """Mean log-density a row, in nats."""
        values, weights = self._weighed(X, sample_weight)
        return float(np.average(values, weights=weights))

    def bic(self, X: MatrixLike, sample_weight: ArrayLike | None = None) -> float:
        """``−2 log L + ν log N``, N the sum of the weights: lower is better."""
        values, weights = self._weighed(X, sample_weight)
        return float(-2.0 * weights @ values + self.n_parameters_ * np.log(weights.sum()))

    def aic(self, X: MatrixLike, sample_weight: ArrayLike | None = None) -> float:
        """``−2 log L + 2 ν``: lower is better."""
        values, weights = self._weighed(X, sample_weight)
        return float(-2.0 * weights @ values + 2.0 * self.n_parameters_)

    def _weighed(self, X: MatrixLike, sample_weight: ArrayLike | None) -> tuple[np.ndarray, np.ndarray]:
        self._fitted()
        rows = weighted(self.read(X, reset=False), sample_weight)
        return self._latent(rows)[0], np.asarray(rows.weights, np.float64)

    def _latent(self, rows: Dataset) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Of every row ``log p(x)``, ``E[z | x]`` and its covariance; equal rows are worked on once."""
        model, values = self._fitted(), self._ranked(rows.rows())
        if "normal" in self.families_:
            return model.scores(model.coded(values))
        different, place = patterns(values)
        logs, mean, covariance = model.scores(model.coded(different))
        return logs[place], mean[place], covariance[place]

    @double_precision
    def transform(self, X: MatrixLike, *, return_std: bool = False) -> Any:
        """The scores of rows on the (rotated) factors, ``E[z | x]``, and how sure they are.

        Args:
            X: rows ``(n, d)``; what is missing of a row says nothing.
            return_std: whether to give the posterior standard deviations too.

        Returns:
            ``(n, factors)``, or two such arrays.
        """
        self._fitted()
        rows = self.read(X, reset=False)
        _, mean, covariance = self._latent(rows)
        found = Latent(mean, covariance).turned(self.rotation_)
        scores = found.mean.astype(rows.dtype)
        return (scores, found.deviations().astype(rows.dtype)) if return_std else scores

    @double_precision
    def impute(self, X: MatrixLike, n_draws: int | None = None, random_state: Any = None) -> np.ndarray:
        """Rows with their missing entries filled in; levels are given by their codes, which `decode` reads.

        Args:
            X: rows ``(n, d)``.
            n_draws: m: draw the missing entries from their joint posterior, m times; None for the likeliest level, and
                the mean of a number: a count may then be a fraction.
            random_state: what the draws depend on; the estimator's own where None.

        Returns:
            ``(n, d)``, or m imputations ``(m, n, d)``.
        """
        model = self._fitted()
        values = self._ranked(self.read(X, reset=False).rows())
        if n_draws is None:
            return self._ranked(_expected(model, values), back=True)
        if n_draws < 1:
            raise ValueError(f"n_draws must be at least 1, or None for what is expected; got {n_draws}")
        random = seed_of(self.random_state if random_state is None else random_state)
        return np.stack([self._ranked(_drawn(model, values, random), back=True) for _ in range(n_draws)])

    @double_precision
    def sample(self, n_samples: int = 1) -> np.ndarray:
        """New rows ``(n, d)``; levels are given by their codes, which `decode` reads.

        Raises:
            ValueError: fewer than one row.
        """
        model = self._fitted()
        if n_samples < 1:
            raise ValueError(f"Invalid value for 'n_samples': {n_samples} . The sampling requires at least one sample.")
        random = seed_of(self.random_state)
        codes = random.standard_normal((int(n_samples), model.factors))
        return self._ranked(_rows_given(model, codes, random), back=True)

    @double_precision
    def standard_errors(self, X: MatrixLike, sample_weight: ArrayLike | None = None) -> dict[str, np.ndarray]:
        """Standard errors of what is told of the factors, from the outer products of the gradients of the rows.

        Args:
            X: the rows of the fit.
            sample_weight: their weights.

        Returns:
            ``loadings`` and ``factor_correlations`` of the rotated solution, ``discriminations`` ``(d, factors)``,
            ``intercepts`` ``(d, cuts)`` and, of one factor, ``difficulties`` ``(d, cuts)`` (all by the delta method).

        Raises:
            ValueError: the information is singular, or the rotation is promax, which minimises nothing.
        """
        model = self._fitted()
        rows = weighted(self.read(X, reset=False), sample_weight)
        coded = model.coded(self._ranked(rows.rows()), np.asarray(rows.weights, np.float64))
        precision = 0.0 if self.prior_scale is None else self.prior_scale**-2
        turned = FactorFrame(self.rotation_, self.rotation, self.normalise)
        return item_errors(model, coded, precision, turned)

    @double_precision
    def marginal(self, columns: Any) -> Density:
        """The density of some columns, the others summed out; levels are given by their codes.

        Args:
            columns: numbers or names, in the order wanted.
        """
        every = tuple(range(len(self.schema_)))
        nothing = np.full((1, len(every)), np.nan)
        names = self._names()
        return density(self._nodes(), nothing, chosen_columns(columns, every, names), names, batched=False)

    def condition(self, values: Mapping[Column, Any]) -> Density:
        """The density of the other columns, given values of these: ``p(x_rest | x_given)``.

        Args:
            values: by column number or name: a number, or an array ``(B,)`` for a batch of B densities. Levels are
                given by their codes; NaN is an unknown value: it is summed out.

        Raises:
            ValueError: an unknown column, a value outside its column's support, every column given, or arrays of
                different lengths.
        """
        every = tuple(range(len(self.schema_)))
        nothing = np.full((1, len(every)), np.nan)
        return conditioned(self._nodes(), nothing, every, self._names(), values, batched=False)

    def _nodes(self) -> MixtureModel:
        """The mixture of the nodes of the quadrature."""
        return node_mixture(self._fitted(), self.ranks_)

    def _explained_rows(self, X: MatrixLike) -> np.ndarray:
        self._fitted()
        return np.asarray(self.read(X, reset=False).rows(), np.float64)

    @double_precision
    def _explained_scores(self, rows: np.ndarray) -> np.ndarray:
        return self._latent(DenseRows(np.asarray(rows, np.float64)))[0]

    @double_precision
    def given(self, evidence: Box) -> MixtureGiven | None:
        return condition(self._nodes(), evidence)

    def graph(self) -> Graph:
        """The directed graph of the model, as data."""
        return item_graph(self._names(), tuple(self.families_), self._fitted().factors)

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.input_tags.allow_nan = True
        return tags


def patterns(rows: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Rows that differ, in an order of their own, and which of them each row is."""
    different, place = np.unique(np.where(np.isnan(rows), SENTINEL, rows), axis=0, return_inverse=True)
    return np.where(different == SENTINEL, np.nan, different), place.ravel()


def _expected(model: ItemModel, values: np.ndarray) -> np.ndarray:
    """Gaps filled by what is likeliest, or expected."""
    filled, rule = np.array(values), model.grid()
    for place, _, nodes, posterior in model.posteriors(model.coded(values), rule):
        for block in model.blocks:
            gaps = np.isnan(values[place][:, list(block.columns)])
            if not gaps.any():
                continue
            means = block.means(nodes.reshape(-1, model.factors))
            for column, mean, gap in zip(block.columns, means, gaps.T, strict=True):
                if nodes.ndim == 2:
                    found = posterior[gap] @ mean.T
                else:
                    found = np.einsum("nm,onm->no", posterior[gap], mean.reshape(-1, *posterior.shape)[:, gap])
                filled[place, column][gap] = found.argmax(1) if isinstance(block, Levels) else found[:, 0]
    return filled


def _drawn(model: ItemModel, values: np.ndarray, random: np.random.Generator) -> np.ndarray:
    """Gaps drawn: a node of the row's posterior, then the columns given it."""
    rule, codes = model.grid(), np.empty((len(values), model.factors))
    for place, _, nodes, posterior in model.posteriors(model.coded(values), rule):
        ends = posterior.cumsum(1)
        picked = (random.random((len(ends), 1)) * ends[:, -1:] > ends).sum(1)
        codes[place] = nodes[picked] if nodes.ndim == 2 else nodes[np.arange(len(picked)), picked]
    return np.where(np.isnan(values), _rows_given(model, codes, random), values)


def _rows_given(model: ItemModel, codes: np.ndarray, random: np.random.Generator) -> np.ndarray:
    rows = np.empty((len(codes), sum(len(block.columns) for block in model.blocks)))
    for block in model.blocks:
        rows[:, list(block.columns)] = block.drawn(codes, random)
    return rows
