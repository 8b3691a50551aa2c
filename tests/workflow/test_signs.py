"""Numbers that look like a sign for "missing"."""

import numpy as np
import pytest

from tacit.data.schema import Column, Schema
from tacit.data.table import Table
from tacit.workflow.signs import apart, signs
from tacit.workflow.sources import Rows

RANDOM = np.random.default_rng(0)
USUAL = RANDOM.normal(70.0, 10.0, 300)


@pytest.mark.parametrize(
    "strange", [[999999.0], [-999.0], [9999.0, 9998.0], [-9999.0, 9999.0], [1e30], [2147483647.0], [1234567.0]]
)
def test_what_stands_far_outside_is_found(strange: list[float]) -> None:
    found = list(apart(np.append(USUAL, strange)))
    assert {sign for sign, _, _ in found} == set(strange)
    assert all((low, high) == (USUAL.min(), USUAL.max()) for _, low, high in found)


@pytest.mark.parametrize(
    "values",
    [
        USUAL,
        np.append(RANDOM.integers(1, 90, 300), 99.0),  # an age
        RANDOM.standard_cauchy(2000),
        RANDOM.lognormal(sigma=4.0, size=2000),
        np.append(USUAL, 1234.0),
        np.array([1.0, 2.0, 999.0]),
        np.full(20, np.nan),
    ],
)
def test_what_may_be_measured_is_left_alone(values: np.ndarray) -> None:
    assert list(apart(values)) == []


def test_a_long_column_is_looked_at_to_its_ends() -> None:
    values = RANDOM.normal(size=200_000)
    values[[17, 77_777]] = 99999.0, -99999.0
    assert {sign for sign, _, _ in apart(values)} == {99999.0, -99999.0}


def test_row_and_column_are_named() -> None:
    values = np.stack([USUAL, USUAL[::-1]], axis=1).copy()
    values[[7, 9, 11, 13], 1] = 999999.0
    values[4, 0] = -999.0
    schema = Schema((Column("height", "continuous"), Column("weight", "continuous")))
    first, second = signs(Rows.of(Table(values, schema)))
    assert first.startswith("height: row 5 has -999, far outside all other values (")
    assert second.startswith("weight: 4 rows: 8, 10, 12 … have 999999, far outside all other values (")
    assert "--missing 999999" in second
