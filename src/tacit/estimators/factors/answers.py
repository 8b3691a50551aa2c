"""What a fitted factor analysis answers beyond its density: indices of fit, standard errors, a table, the graph."""

import warnings
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa
from numpy.typing import ArrayLike
from sklearn.base import clone
from sklearn.exceptions import ConvergenceWarning

from tacit.data.dataset import Dataset
from tacit.data.results import TableResult
from tacit.estimators.base import Seed, check_choice, double_precision, seed_of, weighted
from tacit.estimators.capabilities import MatrixLike
from tacit.estimators.factors.base import OnePlane
from tacit.estimators.factors.capabilities import TellsFit
from tacit.estimators.mixture.gaussian import GaussianMixture
from tacit.models.factors.errors import LoadingErrors, loading_errors
from tacit.models.factors.graph import factor_graph
from tacit.models.factors.moments import Moments, moments
from tacit.models.factors.rotation import matched
from tacit.models.factors.statistics import FactorFit, degrees_of_freedom, factor_fit
from tacit.models.graph import Graph


class Latent(NamedTuple):
    """Factors of rows, Gaussian."""

    mean: np.ndarray
    """``(n, Q)``."""
    covariance: np.ndarray
    """``(n, Q, Q)``."""

    def without_prior(self) -> "Latent":
        """What the likelihood alone says: the prior N(0, I) is divided out."""
        precision = np.linalg.inv(self.covariance)
        own = precision - np.eye(precision.shape[-1])
        values, vectors = np.linalg.eigh(own)
        unsure = values < 1e-9
        spread = np.where(unsure, np.inf, 1.0 / np.where(unsure, 1.0, values))
        seen = np.einsum("nab,nb->na", precision, self.mean)
        along = np.einsum("nba,nb->na", vectors, seen) * np.where(unsure, 0.0, spread)
        # a direction of which nothing is known makes all factors that it touches unknown
        reach = vectors**2
        blind = (reach > 1e-9) & unsure[:, None, :]
        finite = np.where(unsure, 0.0, spread)
        covariance = np.einsum("nab,nb,ncb->nac", vectors, finite, vectors)
        diagonal = np.arange(covariance.shape[-1])
        covariance[:, diagonal, diagonal] = np.where(blind.any(-1), np.inf, covariance[:, diagonal, diagonal])
        return Latent(np.einsum("nab,nb->na", vectors, along), covariance)

    def turned(self, transformation: np.ndarray) -> "Latent":
        """Of the factors ``Tᵀ z``."""
        if np.array_equal(transformation, np.eye(len(transformation))):
            return self
        with np.errstate(invalid="ignore"):
            turned = np.einsum("ba,nbc,cd->nad", transformation, self.covariance, transformation)
        turned = np.where(np.isnan(turned), np.inf, turned)
        return Latent(self.mean @ transformation, turned)

    def deviations(self) -> np.ndarray:
        """Standard deviations, ``(n, Q)``."""
        return np.sqrt(np.diagonal(self.covariance, axis1=1, axis2=2))


SINGULAR = 1e-7
"""The smallest eigenvalue of the correlations of columns none of which is a sum of others."""


class Likelihoods(NamedTuple):
    """What indices of fit are made of, in nats of all rows."""

    weight: float
    spread: np.ndarray
    """The free covariance, ``(d, d)``."""
    saturated: float
    """The log-likelihood under it."""
    null: float
    """Where columns do not correlate."""
    model: float
    """Of the factor analysis."""


class FactorLoadings(TableResult):
    """Loadings, communality and uniqueness of every column, those of one factor beside one another."""

    def __init__(self, table: pa.Table, explained: np.ndarray) -> None:
        self._table, self._explained = table, explained

    def to_arrow(self) -> pa.Table:
        return self._table

    def headline(self) -> str:
        shares = ", ".join(
            f"factor {place} {share:.0%}" for place, share in enumerate(self._explained / self._table.num_rows, 1)
        )
        return f"Loadings; of the variance of all columns explained: {shares}" if shares else "Loadings"


class FactorAnswers(OnePlane, TellsFit):
    """The answers of a fitted factor analysis."""

    rotation: str | None
    normalise: bool
    loadings_: np.ndarray
    structure_: np.ndarray
    factor_correlations_: np.ndarray
    communalities_: np.ndarray
    uniquenesses_: np.ndarray
    explained_variance_: np.ndarray
    deviations_: np.ndarray
    rotation_: np.ndarray
    _moments: Moments | None
    _weight: float | None

    @double_precision
    def goodness_of_fit(self, X: MatrixLike | None = None, sample_weight: ArrayLike | None = None) -> FactorFit:
        """χ², RMSEA, TLI, SRMR and BIC, with their conventional cut-offs in `FactorFit`.

        Args:
            X: the rows of the fit; wanted where entries are missing: the free covariance is then fitted to the same
                rows by EM.
            sample_weight: their weights.

        Raises:
            ValueError: rows are wanted and not given.
        """
        self.fitted_model()
        kept = self._moments
        if kept is None and X is None:
            raise ValueError("entries were missing, or the model was read from a file: give the rows of the fit too")
        if X is not None:
            rows = weighted(self.read(X, reset=False), sample_weight)
            whole = moments(rows)
            found = self._by_rows(rows) if whole is None else self._by_moments(whole)
        else:
            assert kept is not None
            found = self._by_moments(kept)
        weight, spread, saturated, null, likelihood = found
        factors = self.loadings_.shape[1]
        dof = degrees_of_freedom(len(spread), factors)
        if dof <= 0:
            warnings.warn(
                f"{factors} factors of {len(spread)} columns leave {dof} degrees of freedom: the model cannot be told "
                "from a free covariance, and there is no χ²",
                UserWarning,
                stacklevel=3,
            )
        scale = np.sqrt(np.diagonal(spread))
        scale = np.where(scale > 0, scale, 1.0)
        if dof > 0 and not np.linalg.eigvalsh(spread / scale[:, None] / scale)[0] > SINGULAR:
            warnings.warn(
                "some columns are sums of others, or there are too few rows: their free covariance is singular, and "
                "there is no χ². Leave such columns out.",
                UserWarning,
                stacklevel=3,
            )
            saturated = null = float("nan")
        residual = (spread - np.asarray(self.plane.covariance_matrices()[0])) / scale[:, None] / scale
        return factor_fit(
            2.0 * (saturated - likelihood) / weight,
            2.0 * (saturated - null) / weight,
            residual,
            factors,
            weight,
            likelihood,
            self.n_parameters_,
        )

    def _by_moments(self, kept: Moments) -> "Likelihoods":
        """From the moments of complete rows."""
        weight, spread = kept.weight, kept.covariance
        constant = -0.5 * weight * len(spread) * np.log(2.0 * np.pi)
        saturated = constant - 0.5 * weight * (len(spread) + float(np.linalg.slogdet(spread)[1]))
        null = constant - 0.5 * weight * (len(spread) + float(np.log(np.diagonal(spread)).sum()))
        implied = self.plane.covariance_matrices()[0]
        away = kept.mean - self.plane.means[0]
        trace = float(np.trace(np.linalg.solve(implied, spread + np.outer(away, away))))
        likelihood = constant - 0.5 * weight * (float(np.linalg.slogdet(implied)[1]) + trace)
        return Likelihoods(weight, spread, saturated, null, likelihood)

    def _by_rows(self, rows: Dataset) -> "Likelihoods":
        """From rows with gaps, to which the free covariance is fitted by EM."""
        values = self.score_read(rows).astype(np.float64)
        weight, likelihood = rows.total_weight, float(values @ rows.weights)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ConvergenceWarning)  # a singular covariance is seen by its eigenvalues
            free = GaussianMixture(1, reg_covar=0.0, tol=1e-9, max_iter=10_000, accelerate=True)
            free.fit(rows.rows(), None, rows.weights)
            alone = GaussianMixture(1, covariance_type="diag", reg_covar=0.0, tol=1e-9, max_iter=1000)
            alone.fit(rows.rows(), None, rows.weights)
        saturated, null = (float(weight * each.lower_bound_) for each in (free, alone))
        return Likelihoods(weight, free.covariances_[0], saturated, null, likelihood)

    @double_precision
    def standard_errors(
        self,
        X: MatrixLike | None = None,
        sample_weight: ArrayLike | None = None,
        *,
        method: str = "information",
        n_boot: int = 200,
        random_state: Seed = 0,
    ) -> dict[str, np.ndarray]:
        """Standard errors of the standardised loadings, the correlations of factors, and the uniquenesses.

        Args:
            X: the rows of the fit; needed by the bootstrap, and where entries were missing.
            sample_weight: their weights.
            method: "information" inverts the expected information of complete rows under the rotation's equations
                (Archer & Jennrich 1973); "bootstrap" fits replicates, in which rows weigh as often as they are drawn
                (Efron 1979), each rotated as the fit was and its factors put in the order and signs of the fit's.
            n_boot: replicates.
            random_state: of the bootstrap.

        Returns:
            ``loadings`` ``(d, factors)``, ``factor_correlations`` ``(factors, factors)``, ``uniquenesses`` ``(d,)``.
        """
        check_choice("method", method, ("information", "bootstrap"))
        self.fitted_model()
        if method == "bootstrap":
            found = self._bootstrapped(X, sample_weight, n_boot, random_state)
        else:
            weight = self._weight
            if weight is None:
                if X is None:
                    raise ValueError("entries were missing: give the rows of the fit too, or method='bootstrap'")
                weight = weighted(self.read(X, reset=False), sample_weight).total_weight
            found = loading_errors(
                self.loadings_, self.factor_correlations_, weight, self.rotation, normalise=self.normalise
            )
        return {
            "loadings": found.loadings,
            "factor_correlations": found.correlations,
            "uniquenesses": found.uniquenesses,
        }

    def _bootstrapped(
        self, X: MatrixLike | None, sample_weight: ArrayLike | None, n_boot: int, random_state: Seed
    ) -> LoadingErrors:
        if X is None:
            raise ValueError("the bootstrap draws from the rows of the fit: give them too")
        rows = weighted(self.read(X, reset=False), sample_weight)
        random, shares = seed_of(random_state), rows.weights / rows.total_weight
        again = clone(self)
        vars(again).update({name: value for name, value in vars(self).items() if name.endswith("_in_")})
        loadings, correlations, unique = [], [], []
        for _ in range(n_boot):
            drawn = random.multinomial(len(rows), shares).astype(np.float64)
            with warnings.catch_warnings():
                warnings.simplefilter("ignore", ConvergenceWarning)  # a replicate may lack what the rows have
                again.fit_read(rows.weighted(drawn))
            order, signs = matched(again.loadings_, self.loadings_)
            loadings.append(again.loadings_[:, order] * signs)
            correlations.append(again.factor_correlations_[np.ix_(order, order)] * np.outer(signs, signs))
            unique.append(again.uniquenesses_)
        return LoadingErrors(*(np.std(np.stack(each), axis=0, ddof=1) for each in (loadings, correlations, unique)))

    def loading_table(self) -> FactorLoadings:
        """Loadings, communality and uniqueness of every column, sorted by the factor that it loads on most."""
        self.fitted_model()
        sizes = np.abs(self.loadings_)
        first = sizes.argmax(1) if sizes.shape[1] else np.zeros(len(sizes), int)
        order = np.lexsort((-sizes.max(1, initial=0.0), first))
        names = np.asarray(self._column_names(), object)
        columns: dict[str, Any] = {"column": [str(name) for name in names[order]]}
        for place in range(sizes.shape[1]):
            columns[f"factor {place + 1}"] = self.loadings_[order, place]
        columns["communality"], columns["uniqueness"] = self.communalities_[order], self.uniquenesses_[order]
        return FactorLoadings(pa.table(columns), self.explained_variance_)

    def graph(self) -> Graph:
        """The directed graph of the model, as data."""
        return factor_graph(self._names(), ("μ", "Λ", "ψ"), self.loadings_.shape[1])
