"""``LatentDirichletAllocation``: what it promises beyond scikit-learn, on topics that are known."""

import os
import subprocess
import sys
from typing import Any

import numpy as np
import pandas as pd
import pytest
from scipy import sparse
from scipy.special import psi
from sklearn.decomposition import LatentDirichletAllocation as Theirs

import tacit
from tacit import LatentDirichletAllocation
from tacit.data import documents
from tacit.models.topics import fitting

pytestmark = [pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning"), pytest.mark.reuses_keys]
WORDS = tuple(["ball", "goal", "team", "vote", "party", "law", "bread", "milk", "salt"])
TRUTH = np.repeat(np.eye(3), 3, axis=1) * 0.3 + 0.1 / 9


def corpus(number: int = 60, length: int = 40, seed: int = 0) -> sparse.csr_array:
    """Documents of three topics of three words each, and a little of everything."""
    draw = np.random.default_rng(seed)
    shares = draw.dirichlet([0.6, 0.3, 0.2], number) @ TRUTH
    return sparse.csr_array(np.array([draw.multinomial(length, share / share.sum()) for share in shares], float))


def model(**settings: Any) -> LatentDirichletAllocation:
    return LatentDirichletAllocation(**({"n_components": 3, "random_state": 0, "start_iter": 10} | settings))


X = corpus()


@pytest.mark.parametrize("method", ["batch", "online"])
def test_known_topics_are_found_heaviest_first(method: str) -> None:
    found = model(learning_method=method, batch_size=20).fit(corpus(200))
    best = np.abs(found.topic_word_[:, None] - TRUTH).sum(2)
    assert sorted(best.argmin(1)) == [0, 1, 2]
    assert best.min(1).max() < (0.2 if method == "batch" else 0.4)  # out of 2
    masses = found.components_.sum(axis=1)
    assert np.all(np.diff(masses) <= 1e-6)
    assert np.allclose(found.topic_word_.sum(axis=1), 1.0)
    assert np.allclose(np.log(found.exp_dirichlet_component_), psi(found.components_) - psi(masses)[:, None])
    assert found.n_features_in_ == 9
    assert found.vocabulary_ is None


def test_scores_are_scikit_learns_at_its_topics() -> None:
    """Their λ in our model: the same bound, perplexity and topics, as far as their documents have converged."""
    theirs = Theirs(3, random_state=0, max_doc_update_iter=1000, mean_change_tol=1e-9, max_iter=20).fit(X)
    ours = model(max_doc_update_iter=1000, mean_change_tol=1e-9).fit(X)
    ours.model_ = type(ours.model_)(**(vars(ours.model_) | {"concentrations": theirs.components_.T}))
    new = corpus(15, 30, seed=1)
    assert ours.score(new) == pytest.approx(theirs.score(new), abs=1e-5)
    assert ours.perplexity(new) == pytest.approx(theirs.perplexity(new), rel=1e-8)
    assert np.allclose(ours.transform(new), theirs.transform(new), atol=1e-6)
    alike = corpus(15, 40, seed=1)  # as long as those of the fit, so that total_samples can say the words of the fit
    scaled = theirs.set_params(total_samples=60).perplexity(alike, sub_sampling=True)
    assert ours.perplexity(alike, sub_sampling=True) == pytest.approx(scaled, rel=1e-8)


def test_what_the_scores_add_up_to() -> None:
    found = model().fit(X)
    new, tokens = corpus(20, 30, seed=1), 20 * 30
    local = found.score_samples(new)
    divergence = local.sum() - found.score(new)
    assert divergence > 0
    assert found.perplexity(new) == pytest.approx(np.exp(-found.score(new) / tokens))
    scaled = np.exp(-(local.sum() / tokens - divergence / X.sum()))  # by the words of the fit, not of these documents
    assert found.perplexity(new, sub_sampling=True) == pytest.approx(scaled)
    assert found.lower_bound_ == pytest.approx(found.score(X))
    assert found.bound_ == pytest.approx(found.perplexity(X))
    assert found.completion_score(new) == pytest.approx(-np.log(found.completion_perplexity(new)))
    assert found.completion_perplexity(new) < 9 * 0.8  # nine words, three topics
    assert np.all(np.diff(found.trace_.bound) > -1e-8)
    assert found.trace_.bound[-1] == pytest.approx(found.lower_bound_)
    assert any("converged" in word or "max_iter" in word for word in found.verdict_.words())


def test_large_corpora_are_found_alike(monkeypatch: pytest.MonkeyPatch) -> None:
    """In single precision and in several blocks, as if this were a large corpus."""
    small = model(tol=0.0).fit(X)
    monkeypatch.setattr(fitting, "LARGE", 0)
    monkeypatch.setattr(documents, "PART_NUMBERS", 0)
    large = model(tol=0.0).fit(X)
    assert np.abs(large.topic_word_ - small.topic_word_).max() < 0.01
    assert large.lower_bound_ == pytest.approx(large.score(X))
    assert large.lower_bound_ == pytest.approx(small.lower_bound_, rel=1e-3)


def test_a_long_document_in_single_precision(monkeypatch: pytest.MonkeyPatch) -> None:
    """Twenty thousand words in one document: log Γ of its γ is a number in single precision too."""
    long = sparse.csr_array(np.vstack([500.0 * X[[0]].toarray(), X[:5].toarray()]))
    traces = []
    for large in (fitting.LARGE, 0):
        monkeypatch.setattr(fitting, "LARGE", large)
        traces.append(model(tol=0.0, max_iter=2, start_iter=2).fit(long).trace_.bound)
    assert np.isfinite(traces[1]).all()
    assert np.allclose(traces[1], traces[0], rtol=1e-2)


def test_the_callers_counts_stay_as_they_are() -> None:
    twice = sparse.csr_array((np.array([1.0, 2.0, 0.0]), np.array([0, 0, 4]), np.array([0, 3])), shape=(1, 9))
    for part in (twice.data, twice.indices, twice.indptr):
        part.flags.writeable = False
    found = model()._counts(twice, "fit", reset=True)
    assert (found.nnz, found[0, 0], twice.nnz) == (1, 3.0, 3)


SCRIPT = """
import os, sys
if sys.argv[1] == "one":
    os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})
import numpy as np
from tacit.data import documents
from tacit.estimators.topics.latent_dirichlet_allocation import LatentDirichletAllocation
from tacit.models.topics import fitting
counts = np.random.default_rng(0).poisson(np.random.default_rng(1).choice([0.0, 0.3], (60, 4258))).astype(float)
fitting.LARGE = documents.PART_NUMBERS = 0  # as if this were a large corpus
settings = {"random_state": 0, "start_iter": 2, "max_iter": 1, "doc_topic_prior": "auto"}
found = LatentDirichletAllocation(20, **settings).fit(counts)
print(found.components_.tobytes().hex()[:4096], found.lower_bound_)
"""


@pytest.mark.skipif(not hasattr(os, "sched_setaffinity"), reason="this system cannot tie a process to a core")
def test_the_number_of_threads_changes_no_bit() -> None:
    """One core and one thread, or all of them."""
    said = []
    for threads in ("one", "all"):
        flags = os.environ.get("XLA_FLAGS", "") + (" --xla_cpu_multi_thread_eigen=false" if threads == "one" else "")
        command = [sys.executable, "-W", "ignore", "-c", SCRIPT, threads]
        environment = os.environ | {"XLA_FLAGS": flags}
        environment.pop("OPENBLAS_NUM_THREADS")
        said.append(subprocess.run(command, env=environment, capture_output=True, text=True, check=True).stdout)
    assert said[0] == said[1]
    assert len(said[0]) > 3000


def test_priors_are_learned() -> None:
    """α and η of the documents' making come out roughly, and the bound is no lower than with them fixed."""
    data = corpus(250, 60)
    fixed = model(doc_topic_prior=1.0, topic_word_prior=1.0, max_iter=20).fit(data)
    learned = model(doc_topic_prior="auto", topic_word_prior="auto", max_iter=20).fit(data)
    assert learned.lower_bound_ > fixed.lower_bound_ + 10
    assert learned.doc_topic_prior_.shape == (3,)
    assert learned.topic_word_prior_.shape == (9,)
    assert np.allclose(learned.doc_topic_prior_ / learned.doc_topic_prior_.sum(), [0.55, 0.27, 0.18], atol=0.1)
    tied = model(doc_topic_prior="auto-symmetric", topic_word_prior="auto-symmetric").fit(data)
    assert isinstance(tied.doc_topic_prior_, float)
    assert isinstance(tied.topic_word_prior_, float)
    assert 0.1 < tied.doc_topic_prior_ < 1.0


def test_seeds_make_their_topic_and_say_what_they_did() -> None:
    seeded = model(seed_words={2: ["ball", "goal"], 0: ["milk"]}, seed_strength=200.0).fit(X, vocabulary=WORDS)
    assert seeded.topic_word_[:, 0].argmax() == 2  # the ball's topic keeps its number
    assert seeded.topic_word_[:, 7].argmax() == 0
    effect = seeded.seed_effect_[2]
    assert effect["share"] == pytest.approx(seeded.topic_word_[2, :2].sum())
    assert effect["largest_elsewhere"] == pytest.approx(seeded.topic_word_[:2, :2].sum(1).max())
    assert effect["share_of_prior"] == pytest.approx(400.0 / seeded.components_[2].sum())
    plain = model().fit(X)
    assert plain.seed_effect_ == {}
    with pytest.raises(ValueError, match=r"'bal' is not among the 9 words.*'ball'"):
        model(seed_words={0: ["bal"]}).fit(X, vocabulary=WORDS)
    with pytest.raises(ValueError, match="topics are 0 to 2"):
        model(seed_words={3: [0]}).fit(X)
    with pytest.raises(ValueError, match="words by column only"):
        model(seed_words={0: ["ball"]}).fit(X)
    with pytest.raises(ValueError, match="column 9"):
        model(seed_words={0: [9]}).fit(X)


def test_dead_and_double_topics_are_begun_anew(monkeypatch: pytest.MonkeyPatch) -> None:
    """Topics begun from one document all alike; without restarts two stay one."""
    monkeypatch.setattr(fitting, "far_documents", lambda counts, number, random: np.zeros(number, int))
    monkeypatch.setattr(fitting, "begin", begun_alike(fitting.begin))
    found = model(n_components=3, start_iter=20).fit(X)
    assert found.topics_restarted_ > 0
    roots = np.sqrt(found.topic_word_)
    assert (roots @ roots.T)[~np.eye(3, dtype=bool)].max() < 0.95


def begun_alike(begin: Any) -> Any:
    def alike(counts: Any, picked: Any, prior: Any, random: Any) -> Any:
        fresh = begin(counts, picked, prior, random)
        return np.tile(fresh[:, :1], (1, fresh.shape[1])) if len(set(picked.tolist())) == 1 else fresh

    return alike


def test_new_words_join_in() -> None:
    draw = np.random.default_rng(5)
    found = model(total_samples=200, learning_offset=1.0).partial_fit(X, vocabulary=WORDS)
    wider = np.hstack([X.toarray(), np.zeros((60, 1))])
    sport = X.toarray()[:, :3].sum(1) > 20
    wider[sport, 9] = draw.poisson(8.0, sport.sum())
    order = draw.permutation(10)
    names = [(*WORDS, "referee")[i] for i in order]
    for _ in range(5):
        found.partial_fit(wider[:, order], vocabulary=names)
    assert found.vocabulary_ == (*WORDS, "referee")
    assert found.n_features_in_ == 10
    assert found.topic_word_[:, 9].argmax() == found.topic_word_[:, 0].argmax()
    assert found.transform(wider).shape == (60, 3)
    assert np.array_equal(found.align(np.array([[3.0, 5.0]]), ["goal", "unheard"]).toarray()[0], 3.0 * np.eye(10)[1])
    unnamed = model().partial_fit(X).partial_fit(wider)
    assert unnamed.n_features_in_ == 10
    with pytest.raises(ValueError, match="features"):
        unnamed.partial_fit(X)
    with pytest.raises(ValueError, match="stand twice"):
        found.partial_fit(X, vocabulary=["a"] * 9)
    with pytest.raises(ValueError, match="2 words, X has 9 columns"):
        found.partial_fit(X, vocabulary=["a", "b"])


def test_what_is_refused_widens_nothing() -> None:
    found = model().partial_fit(X, vocabulary=WORDS)
    wrong = np.full((2, 10), -1.0)
    for names in ([*WORDS, "referee"], None):
        with pytest.raises(ValueError, match=r"Negative values .* LatentDirichletAllocation\.partial_fit"):
            found.partial_fit(wrong, vocabulary=names)
    with pytest.raises(ValueError, match="X has 1 new columns without names: give vocabulary="):
        found.partial_fit(-wrong)
    assert (found.n_features_in_, found.vocabulary_) == (9, WORDS)
    assert found.transform(X).shape == (60, 3)


def test_columns_with_names() -> None:
    frame = pd.DataFrame(X.toarray(), columns=WORDS)
    found = model().fit(frame)
    assert found.vocabulary_ == WORDS
    assert np.array_equal(found.transform(frame), model().fit(X).transform(X))


def test_bad_input() -> None:
    found = model().fit(X)
    with pytest.raises(ValueError, match=r"Negative values in data passed to LatentDirichletAllocation\.fit"):
        model().fit(-X.toarray())
    with pytest.raises(ValueError, match="expecting 9 features"):
        found.transform(np.ones((2, 8)))
    with pytest.raises(ValueError, match="whole counts"):
        found.completion_perplexity(X * 0.5)
    with pytest.raises(ValueError, match="no word"):
        found.perplexity(np.zeros((2, 9)))
    with pytest.raises(ValueError, match="doc_topic_prior must be positive"):
        model(doc_topic_prior=[0.1, 0.2]).fit(X)
    empty = found.transform(np.zeros((1, 9)))
    assert np.allclose(empty, 1 / 3)  # the mean of the prior
    assert found.score_samples(np.zeros((1, 9)))[0] == pytest.approx(0.0, abs=1e-10)


def test_documents_are_drawn() -> None:
    found = model().fit(X)
    drawn, shares = found.sample(200, lengths=50)
    assert np.array_equal(drawn.sum(axis=1), np.full(200, 50.0))
    means = np.asarray(drawn.sum(axis=0)).ravel() / drawn.sum()
    assert np.abs(means - (shares @ found.topic_word_).mean(0)).max() < 0.02
    assert found.sample(1)[0].sum() == found.mean_length_ == 40


def test_iterations_are_told(capsys: pytest.CaptureFixture[str]) -> None:
    model(verbose=1, evaluate_every=2, max_iter=4, tol=0.0, perp_tol=0.0).fit(X)
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == 4
    assert sum("perplexity" in line for line in lines) == 2


def test_the_best_of_several_starts_is_kept() -> None:
    found = model(n_components=5, n_init=3).fit(X)
    assert len(found.verdict_.bounds) == 3
    assert found.lower_bound_ == max(found.verdict_.bounds)


def test_reuters_is_predicted_better_than_by_scikit_learn(shared_data: Any) -> None:
    """The README's claim in small: the same split, priors and routine for both."""
    packed = np.load(shared_data / "text" / "reuters.npz")
    counts = sparse.csr_array((packed["data"], packed["indices"], packed["indptr"]), packed["shape"]).astype(float)
    first, second = tacit.document_halves(counts[::4])
    train = counts[np.arange(395) % 4 != 0]
    settings = {"n_components": 20, "doc_topic_prior": 0.1, "topic_word_prior": 0.05, "random_state": 0}
    topics = [kind(max_iter=5, **settings).fit(train).components_ for kind in (LatentDirichletAllocation, Theirs)]
    ours, theirs = (tacit.document_completion(found, 0.1, first, second) for found in topics)
    gain = ours.log_prob - theirs.log_prob
    assert gain.mean() > 2 * gain.std() / np.sqrt(gain.size)
