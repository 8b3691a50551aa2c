"""The model of latent Dirichlet allocation, against enumeration of every assignment of topics, and against scipy."""

import dataclasses
import itertools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax import random as keys
from scipy import optimize, sparse, special

from tacit.compute import double_precision
from tacit.data.blocks import AsTheyAre
from tacit.data.documents import BatchSource, DocumentRows, DocumentSource, lay, layout
from tacit.inference.closed_form import accumulate
from tacit.models.topics.completion import document_completion, document_halves
from tacit.models.topics.fitting import bayesian, documents_of, posterior, schedule
from tacit.models.topics.gammas import digamma, exp_digamma, log_gamma, ordered_sum
from tacit.models.topics.local import DocumentStep
from tacit.models.topics.model import TopicModel, local_step, newton, summary
from tacit.models.topics.starting import faulty

DOCUMENTS = ((0, 0, 2), (1, 2), ())
"""Three tiny documents of three words: eleven factors with the topics' own, and 32 assignments of two topics."""
ALPHA, ETA = np.array([0.6, 1.3]), np.array([[0.4, 0.7], [0.9, 0.2], [0.5, 0.5]])


def counts(documents: tuple[tuple[int, ...], ...] = DOCUMENTS, words: int = 3) -> sparse.csr_array:
    return sparse.csr_array(np.array([np.bincount(np.array(d, int), minlength=words) for d in documents], float))


def topics(concentrations: np.ndarray, alpha: np.ndarray, eta: np.ndarray) -> TopicModel:
    base = np.full(len(eta), 0.1)
    plan = schedule(False, 0, 500, 1e-14)
    return TopicModel(concentrations, alpha, base, eta - base[:, None], plan, "no", "no", np.asarray(False))


def log_beta(values: np.ndarray) -> float:
    return float(special.gammaln(values).sum() - special.gammaln(values.sum()))


def log_joint(assignment: tuple[int, ...]) -> float:
    """``log p(w, z)`` with θ and β integrated out: ratios of Dirichlet normalisers."""
    words = np.concatenate([np.array(d, int) for d in DOCUMENTS])
    owner = np.repeat(np.arange(len(DOCUMENTS)), [len(d) for d in DOCUMENTS])
    z = np.array(assignment)
    total = 0.0
    for d in range(len(DOCUMENTS)):
        total += log_beta(ALPHA + np.bincount(z[owner == d], minlength=2)) - log_beta(ALPHA)
    for k in range(2):
        total += log_beta(ETA[:, k] + np.bincount(words[z == k], minlength=3)) - log_beta(ETA[:, k])
    return total


@double_precision
def test_bound_and_divergence_to_the_exact_posterior_sum_to_the_log_evidence() -> None:
    """``log p(w) = F + KL(q ‖ p(θ, β, z | w))``; the last by enumeration of z and exact Dirichlets given z."""
    model = topics(ETA + np.array([[1.0, 0.5], [0.3, 1.1], [0.8, 0.4]]), ALPHA, ETA)
    gamma, bounds = posterior(model, counts())
    bound = bounds.sum() - summary(model).divergence
    logs = special.psi(gamma) - special.psi(gamma.sum(1, keepdims=True))
    word_logs = special.psi(model.concentrations) - special.psi(model.concentrations.sum(0))
    words = np.concatenate([np.array(d, int) for d in DOCUMENTS])
    owner = np.repeat(np.arange(len(DOCUMENTS)), [len(d) for d in DOCUMENTS])
    share = special.softmax(logs[owner] + word_logs[words], axis=1)  # q(z), the best for these γ and λ
    states = list(itertools.product(range(2), repeat=len(words)))
    joint = np.array([log_joint(state) for state in states])
    evidence = special.logsumexp(joint)
    apart = 0.0
    for state, log_p in zip(states, joint - evidence, strict=True):
        z = np.array(state)
        q = np.prod(share[np.arange(len(words)), z])
        given = log_p  # p(z | w), and then θ and β given z and w, which are Dirichlet
        for d in range(len(DOCUMENTS)):
            apart += q * dirichlet_kl(gamma[d], ALPHA + np.bincount(z[owner == d], minlength=2))
        for k in range(2):
            exact = ETA[:, k] + np.bincount(words[z == k], minlength=3)
            apart += q * dirichlet_kl(model.concentrations[:, k], exact)
        apart += q * (np.log(q) - given)
    assert abs(bound + apart - evidence) < 1e-10
    assert apart > 1e-3  # or nothing would have been tested


def dirichlet_kl(a: np.ndarray, b: np.ndarray) -> float:
    return float(log_beta(b) - log_beta(a) + (a - b) @ (special.psi(a) - special.psi(a.sum())))


@double_precision
def test_a_steps_gamma_is_the_fixed_point_and_raises_the_bound() -> None:
    model = topics(ETA + 1.0, ALPHA, ETA)
    gamma, bounds = posterior(model, counts())
    logs = special.psi(gamma) - special.psi(gamma.sum(1, keepdims=True))
    word_logs = special.psi(model.concentrations) - special.psi(model.concentrations.sum(0))
    for d, words in enumerate(DOCUMENTS):
        share = special.softmax(logs[d] + word_logs[list(words)], axis=1) if words else np.zeros((0, 2))
        assert np.allclose(gamma[d], ALPHA + share.sum(0), atol=1e-10)
    assert np.allclose(gamma[2], ALPHA)
    assert bounds[2] == pytest.approx(0.0, abs=1e-12)  # an empty document says nothing
    early = posterior(bayesian(model, 3, 0.0), counts())[1]
    assert np.all(bounds >= early - 1e-12)


@double_precision
def test_steps_in_the_engine_and_on_the_host_agree_and_iterations_raise_the_bound() -> None:
    draw = np.random.default_rng(0)
    data = sparse.csr_array(draw.poisson(draw.choice([0.1, 2.0], (30, 12))).astype(float))
    model = topics(draw.gamma(1.0, 1.0, (12, 3)) + 0.3, np.full(3, 0.4), np.full((12, 3), 0.3))
    source = DocumentSource(DocumentRows(data), 3)
    last = -np.inf
    for _ in range(4):
        step = model.prepare()
        assert np.allclose(step.words, local_step(model).words, atol=1e-14)
        stacked = jax.tree.map(lambda leaf: jnp.asarray(leaf)[None], step)
        (block,) = source.blocks()
        sums = accumulate(stacked, block, AsTheyAre(), np.zeros((1, 2), np.uint32), np.zeros(1, np.int32))
        _, bounds = posterior(model, data)
        assert np.allclose(sums.bound[0], bounds.sum(), atol=1e-9)
        assert np.allclose(model.global_bound(), -summary(model).divergence, atol=1e-9)
        assert np.allclose(sums.statistics.words.sum(), data.sum())
        bound = float(sums.bound[0] + model.global_bound())
        assert bound > last - 1e-9
        last = bound
        model = model.m_step(jax.tree.map(lambda leaf: leaf[0], sums.statistics))


@double_precision
def test_at_a_point_theta_is_the_mode_in_the_softmax_basis() -> None:
    """The gradient of ``Σ n log Σ θ β + Σ α log θ`` by the logits of θ is zero (MacKay 1998)."""
    beta = np.random.default_rng(1).dirichlet(np.ones(4), 3)
    alpha = np.array([0.7, 1.2, 0.5])
    data = counts(((0, 1, 1, 3), (2, 2, 0)), 4)
    step = DocumentStep(beta.T, np.zeros(4), alpha, schedule(True, 3000, 0, 0.0), single=False)
    gamma, bounds = documents_of(step, data)
    for d in range(2):

        def objective(logits: np.ndarray, d: int = d) -> float:
            theta = special.softmax(logits)
            density = special.gammaln(alpha.sum()) - special.gammaln(alpha).sum() + alpha @ np.log(theta)
            return float(-(data.toarray()[d] @ np.log(theta @ beta)) - density)

        at = np.log(gamma[d])
        assert np.abs(optimize.approx_fprime(at, objective, 1e-6)).max() < 1e-5
        assert -objective(at) == pytest.approx(bounds[d], abs=1e-10)


@pytest.mark.parametrize("tied", [False, True])
@double_precision
def test_newton_finds_what_scipy_finds(tied: bool) -> None:
    draw = np.random.default_rng(2)
    truth = np.array([0.05, 0.8, 2.5, 0.3])
    known = np.array([[0.0, 0.5, 0.0, 0.0], [0.0, 0.0, 0.0, 1.5]])
    rows = np.concatenate([draw.dirichlet(truth + b, 40) for b in known])
    logs = np.log(np.maximum(rows, 1e-200)).sum(0)

    def loss(values: np.ndarray) -> float:
        full = np.exp(np.broadcast_to(values, 4)) + known
        return float(40 * sum(log_beta(row) for row in full) - np.exp(np.broadcast_to(values, 4)) @ logs)

    best = optimize.minimize(loss, np.zeros(1 if tied else 4), tol=1e-12)
    for start in (1.0, 40.0, 1e-3):
        found = newton(np.full(4, start), logs, known, np.asarray(40.0), tied=tied)
        assert np.allclose(found, np.exp(best.x), rtol=1e-4)
        assert loss(np.log(found[: best.x.size])) <= best.fun + 1e-8


@double_precision
def test_learned_priors_are_where_the_bound_is_flat() -> None:
    """The derivative of the bound by log α and log η at what was learned, by differences of the whole bound."""
    draw = np.random.default_rng(3)
    beta = np.array([[8, 6, 4, 2, 1, 0, 0, 1], [0, 1, 0, 2, 3, 5, 7, 4]]) / 22
    shares = draw.dirichlet([0.5, 1.0], 25) @ beta
    data = sparse.csr_array(np.array([draw.multinomial(40, share / share.sum()) for share in shares], float))
    model = topics(5 * beta.T + 0.5, np.full(2, 0.4), np.full((8, 2), 0.3))
    learned = {"learn_documents": "each", "learn_words": "each", "learning": np.asarray(True), "seeds": None}
    model = dataclasses.replace(model, word_prior=np.full(8, 0.3), **learned)
    (block,) = DocumentSource(DocumentRows(data), 2).blocks()
    rows, weights = jax.tree.map(lambda leaf: jnp.asarray(leaf[0]), (block.rows, block.weights))
    iterate = jax.jit(lambda model: model.m_step(model.prepare()(rows, weights, keys.key(0)).statistics))
    for _ in range(300):
        model = iterate(model)

    def bound(shift: np.ndarray) -> float:
        alpha, eta = model.document_prior * np.exp(shift[:2]), model.word_prior * np.exp(shift[2:])
        moved = dataclasses.replace(model, document_prior=alpha, word_prior=eta)
        return float(posterior(moved, data)[1].sum() - summary(moved).divergence)

    slope = [(bound(h) - bound(-h)) / 2e-4 for h in 1e-4 * np.eye(10)]
    assert np.abs(slope).max() < 2e-3
    assert np.ptp(np.asarray(model.document_prior)) > 1e-3


def test_gammas() -> None:
    x = np.concatenate([np.geomspace(1e-6, 1e9, 300), [1.0, 2.0]])
    with jax.enable_x64(True):
        assert np.allclose(digamma(x), special.psi(x), rtol=1e-13, atol=1e-14)
        assert np.allclose(log_gamma(x), special.gammaln(x), rtol=1e-13, atol=1e-13)
        assert np.allclose(ordered_sum(x[:77]), x[:77].sum(), rtol=1e-14)
        assert np.allclose(exp_digamma(x), np.exp(special.psi(x)), rtol=1e-12, atol=1e-300)


def test_log_gamma_of_a_long_document_in_single_precision() -> None:
    x = np.array([0.1, 7000.0, 20_000.0, 1e7], np.float32)
    assert np.allclose(log_gamma(x), special.gammaln(x.astype(float)), rtol=1e-5)


@pytest.mark.parametrize("longest", [1, 40, 700])
def test_pages_hold_every_word_once(longest: int) -> None:
    draw = np.random.default_rng(4)
    sizes = draw.integers(0, longest + 1, 60)
    rows = [np.bincount(draw.choice(800, size, replace=False), minlength=800) for size in sizes]
    data = sparse.csr_array(np.array(rows, float) * draw.integers(1, 4, (60, 800)))
    shape = layout(DocumentRows(data), 5)
    batch = lay(DocumentRows(data), shape)
    pages, tiles, _ = batch.pages.words.shape
    found = np.zeros((pages * shape.documents, 800))
    slots = np.arange(pages)[:, None] * shape.documents + batch.pages.slots
    np.add.at(found, (slots[:, :, None], batch.pages.words), batch.pages.counts)
    assert np.array_equal(found[batch.places], data.toarray())
    assert found.sum() == data.sum() == batch.pages.counts.sum()
    assert np.array_equal(np.flatnonzero(batch.weights.ravel()), np.sort(batch.places))
    assert tiles == shape.tiles
    (block,) = BatchSource(DocumentRows(data), 5, 16, draw.permutation(60)).blocks()
    assert block.weights.sum(axis=(1, 2)).tolist() == [16, 16, 16, 12]


def test_dead_and_double_topics_are_found() -> None:
    means = np.array([[0.5, 0.5, 0.0], [0.5, 0.49, 0.01], [0.0, 0.1, 0.9], [0.3, 0.3, 0.4]]).T
    masses = np.array([10.0, 30.0, 20.0, 0.01])
    assert faulty(means, masses, ()).tolist() == [0, 3]
    assert faulty(means, masses, (0, 3)).tolist() == [1]


def test_completion_by_hand() -> None:
    """One topic: the other half is scored under it; two topics that share no word: the first half decides."""
    one = document_completion(np.array([[2.0, 6.0]]), 0.1, counts(((0,), (1,)), 2), counts(((1, 1), (0,)), 2))
    assert np.allclose(one.log_prob, [2 * np.log(0.75), np.log(0.25)])
    assert one.perplexity == pytest.approx(np.exp(-(2 * np.log(0.75) + np.log(0.25)) / 3))
    split = document_completion(np.eye(2), np.array([0.5, 0.5]), counts(((0, 0, 0),), 2), counts(((0, 1),), 2))
    assert split.log_prob[0] == pytest.approx(np.log(3.5 / 4) + np.log(0.5 / 4), abs=1e-8)
    first, second = document_halves(counts() * 5)
    assert np.array_equal((first + second).toarray(), counts().toarray() * 5)
    with pytest.raises(ValueError, match="whole counts"):
        document_halves(counts() * 0.5)
    with pytest.raises(ValueError, match="topics by words"):
        document_completion(np.eye(2), 0.1, counts(), counts())


def test_completion_of_what_cannot_be_scored() -> None:
    """Stored zeros are no words, and no word at all has no perplexity."""
    given, word = counts(((0,),), 2), counts(((0,),), 2)
    stored = sparse.csr_array((np.array([1.0, 0.0]), np.array([0, 1]), np.array([0, 2])), shape=(1, 2))
    assert document_completion(np.array([[1.0, 0.0]]), 0.1, given, stored).log_prob[0] == 0.0
    assert stored.nnz == 2
    with pytest.raises(ValueError, match="the asked halves hold no word"):
        document_completion(np.eye(2), 0.1, given, 0 * word)
    for prior in (0.0, np.nan, np.array([0.1, np.inf])):
        with pytest.raises(ValueError, match="prior must be finite and above 0"):
            document_completion(np.eye(2), prior, given, word)
