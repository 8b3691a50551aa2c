"""PCA: scikit-learn's numbers, the density that goes with them, gaps, weights and batches."""

import numpy as np
import pytest
import sklearn.decomposition
from scipy.stats import multivariate_normal
from sklearn.datasets import load_iris, load_wine

from tacit import PCA

IRIS = load_iris().data


@pytest.mark.parametrize(("factors", "total"), [(1, -470.669458), (2, -404.962780), (3, -379.914630)])
def test_the_density_of_iris_is_the_maximum_in_closed_form(factors: int, total: float) -> None:
    found = PCA(factors).fit(IRIS)
    assert found.score_samples(IRIS).sum() == pytest.approx(total, abs=1e-5)
    spread = np.asarray(found.plane.covariance_matrices()[0])
    np.testing.assert_allclose(
        found.score_samples(IRIS), multivariate_normal(IRIS.mean(0), spread).logpdf(IRIS), atol=1e-9
    )
    assert found.n_parameters_ == 4 + 4 * factors - factors * (factors - 1) // 2 + 1


@pytest.mark.parametrize("whiten", [False, True])
@pytest.mark.parametrize("rows", [IRIS, load_wine().data, load_wine().data[:8]])
def test_all_attributes_are_scikit_learns(rows: np.ndarray, whiten: bool) -> None:
    number = min(3, len(rows) - 1)
    ours, theirs = PCA(number, whiten=whiten).fit(rows), sklearn.decomposition.PCA(number, whiten=whiten).fit(rows)
    for name in ("components_", "explained_variance_", "explained_variance_ratio_", "singular_values_", "mean_"):
        np.testing.assert_allclose(getattr(ours, name), getattr(theirs, name), rtol=1e-8, atol=1e-9)
    assert ours.noise_variance_ == pytest.approx(theirs.noise_variance_, rel=1e-9)
    scores = ours.transform(rows)
    np.testing.assert_allclose(scores, theirs.transform(rows), atol=1e-8)
    np.testing.assert_allclose(ours.inverse_transform(scores), theirs.inverse_transform(scores), atol=1e-8)
    if not whiten:  # theirs then is the covariance of other rows
        np.testing.assert_allclose(ours.get_covariance(), theirs.get_covariance(), rtol=1e-8, atol=1e-9)


def test_gaps_and_how_sure_the_scores_are() -> None:
    random = np.random.default_rng(0)
    rows = random.normal(size=(800, 2)) @ random.normal(size=(2, 7)) * 2 + 0.5 * random.normal(size=(800, 7)) + 3.0
    gappy = np.where(random.random(rows.shape) < 0.25, np.nan, rows)
    gappy[0] = np.nan
    found, whole = PCA(2).fit(gappy), PCA(2).fit(rows)
    assert found.converged_
    np.testing.assert_allclose(np.abs(found.components_ @ whole.components_.T), np.eye(2), atol=0.05)
    np.testing.assert_allclose(found.explained_variance_, whole.explained_variance_, rtol=0.1)
    scores, deviations = found.transform(gappy, return_std=True)
    np.testing.assert_allclose(scores[0], 0.0, atol=1e-12)
    truth = found.transform(rows)
    sure = ~np.isnan(gappy).any(1)
    np.testing.assert_allclose(scores[sure], truth[sure], atol=1e-10)
    assert not deviations[sure].any()
    inside = np.abs(scores - truth)[~sure] < 1.96 * deviations[~sure]
    assert 0.93 < inside.mean() < 0.97
    _, white = PCA(2, whiten=True).fit(gappy).transform(gappy[:1], return_std=True)
    np.testing.assert_allclose(white, 1.0, atol=0.01)
    assert PCA(0.9).fit(gappy).n_components_ == 2
    assert PCA("mle").fit(gappy).n_components_ == 2
    assert PCA().fit(gappy).components_.shape == (7, 7)


def test_weights_batches_and_wide_rows() -> None:
    times = np.random.default_rng(1).integers(0, 3, len(IRIS))
    weighed, copies = PCA(2).fit(IRIS, sample_weight=times), PCA(2).fit(np.repeat(IRIS, times, axis=0))
    np.testing.assert_allclose(weighed.explained_variance_, copies.explained_variance_, rtol=1e-10)
    parts = PCA(2).partial_fit(IRIS[:70]).partial_fit(IRIS[70:])
    np.testing.assert_allclose(parts.explained_variance_, PCA(2).fit(IRIS).explained_variance_, rtol=1e-10)
    wide = np.random.default_rng(0).normal(size=(30, 3000))
    ours, theirs = PCA(3).fit(wide), sklearn.decomposition.PCA(3, svd_solver="full").fit(wide)
    np.testing.assert_allclose(ours.explained_variance_, theirs.explained_variance_, rtol=1e-9)
    assert np.isfinite(ours.score_samples(wide)).all()


@pytest.mark.parametrize(
    ("model", "rows", "words"),
    [
        (PCA(5), IRIS, "must be between 0 and"),
        (PCA(2.5), IRIS, "whole number, a share"),
        (PCA("all"), IRIS, "whole number, a share"),
        (PCA(1), np.column_stack([IRIS, np.full(150, np.nan)]), "no value is seen in column 'x4'"),
        (PCA(1), np.where(IRIS > 7.8, np.inf, IRIS), "infinity"),
    ],
)
def test_bad_input_is_told(model: PCA, rows: np.ndarray, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        model.fit(rows)


def test_no_components_answer_rows_with_gaps() -> None:
    rows = np.random.default_rng(0).normal(size=(20, 3))
    rows[2, 1] = np.nan
    model = PCA(0).fit(rows)
    scores, deviations = model.transform(rows, return_std=True)
    assert scores.shape == deviations.shape == (20, 0)
    assert np.isfinite(model.score_samples(rows)).all()


@pytest.mark.parametrize("tall", [False, True])
def test_rows_without_any_difference_and_values_too_large_are_refused(tall: bool) -> None:
    rows = np.tile(np.arange(3.0), (200 if tall else 4, 1))
    with pytest.raises(ValueError, match="all rows are the same"):
        PCA(1).fit(rows)
    rows = np.random.default_rng(0).normal(size=rows.shape)
    rows[:, 1] *= 1e200
    with pytest.raises(ValueError, match=r"'x1' are so large"), np.errstate(all="ignore"):
        PCA(1).fit(rows)
