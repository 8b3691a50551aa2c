"""Rows of counts given their totals."""

import jax
import numpy as np
import pytest
import scipy.special as sp
import scipy.stats as st

from tacit.families import Categorical, Multinomial, Poisson

pytestmark = pytest.mark.usefixtures("double")

P = np.array([[0.2, 0.3, 0.5], [0.9, 0.1, 0.0]])
log_prob = jax.jit(lambda family, x: family.log_prob(x))
totals = jax.jit(lambda family, n: (family.entropy(total=n), family.mean(n), family.variance(n)))


def test_the_density_is_scipys_with_its_coefficient():
    rows = np.array([[1.0, 2.0, 4.0], [0.0, 0.0, 0.0], [10.0, 1.0, 0.0], [300.0, 200.0, 700.0]])
    ours = log_prob(Multinomial(P), rows[:, None])
    for k, p in enumerate(P):
        theirs = st.multinomial.logpmf(rows.astype(int), rows.sum(1).astype(int), p)
        np.testing.assert_allclose(ours[:, k], theirs, rtol=1e-9, atol=1e-9)


def test_the_exponential_form_is_the_density():
    family, rows = Multinomial(P[0]), np.array([[1.0, 2.0, 4.0], [0.0, 7.0, 1.0]])
    value = (family.sufficient_statistics(rows) * family.natural).sum(-1)
    value = value - family.log_normalizer + family.log_base(rows)
    np.testing.assert_allclose(value, log_prob(family, rows), rtol=1e-12)
    gradient = jax.grad(jax.nn.logsumexp)(family.natural + 1.3)
    np.testing.assert_allclose(family.mean_parameters, gradient, rtol=1e-12)


def test_rows_outside_the_support_have_no_mass_and_no_statistics():
    family = Multinomial(P[0])
    rows = np.array([[1.0, -1.0, 0.0], [0.5, 0.5, 0.0], [np.inf, 0.0, 0.0], [np.nan, 1.0, 1.0]])
    values = log_prob(family, rows)
    assert np.all(values[:3] == -np.inf)
    assert np.isnan(values[3])
    assert np.all(family.sufficient_statistics(rows) == 0.0)
    assert np.all(family.log_base(rows) == 0.0)
    assert family.supports(rows).shape == rows.shape


def test_a_multinomial_is_poissons_given_their_total():
    rates, row = np.array([2.0, 3.0, 5.0]), np.array([4.0, 0.0, 7.0])
    joint = Poisson(rates).log_prob(row).sum() - Poisson(np.array([10.0])).log_prob(np.array([11.0]))[0]
    np.testing.assert_allclose(log_prob(Multinomial(P[0]), row), joint, rtol=1e-11)


@pytest.mark.parametrize("total", [0, 1, 2, 9, 60])
def test_moments_and_entropies_take_the_total(total):
    family = Multinomial(P)
    entropy, mean, variance = totals(family, float(total))
    for k, p in enumerate(P):
        np.testing.assert_allclose(mean[k], total * p, rtol=1e-14)
        np.testing.assert_allclose(variance[k], total * p * (1 - p), rtol=1e-14)
        # −log n! − n Σ p log p + Σ E log x!
        counts = np.arange(total + 1)
        factorial = sum((st.binom.pmf(counts, total, q) * sp.gammaln(counts + 1)).sum() for q in p)
        expected = -sp.gammaln(total + 1) + total * sp.entr(p).sum() + factorial
        np.testing.assert_allclose(entropy[k], expected, rtol=1e-9, atol=1e-12)
    if total == 1:
        np.testing.assert_allclose(entropy, Categorical(P).entropy(), rtol=1e-12)


def test_divergences_are_the_totals_of_the_items():
    p, q = Multinomial(P[0]), Multinomial(np.array([0.5, 0.25, 0.25]))
    n = 4
    rows = np.array([(i, j, n - i - j) for i in range(n + 1) for j in range(n + 1 - i)])
    log_p, log_q = (st.multinomial.logpmf(rows, n, family.probabilities) for family in (p, q))
    mass = np.exp(log_p)
    np.testing.assert_allclose(p.kl_divergence(q, total=4.0), np.sum(mass * (log_p - log_q)), rtol=1e-10)
    np.testing.assert_allclose(p.cross_entropy(q, total=4.0), -np.sum(mass * log_q), rtol=1e-10)
    bits = p.cross_entropy(q, 2.0, total=4.0)
    np.testing.assert_allclose(bits, -np.sum(mass * log_q) / np.log(2), rtol=1e-10)
    # 0 log 0 = 0, and infinite where the other has no mass
    sure = Multinomial(P[1])
    assert np.isfinite(sure.entropy(total=3.0))
    assert p.kl_divergence(sure) == np.inf


def test_maximum_likelihood_is_the_share_of_all_items():
    generator = np.random.default_rng(0)
    rows = generator.multinomial(12, P[0], size=30).astype(float)
    rows[3] = 0.0
    weight = generator.random(30)
    family = Multinomial(np.full(3, 1 / 3))
    fitted = family.maximise((weight[:, None] * rows).sum(0), np.asarray(weight.sum()))
    np.testing.assert_allclose(fitted.probabilities, weight @ rows / (weight @ rows).sum(), rtol=1e-13)
    kept = family.maximise(np.ones(3), np.zeros(()))
    np.testing.assert_array_equal(kept.probabilities, family.probabilities)


def test_draws_have_their_totals_and_probabilities():
    family, n = Multinomial(P), np.array([20.0, 5.0])
    draws = np.asarray(family.sample(key=jax.random.key(1), shape=(3000,), total=n))
    assert draws.shape == (3000, 2, 3)
    np.testing.assert_array_equal(draws.sum(-1), np.broadcast_to(n, (3000, 2)))
    for k in range(2):
        for v in range(3):
            error = np.sqrt(n[k] * P[k, v] * (1 - P[k, v]) / 3000)
            assert abs(draws[:, k, v].mean() - n[k] * P[k, v]) <= 4.5 * error
        observed = np.cov(draws[:, k].T)
        expected = n[k] * (np.diag(P[k]) - np.outer(P[k], P[k]))
        np.testing.assert_allclose(observed, expected, atol=0.5)
