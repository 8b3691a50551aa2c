"""The clusters behind a negative binomial, and the EM that rests on them."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import scipy.optimize as so
import scipy.stats as st

from tacit.families import NegativeBinomial, Poisson

pytestmark = [pytest.mark.usefixtures("double"), pytest.mark.strict_ranks]

statistics = jax.jit(lambda family, x: family.expected_statistics(x))
total_log_prob = jax.jit(lambda family, x, weight: (weight * family.log_prob(x)).sum())


@jax.jit
def em(start, x, weight):
    """Twelve EM steps and the log-likelihood before each."""

    def step(family, _):
        before = (weight * family.log_prob(x)).sum()
        summed = (weight[:, None] * family.expected_statistics(x)).sum(0)
        return family.maximise(summed, weight.sum()), before

    return jax.lax.scan(step, start, None, length=12)


maximise = jax.jit(lambda start, summed, weight: start.maximise(summed, weight))
SIZES = np.array([1e-6, 0.3, 2.0, 15.9, 16.0, 200.0, 1e5, 1e10])


def test_the_number_of_clusters_by_enumeration():
    # P(L = l | x) ∝ |s(x, l)| r^l with the unsigned Stirling numbers of the first kind
    stirling = np.zeros((13, 13))
    stirling[0, 0] = 1.0
    for n in range(12):
        for m in range(13):
            stirling[n + 1, m] = n * stirling[n, m] + (stirling[n, m - 1] if m else 0.0)
    found = statistics(NegativeBinomial(np.ones((1, 8)), SIZES[None]), np.arange(13.0)[:, None])
    clusters = np.arange(13.0)
    for k, r in enumerate(SIZES[:6]):
        for x in range(13):
            weight = stirling[x] * (r / (1 + r)) ** clusters * (1 + r) ** -(x - clusters)
            weight /= weight.sum()
            mean = (weight * clusters).sum()
            variance = (weight * (clusters - mean) ** 2).sum()
            np.testing.assert_allclose(found[x, k], [x, x - mean, variance], rtol=1e-9, atol=1e-10)


def test_the_statistics_keep_their_digits_where_r_is_large():
    # customer i opens a table with probability r/(r+i)
    counts = np.array([2.0, 20.0, 700.0])
    found = statistics(NegativeBinomial(np.ones((1, 8)), SIZES[None]), counts[:, None])
    for k, r in enumerate(SIZES):
        for row, count in enumerate(counts):
            shared = np.arange(count) / (r + np.arange(count))
            expected = [count, shared.sum(), (shared * (1 - shared)).sum()]
            np.testing.assert_allclose(found[row, k], expected, rtol=1e-10 if r > 1e-3 else 1e-6)


@pytest.mark.parametrize("size", [0.3, 2.0, 30.0])
def test_the_m_step_maximises_a_lower_bound_that_touches_the_likelihood(size):
    start = NegativeBinomial(np.array(2.0), np.array(size))
    x = st.nbinom(1.5, 0.2).rvs(100, random_state=np.random.default_rng(0)).astype(float)
    total, shared, variance = np.asarray(statistics(start, x)).sum(0)
    # Σ_n Σ_i log((r+i)/(r₀+i)), and the two principal representations of its measure
    places = np.concatenate([np.arange(count) for count in x])
    opened, squares = total - shared, total - shared - variance
    grid = size * np.exp(np.linspace(-6, 6, 4001))
    exact = np.log((grid[:, None] + places) / (size + places)).sum(1)
    z = grid / size - 1
    right = opened**2 / squares * np.log1p(z * squares / opened)
    # atoms at w = 1 and w* with Σ(1−w) = shared, Σ(1−w)² = shared − variance
    mass = shared**2 / (shared - variance)
    left = mass * np.log1p(z * variance / shared) + (total - mass) * np.log1p(z)
    bound = np.where(z > 0, right, left)
    assert np.all(bound <= exact + 1e-10)
    near = np.abs(z) < 0.01
    assert np.all((exact - bound)[near] <= total * np.abs(z[near]) ** 3 + 1e-10)
    mean = x.mean()
    objective = bound + 100 * grid * np.log(grid / (grid + mean)) - total * np.log(grid + mean)
    new = maximise(start, np.array([total, shared, variance]), np.array(100.0))
    np.testing.assert_allclose(new.means, mean, rtol=1e-14)
    assert abs(np.log(new.dispersions / grid[objective.argmax()])) <= 12 / 4000


def test_the_expected_complete_gradient_is_the_gradient_of_the_likelihood():
    """Fisher's identity."""
    family, x = NegativeBinomial(jnp.array(2.3), jnp.array(0.7)), np.array([0.0, 1.0, 4.0, 30.0])
    found = statistics(family, x)

    def complete(other):
        r, m = other.dispersions, other.means
        clusters = found[:, 0] - found[:, 1]
        value = clusters * jnp.log(r) + r * jnp.log(r / (r + m)) + found[:, 0] * jnp.log(m / (r + m))
        return value.sum()

    marginal = jax.jit(jax.grad(lambda other: other.log_prob(x).sum()))(family)
    expected = jax.jit(jax.grad(complete))(family)
    np.testing.assert_allclose(jax.tree.leaves(marginal), jax.tree.leaves(expected), rtol=1e-11)


@pytest.mark.parametrize(("mean", "size"), [(3.0, 0.4), (40.0, 2.0), (0.5, 0.6), (6.0, 5.0)])
def test_em_never_falls_and_ends_at_the_direct_maximum(mean, size):
    generator = np.random.default_rng(4)
    x = st.nbinom(size, size / (size + mean)).rvs(400, random_state=generator).astype(float)
    weight = generator.random(400)
    end, trace = em(NegativeBinomial(np.array(1.0), np.array(1.0)), x, weight)
    assert np.all(np.diff(trace) > -1e-12 * np.abs(trace[:-1]))
    centre = np.average(x, weights=weight)

    def profile(log_size):
        r = np.exp(log_size)
        return -np.sum(weight * st.nbinom.logpmf(x, r, r / (r + centre)))

    found = so.minimize_scalar(profile, bounds=(-6, 6), method="bounded", options={"xatol": 1e-10})
    np.testing.assert_allclose(total_log_prob(end, x, weight), -found.fun, rtol=1e-9)
    np.testing.assert_allclose(end.means, centre, rtol=1e-13)


def test_under_dispersed_counts_end_near_the_poisson_and_finite():
    x = st.binom(10, 0.5).rvs(400, random_state=np.random.default_rng(5)).astype(float)
    weight = np.ones(400)
    end, trace = em(NegativeBinomial(np.array(1.0), np.array(1.0)), x, weight)
    assert np.all(np.diff(trace) > -1e-12 * np.abs(trace[:-1]))
    assert np.isfinite(end.dispersions)
    np.testing.assert_allclose(end.dispersions, 1e10, rtol=1e-9)
    poisson = total_log_prob(Poisson(np.array(x.mean())), x, weight)
    np.testing.assert_allclose(total_log_prob(end, x, weight), poisson, rtol=1e-8)


def test_the_bounds_of_r_are_kept():
    start = NegativeBinomial(np.ones(2), np.ones(2))
    # every count 0 or 1 (no table is ever shared), and one table of 10¹²
    summed = np.array([[5.0, 0.0, 0.0], [1e12, 1e12 - 1.0, 0.0]])
    extreme = maximise(start, summed, np.array([5.0, 1.0]))
    np.testing.assert_allclose(extreme.dispersions[0], 1e10, rtol=1e-9)
    assert 1e-8 * (1 - 1e-9) <= extreme.dispersions[1] < 0.1
    assert np.all(np.isfinite(total_log_prob(extreme, np.full(2, 3.0), np.ones(2))))
