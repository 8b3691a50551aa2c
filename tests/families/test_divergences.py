"""Cross-entropy and KL divergence by quadrature or summation; where they are infinite or tiny."""

import hypothesis
import hypothesis.strategies as some
import jax
import numpy as np
import pytest

from tacit.families import (
    Bernoulli,
    Categorical,
    Exponential,
    Gamma,
    LogNormal,
    NegativeBinomial,
    Normal,
    Poisson,
)


@jax.jit
def measures(p, q):
    """H(p, q), KL(p‖q), H(p) and KL(p‖p)."""
    return p.cross_entropy(q), p.kl_divergence(q), p.entropy(), p.kl_divergence(p)


def test_they_are_sums_or_integrals(case):
    cross, divergence, entropy, self_divergence = map(np.asarray, measures(case.family, case.rolled()))
    for k, (p, q) in enumerate(zip(case.peers, case.rolled_peers(), strict=True)):
        x, weight = case.grid(p, q)
        log_p, log_q = ((peer.logpdf if hasattr(peer, "pdf") else peer.logpmf)(x) for peer in (p, q))
        mass = weight * np.exp(log_p)
        mass, log_p, log_q = (values[mass > 1e-300] for values in (mass, log_p, log_q))
        np.testing.assert_allclose(cross[k], -np.sum(mass * log_q), rtol=1e-9, atol=1e-9)
        relative = np.sum(mass * (log_p - log_q))
        np.testing.assert_allclose(divergence[k], relative, rtol=1e-9, atol=1e-9)
    np.testing.assert_allclose(cross - entropy, divergence, rtol=1e-11, atol=1e-11)
    assert np.all(np.abs(self_divergence) < 1e-14)


def test_bits_are_nats_over_log_two(case):
    p, q = case.family, case.rolled()
    bits = jax.jit(lambda p, q: (p.cross_entropy(q, 2.0), p.kl_divergence(q, 2.0), p.entropy(2.0)))(p, q)
    for ours, nats in zip(bits, measures(p, q)[:3], strict=True):
        np.testing.assert_allclose(ours, np.asarray(nats) / np.log(2.0), rtol=1e-13)


def pair(build, *ranges):
    """Two members whose parameters are close to each other."""
    near = some.floats(-1e-3, 1e-3)
    return some.tuples(some.tuples(*ranges), some.tuples(*(near for _ in ranges))).map(
        lambda drawn: (
            build(*(np.array([a]) for a in drawn[0])),
            build(*(np.array([a * (1 + d)]) for a, d in zip(*drawn, strict=True))),
        )
    )


size = some.floats(0.01, 1e4)
PAIRS = {
    "normal": pair(Normal, some.floats(-5, 5), size),
    "log-normal": pair(lambda m, v: LogNormal(Normal(m, v)), some.floats(-5, 5), size),
    "poisson": pair(Poisson, size),
    "exponential": pair(Exponential, size),
    "gamma": pair(Gamma, size, size),
    "bernoulli": pair(Bernoulli, some.floats(0.001, 0.99)),
    "negative-binomial": pair(NegativeBinomial, some.floats(0.01, 100.0), some.floats(0.01, 1e4)),
}


@pytest.mark.parametrize("name", PAIRS)
@hypothesis.given(data=some.data())
def test_divergences_are_never_negative(name, data):
    with jax.enable_x64(True):
        p, q = data.draw(PAIRS[name])
        for value in measures(p, q)[1::2]:
            assert np.all(value >= 0.0)


@pytest.mark.usefixtures("double")
def test_divergences_of_close_members_keep_their_digits():
    # KL ≈ ½ δ² I(θ): a difference of entropies would have lost everything at δ = 1e-7
    delta, scale = 1e-7, 1e3
    for family, other, information in (
        (Poisson, (np.array([scale + delta]),), 1 / scale),
        (Exponential, (np.array([scale + delta]),), 1 / scale**2),
        (Bernoulli, (np.array([0.3 + delta]),), 1 / (0.3 * 0.7)),
        (Normal, (np.array([scale + delta]), np.array([2.0])), 1 / 2.0),
    ):
        base = (np.array([0.3 if family is Bernoulli else scale]), *other[1:])
        exact = other[0] - base[0]
        value = family(*base).kl_divergence(family(*other))
        np.testing.assert_allclose(value, 0.5 * exact**2 * information, rtol=1e-6)


@pytest.mark.usefixtures("double")
def test_infinite_where_the_other_has_no_mass():
    for p, q in (
        (Poisson(np.array([2.0])), Poisson(np.array([0.0]))),
        (Bernoulli(np.array([0.5])), Bernoulli(np.array([1.0]))),
        (Categorical(np.array([[0.5, 0.5]])), Categorical(np.array([[1.0, 0.0]]))),
    ):
        assert np.all(p.kl_divergence(q) == np.inf)
        assert np.all(p.cross_entropy(q) == np.inf)
        assert np.all(np.isfinite(q.kl_divergence(p)))
        assert np.all(q.entropy() == 0.0)


@pytest.mark.usefixtures("double")
def test_the_entropy_of_counts_joins_its_asymptotic_series():
    # H = ½ log 2πeλ − 1/(12λ) − 1/(24λ²) − … on both sides of the switch at 10³
    rates = np.array([999.0, 1001.0, 1e7])
    expected = 0.5 * np.log(2 * np.pi * np.e * rates) - 1 / (12 * rates) - 1 / (24 * rates**2) - 19 / (360 * rates**3)
    np.testing.assert_allclose(Poisson(rates).entropy(), expected, rtol=2e-12)
    # and the negative binomial's at r = ∞ is the Poisson's
    near = NegativeBinomial(np.array([7.0]), np.array([1e10])).entropy()
    np.testing.assert_allclose(near, Poisson(np.array([7.0])).entropy(), rtol=1e-8)
