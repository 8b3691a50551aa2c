"""Scores of codes against factors: one code a factor, mixed codes, and numbers worked out by hand."""

import numpy as np
import pytest
from sklearn.metrics import mutual_info_score

from tacit import mutual_information_gap, separated_attribute_predictability
from tacit.datasets import sprites


@pytest.fixture(scope="module")
def factors() -> np.ndarray:
    random = np.random.default_rng(0)
    return np.column_stack([random.integers(0, 5, 4000), random.integers(0, 8, 4000)])


def turned(values: np.ndarray) -> np.ndarray:
    """The columns, standardised, then turned by 45 degrees: both codes know as much of both."""
    white = (values - values.mean(axis=0)) / values.std(axis=0)
    return white @ np.array([[1.0, 1.0], [-1.0, 1.0]]) / np.sqrt(2.0)


def test_a_code_a_factor_scores_1_and_turned_codes_nearly_0(factors: np.ndarray) -> None:
    assert mutual_information_gap(factors * [2.0, -0.1], factors) == pytest.approx(1.0, abs=0.01)
    assert mutual_information_gap(turned(factors), factors) < 0.05
    own = separated_attribute_predictability(factors * [2.0, -0.1], factors, continuous=[True, True])
    assert own == pytest.approx(1.0, abs=0.01)
    assert separated_attribute_predictability(turned(factors), factors, continuous=[True, True]) < 0.05


def test_the_gap_is_that_of_the_information_by_hand() -> None:
    factor = np.array([0, 0, 0, 0, 1, 1, 1, 1])
    codes = np.column_stack([[0, 0, 0, 1, 1, 1, 1, 1], [0, 1, 0, 0, 1, 0, 1, 0], [3, 3, 3, 3, 3, 3, 3, 3]])
    found = [mutual_info_score(factor, code) for code in codes.T]
    # 3 of 4 zeros alone in their bin: log 2 − (5/8 log 5/4 … ) by the definition of the information
    own = 3 / 8 * np.log(2) + 1 / 8 * np.log(1 / 8 / (5 / 8 / 2)) + 4 / 8 * np.log(4 / 8 / (5 / 8 / 2))
    assert found[0] == pytest.approx(own, rel=1e-12)
    wanted = (found[0] - found[1]) / np.log(2)
    assert mutual_information_gap(codes, factor, bins=2) == pytest.approx(wanted, rel=1e-12)
    assert mutual_information_gap(codes[:, :1], factor, bins=2) == pytest.approx(found[0] / np.log(2), rel=1e-12)


def test_levels_are_predicted_and_numbers_explained(factors: np.ndarray) -> None:
    random = np.random.default_rng(1)
    labels = np.array(["cat", "dog"])[factors[:, 0] % 2]
    noise = random.normal(size=4000)
    codes = np.column_stack([np.where(labels == "dog", 1.0, -1.0), noise])
    # one code tells the label, the other is a guess: 1 − ½
    assert separated_attribute_predictability(codes, labels) == pytest.approx(0.5, abs=0.03)
    number = noise + 0.5 * random.normal(size=4000)
    wanted = np.corrcoef(number, noise)[0, 1] ** 2 - np.corrcoef(number, codes[:, 0])[0, 1] ** 2
    assert separated_attribute_predictability(codes, number) == pytest.approx(wanted, rel=1e-9)


def test_the_factors_of_sprites_are_told_apart_by_themselves() -> None:
    factors = sprites(4000, 8, random_state=0).factors
    assert mutual_information_gap(factors, factors) > 0.9
    assert mutual_information_gap(factors[:, :1] + factors[:, 1:2], factors[:, 1]) < 0.7


@pytest.mark.parametrize(
    ("codes", "factors", "said"),
    [
        (np.zeros((5, 2)), np.zeros((4, 1)), "of the same rows"),
        (np.zeros((3, 2)), np.zeros((3, 1)), "3 rows are too few"),
        (np.full((5, 2), np.nan), np.zeros((5, 1)), "a code is missing"),
        (np.zeros((5, 2)), np.full((5, 1), np.nan), "factor 0 has a missing"),
        (np.zeros((5, 2)), np.zeros((5, 1)), "no factor varies"),
    ],
)
def test_what_cannot_be_scored_is_said(codes: np.ndarray, factors: np.ndarray, said: str) -> None:
    for score in (mutual_information_gap, separated_attribute_predictability):
        with pytest.raises(ValueError, match=said):
            score(codes, factors)
