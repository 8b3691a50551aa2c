"""Tables in memory: whoever holds them, the same columns come out."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
import scipy.sparse as sp

from tacit.data import DataError, feature_names, from_frame

SOURCE = Path(__file__).resolve().parents[2] / "src"
COLUMNS = {"age": [1.5, None, 3.0], "city": ["x", None, "z"]}


def cells(frame: object) -> dict[str, list]:
    table = from_frame(frame)
    return {name: table.column(name).to_pylist() for name in table.column_names}


HOLDERS = {
    "arrow": pa.table(COLUMNS),
    "batch": pa.record_batch(COLUMNS),
    "pandas": pd.DataFrame(COLUMNS),
    "pandas indexed": pd.DataFrame(COLUMNS, index=pd.Index(["r", "s", "t"], name="who")),
    "pandas objects": pd.DataFrame(COLUMNS, dtype=object),
    "polars": pl.DataFrame(COLUMNS),
    "dictionary": COLUMNS,
    "records": [dict(zip(COLUMNS, row, strict=True)) for row in zip(*COLUMNS.values(), strict=True)],
}


@pytest.mark.parametrize("holder", HOLDERS)
def test_every_holder_gives_the_same_columns(holder: str) -> None:
    assert cells(HOLDERS[holder]) == COLUMNS
    if holder != "records":
        assert feature_names(HOLDERS[holder]) == ("age", "city")


@pytest.mark.parametrize(
    "holder",
    [
        [[1.5, "x"], [None, None], [3.0, "z"]],
        np.array([[1.5, "x"], [None, None], [3.0, "z"]], object),
    ],
    ids=["rows", "objects"],
)
def test_without_names_columns_are_numbered(holder: object) -> None:
    assert cells(holder) == {"column_1": [1.5, None, 3.0], "column_2": ["x", None, "z"]}
    assert feature_names(holder) is None


@pytest.mark.parametrize(
    ("array", "columns"),
    [
        (np.array([[1, 2], [3, 4]]), [[1, 3], [2, 4]]),
        (np.array([[1.0, 2.0], [3.0, 4.0]], order="F", dtype=np.float32), [[1.0, 3.0], [2.0, 4.0]]),
        (np.array([[True, False]]), [[True], [False]]),
        (np.array([["a", "b"]]), [["a"], ["b"]]),
        (np.ma.array([[1.0, 2.0]], mask=[[True, False]]), [[None], [2.0]]),
        ([[1, 2], [3, 4]], [[1, 3], [2, 4]]),
        (((1, "a"), (2, "b")), [[1, 2], ["a", "b"]]),
        (np.arange(8.0).reshape(2, 4)[:, ::2], [[0.0, 4.0], [2.0, 6.0]]),
    ],
)
def test_arrays(array: object, columns: list[list]) -> None:
    assert list(cells(array).values()) == columns


def test_a_column_of_its_own() -> None:
    assert cells(pd.Series([1, 2], name="n")) == {"n": [1, 2]}
    assert cells(pl.Series([1, 2])) == {"column_1": [1, 2]}


def test_kinds_of_pandas_and_polars_columns() -> None:
    frame = pd.DataFrame({"c": pd.Categorical(["b", "a"]), "d": pd.to_datetime(["2020-01-01", "2021-01-01"])})
    table = from_frame(frame)
    assert pa.types.is_dictionary(table.schema.field("c").type)
    assert pa.types.is_timestamp(table.schema.field("d").type)
    assert pa.types.is_dictionary(
        from_frame(pl.DataFrame({"c": pl.Series(["b"], dtype=pl.Categorical)})).schema.types[0]
    )


def test_numbers_beside_texts_become_texts() -> None:
    frame = pd.DataFrame({"mixed": [1, "a", None, 2.0, 0.5]})
    assert cells(frame) == {"mixed": ["1", "a", None, "2", "0.5"]}
    assert cells({"mixed": [1, "a", float("nan")]}) == {"mixed": ["1", "a", None]}


def test_names_count_only_when_all_are_text() -> None:
    assert feature_names(pd.DataFrame([[1, 2]])) is None
    assert feature_names(pd.DataFrame([[1, 2]], columns=["a", 3])) is None
    assert feature_names(np.zeros(2, [("a", int), ("b", float)])) == ("a", "b")
    assert feature_names(np.zeros((2, 2))) is None
    assert cells(pd.DataFrame([[1, 2]])) == {"0": [1], "1": [2]}


@pytest.mark.parametrize(
    ("holder", "message"),
    [
        (np.zeros(3), r"has 1 dimensions \(3\), expected 2.*array.reshape\(1, -1\) for one row"),
        (
            np.zeros((2, 3, 4)),
            r"has 3 dimensions \(2×3×4\), expected 2. Give rows by columns: .*reshape\(len",
        ),
        (np.zeros((2, 0)), "has no columns"),
        (np.zeros((2, 2), complex), "column 'column_1' holds complex128 values"),
        ([[1, 2], [3]], "row 2 has 1 cells where row 1 has 2"),
        ([[1, "a"], [2]], "row 2 has 1 cells where row 1 has 2"),
        ({"a": [1], "b": [1, 2]}, "columns differ in length: a has 1, b has 2"),
        ({}, "the table has no columns"),
        ("customers.csv", "text is not a table; to read a file, give its path to load"),
        (3.0, "a float is not a table"),
        (sp.csr_array(np.eye(2)), r"a sparse matrix is not a table of columns"),
        ({"a": [1, {2}]}, "column 'a', row 2: a set where a number or a text is expected"),
        (pd.DataFrame([[1, 2]], columns=["a", "a"]), "give every column its own name"),
        (pa.Table.from_arrays([pa.array([1])] * 2, names=["a", "a"]), "has 'a' more than once"),
    ],
)
def test_what_is_no_table_is_refused(holder: object, message: str) -> None:
    with pytest.raises(DataError, match=message):
        from_frame(holder)


def test_neither_pandas_nor_polars_is_needed() -> None:
    code = (
        "import sys\n"
        "class Blocked:\n"
        "    def find_spec(self, name, *_):\n"
        "        if name.split('.')[0] in ('pandas', 'polars', 'jax', 'sklearn'):\n"
        "            raise ImportError(name)\n"
        "sys.meta_path.insert(0, Blocked())\n"
        f"sys.path.insert(0, {str(SOURCE)!r})\n"
        "import numpy; from tacit.data import decode, load\n"
        "table = load({'x': [1.5, 2.5, None], 'c': ['a', 'b', 'a']})\n"
        "print(decode(table.values, table.schema).to_pydict())"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "{'x': [1.5, 2.5, None], 'c': ['a', 'b', 'a']}"
