"""Factor analysis: figures in print, gaps, rotations, scores, indices of fit, and what bad input is told."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from sklearn.datasets import load_wine
from sklearn.exceptions import ConvergenceWarning

import tacit
from tacit import FactorAnalysis
from tacit.models.factors.rotation import matched


@pytest.fixture(scope="module")
def harman(shared_data: Path) -> pd.DataFrame:
    return pd.read_csv(shared_data / "tables" / "harman74_cor.csv", index_col=0)


def simulated(rows: int = 1500, seed: int = 0) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Rows, their factors, and the standardised loadings, simple and with correlations of 0 between the factors."""
    random = np.random.default_rng(seed)
    loadings = np.zeros((9, 3))
    for d in range(9):
        loadings[d, d // 3] = 0.5 + 0.1 * (d % 3)
    factors = random.normal(size=(rows, 3))
    noise = np.sqrt(1.0 - (loadings**2).sum(1))
    return factors @ loadings.T + noise * random.normal(size=(rows, 9)), factors, loadings


@pytest.mark.parametrize(
    ("factors", "chi2", "dof"), [(1, 622.91, 252), (2, 420.24, 229), (3, 295.59, 207), (4, 226.68, 186)]
)
def test_harman74_is_as_factanal_has_it(harman: pd.DataFrame, factors: int, chi2: float, dof: int) -> None:
    """R's ``factanal(covmat = Harman74.cor, factors = k)``."""
    found = FactorAnalysis(factors, least_uniqueness=0.005).fit_covariance(harman, 145).goodness_of_fit()
    assert found.chi2 == pytest.approx(chi2, abs=0.006)
    assert found.dof == dof


HARMAN23 = (
    (0.846, 0.805, 0.859, 0.473, 0.398, 0.301, 0.382),
    (0.881, 0.826, 0.376, 0.326, 0.277, 0.415),
    (0.801, 0.380, 0.319, 0.237, 0.345),
    (0.436, 0.329, 0.327, 0.365),
    (0.762, 0.730, 0.629),
    (0.583, 0.577),
    (0.539,),
)
"""Correlations of eight physical measures of 305 girls, above the diagonal (Harman 1976, table 2.3)."""


@pytest.mark.parametrize(
    ("matrix", "factors", "objective", "dof"),
    [
        ("harman23", 1, 2.03927027313, 20),
        ("harman23", 2, 0.253161693742, 13),
        ("harman23", 3, 0.0764121609352, 7),
        ("harman23", 4, 0.0155447383034, 2),
        ("ability", 1, 0.699345035899, 9),
        ("ability", 2, 0.0571602170247, 4),
    ],
)
@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")  # a Heywood case from three factors on
def test_objectives_are_factanals(shared_data: Path, matrix: str, factors: int, objective: float, dof: int) -> None:
    """R's ``factanal(covmat = Harman23.cor)`` and ``ability.cov``; its χ² is ``n − 1 − (2p + 5)/6 − 2k/3`` times it."""
    if matrix == "harman23":
        upper = np.eye(8)
        upper[np.triu_indices(8, 1)] = [value for row in HARMAN23 for value in row]
        given, rows = np.triu(upper, 1).T + upper, 305
    else:
        given = pd.read_csv(shared_data / "tables" / "ability_cov.csv", index_col=0).to_numpy()
        rows = 112
    found = FactorAnalysis(factors, least_uniqueness=0.005).fit_covariance(given, rows).goodness_of_fit()
    multiplier = rows - 1 - (2 * len(given) + 5) / 6 - 2 * factors / 3
    assert found.chi2 is not None
    assert found.chi2 / multiplier == pytest.approx(objective, abs=1e-6)
    assert found.dof == dof


@pytest.mark.parametrize(("factors", "least"), [(1, -3624.1218), (2, -3477.0426), (3, -3433.9496)])
def test_wine_reaches_the_likelihood_in_print(factors: int, least: float) -> None:
    rows = load_wine().data
    found = FactorAnalysis(factors).fit(rows)
    assert found.score(rows) * len(rows) > least - 1e-4
    assert found.loglike_[-1] == pytest.approx(found.score_samples(rows).sum(), rel=1e-10)


def test_gaps_cost_little_and_scores_know_how_sure_they_are() -> None:
    rows, factors, loadings = simulated()
    gappy = np.where(np.random.default_rng(1).random(rows.shape) < 0.25, np.nan, rows)
    gappy[0] = np.nan
    found = FactorAnalysis(3, rotation="varimax").fit(gappy)
    assert found.converged_
    assert np.all(np.diff(found.trace_.bound) > -1e-6)
    order, signs = matched(found.loadings_, loadings)
    np.testing.assert_allclose(found.loadings_[:, order] * signs, loadings, atol=0.12)
    scores, deviations = found.transform(gappy, return_std=True)
    np.testing.assert_array_equal(scores[0], 0.0)
    np.testing.assert_allclose(deviations[0], 1.0)
    inside = np.abs(scores[:, order] * signs - factors) < 1.96 * deviations[:, order]
    assert 0.93 < inside.mean() < 0.97
    bartlett, wide = found.transform(gappy, return_std=True, method="bartlett")
    assert np.isinf(wide[0]).all()
    assert (wide >= deviations).all()
    assert np.isfinite(bartlett).all()
    fit = found.goodness_of_fit(gappy)
    assert fit.dof == 12
    assert fit.p_value > 0.001
    filled = found.impute(gappy)
    missing = np.isnan(gappy)
    assert np.sqrt(((filled - rows)[missing] ** 2).mean()) < 0.95 * rows[missing].std()


@pytest.mark.parametrize("rotation", ["varimax", "oblimin"])
def test_standard_errors_are_the_spread_of_new_samples(rotation: str) -> None:
    _, _, loadings = simulated()
    population = FactorAnalysis(3, rotation=rotation).fit_covariance(
        loadings @ loadings.T + np.diag(1.0 - (loadings**2).sum(1)), 400
    )
    said = population.standard_errors()
    found = []
    for seed in range(40):
        sample = FactorAnalysis(3, rotation=rotation).fit(simulated(400, seed)[0])
        order, signs = matched(sample.loadings_, population.loadings_)
        found.append(sample.loadings_[:, order] * signs)
    ratio = np.std(found, axis=0) / said["loadings"]
    assert 0.85 < np.median(ratio) < 1.2
    rows = simulated(400)[0]
    fit = FactorAnalysis(3, rotation=rotation).fit(rows)
    drawn = fit.standard_errors(rows, method="bootstrap", n_boot=40)
    assert 0.8 < np.median(drawn["loadings"] / fit.standard_errors()["loadings"]) < 1.3


def test_a_rotation_changes_the_words_and_not_the_density() -> None:
    rows = simulated(400)[0]
    plain = FactorAnalysis(3).fit(rows)
    turned = FactorAnalysis(3, rotation="oblimin").fit(rows)
    np.testing.assert_allclose(turned.get_covariance(), plain.get_covariance(), atol=1e-9)
    implied = turned.loadings_ @ turned.factor_correlations_ @ turned.loadings_.T
    np.testing.assert_allclose((implied**2).sum(), ((plain.loadings_ @ plain.loadings_.T) ** 2).sum(), rtol=1e-9)
    np.testing.assert_allclose(turned.communalities_ + turned.uniquenesses_, 1.0, atol=1e-6)
    assert turned.explained_variance_.sum() == pytest.approx(turned.communalities_.sum())
    assert (np.diff(turned.explained_variance_) <= 0).all()
    scores = turned.transform(rows)
    np.testing.assert_allclose(
        scores @ np.linalg.pinv(scores) @ plain.transform(rows), plain.transform(rows), atol=1e-8
    )


@pytest.mark.parametrize("gaps", [False, True])
def test_priors_shrink_loadings_drop_factors_and_set_small_ones_to_zero(gaps: bool) -> None:
    rows, _, truth = simulated(800)
    if gaps:
        rows = np.where(np.random.default_rng(1).random(rows.shape) < 0.15, np.nan, rows)
    plain = FactorAnalysis(3).fit(rows)
    shrunk = FactorAnalysis(3, prior="normal", prior_strength=200.0).fit(rows)
    relevant = FactorAnalysis(7, prior="ard").fit(rows)
    sparse = FactorAnalysis(3, prior="sparse", prior_strength=25.0).fit(rows)
    for model in (shrunk, relevant, sparse):
        assert model.converged_
        assert np.all(np.diff(model.trace_.bound) > -1e-7)
    assert shrunk.communalities_.sum() < plain.communalities_.sum() - 0.05
    assert relevant.loadings_.shape == (9, 3)
    np.testing.assert_allclose(relevant.get_covariance(), plain.get_covariance(), atol=0.1)
    order, signs = matched(sparse.loadings_, truth)
    assert ((sparse.loadings_[:, order] == 0.0) & (truth == 0.0)).sum() >= 9
    np.testing.assert_allclose(sparse.loadings_[:, order] * signs, truth, atol=0.2)


def test_batches_are_all_rows_at_once() -> None:
    rows = simulated(600)[0]
    whole, parts = FactorAnalysis(3).fit(rows), FactorAnalysis(3)
    for start in (0, 200, 400):
        parts.partial_fit(rows[start : start + 200])
    np.testing.assert_allclose(parts.loadings_, whole.loadings_, atol=1e-6)
    with pytest.raises(ValueError, match="complete rows"):
        parts.partial_fit(np.where(rows > 2, np.nan, rows))


def test_more_columns_than_rows_and_none_too_many() -> None:
    random = np.random.default_rng(0)
    rows = random.normal(size=(40, 2)) @ random.normal(size=(2, 60)) + 0.5 * random.normal(size=(40, 60))
    assert np.isfinite(FactorAnalysis(2).fit(rows).score(rows))
    wide = random.normal(size=(60, 2)) @ random.normal(size=(2, 2500)) + 0.5 * random.normal(size=(60, 2500))
    found = FactorAnalysis(2, tol=1.0).fit(wide)
    assert found.noise_variance_.mean() == pytest.approx(0.25, abs=0.02)


def test_a_column_without_noise_is_named() -> None:
    rows = simulated(200)[0]
    twice = pd.DataFrame(np.column_stack([rows, rows[:, 0]]), columns=[*"abcdefghi", "again"])
    with pytest.warns(ConvergenceWarning, match="'a'"):
        found = FactorAnalysis(3).fit(twice)
    assert not found.converged_
    assert {"a", "again"} & set(found.at_floor_)
    with pytest.warns(ConvergenceWarning, match="max_iter"):
        FactorAnalysis(3, max_iter=1).fit(rows)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda x: np.column_stack([x, np.ones(len(x))]), "all values are the same in column 'x9'"),
        (lambda x: np.column_stack([x, np.full(len(x), np.nan)]), "no value is seen in column 'x9'"),
        (lambda x: np.where(x > 2.9, np.inf, x), "infinity"),
        (lambda x: x[:1], "minimum of 2"),
    ],
)
def test_bad_rows_are_told(change, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        FactorAnalysis(2).fit(change(simulated(800)[0]))


def test_bad_settings_and_matrices_are_told() -> None:
    rows = simulated(50)[0]
    with pytest.raises(ValueError, match="n_components=10 is more than the 9 columns"):
        FactorAnalysis(10).fit(rows)
    with pytest.raises(ValueError, match="rotation must be one of"):
        FactorAnalysis(2, rotation="equamax").fit(rows)
    with pytest.raises(ValueError, match="noise_variance_init must be 9 numbers"):
        FactorAnalysis(2, noise_variance_init=np.ones(3)).fit(rows)
    with pytest.raises(ValueError, match="eigenvalue -"):
        FactorAnalysis(1).fit_covariance(np.array([[1.0, 0.9, -0.9], [0.9, 1.0, 0.9], [-0.9, 0.9, 1.0]]), 50)
    with pytest.raises(ValueError, match="symmetric"):
        FactorAnalysis(1).fit_covariance(np.array([[1.0, 0.5, 0.1], [0.2, 1.0, 0.1], [0.1, 0.1, 1.0]]), 50)
    with pytest.raises(ValueError, match="n, the number of rows"):
        FactorAnalysis(1).fit_covariance(np.eye(3) + 0.3, 1)
    with pytest.raises(ValueError, match="promax"):
        FactorAnalysis(2, rotation="promax").fit(rows).standard_errors()


def test_without_degrees_of_freedom_there_is_no_chi_squared() -> None:
    found = FactorAnalysis(2).fit(simulated(100)[0][:, :4])
    with pytest.warns(UserWarning, match="degrees of freedom"):
        fit = found.goodness_of_fit()
    assert fit.dof < 0
    assert np.isnan(fit.chi2)
    assert np.isfinite(fit.srmr)


def test_the_number_of_factors_is_chosen_by_bic_or_by_rows_kept_aside() -> None:
    rows = simulated(600)[0]
    for criterion in ("bic", "held-out"):
        found = tacit.select(rows, range(1, 6), criterion=criterion, estimator=FactorAnalysis(), random_state=0)
        assert found.best.number == 3
    assert found.best.loading_table().to_pandas().shape == (9, 6)
    assert found.best.plot() is not None
    assert "z" in {node.name for node in found.best.graph().nodes}


def test_a_singular_covariance_has_no_chi_squared_and_says_so() -> None:
    rows = np.random.default_rng(0).normal(size=(60, 6)) + np.random.default_rng(1).normal(size=(60, 1))
    twins = np.column_stack([rows, rows[:, 0]])
    with pytest.warns(ConvergenceWarning, match="Heywood"):
        model = FactorAnalysis(1).fit(np.column_stack([rows, rows[:, 0]]))
    with pytest.warns(UserWarning, match="singular"):
        found = model.goodness_of_fit(twins)
    assert np.isnan(found.chi2)
    assert np.isfinite(found.bic)


def test_the_indices_of_complete_rows_are_the_same_from_the_rows() -> None:
    rows = np.random.default_rng(0).normal(size=(80, 6)) + np.random.default_rng(1).normal(size=(80, 1))
    model = FactorAnalysis(1).fit(rows)
    kept, again = model.goodness_of_fit(), model.goodness_of_fit(rows)
    for name in ("chi2", "p_value", "rmsea", "tli", "srmr", "log_likelihood", "bic"):
        assert getattr(again, name) == pytest.approx(getattr(kept, name), rel=1e-9, abs=1e-12), name
    assert again.log_likelihood == pytest.approx(float(model.score_samples(rows).sum()), rel=1e-10)


@pytest.mark.parametrize("gaps", [False, True])
def test_values_too_large_to_square_are_refused_by_name(gaps: bool) -> None:
    rows = np.random.default_rng(0).normal(size=(30, 4))
    rows[:, 2] *= 1e200
    if gaps:
        rows[3, 1] = np.nan
    with pytest.raises(ValueError, match=r"'x2' are so large"), np.errstate(all="ignore"):
        FactorAnalysis(1).fit(rows)


def test_weights_that_are_shares_end_em_no_sooner() -> None:
    random = np.random.default_rng(0)
    rows = random.normal(size=(60, 2)) @ random.normal(size=(2, 6)) + 0.5 * random.normal(size=(60, 6))
    rows[random.random(rows.shape) < 0.2] = np.nan
    plain = FactorAnalysis(2).fit(rows)
    shares = FactorAnalysis(2).fit(rows, sample_weight=np.full(60, 1 / 60))
    assert shares.score(rows) == pytest.approx(plain.score(rows), abs=1e-5)
    np.testing.assert_allclose(shares.score_samples(rows), plain.score_samples(rows), atol=2e-3)
