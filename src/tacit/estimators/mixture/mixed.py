"""``Mixture``: groups in a table whose columns are of different kinds, with gaps and categories welcome."""

from dataclasses import KW_ONLY
from typing import Annotated

import numpy as np

from tacit.data.blocks import Standardise
from tacit.data.dataset import ColumnMoments, Dataset
from tacit.estimators.mixture import layout
from tacit.estimators.mixture.columns import TableColumns
from tacit.estimators.mixture.em import LikelihoodMixture
from tacit.estimators.mixture.starts import standardiser
from tacit.estimators.settings import POSITIVE, TOLERANCE, Choice, Whole, settings
from tacit.families.covariance import canonical_name
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
        named, together = self._named(self.schema_.names)
        families = self.automatic(self.schema_, values)
        self.families_ = [named.get(place, family) for place, family in enumerate(families)]
        parts = layout.parts_of(self.families_, together, self.schema_)
        scaled = np.isin(self.families_, ["normal", "student-t"])
        structure = "VVV" if not scaled.any() else canonical_name(self.covariance_type, int(scaled.sum()))
        view = standardiser(values, scaled, structure)
        settings = {
            "structure": self.covariance_type,
            "floor": self.floor,
            "map": self.objective == "map",
            "components": self.n_components,
        }
        scale = np.asarray(view.scale)
        groups = tuple(layout.group(p, width, self.schema_, values, rows, scale, settings) for p in parts)
        active = np.arange(width) < self.n_components
        log_weights = np.where(active, -np.log(self.n_components), -np.inf)
        concentration = np.asarray(1.0 + 1.0 / self.n_components) if self.objective == "map" else None
        return (Model(log_weights, groups, active, None, concentration), view)
