"""Choosing the number of groups of iris with a loop over scikit-learn; a file of its own, as ours has one."""

from sklearn.datasets import load_iris
from sklearn.mixture import GaussianMixture


def choose(
    seed: int | str = 0, most: int | str = 9, tol: float = 1e-3, max_iter: int = 100
) -> list[tuple[int, float, float]]:
    """(K, log-likelihood, BIC where larger is better), K = 1 … most, full covariances, ten starts each."""
    rows, table = load_iris().data, []
    for number in range(1, int(most) + 1):
        model = GaussianMixture(number, n_init=10, tol=tol, max_iter=max_iter, reg_covar=1e-6, random_state=int(seed))
        model.fit(rows)
        table.append((number, float(model.score_samples(rows).sum()), -float(model.bic(rows))))
    return table
