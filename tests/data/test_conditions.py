"""Conditions on rows in words: what they mean, and what is said where they mean nothing."""

import pyarrow as pa
import pytest

from tacit.data.conditions import condition_of
from tacit.data.errors import DataError

TABLE = pa.table(
    {
        "amount": [1.0, -2.0, None, 40.0],
        "region": ["north", "south", "it's", None],
        "age": [10, 20, 30, 40],
        "two words": [1, 2, 3, 4],
        "new": [True, False, True, False],
        "day": pa.array([0, 1, 2, 3], pa.int32()).cast(pa.date32()),
    }
)


@pytest.mark.parametrize(
    ("text", "rows"),
    [
        ("amount > 0", [0, 3]),
        ("amount>0 and age <= 30", [0]),
        ("amount > 0 or age = 20", [0, 1, 3]),
        ("not amount > 0", [1]),
        ("age > 10 and (amount > 30 or amount < -1)", [1, 3]),
        ("age = 10 or age = 20 and amount > 0", [0]),
        ("region in ('north', 'it''s')", [0, 2]),
        ("region not in ('north')", [1, 2, 3]),
        ("amount is missing", [2]),
        ("amount IS NOT NULL", [0, 1, 3]),
        ('"two words" != 2', [0, 2, 3]),
        ("`two words` <> 2", [0, 2, 3]),
        ("new = true", [0, 2]),
        ("age >= 1e1 and age < 2.5e1", [0, 1]),
        ("age == -5 or age==+10", [0]),
    ],
)
def test_conditions(text: str, rows: list[int]) -> None:
    condition = condition_of(text, TABLE.schema)
    numbered = TABLE.append_column("row", pa.array(range(4)))
    assert numbered.filter(condition.expression).column("row").to_pylist() == rows
    assert set(condition.columns) <= set(TABLE.column_names)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "is no condition"),
        ("amount", "at its end"),
        ("amount >", "a number, or a text in single quotes"),
        ("amount > 0 and", "the name of a column is wanted"),
        ("(amount > 0", "a bracket is open"),
        ("amount > 0)", "not understood at"),
        ("amont > 0", "Did you mean 'amount'"),
        ("amount > 'much'", "cannot be asked"),
        ("region in ('north', 3)", "texts and numbers"),
        ("region in 'north'", "a list in brackets"),
        ("amount ; drop", "not understood at"),
        ("amount > 0 age > 3", "not understood at 'age"),
        ("amount is good", "not understood at 'good'"),
        ("amount between 1 and 2", "not understood"),
        ("amount > 12abc", "not understood"),
    ],
)
def test_what_is_no_condition_is_said(text: str, said: str) -> None:
    with pytest.raises(DataError, match=r"(?s)filter") as error:
        condition_of(text, TABLE.schema)
    assert said in str(error.value)
