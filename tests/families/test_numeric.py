"""The special functions against 50-digit arithmetic and exact sums."""

import math
from decimal import Decimal, localcontext

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import scipy.special as sp
import scipy.stats as st

from tacit.families import numeric

pytestmark = [pytest.mark.usefixtures("double"), pytest.mark.strict_ranks]


@pytest.fixture(autouse=True)
def fifty_digits():
    with localcontext() as context:
        context.prec = 50
        yield


def check(function, exact, points, rtol, atol=0.0):
    columns = [np.array(column, float) for column in zip(*points, strict=True)]
    ours = np.asarray(jax.jit(function)(*columns))
    theirs = [float(exact(*(Decimal(float(value)) for value in point))) for point in points]
    np.testing.assert_allclose(ours, theirs, rtol=rtol, atol=atol)


def test_differences_near_one_and_zero():
    small = [(float(w),) for w in np.concatenate([np.logspace(-12, 6, 40), np.linspace(0.1, 1.0, 12)])]
    negative = [(float(w),) for w in -np.concatenate([np.logspace(-12, -1, 12), np.linspace(0.1, 0.99, 12)])]
    check(numeric.log1p_gap, lambda w: w - (1 + w).ln(), small + negative, 3e-13)
    check(numeric.expm1_gap, lambda v: v - (1 - (-v).exp()), [p for p in small if p[0] < 1e4], 1e-15)


def test_deviance():
    pairs = [
        (x, x * ratio)
        for x in (1e-3, 0.7, 12.0, 1e5, 1e12)
        for ratio in (1e-9, 0.3, 0.8, 0.82, 0.9, 1 - 1e-9, 1 + 1e-7, 1.2, 1.23, 3.0, 1e6)
    ]
    check(numeric.deviance, lambda x, m: x * (x / m).ln() - x + m, pairs, 1e-14)
    x, m = np.array([0.0, 2.0, 0.0, 1e-300]), np.array([3.0, 0.0, 0.0, 1e10])
    np.testing.assert_array_equal(numeric.deviance(x, m), [3.0, np.inf, 0.0, 1e10])


def test_what_is_left_of_stirlings_formula():
    def exact(n):
        return Decimal(math.factorial(int(n))).ln() - n * n.ln() + n if n else Decimal(0)

    check(numeric.stirling_excess, exact, [(float(n),) for n in (0, 1, 2, 5, 15, 16, 17, 100, 3000)], 3e-15)
    x = np.array([1e-12, 0.3, 2.5, 15.99])
    np.testing.assert_allclose(numeric.stirling_excess(x), sp.gammaln(x + 1) - x * np.log(x) + x, atol=1e-14)


def test_digamma_and_trigamma():
    euler = Decimal("0.57721566490153286060651209008240243104215933593992")

    def gap(n):
        return n.ln() + euler - sum((1 / Decimal(k) for k in range(1, int(n))), Decimal(0))

    check(numeric.digamma_gap, gap, [(float(n),) for n in (1, 2, 7, 15, 16, 17, 100, 5000)], 3e-14)
    x = np.concatenate([np.logspace(-6, 8, 30), [15.99, 16.0]])
    np.testing.assert_allclose(numeric.trigamma(x), sp.polygamma(1, x), rtol=1e-13)


def test_the_integral_of_log_gamma():
    """``E[log Γ(X+r) − log Γ(r) − X log r]`` by summation, for three kinds of counts."""
    orders = np.array([0.05, 1.0, 4.0, 1e6])

    def summed(peer, last):
        k = np.arange(last)
        rising = [np.append(0.0, np.cumsum(np.log1p(k[:-1] / r))) for r in orders]
        return [(peer.pmf(k) * values).sum() for values in rising]

    def expected(mean_u, log_generating, gap):
        def excess(u):
            u = u[:, None]
            return numeric.generating_excess(mean_u(u), log_generating(u), gap(u)) * jnp.ones((1, 4))

        return jax.jit(lambda: numeric.expected_log_rising(excess, orders))()

    ours = expected(lambda u: 7.0 * u, lambda u: -7.0 * u, lambda u: 0.0 * u)
    np.testing.assert_allclose(ours, summed(st.poisson(7.0), 200), rtol=1e-11)
    ours = expected(
        lambda u: 6.0 * u,
        lambda u: 20.0 * jnp.log1p(-0.3 * u),
        lambda u: -20.0 * numeric.log1p_gap(-0.3 * u),
    )
    np.testing.assert_allclose(ours, summed(st.binom(20, 0.3), 21), rtol=1e-11)
    ours = expected(
        lambda u: 5.0 * u,
        lambda u: -0.5 * jnp.log1p(10.0 * u),
        lambda u: 0.5 * numeric.log1p_gap(10.0 * u),
    )
    np.testing.assert_allclose(ours, summed(st.nbinom(0.5, 0.5 / 5.5), 4000), rtol=1e-11)


def test_zero_weight_gives_zero_not_nan():
    total, weight = np.array([2.0, 0.0, 3.0]), np.array([4.0, 0.0, 0.0])
    np.testing.assert_array_equal(numeric.ratio(total, weight), [0.5, 0.0, 0.0])


def test_single_precision_keeps_its_own_digits():
    with jax.enable_x64(False):
        count = jnp.asarray([5e4, 12.0, 3e6], jnp.float32)
        rate = jnp.asarray([5.01e4, 11.0, 3e6], jnp.float32)
        ours = -numeric.stirling_excess(count) - numeric.deviance(count, rate)
        assert ours.dtype == jnp.float32
    theirs = st.poisson.logpmf(np.asarray(count, float), np.asarray(rate, float))
    np.testing.assert_allclose(ours, theirs, rtol=2e-6)
