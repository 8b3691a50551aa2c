"""Classes that a hyperplane tells apart, named in words."""

import numpy as np
import pandas as pd
import pytest

from tacit import BayesianLogisticRegression
from tacit.models.regression.separation import separating

RANDOM = np.random.default_rng(0)
ROWS = RANDOM.normal(size=(120, 3))


@pytest.mark.parametrize(
    ("rows", "labels", "expected"),
    [
        (ROWS, ROWS[:, 1] > 0.3, (1, (1,))),
        (ROWS, ROWS[:, 1] < 0.3, (1, (1,))),
        (ROWS, ROWS[:, 0] + ROWS[:, 2] > 0.2, (1, (0, 2))),
        (ROWS, RANDOM.random(120) < 0.5, None),
        (np.array([[0.0], [0.0], [1.0], [1.0], [0.0]]), np.array([0, 1, 1, 1, 0]), (1, (0,))),  # quasi-complete
        (np.array([[0.0], [1.0], [0.0], [1.0]]), np.array([0, 0, 1, 1]), None),
        (np.ones((4, 1)), np.array([0, 1, 0, 1]), None),
    ],
)
def test_the_columns_that_tell_are_found(
    rows: np.ndarray, labels: np.ndarray, expected: tuple[int, tuple[int, ...]] | None
) -> None:
    found = separating(rows, labels.astype(int), 2)
    if expected is None:
        assert found is None
    else:
        assert found is not None
        assert found[0] == expected[0]
        assert set(expected[1]) <= set(found[1])


def test_one_of_several_classes_may_be_apart() -> None:
    labels = np.where(ROWS[:, 1] > 0.5, 2, RANDOM.integers(0, 2, 120))
    assert separating(ROWS, labels, 3) == (2, (1,))


def test_the_verdict_names_the_column_and_whose_choice_the_size_is() -> None:
    frame = pd.DataFrame(ROWS, columns=["age", "dose", "weight"])
    y = np.where(ROWS[:, 1] > 0.1, "ill", "well")
    words = str(BayesianLogisticRegression().fit(frame, y).verdict_)
    assert "The classes are separated: 'dose' alone tells class 'well' from the other without a mistake" in words
    assert "size is the prior's choice" in words
    mixed = np.where(RANDOM.random(120) < 0.5, "ill", "well")
    assert "separated" not in str(BayesianLogisticRegression().fit(frame, mixed).verdict_)
