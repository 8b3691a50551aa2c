"""Conjugate priors beside scipy's gamma, beta and Dirichlet, and every expectation by quadrature."""

import dataclasses
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import scipy.special as sp
import scipy.stats as st

from tacit.families import (
    Bernoulli,
    BetaBernoulli,
    Categorical,
    ConjugatePrior,
    Dirichlet,
    DirichletCategorical,
    Exponential,
    ExponentialFamily,
    GammaExponential,
    GammaPoisson,
    LogNormal,
    Multinomial,
    Normal,
    NormalGamma,
    Poisson,
)

pytestmark = pytest.mark.usefixtures("double")


@dataclasses.dataclass(frozen=True)
class Case:
    """Two priors of one kind, members all over their range, and rows of data."""

    prior: ConjugatePrior
    members: ExponentialFamily  # [points, 1]: what the priors are densities of
    measure: np.ndarray  # [points]: dη, so that sums over the members are integrals
    expected: np.ndarray  # [points, 2]: scipy's log-density of η
    x: np.ndarray  # rows of data


def gamma_of(a: np.ndarray, b: np.ndarray, rate: np.ndarray) -> np.ndarray:
    return st.gamma.logpdf(rate[:, None], a, scale=1 / b)


def _cases() -> dict[str, Case]:
    a, b = np.array([1.3, 40.0]), np.array([0.7, 11.0])
    logs = np.linspace(-25.0, 6.0, 6001)
    rate, step = np.exp(logs), logs[1] - logs[0]
    # up to 16 only: beyond it 1 − p has lost half of its digits
    odds = np.linspace(-45.0, 16.0, 6001)
    p = sp.expit(odds)
    ones, zeros = np.array([1.3, 40.0]), np.array([2.7, 11.0])
    # Normal-gamma: τ on a grid of log τ, μ on a grid of (μ − m)√τ
    m, kappa = np.array([0.4, -1.0]), np.array([0.5, 6.0])
    s, z = (mesh.ravel() for mesh in np.meshgrid(np.linspace(-16, 5, 701), np.linspace(-14, 14, 351)))
    tau = np.exp(s)
    mean = z / np.sqrt(tau)
    # dη = (τ/2) dμ dτ, with dμ = dz/√τ and dτ = τ ds
    area = 0.5 * tau * tau / np.sqrt(tau) * (21 / 700) * (28 / 350)
    normal_gamma = gamma_of(np.array([2.5, 8.0]), np.array([1.5, 9.0]), tau) - np.log(tau / 2)[:, None]
    normal_gamma = normal_gamma + st.norm.logpdf(mean[:, None], m, 1 / np.sqrt(kappa * tau[:, None]))
    prior = NormalGamma(m, kappa, np.array([2.5, 8.0]), np.array([1.5, 9.0]))
    beta = st.beta.logpdf(p[:, None], ones, zeros) + np.log(p * sp.expit(-odds))[:, None]
    return {
        "gamma-poisson": Case(
            GammaPoisson(a, b),
            Poisson(rate[:, None]),
            np.full(6001, step),
            gamma_of(a, b, rate) + logs[:, None],
            np.array([0.0, 3.0, 2.0, 7.0]),
        ),
        "gamma-exponential": Case(
            GammaExponential(a, b),
            Exponential(rate[:, None]),
            step * rate,
            gamma_of(a, b, rate),
            np.array([0.3, 1.7, 0.01]),
        ),
        "beta-bernoulli": Case(
            BetaBernoulli(ones, zeros),
            Bernoulli(p[:, None]),
            np.full(6001, odds[1] - odds[0]),
            beta,
            np.array([1.0, 0.0, 1.0, 1.0]),
        ),
        "dirichlet-categorical": Case(
            DirichletCategorical(Dirichlet(np.stack([ones, zeros], -1))),
            Categorical(np.stack([p, sp.expit(-odds)], -1)[:, None]),
            np.full(6001, odds[1] - odds[0]),
            beta,
            np.array([0.0, 1.0, 0.0, 0.0]),
        ),
        "normal-gamma": Case(
            prior,
            Normal(mean[:, None], 1 / tau[:, None]),
            area,
            normal_gamma,
            np.array([0.2, -1.0, 1.3]),
        ),
    }


CASES = _cases()


@jax.jit
def everything(prior: Any, other: Any, members: Any, statistics: Any, weight: Any) -> dict[str, Any]:
    return {
        "log_prob": prior.log_prob(members),
        "natural": prior.expected_natural(),
        "log_normalizer": prior.expected_log_normalizer(),
        "kl": prior.kl_divergence(other),
        "self": prior.kl_divergence(prior),
        "evidence": prior.log_evidence(statistics, weight),
        "posterior": prior.posterior(statistics, weight),
        "members": (members.natural, members.log_normalizer),
    }


@pytest.fixture(params=CASES)
def found(request):
    case = CASES[request.param]
    statistics = np.asarray(case.members.sufficient_statistics(case.x[:, None])).sum(0)
    other = jax.tree.map(lambda leaf: np.roll(leaf, 1, axis=0), case.prior)
    return case, everything(case.prior, other, case.members, statistics, np.full(2, float(len(case.x))))


def test_the_density_of_the_natural_parameter_is_scipys(found):
    case, values = found
    ours = np.asarray(values["log_prob"])
    kept = (case.expected > -600) & (np.exp(case.expected) * case.measure[:, None] > 1e-14)
    np.testing.assert_allclose(ours[kept], case.expected[kept], rtol=1e-9, atol=1e-9)
    np.testing.assert_allclose((np.exp(ours) * case.measure[:, None]).sum(0), 1.0, rtol=1e-9)


def test_expectations_are_integrals(found):
    case, values = found
    mass = np.exp(case.expected) * case.measure[:, None]
    natural, log_normalizer = map(np.asarray, values["members"])
    # natural is [points, 1, F]
    np.testing.assert_allclose(values["natural"], (mass[..., None] * natural).sum(0), rtol=1e-8, atol=1e-9)
    expected = (mass * log_normalizer).sum(0)
    np.testing.assert_allclose(values["log_normalizer"], expected, rtol=1e-8, atol=1e-9)


def test_divergences_are_integrals(found):
    case, values = found
    mass = np.exp(case.expected) * case.measure[:, None]
    # log-densities, not densities, of the other one: they do not underflow
    difference = case.expected - np.roll(case.expected, 1, axis=1)
    expected = np.where(mass > 0, mass * difference, 0.0).sum(0)
    np.testing.assert_allclose(values["kl"], expected, rtol=1e-7)
    assert np.all(np.abs(values["self"]) < 1e-13)


def test_the_evidence_is_an_integral(found):
    case, values = found
    base = np.asarray(case.members.log_base(case.x)).sum()
    likelihood = np.asarray(case.members.log_prob(case.x)).sum(1)[:, None]
    log_joint = case.expected + np.where(np.isfinite(likelihood), likelihood, -1e30)
    expected = sp.logsumexp(log_joint, b=case.measure[:, None], axis=0)
    np.testing.assert_allclose(values["evidence"] + base, expected, rtol=1e-9)
    # and the posterior is prior times likelihood over evidence
    posterior = np.asarray(jax.jit(lambda p, m: p.log_prob(m))(values["posterior"], case.members))
    kept = np.exp(log_joint - expected) * case.measure[:, None] > 1e-12
    np.testing.assert_allclose(posterior[kept], (log_joint - expected)[kept], rtol=1e-8, atol=1e-8)


PREDICTIVE = {
    "gamma-poisson": lambda x, a, b: st.nbinom.logpmf(x, a, b / (1 + b)),
    "gamma-exponential": lambda x, a, b: st.lomax.logpdf(x, a, scale=b),
    "beta-bernoulli": lambda x, a, b: st.betabinom.logpmf(x, 1, a, b),
}


@pytest.mark.parametrize("name", PREDICTIVE)
def test_the_evidence_of_one_row_is_the_known_predictive(name):
    case = CASES[name]
    parameters = jax.tree.leaves(case.prior)
    for x in case.x[:3]:
        statistics = np.asarray(case.members.sufficient_statistics(np.full(2, x)))
        ours = case.prior.log_evidence(statistics, np.ones(2)) + case.members.log_base(np.full(2, x))
        np.testing.assert_allclose(ours, PREDICTIVE[name](x, *parameters), rtol=1e-11)


def test_the_predictive_of_a_normal_is_student_t_and_of_a_multinomial_dirichlet_multinomial():
    prior = CASES["normal-gamma"].prior
    x = np.array([0.7, 0.7])
    family = Normal(np.zeros(2), np.ones(2))
    ours = prior.log_evidence(family.sufficient_statistics(x), np.ones(2)) + family.log_base(x)
    scale = np.sqrt(prior.rates * (prior.counts + 1) / (prior.shapes * prior.counts))
    np.testing.assert_allclose(ours, st.t.logpdf(x, 2 * prior.shapes, prior.means, scale), rtol=1e-11)
    alpha, row = np.array([0.5, 2.0, 3.0]), np.array([4.0, 0.0, 2.0])
    prior, family = DirichletCategorical(Dirichlet(alpha)), Multinomial(np.full(3, 1 / 3))
    ours = prior.log_evidence(family.sufficient_statistics(row), np.ones(())) + family.log_base(row)
    np.testing.assert_allclose(ours, st.dirichlet_multinomial.logpmf(row.astype(int), alpha, 6), rtol=1e-11)


STARTS = {
    "gamma-poisson": Poisson(np.ones(2)),
    "gamma-exponential": Exponential(np.ones(2)),
    "beta-bernoulli": Bernoulli(np.full(2, 0.5)),
    "dirichlet-categorical": Categorical(np.full((2, 2), 0.5)),
    "normal-gamma": Normal(np.zeros(2), np.ones(2)),
}


@jax.jit
def map_gradient(prior, start, statistics, weight):
    """The MAP step, and there the gradient of the objective in the natural parameter."""
    fitted = prior.maximise(start, statistics, weight)

    def objective(natural):
        member = fitted.from_natural(natural)
        inner = (statistics * member.natural).sum(-1) - weight * member.log_normalizer
        return (inner + prior.log_prob(member)).sum()

    return fitted, jax.grad(objective)(fitted.natural), jax.hessian(objective)(fitted.natural)


@pytest.mark.parametrize("name", CASES)
def test_the_map_step_is_the_maximum_of_likelihood_and_prior(name):
    case, start = CASES[name], STARTS[name]
    weight = np.array([0.3, 2.5])
    rows = np.asarray(start.sufficient_statistics(np.repeat(case.x[:, None], 2, axis=1)))
    statistics = rows.mean(0) * weight[:, None]
    fitted, gradient, hessian = map_gradient(case.prior, start, statistics, weight)
    scale = np.abs(statistics) + np.abs(case.prior.statistics) + 1.0
    assert np.all(np.abs(gradient) < 1e-12 * scale)
    curvature = np.asarray(hessian).reshape(gradient.size, -1)
    assert np.all(np.linalg.eigvalsh(curvature) < 1e-9)
    # the plain form, maximum likelihood with the pseudo-observations added, wherever there is one count
    if name != "normal-gamma":
        plain = start.maximise(statistics + case.prior.statistics, weight + case.prior.weight)
        for ours, theirs in zip(jax.tree.leaves(fitted), jax.tree.leaves(plain), strict=True):
            np.testing.assert_allclose(ours, theirs, rtol=1e-13)


def test_a_normal_prior_of_rows_is_rows():
    mean, variance, count = np.array([1.5]), np.array([0.4]), np.array([3.0])
    prior = NormalGamma(mean, count, 0.5 * (count + 3.0), 0.5 * count * variance)
    start = Normal(np.zeros(1), np.ones(1))
    alone = prior.maximise(start, np.zeros((1, 2)), np.zeros(1))
    np.testing.assert_allclose([alone.means[0], alone.variances[0]], [1.5, 0.4], rtol=1e-12)
    statistics, weight = np.array([[4.0, 9.0]]), np.array([2.0])
    step = prior.maximise(start, statistics, weight)
    plain = start.maximise(statistics + prior.statistics, weight + prior.weight)
    np.testing.assert_allclose(step.means, plain.means, rtol=1e-13)
    np.testing.assert_allclose(step.variances, plain.variances, rtol=1e-13)
    # the same prior serves log x
    logs = prior.maximise(LogNormal(start), statistics, weight)
    np.testing.assert_allclose(logs.logarithm.variances, plain.variances, rtol=1e-13)
    np.testing.assert_allclose(prior.log_prob(logs), prior.log_prob(step), rtol=1e-13)


@pytest.mark.parametrize("name", CASES)
def test_learning_in_two_parts_is_learning_at_once(name):
    case = CASES[name]
    rows = np.asarray(case.members.sufficient_statistics(np.repeat(case.x[:, None], 2, axis=1)))
    ones = np.full(2, 1.0)
    first = case.prior.posterior(rows[0], ones).posterior(rows[1:].sum(0), ones * (len(rows) - 1))
    at_once = case.prior.posterior(rows.sum(0), ones * len(rows))
    for ours, theirs in zip(jax.tree.leaves(first), jax.tree.leaves(at_once), strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=1e-12)


def test_impossible_levels_stay_impossible():
    prior = DirichletCategorical(Dirichlet(np.array([[2.0, 3.0, 0.0]])))
    shorter = DirichletCategorical(Dirichlet(np.array([[2.0, 3.0]])))
    statistics, weight = np.array([[1.0, 4.0, 0.0]]), np.array([5.0])
    fitted = prior.maximise(Categorical(np.array([[0.5, 0.5, 0.0]])), statistics, weight)
    np.testing.assert_allclose(fitted.probabilities, [[0.3, 0.7, 0.0]], rtol=1e-14)
    np.testing.assert_array_equal(prior.posterior(statistics, weight).statistics[..., 2], 0.0)
    np.testing.assert_allclose(prior.log_normalizer, shorter.log_normalizer, rtol=1e-14)
    np.testing.assert_allclose(
        prior.log_evidence(statistics, weight), shorter.log_evidence(statistics[:, :2], weight), rtol=1e-14
    )
    assert np.all(np.isfinite(prior.expected_natural()))
    assert prior.kl_divergence(prior) == 0.0


def test_dirichlet_is_scipys():
    alpha = np.array([0.7, 2.5, 4.0])
    ours, theirs = Dirichlet(alpha), st.dirichlet(alpha)
    for p in theirs.rvs(3, random_state=np.random.default_rng(0)):
        np.testing.assert_allclose(ours.log_prob(p), theirs.logpdf(p), rtol=1e-12)
    np.testing.assert_allclose(ours.mean(), theirs.mean(), rtol=1e-14)
    np.testing.assert_allclose(ours.entropy(), theirs.entropy(), rtol=1e-12)
    np.testing.assert_allclose(ours.entropy(2.0), theirs.entropy() / np.log(2), rtol=1e-12)
    draws = np.asarray(ours.sample(key=jax.random.key(0), shape=(4000,)))
    np.testing.assert_allclose(draws.sum(-1), 1.0, rtol=1e-12)
    for level in range(3):
        marginal = st.beta(alpha[level], alpha.sum() - alpha[level])
        assert st.kstest(draws[:, level], marginal.cdf).pvalue > 1e-3
        # E log π is the mean of the log of that beta
        grid = np.linspace(-60.0, 60.0, 20_001)
        density = np.exp(marginal.logpdf(sp.expit(grid))) * sp.expit(grid) * sp.expit(-grid)
        expected = np.sum(density * sp.log_expit(grid)) * (grid[1] - grid[0])
        np.testing.assert_allclose(ours.expected_log()[level], expected, rtol=1e-9)


def test_the_mode_of_a_dirichlet_has_one_count_less():
    alpha = np.array([1.5, 3.0, 4.0])
    mode = Dirichlet(alpha).mode()
    np.testing.assert_allclose(mode, (alpha - 1) / (alpha - 1).sum(), rtol=1e-14)
    slope = jax.grad(lambda logits: Dirichlet(alpha).log_prob(jax.nn.softmax(logits)))(jnp.log(mode))
    np.testing.assert_allclose(slope, 0.0, atol=1e-12)
    # posterior weights of a mixture: counts + α − 1, no level below 0
    weights = Dirichlet(np.array([0.5, 2.0, 1.0])).posterior(np.array([0.0, 4.0, 5.0])).mode()
    np.testing.assert_allclose(weights, [0.0, 0.5, 0.5], rtol=1e-14)
    np.testing.assert_allclose(Dirichlet(np.full(4, 0.5)).mode(), 0.25, rtol=1e-14)


def test_the_divergence_of_dirichlets_is_that_of_their_broken_sticks():
    # Dir(α₁, α₂, α₃) is Beta(α₁, α₂+α₃) and, independently, Beta(α₂, α₃) of the rest
    p, q = np.array([0.7, 2.5, 4.0]), np.array([3.0, 1.5, 0.8])

    def beta_divergence(a, b):
        grid = np.linspace(-80.0, 80.0, 40_001)
        u, v = sp.log_expit(grid), sp.log_expit(-grid)
        log_p = a[0] * u + a[1] * v - sp.betaln(*a)
        log_q = b[0] * u + b[1] * v - sp.betaln(*b)
        return np.sum(np.exp(log_p) * (log_p - log_q)) * (grid[1] - grid[0])

    expected = beta_divergence((p[0], p[1] + p[2]), (q[0], q[1] + q[2])) + beta_divergence(p[1:], q[1:])
    np.testing.assert_allclose(Dirichlet(p).kl_divergence(Dirichlet(q)), expected, rtol=1e-9)
    counts = np.array([2.0, 0.0, 5.0])
    theirs = sp.betaln(p[0] + 2, p[1] + p[2] + 5) - sp.betaln(p[0], p[1] + p[2])
    theirs += sp.betaln(p[1], p[2] + 5) - sp.betaln(p[1], p[2])
    np.testing.assert_allclose(Dirichlet(p).log_evidence(counts), theirs, rtol=1e-12)
