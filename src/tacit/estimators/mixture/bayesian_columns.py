"""``BayesianMixture``: groups in a table of any kinds of columns, with posteriors in place of point estimates."""

import math
from collections.abc import Mapping
from dataclasses import KW_ONLY
from typing import Annotated, Any

import numpy as np

from tacit.data.blocks import Standardise
from tacit.data.dataset import ColumnMoments, Dataset
from tacit.data.schema import Schema
from tacit.estimators.mixture import layout, posteriors
from tacit.estimators.mixture.columns import TableColumns
from tacit.estimators.mixture.layout import Part
from tacit.estimators.mixture.parameters import NATIVE
from tacit.estimators.mixture.starts import standardiser
from tacit.estimators.mixture.variational import PriorComponents, VariationalMixture
from tacit.estimators.settings import Choice, Number, Whole, settings
from tacit.families.covariance import canonical_name
from tacit.models.components.base import Component
from tacit.models.mixture.model import MixtureModel


@settings
class BayesianMixture(TableColumns, VariationalMixture):
    """A mixture over columns of any kinds with conjugate priors on all its parameters, by variational Bayes EM.

    Each column has a family with a conjugate prior: normal, log-normal, exponential, poisson, bernoulli or
    categorical; several columns of counts together may be one multinomial. Text and categories are read as they are,
    and missing entries (NaN, None) are part of the model. Components that the data do not need empty themselves.

    Attributes:
        schema_: the columns, their kinds and levels.
        families_: the family of every column.
        weights_, weight_concentration_, expected_counts_, n_components_used_, lower_bound_, lower_bounds_, posterior_,
            model_, trace_, converged_, stop_reason_, n_iter_, n_parameters_, verdict_: as in
            ``BayesianGaussianMixture``; ``model_`` is a mixture of the families' posterior predictives.
    """

    n_components: Annotated[int, Whole(1)] = 1
    """K, the most components."""
    _: KW_ONLY
    covariance_type: Annotated[str, Choice(NATIVE)] = "diag"
    """of the normal columns: "full", "tied", "diag" or "spherical"."""
    prior_rows: Annotated[float, Number("above 0", least_too=False, below=math.inf)] = 1.0
    """what the prior of every parameter weighs, in rows that say what all rows say."""
    priors: Mapping[Any, Mapping[str, Any]] | None = None
    """priors of single columns (names or places) in place of that: a mapping of the column to the numbers of its
    family's conjugate prior, such as ``{"visits": {"shape": 2.0, "rate": 1.0}}``; normal and log-normal columns take
    ``mean``, ``count``, ``shape`` and ``rate`` of a normal-gamma, poisson and exponential ``shape`` and ``rate``,
    bernoulli ``ones`` and ``zeros``, categorical ``concentrations``."""
    max_iter: Annotated[int, Whole(0)] = 500
    n_init: Annotated[int, Whole(1)] = 5

    def automatic(self, schema: Schema, values: ColumnMoments) -> list[str]:
        """A family for every column: a mixture of Poissons is over-dispersed without a negative binomial."""
        chosen = layout.automatic(schema, values)
        return ["poisson" if family == "negative-binomial" else family for family in chosen]

    def _groups(self, rows: Dataset, values: ColumnMoments, width: int) -> PriorComponents:
        names = self.schema_.names
        named, together = self._named(names)
        chosen = self.automatic(self.schema_, values)
        self.families_ = [named.get(place, family) for place, family in enumerate(chosen)]
        posteriors.check_families(self.families_, names)
        kind = self._kind()
        parts = layout.parts_of(self.families_, together, self.schema_)
        given = posteriors.given_priors(self.priors, self.families_, names)
        normal = tuple(place for family, places in parts if family == "normal" for place in places)
        if kind != "diag" and (split := [names[p] for p in given if p in normal]):
            raise ValueError(f"priors of single normal columns ({split[0]!r}) need covariance_type='diag'")
        scaled = np.isin(self.families_, ["normal"])
        structure = "VVV" if kind != "spherical" or not normal else canonical_name("VII", len(normal))
        view = standardiser(values, scaled, structure)
        plain = tuple(self._plain(part, width, values, rows, view) for part in parts)
        weigh = posteriors.Weighing(float(self.prior_rows), kind, self.n_components, given)
        groups = tuple(
            posteriors.group(part, own, width, values, rows, view, weigh)
            for part, own in zip(parts, plain, strict=True)
        )
        active = np.arange(width) < self.n_components
        log_weights = np.where(active, -np.log(self.n_components), -np.inf)
        return PriorComponents(groups, MixtureModel(log_weights, plain, active), view)

    def _plain(self, part: Part, width: int, values: ColumnMoments, rows: Dataset, view: Standardise) -> Component:
        """The group of columns with parameters in place of posteriors."""
        family, columns = part
        if family == "normal":
            noise = np.zeros(len(columns))
            return posteriors.plain_gaussian(columns, width, self._kind(), noise, complete=values.complete)
        settings = {"structure": "VVI", "floor": 0.0, "map": False, "components": 1}
        return layout.group(part, width, self.schema_, values, rows, np.asarray(view.scale), settings)
