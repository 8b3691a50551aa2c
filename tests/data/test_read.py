"""The formats: each gives the same table back, and each says what is wrong with it."""

import gzip
import io
import json
import pickle
import sys
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.feather as feather
import pyarrow.ipc as ipc
import pyarrow.parquet as parquet
import pytest
import scipy.sparse as sp

from tacit.data import DataError, load, read
from tacit.data.reading import ReadingOptions

TABLE = pa.table({"a": [1, 2, None], "b": ["x", None, "z"]})
TEXT = b"a,b\n1,x\n2,\n,z\n"
MATRIX = np.array([[1.0, 2.0], [3.0, np.nan]])


def _feather(table: pa.Table, path: Path) -> None:
    feather.write_feather(table, str(path), compression="uncompressed")


def _ipc(table: pa.Table, path: Path) -> None:
    with ipc.new_file(str(path), table.schema) as writer:
        writer.write_table(table)


def _stream(table: pa.Table, path: Path) -> None:
    with ipc.new_stream(str(path), table.schema) as writer:
        writer.write_table(table)


WRITERS = {
    "t.parquet": lambda path: parquet.write_table(TABLE, path),
    "t.feather": lambda path: _feather(TABLE, path),
    "t.arrow": lambda path: _ipc(TABLE, path),
    "t.arrows": lambda path: _stream(TABLE, path),
    "t.csv": lambda path: path.write_bytes(TEXT),
    "t.csv.gz": lambda path: path.write_bytes(gzip.compress(TEXT)),
    "t.tsv": lambda path: path.write_bytes(TEXT.replace(b",", b"\t")),
    "t.txt": lambda path: path.write_bytes(TEXT),
    "t.jsonl": lambda path: path.write_bytes(b'{"a": 1, "b": "x"}\n{"a": 2}\n{"b": "z"}\n'),
    "no_ending": lambda path: parquet.write_table(TABLE, path),
}


@pytest.mark.parametrize("name", WRITERS)
def test_every_format_gives_the_table(name: str, tmp_path: Path) -> None:
    path = tmp_path / name
    WRITERS[name](path)
    for source in (path, str(path), path.read_bytes(), io.BytesIO(path.read_bytes())):
        if name != "t.jsonl" or isinstance(source, str | Path):
            assert read(source).table.to_pydict() == TABLE.to_pydict()
    assert read(path).source == str(path)


def test_standard_input(monkeypatch: pytest.MonkeyPatch) -> None:
    for data in (TEXT, gzip.compress(TEXT)):
        monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(data)))
        reading = read("-")
        assert reading.table.to_pydict() == TABLE.to_pydict()
        assert reading.source == "standard input"


def test_npy_and_npz(tmp_path: Path) -> None:
    np.save(tmp_path / "m.npy", MATRIX)
    np.savez(tmp_path / "m.npz", X=MATRIX, y=np.arange(2), Z=np.zeros((2, 2)))
    np.savez(tmp_path / "one.npz", data=MATRIX, columns=np.array(["u", "v"]), y=np.arange(2))
    for name in ("m.npy", "m.npz", "one.npz", "one.npz:data"):
        table = read(tmp_path / name).table
        found = np.column_stack([column.to_numpy() for column in table.columns])
        np.testing.assert_array_equal(found, MATRIX)
        assert table.column_names == (["u", "v"] if "one" in name else ["column_1", "column_2"])
    assert read(f"{tmp_path}/m.npz:Z").table.column("column_1").to_pylist() == [0, 0]
    assert read(f"{tmp_path}/m.npz:Z").source.endswith("m.npz:Z")
    held = io.BytesIO()
    np.savez(held, X=MATRIX)
    assert read(held.getvalue()).table.num_rows == 2


def test_a_structured_array_has_names(tmp_path: Path) -> None:
    np.save(tmp_path / "s.npy", np.array([(1, 0.5), (2, 1.5)], dtype=[("n", int), ("x", float)]))
    assert read(tmp_path / "s.npy").table.to_pydict() == {"n": [1, 2], "x": [0.5, 1.5]}


@pytest.mark.parametrize(
    ("arrays", "key", "message"),
    [
        (
            {"a": MATRIX, "b": MATRIX},
            None,
            r"which array is meant\? .*'a', 'b' have rows and columns. Name one: .*:a",
        ),
        ({"a": np.zeros(3)}, None, r"Of those it holds \(a \[3\]\), none has rows and columns"),
        ({"a": MATRIX}, "A", r"has no array 'A'; it holds a \[2, 2\]. Did you mean 'a'\?"),
        (
            {"a": np.zeros((2, 3, 4))},
            "a",
            r"has 3 dimensions \(2×3×4\), expected 2. .*reshape\(len\(array\), -1\)",
        ),
        ({"X": np.zeros(3)}, None, r"has 1 dimensions \(3\), expected 2. .*reshape\(-1, 1\) for one column"),
        ({"X": np.array([[1, "a"]], object)}, None, "holds Python objects, which are never unpickled"),
        ({"X": np.zeros((2, 0))}, None, "has no columns"),
        ({"X": np.zeros((0, 2))}, None, "has 2 columns but no rows"),
        ({"X": np.zeros((2, 2), complex)}, None, "holds complex128 values; give numbers or text"),
    ],
)
def test_what_is_wrong_with_an_npz(arrays: dict, key: str | None, message: str, tmp_path: Path) -> None:
    np.savez(tmp_path / "m.npz", **arrays)
    with pytest.raises(DataError, match=message):
        read(f"{tmp_path}/m.npz" + (f":{key}" if key else ""))


def test_objects_in_npy_are_never_unpickled(tmp_path: Path) -> None:
    np.save(tmp_path / "o.npy", np.array([[1, "a"]], object))
    with pytest.raises(DataError, match="holds Python objects, which are never unpickled"):
        read(tmp_path / "o.npy")
    (tmp_path / "x.npy").write_bytes(b"\x93NUMPY" + b"\x01\x00")
    with pytest.raises(DataError, match="is not a readable NumPy file"):
        read(tmp_path / "x.npy")


def test_a_sparse_matrix_is_named_as_such(tmp_path: Path) -> None:
    sp.save_npz(tmp_path / "s.npz", sp.csr_array(np.eye(3)))
    with pytest.raises(DataError, match="is a sparse matrix"):
        read(tmp_path / "s.npz")


@pytest.mark.parametrize("name", ["t.parquet", "t.feather", "t.arrow", "t.arrows", "t.csv.gz", "m.npz"])
def test_a_file_cut_short(name: str, tmp_path: Path) -> None:
    path = tmp_path / name
    if name == "m.npz":
        np.savez(path, X=np.ones((50, 2)))
    elif name == "t.csv.gz":
        path.write_bytes(gzip.compress(TEXT * 1000))
    else:
        WRITERS[name](path)
    path.write_bytes(path.read_bytes()[:-30])
    with pytest.raises(DataError, match=r"damaged|cut short|cannot be read|not a readable"):
        read(path)
    if name == "t.csv.gz":
        with pytest.raises(DataError, match="is not a whole gzip file"):
            read(path.read_bytes())


@pytest.mark.parametrize(
    ("name", "data", "message"),
    [
        ("t.xlsx", b"PK\x03\x04....", "is not a readable workbook: it is damaged"),
        ("t.xls", b"\xd0\xcf\x11\xe0....", "is not a readable workbook: it is damaged"),
        ("t.pkl", pickle.dumps([1, 2]), "is a Python pickle, which may run code when opened"),
        ("t.db", b"SQLite format 3\x00", "is an SQLite database"),
        ("t.pdf", b"%PDF-1.7", "is a PDF"),
        ("t.csv", b"<!DOCTYPE html>\n<html></html>", "is a web page or XML, not a table"),
        ("t.json", b'[{"a": 1}]', "is a JSON list. Save one object a line"),
        ("t.parquet", b"nothing", "is not a readable parquet file: it is damaged or cut short"),
        ("t.npz", b"PK\x03\x04....", "is not a readable NumPy file"),
        ("t.jsonl", b"{]", "cannot be read"),
    ],
)
def test_foreign_files(name: str, data: bytes, message: str, tmp_path: Path) -> None:
    (tmp_path / name).write_bytes(data)
    with pytest.raises(DataError, match=message):
        read(tmp_path / name)


def test_files_that_are_not_there(tmp_path: Path) -> None:
    (tmp_path / "customers.csv").write_bytes(TEXT)
    with pytest.raises(DataError, match=r"no such file: .*custmers.csv'. Did you mean .*customers.csv'\?"):
        read(tmp_path / "custmers.csv")
    with pytest.raises(DataError, match=r"There is no folder .*nowhere' either"):
        read(tmp_path / "nowhere" / "customers.csv")
    assert read(tmp_path).table.num_rows == read(tmp_path / "customers.csv").table.num_rows
    (tmp_path / "notes").mkdir()
    (tmp_path / "notes" / "notes.md").write_bytes(TEXT)
    with pytest.raises(DataError, match=r"is a folder \('notes.md'\); give one file in it"):
        read(tmp_path / "notes")
    with pytest.raises(DataError, match="cannot read a int; give a path"):
        read(3)


def test_names_twice_and_no_rows_in_parquet(tmp_path: Path) -> None:
    twice = pa.Table.from_arrays([pa.array([1]), pa.array([2])], names=["a", "a"])
    _ipc(twice, tmp_path / "t.arrow")
    with pytest.raises(DataError, match="the heading has 'a' more than once"):
        read(tmp_path / "t.arrow")
    parquet.write_table(TABLE.slice(0, 0), tmp_path / "t.parquet")
    with pytest.raises(DataError, match="has 2 columns but no rows"):
        read(tmp_path / "t.parquet")


@pytest.mark.parametrize("form", ["parquet", "arrow", "jsonl", "frame"])
def test_signs_for_missing_are_heard_in_formats_with_types(form: str, tmp_path: Path) -> None:
    held = pa.table({"x": [1.5, 999.0, 3.5], "n": [1, 999, 3], "c": ["a", " - ", "b"]})
    path = tmp_path / f"a.{form}"
    if form == "parquet":
        parquet.write_table(held, path)
    elif form == "arrow":
        _ipc(held, path)
    elif form == "jsonl":
        path.write_text("\n".join(json.dumps(row) for row in held.to_pylist()))
    table = load(held if form == "frame" else path, reading=ReadingOptions.of(["999", "-"]), kinds={"c": "categorical"})
    assert np.isnan(table.values).tolist() == [[False] * 3, [True] * 3, [False] * 3]
