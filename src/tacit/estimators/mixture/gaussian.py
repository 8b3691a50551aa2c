"""``GaussianMixture``: scikit-learn's face, fourteen covariance structures, gaps and weights."""

import dataclasses
from collections.abc import Mapping
from dataclasses import KW_ONLY
from typing import Annotated, Any, ClassVar, NamedTuple

import numpy as np
import sklearn.mixture
from sklearn.exceptions import NotFittedError

from tacit import trees
from tacit.arrays import cholesky_factor
from tacit.data.blocks import Standardise
from tacit.data.dataset import ColumnMoments, Dataset
from tacit.estimators.mixture import parameters as shapes
from tacit.estimators.mixture.base import Layout
from tacit.estimators.mixture.errors import SeesErrors
from tacit.estimators.mixture.noise import FIRST_SHARE, beside_noise
from tacit.estimators.mixture.starts import standardiser
from tacit.estimators.settings import NOT_NEGATIVE, Flag, settings
from tacit.families.covariance import STRUCTURES, canonical_name
from tacit.families.covariance.prior import GaussianPrior, default_prior
from tacit.inference.online import Average
from tacit.models.components.base import Component
from tacit.models.components.concatenated import ConcatenatedComponent
from tacit.models.components.gaussian import GaussianComponent
from tacit.models.mixture.fitting import Start
from tacit.models.mixture.model import MixtureModel
from tacit.spaces import COVARIANCES, Held

ROUNDING = float(np.finfo(np.float64).eps) ** 2
"""The variance of the rounding of a value of size 1."""


class Given(NamedTuple):
    """Parameters the user gave for the start, in the user's units (None: not given)."""

    weights: np.ndarray | None
    means: np.ndarray | None
    covariances: np.ndarray | None


@settings
class GaussianMixture(SeesErrors):
    """A mixture of Gaussians, ``p(x) = Σ_k π_k N(x; μ_k, Σ_k)``, with scikit-learn's arguments and more.

    Rows may have missing entries (NaN): their marginal likelihood is maximised exactly, with the conditional
    covariances, and nothing is imputed beforehand.

    Attributes:
        weights_, means_, covariances_, precisions_, precisions_cholesky_: in scikit-learn's shapes; those of
            other structures are ``(K, D, D)``.
        noise_weight_: the share of noise, 0 without; it and ``weights_`` sum to 1.
        model_: the fitted pytree, in the user's units.
        lower_bound_, lower_bounds_: the bound a row in nats, at the end and after every iteration.
        trace_: iteration, bound (summed over rows) and seconds.
        converged_, stop_reason_, n_iter_, n_parameters_, at_floor_: how the fit ended.

    Components are in canonical order, heaviest first, unless a start is given.
    """

    held: ClassVar[Mapping[str, Held]] = {
        "means_": Held("components features"),
        "covariances_": Held(COVARIANCES),
        "precisions_": Held(COVARIANCES),
        "precisions_cholesky_": Held(COVARIANCES),
    }

    _: KW_ONLY
    covariance_type: str = "full"
    """"full", "tied", "diag", "spherical", or one of the fourteen volume–shape–orientation structures EII VII EEI VEI
    EVI VVI EEE VEE EVE VVE EEV VEV EVV VVV (Celeux & Govaert 1995)."""
    reg_covar: Annotated[float, NOT_NEGATIVE] = 1e-6
    """variance ε of the noise floor of every entry, added to the diagonal of every covariance. Its share
    ``½ ε tr Σ_k⁻¹`` is taken from the bound, so that the bound never falls."""
    weights_init: Any = None
    """weights of the start, ``(K,)``."""
    means_init: Any = None
    """means of the start, ``(K, d)``."""
    precisions_init: Any = None
    """precisions of the start, in scikit-learn's shapes."""
    priors: str | Mapping[str, Any] | None = None
    """with "map": "default" (Fraley & Raftery 2007) or a mapping of some of ``shrinkage`` (0: a flat prior of the
    means), ``mean``, ``scale``, ``dof`` and ``concentration`` (the weights' Dirichlet parameter)."""
    fixed: Mapping[str, Any] | None = None
    """which given parameters stay as they are: a mapping of "weights", "means" and "covariances" to True or a mask
    ``(K,)``; their values are those of the start."""
    noise: Annotated[bool, Flag()] = False
    """whether one more component is noise, uniform over the box of the rows of the fit (Banfield & Raftery 1993). Rows
    of it are labelled −1, and their probability is the last column of ``predict_proba``."""

    noise_weight_ = 0.0

    def _structure(self, dims: int) -> str:
        return canonical_name(self.covariance_type, dims)

    def _plan(self, rows: Dataset, values: ColumnMoments, width: int) -> tuple[MixtureModel, Standardise]:
        dims = rows.shape[1]
        structure = self._structure(dims)
        view = standardiser(values, np.ones(dims, dtype=bool), structure)
        unit = np.ones((width, dims)) if STRUCTURES[structure].diagonal else np.tile(np.eye(dims), (width, 1, 1))
        group = GaussianComponent(
            means=np.zeros((width, dims)),
            covariances=unit,
            noise_floor=self._floor(np.asarray(view.scale)),
            fixed_means=self._mask("means", width),
            fixed_covariances=self._mask("covariances", width),
            prior=self._prior(rows, values, view) if self.objective == "map" else None,
            columns=tuple(range(dims)),
            structure=structure,
            complete=values.complete,
        )
        active = np.arange(width) < self.n_components
        log_weights = np.where(active, -np.log(self.n_components), -np.inf)
        stack: Component = group
        if self.noise:
            stack = beside_noise(group, width, rows, values, view, self._column_names())
            active = np.append(active, True)
            log_weights = np.append(log_weights + np.log1p(-FIRST_SHARE), np.log(FIRST_SHARE))
        return (
            MixtureModel(
                log_weights,
                (stack,),
                active,
                self._mask("weights", width),
                self._concentration(),
            ),
            view,
        )

    def _floor(self, scale: np.ndarray) -> np.ndarray:
        """``reg_covar`` in the coordinates of the view; not less than the rounding of rows there, unless it is 0."""
        floor = self.reg_covar / scale**2
        return np.maximum(floor, ROUNDING) if self.reg_covar > 0 else floor

    def _mask(self, name: str, width: int) -> Any:
        """Which components' parameters stay; None where all move."""
        chosen = (self.fixed or {}).get(name)
        if chosen is None or chosen is False:
            return None
        source = {"weights": "weights_init", "means": "means_init", "covariances": "precisions_init"}[name]
        if vars(self)[source] is None:
            raise ValueError(f"fixed={{'{name}': …}} needs {source}: the values that are to stay")
        mask = np.zeros(width, dtype=bool)
        mask[: self.n_components] = np.asarray(chosen, dtype=bool)
        return mask

    def _concentration(self) -> Any:
        given = self.priors.get("concentration") if isinstance(self.priors, Mapping) else None
        return None if given is None or self.objective == "mle" else np.asarray(float(given))

    def _prior(self, rows: Dataset, values: ColumnMoments, view: Standardise) -> GaussianPrior:
        """The prior in the coordinates of the view."""
        given = dict(self.priors) if isinstance(self.priors, Mapping) else {}
        scale, dims = np.asarray(view.scale), rows.shape[1]
        spread = rows.covariance()
        usual = default_prior(self._structure(dims), values.mean, spread, self.n_components)
        mean = np.asarray(given.get("mean", usual.mean), float)
        matrix = np.asarray(given.get("scale", usual.scale), float)
        dof = float(given.get("dof", usual.dof))
        if mean.shape != (dims,) or not np.isfinite(mean).all():
            raise ValueError(f"priors['mean'] must be {dims} finite numbers, one a column; got {given['mean']!r}")
        if matrix.shape != (dims, dims) or not np.isfinite(cholesky_factor(matrix)).all():
            raise ValueError(f"priors['scale'] must be a symmetric positive definite matrix of {dims} columns")
        if not dims - 1 < dof < np.inf:
            raise ValueError(f"priors['dof'] must be above {dims - 1}, the number of columns less 1; got {dof:g}")
        return GaussianPrior(
            np.asarray((mean - np.asarray(view.shift)) / scale),
            np.asarray(float(given.get("shrinkage", usual.shrinkage))),
            np.asarray(matrix / scale[:, None] / scale),
            np.asarray(dof),
        )

    def _check_together(self) -> None:
        if self.priors is not None and self.objective == "mle":
            raise ValueError("priors are for objective='map'; with objective='mle' leave them out")
        known = ("shrinkage", "mean", "scale", "dof", "concentration")
        named = dict(self.priors) if isinstance(self.priors, Mapping) else {}
        if not isinstance(self.priors, Mapping) and self.priors not in (None, "default"):
            raise ValueError(
                f"priors={self.priors!r} does not exist; it may be 'default' or a mapping of some of {known}"
            )
        if set(named) - set(known):
            raise ValueError(f"priors has {sorted(set(named) - set(known))}; it may have {', '.join(known)}")
        if not 0.0 <= float(named.get("shrinkage", 0.0)) < np.inf:
            raise ValueError(
                f"priors['shrinkage']={named['shrinkage']!r} must be a number of rows: 0 (a flat prior of the "
                "means) or more"
            )
        if not 0.0 < float(named.get("concentration", 1.0)) < np.inf:
            raise ValueError(f"priors['concentration']={named['concentration']!r} must be above 0")
        if self.objective == "map" and self.fixed:
            raise ValueError("fixed parameters go with objective='mle' only")
        unknown = set(self.fixed or {}) - {"weights", "means", "covariances"}
        if unknown:
            raise ValueError(f"fixed has {sorted(unknown)}; it may have 'weights', 'means' and 'covariances'")
        if self.noise and self._mask("weights", self.n_components) is not None:
            raise ValueError("weights that stay as they are leave nothing for noise=True: fix means and covariances")

    def _resumed(self, layout: Layout, inverse: Standardise) -> MixtureModel:
        if bool(self.fitted_model().noise) != bool(self.noise):
            raise ValueError(
                f"noise={self.noise!r} is not what the last fit had, and warm_start=True goes on from it: set "
                "warm_start=False, or noise as it was"
            )
        return super()._resumed(layout, inverse)

    def _first_batch(self, rows: Dataset) -> tuple[Standardise, Average, float]:
        if self.noise:
            raise ValueError("noise=True needs the box of all rows, and partial_fit sees them batch by batch: use fit")
        return super()._first_batch(rows)

    def _given(self, dims: int) -> Given:
        number, kind = self.n_components, self.covariance_type
        weights, means, covariances = self.weights_init, self.means_init, self.precisions_init
        if weights is not None:
            weights = shapes.checked_weights(weights, number)
        if means is not None:
            means = shapes.checked("means", means, (number, dims))
        if covariances is not None:
            precisions = shapes.checked_precisions(covariances, kind, number, dims)
            covariances = shapes.covariances_from_precisions(precisions, kind)
            structure = self._structure(dims)
            covariances = shapes.to_group(covariances, kind, structure, number, dims)
            if kind not in shapes.NATIVE:
                covariances = shapes.within(structure, covariances, weights)
        return Given(weights, means, covariances)

    @property
    def starts_are_drawn(self) -> bool:
        return self.weights_init is None and self.means_init is None and self.precisions_init is None

    def _started(self, begun: Start, view: Standardise) -> tuple[Start, bool]:
        given = self._given(_only(begun.models).means.shape[-1])
        if all(values is None for values in given):
            return begun, False
        models = begun.made()
        group = _only(models)
        scale = np.asarray(view.scale)
        if given.weights is not None:
            with np.errstate(divide="ignore"):
                log_weights = np.log(np.asarray(given.weights, float))
            log_weights = _put(models.log_weights, log_weights)
            if self.noise:
                log_weights += np.log1p(-FIRST_SHARE)
                log_weights[:, -1] = np.log(FIRST_SHARE)
            models = dataclasses.replace(models, log_weights=log_weights)
        if given.means is not None:
            means = (np.asarray(given.means, float) - np.asarray(view.shift)) / scale
            group = dataclasses.replace(group, means=_put(group.means, means))
        if given.covariances is not None:
            across = scale**2 if group.diagonal else scale[:, None] * scale
            spread = np.asarray(given.covariances, float) / across
            group = dataclasses.replace(group, covariances=_put(group.covariances, spread))
        return Start(trees.put(_only, models, group), None), True

    def _publish(self, model: MixtureModel) -> None:
        if not np.isfinite(_only(model).conditioning()):
            raise ValueError(
                "Fitting the mixture model failed because some components have ill-defined empirical covariance "
                "(for instance caused by singleton or collapsed samples). Try to decrease the number of "
                "components, increase reg_covar, or scale the input data."
            )
        self.weights_, self.means_, self.covariances_ = self._published(model)
        self.noise_weight_ = float(np.exp(np.asarray(model.log_weights))[self.weights_.size :].sum())
        kind, dtype = self.covariance_type, self.means_.dtype
        factors = shapes.precisions_cholesky(shapes.from_group(np.asarray(_only(model).covariances), kind), kind)
        self.precisions_cholesky_ = factors.astype(dtype)
        self.precisions_ = shapes.precisions_from_cholesky(factors, kind).astype(dtype)

    def _published(self, model: MixtureModel) -> tuple[np.ndarray, ...]:
        group = _only(model)
        covariances = shapes.from_group(np.asarray(group.covariances), self.covariance_type)
        weights = np.exp(np.asarray(model.log_weights))
        arrays = weights[: weights.size - model.noise], np.asarray(group.means), covariances
        return tuple(a.astype(vars(self).get("_dtype", np.float64)) for a in arrays)

    def fitted_model(self) -> MixtureModel:
        """The model; made from the attributes where a user set them by hand, as scikit-learn's users do."""
        own = vars(self)
        if "model_" in own:
            known = zip(self._published(own["model_"]), (self.weights_, self.means_, self.covariances_), strict=True)
            share = np.exp(np.asarray(own["model_"].log_weights))[np.size(self.weights_) :].sum()
            if share == self.noise_weight_ and all(np.array_equal(a, b) for a, b in known):
                return own["model_"]
        if "means_" not in own or not ({"covariances_", "precisions_cholesky_"} & own.keys()):
            raise NotFittedError(
                f"This {type(self).__name__} instance is not fitted yet. Call 'fit' with appropriate arguments "
                "before using this estimator."
            )
        return self._by_hand()

    def to_sklearn(self) -> Any:
        """The same mixture as scikit-learn's own ``sklearn.mixture.GaussianMixture``, fitted.

        It gives the same answers to complete rows. A structure that scikit-learn does not know becomes "full", or
        "diag" where it is diagonal.

        Raises:
            ValueError: one component is noise, which scikit-learn does not know.
        """
        model = self.fitted_model()
        if model.noise:
            raise ValueError("scikit-learn's mixtures have no noise: fit with noise=False")
        kind = self.covariance_type
        if kind not in ("full", "tied", "diag", "spherical"):
            kind = "diag" if STRUCTURES[self._structure(self.means_.shape[1])].diagonal else "full"
        group = _only(model)
        found = sklearn.mixture.GaussianMixture(
            self.n_components, covariance_type=kind, tol=self.tol, reg_covar=self.reg_covar, max_iter=self.max_iter
        )
        found.weights_, found.means_ = np.array(self.weights_), np.array(self.means_)
        found.covariances_ = shapes.from_group(np.asarray(group.covariances), kind).astype(found.means_.dtype)
        found.precisions_cholesky_ = shapes.precisions_cholesky(found.covariances_, kind)
        found.precisions_ = shapes.precisions_from_cholesky(found.precisions_cholesky_, kind)
        known = vars(self)
        for name in ("n_features_in_", "feature_names_in_", "n_iter_", "converged_", "lower_bound_"):
            if name in known:
                setattr(found, name, known[name])
        return found

    def _by_hand(self) -> MixtureModel:
        number, dims = np.shape(self.means_)
        structure, kind = self._structure(dims), self.covariance_type
        if "precisions_cholesky_" in vars(self):
            precisions = shapes.precisions_from_cholesky(np.asarray(self.precisions_cholesky_, float), kind)
            covariances = shapes.covariances_from_precisions(precisions, kind)
        else:
            covariances = np.asarray(self.covariances_, float)
        group = GaussianComponent(
            np.asarray(self.means_, float),
            shapes.to_group(covariances, kind, structure, number, dims),
            np.full(dims, float(self.reg_covar)),
            None,
            None,
            None,
            tuple(range(dims)),
            structure,
        )
        weights, stack = np.asarray(self.weights_, float), None
        before = self.model_.groups[0] if "model_" in vars(self) else None
        if isinstance(before, ConcatenatedComponent):  # whose noise stays
            weights = np.append(weights, self.noise_weight_)
            stack = dataclasses.replace(before, parts=(group, *before.parts[1:]))
        elif self.noise:
            raise ValueError("noise=True: parameters set by hand say nothing of the box of the noise; call fit first")
        return MixtureModel(np.log(weights), (stack or group,), np.ones(weights.size, bool))


def _put(stacked: Any, values: np.ndarray) -> np.ndarray:
    """The values in place of the first components' of every start."""
    changed = np.array(stacked)
    changed[:, : len(values)] = values
    return changed


def _only(model: MixtureModel) -> GaussianComponent:
    """The Gaussians, of one group of columns."""
    group = model.groups[0]
    group = group.parts[0] if isinstance(group, ConcatenatedComponent) else group
    assert isinstance(group, GaussianComponent)
    return group
