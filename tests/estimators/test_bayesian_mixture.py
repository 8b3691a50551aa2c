"""Bayesian mixtures against enumeration, quadrature, closed-form evidences, scipy and scikit-learn."""

import itertools
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from scipy import stats
from scipy.special import betaln, digamma, expit, gammaln, logit, logsumexp, multigammaln
from sklearn.mixture import BayesianGaussianMixture as Peer

from tacit import BayesianGaussianMixture, BayesianMixture

pytestmark = [
    pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning"),
    pytest.mark.reuses_keys,
]
KINDS = ("full", "tied", "diag", "spherical")
DIRICHLET, PROCESS = "dirichlet_distribution", "dirichlet_process"


@pytest.fixture(scope="module")
def rows() -> np.ndarray:
    random = np.random.default_rng(0)
    return np.concatenate([random.normal(0.0, 1.0, (30, 2)), random.normal(6.0, 1.5, (30, 2))])


def gamma_poisson(x: np.ndarray, a: float, b: float) -> float:
    """log p(x) of counts under one Poisson with a Gamma(a, b) rate."""
    n, s = len(x), x.sum()
    return float(a * np.log(b) - gammaln(a) + gammaln(a + s) - (a + s) * np.log(b + n) - gammaln(x + 1).sum())


def beta_bernoulli(x: np.ndarray, a: float, b: float) -> float:
    return float(betaln(a + x.sum(), b + len(x) - x.sum()) - betaln(a, b))


def normal_gamma(x: np.ndarray, m: float, k: float, a: float, b: float) -> float:
    n = len(x)
    if n == 0:
        return 0.0
    square = ((x - x.mean()) ** 2).sum() + k * n / (k + n) * (x.mean() - m) ** 2
    late = a + n / 2
    value = gammaln(late) - gammaln(a) + a * np.log(b) - late * np.log(b + square / 2)
    return float(value + 0.5 * np.log(k / (k + n)) - 0.5 * n * np.log(2 * np.pi))


def log_weights(counts: np.ndarray, kind: str, prior: float) -> float:
    """log p(z) of one assignment with these counts, weights integrated out."""
    if kind == DIRICHLET:
        alpha = np.full(len(counts), prior)
        after = alpha + counts
        return float(gammaln(alpha.sum()) - gammaln(alpha).sum() + gammaln(after).sum() - gammaln(after.sum()))
    later = counts[::-1].cumsum()[::-1] - counts
    return float((betaln(1 + counts, prior + later) - betaln(1.0, prior)).sum())


NODES, SHARES = np.polynomial.legendre.leggauss(60)


def kl_quadrature(q: Any, p: Any) -> float:
    """KL of two densities of one variable, by Gauss–Legendre in t between quantiles, x = exp(t) or expit(t)."""
    bounded = np.isfinite(q.support()[1])
    levels = [1e-18, 1e-12, 1e-8, 1e-4, 0.01, 0.1, 0.3, 0.6]
    low, high = q.ppf(levels), q.isf(levels)[::-1]
    edges = np.concatenate([logit(low), logit(high)] if bounded else [np.log(low), np.log(high)])
    edges = np.unique(edges[np.isfinite(edges)])
    half = 0.5 * np.diff(edges)[:, None]
    t = edges[:-1, None] + half * (1.0 + NODES)
    x = expit(t) if bounded else np.exp(t)
    slope = x * (1.0 - x) if bounded else x
    return float((half * SHARES * slope * q.pdf(x) * (q.logpdf(x) - p.logpdf(x))).sum())


def kl_weights(model: Any, counts: np.ndarray, kind: str, prior: float) -> float:
    """KL(q(π)‖p(π|z)) of two components: a Beta, or two sticks."""
    if kind == DIRICHLET:
        return kl_quadrature(stats.beta(*model.weight_concentration_), stats.beta(*(prior + counts)))
    (a1, a2), (b1, b2) = model.weight_concentration_
    first = kl_quadrature(stats.beta(a1, b1), stats.beta(1 + counts[0], prior + counts[1]))
    return first + kl_quadrature(stats.beta(a2, b2), stats.beta(1 + counts[1], prior))


COLUMNS: dict[str, tuple[np.ndarray, dict, Callable, Callable]] = {
    "poisson": (
        np.array([0.0, 1, 7, 9]),
        {"shape": 1.5, "rate": 0.5},
        lambda x, p: gamma_poisson(x, p["shape"], p["rate"]),
        lambda x, p: stats.gamma(p["shape"] + x.sum(), scale=1 / (p["rate"] + len(x))),
    ),
    "bernoulli": (
        np.array([0.0, 1, 1, 1]),
        {"ones": 0.7, "zeros": 1.2},
        lambda x, p: beta_bernoulli(x, p["ones"], p["zeros"]),
        lambda x, p: stats.beta(p["ones"] + x.sum(), p["zeros"] + len(x) - x.sum()),
    ),
}


@pytest.mark.parametrize("kind", [DIRICHLET, PROCESS])
@pytest.mark.parametrize("family", list(COLUMNS))
def test_the_bound_and_the_exact_divergence_make_the_log_evidence(family: str, kind: str) -> None:
    # Gibbs: log p(x) = F + KL(q‖posterior), both over all 2^4 assignments and by quadrature over the parameters
    x, prior, evidence, conjugate = COLUMNS[family]
    model = BayesianMixture(
        2,
        families=family,
        priors={0: prior},
        weight_concentration_prior_type=kind,
        weight_concentration_prior=0.8,
        n_init=1,
        max_iter=7,
        random_state=0,
    ).fit(x[:, None])
    # q(z) is the E-step at the posterior, from expected parameters written down anew
    group = model.posterior_.groups[0].posterior
    if family == "poisson":
        a, b = np.asarray(group.shapes)[:, 0], np.asarray(group.rates)[:, 0]
        expected = x[:, None] * (digamma(a) - np.log(b)) - a / b - gammaln(x + 1)[:, None]
        own = [stats.gamma(a[k], scale=1 / b[k]) for k in range(2)]
    else:
        a, b = np.asarray(group.ones)[:, 0], np.asarray(group.zeros)[:, 0]
        expected = x[:, None] * (digamma(a) - digamma(b)) + digamma(b) - digamma(a + b)
        own = [stats.beta(a[k], b[k]) for k in range(2)]
    if kind == DIRICHLET:
        log_pi = digamma(model.weight_concentration_) - digamma(model.weight_concentration_.sum())
    else:
        ones, rest = model.weight_concentration_
        stick, left = digamma(ones) - digamma(ones + rest), digamma(rest) - digamma(ones + rest)
        log_pi = stick + np.concatenate([[0.0], left.cumsum()[:-1]])
    logits = expected + log_pi
    log_q = logits - logsumexp(logits, axis=1, keepdims=True)
    joint, divergence = [], []
    for z in itertools.product(range(2), repeat=len(x)):
        z = np.array(z)
        counts = np.bincount(z, minlength=2)
        log_joint = log_weights(counts, kind, 0.8) + sum(evidence(x[z == k], prior) for k in range(2))
        parts = kl_weights(model, counts, kind, 0.8)
        parts += sum(kl_quadrature(own[k], conjugate(x[z == k], prior)) for k in range(2))
        log_qz = log_q[np.arange(len(x)), z].sum()
        joint.append(log_joint)
        divergence.append(np.exp(log_qz) * (log_qz - log_joint + parts))
    log_evidence = logsumexp(joint)
    exact = sum(divergence) + log_evidence  # of q from the posterior: joint over the evidence
    assert exact > 1e-3
    assert abs(model.lower_bound_ + exact - log_evidence) < 1e-8


def wishart_evidence(x: np.ndarray, m: np.ndarray, k: float, dof: float, scale: np.ndarray) -> float:
    """log p(x) of Gaussian rows under a normal–Wishart prior (Murphy 2007, equation 266)."""
    n, d = x.shape
    centre = x - x.mean(axis=0)
    late = scale + centre.T @ centre + k * n / (k + n) * np.outer(x.mean(axis=0) - m, x.mean(axis=0) - m)
    value = multigammaln((dof + n) / 2, d) - multigammaln(dof / 2, d) - 0.5 * n * d * np.log(np.pi)
    value += 0.5 * dof * np.linalg.slogdet(scale)[1] - 0.5 * (dof + n) * np.linalg.slogdet(late)[1]
    return float(value + 0.5 * d * np.log(k / (k + n)))


def spherical_evidence(x: np.ndarray, m: np.ndarray, k: float, dof: float, scale: float) -> float:
    """The same with one precision τ ~ Gamma(dν/2, dV/2) for all columns."""
    n, d = x.shape
    a, late = 0.5 * d * dof, 0.5 * d * (dof + n)
    square = ((x - x.mean(axis=0)) ** 2).sum() + k * n / (k + n) * ((x.mean(axis=0) - m) ** 2).sum()
    b = 0.5 * d * scale
    value = gammaln(late) - gammaln(a) + a * np.log(b) - late * np.log(b + 0.5 * square)
    return float(value + 0.5 * d * np.log(k / (k + n)) - 0.5 * n * d * np.log(2 * np.pi))


@pytest.mark.parametrize("kind", KINDS)
def test_with_one_component_the_bound_is_the_log_evidence(rows: np.ndarray, kind: str) -> None:
    # and the predictive density is the ratio of two evidences; weight 2 is two copies
    weight = np.where(np.arange(len(rows)) % 3 == 0, 2.0, 1.0)
    twice = np.repeat(rows, weight.astype(int), axis=0)
    mean, dof = np.array([1.0, -1.0]), 4.5
    spread = np.array([[2.0, 0.3], [0.3, 1.0]])
    scale: Any = {"full": spread, "tied": spread, "diag": np.diag(spread), "spherical": 1.7}[kind]
    prior = {"mean_prior": mean, "mean_precision_prior": 0.4, "degrees_of_freedom_prior": dof}
    settings = {"covariance_type": kind, "reg_covar": 0.0, "weight_concentration_prior_type": DIRICHLET}
    model = BayesianGaussianMixture(covariance_prior=scale, **prior, **settings).fit(rows, sample_weight=weight)

    def evidence(x: np.ndarray) -> float:
        if kind == "spherical":
            return spherical_evidence(x, mean, 0.4, dof, scale)
        if kind == "diag":
            return sum(wishart_evidence(x[:, [j]], mean[[j]], 0.4, dof, scale[[[j]]]) for j in range(2))
        return wishart_evidence(x, mean, 0.4, dof, scale)

    assert abs(model.lower_bound_ - evidence(twice)) < 1e-9 * abs(model.lower_bound_)
    new = np.array([[0.3, 2.0], [-40.0, 3.0]])
    ratio = [evidence(np.vstack([twice, row])) - evidence(twice) for row in new]
    np.testing.assert_allclose(model.score_samples(new), ratio, rtol=1e-10)
    assert abs(model.verdict_.log_evidence - model.lower_bound_) < 1e-9 * abs(model.lower_bound_)
    assert model.verdict_.khat < 0.5


def test_gaps_of_independent_columns_are_left_out_of_the_evidence(rows: np.ndarray) -> None:
    holes = np.where(np.random.default_rng(1).random(rows.shape) < 0.3, np.nan, rows)
    settings = {"covariance_type": "diag", "reg_covar": 0.0, "weight_concentration_prior_type": DIRICHLET}
    model = BayesianGaussianMixture(covariance_prior=[1.0, 2.0], mean_prior=[0.0, 1.0], **settings).fit(holes)
    seen = [holes[~np.isnan(holes[:, j]), j] for j in range(2)]
    exact = [normal_gamma(seen[j], [0.0, 1.0][j], 1.0, 1.0, [0.5, 1.0][j]) for j in range(2)]
    assert abs(model.lower_bound_ - sum(exact)) < 1e-9 * abs(sum(exact))
    assert model.degrees_of_freedom_.shape == (1, 2)


@pytest.mark.parametrize("gaps", [False, True])
@pytest.mark.parametrize("kind", KINDS)
def test_the_bound_never_falls_and_importance_sampling_agrees(rows: np.ndarray, kind: str, gaps: bool) -> None:
    x = np.where(np.random.default_rng(2).random(rows.shape) < 0.2, np.nan, rows) if gaps else rows
    model = BayesianGaussianMixture(
        n_components=3,
        covariance_type=kind,
        tol=1e-8,
        max_iter=300,
        random_state=0,
        weight_concentration_prior_type=DIRICHLET if gaps else PROCESS,
    ).fit(x)
    assert np.all(np.diff(model.trace_.bound) > -1e-9)
    verdict = model.verdict_
    assert model.lower_bound_ < verdict.log_evidence + 5 * verdict.log_evidence_error
    # the posterior that factorises lies some nats below the evidence of one labelling, and no more
    assert verdict.log_evidence - model.lower_bound_ < 6.0


def test_in_other_units_the_bound_moves_by_the_jacobian_alone(rows: np.ndarray) -> None:
    settings = {"n_components": 2, "random_state": 0, "reg_covar": 0.0, "tol": 1e-9, "max_iter": 300}
    here = BayesianGaussianMixture(**settings).fit(rows)
    scaled = BayesianGaussianMixture(**settings).fit(rows * [100.0, 0.01] + [5.0, -3.0])
    assert abs(scaled.lower_bound_ - here.lower_bound_) < 1e-6  # 100 · 0.01 = 1
    np.testing.assert_allclose(scaled.means_, here.means_ * [100.0, 0.01] + [5.0, -3.0], rtol=1e-6)


@pytest.mark.parametrize("kind", KINDS)
def test_the_posterior_is_that_of_the_peer(rows: np.ndarray, kind: str) -> None:
    # scikit-learn's E-step of "diag" and "spherical" has the Wishart's digamma, ours the gamma's, so these differ
    settings = {"n_components": 2, "covariance_type": kind, "tol": 1e-10, "max_iter": 1000, "random_state": 0}
    settings["weight_concentration_prior_type"] = DIRICHLET
    ours, theirs = BayesianGaussianMixture(**settings).fit(rows), Peer(**settings).fit(rows)
    order = np.argsort(-theirs.weights_)
    rtol = 1e-6 if kind in ("full",) else 2e-3
    np.testing.assert_allclose(ours.weights_, theirs.weights_[order], rtol=rtol)
    np.testing.assert_allclose(ours.means_, theirs.means_[order], rtol=rtol, atol=10 * rtol)
    for name in ("mean_precision_", "degrees_of_freedom_", "covariances_", "precisions_cholesky_"):
        mine, other = np.asarray(getattr(ours, name)), np.asarray(getattr(theirs, name))
        assert mine.shape == other.shape, name
        shared = kind == "tied" and name != "mean_precision_"
        np.testing.assert_allclose(mine, other if shared else other[order], rtol=10 * rtol, atol=1e-3, err_msg=name)
    for name in ("covariance_prior_", "mean_prior_", "degrees_of_freedom_prior_", "mean_precision_prior_"):
        np.testing.assert_allclose(getattr(ours, name), getattr(theirs, name), rtol=1e-12, err_msg=name)
    assert set(vars(theirs)) - {"n_features_in_"} <= set(vars(ours)) | {"_random_state"}
