"""What a run keeps about its fit beside the model: ``metrics.json``."""

from typing import Any

from tacit.data.images import ImageSet
from tacit.data.table import Table
from tacit.estimators.capabilities import Scores, can
from tacit.estimators.settings import Estimator
from tacit.workflow.choosing import Chosen, Plan
from tacit.workflow.judging import Judgement, empty_groups
from tacit.workflow.sources import Rows


def metrics(
    plan: Plan, chosen: Chosen, found: Judgement, fitted: Rows, seconds: float, stopped: bool
) -> dict[str, Any]:
    """Everything worth keeping, as plain numbers, texts, lists and mappings."""
    estimator = chosen.estimator
    score = found.held_out
    left_out = fitted.table.left_out if isinstance(fitted.table, Table) else ()
    return {
        "model": plan.model,
        "why": plan.why,
        "structure": str(estimator.get_params(deep=False).get("covariance_type", "")),
        "rows": fitted.whole.values.shape[0],
        "fitted_rows": len(fitted),
        "columns": fitted.columns,
        "topics": None if found.topics is None else dict(found.topics),
        "target": None if found.target is None else dict(found.target),
        "image": list(fitted.table.shape) if isinstance(fitted.table, ImageSet) else None,
        "source": fitted.table.source,
        "seed": plan.seed,
        "seconds": seconds,
        "interrupted": stopped,
        "choice": {
            "criterion": plan.criterion,
            "what": plan.what,
            "sampled": chosen.sampled,
            "candidates": [dict(row) for row in chosen.candidates],
        },
        "fit": {
            "iterations": estimator.n_iter_,
            "converged": estimator.converged_,
            "stop_reason": estimator.stop_reason_,
            "parameters": estimator.n_parameters_ or None,
            "log_likelihood": found.log_likelihood,
        },
        "groups": [
            {"share": float(share), "words": text}
            for share, text in zip(() if found.shares is None else found.shares, found.groups, strict=True)
        ],
        "certainty": found.certainty,
        "emptied": empty_groups(estimator),
        "verdict": _verdict(estimator, fitted),
        "held_out": None
        if score is None
        else {
            "nats": score.nats,
            "standard_error": score.standard_error,
            "rows": score.rows,
            "bound": can(estimator, Scores) and estimator.scores_are_bounds,
        },
        "warnings": list(found.warnings),
        "notes": list(fitted.table.notes),
        "left_out": [{"name": entry.name, "reason": entry.reason} for entry in left_out],
    }


def _verdict(estimator: Estimator, fitted: Rows) -> list[str]:
    """How far an approximate posterior can be trusted, in sentences."""
    said = [] if estimator.verdict_ is None else list(estimator.verdict_.words())
    scaled = fitted.target is not None and any(term.scale != 1.0 for term in fitted.target.terms)
    if scaled and any("Importance weights change" in text for text in said):
        said.append("Of columns that are numbers, the means above are per standard deviation of the column.")
    return said
