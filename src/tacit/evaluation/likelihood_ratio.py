"""Is one more component needed? The likelihood ratio against its own distribution under the smaller model."""

import dataclasses
from typing import Any

import numpy as np
from numpy.typing import ArrayLike
from sklearn.base import BaseEstimator, clone

from tacit.compute import double_precision
from tacit.data.dataset import Dataset, dataset_of
from tacit.estimators.base import Seed, check_whole, seed_of, weighted
from tacit.estimators.capabilities import MatrixLike
from tacit.estimators.mixture.gaussian import GaussianMixture
from tacit.evaluation._sampled import Replicator
from tacit.evaluation.rows import fit_rows, fresh, read, score_rows
from tacit.evaluation.select import FLOOR

USUAL: dict[str, Any] = {"tol": 1e-6, "max_iter": 1000, "n_init": 5, "init_params": "k-means++"}
"""Settings where no estimator is given: starts that differ from one another."""


@dataclasses.dataclass(frozen=True, eq=False)
class LikelihoodRatio:
    """A test of k components against k + 1.

    Attributes:
        components: k.
        statistic: ``2 (log L_{k+1} − log L_k)``, at least 0.
        p_value: ``(1 + #{replicates ≥ statistic}) / (B + 1)``: small means that k components are too few.
        replicates: ``(B,)``: the statistic of rows that were drawn from the fit with k components.
        dropped: replicates left out because all starts of a fit came to rest on the floor of a variance.
    """

    components: int
    statistic: float
    p_value: float
    replicates: np.ndarray
    dropped: int


@double_precision
def likelihood_ratio_test(
    X: MatrixLike,
    k: int,
    n_boot: int = 99,
    estimator: BaseEstimator | None = None,
    *,
    random_state: Seed = None,
    sample_weight: ArrayLike | None = None,
) -> LikelihoodRatio:
    """The parametric bootstrap of the likelihood ratio of k components against k + 1 (McLachlan 1987).

    Under k components a parameter of the larger model lies on the edge of its space, so the ratio has no chi-squared
    distribution; it is compared with the ratios of rows drawn from the fit with k components, each found by the
    same search. A ratio is only as good as the search: give the estimator several starts (``n_init``).

    Args:
        X: rows, as the estimator takes them.
        k: the components that may suffice, at least 1.
        n_boot: replicates; the least p-value is ``1/(n_boot + 1)``.
        estimator: any mixture; its ``n_components`` does not count. A ``GaussianMixture`` with five
            starts and a floor relative to the data if None.
        random_state: seed.
        sample_weight: a weight a row; 2 is the same as two copies.

    Raises:
        ValueError: all starts of a fit to the rows end on the floor of a variance, where the likelihood has no
            maximum; or those of all replicates do.
    """
    check_whole("k", k, 1)
    check_whole("n_boot", n_boot, 1)
    random = seed_of(random_state)
    base = clone(GaussianMixture(**USUAL) if estimator is None else estimator)
    base.set_params(n_components=k, random_state=int(random.integers(2**31)))
    rows = weighted(dataset_of(read(base, X)), sample_weight)
    if estimator is None:
        base.set_params(reg_covar=FLOOR * rows.moments().least_variance)
    smaller, found = _ratio(base, k, rows, rows.weights)
    if found is None:
        raise ValueError(
            f"all starts of a fit with {k} or {k + 1} components end on the floor of a variance, where the likelihood "
            "has no maximum: use a simpler covariance structure, more starts or a higher floor"
        )
    replicator = Replicator(smaller, rows, "parametric", random)
    drawn = [_ratio(base, k, *replicator.draw())[1] for _ in range(n_boot)]
    kept = np.array([value for value in drawn if value is not None])
    if kept.size == 0:
        raise ValueError("in every replicate a fit came to rest on the floor of a variance: nothing to compare with")
    p_value = (1.0 + float((kept >= found).sum())) / (kept.size + 1.0)
    return LikelihoodRatio(k, found, p_value, kept, n_boot - kept.size)


def _ratio(base: BaseEstimator, k: int, rows: Dataset, weights: np.ndarray) -> tuple[Any, float | None]:
    """The fit with k components, and the ratio; None where no start of one of the fits ends sound."""
    smaller, larger = (_sound(base, number, rows, weights) for number in (k, k + 1))
    if smaller is None or larger is None:
        return smaller, None
    total = [float(weights @ score_rows(fit, rows)) for fit in (smaller, larger)]
    # the larger model holds the smaller one, so a ratio below 0 is a maximum that was not found
    return smaller, max(0.0, 2.0 * (total[1] - total[0]))


def _sound(base: BaseEstimator, number: int, rows: Dataset, weights: np.ndarray) -> Any:
    """The best fit that rests on no floor; None if every start ends on one."""
    fit = fresh(base).set_params(n_components=number)
    fit_rows(fit, rows, weights)
    return fit if np.isfinite(fit.lower_bound_) and not fit.at_floor_ else None
