"""``Mixture``: groups in a table whose columns are of different kinds, with gaps and categories welcome."""

from dataclasses import KW_ONLY
from typing import Annotated, NamedTuple

import numpy as np

from tacit.data.blocks import Standardise
from tacit.data.dataset import ColumnMoments, Dataset
from tacit.estimators.mixture import layout
from tacit.estimators.mixture.columns import FamilyColumns, TableColumns
from tacit.estimators.mixture.em import LikelihoodMixture
from tacit.estimators.mixture.starts import standardiser
from tacit.estimators.settings import POSITIVE, TOLERANCE, Choice, Whole, settings
from tacit.families.covariance import canonical_name
from tacit.models.components.base import Component
from tacit.models.mixture.model import MixtureModel as Model


@settings
class Mixture(TableColumns, LikelihoodMixture):
    """A mixture over columns of any kinds, ``p(x) = Σ_k π_k ∏_g p_g(x_g|θ_k)``, fitted by EM.

    Each column has a family: normal, log-normal, student-t, gamma, exponential, poisson, negative-binomial,
    bernoulli or categorical; several columns of counts together may be one multinomial. Normal columns are one Gaussian
    vector with a covariance structure. Text and categories are read as they are, and missing entries (NaN, None)
    are integrated out.

    Attributes:
        schema_: the columns, their kinds and levels.
        families_: the family of every column.
        model_, weights_, trace_, lower_bound_, converged_, stop_reason_, n_iter_, n_parameters_, at_floor_:
            as in ``GaussianMixture``.
    """

    _: KW_ONLY
    covariance_type: str = "diag"
    """structure of the normal columns' covariances, as in ``GaussianMixture``."""
    floor: Annotated[float, POSITIVE] = 1e-8
    """variance of the noise floor of every continuous entry, in units of the column's variance; a component that
    collapses rests on it and is named in a warning."""
    objective: Annotated[str, Choice(("mle", "map"))] = "map"
    """"map" with priors that weigh one row in all, so that no level or count is impossible for having never been seen;
    or "mle"."""
    tol: Annotated[float, TOLERANCE] = 1e-5
    max_iter: Annotated[int, Whole(0)] = 500
    n_init: Annotated[int, Whole(1)] = 5

    def _plan(self, rows: Dataset, values: ColumnMoments, width: int) -> tuple[Model, Standardise]:
        planned = planned_columns(self, rows, values, width, self.covariance_type, self.floor, self.objective == "map")
        self.families_, groups, view = planned
        active = np.arange(width) < self.n_components
        log_weights = np.where(active, -np.log(self.n_components), -np.inf)
        concentration = np.asarray(1.0 + 1.0 / self.n_components) if self.objective == "map" else None
        return (Model(log_weights, groups, active, None, concentration), view)


class PlannedColumns(NamedTuple):
    """Groups of columns of a table by their families."""

    families: list[str]
    groups: tuple[Component, ...]
    view: Standardise


def planned_columns(
    model: FamilyColumns,
    rows: Dataset,
    values: ColumnMoments,
    width: int,
    structure: str,
    floor: float,
    with_priors: bool,
) -> PlannedColumns:
    """The templates of ``width`` components over the columns of a table, and the view they are fitted in."""
    named, together = model._named(model.schema_.names)
    automatic = model.automatic(model.schema_, values)
    families = [named.get(place, family) for place, family in enumerate(automatic)]
    parts = layout.parts_of(families, together, model.schema_)
    scaled = np.isin(families, ["normal", "student-t"])
    canonical = "VVV" if not scaled.any() else canonical_name(structure, int(scaled.sum()))
    view = standardiser(values, scaled, canonical)
    settings = {"structure": structure, "floor": floor, "map": with_priors, "components": model.n_components}
    scale = np.asarray(view.scale)
    groups = tuple(layout.group(p, width, model.schema_, values, rows, scale, settings) for p in parts)
    return PlannedColumns(families, groups, view)
