"""What is written as TOML reads back as the same values."""

import math
import tomllib
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tacit.storage import config as toml

TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=8)
SCALARS = st.one_of(st.booleans(), st.integers(), st.floats(), TEXT)
VALUES = st.recursive(SCALARS, lambda part: st.lists(part, max_size=3), max_leaves=5)
TABLES = st.recursive(
    st.dictionaries(TEXT, VALUES, max_size=3),
    lambda part: st.dictionaries(TEXT, st.one_of(VALUES, part), max_size=3),
    max_leaves=4,
)


def same(a: Any, b: Any) -> bool:
    if type(a) is not type(b):
        return False
    if isinstance(a, dict):
        return a.keys() == b.keys() and all(same(a[key], b[key]) for key in a)
    if isinstance(a, list):
        return len(a) == len(b) and all(map(same, a, b))
    if isinstance(a, float):
        return (math.isnan(a) and math.isnan(b)) or (a == b and math.copysign(1, a) == math.copysign(1, b))
    return a == b


@given(TABLES)
def test_any_table_comes_back(table: dict[str, Any]) -> None:
    assert same(tomllib.loads(toml.dumps(table)), table)


def test_it_reads_well() -> None:
    table = {
        "name": 'Größe "x"\n',
        "half": 0.5,
        "inner table": {"a": [1, 2], "deeper": {"on": True}},
        "last": -1,
        "empty": {},
    }
    expected = (
        'name = "Größe \\"x\\"\\n"\nhalf = 0.5\nlast = -1\n\n["inner table"]\na = [1, 2]\n\n'
        '["inner table".deeper]\non = true\n\n[empty]\n'
    )
    assert toml.dumps(table) == expected
    assert tomllib.loads(expected) == table


def test_numpy_values_and_tuples_become_plain() -> None:
    table = {"a": np.eye(2), "b": np.float32(0.5), "c": (1, np.int8(2)), "d": np.bool_(True), "e": np.array(["x"])}
    expected = {"a": [[1.0, 0.0], [0.0, 1.0]], "b": 0.5, "c": [1, 2], "d": True, "e": ["x"]}
    assert same(tomllib.loads(toml.dumps(table)), expected)


@pytest.mark.parametrize(
    ("table", "words"),
    [
        ({"a": {"b": None}}, r"a\.b: TOML has no NoneType"),
        ({"a": [print]}, "a: TOML has no builtin"),
        ({"a": {1: 2}}, "a key of TOML is text, not 1"),
        ({"a": [{"b": 1}]}, "a: TOML has no dict"),
    ],
)
def test_what_toml_lacks_is_named(table: dict, words: str) -> None:
    with pytest.raises(TypeError, match=words):
        toml.dumps(table)
