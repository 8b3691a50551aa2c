"""What PCA and factor analysis share: one Gaussian with a few factors, and all that is answered from it."""

from typing import Any, Self

import numpy as np
from numpy.typing import ArrayLike
from sklearn.base import ClassNamePrefixFeaturesOutMixin, TransformerMixin

from tacit import trees
from tacit.arrays import xp
from tacit.compute import Array
from tacit.data.blocks import CHUNK_ROWS, Standardise
from tacit.data.dataset import Dataset
from tacit.data.errors import listed
from tacit.data.sources import source
from tacit.estimators.base import double_precision, seed_of, weighted
from tacit.estimators.capabilities import MatrixLike, ReadsOnce, Sweeps
from tacit.estimators.factors.capabilities import HasFactors
from tacit.estimators.mixture.answers import LikelihoodAnswers
from tacit.estimators.settings import Estimator
from tacit.estimators.spreading import SpreadsSums
from tacit.families.factorising import leading
from tacit.inference.fit import Fit
from tacit.models.components.factor_analytic import FactorComponent, Shared
from tacit.models.mixture.fitting import MixtureSchedule, Start, run
from tacit.models.mixture.model import MixtureModel
from tacit.models.mixture.rows import each_row

EDGE = 1e-9
"""The smallest noise, as a share of the mean variance, of a density that the rows leave flat."""

CACHED = 80_000
"""How many numbers of rows and their factors are worked on together, so that they stay in the cache."""
LEAST_TOGETHER = 64
"""Rows that are worked on together, however long they are."""


class OnePlane(
    LikelihoodAnswers,
    HasFactors,
    Sweeps,
    ReadsOnce,
    SpreadsSums,
    ClassNamePrefixFeaturesOutMixin,
    TransformerMixin,
    Estimator,
):
    """``x = μ + Λ z + ε``, z ~ N(0, I), ε ~ N(0, diag ψ): a mixture of one factor-analytic component."""

    components_: np.ndarray

    @property
    def plane(self) -> FactorComponent:
        """The component."""
        (group,) = self.fitted_model().groups
        assert isinstance(group, FactorComponent)
        return group

    @property
    def column_names(self) -> list[str]:
        return self._column_names()

    @property
    def _n_features_out(self) -> int:
        return int(self.components_.shape[0])

    def sizes(self) -> dict[str, int]:
        return super().sizes() | {"factors": self._n_features_out}

    @double_precision
    def fit(self, X: MatrixLike, y: Any = None, sample_weight: ArrayLike | None = None) -> Self:
        """Fit to rows.

        Args:
            X: rows ``(n, d)`` (of `PCA` sparse too), or a `tacit.data.Dataset`; NaN marks a missing entry, which is
                integrated out.
            y: ignored.
            sample_weight: a weight a row, ``(n,)``; 2 is the same as two copies.

        Raises:
            ValueError: what is wrong with the rows, the weights or a parameter, and what to do.
        """
        self.fit_read(weighted(self.read(X, reset=True, minimum=2), sample_weight))
        return self

    def latent(self, X: MatrixLike) -> tuple[np.ndarray, np.ndarray, Dataset]:
        """``E[z | x_o]`` of the model's own factors ``(n, Q)``, their covariances ``(n, Q, Q)``, and the rows."""
        self.fitted_model()
        rows = self.read(X, reset=False)
        mean, covariance = each_row(_codes, self.model_, rows)
        return mean, covariance, rows

    @double_precision
    def sample(self, n_samples: int = 1) -> np.ndarray:
        """New rows ``(n, d)``.

        Raises:
            ValueError: fewer than one row.
        """
        return self._new_rows(n_samples)[0]

    def get_covariance(self) -> np.ndarray:
        """``Λ Λᵀ + diag ψ``, ``(d, d)``."""
        return np.asarray(self.plane.covariance_matrices()[0])

    def get_precision(self) -> np.ndarray:
        """Its inverse, ``(d, d)``."""
        return np.linalg.inv(self.get_covariance())

    def _kept(
        self, mean: np.ndarray, loadings: np.ndarray, noise: np.ndarray, least: np.ndarray, *, isotropic: bool
    ) -> None:
        """Keep a plane as the model."""
        columns = tuple(range(mean.size))
        component = FactorComponent(
            mean[None], loadings[None], noise[None], least, columns, Shared(isotropic=isotropic)
        )
        self.model_ = MixtureModel(np.zeros(1), (component,), np.ones(1, bool))
        self.n_parameters_ = self.model_.n_parameters()

    def _iterated(
        self, rows: Dataset, view: Standardise, component: FactorComponent, *, max_iter: int, tol: float
    ) -> tuple[FactorComponent, Fit]:
        """EM over rows with gaps, or with so many columns that no covariance is kept; the component in user's units.

        Args:
            rows: at least one entry of every column is seen.
            view: the coordinates of ``component``.
            component: the start.
            max_iter: most iterations.
            tol: the change of the bound, in nats, below which it has converged.
        """
        size = rows.shape[1] + component.loadings.shape[-1] ** 2
        held = source(rows, chunk=max(LEAST_TOGETHER, min(CHUNK_ROWS, 2 ** int(np.log2(CACHED / size)))))
        model = MixtureModel(np.zeros(1), (component,), np.ones(1, bool))
        stacked = trees.map(lambda leaf: np.asarray(leaf)[None], model)
        # weights that are shares, which sum to 1, must not end it sooner
        weight = max(held.total_weight, float(np.count_nonzero(rows.weights)))
        schedule = MixtureSchedule(max_iter, tol / weight, True, type(self).__name__)
        (found,) = run(Start(stacked, None), held, view, schedule, seed_of(0))
        (group,) = found.model.in_units(view).groups
        self.trace_ = found.trace._replace(bound=found.trace.bound - float(rows.moments().seen @ np.log(view.scale)))
        self._noted(found)
        return group, found

    def _noted(self, found: Fit) -> None:
        self.n_iter_ = found.iteration


def check_columns(model: Estimator, rows: Dataset, *, varying: bool = False) -> None:
    """Refuse columns that say nothing.

    Args:
        model: whose columns they are.
        rows: the rows of a fit.
        varying: whether columns must vary too.

    Raises:
        ValueError: names the columns that have no value, or all the same, or values too large to square.
    """
    values, names = rows.moments(), model._column_names()
    empty = [name for name, seen in zip(names, values.seen, strict=True) if not seen > 0]
    if empty:
        raise ValueError(f"no value is seen in column {listed(empty)}: leave it out")
    check_sizes(model, values.variance)
    still = [name for name, flat in zip(names, values.flat, strict=True) if flat]
    if varying and still:
        raise ValueError(
            f"all values are the same in column {listed(still)}, and no factor can explain what does not vary: leave "
            "it out"
        )


def check_sizes(model: Estimator, variances: np.ndarray) -> None:
    """Refuse columns whose variances are no numbers.

    Raises:
        ValueError: names them.
    """
    large = [name for name, value in zip(model._column_names(), variances, strict=True) if not np.isfinite(value)]
    if large:
        raise ValueError(
            f"the values of column {listed(large)} are so large that their squares are no numbers any more: give them "
            "in a larger unit"
        )


def _codes(model: MixtureModel, rows: Array) -> tuple[Array, Array]:
    (group,) = model.groups
    assert isinstance(group, FactorComponent)
    found = group.posterior(rows)
    covariance = found.covariance[0]
    return found.mean[0], xp.broadcast_to(covariance, (rows.shape[0], *covariance.shape[1:]))


def first_plane(rows: Dataset, view: Standardise, factors: int, random: np.random.Generator) -> np.ndarray:
    """Loadings to begin with, in the view: of the principal axes of rows whose gaps are read as means."""
    dims = rows.shape[1]
    if dims <= 1000:
        spread = rows.covariance() / np.outer(view.scale, view.scale)
        values, axes = leading(spread, factors)
    else:
        sample = rows.sample(1000, random)
        centred = np.nan_to_num((sample.rows() - view.shift) / view.scale, nan=0.0)
        _, singular, across = np.linalg.svd(centred / np.sqrt(len(sample)), full_matrices=False)
        most = min(factors, singular.size)
        values, axes = np.zeros(factors), random.normal(scale=dims**-0.5, size=(dims, factors))
        values[:most], axes[:, :most] = singular[:most] ** 2, across[:most].T
    return np.asarray(axes * np.sqrt(np.maximum(values - 0.5, 0.1)))
