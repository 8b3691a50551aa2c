"""``MixtureOfFactorAnalysers``: groups that each lie near a plane of their own."""

import dataclasses
from collections.abc import Mapping
from dataclasses import KW_ONLY
from typing import Annotated, Any, ClassVar, Self

import numpy as np

from tacit.data.blocks import Standardise
from tacit.data.dataset import ColumnMoments, Dataset
from tacit.engine import eqx
from tacit.estimators.factors.base import check_columns, first_plane
from tacit.estimators.mixture.base import Layout
from tacit.estimators.mixture.em import LikelihoodMixture
from tacit.estimators.mixture.starts import DrawnStarts, standardiser
from tacit.estimators.settings import Choice, Number, Whole, settings
from tacit.models.components.factor_analytic import FactorComponent, Shared
from tacit.models.components.local_planes import local_planes
from tacit.models.mixture.fitting import Start
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

    @property
    def structure(self) -> str:
        return self.constraints if self.n_factors is None else f"{self.constraints}-{self.n_factors}"

    def set_structure(self, name: str) -> Self:
        constraints, _, factors = name.partition("-")
        return self.set_params(constraints=constraints, n_factors=int(factors) if factors else self.n_factors)

    def _from_drawn(self, layout: Layout, drawn: DrawnStarts) -> tuple[Start, bool]:
        """Every second start from a plane a group, the others from one plane for all rows: either may end higher."""
        begun, given = super()._from_drawn(layout, drawn)
        view = layout.view
        rows = (drawn.rows - np.asarray(view.shift)) / np.asarray(view.scale)
        (planes,) = layout.plain.groups
        if not isinstance(planes, FactorComponent):
            return begun, given
        found = local_planes(planes, rows, drawn.weights, drawn.shares)
        if found is None:
            return begun, given
        models = begun.models if len(drawn.shares) == 1 else begun.made()
        (group,) = models.groups
        total = np.einsum("n,snk->sk", drawn.weights, drawn.shares)
        with np.errstate(divide="ignore"):
            log_weights = np.log(total / total.sum(1, keepdims=True))
        own = np.arange(len(drawn.shares)) % 2 == 0

        def either(local: np.ndarray, whole: Any) -> np.ndarray:
            return np.where(own.reshape(-1, *[1] * (local.ndim - 1)), local, np.asarray(whole))

        planes = dataclasses.replace(
            group,
            means=either(found.means, group.means),
            loadings=either(found.loadings, group.loadings),
            noise_variances=either(found.noise_variances, group.noise_variances),
        )
        parts = either(log_weights, models.log_weights), (planes,)
        return Start(eqx.tree_at(lambda m: (m.log_weights, m.groups), models, parts), None), given

    def sizes(self) -> dict[str, int]:
        return super().sizes() | {"factors": self.model_.groups[0].values()["loadings"].shape[-1]}

    def _publish(self, model: MixtureModel) -> None:
        super()._publish(model)
        (group,) = model.groups
        assert isinstance(group, FactorComponent)
        self.means_, self.loadings_ = np.asarray(group.means), np.asarray(group.loadings)
        self.noise_variances_ = np.asarray(group.noise_variances)
