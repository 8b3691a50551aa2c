"""Rows that lie a million times further out than the others are wide: a fit has an answer, in every structure."""

import numpy as np
import pytest
from sklearn.mixture import GaussianMixture as Theirs

from tacit import GaussianMixture, select
from tacit.families.covariance import STRUCTURES

TILTED_OR_NOT = [name for name in STRUCTURES if len(name) == 3]
FAR = 999999.0


def _rows(seed: int, columns: int = 3, rows: int = 120) -> np.ndarray:
    random = np.random.default_rng(seed)
    found = random.normal(size=(rows, columns)) @ random.normal(size=(columns, columns))
    found[: rows // 2] += 5.0
    return found


def _sound(model: GaussianMixture, rows: np.ndarray) -> None:
    covariances = np.asarray(model.covariances_)
    if covariances.ndim == 3 or model.covariance_type == "tied":
        np.linalg.cholesky(covariances)
    else:
        assert (covariances > 0).all()
    assert np.isfinite(model.score_samples(rows)).all()
    assert np.isfinite(model.lower_bound_)
    np.testing.assert_allclose(model.predict_proba(rows).sum(axis=1), 1.0)


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
@pytest.mark.parametrize("whole_row", [True, False])
def test_one_far_row_is_fitted_from_every_seed(whole_row: bool) -> None:
    for seed in range(40):
        rows = _rows(seed, 8, 60)
        rows[7, slice(None) if whole_row else 3] = FAR
        _sound(GaussianMixture(2, random_state=seed).fit(rows), rows)


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
@pytest.mark.parametrize("name", TILTED_OR_NOT)
@pytest.mark.parametrize("far", [FAR, 1e12])
@pytest.mark.parametrize("gaps", [False, True])
def test_every_structure_fits_far_rows(name: str, far: float, gaps: bool) -> None:
    for number in (1, 2, 3):
        rows = _rows(number)
        if gaps:
            rows[::7, 1] = np.nan
        rows[5], rows[9] = FAR, far
        _sound(GaussianMixture(number, covariance_type=name, random_state=0).fit(rows), rows)


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
@pytest.mark.parametrize("gaps", [False, True])
def test_the_ridge_stays_the_documented_one_and_the_others_are_as_without_the_row(gaps: bool) -> None:
    rows = _rows(0, 2)
    rows[7] = FAR
    theirs = Theirs(1, reg_covar=1e-6).fit(np.delete(rows, 7, axis=0))
    holed = rows.copy()
    if gaps:
        holed = np.vstack([holed, np.full((3, 2), np.nan)])  # they say nothing
    model = GaussianMixture(2, random_state=0, tol=1e-9).fit(holed)
    assert model.weights_[1] * len(rows) == pytest.approx(1.0, rel=1e-6)
    np.testing.assert_allclose(model.covariances_[0], theirs.covariances_[0], rtol=1e-6)
    np.testing.assert_allclose(model.covariances_[1], 1e-6 * np.eye(2), rtol=1e-12, atol=1e-15)
    given = GaussianMixture(2, random_state=0, reg_covar=0.25).fit(rows)
    np.testing.assert_allclose(given.covariances_[1], 0.25 * np.eye(2), rtol=1e-9, atol=1e-9)


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
@pytest.mark.parametrize("scale", [1e-9, 1.0, 1e9])
@pytest.mark.parametrize("name", ["full", "tied", "VVE", "EEV", "VEE"])
def test_columns_that_follow_from_others_are_fitted_in_any_unit(name: str, scale: float) -> None:
    rows = _rows(0, 4) * scale
    rows[:, 3] = rows[:, 0] - 2.0 * rows[:, 1]
    _sound(GaussianMixture(2, covariance_type=name, random_state=0).fit(rows), rows)


def test_one_group_of_columns_with_few_values_has_an_answer_and_a_warning() -> None:
    random = np.random.default_rng(0)
    rows = random.normal(size=(1000, 21)) @ random.normal(size=(21, 21))
    rows[:, 3] = random.integers(0, 3, 1000)
    rows[:, 9] = 2.0 * rows[:, 3]
    with pytest.warns(UserWarning, match=r"component 0 rests on the floor .* along column 3: there the rows"):
        found = select(rows, [1], ["VVV"])
    assert found.best.at_floor_
    _sound(found.best, rows)
    others = np.delete(rows, 9, axis=1)
    expected = np.cov(others.T, bias=True)
    kept = np.delete(np.arange(21), 9)
    np.testing.assert_allclose(found.best.covariances_[0][np.ix_(kept, kept)], expected, rtol=1e-6, atol=1e-6)
    found.plot()
