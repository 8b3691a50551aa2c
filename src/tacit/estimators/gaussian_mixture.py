"""``GaussianMixture``: scikit-learn's face, fourteen covariance structures, gaps and weights."""

from typing import Any

import jax.numpy as jnp
import numpy as np

from tacit.data.blocks import Moments, Standardise
from tacit.estimators._mixture import BaseMixture, Plan
from tacit.estimators._starts import door
from tacit.families.covariance import STRUCTURES, canonical_name
from tacit.models.mixture.gaussian import GaussianGroup
from tacit.models.mixture.model import Mixture


class GaussianMixture(BaseMixture):
    """A mixture of Gaussians, ``p(x) = Σ_k π_k N(x; μ_k, Σ_k)``, fitted by EM."""

    def __init__(
        self,
        n_components: int = 1,
        *,
        covariance_type: str = "full",
        tol: float = 1e-3,
        reg_covar: float = 1e-6,
        max_iter: int = 100,
        n_init: int = 1,
        init_params: str = "kmeans",
        weights_init: Any = None,
        means_init: Any = None,
        precisions_init: Any = None,
        random_state: Any = None,
        warm_start: bool = False,
        verbose: int = 0,
        verbose_interval: int = 10,
        inference: str = "em",
        accelerate: bool = False,
    ) -> None:
        self.n_components = n_components
        self.covariance_type = covariance_type
        self.tol = tol
        self.reg_covar = reg_covar
        self.max_iter = max_iter
        self.n_init = n_init
        self.init_params = init_params
        self.weights_init = weights_init
        self.means_init = means_init
        self.precisions_init = precisions_init
        self.random_state = random_state
        self.warm_start = warm_start
        self.verbose = verbose
        self.verbose_interval = verbose_interval
        self.inference = inference
        self.accelerate = accelerate

    def _plan(self, rows: Any, values: Moments, width: int) -> Plan:
        dims = rows.shape[1]
        structure = canonical_name(self.covariance_type, dims)
        view = door(values, np.ones(dims, dtype=bool), structure)
        unit = (
            np.ones((width, dims)) if STRUCTURES[structure].diagonal else np.tile(np.eye(dims), (width, 1, 1))
        )
        group = GaussianGroup(
            means=jnp.zeros((width, dims)),
            covariances=jnp.asarray(unit),
            blur=jnp.asarray(self.reg_covar / np.asarray(view.scale) ** 2),
            fixed_means=None,
            fixed_covariances=None,
            prior=None,
            columns=tuple(range(dims)),
            structure=structure,
            complete=values.complete,
        )
        active = np.arange(width) < self.n_components
        log_weights = np.where(active, -np.log(self.n_components), -np.inf)
        return Plan(Mixture(jnp.asarray(log_weights), (group,), jnp.asarray(active)), view)

    def _publish(self, model: Mixture) -> None:
        super()._publish(model)
        group = model.groups[0]
        self.means_ = group.means
        self.covariances_ = group.covariances
