"""``maximise`` against direct numerical optimisation, copies of rows, and data without spread."""

import jax
import numpy as np
import pytest
import scipy.optimize as so
import scipy.stats as st

from tacit.families import (
    Bernoulli,
    Categorical,
    Exponential,
    Gamma,
    LogNormal,
    Multinomial,
    NegativeBinomial,
    Normal,
    Poisson,
)

pytestmark = pytest.mark.usefixtures("double")


@jax.jit
def fit(start, x, weight):
    """One M-step for every column of x ``[rows, columns]``, with weights of the same shape."""
    statistics = (weight[..., None] * start.expected_statistics(x)).sum(0)
    return start.maximise(statistics, weight.sum(0))


def soft(z):
    return np.logaddexp(0.0, z)


# family → (a start, draws of it, scipy's log-density at unconstrained parameters, theirs read off ours)
PEERS = {
    "normal": (
        Normal(np.zeros(3), np.ones(3)),
        st.norm(3.0, 0.2),
        lambda x, z: st.norm.logpdf(x, z[0], soft(z[1])),
        2,
    ),
    "log-normal": (
        LogNormal(Normal(np.zeros(3), np.ones(3))),
        st.lognorm(0.7, scale=5.0),
        lambda x, z: st.lognorm.logpdf(x, soft(z[1]), scale=np.exp(z[0])),
        2,
    ),
    "gamma": (
        Gamma(np.ones(3), np.ones(3)),
        st.gamma(2.5, scale=3.0),
        lambda x, z: st.gamma.logpdf(x, soft(z[0]), scale=np.exp(z[1])),
        2,
    ),
    "gamma, skewed": (
        Gamma(np.ones(3), np.ones(3)),
        st.gamma(0.2, scale=3.0),
        lambda x, z: st.gamma.logpdf(x, soft(z[0]), scale=np.exp(z[1])),
        2,
    ),
    "exponential": (
        Exponential(np.ones(3)),
        st.expon(scale=4.0),
        lambda x, z: st.expon.logpdf(x, scale=np.exp(z[0])),
        1,
    ),
    "poisson": (Poisson(np.ones(3)), st.poisson(2.7), lambda x, z: st.poisson.logpmf(x, np.exp(z[0])), 1),
    "bernoulli": (
        Bernoulli(np.full(3, 0.5)),
        st.bernoulli(0.3),
        lambda x, z: st.bernoulli.logpmf(x, 1 / (1 + np.exp(-z[0]))),
        1,
    ),
}


@pytest.mark.parametrize("name", PEERS)
def test_the_maximum_is_that_of_a_numerical_search(name):
    start, peer, log_density, dims = PEERS[name]
    generator = np.random.default_rng(7)
    x = np.asarray(peer.rvs((200, 3), random_state=generator), float)
    weight = generator.gamma(1.0, 1.0, (200, 3))
    fitted = fit(start, x, weight)
    ours = (weight * np.asarray(fitted.log_prob(x))).sum(0)
    for k in range(3):
        found = so.minimize(
            lambda z, k=k: -np.sum(weight[:, k] * log_density(x[:, k], z)),
            np.zeros(dims) + 0.3,
            method="Nelder-Mead",
            options={"xatol": 1e-9, "fatol": 1e-11, "maxiter": 4000},
        )
        np.testing.assert_allclose(ours[k], -found.fun, rtol=1e-11)


def test_the_closed_forms():
    generator = np.random.default_rng(1)
    x, weight = generator.normal(2.0, 3.0, (50, 3)), generator.random((50, 3))
    normal = fit(Normal(np.zeros(3), np.ones(3)), x, weight)
    mean = np.average(x, axis=0, weights=weight)
    np.testing.assert_allclose(normal.means, mean, rtol=1e-13)
    np.testing.assert_allclose(normal.variances, np.average((x - mean) ** 2, axis=0, weights=weight), rtol=1e-12)
    codes = generator.integers(0, 3, (50, 3)).astype(float)
    categorical = fit(Categorical.template((3,), 4), codes, weight)
    for level in range(4):
        share = np.sum(weight * (codes == level), axis=0) / weight.sum(0)
        np.testing.assert_allclose(categorical.probabilities[:, level], share, rtol=1e-13)
    # scipy's own fits
    waits = st.gamma(3.0, scale=2.0).rvs((300, 3), random_state=generator)
    gamma = fit(Gamma(np.ones(3), np.ones(3)), waits, np.ones_like(waits))
    for k in range(3):
        shape, _, scale = st.gamma.fit(waits[:, k], floc=0)
        np.testing.assert_allclose([gamma.shapes[k], 1 / gamma.rates[k]], [shape, scale], rtol=1e-8)


STARTS = {name: PEERS[name][:2] for name in PEERS if "," not in name} | {
    "negative-binomial": (NegativeBinomial(np.ones(3), np.full(3, 1.5)), st.nbinom(1.3, 0.3)),
    "categorical": (Categorical(np.full((3, 4), 0.25)), st.randint(0, 4)),
}


@pytest.mark.parametrize("name", STARTS)
def test_weights_are_copies_and_weight_zero_is_absence(name):
    start, peer = STARTS[name]
    generator = np.random.default_rng(2)
    x = np.asarray(peer.rvs((40, 3), random_state=generator), float)
    copies = generator.integers(0, 4, 40)
    weight = np.repeat(copies[:, None], 3, axis=1).astype(float)
    weight[:, 2] = 0.0
    weighted = fit(start, x, weight)
    repeated = fit(start, np.repeat(x, copies, axis=0), np.ones((copies.sum(), 3)))
    leaves = zip(*map(jax.tree.leaves, (weighted, repeated, start)), strict=True)
    for ours, copied, before in leaves:
        np.testing.assert_allclose(ours[:2], copied[:2], rtol=1e-11)
        np.testing.assert_array_equal(ours[2], before[2])


@pytest.mark.parametrize("name", STARTS)
def test_many_fits_at_once_are_the_fits_one_by_one(name):
    start, peer = STARTS[name]
    generator = np.random.default_rng(3)
    x = np.asarray(peer.rvs((4, 30, 3), random_state=generator), float)
    weight = generator.random((4, 30, 3))
    together = jax.vmap(fit, in_axes=(None, 0, 0))(start, x, weight)
    alone = fit(start, x[1], weight[1])
    for both, one in zip(jax.tree.leaves(together), jax.tree.leaves(alone), strict=True):
        np.testing.assert_allclose(both[1], one, rtol=1e-12)


# start, the one value of every row, the fitted parameters
CONSTANT = {
    "normal at zero": (Normal(np.zeros(3), np.ones(3)), 0.0, (0.0, 0.0)),
    "poisson": (Poisson(np.ones(3)), 0.0, (0.0,)),
    "bernoulli, ones": (Bernoulli(np.full(3, 0.5)), 1.0, (1.0,)),
    "bernoulli, zeros": (Bernoulli(np.full(3, 0.5)), 0.0, (0.0,)),
    "gamma": (Gamma(np.ones(3), np.ones(3)), 0.1, (1e8, 1e9)),
    "negative-binomial, zeros": (NegativeBinomial(np.ones(3), np.full(3, 2.0)), 0.0, (0.0, 2.0)),
    "negative-binomial, ones": (NegativeBinomial(np.ones(3), np.full(3, 2.0)), 1.0, (1.0, 1e10)),
    "categorical": (Categorical(np.full((3, 3), 1 / 3)), 1.0, (np.array([0.0, 1.0, 0.0]),)),
    "multinomial": (Multinomial(np.full(3, 1 / 3)), 0.0, (np.full(3, 1 / 3),)),
}


@pytest.mark.parametrize("name", CONSTANT)
def test_columns_without_spread_stay_finite(name):
    start, value, expected = CONSTANT[name]
    weight = np.full(() if start.event_dims else (3,), 7.3)
    statistics = weight[..., None] * start.expected_statistics(np.full(3, value))
    fitted = jax.jit(lambda s, w: start.maximise(s, w))(np.asarray(statistics), weight)
    for leaf, target in zip(jax.tree.leaves(fitted), expected, strict=True):
        np.testing.assert_allclose(leaf, np.broadcast_to(target, leaf.shape), rtol=1e-12)
    if start.exponential:
        assert np.all(np.isfinite(fitted.natural))
        assert np.all(np.isfinite(fitted.log_normalizer))


def test_a_constant_column_has_the_resolution_of_its_statistic_as_variance():
    x = np.full((11, 3), [0.1, 1e6, -3.0])
    fitted = fit(Normal(np.zeros(3), np.ones(3)), x, np.full((11, 3), 0.3))
    assert np.all(fitted.variances >= np.finfo(float).eps * x[0] ** 2 * (1 - 1e-12))
    assert np.all(fitted.variances < 10 * np.finfo(float).eps * x[0] ** 2)
    silent = fit(Exponential(np.ones(3)), np.zeros((5, 3)), np.ones((5, 3)))
    assert np.all(np.isfinite(silent.rates))
    assert np.all(np.isfinite(silent.natural))


BLURRED = {
    "normal": (Normal(np.zeros(3), np.ones(3)), lambda x, z: st.norm.logpdf(x, z[0], np.exp(z[1])), 2),
    "gamma": (
        Gamma(np.ones(3), np.ones(3)),
        lambda x, z: st.gamma.logpdf(x, np.exp(z[0]), scale=np.exp(z[1] - z[0])),
        2,
    ),
    "exponential": (Exponential(np.ones(3)), lambda x, z: st.expon.logpdf(x, scale=np.exp(z[0])), 1),
}


@pytest.mark.parametrize("name", BLURRED)
def test_a_floor_through_the_statistics_maximises_the_blurred_bound(name):
    start, log_density, dims = BLURRED[name]
    epsilon, x = 0.05, np.array([1.0, 1.1, 0.9, 1.05])
    statistics = start.sufficient_statistics(np.repeat(x[:, None], 3, axis=1)).sum(0)
    direction = np.asarray(type(start).noise_floor)
    fitted = start.maximise(statistics + 4 * epsilon * direction, np.full(3, 4.0))

    def bound(z):
        # η of the member at z, read off its log-density: ⟨η, c⟩ is linear in T
        noise_floor = {
            "normal": lambda: -0.5 * np.exp(-2 * z[1]),
            "gamma": lambda: -0.5 * (np.exp(z[0]) - 1.0),
            "exponential": lambda: -np.exp(-z[0]),
        }[name]()
        return -(np.sum(log_density(x, z)) + 4 * epsilon * noise_floor)

    found = so.minimize(
        bound, np.zeros(dims), method="Nelder-Mead", options={"xatol": 1e-10, "fatol": 1e-12, "maxiter": 4000}
    )
    ours = fitted.log_prob(x[:, None]).sum(0) + 4 * epsilon * (fitted.natural * direction).sum(-1)
    np.testing.assert_allclose(ours, -found.fun, rtol=1e-10)
    if name == "normal":
        np.testing.assert_allclose(fitted.variances, np.var(x) + epsilon, rtol=1e-12)


def test_units_change_with_the_jacobian():
    x = np.array([0.3, 1.0, 4.0])
    scale = np.full(1, 2.5)
    for family in (
        Gamma(np.full(1, 2.0), np.full(1, 3.0)),
        Exponential(np.full(1, 0.7)),
        LogNormal(Normal(np.full(1, 0.2), np.full(1, 0.5))),
    ):
        moved = family.scaled(scale).log_prob(scale * x)
        np.testing.assert_allclose(moved, family.log_prob(x) - np.log(scale), rtol=1e-12)
    normal = Normal(np.full(1, 0.2), np.full(1, 0.5))
    moved = normal.affine(-scale, np.full(1, 10.0)).log_prob(10.0 - scale * x)
    np.testing.assert_allclose(moved, normal.log_prob(x) - np.log(scale), rtol=1e-12)
