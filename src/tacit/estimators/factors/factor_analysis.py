"""``FactorAnalysis``: scikit-learn's face, with gaps, weights, rotations, indices of fit and standard errors."""

import warnings
from collections.abc import Mapping
from dataclasses import KW_ONLY
from typing import Annotated, Any, ClassVar, Self

import numpy as np
from numpy.typing import ArrayLike
from sklearn.exceptions import ConvergenceWarning

from tacit.data.dataset import Dataset
from tacit.data.errors import listed
from tacit.data.schema import Schema
from tacit.estimators.base import check_choice, double_precision, weighted
from tacit.estimators.capabilities import MatrixLike
from tacit.estimators.factors.answers import FactorAnswers, Latent
from tacit.estimators.factors.base import check_columns, check_sizes, first_plane
from tacit.estimators.factors.pca import joined_batch
from tacit.estimators.mixture.starts import standardiser
from tacit.estimators.settings import POSITIVE, Choice, Flag, Number, Whole, settings
from tacit.estimators.stopping import stop_reason
from tacit.families.factorising import factorise
from tacit.inference.closed_form import CONVERGED, STOPPED
from tacit.inference.loop import Trace
from tacit.models.components.factor_analytic import FactorComponent
from tacit.models.factors.closed import canonical, signed
from tacit.models.factors.moments import MOST_COLUMNS, Moments, moments
from tacit.models.factors.prior import LoadingPrior, NormalLoadings, RelevantFactors, SparseLoadings
from tacit.models.factors.rotation import METHODS, Rotation, ordered, rotate
from tacit.models.factors.statistics import degrees_of_freedom
from tacit.spaces import Held

MOST_PRECISION = 1e6
"""Of a factor that has vanished, under the prior "ard"."""
VANISHED = 1e-4
"""The share of the columns' variance below which such a factor is left out."""
LOG_2PI = float(np.log(2.0 * np.pi))


@settings
class FactorAnalysis(FactorAnswers):
    """Factor analysis by maximum likelihood: ``x = μ + Λ z + ε``, z ~ N(0, I), ε ~ N(0, diag ψ).

    From complete rows it is the maximum over ψ of the likelihood in which Λ is already the best (Jöreskog 1967); from
    rows with missing entries (NaN), which are integrated out, EM with parameter expansion and extrapolation. Factors
    stand in the order of what they explain, each turned so that its loadings sum above 0.

    Attributes:
        loadings_: the pattern ``(d, factors)``, in deviations of the columns: regression weights on the factors.
        structure_: correlations of columns with factors, ``(d, factors)``; the pattern where factors do not correlate.
        factor_correlations_: ``(factors, factors)``.
        communalities_, uniquenesses_: the shares of every column's variance that the factors explain, and that they do
            not, ``(d,)``.
        explained_variance_: what every factor explains, ``Σ_d pattern · structure``, in columns: together the sum of
            the communalities.
        components_, noise_variance_, mean_, loglike_, n_iter_: as scikit-learn's, in the user's units.
        at_floor_: names of the columns without noise of their own (Heywood cases); such a fit is not ``converged_``.
        model_: the density, in the user's units, its factors not rotated.
        n_parameters_, stop_reason_, trace_: of the fit.
    """

    held: ClassVar[Mapping[str, Held]] = {
        "components_": Held("factors features"),
        "loadings_": Held("features factors"),
        "structure_": Held("features factors"),
        "factor_correlations_": Held("factors factors"),
        "rotation_": Held("factors factors"),
        "communalities_": Held("features"),
        "uniquenesses_": Held("features", "positive"),
        "noise_variance_": Held("features", "positive"),
        "explained_variance_": Held("factors", "not negative"),
        "mean_": Held("features"),
        "deviations_": Held("features", "positive"),
    }

    n_components: Annotated[int | None, Whole(0)] = None
    """how many factors; None for as many as columns."""
    _: KW_ONLY
    tol: Annotated[float, Number("at least 0 nats")] = 1e-4
    """the rise of the log-likelihood of all rows, in nats, below which EM ends; complete rows need none."""
    copy: bool = True
    """accepted, and without effect: rows are never changed."""
    max_iter: Annotated[int, Whole(1)] = 1000
    """most iterations."""
    noise_variance_init: Any = None
    """the first ψ, ``(d,)``, in the user's units."""
    svd_method: Annotated[str, Choice(("lapack", "randomized"))] = "randomized"
    """accepted, as scikit-learn's: the fit is exact, whichever it is."""
    iterated_power: Any = 3
    """accepted, as scikit-learn's."""
    rotation: Annotated[str | None, Choice(METHODS)] = None
    """"varimax", "quartimax", "promax", "oblimin" or "geomin"; the last three let factors correlate."""
    normalise: Annotated[bool, Flag()] = True
    """whether columns weigh alike in a rotation, however much the factors explain of them (Kaiser 1958)."""
    least_uniqueness: Annotated[float, Number("above 0 and below 1", least_too=False, below=1.0)] = 1e-6
    """the smallest share of a column's variance that may be its own; R's ``factanal`` has 0.005."""
    prior: Annotated[str | None, Choice(("normal", "ard", "sparse"))] = None
    """of the standardised loadings: "normal" shrinks them, "ard" lets factors vanish that the rows do not need (Bishop
    1999), so that ``n_components`` is but the most there may be; "sparse" makes small ones 0. The fit is then the mode
    of the posterior, by EM, and ``loglike_`` its log density; "ard" and "sparse" settle the rotation themselves."""
    prior_strength: Annotated[float, POSITIVE] = 1.0
    """of "normal" the precision of a loading, of "sparse" the rate of its Laplace distribution."""
    random_state: Any = 0
    """what the starts of a rotation and the draws of ``sample`` and ``impute`` depend on."""

    @property
    def number(self) -> int:
        return int(vars(self).get("n_components") or (0 if self.n_components == 0 else self.n_features_in_))

    def has_correlations(self, schema: Schema | None) -> bool:
        return True

    def most_factors(self, columns: int) -> int:
        known = [q for q in range(1, columns + 1) if degrees_of_freedom(columns, q) >= 0]
        return max(known, default=1)

    def fit_read(self, rows: Dataset) -> None:
        """Fit to rows that were read; as `fit` in all else."""
        self._begin(rows)
        self.__dict__.pop("_seen", None)
        found = moments(rows) if rows.shape[1] <= MOST_COLUMNS and self.prior is None else None
        if found is None:
            check_columns(self, rows, varying=True)
            self._by_em(rows)
        else:
            self._by_likelihood(found)
        self._warn()

    @double_precision
    def partial_fit(self, X: MatrixLike, y: Any = None, sample_weight: ArrayLike | None = None) -> Self:
        """Take in one batch of complete rows, batch after batch: the result is that of all rows at once.

        Raises:
            ValueError: as `fit`; or an entry is missing, or there are too many columns to keep a covariance.
        """
        fresh = "_seen" not in vars(self)
        rows = weighted(self.read(X, reset=fresh), sample_weight)
        self._begin(rows)
        self._seen: Moments = joined_batch(None if fresh else self._seen, rows)
        self._by_likelihood(self._seen)
        self._warn()
        return self

    @double_precision
    def fit_covariance(self, covariance: MatrixLike, n: float, mean: ArrayLike | None = None) -> Self:
        """Fit to a covariance or correlation matrix, such as one in print.

        Args:
            covariance: ``(d, d)``, with the divisor n; names of a data frame's columns are kept.
            n: the number of rows that it is of.
            mean: of the columns, ``(d,)``; 0 where None.

        Raises:
            ValueError: it is no covariance matrix.
        """
        matrix = self.read(covariance, reset=True, minimum=2)
        self._begin(matrix)
        self.__dict__.pop("_seen", None)
        values = np.asarray(matrix.rows(), np.float64)
        check_covariance(values)
        if not float(n) > 1.0:
            raise ValueError(f"n, the number of rows, must be above 1; got {n!r}")
        middle = np.zeros(len(values)) if mean is None else np.asarray(mean, np.float64)
        if middle.shape != (len(values),) or not np.isfinite(middle).all():
            raise ValueError(f"mean must be {len(values)} finite numbers, one a column")
        self._by_likelihood(Moments(float(n), middle, (values + values.T) / 2.0))
        self._warn()
        return self

    def _begin(self, rows: Dataset) -> None:
        self.check_settings()
        dims = rows.shape[1]
        if self.n_components is not None and self.n_components > dims:
            raise ValueError(f"n_components={self.n_components} is more than the {dims} columns there are")
        first = self.noise_variance_init
        if first is not None and np.shape(first) != (dims,):
            raise ValueError(
                f"noise_variance_init must be {dims} numbers, one a column; it has the shape {np.shape(first)}"
            )
        if first is not None and not (np.asarray(first, np.float64) > 0).all():
            raise ValueError("noise_variance_init must be above 0 in every column")
        self._dtype = rows.dtype
        self._moments: Moments | None = None

    def _factors(self, dims: int) -> int:
        return dims if self.n_components is None else int(self.n_components)

    def _by_likelihood(self, found: Moments) -> None:
        """The fit to moments of complete rows."""
        check_sizes(self, np.diagonal(found.covariance))
        deviations = found.deviations
        flat = [name for name, width in zip(self._column_names(), deviations, strict=True) if width == 0.0]
        if flat:
            raise ValueError(
                f"all values are the same in column {listed(flat)}, and no factor can explain what does not vary: "
                "leave it out"
            )
        correlation = found.covariance / deviations[:, None] / deviations
        first = None if self.noise_variance_init is None else np.asarray(self.noise_variance_init) / deviations**2
        plane = factorise(correlation, self._factors(len(correlation)), self.least_uniqueness, self.max_iter, first)
        constant = np.log(deviations).sum() + 0.5 * len(correlation) * LOG_2PI
        self.loglike_ = [-found.weight * (value + constant) for value in plane.objectives]
        self.n_iter_, self._moments = len(plane.objectives), found
        steps = np.arange(1, self.n_iter_ + 1)
        self.trace_ = Trace(steps, np.asarray(self.loglike_), np.asarray(plane.seconds))
        self._take(found.mean, deviations, plane.loadings, plane.noise, found.weight)
        self._ended(CONVERGED if plane.converged else STOPPED)

    def _by_em(self, rows: Dataset) -> None:
        """The fit to rows with gaps, or with more columns than a covariance is kept of."""
        values, dims = rows.moments(), rows.shape[1]
        view, factors = standardiser(values, np.ones(dims, bool)), self._factors(rows.shape[1])
        first = self.noise_variance_init
        start = FactorComponent(
            np.zeros((1, dims)),
            first_plane(rows, view, factors, np.random.default_rng(0))[None],
            np.full((1, dims), 0.5) if first is None else (np.asarray(first) / view.scale**2)[None],
            np.full(dims, self.least_uniqueness),
            tuple(range(dims)),
            complete=values.complete,
            prior=self._prior(dims, factors),
        )
        group, found = self._iterated(rows, view, start, max_iter=self.max_iter, tol=self.tol)
        deviations = np.sqrt(np.asarray(group.variances()[0]))
        assert self.trace_ is not None
        self.loglike_ = [float(bound) for bound in self.trace_.bound]
        noise = np.asarray(group.noise_variances[0])
        loadings = np.asarray(group.loadings[0])
        self._take(np.asarray(group.means[0]), deviations, loadings / deviations[:, None], noise / deviations**2, None)
        self._ended(found.status)

    def _prior(self, dims: int, factors: int) -> LoadingPrior | None:
        if self.prior is None or not factors:
            return None
        if self.prior == "normal":
            return NormalLoadings(np.asarray(float(self.prior_strength)))
        if self.prior == "sparse":
            return SparseLoadings(np.asarray(float(self.prior_strength)))
        return RelevantFactors(np.ones((1, factors)), np.asarray(0.5 * dims / MOST_PRECISION))

    def _take(
        self, mean: np.ndarray, deviations: np.ndarray, loadings: np.ndarray, noise: np.ndarray, weight: float | None
    ) -> None:
        """Keep a solution in deviations of the columns, rotated."""
        kind = self._dtype
        if self.prior in ("ard", "sparse"):
            own = signed(loadings[:, np.argsort(-(loadings**2).sum(0), kind="stable")])
            own = own[:, (own**2).sum(0) > VANISHED * len(own)] if self.prior == "ard" else own
        else:
            own = canonical(loadings, noise)
        turned = Rotation(own, np.eye(own.shape[1]), np.eye(own.shape[1]), 0.0, "varimax")
        if self.rotation is not None and own.shape[1] > 1 and self.prior in (None, "normal"):
            seed = self.random_state if isinstance(self.random_state, int) else 0
            turned = ordered(rotate(own, self.rotation, normalise=self.normalise, seed=seed))
        self.mean_, self.deviations_ = mean.astype(kind), deviations
        self.loadings_, self.rotation_ = turned.loadings, turned.transformation
        self.factor_correlations_, self.structure_ = turned.correlations, turned.structure
        self.communalities_, self.uniquenesses_ = (own**2).sum(1), noise
        self.explained_variance_ = (turned.loadings * turned.structure).sum(0)
        self.components_ = (turned.loadings * deviations[:, None]).T.astype(kind)
        self.noise_variance_ = (noise * deviations**2).astype(kind)
        self._weight = weight
        least = self.least_uniqueness * deviations**2
        self._kept(mean, own * deviations[:, None], noise * deviations**2, least, isotropic=False)

    def _ended(self, status: int) -> None:
        low = self.uniquenesses_ <= self.least_uniqueness * (1.0 + 1e-6)
        self.at_floor_ = tuple(name for name, there in zip(self._column_names(), low, strict=True) if there)
        self.converged_ = status == CONVERGED and not self.at_floor_
        self.stop_reason_ = "a column has no noise of its own" if self.at_floor_ else stop_reason(status)

    def _warn(self) -> None:
        if isinstance(self.at_floor_, tuple) and self.at_floor_:
            warnings.warn(
                f"the factors explain all of column {listed(self.at_floor_)}: its own share rests on "
                f"least_uniqueness={self.least_uniqueness:g} (a Heywood case). Ask for fewer factors, or leave the "
                "column out.",
                ConvergenceWarning,
                stacklevel=4,
            )
        elif not self.converged_:
            warnings.warn(
                f"FactorAnalysis did not converge: {self.stop_reason_} after {self.n_iter_} iterations. Increase "
                "max_iter.",
                ConvergenceWarning,
                stacklevel=4,
            )

    @double_precision
    def transform(self, X: MatrixLike, *, return_std: bool = False, method: str = "regression") -> Any:
        """The scores of rows on the (rotated) factors; what is missing of a row says nothing.

        Args:
            X: rows ``(n, d)``.
            return_std: whether to give the standard deviations too.
            method: "regression" gives ``E[z | x]``, shrunk towards 0 (Thomson 1939); "bartlett" the likeliest z, whose
                deviation is larger and infinite where what is seen of a row does not settle it (Bartlett 1937).

        Returns:
            ``(n, factors)``, or two such arrays.
        """
        check_choice("method", method, ("regression", "bartlett"))
        mean, covariance, rows = self.latent(X)
        found = Latent(mean, covariance)
        found = (found if method == "regression" else found.without_prior()).turned(self.rotation_)
        scores = found.mean.astype(rows.dtype)
        return (scores, found.deviations().astype(rows.dtype)) if return_std else scores


def check_covariance(matrix: np.ndarray) -> None:
    """Refuse what is no covariance matrix.

    Raises:
        ValueError: its shape, an entry that is missing or not symmetric, a variance of 0, or an eigenvalue below 0.
    """
    if matrix.ndim != 2 or matrix.shape[0] != matrix.shape[1]:
        raise ValueError(f"a covariance matrix is square; this one has the shape {matrix.shape}")
    if np.isnan(matrix).any():
        row, column = np.argwhere(np.isnan(matrix))[0]
        raise ValueError(f"the covariance of columns {row} and {column} is missing")
    size = np.abs(matrix).max()
    apart = np.abs(matrix - matrix.T)
    if apart.max() > 1e-6 * size:
        row, column = np.argwhere(apart == apart.max())[0]
        raise ValueError(
            f"a covariance matrix is symmetric; [{row}, {column}] is {matrix[row, column]:g} and [{column}, {row}] is "
            f"{matrix[column, row]:g}"
        )
    least = float(np.linalg.eigvalsh(matrix)[0])
    if least < -1e-8 * size:
        raise ValueError(f"this is no covariance matrix: it has the eigenvalue {least:g}, and none may be below 0")
