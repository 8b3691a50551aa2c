"""Candidates of ``select`` that are compared by their bounds on the log evidence."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from tacit.data.dataset import Dataset
from tacit.estimators.mixture.parameters import NATIVE
from tacit.estimators.mixture.variational import VariationalMixture
from tacit.evaluation.rows import fit_rows, fresh


def candidates(
    base: VariationalMixture,
    covariance: str | Sequence[str] | None,
    rows: Dataset,
    numbers: np.ndarray,
    n_init: int,
) -> list[tuple[dict[str, Any], VariationalMixture]]:
    """A line of the table and the fit of every structure with every number of components."""
    structures: list[str | None] = [None]
    if covariance is not None:
        named = [covariance] if isinstance(covariance, str) else covariance
        structures = [*NATIVE] if covariance == "all" else [*named]
    found: list[tuple[dict[str, Any], VariationalMixture]] = []
    for structure in structures:
        for number in numbers:
            model = fresh(base).set_params(n_components=int(number), n_init=n_init)
            if structure is not None:
                model.set_params(covariance_type=structure)
            try:
                fit_rows(model, rows, rows.weights)
            except KeyboardInterrupt:
                if not found:
                    raise
                return found
            found.append((_row(model), model))
    return found


def _row(model: VariationalMixture) -> dict[str, Any]:
    return {
        "n_components": int(model.n_components),
        "covariance": str(model.covariance_type),
        "bound": model.lower_bound_,
        "n_components_used": model.n_components_used_,
        "n_parameters": model.n_parameters_,
        "held_out": None,
        "converged": model.converged_,
        "at_floor": False,
    }
