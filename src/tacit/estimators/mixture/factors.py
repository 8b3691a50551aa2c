"""``MixtureOfFactorAnalysers``: groups that each lie near a plane of their own."""

from collections.abc import Mapping
from dataclasses import KW_ONLY
from typing import Annotated, ClassVar

import numpy as np

from tacit.data.blocks import Standardise
from tacit.data.dataset import ColumnMoments, Dataset
from tacit.estimators.factors.base import check_columns, first_plane
from tacit.estimators.mixture.em import LikelihoodMixture
from tacit.estimators.mixture.starts import standardiser
from tacit.estimators.settings import Choice, Number, Whole, settings
from tacit.models.components.factor_analytic import FactorComponent, Shared
from tacit.models.mixture.model import MixtureModel
from tacit.spaces import Held

CONSTRAINTS = ("UUU", "UUC", "UCU", "UCC", "CUU", "CUC", "CCU", "CCC")


@settings
class MixtureOfFactorAnalysers(LikelihoodMixture):
    """``p(x) = Σ_k π_k N(x; μ_k, Λ_k Λ_kᵀ + diag ψ_k)``: a mixture of planes with noise (Ghahramani & Hinton 1996).

    Where a mixture of Gaussians with full covariances has K·D²/2 numbers to learn, this one has K·D·Q: it is for groups
    of rows in many columns. Missing entries (NaN) are integrated out.

    Attributes:
        weights_, means_: ``(K,)`` and ``(K, d)``.
        loadings_: Λ_k in the user's units, ``(K, d, factors)``, known up to a rotation in each group.
        noise_variances_: ψ_k, ``(K, d)``.
        model_, lower_bound_, trace_, converged_, stop_reason_, n_iter_, n_parameters_, at_floor_: as
            `GaussianMixture`'s.
    """

    held: ClassVar[Mapping[str, Held]] = {
        "means_": Held("components features"),
        "loadings_": Held("components features factors"),
        "noise_variances_": Held("components features", "positive"),
    }

    _: KW_ONLY
    n_factors: Annotated[int | None, Whole(0)] = None
    """Q, of every group; None for 2, or in fewer than three columns for one less than there are."""
    constraints: Annotated[str, Choice(CONSTRAINTS)] = "UUU"
    """what the groups have in common, C for constrained and U for not: their loadings, their noise, and the noise of
    all columns: "UUC" is a mixture of probabilistic PCAs (McNicholas & Murphy 2008)."""
    least_noise: Annotated[float, Number("above 0", least_too=False)] = 1e-4
    """the smallest noise of a column in a group, as a share of the column's variance."""

    def _check_together(self) -> None:
        if self.objective != "mle":
            raise ValueError("objective='map' needs priors, and factors have none here: take objective='mle'")
        if self.inference not in ("em", "hard-em"):
            raise ValueError(f"inference={self.inference!r} is not for factors: take 'em' or 'hard-em'")

    def _plan(self, rows: Dataset, values: ColumnMoments, width: int) -> tuple[MixtureModel, Standardise]:
        check_columns(self, rows, varying=True)
        dims = rows.shape[1]
        factors = min(2, dims - 1) if self.n_factors is None else self.n_factors
        if factors >= dims:
            raise ValueError(f"n_factors={factors} must be below n_features={dims}, the number of columns")
        shared = Shared(*(letter == "C" for letter in self.constraints))
        view = standardiser(values, np.ones(dims, bool), "EII" if shared.isotropic else "VVV")
        plane = first_plane(rows, view, factors, np.random.default_rng(0))
        component = FactorComponent(
            np.zeros((width, dims)),
            np.tile(plane, (width, 1, 1)),
            np.full((width, dims), 0.5),
            self.least_noise * np.maximum(values.variance, np.finfo(np.float64).tiny) / np.asarray(view.scale) ** 2,
            tuple(range(dims)),
            shared,
            complete=values.complete,
        )
        active = np.arange(width) < self.n_components
        log_weights = np.where(active, -np.log(self.n_components), -np.inf)
        return MixtureModel(log_weights, (component,), active), view

    def sizes(self) -> dict[str, int]:
        return super().sizes() | {"factors": self.model_.groups[0].values()["loadings"].shape[-1]}

    def _publish(self, model: MixtureModel) -> None:
        super()._publish(model)
        (group,) = model.groups
        assert isinstance(group, FactorComponent)
        self.means_, self.loadings_ = np.asarray(group.means), np.asarray(group.loadings)
        self.noise_variances_ = np.asarray(group.noise_variances)
