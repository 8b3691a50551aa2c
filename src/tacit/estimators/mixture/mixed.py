"""``Mixture``: groups in a table whose columns are of different kinds, with gaps and categories welcome."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from tacit.data.blocks import Moments
from tacit.estimators.mixture import layout
from tacit.estimators.mixture.columns import TableColumns
from tacit.estimators.mixture.em import BaseMixture, Plan
from tacit.estimators.mixture.starts import door
from tacit.families.covariance import canonical_name
from tacit.models.mixture.model import Mixture as Model


class Mixture(TableColumns, BaseMixture):
    """A mixture over columns of any kinds, ``p(x) = Σ_k π_k ∏_g p_g(x_g|θ_k)``, fitted by EM.

    Each column has a family: normal, log-normal, student-t, gamma, exponential, poisson, negative-binomial,
    bernoulli or categorical; several columns of counts together may be one multinomial. Normal columns are one Gaussian
    vector with a covariance structure. Text and categories are read as they are, and missing entries (NaN, None)
    are integrated out.

    Args:
        n_components: K.
        families: "auto" (from the kinds of the columns), one family for all columns, or a mapping of columns
            (names or places, or tuples of them for one multinomial) to families; others are chosen as "auto".
        covariance_type: structure of the normal columns' covariances, as in ``GaussianMixture``.
        floor: variance of the blur of every continuous entry, in units of the column's variance; a component that
            collapses rests on it and is named in a warning.
        objective: "map" with priors that weigh one row in all, so that no level or count is impossible for having
            never been seen; or "mle".
        tol, max_iter, n_init, init_params, random_state, warm_start, verbose, verbose_interval, inference, accelerate:
            as in ``GaussianMixture``.

    Attributes:
        schema_: the columns, their kinds and levels.
        families_: the family of every column.
        model_, weights_, trace_, lower_bound_, converged_, stop_reason_, n_iter_, n_parameters_, at_floor_:
            as in ``GaussianMixture``.
    """

    def __init__(
        self,
        n_components: int = 1,
        *,
        families: str | Mapping[Any, str] = "auto",
        covariance_type: str = "diag",
        floor: float = 1e-8,
        objective: str = "map",
        tol: float = 1e-5,
        max_iter: int = 500,
        n_init: int = 5,
        init_params: str = "kmeans",
        random_state: Any = None,
        warm_start: bool = False,
        verbose: int = 0,
        verbose_interval: int = 10,
        inference: str = "em",
        accelerate: bool = False,
    ) -> None:
        self.n_components = n_components
        self.families = families
        self.covariance_type = covariance_type
        self.floor = floor
        self.objective = objective
        self.tol = tol
        self.max_iter = max_iter
        self.n_init = n_init
        self.init_params = init_params
        self.random_state = random_state
        self.warm_start = warm_start
        self.verbose = verbose
        self.verbose_interval = verbose_interval
        self.inference = inference
        self.accelerate = accelerate

    def _check(self) -> None:
        super()._check()
        if not self.floor > 0:
            raise ValueError(f"floor must be above 0, got {self.floor!r}")

    def _plan(self, rows: np.ndarray, values: Moments, width: int) -> Plan:
        named, together = self._named(self.schema_.names)
        families = layout.automatic(self.schema_, values)
        self.families_ = [named.get(place, family) for place, family in enumerate(families)]
        parts = layout.parts_of(self.families_, together, self.schema_)
        scaled = np.isin(self.families_, ["normal", "student-t"])
        structure = "VVV" if not scaled.any() else canonical_name(self.covariance_type, int(scaled.sum()))
        view = door(values, scaled, structure)
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
        return Plan(Model(log_weights, groups, active, None, concentration), view)
