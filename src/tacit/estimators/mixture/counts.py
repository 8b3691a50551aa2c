"""``PoissonMixture`` and ``MultinomialMixture``: groups of rows of counts, dense or sparse."""

import abc
from collections.abc import Mapping
from dataclasses import KW_ONLY
from typing import Annotated, Any, ClassVar

import numpy as np

from tacit.data.blocks import Standardise
from tacit.data.dataset import ColumnMoments, Dataset, SparseRows
from tacit.estimators.base import read_data
from tacit.estimators.mixture.em import LikelihoodMixture
from tacit.estimators.mixture.layout import row_prior
from tacit.estimators.settings import TOLERANCE, Choice, Whole, settings
from tacit.families import Multinomial, Poisson
from tacit.models.components.product import FamilyComponent
from tacit.models.mixture.model import MixtureModel
from tacit.spaces import Held


@settings
class CountMixture(LikelihoodMixture):
    """What the two mixtures of counts share: their arguments, and rows that are whole numbers from 0 on."""

    reads = ("counts",)
    _: KW_ONLY
    objective: Annotated[str, Choice(("mle", "map"))] = "map"
    """"map" with a prior of one row of average counts, so that no item is impossible; or "mle"."""
    tol: Annotated[float, TOLERANCE] = 1e-5
    max_iter: Annotated[int, Whole(0)] = 500
    n_init: Annotated[int, Whole(1)] = 5

    @abc.abstractmethod
    def _family(self, width: int, dims: int) -> Poisson | Multinomial:
        """The template of the components."""

    def read(self, X: Any, *, reset: bool, minimum: int = 1) -> Dataset:
        rows = read_data(self, X, reset=reset, minimum=minimum, sparse=True)
        for values in [rows.matrix.data] if isinstance(rows, SparseRows) else (part for _, part in rows.slices()):
            with np.errstate(invalid="ignore"):
                wrong = (values < 0) | (values != np.floor(values)) & ~np.isnan(values)
            if wrong.any():
                raise ValueError(
                    f"Negative values in data passed to {type(self).__name__}, or values that are not whole numbers "
                    f"(such as {values[wrong].flat[0]:g}): it takes counts. For other columns use Mixture."
                )
        return rows

    def _plan(self, rows: Dataset, values: ColumnMoments, width: int) -> tuple[MixtureModel, Standardise]:
        dims = rows.shape[1]
        family = self._family(width, dims)
        free = family.n_free * (1 if family.event_dims else dims)
        prior = None
        if self.objective == "map":
            prior = row_prior(family.name, rows, np.arange(dims), values, 1)
        group = FamilyComponent(family, None, prior, tuple(range(dims)), free, values.complete)
        active = np.arange(width) < self.n_components
        log_weights = np.where(active, -np.log(self.n_components), -np.inf)
        model = MixtureModel(log_weights, (group,), active)
        return (model, Standardise(np.zeros(dims), np.ones(dims)))

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.input_tags.sparse = True
        tags.input_tags.positive_only = True
        return tags


def _family(model: MixtureModel) -> Any:
    group = model.groups[0]
    assert isinstance(group, FamilyComponent)
    return group.family


@settings
class PoissonMixture(CountMixture):
    """``p(x) = Σ_k π_k ∏_j Poisson(x_j; λ_kj)``: counts a row and item, such as purchases.

    Attributes:
        rates_: λ, ``(K, d)``.
        model_, weights_, trace_, lower_bound_, converged_, stop_reason_, n_iter_, n_parameters_:
            as in ``GaussianMixture``.
    """

    held: ClassVar[Mapping[str, Held]] = {
        "rates_": Held("components features", "not negative"),
    }

    def _family(self, width: int, dims: int) -> Poisson:
        return Poisson.template((width, dims))

    def _publish(self, model: MixtureModel) -> None:
        super()._publish(model)
        self.rates_ = np.asarray(_family(model).rates)


@settings
class MultinomialMixture(CountMixture):
    """``p(x | total) = Σ_k π_k Multinomial(x; total, p_k)``: what the counts of a row are shares of.

    The density is of the row given its total and carries its coefficient, so it is not comparable with that of
    a ``PoissonMixture``, which is of the totals too.

    Attributes:
        probabilities_: ``(K, d)``, each row sums to 1.
        model_, weights_, trace_, lower_bound_, converged_, stop_reason_, n_iter_, n_parameters_:
            as in ``GaussianMixture``.
    """

    held: ClassVar[Mapping[str, Held]] = {
        "probabilities_": Held("components features", "shares"),
    }

    def _family(self, width: int, dims: int) -> Multinomial:
        return Multinomial.template((width, 1), categories=dims)

    def _publish(self, model: MixtureModel) -> None:
        super()._publish(model)
        self.probabilities_ = np.asarray(_family(model).probabilities)[:, 0]
