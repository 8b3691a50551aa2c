"""Matching against all permutations, divergences against scipy, and the doubt about a match where there is doubt."""

import itertools

import numpy as np
import pytest
from scipy import integrate, stats

from small_mixtures import family, full_gaussian, gaussian, mixed, mixture
from tacit import families
from tacit.estimators.kmeans import KMeans
from tacit.estimators.mixture.gaussian import GaussianMixture
from tacit.evaluation.match import assign, divergences, match


def cheapest(cost: np.ndarray, barred: tuple[int, int] | None = None) -> tuple[float, tuple[int, ...]]:
    """The least sum over all permutations, without a pair that is barred."""
    allowed = (p for p in itertools.permutations(range(len(cost))) if barred is None or p[barred[0]] != barred[1])
    return min((sum(cost[k, p[k]] for k in range(len(cost))), p) for p in allowed)


@pytest.mark.parametrize("number", [2, 3, 5])
def test_order_and_margin_are_those_of_all_permutations(number: int) -> None:
    cost = np.random.default_rng(number).gamma(0.5, size=(number, number))
    found = assign(cost)
    total, order = cheapest(cost)
    assert tuple(found.order) == order
    assert found.cost.sum() == pytest.approx(total, rel=1e-12)
    for k in range(number):
        assert found.margin[k] == pytest.approx(cheapest(cost, (k, order[k]))[0] - total, rel=1e-9)


def test_a_permutation_is_undone() -> None:
    model = full_gaussian(components=4)
    shuffled = np.array([2, 0, 3, 1])
    found = match(model, model.take(shuffled))
    assert shuffled[found.order].tolist() == [0, 1, 2, 3]
    np.testing.assert_allclose(found.cost, 0.0, atol=1e-12)
    assert found.ambiguous == ()


def test_the_divergence_of_gaussians_is_the_expected_difference_of_log_densities() -> None:
    a, b = full_gaussian(seed=1), full_gaussian(seed=2)
    found = divergences(a, b)
    for k, l in itertools.product(range(3), range(3)):
        # E_p[log p/q] of a quadratic form in closed form from scipy's densities: exact by sigma points
        p, q = (
            stats.multivariate_normal(m.groups[0].means[i], m.groups[0].covariances[i]) for m, i in ((a, k), (b, l))
        )
        wanted = _expected(p, p.logpdf) - _expected(p, q.logpdf) + _expected(q, q.logpdf) - _expected(q, p.logpdf)
        assert found[k, l] == pytest.approx(wanted, rel=1e-10)


def _expected(law, quadratic) -> float:
    """``E f(x)`` of a quadratic f under a Gaussian, exactly: the mean of f over ``μ ± √d L_j``."""
    root = np.linalg.cholesky(law.cov) * np.sqrt(len(law.mean))
    return float(np.mean([quadratic(law.mean + sign * step) for step in root.T for sign in (1, -1)]))


def test_the_divergences_of_columns_of_all_kinds_add() -> None:
    """Only one column differs between two mixtures, so all of the diagonal is that column's, by quadrature."""
    a, b = mixed(), mixed()
    shapes, rates = b.groups[6].family.shapes * 1.3, b.groups[6].family.rates * 0.9
    groups = list(b.groups)
    groups[6] = family(families.Gamma(shapes, rates), (9,), 2)
    found = divergences(a, mixture(np.exp(b.log_weights), *groups))
    for k in range(3):
        first, second = (
            stats.gamma(f.shapes[k, 0], scale=1 / f.rates[k, 0]) for f in (a.groups[6].family, groups[6].family)
        )
        grid, step = np.linspace(0.0, 80.0, 400_001, retstep=True)
        with np.errstate(all="ignore"):
            ratio = first.logpdf(grid) - second.logpdf(grid)
            values = np.where(grid > 0, (first.pdf(grid) - second.pdf(grid)) * ratio, 0.0)
        assert found[k, k] == pytest.approx(integrate.simpson(values, dx=step), rel=1e-8)


def test_the_divergence_of_counts_and_levels_is_their_sum() -> None:
    random = np.random.default_rng(0)
    rates, shares = random.gamma(3.0, size=(2, 3, 1)), random.dirichlet(np.ones(4), size=(2, 3, 1))
    a, b = (
        mixture(
            np.ones(3) / 3,
            family(families.Poisson(rates[i]), (0,)),
            family(families.Categorical(shares[i]), (1,), 3),
        )
        for i in range(2)
    )
    counts = np.arange(60)[:, None, None]
    p, q = stats.poisson(rates[0].reshape(1, 3, 1)), stats.poisson(rates[1].reshape(1, 1, 3))
    wanted = ((p.pmf(counts) - q.pmf(counts)) * (p.logpmf(counts) - q.logpmf(counts))).sum(axis=0)
    p, q = shares[0][:, None, 0], shares[1][None, :, 0]
    wanted += ((p - q) * np.log(p / q)).sum(axis=-1)
    # a millionth of every probability is that of all components
    np.testing.assert_allclose(divergences(a, b), wanted, rtol=1e-4)


def test_diagonal_and_full_components_have_one_divergence() -> None:
    random = np.random.default_rng(0)
    means, variances = random.normal(size=(3, 2)), random.gamma(2.0, size=(3, 2))
    narrow = mixture([0.5, 0.3, 0.2], gaussian(means, variances))
    full = mixture([0.5, 0.3, 0.2], gaussian(means, variances[..., None] * np.eye(2)))
    np.testing.assert_allclose(divergences(narrow, full), divergences(narrow, narrow), rtol=1e-10, atol=1e-12)


def test_components_that_cannot_be_told_apart_are_named() -> None:
    means = np.array([[0.0, 0.0], [0.01, 0.0], [9.0, 9.0]])
    a = mixture([0.4, 0.3, 0.3], gaussian(means, np.ones((3, 2))))
    moved = means + np.array([[0.3, 0.0], [0.2, 0.1], [0.1, 0.0]])
    b = mixture([0.4, 0.3, 0.3], gaussian(moved, np.ones((3, 2))))
    assert match(a, b).ambiguous == (0, 1)
    assert match(a, a.take(np.array([0, 0, 2]))).ambiguous == (0, 1)
    assert match(a, a).ambiguous == ()  # ever so close, and yet each is exactly itself


def test_components_that_exclude_each_other_still_have_a_cheapest_pairing() -> None:
    sure = family(families.Bernoulli(np.array([[1.0, 0.0], [0.0, 1.0]])), (0, 1), 2)
    other = family(families.Bernoulli(np.array([[0.0, 0.9], [1.0, 0.1]])), (0, 1), 2)
    assert match(mixture([0.5, 0.5], sure), mixture([0.5, 0.5], other)).order.tolist() == [1, 0]


def test_a_single_component_is_never_in_doubt() -> None:
    one = mixture([1.0], gaussian([[0.0]], [[1.0]]))
    found = match(one, one)
    assert found.order.tolist() == [0]
    assert found.ambiguous == ()
    assert found.margin[0] == np.inf


@pytest.fixture(scope="module")
def blobs() -> np.ndarray:
    random = np.random.default_rng(0)
    centres = np.array([[0.0, 0.0], [8.0, 0.0], [0.0, 8.0]])
    return np.concatenate([c + random.normal(size=(n, 2)) for c, n in zip(centres, (40, 30, 20), strict=True)])


def test_fits_of_different_kinds_are_matched_by_their_rows(blobs: np.ndarray) -> None:
    a = GaussianMixture(3, random_state=0).fit(blobs)
    b = KMeans(3, init=blobs[[80, 10, 50]], random_state=0).fit(blobs)
    found = match(a, b, blobs)
    assert (b.predict(blobs) == found.order[a.predict(blobs)]).all()
    assert found.ambiguous == ()
    hard, soft = np.eye(3)[b.predict(blobs)], a.predict_proba(blobs)
    for k in range(3):
        pair = hard[:, found.order[k]], soft[:, k]
        assert found.cost[k] == pytest.approx(1 - np.minimum(*pair).sum() / np.maximum(*pair).sum(), abs=1e-12)


def test_centres_are_matched_by_their_distance(blobs: np.ndarray) -> None:
    a = KMeans(3, random_state=0).fit(blobs)
    b = KMeans(3, init=a.cluster_centers_[[1, 2, 0]], n_init=1).fit(blobs)
    assert match(a, b).order.tolist() == [2, 0, 1]


def test_what_cannot_be_matched_is_said() -> None:
    model = full_gaussian()
    with pytest.raises(ValueError, match="first has 3 components and the second 2"):
        match(model, model.take(np.array([0, 1])))
    with pytest.raises(ValueError, match="different kinds"):
        match(model, mixed())
