"""Encoding and decoding: round trips, and every refusal with its row and column."""

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tacit.data import Column, DataError, Schema, decode, encode, ignored
from tacit.data.levels import show_level

SCHEMA = Schema(
    (
        Column("x", "continuous"),
        Column("amount", "positive"),
        Column("visits", "count"),
        Column("member", "binary", (False, True)),
        Column("sex", "binary", ("female", "male")),
        Column("grade", "categorical", (1, 2, 4)),
        Column("city", "categorical", ("A", "B", "C2", "C10")),
        Column("dose", "categorical", (0.5, 1.5, 2.0)),
    )
)
CELLS = {
    "continuous": st.floats(allow_nan=False, allow_infinity=False),
    "positive": st.floats(1e-300, 1e300),
    "count": st.integers(0, 2**53),
}


@st.composite
def rows(draw: st.DrawFn) -> list[list]:
    size = draw(st.integers(1, 6))
    strategies = [
        CELLS[kind] if levels is None else st.sampled_from(levels)
        for kind, levels in [(column.kind, column.levels) for column in SCHEMA.columns]
    ]
    return [draw(st.lists(st.none() | one, min_size=size, max_size=size)) for one in strategies]


@given(rows())
def test_decode_undoes_encode(columns: list[list]) -> None:
    kinds = [
        pa.float64(),
        pa.float64(),
        pa.int64(),
        pa.bool_(),
        pa.string(),
        pa.int64(),
        pa.string(),
        pa.float64(),
    ]
    arrays = [pa.array(cells, kind) for cells, kind in zip(columns, kinds, strict=True)]
    table = pa.table(arrays, names=list(SCHEMA.names))
    values = encode(table, SCHEMA)
    assert values.dtype == np.float64
    assert values.flags.c_contiguous
    np.testing.assert_array_equal(np.isnan(values).T, [[cell is None for cell in cells] for cells in columns])
    assert decode(values, SCHEMA).equals(table)
    np.testing.assert_array_equal(encode(decode(values, SCHEMA), SCHEMA), values)


@given(rows())
def test_a_table_written_as_text_means_the_same(columns: list[list]) -> None:
    """The oracle is the place of each level in its list, found by Python."""
    texts = [[None if cell is None else show_level(cell) for cell in cells] for cells in columns]
    table = pa.table([pa.array(cells, pa.string()) for cells in texts], names=list(SCHEMA.names))
    expected = [
        [
            np.nan if cell is None else float(cell) if column.levels is None else column.levels.index(cell)
            for cell in cells
        ]
        for column, cells in zip(SCHEMA.columns, columns, strict=True)
    ]
    np.testing.assert_array_equal(encode(table, SCHEMA), np.transpose(expected))


@pytest.mark.parametrize(
    ("levels", "held", "codes"),
    [
        ((0, 1), [1.0, 0.0, np.nan], [1, 0, np.nan]),
        ((0, 1), ["1", "0", "1.0"], [1, 0, 1]),
        ((0, 1), [True, False, None], [1, 0, np.nan]),
        ((False, True), [1, 0, 1], [1, 0, 1]),
        ((False, True), ["TRUE", "f", ""], [1, 0, np.nan]),
        (("False", "True"), [True, False, None], [1, 0, np.nan]),
        (("1", "2", "3+"), [2, 1, 2], [1, 0, 1]),
        (("1", "2", "3+"), [2.0, np.nan, 1.0], [1, np.nan, 0]),
        (("a", "b"), pd.Categorical(["b", None, "a"]), [1, np.nan, 0]),
        (("a", "b"), [" b ", "a", "  "], [1, 0, np.nan]),
        ((1, 2), [None, None, None], [np.nan] * 3),
    ],
)
def test_levels_match_by_what_they_mean(levels: tuple, held: object, codes: list[float]) -> None:
    schema = Schema((Column("g", "categorical", levels),))
    table = pa.table({"g": pa.array(held, from_pandas=True)})
    np.testing.assert_array_equal(encode(table, schema)[:, 0], codes)


@pytest.mark.parametrize(
    ("text", "number"),
    [
        ("12", 12.0),
        ("+1.5", 1.5),
        ("-.5", -0.5),
        ("1e-3", 0.001),
        ("$1,234.50", 1234.5),
        ("-1,234,567", -1234567.0),
        ("45%", 45.0),
        ("3 €", 3.0),
        ("007", 7.0),
        ("1,23", 1.23),
        ("1.234,5 €", 1234.5),
        ("12'345", 12345.0),
        ("12\u00a0345", 12345.0),
        ("\u22121.25", -1.25),
        ("(1.25)", -1.25),
        ("12.3 kg", 12.3),
        ("1.2D+01", 12.0),
        ("\uff11\uff12.5", 12.5),
        ("5 m\u00b2", 5.0),
        ("1.5\u00b710\u00b3", 1500.0),
        ("12.5-", -12.5),
        ("1,23,456", 123456.0),
    ],
)
def test_text_that_is_a_number_counts_as_one(text: str, number: float) -> None:
    found = encode(pa.table({"x": [text, "0"]}), Schema((Column("x", "continuous"),)))
    assert found[0, 0] == number


@pytest.mark.parametrize("text", ["x", "1.2.3", "12O", "1,23,4", "--1", "1 2", "0x10", "e5", "12-3"])
def test_text_that_is_no_number_is_refused(text: str) -> None:
    with pytest.raises(DataError, match=r"column 'x', row 2: .* is not a number, and the column is continuous"):
        encode(pa.table({"x": ["0", text]}), Schema((Column("x", "continuous"),)))


ONE = {
    "x": Column("x", "continuous"),
    "n": Column("n", "count"),
    "p": Column("p", "positive"),
    "b": Column("b", "binary", ("no", "yes")),
    "g": Column("g", "categorical", (1, 2, 4)),
}


@pytest.mark.parametrize(
    ("name", "held", "message"),
    [
        ("x", ["1", "a", "b"], r"column 'x', row 2: 'a' is not a number \(2 such cells in all\)"),
        ("x", [1.0, np.inf], "column 'x', row 2: inf is infinite"),
        ("x", ["1", "-inf"], "column 'x', row 2: -inf is infinite"),
        ("n", [1, -1, -3], r"column 'n', row 2: -1 is negative and cannot be a count \(2 such rows in all\)"),
        ("n", [1.0, 2.5], "column 'n', row 2: 2.5 is not a whole number and cannot be a count"),
        ("p", [1.0, 0.0], "column 'p', row 2: 0 is not above 0, as a positive column must be"),
        (
            "b",
            ["no", "yes", "maybe"],
            "column 'b', row 3: 'maybe' is none of its levels no, yes. Correct it, or let",
        ),
        ("g", [1, 3, 3], r"column 'g', row 2: 3 is none of its levels 1, 2, 4 \(2 such rows in all\)"),
        ("g", ["1", "one"], "column 'g', row 2: 'one' is none of its levels"),
        ("x", pa.array([0], pa.date32()), "column 'x' holds dates or times, which cannot be continuous"),
        (
            "g",
            pa.array([0], pa.timestamp("s")),
            "column 'g' holds dates or times, which cannot be categorical",
        ),
        ("x", [[1], [2]], "column 'x' holds lists, records or raw bytes"),
        ("x", [b"a"], "column 'x' holds lists, records or raw bytes"),
    ],
)
def test_refusals_name_row_and_column(name: str, held: object, message: str) -> None:
    with pytest.raises(DataError, match=message):
        encode(pa.table({name: held}), Schema((ONE[name],)))


def test_many_levels_are_not_all_listed() -> None:
    schema = Schema((Column("g", "categorical", tuple(range(40))),))
    with pytest.raises(DataError, match=r"levels 0, 1, .*, 11, …\. Correct it"):
        encode(pa.table({"g": [99]}), schema)


def test_unseen_levels_can_count_as_missing() -> None:
    table = pa.table({"g": [1, 3, None], "b": ["no", "maybe", "yes"]})
    values = encode(table, Schema((ONE["g"], ONE["b"])), unseen="missing")
    np.testing.assert_array_equal(values, [[0, 0], [np.nan, np.nan], [np.nan, 1]])


def test_columns_go_by_name() -> None:
    table = pa.table({"extra": [1], "n": [2], "x": [3]})
    schema = Schema((ONE["x"], ONE["n"]))
    np.testing.assert_array_equal(encode(table, schema), [[3, 2]])
    assert ignored(table, schema) == ("extra",)


def test_absent_columns_are_all_named() -> None:
    with pytest.raises(DataError, match=r"lacks 2 columns .*: 'x', 'p'. It has 'X', 'n'. Did you mean 'X'\?"):
        encode(pa.table({"X": [1], "n": [1]}), Schema((ONE["x"], ONE["n"], ONE["p"])))


def test_a_name_twice_is_refused() -> None:
    twice = pa.Table.from_arrays([pa.array([1])] * 2, names=["x", "x"])
    with pytest.raises(DataError, match="column 'x' occurs twice in the heading"):
        encode(twice, Schema((ONE["x"],)))


def test_counts_are_rounded_when_decoded() -> None:
    table = decode(np.array([[2.4], [np.nan], [2.6]]), Schema((ONE["n"],)))
    assert table.column("n").to_pylist() == [2, None, 3]
    assert table.schema.types == [pa.int64()]


@pytest.mark.parametrize(
    ("name", "values", "message"),
    [
        ("g", [[0.0], [0.5]], r"column 'g', row 2: 0.5 is not a code; its 3 levels have the codes 0 to 2"),
        ("g", [[3.0]], "row 1: 3 is not a code"),
        ("g", [[-1.0]], "row 1: -1 is not a code"),
        ("n", [[np.inf]], "column 'n', row 1: inf is infinite"),
        ("x", [[1.0, 2.0]], r"expected a matrix of 1 columns, found one of shape \(1, 2\)"),
    ],
)
def test_what_cannot_be_decoded(name: str, values: list, message: str) -> None:
    with pytest.raises(DataError, match=message):
        decode(np.array(values), Schema((ONE[name],)))
