"""``bootstrap``: how sure the parameters of a mixture are, safe under relabelling.

The parameters of a mixture by name, and what every entry of them is called.
"""

import copy
import dataclasses
import warnings
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import ArrayLike
from sklearn.base import BaseEstimator
from sklearn.exceptions import ConvergenceWarning

from tacit.compute import double_precision
from tacit.data.levels import show_level
from tacit.estimators.base import Seed, check_choice, check_whole, seed_of, weighted
from tacit.estimators.capabilities import EmptiesItself, MatrixLike, ReadsKinds, Restarts, can
from tacit.evaluation._sampled import Replicator
from tacit.evaluation.match import match
from tacit.evaluation.rows import fit_rows, names_at_fit
from tacit.models.mixture.fitting import floored
from tacit.models.mixture.model import MixtureModel

Place = tuple[tuple[int, ...], int, str]
"""Where an entry stands in its array, its component, and what it is called."""


def named_parameters(model: MixtureModel) -> dict[str, np.ndarray]:
    """``weights``, and every parameter of the groups, components on the first axis.

    With several groups of columns a parameter is under ``groups.<number>.<name>``, as in ``standard_errors``.
    """
    found = {"weights": np.exp(np.asarray(model.log_weights))}
    for number, group in enumerate(model.groups):
        for name, value in group.values().items():
            found[_called(model, number, name)] = np.asarray(value)
    return found


def _called(model: MixtureModel, number: int, name: str) -> str:
    return f"groups.{number}.{name}" if len(model.groups) > 1 else name


def labels_of(estimator: BaseEstimator, model: MixtureModel) -> dict[str, list[Place]]:
    """What the entries of every parameter are called: a column, two columns, or a column and a level."""
    columns = sum(len(group.columns) for group in model.groups)
    names = names_at_fit(estimator) or [f"x{place}" for place in range(columns)]
    levels = [column.levels for column in estimator.schema_.columns] if isinstance(estimator, ReadsKinds) else []
    weights = np.size(model.log_weights)
    found: dict[str, list[Place]] = {"weights": [((k,), k, "") for k in range(weights)]}
    for number, group in enumerate(model.groups):
        own = [names[column] for column in group.columns]
        codes = [levels[column] if levels else None for column in group.columns]
        for name, value in group.values().items():
            found[_called(model, number, name)] = _places(np.asarray(value), own, codes)
    return found


def _places(value: np.ndarray, names: Sequence[str], codes: Sequence[Any]) -> list[Place]:
    places = []
    for index in np.ndindex(value.shape):
        k, *rest = index
        if len(rest) == 1:
            entry = names[rest[0]]
        elif value.shape[1:] == (1, len(names)):  # one vector of shares a component
            entry = names[rest[1]]
        elif value.shape[1:] == (len(names), len(names)) and codes[0] is None:  # a covariance is symmetric
            if rest[0] > rest[1]:
                continue
            entry = f"{names[rest[0]]}, {names[rest[1]]}" if rest[0] < rest[1] else names[rest[0]]
        else:
            level = codes[rest[0]]
            entry = f"{names[rest[0]]} = {rest[1] if level is None else show_level(level[rest[1]])}"
        places.append((index, k, entry))
    return places


TOL = 1e-8
"""Replicates start at the fit and must leave it: nats a row by which the bound still changes when they stop."""
MAX_ITER = 1000
"""Most iterations of a replicate, where the estimator has no more."""


@dataclasses.dataclass(frozen=True, eq=False)
class Bootstrap:
    """Parameters, and what they were in every replicate; keys are those of ``standard_errors()`` of a mixture.

    Attributes:
        estimates: the fitted parameters by name (``weights``, ``means``, ``covariances``, ``rates``, …).
        replicates: by name, ``(B, …)``: those of the replicates, components in the order of the fit.
        standard_errors: by name: standard deviations over the replicates.
        lower, upper: by name: ends of the percentile intervals (Efron & Tibshirani 1993, section 13.3).
        confidence: of the intervals.
        method: "weights" or "parametric".
        dropped: replicates left out because they came to rest on the floor of a variance, or broke down.
        table: a data frame, a row per parameter: parameter, component, entry, estimate, standard_error, lower, upper.
    """

    estimates: Mapping[str, np.ndarray]
    replicates: Mapping[str, np.ndarray]
    standard_errors: Mapping[str, np.ndarray]
    lower: Mapping[str, np.ndarray]
    upper: Mapping[str, np.ndarray]
    confidence: float
    method: str
    dropped: int
    table: pa.Table


@double_precision
def bootstrap(
    estimator: BaseEstimator,
    X: MatrixLike,
    n_boot: int = 200,
    *,
    method: str = "weights",
    confidence: float = 0.95,
    random_state: Seed = None,
    sample_weight: ArrayLike | None = None,
) -> Bootstrap:
    """Refit a mixture to many replicates of its rows, and see how its parameters vary.

    Every replicate starts at the fitted parameters and goes on until it rests, and its components are matched to
    those of the fit by ``tacit.match``. Intervals say how this maximum of the likelihood moves with the rows, not
    whether there is another one.

    Args:
        estimator: a fitted mixture.
        X: the rows it was fitted to.
        n_boot: replicates.
        method: "weights" draws how often each row occurs (Efron 1979), without copying a row; "parametric" draws
            rows from the fit, with the gaps and totals of the rows at hand in random order.
        confidence: of the percentile intervals.
        random_state: seed.
        sample_weight: the weights of the fit; 2 is the same as two copies.

    Raises:
        ValueError: the fit rests on the floor of a variance, most replicates do, or components cannot be told apart:
            they are named.
    """
    check_choice("method", method, ("weights", "parametric"))
    check_whole("n_boot", n_boot, 2)
    if not 0.0 < confidence < 1.0:
        raise ValueError(f"confidence must be between 0 and 1, got {confidence!r}")
    model = _checked(estimator)
    start = _restarted(estimator)
    rows = weighted(start.read(X, reset=False), sample_weight)
    fit_rows(start, rows, rows.weights)  # to rest: replicates move from here
    replicator = Replicator(start, rows, method, seed_of(random_state))
    found, doubts, restless = [], np.zeros(np.size(model.log_weights), int), 0
    for _ in range(n_boot):
        replicate = copy.copy(start)
        fit_rows(replicate, *replicator.draw())
        if replicate.at_floor_ or not np.isfinite(replicate.lower_bound_):
            continue
        pairs = match(model, replicate.model_)
        doubts[list(pairs.ambiguous)] += 1
        restless += not replicate.converged_
        found.append(named_parameters(replicate.model_.take(pairs.order)))
    _check_found(len(found), n_boot, doubts, (1.0 - confidence) / 2.0)
    if restless:
        warnings.warn(
            f"{restless} of {len(found)} replicates did not converge in {start.max_iter} iterations: intervals may "
            "be too narrow. Increase max_iter of the estimator.",
            ConvergenceWarning,
            stacklevel=3,
        )
    return _summary(estimator, model, found, n_boot, confidence, method)


def _checked(estimator: BaseEstimator) -> Any:
    """The model of a fit that can be bootstrapped."""
    if isinstance(estimator, EmptiesItself):
        raise ValueError(f"{type(estimator).__name__} has a posterior of its parameters: their spread is in posterior_")
    if not can(estimator, Restarts):
        raise ValueError(f"{type(estimator).__name__} cannot go on from its own parameters, which replicates must")
    model = estimator.fitted_model()
    resting = floored(model)
    if resting:
        named = ", ".join(f"{component} (column {columns})" for component, columns in resting.items())
        raise ValueError(f"the fit rests on the floor of a variance: component {named}; it says nothing of its rows")
    twins = match(model, model).ambiguous
    if twins:
        raise ValueError(_ambiguous(twins, "are the same in the fit"))
    return model


def _restarted(estimator: BaseEstimator) -> Any:
    """A copy that goes on from the fit with the same groups of columns, whatever rows it sees."""
    start = copy.copy(estimator)
    settings = start.get_params(deep=False)
    changes = {"warm_start": True, "tol": min(TOL, settings["tol"]), "max_iter": max(MAX_ITER, settings["max_iter"])}
    changes["verbose"] = 0
    if settings["inference"] != "hard-em":
        changes["inference"] = "em"
    if "families" in settings:
        changes["families"] = {group.columns: group.name for group in estimator.model_.groups}
    return start.set_params(**changes)


def _check_found(kept: int, n_boot: int, doubts: np.ndarray, allowed: float) -> None:
    if kept < max(2, n_boot / 2):
        raise ValueError(
            f"{n_boot - kept} of {n_boot} replicates came to rest on the floor of a variance or broke down: the rows "
            "do not determine this mixture. Use fewer components or a simpler covariance structure."
        )
    # the ends of an interval are decided by this share of the replicates
    doubtful = np.flatnonzero(doubts > allowed * kept)
    if doubtful.size:
        share = doubts[doubtful].max() / kept
        raise ValueError(_ambiguous(doubtful, f"cannot be told apart in up to {share:.1%} of the replicates"))


def _ambiguous(components: tuple[int, ...] | np.ndarray, what: str) -> str:
    named = ", ".join(str(int(component)) for component in components)
    return (
        f"components {named} {what}: intervals of their parameters would mix one with another. Use fewer components, "
        "or ask about quantities that need no labels (score_samples, marginal)."
    )


def _summary(
    estimator: BaseEstimator,
    model: MixtureModel,
    found: list[dict[str, np.ndarray]],
    n_boot: int,
    confidence: float,
    method: str,
) -> Bootstrap:
    estimates = named_parameters(model)
    replicates = {name: np.stack([each[name] for each in found]) for name in estimates}
    errors = {name: values.std(axis=0, ddof=1) for name, values in replicates.items()}
    tail = 0.5 * (1.0 - confidence)
    lower = {name: np.quantile(values, tail, axis=0) for name, values in replicates.items()}
    upper = {name: np.quantile(values, 1.0 - tail, axis=0) for name, values in replicates.items()}
    rows = []
    for name, places in labels_of(estimator, model).items():
        for index, component, entry in places:
            row: dict[str, Any] = {"parameter": name, "component": component, "entry": entry}
            row["estimate"] = float(estimates[name][index])
            row["standard_error"] = float(errors[name][index])
            row["lower"], row["upper"] = float(lower[name][index]), float(upper[name][index])
            rows.append(row)
    table = pa.Table.from_pylist(rows)
    return Bootstrap(estimates, replicates, errors, lower, upper, confidence, method, n_boot - len(found), table)
