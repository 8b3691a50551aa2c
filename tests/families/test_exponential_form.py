"""``⟨η, T⟩ − A + log h`` is the log-density, ``∇A`` the mean of T, and η and m determine each other."""

import hypothesis
import hypothesis.strategies as some
import jax
import jax.numpy as jnp
import numpy as np
import pytest
import scipy.special as sp

from tacit.families import (
    FAMILIES,
    Bernoulli,
    Categorical,
    Exponential,
    Gamma,
    LogNormal,
    Multinomial,
    Normal,
    Poisson,
)
from tacit.families.von_mises import VonMises

log_normalizer_gradient = jax.jit(jax.grad(lambda natural, family: family.from_natural(natural).log_normalizer.sum()))
statistics = jax.jit(lambda family, x: family.sufficient_statistics(x))


def test_the_exponential_form_is_the_density(exponential_case):
    found, inside = exponential_case.everything()
    terms = found["statistics"] * found["natural"]
    value = terms.sum(-1) - found["log_normalizer"] + found["log_base"]
    scale = np.abs(terms).sum(-1) + np.abs(found["log_base"]) + np.abs(found["log_normalizer"])
    error = np.abs(value - found["log_prob"])[:inside]
    assert np.all(error <= 4e-15 * scale[:inside] + 1e-13)


def test_the_gradient_of_the_log_normalizer_is_the_mean_of_the_statistics(exponential_case):
    family, (found, _) = exponential_case.family, exponential_case.everything()
    if isinstance(family, Categorical):  # over-complete: A(η) = log Σ exp η, which is 0 at every member
        gradient = jax.grad(lambda natural: jax.nn.logsumexp(natural, axis=-1).sum())(found["natural"] + 0.7)
        assert np.all(found["log_normalizer"] == 0.0)
    else:
        gradient = log_normalizer_gradient(found["natural"], family)
    np.testing.assert_allclose(found["mean_parameters"], gradient, rtol=1e-12, atol=1e-13)


def test_the_mean_of_the_statistics_is_an_integral(exponential_case):
    found, _ = exponential_case.everything()
    for k, peer in enumerate(exponential_case.peers):
        x, weight = exponential_case.grid(peer, peer)
        p = weight * (peer.pdf(x) if hasattr(peer, "pdf") else peer.pmf(x))
        values = np.asarray(statistics(exponential_case.family, x))
        expected = (np.where(p > 0, p, 0.0)[:, None] * values).sum(0)
        np.testing.assert_allclose(found["mean_parameters"][k], expected, rtol=1e-9, atol=1e-9)


def test_a_missing_or_unsupported_value_has_no_base_measure(exponential_case):
    found, inside = exponential_case.everything()
    assert np.all(found["log_base"][inside:] == 0.0)


near_zero_to_large = some.floats(-9.0, 9.0).map(lambda exponent: 10.0**exponent)


@jax.jit
def there_and_back(member):
    """The member again from its natural, and from its mean parameters."""
    return member.from_natural(member.natural), member.from_mean_parameters(member.mean_parameters)


MEMBERS = {
    "normal": some.builds(lambda m, v: Normal(np.array([m]), np.array([v])), some.floats(-3, 3), some.floats(0.01, 9)),
    "poisson": some.builds(lambda r: Poisson(np.array([r])), near_zero_to_large),
    "exponential": some.builds(lambda r: Exponential(np.array([r])), near_zero_to_large),
    "gamma": some.builds(lambda a, b: Gamma(np.array([a]), np.array([b])), some.floats(1e-3, 1e3), near_zero_to_large),
    "log-normal": some.builds(
        lambda m, v: LogNormal(Normal(np.array([m]), np.array([v]))), some.floats(-3, 3), some.floats(0.01, 9)
    ),
    "bernoulli": some.builds(lambda p: Bernoulli(np.array([p])), some.floats(1e-9, 1 - 1e-9)),
    "categorical": some.builds(
        lambda p: Categorical(np.array(p) / np.sum(p)),
        some.lists(some.floats(1e-9, 1.0), min_size=3, max_size=3),
    ),
    "multinomial": some.builds(
        lambda p: Multinomial(np.array(p) / np.sum(p)),
        some.lists(some.floats(1e-9, 1.0), min_size=3, max_size=3),
    ),
    "von-mises": some.builds(
        lambda m, k: VonMises(np.array([m]), np.array([k])), some.floats(-3, 3), some.floats(0.05, 100)
    ),
}


@pytest.mark.parametrize("name", MEMBERS)
@hypothesis.given(data=some.data())
def test_natural_and_mean_parameters_determine_the_member(name, data):
    with jax.enable_x64(True):
        member = data.draw(MEMBERS[name])
        for again in there_and_back(member):
            for before, after in zip(jax.tree.leaves(member), jax.tree.leaves(again), strict=True):
                np.testing.assert_allclose(after, before, rtol=1e-9, atol=1e-12)


@pytest.mark.usefixtures("double")
def test_natural_parameters_are_finite_at_the_edges():
    edges = (
        Poisson(np.array([0.0, 1e300])),
        Bernoulli(np.array([0.0, 1.0])),
        Categorical(np.array([[0.0, 1.0, 0.0]])),
        Multinomial(np.array([[0.0, 1.0, 0.0]])),
        Normal(np.array([0.0, 1e9, -1.0]), np.array([0.0, 0.0, 1e-320])),
    )
    for family in edges:
        assert np.all(np.isfinite(family.natural))
        assert np.all(np.isfinite(family.log_normalizer))
    # and they still give the right density where there is mass: log 1 = 0
    sure = Bernoulli(np.array([0.0, 1.0]))
    assert np.all(sure.natural[:, 0] * np.array([0.0, 1.0]) - sure.log_normalizer == 0.0)


@pytest.mark.usefixtures("double")
def test_products_over_columns_are_the_log_densities():
    """What a mixture's E-step does: features times natural parameters, with missing entries left out."""
    generator = np.random.default_rng(0)
    rows, k, d = 50, 4, 3
    family = Poisson(generator.gamma(2.0, 2.0, (k, d)))
    x = generator.poisson(3.0, (rows, d)).astype(float)
    x[generator.random((rows, d)) < 0.3] = np.nan
    mask = (~np.isnan(x)).astype(float)
    features = family.sufficient_statistics(x).reshape(rows, -1)
    logits = features @ family.natural.reshape(k, -1).T - mask @ family.log_normalizer.T
    logits = logits + family.log_base(x).sum(-1)[:, None]
    filled = np.where(np.isnan(x), 0.0, x)[:, None]
    direct = filled * np.log(family.rates) - family.rates - sp.gammaln(filled + 1)
    np.testing.assert_allclose(logits, (direct * mask[:, None]).sum(-1), atol=1e-12)


@pytest.mark.usefixtures("double")
def test_every_registered_exponential_family_stands_in_the_table_of_members():
    assert {name for name, family in FAMILIES.items() if family.exponential} == set(MEMBERS)
    assert jnp.ones(1).dtype == np.float64
