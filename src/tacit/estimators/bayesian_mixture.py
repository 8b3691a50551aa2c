"""``BayesianMixture``: groups in a table of any kinds of columns, with posteriors in place of point estimates."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from tacit.data.blocks import Moments, Standardise
from tacit.data.schema import Schema
from tacit.estimators import _bayesian_layout as posteriors
from tacit.estimators import _layout
from tacit.estimators._base import check_choice
from tacit.estimators._bayesian import BayesianFace, Layout
from tacit.estimators._columns import TableColumns
from tacit.estimators._layout import Part
from tacit.estimators._parameters import NATIVE
from tacit.estimators._starts import door
from tacit.families.covariance import canonical_name
from tacit.models.components.base import Component
from tacit.models.mixture.model import Mixture


class BayesianMixture(TableColumns, BayesianFace):
    """A mixture over columns of any kinds with conjugate priors on all its parameters, by variational Bayes EM.

    Each column has a family with a conjugate prior: normal, log-normal, exponential, poisson, bernoulli or
    categorical; several columns of counts together may be one multinomial. Text and categories are read as they are,
    and missing entries (NaN, None) are part of the model. Components that the data do not need empty themselves.

    Args:
        n_components: K, the most components.
        families: "auto" (from the kinds of the columns), one family for all columns, or a mapping of columns
            (names or places, or tuples of them for one multinomial) to families; others are chosen as "auto".
        covariance_type: of the normal columns: "full", "tied", "diag" or "spherical".
        prior_rows: what the prior of every parameter weighs, in rows that say what all rows say.
        priors: priors of single columns (names or places) in place of that: a mapping of the column to the numbers
            of its family's conjugate prior, such as ``{"visits": {"shape": 2.0, "rate": 1.0}}``; normal and log-normal
            columns take ``mean``, ``count``, ``shape`` and ``rate`` of a normal-gamma, poisson and exponential
            ``shape`` and ``rate``, bernoulli ``ones`` and ``zeros``, categorical ``concentrations``.
        weight_concentration_prior_type, weight_concentration_prior: as in ``BayesianGaussianMixture``.
        tol: the fit stops when the bound of all rows changes by less, in nats.
        max_iter, n_init, init_params, random_state, warm_start, verbose, verbose_interval: as in ``GaussianMixture``.
        inference: "vb", or "online-vb": mini-batches, stochastic variational inference (Hoffman et al. 2013).

    Attributes:
        schema_: the columns, their kinds and levels.
        families_: the family of every column.
        weights_, weight_concentration_, expected_counts_, n_components_used_, lower_bound_, lower_bounds_, posterior_,
            model_, trace_, converged_, stop_reason_, n_iter_, n_parameters_, verdict_: as in
            ``BayesianGaussianMixture``; ``model_`` is a mixture of the families' posterior predictives.
    """

    def __init__(
        self,
        n_components: int = 1,
        *,
        families: str | Mapping[Any, str] = "auto",
        covariance_type: str = "diag",
        prior_rows: float = 1.0,
        priors: Mapping[Any, Mapping[str, Any]] | None = None,
        weight_concentration_prior_type: str = "dirichlet_process",
        weight_concentration_prior: float | None = None,
        tol: float = 1e-3,
        max_iter: int = 500,
        n_init: int = 5,
        init_params: str = "kmeans",
        random_state: Any = None,
        warm_start: bool = False,
        verbose: int = 0,
        verbose_interval: int = 10,
        inference: str = "vb",
    ) -> None:
        self.n_components = n_components
        self.families = families
        self.covariance_type = covariance_type
        self.prior_rows = prior_rows
        self.priors = priors
        self.weight_concentration_prior_type = weight_concentration_prior_type
        self.weight_concentration_prior = weight_concentration_prior
        self.tol = tol
        self.max_iter = max_iter
        self.n_init = n_init
        self.init_params = init_params
        self.random_state = random_state
        self.warm_start = warm_start
        self.verbose = verbose
        self.verbose_interval = verbose_interval
        self.inference = inference

    def _check(self) -> None:
        super()._check()
        check_choice("covariance_type", self.covariance_type, NATIVE)
        if not 0 < self.prior_rows < np.inf:
            raise ValueError(f"prior_rows must be above 0, got {self.prior_rows!r}")

    @staticmethod
    def _automatic(schema: Schema, values: Moments) -> list[str]:
        """A family for every column: a mixture of Poissons is over-dispersed without a negative binomial."""
        chosen = _layout.automatic(schema, values)
        return ["poisson" if family == "negative-binomial" else family for family in chosen]

    def _layout(self, rows: np.ndarray, values: Moments, width: int) -> Layout:
        names = self.schema_.names
        named, together = self._named(names)
        chosen = self._automatic(self.schema_, values)
        self.families_ = [named.get(place, family) for place, family in enumerate(chosen)]
        posteriors.check_families(self.families_, names)
        kind = self._kind()
        parts = _layout.parts_of(self.families_, together, self.schema_)
        given = posteriors.given_priors(self.priors, self.families_, names)
        normal = tuple(place for family, places in parts if family == "normal" for place in places)
        if kind != "diag" and (split := [names[p] for p in given if p in normal]):
            raise ValueError(f"priors of single normal columns ({split[0]!r}) need covariance_type='diag'")
        scaled = np.isin(self.families_, ["normal"])
        structure = "VVV" if kind != "spherical" or not normal else canonical_name("VII", len(normal))
        view = door(values, scaled, structure)
        plain = tuple(self._plain(part, width, values, rows, view) for part in parts)
        weigh = posteriors.Weighing(float(self.prior_rows), kind, self.n_components, given)
        groups = tuple(
            posteriors.group(part, own, width, values, rows, view, weigh)
            for part, own in zip(parts, plain, strict=True)
        )
        active = np.arange(width) < self.n_components
        log_weights = np.where(active, -np.log(self.n_components), -np.inf)
        return Layout(groups, Mixture(log_weights, plain, active), view)

    def _plain(self, part: Part, width: int, values: Moments, rows: np.ndarray, view: Standardise) -> Component:
        """The group of columns with parameters in place of posteriors."""
        family, columns = part
        if family == "normal":
            noise = np.zeros(len(columns))
            return posteriors.plain_gaussian(columns, width, self._kind(), noise, complete=values.complete)
        settings = {"structure": "VVI", "floor": 0.0, "map": False, "components": 1}
        return _layout.group(part, width, self.schema_, values, rows, np.asarray(view.scale), settings)
