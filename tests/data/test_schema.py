"""The schema: what it refuses, and that JSON gives the same one back."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tacit.data import KINDS, Column, DataError, Schema
from tacit.data.errors import counted, in_all, listed, nearest, place, shown

TEXTS = st.lists(st.text(max_size=5), min_size=2, max_size=4, unique=True).map(tuple)
WHOLE = st.lists(st.integers(-9, 9), min_size=2, max_size=4, unique=True).map(lambda v: tuple(sorted(v)))
BROKEN = st.lists(st.floats(-5, 5).map(lambda v: v + 0.0), min_size=2, max_size=4, unique=True).map(
    lambda v: tuple(sorted(v))
)


@st.composite
def columns(draw: st.DrawFn) -> tuple:
    kind = draw(st.sampled_from(KINDS))
    levels = None
    if kind == "categorical":
        levels = draw(st.one_of(TEXTS, WHOLE, BROKEN))
    if kind == "binary":
        levels = draw(st.sampled_from([(False, True), (0, 1), ("no", "yes"), (0.5, 1.5)]))
    return draw(st.text(max_size=8)), kind, levels, draw(st.text(max_size=8))


@given(st.lists(columns(), max_size=4, unique_by=lambda column: column[0]))
def test_json_gives_the_same_schema_back(parts: list[tuple]) -> None:
    schema = Schema(tuple(Column(*part) for part in parts))
    again = Schema.from_json(json.loads(json.dumps(schema.to_json())))
    assert again == schema
    assert [type(level) for c in again.columns for level in c.levels or ()] == [
        type(level) for c in schema.columns for level in c.levels or ()
    ]


def test_columns_are_found_by_name() -> None:
    schema = Schema((Column("age", "continuous"), Column("sex", "binary", ("f", "m"))))
    assert schema.names == ("age", "sex")
    assert schema.kinds == ("continuous", "binary")
    assert len(schema) == 2
    assert schema["sex"].levelled
    assert not schema["age"].levelled
    with pytest.raises(DataError, match=r"no column 'agee'; there are 'age', 'sex'. Did you mean 'age'\?"):
        schema["agee"]


@pytest.mark.parametrize(
    ("kind", "levels", "message"),
    [
        ("ordinal", None, "unknown kind 'ordinal'; a column is one of 'continuous', 'positive'"),
        ("continuous", ("a",), "a continuous column has no levels"),
        ("binary", None, "a binary column needs its levels"),
        ("binary", ("a", "b", "c"), "a binary column has 2 levels, not 3"),
        ("categorical", (), "at least one level"),
        ("categorical", ("a", "a"), "a level occurs twice"),
        ("categorical", (1, "1"), "a level occurs twice"),
        ("categorical", (1, "b"), "all text or all numbers"),
        ("categorical", (2, 1), "levels that are numbers must increase"),
        ("categorical", ("a", None), "levels are texts, numbers or truth values, not 'a', None"),
        ("categorical", (0.0, float("nan")), "levels are texts, numbers or truth values"),
    ],
)
def test_a_column_that_makes_no_sense_is_refused(kind: str, levels: tuple | None, message: str) -> None:
    entry = {"name": "x", "kind": kind, "levels": None if levels is None else list(levels), "note": ""}
    with pytest.raises(DataError, match=message):
        Schema.from_json({"columns": [entry]})


@pytest.mark.parametrize(
    ("document", "message"),
    [
        ({}, "expected an object with a list 'columns'"),
        ({"columns": {}}, "expected an object with a list 'columns'"),
        ({"version": 99, "columns": []}, "version 99; this tacit reads up to 1: update it"),
        ({"version": "1", "columns": []}, "version '1'"),
        ({"columns": [3]}, "every column is an object with a text 'name'"),
        ({"columns": [{"name": 3}]}, "every column is an object with a text 'name'"),
        ({"columns": [{"name": "a", "kind": 3}]}, "column 'a' needs a text 'kind'"),
        ({"columns": [{"name": "a", "kind": "binary", "levels": "ab"}]}, "column 'a' needs"),
        ({"columns": [{"name": "a", "kind": "count", "note": 3}]}, "column 'a' needs"),
        ({"columns": [{"name": "a", "kind": "count"}] * 2}, "names column 'a' twice"),
    ],
)
def test_json_that_is_no_schema_is_refused(document: object, message: str) -> None:
    with pytest.raises(DataError, match=message):
        Schema.from_json(document)


def test_the_words_of_messages() -> None:
    assert listed("abc", 2) == "'a', 'b' and 1 more"
    assert shown(3.0) == "3"
    assert shown(0.25) == "0.25"
    assert shown(1e300) == "1e+300"
    assert shown("x" * 99) == "'" + "x" * 39 + "…"
    assert counted(1, "row") == "1 row"
    assert counted(2500, "category") == "2,500 categories"
    assert place("age", 2) == "column 'age', row 3"
    assert in_all(1, "row") == ""
    assert in_all(3, "row") == " (3 such rows in all)"
    assert nearest("agee", ["age"]) == " Did you mean 'age'?"
    assert nearest("zzz", ["age"]) == ""
