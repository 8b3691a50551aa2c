"""``ItemFactorAnalysis`` and its named compositions: factors behind answers, counts, levels and measurements."""

import warnings
from collections.abc import Mapping
from dataclasses import KW_ONLY, field
from typing import Annotated, Any, ClassVar, Self

import numpy as np
from numpy.typing import ArrayLike
from sklearn.exceptions import ConvergenceWarning

from tacit.data.dataset import Dataset
from tacit.data.errors import listed
from tacit.data.levels import show_level
from tacit.estimators.base import double_precision, weighted
from tacit.estimators.capabilities import MatrixLike, Sweeps
from tacit.estimators.factors.item_answers import ItemAnswers, patterns
from tacit.estimators.settings import POSITIVE, Choice, Flag, Number, Whole, settings
from tacit.estimators.stopping import stop_reason
from tacit.inference.status import CONVERGED
from tacit.models.factors.item_blocks import Normals
from tacit.models.factors.item_fitting import ItemSchedule, fit_items
from tacit.models.factors.item_lines import cuts_of, lines_of
from tacit.models.factors.item_starts import EMPTY, ItemShape, first_items
from tacit.models.factors.items import Coded, ItemModel
from tacit.models.factors.rotation import METHODS, ordered, rotate
from tacit.spaces import Held

PERFECT = 0.99
"""Of the variance of a response: a column of which the factors explain more has a slope without an end."""
FINE = 0.5
"""The least deviation of a row's scores, in spacings of the nodes, for which the sum over them is the integral."""


@settings
class ItemFactors(ItemAnswers):
    """What the models of items share."""

    held: ClassVar[Mapping[str, Held]] = {
        "loadings_": Held("lines factors"),
        "structure_": Held("lines factors"),
        "factor_correlations_": Held("factors factors"),
        "rotation_": Held("factors factors"),
        "communalities_": Held("lines"),
        "uniquenesses_": Held("lines", "not negative"),
        "explained_variance_": Held("factors"),
        "explained_variance_ratio_": Held("factors"),
        "discriminations_": Held("features factors", "any"),
        "intercepts_": Held("features cuts", "any"),
        "thresholds_": Held("features cuts", "any"),
        "difficulties_": Held("features cuts", "any"),
        "log_likelihood_": Held(""),
        "bound_": Held(""),
    }

    n_components: Annotated[int, Whole(1)] = 1
    """how many factors."""
    _: KW_ONLY
    link: Annotated[str, Choice(("probit", "logit"))] = "probit"
    """of binary and ordinal columns: a response behind the column is normal, or logistic."""
    rotation: Annotated[str | None, Choice(METHODS)] = None
    """"varimax", "quartimax", "promax", "oblimin" or "geomin"; the last three let factors correlate."""
    normalise: Annotated[bool, Flag()] = True
    """whether columns weigh alike in a rotation, however much the factors explain of them (Kaiser 1958)."""
    prior_scale: Annotated[float | None, POSITIVE] = None
    """standard deviation of a normal prior on slopes, and on the intercepts of columns with levels; None for no prior:
    the slope of a perfect item then has no end."""
    least_uniqueness: Annotated[float, Number("above 0 and below 1", least_too=False, below=1.0)] = 0.005
    """the smallest share of a normal column's variance that may be its own."""
    n_nodes: Annotated[int | None, Whole(2)] = None
    """nodes of the quadrature on the axis of a factor: 61, 29² or 13³ where None. Above three factors the power of two
    of points at which a fitted density is summed: of the posterior of a row 2⁷ where None, of the prior 2¹²."""
    max_iter: Annotated[int, Whole(1)] = 2000
    """most EM steps."""
    tol: Annotated[float, Number("at least 0 nats")] = 1e-6
    """the rise of the log-likelihood of all rows, in nats, below which the fit ends."""
    random_state: Any = 0
    """what the starts of a rotation and the draws of ``sample`` and ``impute`` depend on."""

    @double_precision
    def fit(self, X: MatrixLike, y: Any = None, sample_weight: ArrayLike | None = None) -> Self:
        """Fit to rows.

        Args:
            X: rows ``(n, d)``, a data frame, or a `tacit.data.Dataset`; NaN and None mark missing entries, whose
                factors drop out.
            y: ignored.
            sample_weight: a weight a row, ``(n,)``; 2 is the same as two copies.

        Raises:
            ValueError: what is wrong with the rows, the weights or a setting, and what to do.
        """
        self.fit_read(weighted(self.read(X, reset=True, minimum=2), sample_weight))
        return self

    def fit_read(self, rows: Dataset) -> None:
        """Fit to rows that were read; as `fit` in all else."""
        self.check_settings()
        self._settle_columns(rows)
        weights = np.asarray(rows.weights, np.float64)
        own = self._ranked(rows.rows()[weights > 0])
        weights = weights[weights > 0]
        self._check_items(own)
        values, place = patterns(own)
        weights = np.bincount(place, weights).astype(np.float64)
        numbers = [len(column.levels or ()) for column in self.schema_.columns]
        shape = ItemShape(self.n_components, self.link, self.n_nodes, self.least_uniqueness)
        start = first_items(values, weights, self.families_, numbers, shape)
        coded = start.coded(*_with_empty_levels(values, weights, numbers))
        precision = 0.0 if self.prior_scale is None else self.prior_scale**-2
        schedule = ItemSchedule(self.max_iter, self.tol, precision, type(self).__name__)
        found = fit_items(start, coded, schedule)
        self.model_, self.trace_, self.n_iter_ = found.model, found.trace, found.iteration
        self.n_parameters_ = found.model.n_parameters()
        self._take(found.model)
        self._end(found.status, found.model.coded(values, weights))

    def _take(self, model: ItemModel) -> None:
        """Keep what the parameters say, rotated."""
        lines, cuts = lines_of(model), cuts_of(model)
        share = (lines.loadings**2).sum(1)
        own = np.maximum(1.0 - share, 1e-12)
        values, turn = np.linalg.eigh((lines.loadings / own[:, None]).T @ lines.loadings)
        turn = turn[:, np.argsort(-values)]
        turn = turn * np.where((lines.loadings @ turn).sum(0) < 0, -1.0, 1.0)
        pattern = lines.loadings @ turn
        self.factor_correlations_, self.rotation_, self.loadings_ = np.eye(model.factors), turn, pattern
        if self.rotation is not None and model.factors > 1:
            seed = self.random_state if isinstance(self.random_state, int) else 0
            turned = ordered(rotate(pattern, self.rotation, normalise=self.normalise, seed=seed))
            self.loadings_, self.factor_correlations_ = turned.loadings, turned.correlations
            self.rotation_ = turn @ turned.transformation
        self.structure_ = self.loadings_ @ self.factor_correlations_
        self.communalities_, self.uniquenesses_ = share, 1.0 - share
        self.explained_variance_ = (self.loadings_ * self.structure_).sum(0)
        self.explained_variance_ratio_ = self.explained_variance_ / len(share)
        self.line_names_ = tuple(
            name if level < 0 else f"{name}={show_level((self.schema_.columns[column].levels or ())[level])}"
            for column, level in zip(lines.columns, lines.levels, strict=True)
            for name in (self._column_names()[column],)
        )
        self.discriminations_ = cuts.slopes @ np.linalg.inv(self.rotation_).T
        self.intercepts_, self.thresholds_, self.difficulties_ = cuts.intercepts, cuts.thresholds, None
        if model.factors == 1:
            ordinal = ~np.isnan(cuts.thresholds)
            with np.errstate(divide="ignore", invalid="ignore"):
                self.difficulties_ = np.where(ordinal, -cuts.intercepts / self.discriminations_, np.nan)

    def _end(self, status: int, coded: Coded) -> None:
        """How the fit ended, its likelihood, and warnings."""
        logs, _, covariance = self.model_.scores(coded)
        self.log_likelihood_ = self.bound_ = float(coded.weights @ logs)
        if self.model_.has_bound:
            self.bound_ = float(coded.weights @ self.model_.bounds(coded))
        full = [name for name, share in zip(self.line_names_, self.communalities_, strict=True) if share > PERFECT]
        for block in self.model_.blocks:
            if isinstance(block, Normals):
                low = block.noise <= block.least * (1.0 + 1e-6)
                full += [self.schema_.names[at] for at, there in zip(block.columns, low, strict=True) if there]
        self.at_floor_ = tuple(dict.fromkeys(full))
        self.converged_ = status == CONVERGED and not self.at_floor_
        self.stop_reason_ = "a column has no noise of its own" if self.at_floor_ else stop_reason(status)
        if self.at_floor_:
            warnings.warn(
                f"the factors explain all of column {listed(self.at_floor_)}: its slope has no end. Hold it by a "
                "prior, prior_scale=2, ask for fewer factors, or leave the column out.",
                ConvergenceWarning,
                stacklevel=5,
            )
        elif not self.converged_:
            warnings.warn(
                f"{type(self).__name__} did not converge: {self.stop_reason_} after {self.n_iter_} EM steps. Increase "
                "max_iter.",
                ConvergenceWarning,
                stacklevel=5,
            )
        least = np.sqrt(np.maximum(np.linalg.eigvalsh(covariance)[:, 0], 0.0))
        order = np.argsort(least)
        middle = least[order][np.searchsorted(coded.weights[order].cumsum(), 0.5 * coded.weights.sum())]
        spacing = self.model_.grid().spacing
        if middle < FINE * spacing and not self.at_floor_:
            warnings.warn(
                f"the scores of most rows are surer (± {middle:.2g}) than the nodes of the quadrature lie apart "
                f"({spacing:.2g}), and the likelihood is coarse: raise n_nodes, or take tacit.FactorAnalysis where all "
                "columns are measurements",
                ConvergenceWarning,
                stacklevel=5,
            )


@settings
class ItemFactorAnalysis(Sweeps, ItemFactors):
    """Factors behind columns of any kinds: z ~ N(0, I), and given z every column is of its own family.

    A column is binary or ordinal (``p(x ≥ l) = F(a_l + λ·z)``, the graded-response model, F normal or logistic), a
    count (Poisson, ``log E[x] = a + λ·z``), categorical (``p(x = l) ∝ exp(a_l + λ_l·z)``) or normal (``a + λ·z``, ψ).
    Up to three factors the fit is by marginal maximum likelihood over the nodes of a Gauss–Hermite rule (Bock & Aitkin
    1981). Above that it raises a variational bound, with a normal q(z | x) of every row (Opper & Archambeau 2009), and
    densities and scores are sums over points of q, weighted; ``integral_`` says which. What is missing says nothing.

    Attributes:
        loadings_: ``(lines, factors)``, in deviations of the responses behind the columns: a line a column, and a line
            a level of a categorical one (``line_names_``); rotated.
        structure_, factor_correlations_, communalities_, uniquenesses_, explained_variance_: as in ``FactorAnalysis``.
        discriminations_: λ, ``(d, factors)``, rotated; NaN of categorical columns.
        intercepts_: a, ``(d, cuts)``, NaN where a column has fewer.
        thresholds_: where the response behind a binary or ordinal column is cut, in its deviations, ``(d, cuts)``.
        difficulties_: of one factor, ``−a / λ``, where a level and all above it become the likelier half,
            ``(d, cuts)``; None of more.
        schema_, families_: the columns, their kinds and levels, and the family of each.
        log_likelihood_: of the rows, in nats.
        bound_: what the fit raised; of up to three factors the same.
        integral_: "Gauss–Hermite quadrature" or "variational bound".
        at_floor_: names of the columns of which the factors explain all; such a fit is not ``converged_``.
        model_: the parameters, in whose coordinates ``z`` is not rotated.
        n_parameters_, n_iter_, converged_, stop_reason_, trace_: of the fit.
    """


@settings
class GradedResponse(ItemFactors):
    """The graded-response model of ordinal items: one factor, logistic (Samejima 1969).

    ``p(x ≥ l | z) = 1 / (1 + exp(−α (z − β_l)))``; ``discriminations_`` ``(d, 1)`` are α, ``difficulties_``
    ``(d, cuts)`` β, and all else as in `ItemFactorAnalysis`.
    """

    families: Any = field(default="ordinal", init=False)
    link: Any = field(default="logit", init=False)
    n_components: Any = field(default=1, init=False)
    rotation: Any = field(default=None, init=False)
    normalise: Any = field(default=True, init=False)


@settings
class TwoParameterLogistic(ItemFactors):
    """The two-parameter logistic model of binary items: one factor (Birnbaum 1968).

    ``p(x = 1 | z) = 1 / (1 + exp(−α (z − β)))``; ``discriminations_`` ``(d, 1)`` are α, ``difficulties_`` ``(d, 1)`` β,
    and all else as in `ItemFactorAnalysis`.
    """

    families: Any = field(default="binary", init=False)
    link: Any = field(default="logit", init=False)
    n_components: Any = field(default=1, init=False)
    rotation: Any = field(default=None, init=False)
    normalise: Any = field(default=True, init=False)


def _with_empty_levels(rows: np.ndarray, weights: np.ndarray, numbers: list[int]) -> tuple[np.ndarray, np.ndarray]:
    """Half a row more for every level that no row has, so that it has a probability."""
    every = [(place, level) for place, count in enumerate(numbers) for level in range(count)]
    lacking = [(place, level) for place, level in every if not (rows[:, place] == level).any()]
    extra = np.full((len(lacking), rows.shape[1]), np.nan)
    for row, (place, level) in enumerate(lacking):
        extra[row, place] = level
    return np.concatenate([rows, extra]), np.concatenate([weights, np.full(len(lacking), EMPTY)])
