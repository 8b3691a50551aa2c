"""Odd and typical rows: neither units nor logarithms change their order."""

from typing import Any

import numpy as np
import pytest
from scipy.stats import lognorm, norm

import tacit
from tacit import Mixture, typicality
from tacit.evaluation.typicality import positive_columns

RANDOM = np.random.default_rng(0)
AMOUNT = np.exp(RANDOM.normal(3.0, 1.5, size=400))
HEIGHT = RANDOM.normal(170.0, 8.0, size=400)
ROWS = np.column_stack([AMOUNT, HEIGHT])
FAMILIES = {0: "log-normal", 1: "normal"}


def _fitted(rows: np.ndarray, families: Any = FAMILIES) -> Mixture:
    return Mixture(1, families=families, objective="mle", random_state=0).fit(rows)


def test_it_is_the_density_of_the_logarithms() -> None:
    found = typicality(_fitted(ROWS), ROWS)
    logs = np.log(AMOUNT)
    expected = norm(logs.mean(), logs.std()).logpdf(logs) + norm(HEIGHT.mean(), HEIGHT.std()).logpdf(HEIGHT)
    np.testing.assert_allclose(found, expected, atol=1e-4)
    given_as_logs = np.column_stack([logs, HEIGHT])
    np.testing.assert_allclose(found, typicality(_fitted(given_as_logs, "normal"), given_as_logs), atol=1e-4)


def test_log_density_keeps_its_meaning() -> None:
    logs = np.log(AMOUNT)
    expected = lognorm(logs.std(), scale=np.exp(logs.mean())).logpdf(AMOUNT)
    expected = expected + norm(HEIGHT.mean(), HEIGHT.std()).logpdf(HEIGHT)
    np.testing.assert_allclose(_fitted(ROWS).score_samples(ROWS), expected, atol=1e-4)


@pytest.mark.parametrize("family", ["log-normal", "gamma", "exponential"])
def test_units_change_no_order_and_both_tails_are_odd(family: str) -> None:
    families = {0: family, 1: "normal"}
    model = _fitted(ROWS, families)
    assert positive_columns(model).tolist() == [True, False]
    found = typicality(model, ROWS)
    other = ROWS * [1e-3, 1e2]
    np.testing.assert_allclose(
        np.diff(typicality(_fitted(other, families), other)), np.diff(found), rtol=1e-4, atol=1e-4
    )
    middle = np.exp(np.log(AMOUNT).mean())
    low, high, usual = typicality(model, np.array([[1e-6, 170.0], [1e6, 170.0], [middle, 170.0]]))
    assert max(low, high) < np.quantile(found, 0.01) < usual
    assert usual - max(low, high) > 8.0


def test_gaps_have_no_share() -> None:
    model = _fitted(ROWS)
    holed = np.array([[np.nan, 170.0], [20.0, np.nan]])
    whole = model.score_samples(holed)
    np.testing.assert_allclose(typicality(model, holed), whole + np.array([0.0, np.log(20.0)]), rtol=1e-12)


def test_models_without_such_columns_are_as_they_were() -> None:
    model = tacit.GaussianMixture(1).fit(ROWS)
    np.testing.assert_array_equal(typicality(model, ROWS), model.score_samples(ROWS))
