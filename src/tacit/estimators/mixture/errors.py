"""Measurement errors of rows: each with a covariance of its own, known, beside the mixture of the true values."""

import copy
import dataclasses
from typing import Any, Self

import numpy as np
from jaxtyping import Float

from tacit.arrays import cholesky_factor
from tacit.data.blocks import Standardise
from tacit.data.dataset import Dataset, DenseRows
from tacit.data.erring import errors_of
from tacit.data.sources import source
from tacit.estimators.base import double_precision, weighted
from tacit.estimators.mixture.answers import labelled
from tacit.estimators.mixture.em import LikelihoodMixture
from tacit.models.components.errors import ErrorStep
from tacit.models.components.gaussian import GaussianComponent
from tacit.models.components.steps import pack
from tacit.models.mixture import rows as answers
from tacit.models.mixture.fitting import Start, run
from tacit.models.mixture.model import MixtureModel


class SeesErrors(LikelihoodMixture):
    """A mixture of Gaussian vectors whose rows may carry errors, ``x ~ Σ_k π_k N(μ_k, Σ_k + S_n)``.

    ``X_cov`` is S_n of every row, in squared units of the columns: variances ``(n, d)``, or matrices ``(n, d, d)``. An
    infinite variance is a gap. The parameters are those of the true values (Bovy, Hogg & Roweis 2011).
    """

    @double_precision
    def fit(self, X: Any, y: Any = None, sample_weight: Any = None, X_cov: Any = None) -> Self:
        """Fit the mixture to rows, perhaps with measurement errors.

        Args:
            X: rows ``(n, d)``, or a `tacit.data.Dataset`; NaN marks a missing entry, which is integrated out.
            y: ignored.
            sample_weight: a weight a row, ``(n,)``; 2 is the same as two copies.
            X_cov: the covariance of each row's errors, variances ``(n, d)`` or matrices ``(n, d, d)``: the mixture is
                then one of the true values.

        Raises:
            ValueError: what is wrong with the rows, the weights, the errors or a parameter, and what to do.
        """
        X_cov = errors_of(X, X_cov)
        if X_cov is None:
            return super().fit(X, y, sample_weight)
        rows = weighted(self.read(X, reset=True, minimum=2), sample_weight)
        self._check_all(rows)
        self._check_errors()
        self.__dict__.pop("_online", None)
        values, errors = with_errors(rows, X_cov)
        self._fit_errors(DenseRows(values, rows.weights), errors)
        return self

    def _check_errors(self) -> None:
        if self.inference != "em" or vars(self).get("noise") or self.warm_start:
            raise ValueError(
                "X_cov goes with inference='em', noise=False and warm_start=False: rows with measurement errors are "
                "fitted by EM from the start"
            )

    def _fit_errors(self, rows: Dataset, errors: Float[np.ndarray, "rows f"]) -> None:
        """Starts are those of the rows as they are; from there on every row has its own error."""
        layout, values, random = self._laid(rows, self.n_components)
        numbers = np.full(self.n_init, self.n_components)
        begun, given = self._begun(layout, rows, [self.init_params] * self.n_init, numbers, random)
        models = _seeing(begun.made())
        shift, scale = np.asarray(layout.view.shift), np.asarray(layout.view.scale)
        view = Standardise(
            np.concatenate([shift, np.zeros(errors.shape[1])]), np.concatenate([scale, pack(np.outer(scale, scale))])
        )
        data = source(DenseRows(np.hstack([rows.rows(), errors]), rows.weights))
        seen = np.concatenate([values.seen, np.zeros(errors.shape[1])])  # errors are no part of the density's units
        search = self._unfitted_search(layout, rows, values, random)
        search = search._replace(layout=layout._replace(view=view), data=data, given=given)
        search = search._replace(values=values._replace(seen=seen))
        with self._talking():
            fits = run(Start(models, None), data, view, self.schedule(search), random, self._apart(numbers), "em")
        self._end(search._replace(fits=fits))
        self.model_ = _blind(self.model_)
        self.snapshots_ = {number: _blind(model) for number, model in self.snapshots_.items()}
        self._warn()

    @double_precision
    def score_samples(self, X: Any, X_cov: Any = None) -> np.ndarray:
        """``log p(x)`` of every row in nats, ``(n,)``; missing entries are integrated out.

        With ``X_cov`` it is the exact ``log Σ_k π_k N(x; μ_k, Σ_k + S_n)``.
        """
        X_cov = errors_of(X, X_cov)
        if X_cov is None:
            return super().score_samples(X)
        model, rows = _seeing(self.fitted_model()), self.read(X, reset=False)
        return answers.log_prob(model, _joined(rows, X_cov)).astype(rows.dtype, copy=False)

    @double_precision
    def weighed_scores(self, X: Any, sample_weight: Any = None, X_cov: Any = None) -> tuple[np.ndarray, np.ndarray]:
        """``log p(x)`` of every row in nats, ``(n,)``, and the weights of the rows, ``(n,)``."""
        X_cov = errors_of(X, X_cov)
        if X_cov is None:
            return super().weighed_scores(X, sample_weight)
        return self.score_samples(X, X_cov), weighted(self.read(X, reset=False), sample_weight).weights

    def score(self, X: Any, y: Any = None, sample_weight: Any = None, X_cov: Any = None) -> float:
        """Mean log-density a row, in nats."""
        values, weights = self.weighed_scores(X, sample_weight, X_cov)
        return float(np.average(values, weights=None if (weights == 1.0).all() else weights))

    @double_precision
    def predict_proba(self, X: Any, X_cov: Any = None) -> np.ndarray:
        """``p(z = k | x)`` of every row, ``(n, K)``."""
        X_cov = errors_of(X, X_cov)
        if X_cov is None:
            return super().predict_proba(X)
        model, rows = _seeing(self.fitted_model()), self.read(X, reset=False)
        return answers.responsibilities(model, _joined(rows, X_cov)).astype(rows.dtype, copy=False)

    def predict(self, X: Any, X_cov: Any = None) -> np.ndarray:
        """The likeliest component of every row, ``(n,)``; −1 where that is noise."""
        return labelled(self.fitted_model(), self.predict_proba(X, X_cov).argmax(axis=1))

    @double_precision
    def impute(self, X: Any, n_draws: int | None = None, random_state: Any = None, X_cov: Any = None) -> np.ndarray:
        """Rows with their missing entries filled in; observed entries stay bit for bit.

        Arguments are those of a mixture's ``impute``; with ``X_cov`` what is seen counts for as much as its errors let
        it, an entry gets its posterior mean, and there are no draws. `denoise` also moves what is seen.
        """
        X_cov = errors_of(X, X_cov)
        if X_cov is None:
            return super().impute(X, n_draws, random_state)
        if n_draws is not None:
            raise ValueError(
                "impute gives posterior means where rows have errors (X_cov, --error): leave n_draws (--draws) out"
            )
        rows = with_errors(self.read(X, reset=False), X_cov)[0]
        return np.where(np.isnan(rows), self.denoise(X, X_cov), rows)

    @double_precision
    def denoise(self, X: Any, X_cov: Any) -> np.ndarray:
        """The true values of rows seen with errors: ``E[v|x] = Σ_k p(k|x) (μ_k + Σ_k (Σ_k + S_n)⁻¹ (x − μ_k))``.

        Args:
            X: rows ``(n, d)``; NaN marks a missing entry, which is filled in.
            X_cov: the covariance of each row's errors, ``(n, d)`` or ``(n, d, d)``.
        """
        model = _seeing(self.fitted_model())
        return answers.each_row(_true_values, model, _joined(self.read(X, reset=False), X_cov))

    @double_precision
    def blurred(self, variances: Float[np.ndarray, " d"]) -> Self:
        """The mixture of rows that are seen with these errors, ``Σ_k π_k N(μ_k, Σ_k + diag S)``."""
        model = self.fitted_model()
        (group,) = _blind(model).groups
        assert isinstance(group, GaussianComponent)
        diagonal = group.covariances.ndim == 2
        added = group.covariances + (variances if diagonal else np.diag(variances))
        structure = "VVI" if diagonal else "VVV"
        blurred = dataclasses.replace(group, covariances=added, structure=structure)
        other = copy.copy(self)
        other.model_ = dataclasses.replace(model, groups=(blurred,))
        other.covariance_type = structure
        other._publish(other.model_)
        return other


def with_errors(rows: Dataset, X_cov: Any) -> tuple[Float[np.ndarray, "rows d"], Float[np.ndarray, "rows f"]]:
    """Values, NaN where missing, and the upper triangles of the errors' covariances, 0 where a value is missing.

    Raises:
        ValueError: a wrong shape, or what is no covariance; the row is named.
    """
    values = np.array(rows.rows(), dtype=np.float64)
    number, dims = values.shape
    given = np.asarray(X_cov, dtype=np.float64)
    if given.shape not in ((number, dims), (number, dims, dims)):
        raise ValueError(
            f"X_cov must be variances of the errors, {(number, dims)}, or their matrices, {(number, dims, dims)}; "
            f"got shape {given.shape}"
        )
    full = (
        given if given.ndim == 3 else given[:, :, None] * np.eye(dims) if np.isfinite(given).all() else _spread(given)
    )
    variances = np.diagonal(full, axis1=1, axis2=2)
    values[np.isposinf(variances)] = np.nan
    seen = ~np.isnan(values)
    full = np.where(seen[:, :, None] & seen[:, None, :], full, 0.0)
    bad = ~np.isfinite(full).all((1, 2)) | ~_semidefinite(full)
    if bad.any():
        row = int(np.flatnonzero(bad)[0])
        raise ValueError(
            f"X_cov of row {row} is no covariance of errors: {given[row].tolist()}. Variances are 0 or more (infinite "
            "where nothing is known), matrices symmetric and positive semi-definite; standard errors are to be squared"
        )
    return values, np.asarray(pack(full))


def _spread(variances: np.ndarray) -> np.ndarray:
    """Diagonal matrices of variances that may be infinite."""
    full = np.zeros((*variances.shape, variances.shape[1]))
    places = np.arange(variances.shape[1])
    full[:, places, places] = variances
    return full


def _semidefinite(full: np.ndarray) -> np.ndarray:
    """Which matrices are symmetric and have no direction of negative variance, up to rounding."""
    size = np.diagonal(full, axis1=1, axis2=2).max(axis=1, initial=0.0)
    positive = (np.diagonal(full, axis1=1, axis2=2) >= 0).all(axis=1)
    even = np.isclose(full, np.swapaxes(full, 1, 2), rtol=1e-8, atol=0.0).all((1, 2))
    sound = np.nan_to_num(np.where((positive & even)[:, None, None], full, 0.0))
    lifted = sound + (1e-10 * size + 1e-300)[:, None, None] * np.eye(full.shape[1])
    return positive & even & np.isfinite(cholesky_factor(lifted)).all((1, 2))


def _joined(rows: Dataset, X_cov: Any) -> np.ndarray:
    return np.hstack(with_errors(rows, X_cov))


def _true_values(model: MixtureModel, rows: Any) -> Any:
    step = model.groups[0].prepare()
    assert isinstance(step, ErrorStep)
    return (model.posterior(rows)[..., None] * step.true_values(rows)).sum(-2)


def _with_form(model: MixtureModel, **changes: Any) -> MixtureModel:
    (group,) = model.groups
    if not isinstance(group, GaussianComponent):
        raise ValueError("rows with measurement errors need a mixture of Gaussians alone: fit it with noise=False")
    return dataclasses.replace(model, groups=(dataclasses.replace(group, **changes),))


def _seeing(model: MixtureModel) -> MixtureModel:
    """The mixture for rows that carry errors behind their values."""
    return _with_form(model, form="errors", complete=True, tile=1)


def _blind(model: MixtureModel) -> MixtureModel:
    """The mixture of the true values."""
    return _with_form(model, form="product", complete=True, tile=1)
