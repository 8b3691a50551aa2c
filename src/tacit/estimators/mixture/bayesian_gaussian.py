"""``BayesianGaussianMixture``: scikit-learn's face, a complete bound, a predictive density, gaps and weights."""

import math
from collections.abc import Mapping
from dataclasses import KW_ONLY, field
from typing import Annotated, Any, ClassVar

import numpy as np

from tacit.data.dataset import ColumnMoments, Dataset
from tacit.estimators.mixture import parameters as shapes
from tacit.estimators.mixture.posteriors import plain_gaussian
from tacit.estimators.mixture.starts import standardiser
from tacit.estimators.mixture.variational import PriorComponents, VariationalMixture
from tacit.estimators.settings import NOT_NEGATIVE, Number, Whole, settings
from tacit.models.components.normal_wishart import NormalWishartComponent
from tacit.models.components.wishart import Kind, NormalWishartPrior
from tacit.models.mixture.model import MixtureModel
from tacit.spaces import COVARIANCES, Held


@settings
class BayesianGaussianMixture(VariationalMixture):
    """A mixture of Gaussians with a posterior over weights, means and precisions, by variational Bayes.

    Arguments, attributes and methods are scikit-learn's. The bound has every constant, so it can be compared over K;
    ``score_samples`` is the log posterior predictive density, a mixture of Student's t. Components that the data do
    not need empty themselves. Rows may have missing entries (NaN).

    Attributes:
        weights_, means_: posterior means.
        covariances_, precisions_, precisions_cholesky_: ``E[Λ_k]⁻¹``, ``E[Λ_k]`` and its factor.
        weight_concentration_, mean_precision_, degrees_of_freedom_: of the posterior, in scikit-learn's shapes; with
            gaps, those of the structures along the axes are ``(K, d)``.
        weight_concentration_prior_, mean_precision_prior_, mean_prior_, degrees_of_freedom_prior_,
            covariance_prior_: of the prior.
        expected_counts_: expected rows of every component, ``(K,)``.
        n_components_used_: components with at least one expected row.
        lower_bound_, lower_bounds_: the bound on the log evidence in nats, of all rows.
        posterior_: the variational posterior, in the user's units.
        model_: the posterior predictive, a mixture of Student's t.
        trace_, converged_, stop_reason_, n_iter_, n_parameters_: how the fit ended.
        verdict_: how far the posterior can be trusted.

    Components are in canonical order, heaviest first.
    """

    held: ClassVar[Mapping[str, Held]] = {
        "means_": Held("components features"),
        "covariances_": Held(COVARIANCES),
        "precisions_": Held(COVARIANCES),
        "precisions_cholesky_": Held(COVARIANCES),
        "mean_prior_": Held("features"),
        "covariance_prior_": Held("features features | features | "),
        "mean_precision_prior_": Held("", "positive"),
        "degrees_of_freedom_prior_": Held("", "positive"),
        "mean_precision_": Held("components | components features", "positive"),
        "degrees_of_freedom_": Held("components | components features", "positive"),
    }

    n_components: Annotated[int, Whole(1)] = field(default=1, kw_only=True)
    """K, the most components."""
    _: KW_ONLY
    reg_covar: Annotated[float, NOT_NEGATIVE] = 1e-6
    """variance ε of the noise floor of every entry. Its share ``½ ε tr E[Λ_k]`` is taken from the bound."""
    mean_precision_prior: Annotated[float | None, Number("above 0", least_too=False, below=math.inf)] = None
    """κ, what the prior's mean weighs in rows; 1 if None."""
    mean_prior: Any = None
    """the prior's mean ``(d,)``; that of the rows if None."""
    degrees_of_freedom_prior: float | None = None
    """ν, above d − 1; d if None."""
    covariance_prior: Any = None
    """V in the structure's shape, ``E[Λ] = ν V⁻¹``; the covariance of the rows if None."""

    def _groups(self, rows: Dataset, values: ColumnMoments, width: int) -> PriorComponents:
        dims, kind = rows.shape[1], self._kind()
        diagonal = kind in ("diag", "spherical")
        structure = {"full": "VVV", "tied": "EEE", "diag": "VVI", "spherical": "VII"}[kind]
        view = standardiser(values, np.ones(dims, dtype=bool), structure)
        shift, scale = np.asarray(view.shift), np.asarray(view.scale)
        noise = self.reg_covar / scale**2
        columns = tuple(range(dims))
        plain = plain_gaussian(columns, width, kind, noise, complete=values.complete)
        prior = self._prior(rows, values)
        across = scale**2 if diagonal else scale[:, None] * scale
        seen = NormalWishartPrior((prior.mean - shift) / scale, prior.shrinkage, prior.scale / across, prior.dof)
        group = NormalWishartComponent.template(seen, width, columns, kind, noise=noise, complete=values.complete)
        active = np.arange(width) < self.n_components
        log_weights = np.where(active, -np.log(self.n_components), -np.inf)
        return PriorComponents((group,), MixtureModel(log_weights, (plain,), active), view)

    def _prior(self, rows: Dataset, values: ColumnMoments) -> NormalWishartPrior:
        """The prior in the user's units; that of "tied" is what each of the components brings, together."""
        dims, kind = rows.shape[1], self._kind()
        mean, dof = self.mean_prior, self.degrees_of_freedom_prior
        mean = values.mean if mean is None else shapes.checked("means", mean, (dims,))
        if dof is not None and not dof > dims - 1.0:
            raise ValueError(
                f"The parameter 'degrees_of_freedom_prior' should be greater than {dims - 1}, but got {dof:.3f}."
            )
        dof = dims if dof is None else dof
        self.mean_precision_prior_ = 1.0 if self.mean_precision_prior is None else self.mean_precision_prior
        self.mean_prior_, self.degrees_of_freedom_prior_ = mean, dof
        self.covariance_prior_ = self._covariance_prior(rows, values)
        scale = np.asarray(self.covariance_prior_, float)
        times = self.n_components if kind == "tied" else 1
        return NormalWishartPrior(
            np.asarray(mean, float),
            np.asarray(float(self.mean_precision_prior_)),
            times * (np.full(dims, scale) if kind == "spherical" else scale),
            np.asarray(float(times * dof)),
        )

    def _covariance_prior(self, rows: Dataset, values: ColumnMoments) -> Any:
        dims, kind, given = rows.shape[1], self._kind(), self.covariance_prior
        if given is not None:
            return _checked_spread(given, kind, dims)
        if kind in ("full", "tied"):
            return _positive(rows.covariance(), self.reg_covar)
        spare = np.maximum(np.maximum(values.seen - 1.0, 0.5 * values.seen), 1e-300)
        variance, seen = values.variance * values.seen / spare, values.seen > 0
        variance = variance if kind == "diag" else np.asarray(variance[seen].mean() if seen.any() else 0.0)
        least = max(self.reg_covar, 1e-10 * float(np.max(variance)), 1e-300)
        found = np.maximum(variance, least)
        return found if kind == "diag" else float(found)

    def _publish(self) -> None:
        super()._publish()
        group, kind, dtype = self.posterior_.groups[0], self.covariance_type, vars(self).get("_dtype", np.float64)
        assert isinstance(group, NormalWishartComponent)
        covariances = shapes.from_group(np.asarray(group.covariances), kind)
        factors = shapes.precisions_cholesky(covariances, kind)
        self.weights_ = self.weights_.astype(dtype)
        self.means_, self.covariances_ = np.asarray(group.means).astype(dtype), covariances.astype(dtype)
        self.precisions_cholesky_ = factors.astype(dtype)
        self.precisions_ = shapes.precisions_from_cholesky(factors, kind).astype(dtype)
        self.mean_precision_ = _by_component(np.asarray(group.pulls))
        dofs = _by_component(np.asarray(group.dofs))
        self.degrees_of_freedom_ = float(dofs[0]) / self.n_components if kind == "tied" else dofs


def _by_component(counts: np.ndarray) -> np.ndarray:
    """``[K]`` where all columns have one count."""
    return counts[:, 0].copy() if counts.ndim == 2 and np.all(counts == counts[:, :1]) else counts


def _checked_spread(given: Any, kind: Kind, dims: int) -> Any:
    if kind == "spherical":
        if not (np.ndim(given) == 0 and 0 < float(given) < np.inf):
            raise ValueError(f"The parameter 'spherical covariance_prior' should be greater than 0., but got {given!r}")
        return float(given)
    spread = shapes.checked(f"{kind} covariance_prior", given, (dims,) if kind == "diag" else (dims, dims))
    if kind == "diag":
        if not np.all(spread > 0.0):
            raise ValueError("'diag covariance_prior' should be positive")
    elif not np.allclose(spread, spread.T) or np.any(np.linalg.eigvalsh(spread) <= 0.0):
        raise ValueError(f"'{kind} covariance_prior' should be symmetric, positive-definite")
    return spread


def _positive(covariance: np.ndarray, floor: float) -> np.ndarray:
    """The covariance of the rows; where it is singular (a column that does not vary), with a floor on its diagonal."""
    values = np.linalg.eigvalsh(covariance)
    if values[0] > 1e-10 * values[-1] and values[0] > 0:
        return covariance
    return covariance + max(floor, 1e-10 * values[-1], 1e-300) * np.eye(covariance.shape[0])
