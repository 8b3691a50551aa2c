"""Cross-validated scores against scipy and folds by hand, errors against copies, and what has no common scale."""

import numpy as np
import pyarrow as pa
import pytest
from scipy import stats
from sklearn import mixture as peer
from sklearn.base import BaseEstimator, DensityMixin
from sklearn.ensemble import IsolationForest
from sklearn.neighbors import KernelDensity

from small_mixtures import mixed
from tacit.estimators.kmeans import KMeans
from tacit.estimators.measure import measure_of
from tacit.estimators.mixture.counts import MultinomialMixture, PoissonMixture
from tacit.estimators.mixture.gaussian import GaussianMixture
from tacit.estimators.mixture.mixed import Mixture
from tacit.estimators.vae.vae import VAE
from tacit.evaluation.compare import compare
from tacit.evaluation.held_out import held_out
from tacit.evaluation.measure import bits_per_dimension, measure
from tacit.evaluation.rows import mean_and_error


class Normal(DensityMixin, BaseEstimator):
    """The simplest density: independent normal columns; it notes what it was fitted to."""

    seen: list[np.ndarray] = []  # noqa: RUF012 - shared by the clones on purpose

    def __init__(self, widen: float = 1.0) -> None:
        self.widen = widen

    def fit(self, X, y=None, sample_weight=None):
        weights = np.ones(len(X)) if sample_weight is None else sample_weight
        self.mean_ = np.average(X, axis=0, weights=weights)
        self.sd_ = self.widen * np.sqrt(np.average((X - self.mean_) ** 2, axis=0, weights=weights))
        self.n_features_in_ = X.shape[1]
        Normal.seen.append(np.asarray(X))
        return self

    def score_samples(self, X):
        return stats.norm(self.mean_, self.sd_).logpdf(X).sum(axis=1)


@pytest.fixture(scope="module")
def rows() -> np.ndarray:
    return np.random.default_rng(0).normal(size=(40, 2)) * [1.0, 3.0] + [5.0, 0.0]


def test_the_table_is_that_of_the_scores(rows: np.ndarray) -> None:
    Normal.seen.clear()
    found = compare(rows, {"wide": Normal(2.0), "fit": Normal(), "narrow": Normal(0.8)}, folds=4, random_state=1)
    folds = [tuple(map(tuple, part)) for part in Normal.seen]
    assert len(folds) == 12
    assert all(folds[place] == folds[place + 1] == folds[place + 2] for place in (0, 3, 6, 9))
    for part in Normal.seen[::3]:
        hidden = np.array([row for row in rows if not (part == row).all(axis=1).any()])
        assert len(hidden) == 10
        places = [int(np.flatnonzero((rows == row).all(axis=1))[0]) for row in hidden]
        law = stats.norm(part.mean(axis=0), part.std(axis=0))
        np.testing.assert_allclose(found.scores["fit"][places], law.logpdf(hidden).sum(axis=1), rtol=1e-12)
    lines = found.table.to_pylist()
    values = [line["held_out"] for line in lines]
    assert values == sorted(values, reverse=True)
    assert found.best == lines[0]["model"]
    best = found.scores[found.best]
    for line in lines:
        own = found.scores[line["model"]]
        assert line["held_out"] == pytest.approx(own.mean(), rel=1e-12)
        assert line["standard_error"] == pytest.approx(stats.sem(own), rel=1e-12)
        assert line["difference"] == pytest.approx((own - best).mean(), abs=1e-12)
        assert line["difference_error"] == pytest.approx(stats.sem(own - best), abs=1e-12)
        assert line["seconds"] >= 0.0
    assert found.measure == ("density", "density")


def test_the_same_seed_gives_the_same_folds_and_another_seed_others(rows: np.ndarray) -> None:
    def scored(seed: int) -> np.ndarray:
        return compare(rows, {"fit": Normal()}, random_state=seed).scores["fit"]

    np.testing.assert_array_equal(scored(3), scored(3))
    assert not np.array_equal(scored(3), scored(4))


def test_weights_are_copies(rows: np.ndarray) -> None:
    values = np.random.default_rng(1).normal(size=6)
    counts = np.array([1, 3, 0, 2, 1, 1])
    mean, error = mean_and_error(values, counts.astype(float))
    copies = np.repeat(values, counts)
    assert mean == pytest.approx(copies.mean(), rel=1e-12)
    assert error == pytest.approx(stats.sem(copies), rel=1e-12)
    assert mean_and_error(np.array([-np.inf, 0.0]), np.array([0.0, 2.0])) == (0.0, 0.0)
    assert np.isnan(mean_and_error(values[:1], np.ones(1))[1])
    found = compare(rows, {"fit": Normal()}, sample_weight=np.full(40, 2.0), random_state=0)
    once = compare(rows, {"fit": Normal()}, random_state=0)
    np.testing.assert_allclose(found.scores["fit"], once.scores["fit"], rtol=1e-12)
    errors = [c.table.column("standard_error")[0].as_py() for c in (found, once)]
    assert errors[0] == pytest.approx(errors[1] * np.sqrt(39 / 79), rel=1e-12)


def test_an_impossible_row_makes_a_model_last_and_leaves_no_error(rows: np.ndarray) -> None:
    class Certain(Normal):
        def score_samples(self, X):
            return np.where(X[:, 0] > 6.0, -np.inf, 0.0)

    line = compare(rows, {"certain": Certain(), "fit": Normal()}, random_state=0).table.to_pylist()[1]
    assert line["model"] == "certain"
    assert line["held_out"] == line["difference"] == -np.inf
    assert np.isnan(line["standard_error"])
    assert np.isnan(line["difference_error"])


def test_levels_rare_enough_to_miss_a_fold_are_known_in_all(rows: np.ndarray) -> None:
    town = np.array(["Ulm", "Bonn"] * 20, dtype=object)
    town[7] = "Wien"
    table = pa.table({"size": rows[:, 0], "town": town})
    settings = {"n_init": 1, "init_params": "random_from_data", "tol": 1e-2}
    found = compare(table, {"one": Mixture(1, **settings), "two": Mixture(2, **settings)}, folds=2, random_state=0)
    assert found.measure == ("density", "mass")
    assert all(np.isfinite(scores).all() for scores in found.scores.values())


def test_ours_and_the_peers_are_on_one_scale(rows: np.ndarray) -> None:
    named = {"ours": GaussianMixture(1), "peer": peer.GaussianMixture(1), "kernels": KernelDensity(bandwidth=1.0)}
    found = compare(rows, named, folds=3, random_state=0)
    np.testing.assert_allclose(found.scores["ours"], found.scores["peer"], rtol=1e-6)
    assert {line["model"] for line in found.table.to_pylist()} == set(named)
    assert compare(rows, ["gaussian-mixture"], folds=3, random_state=0).best == "gaussian-mixture"


def test_models_without_a_common_scale_are_refused() -> None:
    counts = np.random.default_rng(0).poisson(3.0, size=(30, 2)).astype(float)
    settings = {"n_init": 1, "init_params": "random_from_data"}
    multinomial, poisson = MultinomialMixture(**settings), PoissonMixture(**settings)
    with pytest.raises(ValueError, match=r"'a' and 'b' cannot be compared: for column 0 \(and 1 more\).*easier task"):
        compare(counts, {"a": poisson, "b": multinomial}, folds=2)
    table = pa.table({"visits": counts[:, 0].astype(int), "size": counts[:, 1] + 0.5})
    reads_counts = Mixture(1, families={"visits": "poisson", "size": "normal"}, **settings)
    with pytest.raises(ValueError, match=r"column 'visits' the one gives a density.*decided by the unit"):
        compare(table, {"a": GaussianMixture(1), "b": reads_counts}, folds=2)


def test_what_cannot_be_compared_is_said(rows: np.ndarray) -> None:
    with pytest.raises(ValueError, match="groups has no score_samples"):
        compare(rows, {"groups": KMeans(2)})
    with pytest.raises(ValueError, match="trees ranks rows"):
        compare(rows, {"trees": IsolationForest()})
    with pytest.raises(ValueError, match="model 'counts' cannot take these rows: Negative values"):
        compare(rows, {"counts": PoissonMixture()})
    with pytest.raises(ValueError, match="models is empty"):
        compare(rows, {})
    with pytest.raises(ValueError, match="no model 'gaussian'"):
        compare(rows, ["gaussian"])
    with pytest.raises(ValueError, match="more than the 40 rows"):
        compare(rows, {"fit": Normal()}, folds=41)
    with pytest.raises(ValueError, match="folds must be a whole number of at least 2"):
        compare(rows, {"fit": Normal()}, folds=1)


def test_the_measure_is_read_from_the_groups() -> None:
    density = {0, 1, 4, 7, 9, 10, 11, 12}
    assert measure_of(mixed()) == tuple("density" if column in density else "mass" for column in range(13))
    counts = np.random.default_rng(0).poisson(3.0, size=(20, 3)).astype(float)
    given = MultinomialMixture(n_init=1, init_params="random_from_data").fit(counts)
    assert measure(given) == ("mass given the total of columns 0, 1, 2",) * 3


def test_held_out_is_the_mean_log_density(rows: np.ndarray) -> None:
    found = held_out(Normal().fit(rows), rows[:9])
    own = stats.norm(rows.mean(axis=0), rows.std(axis=0)).logpdf(rows[:9]).sum(axis=1)
    assert found.nats == pytest.approx(own.mean(), rel=1e-12)
    assert found.standard_error == pytest.approx(stats.sem(own), rel=1e-12)
    assert (found.rows, found.dimensions) == (9, 2)
    assert found.bits_per_dimension == pytest.approx(np.log2(np.exp(own.mean())) / 2, rel=1e-12)
    weighted = held_out(Normal().fit(rows), rows[:3], sample_weight=[1.0, 0.0, 2.0])
    assert weighted.nats == pytest.approx((own[0] + 2 * own[2]) / 3, rel=1e-12)
    with pytest.raises(ValueError, match="KMeans has no score_samples"):
        held_out(KMeans(2).fit(rows), rows)


def test_the_baseline_takes_every_entry_by_itself(rows: np.ndarray) -> None:
    found = compare(rows, {"fit": Normal()}, folds=4, random_state=1, baseline=True)
    np.testing.assert_allclose(found.scores["independent"], found.scores["fit"], rtol=1e-6)
    named = compare(rows, ["gaussian-mixture", "independent"], folds=4, random_state=1)
    np.testing.assert_array_equal(named.scores["independent"].shape, (40,))
    assert "independent" not in compare(rows, {"fit": Normal()}, folds=2).scores
    with pytest.raises(ValueError, match="no model 'independent' of these rows"):
        compare(rows, {"independent": Normal()}, folds=2, baseline=True)


@pytest.mark.filterwarnings("ignore")
def test_images_go_to_deep_models_and_as_flat_rows_to_mixtures() -> None:
    random = np.random.default_rng(0)
    images = (random.random((60, 3, 3)) < np.where(random.random(60) < 0.5, 0.9, 0.1)[:, None, None]).astype(float)
    images[:, 0, 0] = 0.0  # a pixel that is always white
    quick = {"n_init": 1, "random_state": 0}
    models = {"deep": VAE(1, hidden=(4,), max_epochs=2, n_samples=5), "two": Mixture(2, families="bernoulli", **quick)}
    found = compare(images, models, folds=2, random_state=0)
    assert set(found.scores) == {"deep", "two", "independent"}
    assert found.best == "two"
    assert found.measure == ("mass",) * 9
    fold = np.random.default_rng(0)
    fold.integers(2**31, size=2)
    half = fold.permutation(60) % 2
    wanted = np.empty(60)
    for number in range(2):
        share = (images[half != number].sum(axis=0) + 0.5) / 31.0  # one row of both values
        unseen = images[half == number]
        wanted[half == number] = (unseen * np.log(share) + (1 - unseen) * np.log(1 - share)).sum(axis=(1, 2))
    assert found.scores["independent"].mean() == pytest.approx(wanted.mean(), abs=0.1)
    with pytest.raises(ValueError, match=r"'deep' and 'reals' cannot be compared.*probability.*density"):
        compare(images, {"deep": models["deep"], "reals": GaussianMixture(1)}, folds=2)
    levels = (images * 255).astype(np.uint8)
    levels[::2] //= 2
    again = compare(levels, {"deep": models["deep"]}, folds=2)
    assert again.measure == ("mass",) * 9
    assert again.best == "independent"


def test_bits_are_nats_over_entries_and_log_2() -> None:
    assert bits_per_dimension(-784 * np.log(256.0), 784) == pytest.approx(-8.0, rel=1e-12)
    with pytest.raises(ValueError, match="dims must be at least 1"):
        bits_per_dimension(1.0, 0)


@pytest.mark.filterwarnings("ignore")
def test_an_image_has_as_many_dimensions_as_entries() -> None:
    images = np.random.default_rng(0).integers(0, 2, (30, 4, 5)).astype(float)
    found = held_out(VAE(1, hidden=(4,), max_epochs=1, n_samples=5, random_state=0).fit(images), images)
    assert found.dimensions == 20
    assert found.bits_per_dimension == pytest.approx(found.nats / np.log(2.0) / 20, rel=1e-12)
