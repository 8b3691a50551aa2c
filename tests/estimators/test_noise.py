"""Gaussian mixtures with uniform noise: against EM written out, what is recovered, and what users see of it."""

import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy import stats
from sklearn.exceptions import ConvergenceWarning, NotFittedError
from sklearn.metrics import adjusted_rand_score

import tacit
from tacit.data import DenseRows

SETTINGS: dict[str, Any] = {"noise": True, "random_state": 0, "tol": 1e-7, "max_iter": 500}


def scattered(share: float, dims: int = 2, number: int = 600, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Three round groups of different widths, and noise over a box about them; labels, −1 of noise."""
    random = np.random.default_rng(seed)
    noise = round(number * share)
    centres = 5.0 * np.array([[-1.0, -1.0], [1.0, -1.0], [0.0, 1.0]])
    centres = np.pad(centres, ((0, 0), (0, dims - 2)))
    labels = random.integers(0, 3, number - noise)
    rows = centres[labels] + random.normal(size=(labels.size, dims)) * np.array([0.6, 1.0, 1.4])[labels][:, None]
    box = random.uniform(-14.0, 14.0, (noise, dims))
    return np.concatenate([rows, box]), np.concatenate([labels, np.full(noise, -1)])


ROWS, LABELS = scattered(0.2)
FIT = tacit.GaussianMixture(3, **SETTINGS).fit(ROWS)


def box_density(rows: np.ndarray, of: np.ndarray) -> np.ndarray:
    """The uniform density over the box of some rows; missing entries are integrated out."""
    low, high = np.nanmin(of, axis=0), np.nanmax(of, axis=0)
    each = stats.uniform(low, high - low).pdf(rows)
    return np.where(np.isnan(rows), 1.0, each).prod(axis=1)


def joint(mixture: tacit.GaussianMixture, rows: np.ndarray, of: np.ndarray = ROWS) -> np.ndarray:
    """``π_k p_k(x)`` of complete rows, the noise last, by scipy."""
    parts = zip(mixture.weights_, mixture.means_, mixture.covariances_, strict=True)
    found = [w * stats.multivariate_normal(m, c).pdf(rows) for w, m, c in parts]
    return np.stack([*found, mixture.noise_weight_ * box_density(rows, of)], axis=1)


def test_densities_and_probabilities_are_those_of_scipy() -> None:
    beyond = np.concatenate([ROWS, [[20.0, 0.0], [0.0, -30.0]]])
    density = joint(FIT, beyond)
    np.testing.assert_allclose(FIT.score_samples(beyond), np.log(density.sum(axis=1)), rtol=1e-10)
    np.testing.assert_allclose(
        FIT.predict_proba(beyond), density / density.sum(axis=1, keepdims=True), rtol=1e-8, atol=1e-12
    )
    assert FIT.predict_proba(ROWS).shape == (600, 4)
    assert FIT.weights_.shape == (3,)
    assert FIT.means_.shape == (3, 2)
    assert FIT.weights_.sum() + FIT.noise_weight_ == pytest.approx(1.0, abs=1e-14)
    best = density[:-2].argmax(axis=1)
    np.testing.assert_array_equal(FIT.predict(ROWS), np.where(best == 3, -1, best))


def test_the_density_integrates_to_one() -> None:
    low, high = ROWS.min(axis=0), ROWS.max(axis=0)
    ends = [np.linspace(a, b, 801) for a, b in zip(low, high, strict=True)]
    grid = np.stack(np.meshgrid(*ends, indexing="ij"), axis=-1).reshape(-1, 2)
    density = np.exp(FIT.score_samples(grid)).reshape(801, 801)
    inside = np.trapezoid(np.trapezoid(density, ends[1], axis=1), ends[0])
    assert inside == pytest.approx(1.0, abs=1e-6)  # of Gaussians next to nothing lies beyond


def test_it_is_em_written_out() -> None:
    means, precisions = np.array([[-5.0, -5.0], [5.0, -5.0], [0.0, 5.0]]), np.tile(np.eye(2), (3, 1, 1))
    start = {"weights_init": np.full(3, 1 / 3), "means_init": means, "precisions_init": precisions}
    fit = tacit.GaussianMixture(3, noise=True, tol=0.0, max_iter=12, reg_covar=0.0, **start)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        fit.fit(ROWS)
    weights, covariances = np.append(np.full(3, 0.95 / 3), 0.05), np.linalg.inv(precisions)
    course, volume = [], np.ptp(ROWS, axis=0).prod()
    for _ in range(13):
        parts = [stats.multivariate_normal(m, c).pdf(ROWS) for m, c in zip(means, covariances, strict=True)]
        density = weights * np.stack([*parts, np.full(600, 1.0 / volume)], axis=1)
        course.append(np.log(density.sum(axis=1)).sum())
        share = density / density.sum(axis=1, keepdims=True)
        counts = share.sum(axis=0)
        last, weights = weights, counts / 600
        means = (share[:, :3].T @ ROWS) / counts[:3, None]
        covariances = [((ROWS - m).T * r) @ (ROWS - m) / r.sum() for m, r in zip(means, share.T[:3], strict=True)]
    np.testing.assert_allclose(fit.trace_.bound, np.array(course)[fit.trace_.iteration], rtol=1e-10)
    assert fit.trace_.iteration[-1] == 12
    np.testing.assert_allclose(np.append(fit.weights_, fit.noise_weight_), last, rtol=1e-9)


@pytest.mark.parametrize("dims", [2, 5])
@pytest.mark.parametrize("share", [0.0, 0.05, 0.2, 0.4])
def test_groups_and_the_share_of_noise_are_recovered(share: float, dims: int) -> None:
    rows, labels = scattered(share, dims, seed=1)
    fit = tacit.GaussianMixture(3, **SETTINGS).fit(rows)
    assert fit.noise_weight_ == pytest.approx(share, abs=0.03)
    assert np.diff(fit.trace_.bound).min() > -1e-9
    assert fit.converged_
    gathered = labels >= 0
    found = fit.predict(rows)
    assert adjusted_rand_score(labels[gathered], found[gathered]) > 0.9
    if share:
        assert (found[~gathered] == -1).mean() > (0.7 if dims == 2 else 0.97)  # the others lie within groups
        without = tacit.GaussianMixture(3, **SETTINGS | {"noise": False}).fit(rows)
        assert fit.bic(rows) < without.bic(rows)


def test_parameters_and_criteria_are_counted_as_mclust_does() -> None:
    assert FIT.n_parameters_ == 3 * (2 + 3) + 2 + 2  # weights and volume of noise beside those of a mixture
    log_likelihood = np.log(joint(FIT, ROWS).sum(axis=1)).sum()
    assert FIT.bic(ROWS) == pytest.approx(-2 * log_likelihood + 19 * np.log(600), rel=1e-12)
    assert FIT.aic(ROWS) == pytest.approx(-2 * log_likelihood + 2 * 19, rel=1e-12)
    surest = np.log(FIT.predict_proba(ROWS).max(axis=1)).sum()
    assert FIT.icl(ROWS) == pytest.approx(FIT.bic(ROWS) - 2 * surest, rel=1e-12)


def test_gaps_are_integrated_out() -> None:
    random = np.random.default_rng(3)
    holed = np.where(random.random(ROWS.shape) < 0.15, np.nan, ROWS)
    fit = tacit.GaussianMixture(3, **SETTINGS).fit(holed)
    assert np.diff(fit.trace_.bound).min() > -1e-9
    assert fit.noise_weight_ == pytest.approx(0.2, abs=0.05)
    low, high = np.nanmin(holed, axis=0), np.nanmax(holed, axis=0)
    ends = np.linspace(low[1], high[1], 4001)
    for x in (-5.0, 2.0):
        whole = np.exp(fit.score_samples(np.column_stack([np.full(4001, x), ends])))
        one = fit.score_samples(np.array([[x, np.nan]]))
        assert np.exp(one[0]) == pytest.approx(np.trapezoid(whole, ends), rel=1e-4)
    full = fit.impute(holed)
    seen = ~np.isnan(holed)
    np.testing.assert_array_equal(full[seen], holed[seen])
    assert np.isfinite(full).all()
    draws = fit.impute(holed, n_draws=50)
    assert (draws >= low - 3.0).all()
    np.testing.assert_allclose(draws.mean(axis=0)[~seen].mean(), full[~seen].mean(), atol=0.3)


def test_weight_two_is_two_copies_and_weight_nought_is_none() -> None:
    given = {"weights_init": np.full(3, 1 / 3), "means_init": FIT.means_, "precisions_init": FIT.precisions_}
    weights = np.random.default_rng(4).integers(0, 3, 600)
    copies = tacit.GaussianMixture(3, **SETTINGS, **given).fit(np.repeat(ROWS, weights, axis=0))
    weighted = tacit.GaussianMixture(3, **SETTINGS, **given).fit(ROWS, sample_weight=weights)
    np.testing.assert_allclose(weighted.means_, copies.means_, rtol=1e-9)
    assert weighted.noise_weight_ == pytest.approx(copies.noise_weight_, rel=1e-9)
    assert weighted.lower_bound_ == pytest.approx(copies.lower_bound_, rel=1e-12)


def test_mapped_rows_are_read_in_slices(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    np.save(tmp_path / "rows.npy", ROWS)
    monkeypatch.setattr(DenseRows.slices, "__defaults__", (128,))
    mapped = tacit.GaussianMixture(3, **SETTINGS).fit(DenseRows(np.load(tmp_path / "rows.npy", mmap_mode="r")))
    np.testing.assert_allclose(mapped.means_, FIT.means_, rtol=1e-9)
    single = tacit.GaussianMixture(3, **SETTINGS).fit(ROWS.astype(np.float32))
    np.testing.assert_array_less(0.0, single.predict_proba(ROWS.astype(np.float32))[:, -1])  # no row is outside
    assert single.means_.dtype == np.float32


@pytest.mark.parametrize(
    "how",
    [
        {"inference": "hard-em"},
        {"inference": "monte-carlo-em", "tol": 1e-4},
        {"inference": "online-em", "tol": 1e-4, "max_iter": 50},
        {"inference": "gradient", "tol": 1e-4},
        {"objective": "map"},
        {"accelerate": True},
        {"n_init": 3},
        {"covariance_type": "tied"},
        {"covariance_type": "spherical"},
        {"covariance_type": "VEI"},
    ],
    ids=str,
)
def test_every_way_of_fitting_finds_it(how: dict[str, Any]) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        fit = tacit.GaussianMixture(3, **SETTINGS | how).fit(ROWS)
    assert fit.noise_weight_ == pytest.approx(0.2, abs=0.05)
    assert (fit.predict(ROWS[-120:]) == -1).mean() > 0.8


def test_a_fit_goes_on_from_itself_and_knows_its_attributes() -> None:
    fit = tacit.GaussianMixture(3, **SETTINGS | {"warm_start": True}).fit(ROWS)
    before = fit.means_.copy()
    fit.fit(ROWS)
    assert fit.n_iter_ <= 2
    np.testing.assert_allclose(fit.means_, before, atol=1e-3)
    with pytest.raises(ValueError, match="noise as it was"):
        fit.set_params(noise=False).fit(ROWS)
    fit.set_params(noise=True)
    fit.means_ = fit.means_ + 1.0  # as scikit-learn's users do
    np.testing.assert_allclose(fit.score_samples(ROWS), np.log(joint(fit, ROWS).sum(axis=1)), rtol=1e-9)
    made = tacit.GaussianMixture(3, noise=True)
    made.weights_, made.means_, made.covariances_ = FIT.weights_, FIT.means_, FIT.covariances_
    with pytest.raises(ValueError, match="box"):
        made.predict(ROWS)
    with pytest.raises(NotFittedError):
        tacit.GaussianMixture(3, noise=True).predict(ROWS)


def test_without_noise_there_is_none() -> None:
    fit = tacit.GaussianMixture(3, random_state=0).fit(ROWS)
    assert fit.noise_weight_ == 0.0
    assert fit.model_.noise == 0
    assert fit.predict(ROWS).min() == 0
    refit = tacit.GaussianMixture(3, random_state=0, noise=True).fit(ROWS).set_params(noise=False).fit(ROWS)
    np.testing.assert_array_equal(refit.means_, fit.means_)
    assert refit.noise_weight_ == 0.0


def test_new_rows_and_their_labels() -> None:
    fit = tacit.GaussianMixture(3, **SETTINGS).fit(ROWS)
    rows, labels = fit.sample(20_000)
    assert set(labels) == {-1, 0, 1, 2}
    assert (labels == -1).mean() == pytest.approx(fit.noise_weight_, abs=0.02)
    assert (labels[-100:] == -1).all()
    noise = rows[labels == -1]
    low, high = ROWS.min(axis=0), ROWS.max(axis=0)
    for column in range(2):
        law = stats.uniform(low[column], high[column] - low[column])
        assert stats.kstest(noise[:, column], law.cdf).pvalue > 1e-4


def test_conditions_and_marginals() -> None:
    low, high = ROWS.min(axis=0), ROWS.max(axis=0)
    width = high - low
    grid = np.linspace(low[1] - 1.0, high[1] + 1.0, 8001)
    given = FIT.condition({0: 3.0})
    density = joint(FIT, np.column_stack([np.full(grid.size, 3.0), grid])).sum(axis=1)
    density /= np.trapezoid(density, grid)
    np.testing.assert_allclose(np.exp(given.log_prob(grid[:, None])), density, rtol=2e-3, atol=1e-9)
    assert given.mean()[0] == pytest.approx(np.trapezoid(grid * density, grid), abs=1e-2)
    variance = np.trapezoid(grid**2 * density, grid) - given.mean()[0] ** 2
    assert given.variance()[0] == pytest.approx(variance, rel=1e-2)
    cdf = np.concatenate([[0.0], np.cumsum(0.5 * np.diff(grid) * (density[1:] + density[:-1]))])
    np.testing.assert_allclose(given.cdf(grid), cdf, atol=1e-3)
    q = np.array([0.05, 0.5, 0.95])
    np.testing.assert_allclose(given.cdf(given.quantile(q)), q, atol=1e-10)
    drawn = given.sample(4000, random_state=1)[:, 0]
    assert stats.kstest(drawn, given.cdf).pvalue > 1e-4
    alone = FIT.marginal([1])
    parts = [w * stats.norm(m[1], np.sqrt(c[1, 1])).pdf(grid) for w, m, c in zip(
        FIT.weights_, FIT.means_, FIT.covariances_, strict=True)]  # fmt: skip
    uniform = FIT.noise_weight_ * stats.uniform(low[1], width[1]).pdf(grid)
    np.testing.assert_allclose(np.exp(alone.log_prob(grid[:, None])), np.sum([*parts, uniform], axis=0), rtol=1e-9)


def test_summaries_and_the_graph() -> None:
    summary = FIT.summary()
    np.testing.assert_allclose(summary.weights, [*FIT.weights_, FIT.noise_weight_])
    low, high = ROWS.min(axis=0), ROWS.max(axis=0)
    for place, column in enumerate(summary.columns):
        np.testing.assert_allclose(column.means, [*FIT.means_[:, place], 0.5 * (low + high)[place]], rtol=1e-12)
        assert column.sds[-1] == pytest.approx((high - low)[place] / np.sqrt(12.0))
    graph = FIT.graph()
    assert {plate.label for plate in graph.plates} == {"n = 1…N", "k = 1…3"}
    assert "normal or uniform" in {node.family for node in graph.nodes}


def test_errors_matching_and_replicates() -> None:
    errors = FIT.standard_errors(ROWS)
    assert errors["weights"].shape == (4,)
    assert errors["means"].shape == (3, 2)
    # of groups that lie apart, the error of a mean is nearly that of its own rows'
    expected = np.sqrt(np.diagonal(FIT.covariances_, axis1=1, axis2=2) / (600 * FIT.weights_[:, None]))
    np.testing.assert_allclose(errors["means"], expected, rtol=0.15)
    other = tacit.GaussianMixture(3, **SETTINGS).fit(ROWS[::2])
    matched = tacit.match(FIT, other)
    assert matched.order[-1] == 3
    assert matched.ambiguous == ()
    np.testing.assert_allclose(other.means_[matched.order[:3]], FIT.means_, atol=0.4)
    found = tacit.bootstrap(FIT, ROWS, n_boot=10, random_state=0)
    assert found.estimates["weights"].shape == (4,)
    np.testing.assert_allclose(found.standard_errors["means"], errors["means"], rtol=0.8)
    with pytest.raises(ValueError, match="different kinds"):
        tacit.match(FIT, tacit.GaussianMixture(4, random_state=0).fit(ROWS))


def test_a_fit_is_saved_and_loaded(tmp_path: Path) -> None:
    found = tacit.load(tacit.save(FIT, tmp_path / "model"))
    np.testing.assert_array_equal(found.predict_proba(ROWS), FIT.predict_proba(ROWS))
    assert found.noise_weight_ == FIT.noise_weight_
    assert found.get_params()["noise"] is True


def test_a_number_and_a_structure_are_chosen() -> None:
    rows, _ = scattered(0.2, number=300, seed=2)
    base = tacit.GaussianMixture(**SETTINGS)
    found = tacit.select(rows, range(2, 5), ["EII", "VII"], estimator=base, n_init=2, random_state=0)
    assert (found.best.n_components, found.best.covariance_type) == (3, "VII")
    assert found.best.noise_weight_ == pytest.approx(0.2, abs=0.05)
    row = max(found.table.to_pylist(), key=lambda each: each["bic"])
    assert row["n_parameters"] == 3 * 3 + 2 + 2
    assert row["bic"] == pytest.approx(-found.best.bic(rows), rel=1e-10)
    assert row["icl"] == pytest.approx(-found.best.icl(rows), rel=1e-10)


@pytest.mark.parametrize(
    ("change", "rows", "said"),
    [
        ({}, np.column_stack([ROWS, np.ones(600)]), "column 'x2' does not vary"),
        ({"weights_init": np.full(3, 1 / 3), "fixed": {"weights": True}}, ROWS, "leave nothing for noise"),
        ({"noise": "yes"}, ROWS, "noise must be True or False"),
    ],
)
def test_what_makes_no_sense_is_refused(change: dict[str, Any], rows: np.ndarray, said: str) -> None:
    with pytest.raises(ValueError, match=said):
        tacit.GaussianMixture(3, **SETTINGS | change).fit(rows)


def test_batches_are_refused() -> None:
    with pytest.raises(ValueError, match="box of all rows"):
        tacit.GaussianMixture(3, noise=True).partial_fit(ROWS)


def test_a_row_at_an_end_that_is_zero_lies_in_the_box() -> None:
    """Ends move with the view and back: one that is 0 comes back as some rounding of the other."""
    for seed in range(30):
        random = np.random.default_rng(seed)
        column = np.concatenate([random.normal(50, 1, 60), random.uniform(0, 100, 6), [0.0, 100.0]])
        rows = np.column_stack([column, random.permutation(column)])
        model = tacit.GaussianMixture(1, noise=True, random_state=0, max_iter=20, tol=1e-3).fit(rows)
        assert model.score(rows) == pytest.approx(model.lower_bound_, abs=0.01), seed
