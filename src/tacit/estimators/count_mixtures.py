"""``PoissonMixture`` and ``MultinomialMixture``: groups of rows of counts, dense or sparse."""

import abc
from typing import Any

import numpy as np
from scipy import sparse

from tacit.data.blocks import Moments, Standardise
from tacit.estimators._base import read_rows
from tacit.estimators._layout import row_prior
from tacit.estimators._mixture import BaseMixture, Plan
from tacit.families import Multinomial, Poisson
from tacit.models.components.product import FamilyComponent
from tacit.models.mixture.model import Mixture


class CountMixture(BaseMixture):
    """What the two mixtures of counts share: their arguments, and rows that are whole numbers from 0 on."""

    def __init__(
        self,
        n_components: int = 1,
        *,
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

    @abc.abstractmethod
    def _family(self, width: int, dims: int) -> Poisson | Multinomial:
        """The template of the components."""

    def _read(self, X: Any, *, reset: bool, minimum: int = 1) -> Any:
        rows = read_rows(self, X, reset=reset, minimum=minimum, sparse=True)
        values = rows.data if sparse.issparse(rows) else rows
        with np.errstate(invalid="ignore"):
            wrong = (values < 0) | (values != np.floor(values)) & ~np.isnan(values)
        if wrong.any():
            raise ValueError(
                f"Negative values in data passed to {type(self).__name__}, or values that are not whole numbers "
                f"(such as {values[wrong].flat[0]:g}): it takes counts. For other columns use Mixture."
            )
        return rows

    def _plan(self, rows: Any, values: Moments, width: int) -> Plan:
        dims = rows.shape[1]
        family = self._family(width, dims)
        free = family.n_free * (1 if family.event_dims else dims)
        prior = None
        if self.objective == "map":
            prior = row_prior(family.name, rows, np.arange(dims), values, 1)
        group = FamilyComponent(family, None, prior, tuple(range(dims)), free, values.complete)
        active = np.arange(width) < self.n_components
        log_weights = np.where(active, -np.log(self.n_components), -np.inf)
        model = Mixture(log_weights, (group,), active)
        return Plan(model, Standardise(np.zeros(dims), np.ones(dims)))

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.input_tags.sparse = True
        tags.input_tags.positive_only = True
        return tags


def _family(model: Mixture) -> Any:
    group = model.groups[0]
    assert isinstance(group, FamilyComponent)
    return group.family


class PoissonMixture(CountMixture):
    """``p(x) = Σ_k π_k ∏_j Poisson(x_j; λ_kj)``: counts a row and item, such as purchases.

    Args:
        n_components: K.
        objective: "map" with a prior of one row of average counts, so that no item is impossible; or "mle".
        tol, max_iter, n_init, init_params, random_state, warm_start, verbose, verbose_interval, inference, accelerate:
            as in ``GaussianMixture``.

    Attributes:
        rates_: λ, ``(K, d)``.
        model_, weights_, trace_, lower_bound_, converged_, stop_reason_, n_iter_, n_parameters_:
            as in ``GaussianMixture``.
    """

    def _family(self, width: int, dims: int) -> Poisson:
        return Poisson.template((width, dims))

    def _publish(self, model: Mixture) -> None:
        super()._publish(model)
        self.rates_ = np.asarray(_family(model).rates)


class MultinomialMixture(CountMixture):
    """``p(x | total) = Σ_k π_k Multinomial(x; total, p_k)``: what the counts of a row are shares of.

    The density is of the row given its total and carries its coefficient, so it is not comparable with that of
    a ``PoissonMixture``, which is of the totals too.

    Args:
        n_components: K.
        objective: "map" with a prior of one row of average counts, so that no item is impossible; or "mle".
        tol, max_iter, n_init, init_params, random_state, warm_start, verbose, verbose_interval, inference, accelerate:
            as in ``GaussianMixture``.

    Attributes:
        probabilities_: ``(K, d)``, each row sums to 1.
        model_, weights_, trace_, lower_bound_, converged_, stop_reason_, n_iter_, n_parameters_:
            as in ``GaussianMixture``.
    """

    def _family(self, width: int, dims: int) -> Multinomial:
        return Multinomial.template((width, 1), categories=dims)

    def _publish(self, model: Mixture) -> None:
        super()._publish(model)
        self.probabilities_ = np.asarray(_family(model).probabilities)[:, 0]
