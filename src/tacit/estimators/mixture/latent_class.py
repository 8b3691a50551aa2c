"""``LatentClass``: classes of answers, whose shares may depend on covariates."""

import dataclasses
import functools
import warnings
from collections.abc import Callable, Mapping
from dataclasses import KW_ONLY
from typing import Annotated, Any, ClassVar, TypeVar, cast

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from tacit.compute import eagerly
from tacit.data.dataset import ColumnMoments, Dataset
from tacit.data.errors import counted, listed
from tacit.data.results import TableResult
from tacit.data.schema import Schema
from tacit.estimators.base import double_precision, seed_of, weighted
from tacit.estimators.capabilities import (
    Capability,
    GivesConditionals,
    Imputes,
    MatrixLike,
    Mixes,
    Restarts,
    Samples,
    TellsTables,
)
from tacit.estimators.mixture import layout
from tacit.estimators.mixture.class_rows import LEVELS, different, whole_numbers
from tacit.estimators.mixture.mixed import Mixture
from tacit.estimators.query.asking import AnswersQueries
from tacit.estimators.settings import TOLERANCE, Choice, Whole, settings
from tacit.families.categorical import Categorical
from tacit.models.components.product import FamilyComponent
from tacit.models.gated.designs import redundant, scaling
from tacit.models.gated.errors import GatedErrors, gated_errors
from tacit.models.gated.gate import Gate
from tacit.models.gated.model import GatedMixture, begun, fitted
from tacit.models.gated.statistics import ClassFit, class_fit
from tacit.models.mixture.model import MixtureModel
from tacit.models.mixture.rows import joint_log_prob
from tacit.spaces import Held

Ask = TypeVar("Ask", bound=Callable[..., object])


def _without_covariates(ask: Ask) -> Ask:
    """A method that has an answer only where there are no covariates."""

    @functools.wraps(ask)
    def asked(self: "LatentClass", *given: object, **named: object) -> object:
        if self.covariates is not None:
            said = "needs a distribution of all columns, and covariates have none: fit without covariates"
            raise ValueError(f"{ask.__name__} {said}")
        return ask(self, *given, **named)

    return cast(Ask, asked)


class ClassCoefficients(TableResult):
    """The effects of covariates on the logarithm of the odds of a class beside the first one."""

    def __init__(self, table: pa.Table) -> None:
        self._table = table

    def to_arrow(self) -> pa.Table:
        return self._table

    def headline(self) -> str:
        """What they are of."""
        return "Log odds of every class beside class 1"


@settings
class LatentClass(TellsTables, Mixture):
    """Latent class analysis: answers are independent given the class, and a class is a table of their probabilities.

    ``p(x | w) = Σ_k π_k(w) ∏_j p_kj(x_j)``, fitted by EM to its maximum likelihood (Lazarsfeld & Henry 1968; Goodman
    1974). Without covariates the shares π are the same for all rows; with covariates they are a multinomial logit of
    them (Dayton & Macready 1988; Bandeen-Roche et al. 1997), estimated together with the classes. Missing answers drop
    out; rows without a covariate are left out. Columns of few whole numbers, binary and of texts have levels; other
    numbers are normal, or counts (a latent profile).

    Attributes:
        schema_: the columns, their kinds and levels.
        families_: the family of every item.
        weights_: share of every class, ``(K,)``, the largest first; with covariates their mean over the rows.
        coefficients_: with covariates, ``(K − 1, covariates + 1)``: log odds of class 2, 3, … beside class 1.
        covariate_names_: of the columns of ``coefficients_``, the intercept first.
        log_likelihood_: of the rows, in nats.
        model_, trace_, lower_bound_, converged_, stop_reason_, n_iter_, n_parameters_: as in ``GaussianMixture``.
    """

    held: ClassVar[Mapping[str, Held]] = {
        "coefficients_": Held("others effects"),
        "log_likelihood_": Held("", "any"),
    }

    _: KW_ONLY
    covariates: Any = None
    """columns (names or places) that the shares of the classes depend on; they are no items. Numbers, and levels that
    are numbers, count as they are; other levels by indicators of all but the first."""
    objective: Annotated[str, Choice(("mle", "map"))] = "mle"
    """"mle", or "map" with priors that weigh one row in all (without covariates)."""
    tol: Annotated[float, TOLERANCE] = 1e-9
    max_iter: Annotated[int, Whole(0)] = 5000
    n_init: Annotated[int, Whole(1)] = 10
    init_params: str = "random"

    def lacks(self) -> frozenset[type[Capability]]:
        """With covariates it is a density of the answers given these, and no answer goes without them."""
        if self.covariates is None:
            return super().lacks()
        return super().lacks() | {Mixes, Restarts, Samples, Imputes, GivesConditionals, AnswersQueries}

    sample = _without_covariates(Mixture.sample)
    impute = _without_covariates(Mixture.impute)
    marginal = _without_covariates(Mixture.marginal)
    condition = _without_covariates(Mixture.condition)
    query = _without_covariates(Mixture.query)
    standard_errors = _without_covariates(Mixture.standard_errors)
    partial_fit = _without_covariates(Mixture.partial_fit)

    def automatic(self, schema: Schema, values: ColumnMoments) -> list[str]:
        """A table of probabilities for columns of levels; others as in `Mixture`."""
        usual = super().automatic(schema, values)
        return ["categorical" if c.levels is not None else f for c, f in zip(schema.columns, usual, strict=True)]

    def _more_kinds(self, table: Any, wanted: dict[str, str]) -> dict[str, str]:
        covariates = {table.column_names[place] for place in self._places(table.column_names)}
        found = dict(wanted)
        for name in table.column_names:
            numbers = whole_numbers(table.column(name))
            if name not in wanted and name not in covariates and numbers is not None and 0 < numbers <= LEVELS:
                found[name] = "categorical"
        return super()._more_kinds(table, found)

    def _places(self, names: Any) -> list[int]:
        """Where the covariates stand."""
        if self.covariates is None:
            return []
        places = layout.places_of(self.covariates, list(names), "covariates")
        if len(places) >= len(names):
            raise ValueError("every column is a covariate, and no item is left to find classes by")
        return places

    def fit_read(self, rows: Dataset) -> None:
        """Fit to rows that were read."""
        for name in ("coefficients_", "covariate_names_"):
            self.__dict__.pop(name, None)
        if self.covariates is None:
            super().fit_read(rows)
            self.log_likelihood_ = float(self.score_read(rows).astype(np.float64) @ rows.weights)
            return
        self._check_all(rows)
        if self.objective != "mle":
            raise ValueError("with covariates the fit is to the maximum likelihood: leave out objective='map'")
        self._fit_gated(rows.rows().astype(np.float64), np.asarray(rows.weights, np.float64))

    def _fit_gated(self, values: np.ndarray, weights: np.ndarray) -> None:
        design, self.covariate_names_ = self._design(values)
        known = ~np.isnan(design).any(1)
        if not known.all():
            lacking = int((~known).sum())
            if weights[known].sum() <= 0:
                raise ValueError("every row lacks a covariate, and none is left to fit: leave out the covariates")
            said = f"{counted(lacking, 'row')} {'lacks' if lacking == 1 else 'lack'} a covariate"
            left = "is" if lacking == 1 else "are"
            warnings.warn(f"{said} and {left} left out of the fit", UserWarning, stacklevel=4)
        lost = redundant(design[known], weights[known])
        if lost:
            told = listed([self.covariate_names_[place] for place in lost])
            said = "cannot be told from the others (a constant, a level that no row has, or a sum of other covariates)"
            warnings.warn(f"covariates: {told} {said}: its effect means nothing; leave it out", stacklevel=4)
        groups, at = self._item_groups()
        items = np.where(np.isin(np.arange(values.shape[1]), at), values, 0.0)
        onto = scaling(design[known], weights[known])
        rows = np.concatenate([items, design @ onto.T], axis=1)[known]
        rows, weights = different(rows, weights[known], values.shape[1])
        number, others = self.n_init, self.n_components - 1
        columns = tuple(range(values.shape[1], rows.shape[1]))
        low, high = (np.tile(each, (number, 1)) for each in (rows[:, columns].min(0), rows[:, columns].max(0)))
        gate = Gate(np.zeros((number, others, len(columns))), low, high, columns)
        random = seed_of(self.random_state)
        start = random.dirichlet(np.ones(self.n_components), size=(number, len(rows)))
        with eagerly():
            starts = begun(GatedMixture(gate, groups(number)), rows, weights, start)
        found = fitted(starts, rows, weights, random, max_iter=self.max_iter, tol=self.tol, label=type(self).__name__)
        model = found.model
        shares = weights @ np.exp(model.gate.log_shares(rows)) / weights.sum()
        order = np.argsort(-shares, kind="stable")
        model = model.take(order)
        self._ended(found)
        self.coefficients_, self.trace_, self.weights_ = model.gate.coefficients @ onto, found.trace, shares[order]
        self.log_likelihood_, self.lower_bound_ = found.bound, found.bound / weights.sum()
        self.model_ = MixtureModel(np.log(self.weights_), model.experts, np.ones(order.size, bool))
        self.n_parameters_ = others * (len(columns) - len(lost)) + sum(part.n_parameters() for part in model.experts)
        self.families_ = ["categorical" if place in at else "covariate" for place in range(values.shape[1])]
        if not self.converged_:
            self._warn_unconverged()

    def _item_groups(self) -> tuple[Any, tuple[int, ...]]:
        """The items as groups of one number of levels, for so many starts; and their places."""
        covariates = self._places(self.schema_.names)
        items = [place for place in range(len(self.schema_)) if place not in covariates]
        groups: dict[int, list[int]] = {}
        for place in items:
            column = self.schema_.columns[place]
            if column.levels is None:
                raise ValueError(
                    f"column {column.name!r} is {column.kind}, and with covariates the items are columns of levels: "
                    "leave it out, or make classes of it"
                )
            groups.setdefault(len(column.levels), []).append(place)

        def made(starts: int) -> tuple[FamilyComponent, ...]:
            shape = (starts, self.n_components)
            return tuple(
                FamilyComponent(
                    Categorical(np.full((*shape, len(places), levels), 1.0 / levels)),
                    None,
                    None,
                    tuple(places),
                    len(places) * (levels - 1),
                    False,
                )
                for levels, places in groups.items()
            )

        return made, tuple(items)

    def _design(self, values: np.ndarray) -> tuple[np.ndarray, tuple[str, ...]]:
        """The covariates, levels by indicators of all but the first, behind a column of ones; NaN where missing."""
        columns, names = [np.ones(len(values))], ["intercept"]
        for place in self._places(self.schema_.names):
            column, x = self.schema_.columns[place], values[:, place]
            levels = column.levels or ()
            numbers = [float(level) for level in levels if not isinstance(level, str)]
            if levels and len(numbers) < len(levels):
                columns += [np.where(np.isnan(x), np.nan, x == code) for code in range(1, len(levels))]
                names += [f"{column.name}={level}" for level in levels[1:]]
                continue
            known = np.where(np.isnan(x), 0, x).astype(int)
            columns.append(np.where(np.isnan(x), np.nan, np.asarray(numbers)[known]) if levels else x)
            names.append(column.name)
        return np.stack(columns, axis=1), tuple(names)

    def _gated(self, values: np.ndarray) -> tuple[GatedMixture, np.ndarray]:
        """The model with a gate, and rows with the design behind them; covariates that are missing at their mean."""
        model = self.fitted_model()
        if self.covariates is None:
            log = np.maximum(model.log_weights, -700.0)
            design, coefficients = np.ones((len(values), 1)), (log[1:] - log[0])[:, None]
        else:
            design, coefficients = self._design(values)[0], self.coefficients_
        columns = tuple(range(values.shape[1], values.shape[1] + design.shape[1]))
        ends = np.zeros(design.shape[1])
        groups = tuple(group for group in model.groups if isinstance(group, FamilyComponent))
        if len(groups) < len(model.groups) or any(group.code_probabilities() is None for group in groups):
            raise ValueError("these figures are of classes of levels, and some items are numbers")
        groups = tuple(dataclasses.replace(group, complete=False) for group in groups)
        return GatedMixture(Gate(coefficients, ends, ends, columns), groups), np.concatenate([values, design], 1)

    def _joint(self, rows: Dataset) -> np.ndarray:
        """``log p(class, items | covariates)``; where a covariate is missing, with the mean shares."""
        if self.covariates is None:
            return np.asarray(joint_log_prob(self.fitted_model(), rows))
        model, values = self._gated(rows.rows().astype(np.float64))
        known = ~np.isnan(values).any(1, where=np.isin(np.arange(values.shape[1]), model.gate.columns))
        with eagerly():
            shares = np.where(known[:, None], model.gate.log_shares(np.nan_to_num(values)), np.log(self.weights_))
            return np.asarray(shares + model.expert_log_prob(values))

    def score_read(self, rows: Dataset) -> np.ndarray:
        """``log p(x)`` of rows that were read, given their covariates, in nats, ``(n,)``."""
        if self.covariates is None:
            return super().score_read(rows)
        return np.asarray(np.logaddexp.reduce(self._joint(rows), axis=1)).astype(rows.dtype)

    @double_precision
    def predict_proba(self, X: Any) -> np.ndarray:
        """``p(class | answers, covariates)`` of every row, ``(n, K)``."""
        if self.covariates is None:
            return super().predict_proba(X)
        self.fitted_model()
        rows = self.read(X, reset=False)
        joint = self._joint(rows)
        return np.exp(joint - np.logaddexp.reduce(joint, axis=1, keepdims=True)).astype(rows.dtype)

    def bic(self, X: Any, sample_weight: Any = None) -> float:
        """``−2 log L + ν log N``; of the rows that have all covariates, as the fit is and `fit_statistics`."""
        total, number = self._fitted_likelihood(X, sample_weight)
        return -2.0 * total + self.n_parameters_ * float(np.log(number))

    def aic(self, X: Any, sample_weight: Any = None) -> float:
        """``−2 log L + 2 ν``, of the same rows as `bic`."""
        return -2.0 * self._fitted_likelihood(X, sample_weight)[0] + 2.0 * self.n_parameters_

    def _fitted_likelihood(self, X: Any, sample_weight: Any) -> tuple[float, float]:
        """``Σ w log p`` over the rows that have all covariates, and their weight."""
        values, weights = self.weighed_scores(X, sample_weight)
        known = np.ones(values.size, bool)
        if self.covariates is not None:
            known = ~np.isnan(self._design(self.read(X, reset=False).rows().astype(np.float64))[0]).any(1)
        return float(weights[known] @ values[known].astype(np.float64)), float(weights[known].sum())

    @double_precision
    def fit_statistics(self, X: MatrixLike, sample_weight: Any = None) -> ClassFit:
        """G², X², degrees of freedom, entropies and criteria, as latent class analysis reports them.

        Args:
            X: the rows of the fit.
            sample_weight: their weights.
        """
        model, values, weights = self._used(X, sample_weight)
        items = [place for group in model.experts for place in group.columns]
        with eagerly():
            own = model.expert_log_prob(values)
            joint = model.gate.log_shares(values) + own
        total = np.logaddexp.reduce(joint, axis=1, keepdims=True)
        return class_fit(
            float(weights @ total[:, 0]),
            self.n_parameters_,
            values[:, items],
            weights,
            np.array([len(self.schema_.columns[place].levels or ()) for place in items]),
            own,
            np.exp(joint - total),
        )

    @double_precision
    def class_errors(self, X: MatrixLike, sample_weight: Any = None) -> GatedErrors:
        """Standard errors of shares, effects of covariates and item probabilities; NaN on the boundary.

        Args:
            X: the rows of the fit.
            sample_weight: their weights.
        """
        model, values, weights = self._used(X, sample_weight)
        with eagerly():
            return gated_errors(model, values, weights)

    def coefficient_table(self, X: MatrixLike, sample_weight: Any = None) -> ClassCoefficients:
        """The effects of covariates on the classes, with standard errors and z.

        Args:
            X: the rows of the fit.
            sample_weight: their weights.
        """
        if self.covariates is None:
            raise ValueError("the model has no covariates: name them, covariates=[…], and fit it again")
        errors = self.class_errors(X, sample_weight).coefficients
        names, others = self.covariate_names_, len(self.coefficients_)
        with np.errstate(divide="ignore", invalid="ignore"):
            z = self.coefficients_ / errors
        return ClassCoefficients(
            pa.table(
                {
                    "class": np.repeat(np.arange(others) + 2, len(names)),
                    "covariate": list(names) * others,
                    "coefficient": self.coefficients_.ravel(),
                    "sd": errors.ravel(),
                    "z": z.ravel(),
                }
            )
        )

    def told_tables(self, X: MatrixLike) -> tuple[tuple[str, pa.Table], ...]:
        """How well the classes fit, and what they depend on; nothing where items are numbers."""
        if not all(family in ("categorical", "covariate") for family in self.families_):
            return ()
        found = self.fit_statistics(X).to_arrow()
        fit = ("How well the classes fit", found.filter(pc.is_finite(found.column("value"))))
        if self.covariates is None:
            return (fit,)
        return fit, ("What the classes depend on: log odds beside class 1", self.coefficient_table(X).to_arrow())

    def _used(self, X: MatrixLike, sample_weight: Any) -> tuple[GatedMixture, np.ndarray, np.ndarray]:
        """The model, and the rows of the fit that have all covariates, with their weights."""
        self.fitted_model()
        rows = weighted(self.read(X, reset=False), sample_weight)
        model, values = self._gated(rows.rows().astype(np.float64))
        known = ~np.isnan(values[:, list(model.gate.columns)]).any(1)
        return model, values[known], np.asarray(rows.weights, np.float64)[known]
