"""``RegressionMixture``: groups of rows, each with a regression of its own."""

import warnings
from collections.abc import Callable, Mapping, Sequence
from dataclasses import KW_ONLY
from typing import Annotated, Any, ClassVar, Self

import numpy as np
import pyarrow as pa
from numpy.typing import ArrayLike
from scipy.special import ndtr, pdtr
from sklearn.base import RegressorMixin
from sklearn.exceptions import ConvergenceWarning
from sklearn.utils.validation import check_is_fitted

from tacit.compute import eagerly
from tacit.estimators.base import (
    check_level,
    check_whole,
    double_precision,
    numeric_data,
    read_weights,
    seed_of,
    unmasked,
)
from tacit.estimators.capabilities import (
    ChoosesItsNumber,
    MatrixLike,
    PredictsIntervals,
    PredictsNumbers,
    TellsTables,
)
from tacit.estimators.mixture.layout import places_of
from tacit.estimators.regression.group_coefficients import GroupCoefficients
from tacit.estimators.settings import NOT_NEGATIVE, POSITIVE, Choice, Estimator, Whole, settings
from tacit.estimators.stopping import stop_reason
from tacit.inference.closed_form import CONVERGED
from tacit.models.gated.designs import redundant
from tacit.models.gated.errors import gated_errors
from tacit.models.gated.gate import Gate
from tacit.models.gated.model import GatedMixture, begun, fitted
from tacit.models.gated.regressions import FAMILIES, RegressionComponents
from tacit.models.graph import Edge, Graph, Node, Plate
from tacit.models.mixture.univariate import bracket, count_quantile, root
from tacit.spaces import Held


@settings
class RegressionMixture(PredictsIntervals, PredictsNumbers, ChoosesItsNumber, TellsTables, RegressorMixin, Estimator):
    """Rows of several groups, each with a regression of its own: ``p(y | x) = Σ_k π_k(x) p(y | x, β_k)``.

    Fitted by EM to its maximum likelihood (DeSarbo & Cron 1988; Wedel & DeSarbo 1995). The shares π are the same for
    all rows, or a multinomial logit of the ``concomitant`` columns: with all columns it is a mixture of experts (Jordan
    & Jacobs 1994). The regressions are normal, Poisson or logistic.

    Attributes:
        coef_, intercept_: ``(K, d)`` and ``(K,)``, the largest group first.
        scale_: σ of every group ``(K,)``, of normal regressions.
        weights_: share of every group ``(K,)``; with concomitant columns their mean over the rows.
        gate_coefficients_: ``(K − 1, columns + 1)``: log odds of group 2, 3, … beside group 1, the intercept first.
        log_likelihood_: of the rows, in nats.
        bics_: BIC by the number of groups, of all that were tried.
        at_floor_: whether a group's σ rests on its floor: the group runs through its rows.
        n_iter_, converged_, stop_reason_, trace_, n_parameters_: how the fit ended.
    """

    held: ClassVar[Mapping[str, Held]] = {
        "coef_": Held("components features"),
        "intercept_": Held("components"),
        "scale_": Held("components", "positive"),
        "weights_": Held("components", "probability"),
        "gate_coefficients_": Held("others effects"),
        "log_likelihood_": Held("", "any"),
    }

    n_components: int | Sequence[int] = 2
    """K; of several numbers the one of the lowest BIC is kept (`bics_`)."""
    _: KW_ONLY
    family: Annotated[str, Choice(FAMILIES)] = "normal"
    """"normal", "poisson" (of counts, with a log-linear mean) or "logistic" (of 0 and 1)."""
    concomitant: Any = None
    """columns (names or places) that the shares of the groups depend on, or "all"; they stay in the regressions."""
    floor: Annotated[float, POSITIVE] = 1e-6
    """the smallest variance of a normal regression, in variances of y."""
    tol: Annotated[float, NOT_NEGATIVE] = 1e-9
    """EM stops when the log-likelihood a row changes by less, in nats."""
    max_iter: Annotated[int, Whole(1)] = 5000
    """most iterations."""
    n_init: Annotated[int, Whole(1)] = 20
    """starts; the best is kept."""
    random_state: Any = None
    """seed."""

    @double_precision
    def fit(self, X: MatrixLike, y: ArrayLike, sample_weight: ArrayLike | None = None) -> Self:
        """Fit to complete rows ``(n, d)`` and their targets ``(n,)``; a weight of 2 is the same as two copies.

        Raises:
            ValueError: what is wrong with the rows, the targets or a setting.
        """
        self.check_settings()
        found, target = numeric_data(self, unmasked(X), unmasked(y, "y"), dtype=np.float64, y_numeric=True, reset=True)
        values, goal = np.asarray(found, np.float64), np.asarray(target, np.float64)
        self._check_target(goal)
        weights = read_weights(values, sample_weight)
        numbers = self._numbers()
        if len(values) < max(numbers):
            raise ValueError(f"Expected n_samples >= n_components but got {max(numbers)} and {len(values)}")
        rows = self._laid(values, goal)
        kept = weights > 0
        self._choose(numbers, rows[kept], weights[kept])
        return self

    def _numbers(self) -> list[int]:
        """The numbers of groups to try."""
        return [int(each) for each in np.ravel(self.n_components)]

    def _check_together(self) -> None:
        for each in np.ravel(np.asarray(self.n_components, dtype=object)):
            check_whole("n_components", each, 1)

    @property
    def number(self) -> int:
        """Of groups: that of the fit, or the largest to be tried."""
        return int(vars(self)["weights_"].size) if "weights_" in vars(self) else max(self._numbers())

    def _choose(self, numbers: Sequence[int], rows: np.ndarray, weights: np.ndarray) -> None:
        """Fit every number of groups, and keep the best by BIC."""
        self.bics_: dict[int, float] = {}
        kept: dict[str, Any] = {}
        for groups in numbers:
            self._solve(rows, weights, groups)
            self.bics_[groups] = float(-2.0 * self.log_likelihood_ + self.n_parameters_ * np.log(weights.sum()))
            # a group that rests on its floor is none
            if not kept or (self.at_floor_, self.bics_[groups]) < (kept["at_floor_"], min(kept["bics_"].values())):
                kept = dict(vars(self)) | {"bics_": {groups: self.bics_[groups]}}
        self.__dict__.update(kept | {"bics_": self.bics_})
        self._warn()

    def _check_target(self, y: np.ndarray) -> None:
        if self.family == "poisson" and not ((y >= 0) & (y == np.floor(y))).all():
            raise ValueError("family='poisson' is of counts 0, 1, 2, …; y has other numbers: take family='normal'")
        if self.family == "logistic" and not np.isin(y, [0.0, 1.0]).all():
            raise ValueError("family='logistic' is of 0 and 1; y has other numbers")

    def _gates(self) -> list[int]:
        """Where the concomitant columns stand."""
        names = self._column_names()
        if self.concomitant is None:
            return []
        if isinstance(self.concomitant, str) and self.concomitant == "all":
            return list(range(len(names)))
        return places_of(self.concomitant, names, "concomitant")

    def _laid(self, values: np.ndarray, target: np.ndarray) -> np.ndarray:
        """Target, a column of ones, the columns."""
        return np.concatenate([target[:, None], np.ones((len(values), 1)), values], axis=1)

    def _columns(self) -> tuple[tuple[int, ...], tuple[int, ...]]:
        """Where the designs of the gate and of the regressions stand."""
        return (1, *(place + 2 for place in self._gates())), (1, *range(2, 2 + self.n_features_in_))

    def _solve(self, rows: np.ndarray, weights: np.ndarray, groups: int) -> None:
        gates, columns = self._columns()
        shift, scale = _view(rows, weights, normal=self.family == "normal")
        inner = (rows - shift) / scale
        starts, random = self._begun(inner, weights, gates, columns, groups), seed_of(self.random_state)
        found = fitted(
            starts(random), inner, weights, random, max_iter=self.max_iter, tol=self.tol, label=type(self).__name__
        )
        model: GatedMixture = found.model
        shares = weights @ np.exp(model.gate.log_shares(inner)) / weights.sum()
        order = np.lexsort((-_part(model).coefficients[:, 0], -np.round(shares, 9)))
        self._finish(model.take(order), shares[order], shift, scale, gates)
        self.n_parameters_ = self._parameters(inner, weights, groups)
        jacobian = float(weights.sum() * np.log(scale[0]))
        self.log_likelihood_ = found.bound - jacobian
        self.trace_ = found.trace._replace(bound=found.trace.bound - jacobian)
        self.n_iter_ = max(1, found.iteration)
        self.converged_ = found.status == CONVERGED and not self.at_floor_
        self.stop_reason_ = stop_reason(found.status)
        self._total = float(weights.sum())

    def _begun(
        self, inner: np.ndarray, weights: np.ndarray, gates: tuple[int, ...], columns: tuple[int, ...], groups: int
    ) -> Any:
        """Starts from rows that are dealt to the groups at random."""
        number, normal = self.n_init, self.family == "normal"
        low, high = inner.min(0), inner.max(0)
        gate = Gate(
            np.zeros((number, groups - 1, len(gates))),
            np.tile(low[list(gates)], (number, 1)),
            np.tile(high[list(gates)], (number, 1)),
            gates,
        )
        coefficients = np.zeros((number, groups, len(columns)))
        mean = float(np.average(inner[:, 0], weights=weights))
        if self.family == "poisson":
            coefficients[..., 0] = np.log(max(mean, 1e-3))
        elif not normal:
            coefficients[..., 0] = np.log((mean + 1e-3) / (1.0 - mean + 1e-3))
        part = RegressionComponents(
            coefficients,
            np.ones((number, groups)),
            np.full(number, self.floor if normal else 1.0),
            np.tile(low[list(columns)], (number, 1)),
            np.tile(high[list(columns)], (number, 1)),
            self.family,
            columns,
            0,
        )

        def made(random: np.random.Generator) -> GatedMixture:
            labels = random.integers(groups, size=(number, len(inner)))
            dealt = 0.9 * (labels[..., None] == np.arange(groups)) + 0.1 / groups
            with eagerly():
                return begun(GatedMixture(gate, (part,)), inner, weights, dealt)

        return made

    def _finish(
        self, model: GatedMixture, shares: np.ndarray, shift: np.ndarray, scale: np.ndarray, gates: tuple[int, ...]
    ) -> None:
        """The parameters in the user's units."""
        part = _part(model)
        slopes = part.coefficients[:, 1:] / scale[2:] * scale[0]
        self.coef_ = slopes
        self.intercept_ = part.coefficients[:, 0] * scale[0] + shift[0] - slopes @ shift[2:]
        self.weights_ = shares
        if self.family == "normal":
            self.scale_ = np.sqrt(part.variances) * scale[0]
        at = list(gates[1:])
        steep = model.gate.coefficients[:, 1:] / scale[at]
        flat = model.gate.coefficients[:, :1] - (steep @ shift[at])[:, None]
        self.gate_coefficients_ = np.concatenate([flat, steep], axis=1)
        self.at_floor_ = bool(self.family == "normal" and (part.variances <= 1.0000001 * self.floor).any())

    def _parameters(self, rows: np.ndarray, weights: np.ndarray, groups: int) -> int:
        """Free ones; what the rows cannot tell, such as the effect of a column that is constant, is none."""
        known = [len(columns) - len(redundant(rows[:, list(columns)], weights)) for columns in self._columns()]
        return (groups - 1) * known[0] + groups * (known[1] + (self.family == "normal"))

    def _warn(self) -> None:
        if self.at_floor_:
            said = "a group's regression runs through its rows, and its σ rests on its floor: take fewer groups"
        elif not self.converged_:
            said = f"no convergence in {self.n_iter_} iterations ({self.stop_reason_}): raise max_iter or tol"
        else:
            return
        warnings.warn(f"RegressionMixture: {said}", ConvergenceWarning, stacklevel=4)

    def model(self) -> GatedMixture:
        """The fitted model in the user's units, or ``NotFittedError``."""
        check_is_fitted(self)
        gates, columns = self._columns()
        spread = self.scale_**2 if self.family == "normal" else np.ones(self.weights_.size)
        ends, whole = np.zeros(len(gates)), np.concatenate([self.intercept_[:, None], self.coef_], axis=1)
        part = RegressionComponents(
            whole, spread, np.asarray(0.0), np.zeros(len(columns)), np.zeros(len(columns)), self.family, columns, 0
        )
        return GatedMixture(Gate(self.gate_coefficients_, ends, ends, gates), (part,))

    def _read(self, X: MatrixLike, y: ArrayLike | None = None) -> np.ndarray:
        check_is_fitted(self)
        if y is None:
            values = np.asarray(numeric_data(self, unmasked(X), dtype=np.float64, reset=False), np.float64)
            return self._laid(values, np.zeros(len(values)))
        found, target = numeric_data(self, unmasked(X), unmasked(y, "y"), dtype=np.float64, y_numeric=True, reset=False)
        goal = np.asarray(target, np.float64)
        self._check_target(goal)
        return self._laid(np.asarray(found, np.float64), goal)

    @double_precision
    def predict(self, X: MatrixLike) -> np.ndarray:
        """``E[y | x] = Σ_k π_k(x) E[y | x, k]`` of every row, ``(n,)``."""
        rows, model = self._read(X), self.model()
        return np.asarray((np.exp(model.gate.log_shares(rows)) * _part(model).means(rows)).sum(1))

    @double_precision
    def predict_groups(self, X: MatrixLike) -> np.ndarray:
        """``E[y | x, k]`` of every row under every group, ``(n, K)``."""
        return np.asarray(_part(self.model()).means(self._read(X)))

    @double_precision
    def posterior(self, X: MatrixLike, y: ArrayLike) -> np.ndarray:
        """``p(k | x, y)`` of every row, ``(n, K)``."""
        rows = self._read(X, y)
        joint = self.model().joint_log_prob(rows)
        return np.exp(joint - np.logaddexp.reduce(joint, axis=1, keepdims=True))

    @double_precision
    def log_predictive(self, X: MatrixLike, y: ArrayLike) -> np.ndarray:
        """``log p(y | x)`` of every row in nats, ``(n,)``."""
        return np.asarray(np.logaddexp.reduce(self.model().joint_log_prob(self._read(X, y)), axis=1))

    @double_precision
    def predict_interval(self, X: MatrixLike, level: float = 0.9) -> tuple[np.ndarray, np.ndarray]:
        """Ends between which y lies with this probability, the rest split evenly, ``(n,)``."""
        check_level(level)
        rows, model = self._read(X), self.model()
        shares, means = np.exp(model.gate.log_shares(rows)), _part(model).means(rows)

        def cdf(y: np.ndarray) -> np.ndarray:
            at = y[:, None]
            if self.family == "normal":
                each = ndtr((at - means) / self.scale_)
            elif self.family == "poisson":
                each = np.where(at >= 0, pdtr(np.maximum(np.floor(at), 0.0), means), 0.0)
            else:
                each = np.where(at < 0, 0.0, np.where(at < 1, 1.0 - means, 1.0))
            return np.asarray((shares * each).sum(1))

        ends = []
        for q in (0.5 - 0.5 * level, 0.5 + 0.5 * level):
            wanted = np.full(len(rows), q)
            if self.family == "normal":
                low, high = bracket(cdf, wanted, float(means.mean()), float(np.ptp(means) + self.scale_.max()), 1e300)
                ends.append(root(_less(cdf, wanted), low, high))
            else:
                ends.append(count_quantile(cdf, wanted))
        return ends[0], ends[1]

    def bic(self, X: MatrixLike, y: ArrayLike, sample_weight: ArrayLike | None = None) -> float:
        """``−2 log L + ν log N``, N the sum of the weights: lower is better."""
        logs = self.log_predictive(X, y)
        weights = read_weights(logs[:, None], sample_weight)
        return float(-2.0 * (weights @ logs) + self.n_parameters_ * np.log(weights.sum()))

    def aic(self, X: MatrixLike, y: ArrayLike, sample_weight: ArrayLike | None = None) -> float:
        """``−2 log L + 2 ν``: lower is better."""
        logs = self.log_predictive(X, y)
        return float(-2.0 * (read_weights(logs[:, None], sample_weight) @ logs) + 2.0 * self.n_parameters_)

    @double_precision
    def coefficient_table(
        self, X: MatrixLike, y: ArrayLike, sample_weight: ArrayLike | None = None
    ) -> GroupCoefficients:
        """The coefficients of every group with standard errors and z, from the rows of the fit."""
        rows = self._read(X, y)
        weights = read_weights(rows, sample_weight)
        errors = gated_errors(self.model(), rows, weights).regressions[0]
        whole = np.concatenate([self.intercept_[:, None], self.coef_], axis=1)
        names = ["intercept", *self._column_names()]
        with np.errstate(divide="ignore", invalid="ignore"):
            z = whole / errors
        table = {
            "group": np.repeat(np.arange(len(whole)) + 1, len(names)),
            "column": names * len(whole),
            "coefficient": whole.ravel(),
            "sd": errors.ravel(),
            "z": z.ravel(),
        }
        return GroupCoefficients(pa.table(table), self.weights_)

    def told_tables(self, X: MatrixLike) -> tuple[tuple[str, pa.Table], ...]:
        """The regressions of the groups, and the numbers of groups that were tried."""
        check_is_fitted(self)
        line = {"group": np.arange(self.number) + 1, "share": self.weights_, "intercept": self.intercept_}
        line |= dict(zip(self._column_names(), self.coef_.T, strict=True))
        if self.family == "normal":
            line["residual sd"] = self.scale_
        tried = {"groups": list(self.bics_), "BIC": list(self.bics_.values())}
        regressions = ("The regressions of the groups", pa.table(line))
        return (regressions, ("Numbers of groups", pa.table(tried))) if len(self.bics_) > 1 else (regressions,)

    def graph(self) -> Graph:
        """The directed graph of the model, as data."""
        nodes = [
            Node("x", "x", "observed", ("n",)),
            Node("z", "z", "latent", ("n",), "categorical"),
            Node("y", "y", "observed", ("n",), self.family),
            Node("beta", "β", "parameter", ("k",)),
            Node("pi", "γ" if self.concomitant is not None else "π", "parameter"),
        ]
        edges = [Edge("x", "y"), Edge("z", "y"), Edge("beta", "y"), Edge("pi", "z")]
        more = [Edge("x", "z")] if self.concomitant is not None else []
        return Graph(tuple(nodes), tuple(edges + more), (Plate("n", "n = 1…N"), Plate("k", "k = 1…K")))


def _part(model: GatedMixture) -> RegressionComponents:
    """The regressions of a model that has nothing else."""
    (part,) = model.experts
    assert isinstance(part, RegressionComponents)
    return part


def _less(cdf: Callable[[np.ndarray], np.ndarray], wanted: np.ndarray) -> Callable[[np.ndarray], np.ndarray]:
    """How far a distribution function lies above some probabilities."""
    return lambda y: cdf(y) - wanted


def _view(rows: np.ndarray, weights: np.ndarray, *, normal: bool) -> tuple[np.ndarray, np.ndarray]:
    """Shift and scale of target, ones and columns: columns, and the target of normal regressions, are standardised."""
    mean = np.average(rows, axis=0, weights=weights)
    spread = np.sqrt(np.average((rows - mean) ** 2, axis=0, weights=weights))
    shift, scale = mean, np.where(spread > 1e-12 * np.abs(mean), spread, 1.0)
    fixed = [1] if normal else [0, 1]
    shift[fixed], scale[fixed] = 0.0, 1.0
    return shift, scale
