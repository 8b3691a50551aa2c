"""The columns as numbers for a model that predicts another: levels, gaps, scales, and the same as JSON."""

import json

import numpy as np
import pytest

from tacit.data.dataset import DenseRows
from tacit.data.errors import DataError
from tacit.data.features import Target, class_names, learned
from tacit.data.schema import Column, Schema

NAN = np.nan
SCHEMA = Schema(
    (
        Column("age", "continuous"),
        Column("member", "binary", ("no", "yes")),
        Column("city", "categorical", ("Oslo", "Paris", "Rome", "Wien")),
    )
)
GOAL = Column("churn", "binary", (False, True))
ROWS = np.array([[30.0, 0, 2], [50.0, 1, 2], [NAN, 1, 0], [40.0, NAN, 1], [40.0, 1, NAN]])


def test_levels_become_ones_against_the_commonest_and_unseen_ones_nothing() -> None:
    found = learned(GOAL, DenseRows(ROWS), SCHEMA, scaled=False)
    assert [term.name for term in found.terms] == ["age", "member = yes", "city = Oslo", "city = Paris"]
    assert [term.reference for term in found.terms] == [None, 0, 2, 2]
    assert found.fills == (40.0, 1.0, 2.0)
    expected = [[30, 0, 0, 0], [50, 1, 0, 0], [40, 1, 1, 0], [40, 1, 0, 1], [40, 1, 0, 0]]
    np.testing.assert_array_equal(found.design(ROWS), expected)
    # a level that the fit has not met stands where the commonest does
    np.testing.assert_array_equal(found.design(np.array([[35.0, 0, 3]])), [[35, 0, 0, 0]])


def test_numbers_are_scaled_by_the_fitted_rows_alone() -> None:
    found = learned(GOAL, DenseRows(ROWS), SCHEMA, scaled=True)
    np.testing.assert_allclose(found.design(np.array([[40.0, 0, 2], [60.0, 0, 2]]))[:, 0], [0.0, 20 / np.sqrt(50)])


def test_a_column_that_never_varies_does_no_harm() -> None:
    rows = np.array([[3.0, 1, 2], [3.0, 1, 2]])
    found = learned(GOAL, DenseRows(rows), SCHEMA, scaled=True)
    np.testing.assert_array_equal(found.design(rows), [[0.0], [0.0]])
    same = np.array([[98.6, 1, 2]] * 100)  # whose spread is rounding, and not 0
    found = learned(GOAL, DenseRows(same), SCHEMA, scaled=True)
    np.testing.assert_allclose(found.design(same[:1] + np.array([[1.0, 0, 0]])), [[1.0]])
    nothing = learned(GOAL, DenseRows(np.full((2, 3), NAN)), SCHEMA, scaled=False)
    assert np.isfinite(nothing.design(np.full((1, 3), NAN))).all()


def test_targets_are_texts_of_classes_or_numbers() -> None:
    codes = np.array([0.0, 1.0, 1.0])
    assert class_names(GOAL).tolist() == Target(GOAL).values(np.array([0.0, 1.0]), classes=True).tolist()
    marks = Column("mark", "categorical", (1, 3, 5))
    assert Target(marks).values(np.array([2.0, 0.0]), classes=False).tolist() == [5.0, 1.0]
    assert Target(marks).values(np.array([2.0, 0.0]), classes=True).tolist() == ["5", "1"]
    assert Target(Column("age", "continuous")).values(codes, classes=False).tolist() == [0.0, 1.0, 1.0]


def test_json_gives_the_same_again() -> None:
    found = learned(GOAL, DenseRows(ROWS), SCHEMA, scaled=True)
    assert Target.from_json(json.loads(json.dumps(found.to_json()))) == found
    assert Target.from_json(json.loads(json.dumps(Target(GOAL).to_json()))) == Target(GOAL)
    broken = found.to_json() | {"column": SCHEMA.to_json()}
    with pytest.raises(DataError, match="a target is one column, not 3"):
        Target.from_json(broken)
