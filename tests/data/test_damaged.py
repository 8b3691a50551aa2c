"""Files that are damaged or made to do harm: a sentence, nothing lost, and no end of the process."""

import bz2
import gzip
import io
import lzma
import struct
import subprocess
import sys
import zipfile
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.ipc as ipc
import pytest

from tacit.data import nesting
from tacit.data.errors import DataError
from tacit.data.read import read
from tacit.data.table import load

PART, REST = b"a,b\n" + b"1,2\n" * 10, b"3,4\n" * 7


def zstd(data: bytes) -> bytes:
    return bytes(pa.compress(data, "zstd", asbytes=True))


@pytest.mark.parametrize(
    ("ending", "pack"), [("gz", gzip.compress), ("bz2", bz2.compress), ("xz", lzma.compress), ("zst", zstd)]
)
def test_all_parts_of_a_packed_file_are_read(ending: str, pack, tmp_path: Path) -> None:
    path = tmp_path / f"a.csv.{ending}"
    path.write_bytes(pack(PART) + pack(REST))
    for source in (path, path.read_bytes(), io.BytesIO(path.read_bytes())):
        table = read(source).table
        assert table.num_rows == 17
        assert table.column("a").to_pylist()[-1] == 3


@pytest.mark.parametrize("behind", [b"more", b"\x1f\x8b", gzip.compress(REST, mtime=0)[:-3]])
def test_what_follows_a_packed_part_is_not_dropped(behind: bytes, tmp_path: Path) -> None:
    path = tmp_path / "a.csv.gz"
    path.write_bytes(gzip.compress(PART) + behind)
    for source in (path, path.read_bytes()):
        with pytest.raises(DataError, match=r"gzip|cannot be read"):
            read(source)


def test_a_packed_file_of_another_format(tmp_path: Path) -> None:
    held = io.BytesIO()
    np.save(held, np.arange(6.0).reshape(3, 2))
    path = tmp_path / "a.npy.gz"
    path.write_bytes(gzip.compress(held.getvalue()))
    for source in (path, path.read_bytes()):
        assert read(source).table.num_rows == 3


def arrow(table: pa.Table, stream: bool = False) -> bytearray:
    held = io.BytesIO()
    with (ipc.new_stream if stream else ipc.new_file)(held, table.schema) as writer:
        writer.write_table(table)
    return bytearray(held.getvalue())


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize("wrong", [2**30, -5, 1])
def test_a_wrong_place_inside_an_arrow_file_is_seen(stream: bool, wrong: int, tmp_path: Path) -> None:
    data = arrow(pa.table({"a": ["x", "yy", "zzz"] * 5}), stream)
    place = data.find(struct.pack("<iii", 0, 1, 3))
    data[place + 8 : place + 12] = struct.pack("<i", wrong)
    path = tmp_path / "a.arrow"
    path.write_bytes(data)
    for source in (str(path), bytes(data)):
        if wrong == 1:  # another text, but a sound file
            assert load(source, kinds={"a": "categorical"}).values.shape == (15, 1)
            continue
        with pytest.raises(DataError, match="damaged"):
            load(source)


def test_a_code_that_no_dictionary_has_is_seen(tmp_path: Path) -> None:
    codes = pa.array([0, 1, 2, 0, 1, 2], pa.int32())
    data = arrow(pa.table({"a": pa.DictionaryArray.from_arrays(codes, pa.array(["x", "y", "z"]))}))
    place = data.find(struct.pack("<6i", 0, 1, 2, 0, 1, 2))
    data[place : place + 4] = struct.pack("<i", 2**20)
    with pytest.raises(DataError, match="damaged"):
        read(bytes(data))


@pytest.mark.parametrize("deep", [100, 100_000, 3_000_000])
@pytest.mark.parametrize("way", ["[", '{"b":', "[\n"])
def test_deep_nesting_does_not_end_the_process(deep: int, way: str, tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl"
    path.write_text('{"a": ' + way * deep)
    asked = f"from tacit.data.read import read\nread({str(path)!r})"
    ended = subprocess.run([sys.executable, "-c", asked], capture_output=True, text=True, timeout=120)
    assert ended.returncode == 1
    assert "nested deeper than 64 levels" in ended.stderr


def test_brackets_in_texts_are_no_nesting(monkeypatch: pytest.MonkeyPatch) -> None:
    text = r'{"a": "[[[[{{{{ \" [[[ \\", "b": {"c": [1]}, "d": "}}}"}' + "\n"
    for block in (1, 2, 3, 7, 1 << 20):  # wherever the text is cut
        monkeypatch.setattr(nesting, "_BLOCK", block)
        monkeypatch.setattr(nesting, "DEEPEST", 3)
        nesting.check_nesting(pa.BufferReader((text * 40).encode()), "a")
        monkeypatch.setattr(nesting, "DEEPEST", 2)
        with pytest.raises(DataError, match=r"a, line 1: .* deeper than 2 levels"):
            nesting.check_nesting(pa.BufferReader((text * 40).encode()), "a")


def npy(shape: str) -> bytes:
    header = f"{{'descr': '<f8', 'fortran_order': False, 'shape': {shape}, }}".encode().ljust(373) + b"\n"
    return b"\x93NUMPY\x01\x00" + struct.pack("<H", len(header)) + header + bytes(96)


def npz(shape: str) -> bytes:
    held = io.BytesIO()
    with zipfile.ZipFile(held, "w") as archive:
        archive.writestr("X.npy", npy(shape))
    return held.getvalue()


SHAPES = ["(-1, 3)", "(3, -1)", "(-2, -6)", "(True, 3)", "(3,)*2", "(3, " + "1, " * 70 + ")", "(99999999999, 3)", "4.0"]


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize(("ending", "made"), [("npy", npy), ("npz", npz)])
def test_shapes_that_no_array_has(shape: str, ending: str, made, tmp_path: Path) -> None:
    path = tmp_path / f"a.{ending}"
    path.write_bytes(made(shape))
    for source in (str(path), path.read_bytes()):
        with pytest.raises(DataError, match=r"not a readable NumPy file|too large"):
            load(source)
