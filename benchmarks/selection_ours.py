"""Choosing the number of groups of iris with tacit; a file of its own, so that its imports can be timed."""

from sklearn.datasets import load_iris

from tacit import GaussianMixture
from tacit.evaluation.select import Selection, select


def choose(seed: int | str = 0, most: int | str = 9, tol: float = 1e-3, max_iter: int = 100) -> Selection:
    """K = 1 … most, full covariances, ten starts each, with scikit-learn's floor."""
    estimator = GaussianMixture(tol=tol, max_iter=max_iter, reg_covar=1e-6)
    numbers = range(1, int(most) + 1)
    rows = load_iris().data
    return select(rows, numbers, covariance=["full"], estimator=estimator, n_init=10, random_state=int(seed))
