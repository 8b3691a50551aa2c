"""``GenerativeClassifier``: Bayes' rule against scipy and scikit-learn, gaps, refusal, and its estimator checks."""

import pickle
from typing import Any, Self

import numpy as np
import pandas as pd
import pytest
from scipy import sparse, stats
from scipy.special import logsumexp
from sklearn.base import BaseEstimator, clone
from sklearn.datasets import load_iris
from sklearn.exceptions import NotFittedError
from sklearn.model_selection import GridSearchCV, cross_val_score
from sklearn.naive_bayes import GaussianNB
from sklearn.neighbors import KernelDensity
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from tacit.data.dataset import DenseRows
from tacit.estimators.generative_classifier import GenerativeClassifier
from tacit.estimators.mixture.counts import PoissonMixture
from tacit.estimators.mixture.gaussian import GaussianMixture
from tacit.estimators.mixture.mixed import Mixture

IRIS = load_iris(as_frame=True)
X, Y = IRIS.data.to_numpy(), IRIS.target.to_numpy()
NAMES = np.array(IRIS.target_names)[Y]
RANDOM = np.random.default_rng(11)
HOLED = np.where(RANDOM.uniform(size=X.shape) < 0.3, np.nan, X)


class Ball(BaseEstimator):
    """A round unit Gaussian at the mean of what is observed: a density that costs nothing to fit."""

    def fit(self, X: np.ndarray, y: Any = None, sample_weight: Any = None) -> Self:
        rows = np.ma.masked_invalid(X)
        self.centre_ = np.ma.average(rows, axis=0, weights=sample_weight).filled(0.0)
        return self

    def score_samples(self, X: np.ndarray) -> np.ndarray:
        return np.nansum(stats.norm.logpdf(X, self.centre_), axis=1)

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.input_tags.allow_nan = True
        return tags


def of_class(number: int) -> np.ndarray:
    return X[number == Y]


def log_joint(rows: np.ndarray, priors: np.ndarray) -> np.ndarray:
    """Full Gaussians by maximum likelihood, marginal over what is missing, by scipy."""
    columns = []
    for k in range(3):
        mean, covariance = of_class(k).mean(0), np.cov(of_class(k).T, bias=True) + 1e-6 * np.eye(4)
        column = []
        for row in rows:
            seen = ~np.isnan(row)
            part = stats.multivariate_normal(mean[seen], covariance[np.ix_(seen, seen)]) if seen.any() else None
            column.append(part.logpdf(row[seen]) if part else 0.0)
        columns.append(np.asarray(column) + np.log(priors[k]))
    return np.column_stack(columns)


class TestBayesRule:
    @pytest.mark.parametrize("priors", [None, [0.2, 0.5, 0.3]])
    @pytest.mark.parametrize("rows", [X, HOLED, np.full((1, 4), np.nan)], ids=["complete", "gaps", "nothing"])
    def test_full_gaussians_against_scipy(self, priors: Any, rows: np.ndarray) -> None:
        model = GenerativeClassifier(priors=priors).fit(X, NAMES)
        expected = log_joint(rows, np.full(3, 1 / 3) if priors is None else np.asarray(priors))
        np.testing.assert_allclose(model.predict_joint_log_proba(rows), expected, rtol=1e-9, atol=1e-9)
        evidence = logsumexp(expected, axis=1)
        np.testing.assert_allclose(model.score_samples(rows), evidence, rtol=1e-9, atol=1e-9)
        np.testing.assert_allclose(model.predict_proba(rows), np.exp(expected - evidence[:, None]), atol=1e-9)
        np.testing.assert_allclose(model.predict_log_proba(rows), expected - evidence[:, None], rtol=1e-7, atol=1e-8)
        assert list(model.predict(rows)) == list(model.classes_[expected.argmax(axis=1)])

    @pytest.mark.parametrize("weighted", [False, True])
    def test_diagonal_gaussians_are_naive_bayes(self, weighted: bool) -> None:
        weights = RANDOM.uniform(0.1, 2.0, size=150) if weighted else None
        peer = GaussianNB(var_smoothing=0.0).fit(X, NAMES, weights)
        density = GaussianMixture(covariance_type="diag", reg_covar=0.0)
        ours = GenerativeClassifier(density).fit(X, NAMES, weights)
        np.testing.assert_allclose(ours.class_prior_, peer.class_prior_)
        np.testing.assert_allclose(ours.predict_log_proba(X), peer.predict_log_proba(X), rtol=1e-8, atol=1e-8)
        assert ours.score(X, NAMES) == peer.score(X, NAMES)

    def test_priors_by_class_and_a_class_with_none(self) -> None:
        model = GenerativeClassifier(Ball(), priors={"virginica": 0.0, "setosa": 0.25, "versicolor": 0.75})
        model.fit(X, NAMES)
        np.testing.assert_array_equal(model.class_prior_, [0.25, 0.75, 0.0])
        assert set(model.predict(X)) == {"setosa", "versicolor"}
        np.testing.assert_array_equal(model.predict_proba(X)[:, 2], 0.0)

    def test_rows_beyond_all_densities_have_the_priors(self) -> None:
        class Narrow(Ball):
            def score_samples(self, X: np.ndarray) -> np.ndarray:
                return np.where(np.abs(X - self.centre_).max(axis=1) < 3, 0.0, -np.inf)

        model = GenerativeClassifier(Narrow(), priors=[0.2, 0.5, 0.3]).fit(X, Y)
        np.testing.assert_allclose(model.predict_proba(X + 100.0), [[0.2, 0.5, 0.3]] * 150)
        assert np.all(np.isneginf(model.score_samples(X + 100.0)))

    def test_a_weight_is_copies_and_weight_0_is_no_row(self) -> None:
        copies = RANDOM.integers(0, 3, size=150)
        copies[Y == 2] = 0
        weighted = GenerativeClassifier().fit(X, NAMES, copies)
        repeated = GenerativeClassifier().fit(np.repeat(X, copies, axis=0), np.repeat(NAMES, copies))
        assert list(weighted.classes_) == ["setosa", "versicolor"]
        np.testing.assert_allclose(weighted.predict_proba(X), repeated.predict_proba(X), atol=1e-9)

    def test_other_density_estimators(self) -> None:
        model = GenerativeClassifier(KernelDensity(bandwidth=0.4))
        assert cross_val_score(model, X, NAMES, cv=5).mean() > 0.94
        drawn, classes = model.fit(X, NAMES).sample(30)
        assert drawn.shape == (30, 4)
        assert classes.shape == (30,)
        assert not hasattr(model, "impute")

    def test_imputed_entries_are_posterior_means(self) -> None:
        model = GenerativeClassifier().fit(X, Y)
        row = np.array([[5.9, np.nan, 4.4, np.nan]])
        seen, gap = [0, 2], [1, 3]
        joint = log_joint(row, np.full(3, 1 / 3))[0]
        chances = np.exp(joint - logsumexp(joint))
        expected = np.zeros(2)
        for k in range(3):
            mean, covariance = of_class(k).mean(0), np.cov(of_class(k).T, bias=True) + 1e-6 * np.eye(4)
            gain = covariance[np.ix_(gap, seen)] @ np.linalg.inv(covariance[np.ix_(seen, seen)])
            expected += chances[k] * (mean[gap] + gain @ (row[0, seen] - mean[seen]))
        filled = model.impute(row)
        np.testing.assert_allclose(filled[0, gap], expected, rtol=1e-9)
        np.testing.assert_array_equal(filled[0, seen], row[0, seen])

    def test_samples_have_the_classes_and_their_moments(self) -> None:
        model = GenerativeClassifier(priors=[0.5, 0.25, 0.25], random_state=0).fit(X, NAMES)
        rows, classes = model.sample(4000)
        assert abs(np.mean(classes == "setosa") - 0.5) < 0.04
        mine = rows[classes == "setosa"]
        np.testing.assert_allclose(mine.mean(0), of_class(0).mean(0), atol=0.05)


class TestRefusal:
    def test_p_values_are_ranks_among_the_rows_held_back(self) -> None:
        model = GenerativeClassifier(Ball(), refuse=0.2, random_state=0).fit(X, NAMES)
        values = model.p_values(X)
        for k, (held, weights) in enumerate(model._held):
            assert held.shape == (10, 4)
            assert np.all(weights == 1.0)
            known, mine = model.estimators_[k].score_samples(held), model.estimators_[k].score_samples(X)
            counts = [np.sum(known <= score) for score in mine]
            np.testing.assert_allclose(values[:, k], (1 + np.asarray(counts)) / 11)

    def test_at_most_the_share_asked_for_is_refused(self) -> None:
        """Exchangeability: over fresh data the refused share of each class averages at most ``refuse``."""
        random = np.random.default_rng(3)
        refused = []
        for _ in range(300):
            rows = random.standard_t(3, size=(140, 2)) + np.repeat([[0.0, 0.0], [4.0, 0.0]], 70, axis=0)
            labels = np.repeat([0, 1], 70)
            fresh = random.standard_t(3, size=(200, 2))
            model = GenerativeClassifier(Ball(), refuse=0.1, random_state=random.integers(2**31)).fit(rows, labels)
            # rows of class 0, judged against class 0 alone
            refused.append(np.mean(model.p_values(fresh)[:, 0] <= 0.1))
            assert np.mean(model.predict(fresh) == -1) <= refused[-1]
        error = np.std(refused) / np.sqrt(300)
        # 15 rows held back: the p-value is at most 0.1 with probability 1/16 exactly
        assert abs(np.mean(refused) - 1 / 16) < 4 * error

    def test_rows_unlike_every_class_are_refused(self) -> None:
        model = GenerativeClassifier(refuse=0.05, calibration=0.4, random_state=1).fit(X, NAMES)
        strange = np.array([[20.0, 0.0, 0.0, 9.0], [0.0, 0.0, 0.0, 0.0]])
        assert list(model.predict(strange)) == ["refused", "refused"]
        assert model.is_outlier(strange).all()
        assert np.mean(model.predict(X) == "refused") < 0.1
        assert set(model.predict_proba(strange).argmax(axis=1)) <= {0, 1, 2}
        numbers = GenerativeClassifier(refuse=0.05, calibration=0.4, refused_label=7).fit(X, Y)
        assert list(numbers.predict(strange)) == [7, 7]
        assert numbers.predict(X).dtype == Y.dtype

    def test_rows_with_gaps_are_compared_on_what_they_have(self) -> None:
        model = GenerativeClassifier(refuse=0.05, calibration=0.4, random_state=1).fit(X, NAMES)
        row = np.array([[5.0, np.nan, 1.4, np.nan]])
        values = model.p_values(np.concatenate([row, X[:1]]))
        for k, (held, _) in enumerate(model._held):
            masked = np.column_stack([held[:, 0], np.full(20, np.nan), held[:, 2], np.full(20, np.nan)])
            known, mine = (model.estimators_[k].score_samples(rows) for rows in (masked, row))
            np.testing.assert_allclose(values[0, k], (1 + np.sum(known <= mine)) / 21)
        assert model.predict(row)[0] == "setosa"
        assert model.predict(np.array([[np.nan, np.nan, 30.0, np.nan]]))[0] == "refused"
        assert not model.is_outlier(np.full((1, 4), np.nan))[0]

    def test_held_back_rows_with_gaps_are_compared_as_they_are(self) -> None:
        model = GenerativeClassifier(Ball(), refuse=0.1, random_state=2).fit(HOLED, NAMES)
        values = model.p_values(HOLED)
        held = model._held[0][0]
        known, mine = (model.estimators_[0].score_samples(rows) for rows in (held, HOLED))
        np.testing.assert_allclose(values[:, 0], (1 + (known[None] <= mine[:, None]).sum(1)) / (1 + len(held)))

    def test_too_few_rows_say_how_many_it_takes(self) -> None:
        with pytest.raises(
            ValueError, match=r"class 'setosa' has 50 rows, .* it takes 99 held back, so about 495 rows"
        ):
            GenerativeClassifier(refuse=0.01).fit(X, NAMES)
        model = GenerativeClassifier(Ball(), refuse=0.1).fit(X, NAMES)
        with pytest.raises(ValueError, match="too few rows were held back for alpha"):
            model.is_outlier(X, alpha=0.01)
        assert model.is_outlier(X, alpha=0.5).mean() > model.is_outlier(X).mean()

    def test_nothing_held_back(self) -> None:
        with pytest.raises(ValueError, match="no rows were held back"):
            GenerativeClassifier(Ball()).fit(X, NAMES).is_outlier(X, alpha=0.1)


class TestBehaviour:
    def test_clone_pickle_frames_and_repeat(self) -> None:
        model = GenerativeClassifier(refuse=0.1, random_state=0).fit(IRIS.data, NAMES)
        loaded = pickle.loads(pickle.dumps(model))
        again = clone(model).fit(IRIS.data, NAMES)
        for other in (loaded, again):
            np.testing.assert_array_equal(other.predict_proba(IRIS.data), model.predict_proba(IRIS.data))
            np.testing.assert_array_equal(other.predict(IRIS.data), model.predict(IRIS.data))
        assert list(model.feature_names_in_) == list(IRIS.data.columns)
        with pytest.raises(ValueError, match="feature names"):
            model.predict(pd.DataFrame(X, columns=list("abcd")))

    def test_pipeline_and_grid_search(self) -> None:
        pipe = make_pipeline(StandardScaler(), GenerativeClassifier(GaussianMixture()))
        grid = {"generativeclassifier__estimator__covariance_type": ["full", "diag"]}
        search = GridSearchCV(pipe, grid, cv=3).fit(X, NAMES)
        assert search.best_score_ > 0.95

    @pytest.mark.parametrize(
        ("setting", "error", "words"),
        [
            ({"refuse": 1.5}, ValueError, "refuse must be a share"),
            ({"calibration": 0.0}, ValueError, "calibration must be a share"),
            ({"estimator": StandardScaler()}, TypeError, "score_samples"),
            ({"priors": [0.5, 0.5]}, ValueError, "priors must be 3 numbers"),
            ({"priors": [0.5, 0.6, -0.1]}, ValueError, "must not be negative"),
            ({"priors": {"setosa": 1.0}}, ValueError, "every class once"),
            ({"refuse": 0.2, "refused_label": "setosa"}, ValueError, "is the name of a class"),
        ],
    )
    def test_mistakes_are_named(self, setting: dict, error: type, words: str) -> None:
        with pytest.raises(error, match=words):
            GenerativeClassifier(**setting).fit(X, NAMES)

    @pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
    def test_a_class_of_one_row_is_a_spike_and_said_so(self) -> None:
        rows, labels = np.concatenate([X, [[50.0, 50.0, 50.0, 50.0]]]), np.append(NAMES, "odd")
        with pytest.warns(UserWarning, match="class 'odd' has one row of some weight"):
            model = GenerativeClassifier().fit(rows, labels)
        assert model.predict(rows[-1:])[0] == "odd"
        assert "odd" not in set(model.predict(X))

    @pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
    def test_a_density_that_cannot_be_fitted_names_its_class(self) -> None:
        with pytest.raises(
            ValueError, match=r"density of class 'virginica' \(3 rows\) cannot be fitted: .*n_components"
        ):
            GenerativeClassifier(GaussianMixture(5)).fit(X[:103], NAMES[:103])

    def test_classes_whose_columns_are_read_differently_are_not_compared(self) -> None:
        counts = RANDOM.poisson(2.0, size=(80, 1)).astype(float)
        rows, labels = np.concatenate([counts, RANDOM.normal(size=(80, 1))]), np.repeat(["a", "b"], 80)
        with pytest.raises(ValueError, match="'x0' is read as count in class 'a' and as continuous in class 'b'"):
            GenerativeClassifier(Mixture()).fit(rows, labels)
        GenerativeClassifier(Mixture(families="normal")).fit(rows, labels)

    def test_sparse_counts_where_the_density_takes_them(self) -> None:
        means = np.array([[1.0, 5.0, 0.2], [4.0, 1.0, 1.0]])
        labels = RANDOM.integers(0, 2, size=200)
        counts = RANDOM.poisson(means[labels])
        model = GenerativeClassifier(PoissonMixture(objective="mle")).fit(sparse.csr_array(counts), labels)
        rates = np.stack([counts[labels == k].mean(0) for k in range(2)])
        expected = stats.poisson.logpmf(counts[:, None], rates).sum(-1) + np.log(np.bincount(labels) / 200)
        found = model.predict_log_proba(sparse.csr_array(counts))
        np.testing.assert_allclose(found, expected - logsumexp(expected, axis=1)[:, None], rtol=1e-6, atol=1e-8)

    def test_unfitted(self) -> None:
        with pytest.raises(NotFittedError):
            GenerativeClassifier().predict(X)

    def test_graph(self) -> None:
        graph = GenerativeClassifier().graph()
        assert ("y", "x") in {(edge.source, edge.target) for edge in graph.edges}
        assert next(node for node in graph.nodes if node.name == "y").role == "observed"


def test_weights_that_a_data_set_carries_are_those_of_the_fit() -> None:
    random = np.random.default_rng(0)
    X, weights = random.normal(size=(60, 2)), random.random(60) + 0.5
    y = np.arange(60) % 2
    carried = GenerativeClassifier().fit(DenseRows(X, weights), y)
    given = GenerativeClassifier().fit(X, y, sample_weight=weights)
    np.testing.assert_allclose(carried.class_count_, given.class_count_)
    np.testing.assert_allclose(carried.score_samples(X), given.score_samples(X))
    ones = GenerativeClassifier().fit(DenseRows(X, weights), y, sample_weight=np.ones(60))
    np.testing.assert_allclose(ones.score_samples(X), GenerativeClassifier().fit(X, y).score_samples(X))
