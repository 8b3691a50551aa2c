"""How many topics: the sweep finds the three that made the documents; its figures are those of its parts."""

import numpy as np
import pandas as pd
import pytest
import scipy.sparse as sp
from sklearn.base import BaseEstimator
from sklearn.decomposition import LatentDirichletAllocation as Theirs

from tacit.estimators.topics.latent_dirichlet_allocation import LatentDirichletAllocation
from tacit.evaluation.topic_selection import completed, select_topics
from tacit.evaluation.topic_trace import TopicTrace
from tacit.inference.watch import watch
from tacit.models.topics.completion import Completion, document_halves, log_probability

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
WORDS = 24


class Plain(Theirs):
    """scikit-learn's topic model, which needs no compiling, with what a sweep asks for."""

    def fit(self, X, y=None, *, vocabulary=None):
        super().fit(X)
        self.vocabulary_ = vocabulary
        self.topic_word_ = self.components_ / self.components_.sum(axis=1, keepdims=True)
        return self

    def completion(self, X):
        given, asked = document_halves(sp.csr_array(X))
        found = log_probability(self.transform(given), self.topic_word_, asked)
        return Completion(found, np.asarray(asked.sum(axis=1)).ravel())


@pytest.fixture(scope="module")
def counts() -> sp.csr_array:
    """Sixty documents of three topics with eight words each, nearly pure."""
    random = np.random.default_rng(0)
    topics = np.repeat(np.eye(3), 8, axis=1) * random.gamma(2.0, size=WORDS) + 1e-3
    topics /= topics.sum(axis=1, keepdims=True)
    mixtures = random.dirichlet([0.1] * 3, 60)
    return sp.csr_array(np.stack([random.multinomial(60, theta @ topics) for theta in mixtures]).astype(float))


def test_the_number_that_made_the_documents_predicts_best(counts: sp.csr_array) -> None:
    words = [f"w{place}" for place in range(WORDS)]
    found = select_topics(counts, (1, 3), estimator=Plain(), vocabulary=words, random_state=0)
    rows = found.table.to_pylist()
    assert [row["n_components"] for row in rows] == [1, 3]
    assert rows[1]["completion"] > rows[0]["completion"] + 0.5
    assert found.best.n_components == 3
    assert found.best.vocabulary_ == words
    assert rows[1]["stability"] > 0.7
    assert all(row["perplexity"] == pytest.approx(np.exp(-row["completion"])) for row in rows)
    assert all(row["completion_error"] > 0 and row["lacking"] == 0.0 for row in rows)
    assert "nats a word" in found.units["completion"]
    assert len(found.plot().axes) == 3


def test_every_fit_of_the_sweep_knows_the_words(counts: sp.csr_array) -> None:
    words = [f"w{place}" for place in range(WORDS)]

    class Named(Plain):
        def fit(self, X, y=None, *, vocabulary=None):
            assert vocabulary == words
            return super().fit(X, vocabulary=vocabulary)

    frame = pd.DataFrame(counts.toarray(), columns=words)
    found = select_topics(frame, (2,), estimator=Named(max_iter=1), seeds=1, random_state=0)
    assert found.best.vocabulary_ == words


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"topics": ()}, "topics must be whole numbers"),
        ({"criterion": "bic"}, "criterion must be one of 'completion', 'coherence', 'stability'"),
        ({"criterion": "stability", "seeds": 1}, "seeds must be a whole number of at least 2"),
        ({"holdout": 0.0}, "holdout must be above 0"),
        ({"estimator": BaseEstimator()}, "does not predict the words of a document"),
    ],
)
def test_what_makes_no_sense_is_refused(counts: sp.csr_array, settings: dict, said: str) -> None:
    with pytest.raises(ValueError, match=said):
        select_topics(counts, **{"topics": (2,), **settings})


def test_the_error_is_that_of_a_ratio() -> None:
    class Fixed:
        def completion(self, X: object) -> Completion:
            return Completion(np.array([-2.0, -9.0, 0.0]), np.array([1.0, 3.0, 0.0]))

    score, error = completed(Fixed(), np.zeros((3, 1)))
    assert score == -11 / 4
    # deviations −2 + 11/4 and −9 + 33/4, two documents that have words, four words
    assert error == pytest.approx(np.sqrt((0.75**2 + 0.75**2) * 2) / 4)


def test_a_watcher_keeps_coherence_over_the_fit(counts: sp.csr_array) -> None:
    looking = TopicTrace(counts, n_words=5)
    with watch(looking):
        model = LatentDirichletAllocation(3, random_state=0, max_iter=4).fit(counts)
    found = looking.curves(model, float(counts.sum()))
    np.testing.assert_array_equal(found["iteration"], model.trace_.iteration)
    np.testing.assert_allclose(found["perplexity"], np.exp(-model.trace_.bound / counts.sum()))
    assert np.isfinite(found["coherence"]).any()
    assert np.nanmax(found["coherence"]) <= 1.0
