"""Every family beside scipy.stats: density, support, moments, entropy, draws."""

import math

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import scipy.stats as st

from tacit.families import FAMILIES, Exponential, Gamma, NegativeBinomial, Normal, Poisson

log_prob = jax.jit(lambda family, x: family.log_prob(x))
draw = jax.jit(lambda family, key: family.sample(key=key, shape=(4000,)))


def peer_log_prob(peer, x):
    with np.errstate(divide="ignore"):
        return peer.logpdf(x) if hasattr(peer, "pdf") else peer.logpmf(x)


def test_log_prob_is_scipys(case):
    found, inside = case.everything()
    for k, peer in enumerate(case.peers):
        theirs = peer_log_prob(peer, case.inside)
        np.testing.assert_allclose(found["log_prob"][:inside, k], theirs, rtol=1e-9, atol=1e-9)


def test_no_mass_outside_the_support_and_no_density_where_missing(case):
    found, inside = case.everything()
    assert np.all(found["supports"][:inside])
    assert not np.any(found["supports"][inside:])
    assert np.all(found["log_prob"][inside:-1] == -np.inf)
    assert np.all(np.isnan(found["log_prob"][-1]))
    assert np.all(found["statistics"][inside:] == 0.0)


def test_moments_are_scipys(case):
    found, _ = case.everything()
    np.testing.assert_allclose(found["mean"], [peer.mean() for peer in case.peers], rtol=1e-9)
    np.testing.assert_allclose(found["variance"], [peer.var() for peer in case.peers], rtol=1e-9)


def test_entropy_is_a_sum_or_an_integral(case):
    expected = []
    for peer in case.peers:
        x, weight = case.grid(peer, peer)
        log_p = peer_log_prob(peer, x)
        p = np.exp(log_p)
        expected.append(-np.sum(weight * p * np.where(p > 0, log_p, 0.0)))
    np.testing.assert_allclose(case.everything()[0]["entropy"], expected, rtol=1e-9, atol=1e-9)


def test_draws_follow_the_distribution(case):
    draws = np.asarray(draw(case.family, jax.random.key(3)))
    assert draws.shape == (4000, case.members)
    for k, peer in enumerate(case.peers):
        if hasattr(peer, "pdf"):
            assert st.kstest(draws[:, k], peer.cdf).pvalue > 1e-3
            continue
        # the counts in a few cells of about equal probability, against their expectation
        edges = np.unique(peer.ppf(np.linspace(0.0, 1.0, 9)[1:-1]))
        bounds = np.concatenate([[0.0], peer.cdf(edges), [1.0]])
        cells = np.bincount(np.searchsorted(edges, draws[:, k]), minlength=len(edges) + 1)
        expected = 4000 * np.diff(bounds)
        kept = expected > 1
        statistic = np.sum((cells - expected)[kept] ** 2 / expected[kept])
        assert st.chi2(max(kept.sum() - 1, 1)).sf(statistic) > 1e-3
        assert np.all(draws[:, k] == np.floor(draws[:, k]))


def test_draws_are_repeatable_and_differ_between_keys(case):
    keys = [jax.random.key(seed) for seed in (5, 5, 6)]
    first, again, other = (np.asarray(draw(case.family, key)) for key in keys)
    np.testing.assert_array_equal(first, again)
    assert np.any(first != other)


@jax.jit
@jax.grad
def slope(family, x):
    value = family.log_prob(x)
    return jnp.where(jnp.isfinite(value), value, 0.0).sum()


def test_gradients_are_finite_at_missing_and_unsupported_values(case):
    x = np.concatenate([case.inside[:1], case.outside[:1], [np.nan]])
    for leaf in jax.tree.leaves(slope(case.family, x[:, None])):
        assert np.all(np.isfinite(leaf))


@pytest.mark.usefixtures("double")
def test_large_counts_and_shapes_keep_their_digits():
    # scipy's direct forms lose digits here; by Stirling's series, at its mean a Poisson of rate λ has
    # log p = −½ log 2πλ − 1/(12λ) + O(λ⁻³), and so has a gamma of shape λ and rate 1
    scale = np.array([1e6, 1e9, 1e12])
    expected = -0.5 * np.log(2 * np.pi * scale) - 1 / (12 * scale)
    np.testing.assert_allclose(log_prob(Poisson(scale), scale), expected, rtol=1e-14)
    np.testing.assert_allclose(log_prob(Gamma(scale, np.ones(3)), scale), expected, rtol=1e-14)


@pytest.mark.usefixtures("double")
def test_the_negative_binomial_tends_to_the_poisson_smoothly():
    # log Γ(x+r) − log Γ(r) − x log r = Σ_{i<x} log(1 + i/r), summed without loss
    mean, sizes = 9.0, np.array([1e-8, 1e-3, 0.7, 15.9, 16.1, 1e3, 1e6, 1e10])
    ours = log_prob(NegativeBinomial(np.full(8, mean), sizes), np.arange(40.0)[:, None])
    for k, r in enumerate(sizes):
        for x in range(40):
            rising = math.fsum(math.log1p(i / r) for i in range(x))
            powers = x * math.log(mean) - (x + r) * math.log1p(mean / r)
            assert abs(ours[x, k] - (rising - math.lgamma(x + 1) + powers)) < 1e-11


@pytest.mark.usefixtures("double")
def test_degenerate_members_are_finite_or_exactly_infinite():
    x = np.array([0.0, 1.0, 2.0])
    for silent in (Poisson(np.zeros(1)), NegativeBinomial(np.zeros(1), np.ones(1))):
        np.testing.assert_array_equal(log_prob(silent, x), [0.0, -np.inf, -np.inf])
    point = log_prob(Normal(np.full(1, 2.0), np.zeros(1)), x)
    assert np.isfinite(point[2])
    assert np.all(point[:2] < -1e300)


@pytest.mark.usefixtures("double")
def test_narrow_densities_have_negative_entropy():
    for narrow in (
        Normal(np.zeros(1), np.full(1, 1e-6)),
        Exponential(np.full(1, 1e4)),
        Gamma(np.full(1, 9.0), np.full(1, 1e5)),
    ):
        assert narrow.entropy() < -5.0
        np.testing.assert_allclose(narrow.entropy(base=2.0), narrow.entropy() / np.log(2.0), rtol=1e-14)


SIZES = {"categorical": {"levels": [2, 4, 3]}, "multinomial": {"categories": 5}}


@pytest.mark.parametrize("name", FAMILIES)
@pytest.mark.usefixtures("double")
def test_templates_are_valid_members(name):
    family = FAMILIES[name].template((2, 3), **SIZES.get(name, {}))
    event = (5,) if family.event_dims else ()
    values = log_prob(family, np.ones((4, 2, 3, *event)))
    assert values.shape == (4, 2, 3)
    assert np.all(np.isfinite(values))
    assert family.mean().shape == family.variance().shape == (2, 3, *event)
    assert FAMILIES[family.name] is type(family)
