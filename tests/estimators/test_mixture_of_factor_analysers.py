"""Mixtures of factor analysers: groups near planes, the parsimonious family, gaps."""

import numpy as np
import pytest
from sklearn.exceptions import ConvergenceWarning
from sklearn.metrics import adjusted_rand_score

import tacit
from tacit import MixtureOfFactorAnalysers
from tacit.estimators.mixture.factors import CONSTRAINTS


def planes(rows: int = 90) -> tuple[np.ndarray, np.ndarray]:
    random = np.random.default_rng(0)
    parts = [
        random.normal(size=(rows, 2)) @ (1.5 * random.normal(size=(2, 12)))
        + 0.4 * random.normal(size=(rows, 12))
        + random.normal(size=12)
        for _ in range(3)
    ]
    return np.concatenate(parts), np.repeat([0, 1, 2], rows)


@pytest.mark.parametrize("constraints", CONSTRAINTS)
def test_the_bound_never_falls_under_any_constraint(constraints: str) -> None:
    rows, _ = planes(40)
    model = MixtureOfFactorAnalysers(3, n_factors=2, constraints=constraints, random_state=0, max_iter=60, tol=0.0)
    with pytest.warns(ConvergenceWarning):
        model.fit(rows)
    assert np.all(np.diff(model.trace_.bound) > -1e-8)
    noise = model.noise_variances_
    if constraints[2] == "C":
        np.testing.assert_allclose(noise, np.broadcast_to(noise[:, :1], noise.shape))
    if constraints[1] == "C":
        np.testing.assert_allclose(noise, np.broadcast_to(noise[:1], noise.shape))
    if constraints[0] == "C":
        np.testing.assert_allclose(model.loadings_, np.broadcast_to(model.loadings_[:1], model.loadings_.shape))


def test_groups_are_found_with_and_without_gaps() -> None:
    rows, labels = planes()
    found = MixtureOfFactorAnalysers(3, n_factors=2, n_init=4, random_state=0, max_iter=300).fit(rows)
    assert adjusted_rand_score(labels, found.predict(rows)) > 0.98
    gappy = np.where(np.random.default_rng(1).random(rows.shape) < 0.2, np.nan, rows)
    again = MixtureOfFactorAnalysers(3, n_factors=2, n_init=4, random_state=0, max_iter=300).fit(gappy)
    assert adjusted_rand_score(labels, again.predict(gappy)) > 0.95
    missing = np.isnan(gappy)
    assert np.sqrt(((again.impute(gappy) - rows)[missing] ** 2).mean()) < 0.4 * rows[missing].std()
    drawn, groups = again.sample(50)
    assert drawn.shape == (50, 12)
    assert set(groups) <= {0, 1, 2}
    assert again.condition({0: 1.0, 3: np.nan}).marginal([5]).mean().shape == (1,)


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"n_factors": 12}, "must be below n_features=12"),
        ({"objective": "map"}, "objective='mle'"),
        ({"inference": "gradient"}, "'em' or 'hard-em'"),
        ({"constraints": "XYZ"}, "constraints must be one of"),
    ],
)
def test_bad_settings_are_told(given: dict, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        MixtureOfFactorAnalysers(2, **given).fit(planes(20)[0])


def test_a_constant_column_is_refused_by_name() -> None:
    rows = np.random.default_rng(0).normal(size=(40, 3))
    rows[:, 1] = 7.0
    with pytest.raises(ValueError, match="all values are the same in column 'x1'"):
        MixtureOfFactorAnalysers(2, n_factors=1).fit(rows)


def test_constraints_and_numbers_of_factors_are_chosen_together() -> None:
    random = np.random.default_rng(0)
    parts = [
        random.normal(size=(200, 3)) @ random.normal(size=(3, 8)) * 2 + random.normal(size=8) * 3 for _ in range(2)
    ]
    rows = np.concatenate(parts) + random.normal(size=(400, 8)) * 0.4
    tried = [f"{constraints}-{factors}" for constraints in ("UUU", "UCU") for factors in (2, 3)]
    found = tacit.select(rows, [1, 2], tried, estimator=MixtureOfFactorAnalysers(), random_state=0)
    assert isinstance(found.best, MixtureOfFactorAnalysers)
    assert (found.best.n_components, found.best.constraints, found.best.n_factors) == (2, "UCU", 3)
    assert set(found.table["covariance"].to_pylist()) == set(tried)
    with pytest.raises(ValueError, match=r"'UUX-2' is no structure of a mixture of factor analysers"):
        tacit.select(rows, [1], ["UUX-2"], estimator=MixtureOfFactorAnalysers())
