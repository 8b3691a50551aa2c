"""Choosing the number of whatever has one: clusters, components with a posterior, dimensions of a code, topics."""

from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from sklearn.metrics import pairwise_distances

import tacit
from tacit import registry
from tacit.estimators.capabilities import HasTopics, Predicts, Sweeps, can
from tacit.evaluation import parallel_choice
from tacit.evaluation.select import select
from tacit.evaluation.sweeping import criteria_of, silhouette
from tacit.models.factors.polychoric import polychoric

DRAW = np.random.default_rng(0)
BLOBS = np.concatenate([DRAW.normal(centre, 0.3, (30, 2)) for centre in ([0, 0], [5, 0], [0, 5])])
QUICK: dict[str, Any] = {"hidden": (4,), "max_epochs": 3, "n_samples": 5, "likelihood": "normal"}


def test_every_model_with_a_number_has_a_criterion() -> None:
    for name in registry.names():
        kind = registry.get(name)
        wanted = can(kind, Sweeps) and not can(kind, Predicts) and not can(kind, HasTopics)
        assert bool(criteria_of(kind())) == wanted or can(kind, HasTopics), name
    assert criteria_of(tacit.KMeans()) == ("silhouette",)
    assert criteria_of(tacit.VAE()) == ("held-out",)
    assert criteria_of(tacit.BayesianMixture())[0] == "bound"
    assert criteria_of(tacit.AutoEncoder()) == ()


def test_the_silhouette_by_its_definition() -> None:
    centres = np.array([[0.0, 0.0], [5.0, 0.0], [0.0, 5.0]])
    distances, weights = pairwise_distances(BLOBS, centres), DRAW.integers(1, 4, len(BLOBS)).astype(float)
    ordered = np.sort(distances, axis=1)
    each = [(b - a) / max(a, b) for a, b, _ in ordered]
    assert silhouette(distances, weights) == pytest.approx(np.average(each, weights=weights), rel=1e-12)
    doubled = np.repeat(distances, weights.astype(int), axis=0)
    assert silhouette(doubled, np.ones(len(doubled))) == pytest.approx(silhouette(distances, weights), rel=1e-12)
    assert silhouette(np.zeros((3, 2)), np.ones(3)) == 0.0
    assert silhouette(distances[:, :1], weights) == 0.0


def test_the_clusters_of_k_means_are_chosen_and_the_columns_keep_their_names() -> None:
    table = pa.table({"x": BLOBS[:, 0], "y": BLOBS[:, 1]})
    found = select(table, range(1, 6), estimator=tacit.KMeans(n_init=2), random_state=0)
    assert found.criterion == "silhouette"
    assert found.best.n_clusters == 3
    assert found.table["n_components"].to_pylist() == [1, 2, 3, 4, 5]
    assert list(found.best.feature_names_in_) == ["x", "y"]
    assert found.best.predict(table).shape == (90,)


def test_the_dimensions_of_a_code_are_chosen_by_rows_kept_aside() -> None:
    rows = DRAW.normal(size=(40, 3))
    found = select(rows, (1, 2), estimator=tacit.VAE(**QUICK), random_state=0)
    lines = found.table.to_pylist()
    assert found.best.n_components == max(lines, key=lambda line: line["held_out"])["n_components"]
    assert found.best.n_features_in_ == 3


def test_bayesian_mixtures_by_their_bound_if_nothing_is_said() -> None:
    found = select(BLOBS, (2, 3), None, estimator=tacit.BayesianGaussianMixture(max_iter=50, tol=1e-2), n_init=1)
    assert found.criterion == "bound"


def test_topics_and_what_cannot_be_chosen() -> None:
    counts = DRAW.poisson(1.0, (30, 8))
    found = select(counts, (2, 3), estimator=tacit.LatentDirichletAllocation(max_iter=3), random_state=0)
    assert found.criterion == "completion"
    assert found.best.n_components in (2, 3)
    with pytest.raises(ValueError, match="no weights"):
        select(counts, (2,), estimator=tacit.LatentDirichletAllocation(), sample_weight=np.ones(30))
    with pytest.raises(ValueError, match="AutoEncoder has no number of components"):
        select(BLOBS, (1, 2), estimator=tacit.AutoEncoder())
    with pytest.raises(ValueError, match="criterion must be one of 'silhouette'"):
        select(BLOBS, (1, 2), criterion="bic", estimator=tacit.KMeans())


def test_parallel_analysis_chooses_how_many_factors_items_have() -> None:
    """Where BIC of the same answers, with noise that is taken for that of measurements, sees more."""
    random = np.random.default_rng(1)
    behind = random.normal(size=(400, 2)) @ np.kron(np.eye(2), np.full(5, 0.7)) + random.normal(size=(400, 10)) * 0.7
    answers = (behind > random.uniform(-1.0, 1.0, 10)).astype(float)
    found = select(answers, range(1, 5), criterion="parallel", estimator=tacit.ItemFactorAnalysis(), random_state=0)
    assert found.best.n_components == 2
    assert found.table["n_components"].to_pylist() == [1, 2, 3, 4]
    assert found.table["n_parameters"].null_count == 3  # one number was fitted
    assert found.table["bic"].null_count == 0
    some = parallel_choice.by_parallel(tacit.ItemFactorAnalysis(), answers, np.ones(400))
    assert 0.2 * 400 < some.n < 0.41 * 400  # of two halves it would be (2/π)²
    measured = select(behind, range(1, 5), criterion="parallel", estimator=tacit.PCA(), random_state=0)
    assert measured.best.n_components == 2
    texts = {"a": ["x", "y", "z"] * 20, "b": ["u", "v", "w", "u"] * 15, "c": ["p", "q"] * 30}
    with pytest.raises(ValueError, match=r"levels of column 'a', 'b' have no order"):
        select(pa.table(texts), (1, 2), criterion="parallel", estimator=tacit.ItemFactorAnalysis(), random_state=0)


def test_a_median_split_says_as_much_of_a_correlation_as_two_fifths_of_the_rows() -> None:
    halves = np.array([[0.0, 0.0], [0.0, 1.0], [1.0, 0.0], [1.0, 1.0]] * 25)
    assert parallel_choice.effective_rows(polychoric(halves)) == pytest.approx(100 * (2 / np.pi) ** 2)
