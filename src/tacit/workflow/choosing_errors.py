"""How many groups there are, and of which shape, where rows carry errors of measurement."""

import math
from typing import Any

import numpy as np
from sklearn.base import clone

from tacit.data.erring import ErringRows
from tacit.data.errors import listed
from tacit.data.schema import LEVELLED, Schema
from tacit.workflow.choosing import Chosen, Plan
from tacit.workflow.errors import RequestError
from tacit.workflow.events import Observer
from tacit.workflow.feeding import feed

MODEL = "gaussian-mixture"
WHY = "the errors of measurement are known, which a mixture of Gaussians takes"
TRIED = ("VVV", "VVI")
"""The structures that are tried where none is set."""
WORSE = 2
"""So many more groups that are no better end the search for their number."""
STARTS = 2
CRITERIA = ("bic", "aic")


def check(model: str | None, schema: Schema | None) -> str:
    """The model that takes errors; raises `RequestError` where another is asked for, or columns have levels."""
    if model not in (None, MODEL):
        raise RequestError(f"--error goes with --model {MODEL}, and not with {model}.")
    levelled = [column.name for column in (schema.columns if schema is not None else ()) if column.kind in LEVELLED]
    if levelled:
        raise RequestError(
            f"--error goes with a mixture of Gaussians, and columns of levels ({listed(levelled)}) do not. "
            f"Leave them out: --kind {levelled[0]}=drop."
        )
    return MODEL


def choose(plan: Plan, values: ErringRows, schema: Schema | None, observer: Observer) -> Chosen:
    """Fit structure by structure with more and more groups, until more are no better; the best by BIC or AIC.

    Raises:
        RequestError: another criterion, or a setting that does not go with errors.
        KeyboardInterrupt: it was stopped before there was anything to keep.
    """
    if plan.criterion not in CRITERIA:
        raise RequestError(f"--criterion {plan.criterion}: where rows have errors (--error), say bic or aic.")
    X = feed(plan.estimator, values, schema)
    candidates: list[dict[str, Any]] = []
    fits: list[Any] = []
    observer.stage(f"Trying {plan.groups[0]} to {plan.groups[-1]} groups" if len(plan.groups) > 1 else "Fitting")
    for structure in plan.structures:
        best, worse = -math.inf, 0
        for number in plan.groups:
            if worse == WORSE or (observer.stopped() and fits):
                break
            model = clone(plan.estimator).set_params(n_components=number, n_init=min(plan.starts, STARTS))
            if structure is not None:
                model.set_params(covariance_type=structure)
            try:
                model.fit(X)
            except KeyboardInterrupt:
                if not fits:
                    raise
                break
            candidates.append(_row(model, X))
            fits.append(model)
            value = candidates[-1][plan.criterion]
            worse = worse + 1 if value <= best else 0
            best = max(best, value)
    order = sorted(range(len(fits)), key=lambda at: (candidates[at]["at_floor"], -candidates[at][plan.criterion]))
    return Chosen(fits[order[0]], tuple(candidates))


def _row(model: Any, X: Any) -> dict[str, Any]:
    """A line of the table of candidates, as `tacit.select` has them: larger is better."""
    total = float(np.sum(model.score_samples(X)))
    share = model.predict_proba(X)
    hard = float(np.sum(np.log(np.maximum(share.max(axis=1), 1e-300))))
    bic = 2.0 * total - model.n_parameters_ * math.log(len(X))
    return {
        "n_components": int(model.n_components),
        "covariance": str(model.covariance_type),
        "log_likelihood": total,
        "n_parameters": int(model.n_parameters_),
        "bic": bic,
        "icl": bic + 2.0 * hard,
        "aic": 2.0 * total - 2.0 * model.n_parameters_,
        "held_out": None,
        "converged": bool(model.converged_),
        "at_floor": bool(model.at_floor_),
    }
