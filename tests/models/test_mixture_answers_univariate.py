"""One column: distribution functions against scipy.stats, quantiles against their definition."""

import jax
import numpy as np
import pytest

import small_mixtures as small
from tacit import families
from tacit.families.base import Family
from tacit.families.student_t import StudentT
from tacit.models.mixture.univariate import quantile

K = 3
random = np.random.default_rng(0)
REAL = np.array([-3.0, -0.5, 0.0, 0.3, 1.0, 2.0, 7.5, 40.0])
FAMILIES = {
    "normal": families.Normal(random.normal(size=K), random.gamma(2.0, size=K)),
    "log-normal": families.LogNormal(families.Normal(random.normal(size=K), random.gamma(2.0, size=K))),
    "student-t": StudentT(random.normal(size=K), random.gamma(2.0, size=K), np.array([0.8, 2.5, 40.0])),
    "exponential": families.Exponential(random.gamma(2.0, size=K)),
    "gamma": families.Gamma(random.gamma(2.0, size=K), random.gamma(2.0, size=K)),
    "poisson": families.Poisson(random.gamma(4.0, size=K)),
    "negative-binomial": families.NegativeBinomial(random.gamma(4.0, size=K), random.gamma(2.0, size=K)),
    "bernoulli": families.Bernoulli(random.uniform(size=K)),
    "categorical": families.Categorical(random.dirichlet(np.ones(4), size=K)),
}
DISCRETE = ("poisson", "negative-binomial", "bernoulli", "categorical")
WEIGHTS = np.array([0.2, 0.5, 0.3])
CHANCES = np.array([[1e-9, 1e-3, 0.1, 0.25, 0.5, 0.77, 0.9, 0.999, 1.0 - 1e-9]])


@pytest.mark.parametrize("name", FAMILIES)
def test_distribution_functions_against_scipy(name: str) -> None:
    family = FAMILIES[name]
    for k in range(K):
        law = small.family_law(family, (k,))
        np.testing.assert_allclose(family.cdf(REAL[:, None])[:, k], law.cdf(REAL), rtol=1e-12, atol=1e-15)


def mixed(family: Family) -> object:
    return lambda x: np.sum(WEIGHTS * family.cdf(x[..., None]), axis=-1)


@pytest.mark.parametrize("name", [name for name in FAMILIES if name not in DISCRETE])
def test_continuous_quantiles_are_inverse(name: str) -> None:
    family = FAMILIES[name]
    found = quantile(family, mixed(family), CHANCES)
    exact = sum(w * small.family_law(family, (k,)).cdf(found) for k, w in enumerate(WEIGHTS))
    np.testing.assert_allclose(exact, CHANCES, rtol=1e-12)


@pytest.mark.parametrize("name", DISCRETE)
def test_discrete_quantiles_are_the_smallest_value_that_reaches(name: str) -> None:
    family = FAMILIES[name]
    found = quantile(family, mixed(family), CHANCES)
    laws = [small.family_law(family, (k,)) for k in range(K)]
    here = sum(w * law.cdf(found) for w, law in zip(WEIGHTS, laws, strict=True))
    before = sum(w * law.cdf(found - 1) for w, law in zip(WEIGHTS, laws, strict=True))
    assert (here >= CHANCES - 1e-14).all()
    assert (before < CHANCES).all()


@pytest.mark.parametrize("name", FAMILIES)
def test_quantiles_of_one_component_against_scipy(name: str) -> None:
    for k in range(K):
        one = jax.tree.map(lambda leaf, k=k: leaf[k : k + 1], FAMILIES[name])
        found = quantile(one, lambda x, one=one: one.cdf(x[..., None])[..., 0], CHANCES[:, 2:7])
        expected = small.family_law(FAMILIES[name], (k,)).ppf(CHANCES[:, 2:7])
        np.testing.assert_allclose(found, expected, rtol=1e-11)


@pytest.mark.parametrize(("mean", "scale"), [(1e12, 1.0), (0.0, 1e-12), (-5.0, 1e9), (0.0, 1e150)])
def test_quantiles_at_any_offset_and_scale(mean: float, scale: float) -> None:
    family = families.Normal(np.array([mean]), np.array([scale**2]))
    found = quantile(family, lambda x: family.cdf(x[..., None])[..., 0], CHANCES[:, 2:7])
    expected = small.stats.norm(mean, scale).ppf(CHANCES[:, 2:7])
    np.testing.assert_allclose(found, expected, rtol=1e-12, atol=1e-12 * scale + 1e-15 * abs(mean))


def test_a_wide_empty_gap_has_a_quantile_inside_it() -> None:
    family = families.Normal(np.array([-1e6, 1e6]), np.ones(2))
    chances = np.array([[0.499999, 0.5, 0.500001]])
    found = quantile(family, lambda x: family.cdf(x[..., None]).mean(-1), chances)
    assert found[0, 0] < -1e6 + 6
    assert abs(found[0, 1]) <= 1e6
    assert found[0, 2] > 1e6 - 6


def test_an_unknown_family_says_so() -> None:
    shares = families.Multinomial(np.array([[0.5, 0.5]]))
    with pytest.raises(ValueError, match="no distribution function is known for the family multinomial"):
        shares.cdf(np.zeros(1))
    with pytest.raises(ValueError, match="no quantiles are known for the family multinomial"):
        quantile(shares, np.sin, np.array([0.5]))
