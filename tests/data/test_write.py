"""Writing: what is written is read back, and a file is there whole or not at all."""

import io
import json
import sys
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.csv as pacsv
import pytest

from tacit.data import DataError, decode, encode, infer, read, write
from tacit.data.write import replacing, writing

TABLE = pa.table({"a": [1, None, 3], "b": ['say "x", y', None, "ü\nz"], "c": [0.1, float("nan"), 1e-300]})
EXPECTED = {"a": [1, None, 3], "b": ['say "x", y', None, "ü\nz"], "c": [0.1, None, 1e-300]}


@pytest.mark.parametrize("name", ["t.csv", "t.csv.gz", "t.parquet", "t.arrow", "t.feather", "t.json", "t.jsonl"])
def test_what_is_written_is_read_back(name: str, tmp_path: Path) -> None:
    write(TABLE, tmp_path / name)
    write(TABLE, str(tmp_path / name))  # again, over the first
    assert read(tmp_path / name).table.to_pydict() == EXPECTED
    assert [child.name for child in tmp_path.iterdir()] == [name]


@pytest.mark.parametrize("name", ["t.csv", "t.csv.gz", "t.parquet", "t.arrow", "t.jsonl"])
def test_parts_are_written_as_one_table(name: str, tmp_path: Path) -> None:
    with writing(tmp_path / name, guard=True) as put:
        for part in (TABLE.slice(0, 1), TABLE.slice(1, 1), TABLE.slice(2)):
            put(part)
        assert not (tmp_path / name).exists()
    assert read(tmp_path / name).table.to_pydict() == EXPECTED
    others = [TABLE, TABLE.rename_columns(["a", "b", "d"])]
    with pytest.raises(DataError, match="different columns"), writing(tmp_path / name) as put:
        list(map(put, others))
    assert read(tmp_path / name).table.to_pydict() == EXPECTED
    assert [child.name for child in tmp_path.iterdir()] == [name]


def test_the_form_can_be_named(tmp_path: Path) -> None:
    write(TABLE, tmp_path / "odd.ending", "parquet")
    assert read(tmp_path / "odd.ending").table.to_pydict() == EXPECTED
    file = io.BytesIO()
    write(TABLE, file, "json")
    assert [json.loads(line)["b"] for line in file.getvalue().splitlines()] == EXPECTED["b"]


def test_standard_output(capfdbinary: pytest.CaptureFixture, monkeypatch: pytest.MonkeyPatch) -> None:
    held = io.BytesIO()
    monkeypatch.setattr(sys, "stdout", io.TextIOWrapper(held))
    write(TABLE.select(["a"]))
    assert held.getvalue() == b'"a"\n1\n\n3\n' or held.getvalue() == b"a\n1\n\n3\n"


def test_samples_in_the_users_words(tmp_path: Path) -> None:
    rng = np.random.default_rng(3)
    table = pa.table({"g": [["x", "y", "z"][n % 3] for n in range(60)], "v": rng.normal(size=60)})
    schema, _ = infer(table)
    values = encode(table, schema)
    write(decode(values, schema), tmp_path / "samples.csv")
    assert read(tmp_path / "samples.csv").table.to_pydict() == table.to_pydict()


def test_a_failure_leaves_the_old_file(tmp_path: Path) -> None:
    path = tmp_path / "t.csv"
    path.write_bytes(b"old")
    with pytest.raises(pa.ArrowInvalid), replacing(path) as file:
        file.write(pa.scalar("new").cast(pa.int64()).as_py())
    assert path.read_bytes() == b"old"
    assert [child.name for child in tmp_path.iterdir()] == ["t.csv"]
    with pytest.raises(DataError, match="this table cannot be written as parquet: Cannot write struct type"):
        write(pa.table({"a": pa.array([{}], pa.struct([]))}), tmp_path / "t.csv.parquet")
    assert path.read_bytes() == b"old"


@pytest.mark.parametrize(
    ("name", "form", "message"),
    [
        ("t.xlsx", None, r"cannot tell the format of 't.xlsx'; end it in one of '.csv', '.csv.gz'"),
        ("t.csv", "excel", "cannot write 'excel'; say one of 'csv', 'parquet', 'arrow', 'json'"),
        ("none/t.csv", None, r"cannot write .*none/t.csv': No such file or directory"),
    ],
)
def test_what_cannot_be_written(name: str, form: str | None, message: str, tmp_path: Path) -> None:
    with pytest.raises(DataError, match=message):
        write(TABLE, tmp_path / name, form)


def test_texts_that_a_spreadsheet_would_run_are_guarded():
    cells = ["=cmd|' /C calc'!A0", "+1+2", "-x", "@SUM(1)", "\t=1", "plain", "-1.5", "+3", "-2 %", "a=b", None, "＝1"]
    table = pa.table({"=head": cells, "kind": pa.array(cells).dictionary_encode(), "number": np.arange(12) - 6.0})
    out = io.BytesIO()
    write(table, out, "csv", guard=True)
    back = pacsv.read_csv(io.BytesIO(out.getvalue()), convert_options=pacsv.ConvertOptions(strings_can_be_null=True))
    assert back.column_names == ["'=head", "kind", "number"]
    kept = [c if c in ("plain", "-1.5", "+3", "-2 %", "a=b", None) else f"'{c}" for c in cells]
    assert back.column("'=head").to_pylist() == back.column("kind").to_pylist() == kept
    assert back.column("number").to_pylist() == table.column("number").to_pylist()


@pytest.mark.parametrize("form", ["json", "parquet", "arrow"])
def test_other_formats_run_nothing_and_are_left_alone(form):
    table = pa.table({"a": ["=1"]})
    one, other = io.BytesIO(), io.BytesIO()
    write(table, one, form, guard=True)
    write(table, other, form)
    assert one.getvalue() == other.getvalue()
