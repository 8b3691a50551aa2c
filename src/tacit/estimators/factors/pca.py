"""``PCA``: scikit-learn's face on probabilistic PCA, with gaps, weights and uncertain scores."""

import numbers
from collections.abc import Mapping
from dataclasses import KW_ONLY
from typing import Annotated, Any, ClassVar, Self

import numpy as np
from numpy.typing import ArrayLike

from tacit.data.dataset import Dataset
from tacit.estimators.base import double_precision, read_data, weighted
from tacit.estimators.capabilities import MatrixLike
from tacit.estimators.factors.base import EDGE, OnePlane, check_columns, check_sizes, first_plane
from tacit.estimators.mixture.starts import standardiser
from tacit.estimators.settings import NOT_NEGATIVE, Choice, Flag, Whole, settings
from tacit.estimators.stopping import stop_reason
from tacit.inference.closed_form import CONVERGED
from tacit.models.components.factor_analytic import FactorComponent, Shared, n_loadings
from tacit.models.factors.axes import Spectrum, of_moments, oriented, spectrum
from tacit.models.factors.closed import principal_plane
from tacit.models.factors.dimension import likeliest_number
from tacit.models.factors.graph import factor_graph
from tacit.models.factors.moments import MOST_COLUMNS, Moments, moments
from tacit.models.graph import Graph
from tacit.spaces import Held

SOLVERS = ("auto", "full", "covariance_eigh", "arpack", "randomized")
TOLERANCE = 1e-5
"""Nats, of all rows together, by which the bound still rises when EM over rows with gaps ends."""


@settings
class PCA(OnePlane):
    """Principal components, and the density that goes with them: probabilistic PCA (Tipping & Bishop 1999).

    ``x = μ + W z + ε``, z ~ N(0, I), ε ~ N(0, σ² I): the maximum of its likelihood spans the principal axes, in closed
    form from complete rows, and by EM with parameter expansion from rows with missing entries (NaN), which are
    integrated out. scikit-learn's arguments and attributes mean what they mean there, with the divisor n − 1;
    ``score_samples`` is the maximum likelihood, with the divisor n.

    Attributes:
        components_: the axes, ``(n_components_, d)``, the widest first, their largest entry positive.
        explained_variance_, explained_variance_ratio_, singular_values_, noise_variance_, mean_, n_components_: as
            scikit-learn's.
        n_samples_: how many rows.
        loadings_: correlations of the columns with the scores, ``(d, n_components_)``.
        model_: the density, in the user's units.
        n_parameters_, converged_, n_iter_, trace_: of the density, and of EM where there were gaps.
    """

    held: ClassVar[Mapping[str, Held]] = {
        "components_": Held("factors features"),
        "loadings_": Held("features factors"),
        "mean_": Held("features"),
        "explained_variance_": Held("factors", "not negative"),
        "explained_variance_ratio_": Held("factors", "not negative"),
        "singular_values_": Held("factors", "not negative"),
        "noise_variance_": Held("", "not negative"),
    }

    n_components: Any = None
    """how many: a number; a share of the variance between 0 and 1; "mle" (Minka 2001; by BIC where
    entries are missing); None for all."""
    _: KW_ONLY
    copy: bool = True
    """accepted, and without effect: rows are never changed."""
    whiten: Annotated[bool, Flag()] = False
    """whether scores are divided by their deviations."""
    svd_solver: Annotated[str, Choice(SOLVERS)] = "auto"
    """accepted, as scikit-learn's: the decomposition is exact, whichever it is."""
    tol: Annotated[float, NOT_NEGATIVE] = 0.0
    """accepted, as scikit-learn's."""
    iterated_power: Any = "auto"
    """accepted, as scikit-learn's."""
    n_oversamples: int = 10
    """accepted, as scikit-learn's."""
    power_iteration_normalizer: str = "auto"
    """accepted, as scikit-learn's."""
    max_iter: Annotated[int, Whole(1)] = 2000
    """most iterations of EM, where entries are missing."""
    random_state: Any = None
    """what draws of ``sample`` and ``impute`` depend on."""

    @property
    def number(self) -> int:
        count = self.n_components
        return int(count) if isinstance(count, numbers.Integral) else int(vars(self).get("n_components_", 0))

    def most_factors(self, columns: int) -> int:
        return max(columns - 1, 1)

    def read(self, X: MatrixLike, *, reset: bool, minimum: int = 1) -> Dataset:
        return read_data(self, X, reset=reset, minimum=minimum, sparse=True)

    def fit_read(self, rows: Dataset) -> None:
        """Fit to rows that were read; as `fit` in all else."""
        self.check_settings()
        self.__dict__.pop("_seen", None)
        self._rows_seen = len(rows)
        most = min(rows.shape)
        wanted = self._wanted(most)
        found = spectrum(rows, wanted)
        self._dtype = rows.dtype
        if found is not None:
            check_sizes(self, found.variances)
            if (np.sqrt(found.variances) <= 1e-13 * np.abs(found.mean)).all():
                raise ValueError("all rows are the same, and there is no axis along which they differ")
            self.n_iter_, self.converged_, self.stop_reason_ = 1, True, "closed form"
            self.__dict__.pop("trace_", None)
            self._take(found, self._chosen(found, wanted, most))
            return
        check_columns(self, rows)
        if wanted is None or wanted >= rows.shape[1]:
            if rows.shape[1] > MOST_COLUMNS:
                raise ValueError(
                    f"the table has {rows.shape[1]} columns and missing entries: name n_components, the number of "
                    "components"
                )
            if self.n_components == "mle":
                self._take(*self._by_bic(rows))
                return
            found = self._by_em(rows, rows.shape[1] - 1)
            number = self._chosen(found, wanted, most)
            if number >= rows.shape[1] - 1:
                self._take(found, number)
                return
            wanted = number
        self._take(self._by_em(rows, wanted), wanted)

    @double_precision
    def partial_fit(self, X: MatrixLike, y: Any = None, sample_weight: ArrayLike | None = None) -> Self:
        """Take in one batch of complete rows, batch after batch: the result is that of all rows at once.

        Raises:
            ValueError: as `fit`; or an entry is missing, or there are too many columns to keep a covariance.
        """
        fresh = "_seen" not in vars(self)
        self.check_settings()
        rows = weighted(self.read(X, reset=fresh), sample_weight)
        self._seen: Moments = joined_batch(None if fresh else self._seen, rows)
        self._rows_seen = len(rows) + (0 if fresh else self._rows_seen)
        self._dtype = rows.dtype
        most = min(self._rows_seen, rows.shape[1])
        found = of_moments(self._seen)
        check_sizes(self, found.variances)
        self.n_iter_, self.converged_, self.stop_reason_ = 1, False, "more rows may come"
        self._take(found, self._chosen(found, self._wanted(most), most))
        return self

    def _wanted(self, most: int) -> int | None:
        """The number of components asked for; None where it depends on the rows."""
        count = self.n_components
        if count is None:
            return most
        if count == "mle" or (isinstance(count, numbers.Real) and 0.0 < float(count) < 1.0):
            return None
        if isinstance(count, bool) or not isinstance(count, numbers.Integral):
            raise ValueError(
                f"n_components must be a whole number, a share of the variance above 0 and below 1, 'mle' or None; got "
                f"{count!r}"
            )
        if not 0 <= int(count) <= most:
            raise ValueError(
                f"n_components={count} must be between 0 and min(n_samples, n_features)={most} with "
                f"svd_solver={'full' if self.svd_solver == 'auto' else self.svd_solver!r}"
            )
        return int(count)

    def _chosen(self, found: Spectrum, wanted: int | None, most: int) -> int:
        if wanted is not None:
            return wanted
        values = found.values[:most]
        if self.n_components == "mle":
            if found.weight < found.axes.shape[0]:
                raise ValueError("n_components='mle' is only supported if n_samples >= n_features")
            return likeliest_number(values, found.weight)
        shares = np.cumsum(values / found.total)
        return min(int(np.searchsorted(shares, float(self.n_components), side="right")) + 1, most)

    def _take(self, found: Spectrum, number: int) -> None:
        """Keep so many axes."""
        weight, dims = found.weight, found.mean.size
        unbiased = weight / max(weight - 1.0, np.finfo(np.float64).tiny)
        values, axes = found.values[:number], oriented(found.axes[:, :number])
        most = min(found.values.size, dims)
        left = max(found.total - values.sum(), 0.0)
        kind = vars(self).get("_dtype", np.float64)
        self.n_components_, self.n_samples_ = number, self._rows_seen
        self.mean_, self.components_ = found.mean.astype(kind), np.ascontiguousarray(axes.T).astype(kind)
        self.explained_variance_ = (values * unbiased).astype(kind)
        self.explained_variance_ratio_ = (values / found.total if found.total else np.zeros(number)).astype(kind)
        self.singular_values_ = np.sqrt(values * weight).astype(kind)
        self.noise_variance_ = float(left * unbiased / (most - number)) if number < most else 0.0
        widths = np.sqrt(found.variances)
        self.loadings_ = (axes * np.sqrt(values) / np.where(widths > 0, widths, 1.0)[:, None]).astype(kind)
        kept = min(number, dims - 1)  # of all d, what is spanned by d − 1 and noise
        least = EDGE * max(found.total / dims, np.finfo(np.float64).tiny)
        plane = principal_plane(values[:kept], axes[:, :kept], found.total, least)
        self._kept(found.mean, plane.loadings, plane.noise, np.full(dims, least), isotropic=True)

    def _by_em(self, rows: Dataset, number: int, before: Spectrum | None = None) -> Spectrum:
        """The axes of rows with gaps, by EM; perhaps from what was found of fewer."""
        values, dims = rows.moments(), rows.shape[1]
        view = standardiser(values, np.ones(dims, bool), "EII")
        mean, loadings, noise = np.zeros(dims), np.zeros((dims, 0)), 0.5
        if before is not None and before.axes.shape[1] >= number:
            scale, noise = np.asarray(view.scale), float(before.values[-1] / np.asarray(view.scale)[0] ** 2)
            widths = np.sqrt(np.maximum(before.values[:number] / scale[0] ** 2 - noise, 0.1 * noise))
            mean, loadings = (before.mean - np.asarray(view.shift)) / scale, before.axes[:, :number] * widths
        else:
            loadings = first_plane(rows, view, number, np.random.default_rng(0))
        start = FactorComponent(
            mean[None],
            loadings[None],
            np.full((1, dims), noise),
            np.full(dims, EDGE),
            tuple(range(dims)),
            Shared(isotropic=True),
            complete=False,
        )
        group, found = self._iterated(rows, view, start, max_iter=self.max_iter, tol=TOLERANCE)
        self.converged_, self.stop_reason_ = found.status == CONVERGED, stop_reason(found.status)
        loadings, noise = np.asarray(group.loadings[0]), float(np.asarray(group.noise_variances)[0, 0])
        axes, singular, _ = np.linalg.svd(loadings, full_matrices=dims <= MOST_COLUMNS)
        spread = np.full(axes.shape[1], noise)
        spread[: singular.size] += singular**2
        widths = (loadings**2).sum(1) + noise
        return Spectrum(rows.total_weight, np.asarray(group.means[0]), spread, axes, widths)

    def _by_bic(self, rows: Dataset) -> tuple[Spectrum, int]:
        """The number of axes of the best BIC, which rises twice running where there are too many."""
        best, found, risen, tried = np.inf, None, 0, None
        dims = rows.shape[1]
        for number in range(1, dims):
            tried = self._by_em(rows, number, tried)
            assert self.trace_ is not None
            free = dims + n_loadings(dims, number) + 1
            value = -2.0 * float(self.trace_.bound[-1]) + free * np.log(rows.total_weight)
            risen = 0 if value < best else risen + 1
            if value < best:
                best, found = value, (tried, number)
            if risen == 2:
                break
        if found is None:
            raise ValueError("n_components='mle' needs two columns at least")
        return found

    @double_precision
    def transform(self, X: MatrixLike, *, return_std: bool = False) -> Any:
        """The scores of rows: their projections on the axes.

        Of a row with gaps it is what the projection is expected to be given what is seen, and its standard deviation is
        how far that may be from the projection of the whole row: 0 where nothing is missing.

        Args:
            X: rows ``(n, d)``.
            return_std: whether to give the standard deviations too.

        Returns:
            ``(n, n_components_)``, or two such arrays.
        """
        codes, covariance, rows = self.latent(X)
        axes, plane = self.components_.T.astype(np.float64), self.plane
        loadings, variance = np.asarray(plane.loadings[0]), float(np.asarray(plane.noise_variances)[0, 0])
        scores = np.empty((len(rows), axes.shape[1]))
        deviations = np.zeros_like(scores)
        for part, values in rows.slices():
            gaps = np.isnan(values)
            centred = np.where(gaps, codes[part] @ loadings.T, values - self.mean_)
            scores[part] = centred @ axes
            if return_std and gaps.any():
                number, inner = axes.shape[1], loadings.shape[1]
                pairs = (axes[:, :, None] * loadings[:, None]).reshape(len(axes), number * inner)
                reach = (gaps @ pairs).reshape(len(gaps), number, inner)
                spread = np.einsum("nqa,nab,nqb->nq", reach, covariance[part], reach)
                deviations[part] = np.sqrt(np.maximum(spread + variance * (gaps @ axes**2), 0.0))
        if self.whiten:
            width = np.sqrt(np.maximum(self.explained_variance_, np.finfo(self.components_.dtype).eps))
            scores, deviations = scores / width, deviations / width
        kind = rows.dtype
        return (scores.astype(kind), deviations.astype(kind)) if return_std else scores.astype(kind)

    def inverse_transform(self, X: ArrayLike) -> np.ndarray:
        """The rows ``(n, d)`` of scores ``(n, n_components_)``, in the plane of the axes."""
        self.fitted_model()
        scores = np.asarray(X)
        if self.whiten:
            scores = scores * np.sqrt(self.explained_variance_)
        return np.asarray(scores @ self.components_ + self.mean_)

    def get_covariance(self) -> np.ndarray:
        """The covariance of the columns ``(d, d)`` with the divisor n − 1, as scikit-learn's."""
        self.fitted_model()
        extra = np.maximum(self.explained_variance_ - self.noise_variance_, 0.0)
        scaled = self.components_ * extra[:, None]
        return np.asarray(self.components_.T @ scaled + self.noise_variance_ * np.eye(self.mean_.size))

    def get_precision(self) -> np.ndarray:
        """Its inverse, or where the rows fill fewer directions than there are columns its pseudo-inverse."""
        return np.linalg.pinv(self.get_covariance(), hermitian=True)

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.input_tags.sparse = True
        return tags

    def graph(self) -> Graph:
        """The directed graph of the model, as data."""
        return factor_graph(self._names(), ("μ", "W", "σ²"))


def joined_batch(before: Moments | None, rows: Dataset) -> Moments:
    """The moments of the rows until now.

    Raises:
        ValueError: an entry is missing, or there are too many columns.
    """
    if rows.shape[1] > MOST_COLUMNS:
        raise ValueError(
            f"partial_fit keeps the covariance of all columns, and {rows.shape[1]} are more than {MOST_COLUMNS}: "
            "use fit"
        )
    found = moments(rows)
    if found is None:
        raise ValueError("partial_fit takes complete rows, and an entry is missing: use fit, or leave such rows out")
    return found if before is None else before.joined(found)
