"""Tables for `benchmarks.fuzz`: generated, written in every format, some of them damaged; read, and some fitted."""

import bz2
import contextlib
import csv
import gzip
import io
import json
import lzma
import math
import sys
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any
from xml.sax.saxutils import escape

import numpy as np
import pyarrow as pa
import pyarrow.feather as feather
import pyarrow.ipc as ipc
import pyarrow.parquet as parquet

from tacit.data.errors import DataError
from tacit.data.read import read
from tacit.data.table import CountTable, load

FITTED = 150
"""One in so many cases is fitted and scored through the command line."""
HEADINGS = [
    "a",
    "größe",
    "x 1",
    "=cmd()",
    "a,b",
    'say "a"',
    "id",
    "日本",
    "e\u0301",
    "0",
    "NaN",
    "date",
    "-",
    "k" * 300,
]
WORDS = [
    "yes",
    "no",
    "Ünï",
    "a,b",
    'he said "no"',
    "line\nbreak",
    "NA",
    "",
    " x ",
    "0012",
    "1e5",
    "=1+1",
    "\t",
    "'",
    "é",
]

Columns = dict[str, list[Any]]


def generated(random: np.random.Generator) -> Columns:
    """Columns of many kinds; None where a cell is empty."""
    rows = int(random.choice([1, 2, 3, 10, 40, 200, 1200], p=[0.04, 0.04, 0.07, 0.2, 0.35, 0.25, 0.05]))
    width = int(random.integers(1, 9))
    names = list(dict.fromkeys(str(name) for name in random.choice(HEADINGS, width)))
    return {name: _column(random, rows) for name in names}


def _column(random: np.random.Generator, rows: int) -> list[Any]:
    kind = int(random.integers(12))
    made: list[Any]
    match kind:
        case 0:
            made = random.normal(size=rows).tolist()
        case 1:
            made = (random.normal(size=rows) * 10.0 ** random.integers(-300, 300)).tolist()
        case 2:
            made = random.integers(-5, 6, rows).tolist()
        case 3:
            made = random.integers(-(2**63), 2**63 - 1, rows).tolist()
        case 4:
            made = random.choice(WORDS, rows).tolist()
        case 5:
            made = random.choice(["red", "green", "blue"], rows).tolist()
        case 6:
            made = [bool(value) for value in random.integers(0, 2, rows)]
        case 7:
            made = np.datetime_as_string(np.datetime64("2020-01-01") + random.integers(0, 4000, rows)).tolist()
        case 8:
            made = [f"id{number}" for number in range(rows)]
        case 9:
            made = random.lognormal(size=rows).round(2).tolist()
        case 10:
            made = [float(random.choice([math.inf, -math.inf, 1.0])) for _ in range(rows)]
        case _:
            made = [1] * rows
    if random.random() < 0.4:
        gone = random.random(rows) < random.choice([0.05, 0.5, 1.0])
        made = [None if lost else value for value, lost in zip(made, gone, strict=True)]
    return made


def _text(columns: Columns, random: np.random.Generator) -> bytes:
    held = io.StringIO()
    ends, quotes = str(random.choice(["\n", "\r\n"])), int(random.choice([csv.QUOTE_MINIMAL, csv.QUOTE_ALL]))
    writer = csv.writer(held, delimiter=str(random.choice([",", ";", "\t", "|"])), lineterminator=ends, quoting=quotes)
    writer.writerow(columns)
    writer.writerows(zip(*columns.values(), strict=True))
    return held.getvalue().encode(str(random.choice(["utf-8", "utf-8-sig", "utf-16"], p=[0.7, 0.2, 0.1])))


def _packed(columns: Columns, random: np.random.Generator) -> bytes:
    data = _text(columns, random)
    cut = int(random.integers(0, len(data) + 1))
    pack: Callable[[bytes], bytes] = [
        gzip.compress,
        bz2.compress,
        lambda part: lzma.compress(part, preset=0),
        lambda part: bytes(pa.compress(part, "zstd", asbytes=True)),
    ][int(random.integers(4))]
    return pack(data[:cut]) + pack(data[cut:])


def _lines(columns: Columns, random: np.random.Generator) -> bytes:
    rows = [dict(zip(columns, row, strict=True)) for row in zip(*columns.values(), strict=True)]
    return "".join(json.dumps(_finite(row), ensure_ascii=bool(random.integers(2))) + "\n" for row in rows).encode()


def _finite(row: dict[str, Any]) -> dict[str, Any]:
    return {k: None if isinstance(v, float) and not math.isfinite(v) else v for k, v in row.items()}


def _arrow(columns: Columns) -> pa.Table:
    return pa.table({name: pa.array(column) for name, column in columns.items()})


def _parquet(columns: Columns, random: np.random.Generator) -> bytes:
    held = io.BytesIO()
    codec = str(random.choice(["snappy", "zstd", "none", "gzip"]))
    parquet.write_table(_arrow(columns), held, compression=codec, row_group_size=int(random.integers(1, 500)))
    return held.getvalue()


def _ipc(columns: Columns, random: np.random.Generator) -> bytes:
    held, table = io.BytesIO(), _arrow(columns)
    if random.random() < 0.3:
        feather.write_feather(table, held, compression=str(random.choice(["lz4", "zstd", "uncompressed"])))
        return held.getvalue()
    with (ipc.new_stream if random.integers(2) else ipc.new_file)(held, table.schema) as writer:
        writer.write_table(table, max_chunksize=int(random.integers(1, 500)))
    return held.getvalue()


def _numbers(columns: Columns, random: np.random.Generator) -> bytes:
    held = io.BytesIO()
    kept = [column for column in columns.values() if not any(isinstance(value, str) for value in column)]
    array = np.array([[math.nan if value is None else value for value in column] for column in kept], float).T
    array = array if array.size else np.zeros((len(next(iter(columns.values()))), 2))
    array = (
        array.astype(str(random.choice(["f8", "f4", ">f8", "f2"]))) if random.integers(2) else np.asfortranarray(array)
    )
    if random.integers(2):
        np.save(held, array)
    else:
        (np.savez_compressed if random.integers(2) else np.savez)(held, X=array, y=np.arange(len(array)))
    return held.getvalue()


_SHEET = (
    '<worksheet xmlns="http://schemas.openxmlformats.org/spreadsheetml/2006/main"><sheetData>{}</sheetData></worksheet>'
)
_BOOK = (
    '<workbook xmlns="http://schemas.openxmlformats.org/spreadsheetml/2006/main" '
    'xmlns:r="http://schemas.openxmlformats.org/officeDocument/2006/relationships"><sheets>'
    '<sheet name="Sheet1" sheetId="1" r:id="rId1"/></sheets></workbook>'
)
_LINKS = (
    '<Relationships xmlns="http://schemas.openxmlformats.org/package/2006/relationships"><Relationship Id="rId1" '
    'Type="http://schemas.openxmlformats.org/officeDocument/2006/relationships/{}" Target="{}"/></Relationships>'
)
_TYPES = '<Types xmlns="http://schemas.openxmlformats.org/package/2006/content-types"/>'


def workbook(rows: list[list[Any]]) -> bytes:
    """The least .xlsx file with these cells on one sheet."""
    lines = "".join(f"<row>{''.join(_cell(value) for value in row)}</row>" for row in rows)
    held = io.BytesIO()
    with zipfile.ZipFile(held, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("[Content_Types].xml", _TYPES)
        archive.writestr("_rels/.rels", _LINKS.format("officeDocument", "xl/workbook.xml"))
        archive.writestr("xl/workbook.xml", _BOOK)
        archive.writestr("xl/_rels/workbook.xml.rels", _LINKS.format("worksheet", "worksheets/sheet1.xml"))
        archive.writestr("xl/worksheets/sheet1.xml", _SHEET.format(lines))
    return held.getvalue()


def _cell(value: Any) -> str:
    if value is None:
        return "<c/>"
    if isinstance(value, bool):
        return f'<c t="b"><v>{int(value)}</v></c>'
    if isinstance(value, int | float) and math.isfinite(value):
        return f"<c><v>{value!r}</v></c>"
    return f'<c t="inlineStr"><is><t xml:space="preserve">{escape(str(value))}</t></is></c>'


def _book(columns: Columns, random: np.random.Generator) -> bytes:
    return workbook([list(columns), *(list(row) for row in zip(*columns.values(), strict=True))])


FORMATS: dict[str, Callable[[Columns, np.random.Generator], bytes]] = {
    "csv": _text,
    "csv.gz": _packed,
    "jsonl": _lines,
    "parquet": _parquet,
    "arrow": _ipc,
    "npz": _numbers,
    "xlsx": _book,
}


def damaged(data: bytes, random: np.random.Generator) -> bytes:
    """Bytes cut short, turned over, doubled, taken out or put in."""
    held = bytearray(data)
    for _ in range(int(random.integers(1, 4))):
        if not held:
            break
        place, size = int(random.integers(len(held))), int(random.integers(1, 64))
        match int(random.integers(7)):
            case 0:
                del held[place:]
            case 1:
                held[place] ^= int(random.integers(1, 256))
            case 2:
                held[place : place + size] = random.bytes(size)
            case 3:
                del held[place : place + size]
            case 4:
                held[place:place] = held[place : place + size] * int(random.integers(1, 50))
            case 5:
                held[place : place + 4] = int(random.choice([0, 2**31 - 1, 2**32 - 1, 2**30])).to_bytes(4, "little")
            case 6:
                held[place:place] = random.choice([b'"', b"\n", b"[" * 500, b"\x00" * 9, b",,,", b"\xff\xfe"])
    return bytes(held)


def seconds(case: int) -> int:
    """That a case may take."""
    return 300 if case % FITTED == 0 else 30


def tried(case: int, seed: int, folder: Path) -> tuple[str, str]:
    """What came of a case, and a word about it."""
    random = np.random.default_rng([seed, case])
    columns = generated(random)
    form = str(random.choice(list(FORMATS)))
    data = FORMATS[form](columns, random)
    harm = random.random() < 0.5
    path = folder / f"table.{form}"
    path.write_bytes(damaged(data, random) if harm else data)
    source: Any = str(path) if random.integers(2) else path.read_bytes()
    if case % FITTED == 0:
        return _fitted(path, folder)
    try:
        table = load(source)
        told = "read"
    except DataError as error:
        table, told = None, "refused"
        _check_words(error)
    if harm:
        return told, form
    with contextlib.suppress(DataError):  # nothing left to model is no fault of the reader
        found = read(source).table
        rows = len(next(iter(columns.values())))
        numbers = form in ("csv", "csv.gz", "xlsx") and all(name.isdecimal() for name in columns)
        if found.num_rows != rows and not numbers and not _may_lose(columns, form):  # a heading of numbers may be a row
            return "lost", f"{form}: {found.num_rows} rows of {rows}"
        if table is not None and not isinstance(table, CountTable) and len(table.values) != found.num_rows:
            return "lost", f"{form}: {len(table.values)} rows of {found.num_rows} for the model"
    return told, form


def _may_lose(columns: Columns, form: str) -> bool:
    """Whether lines are empty: of one column, a cell without anything is an empty line."""
    return form in ("csv", "csv.gz", "xlsx") and any(
        all(value is None or not str(value).strip() for value in row) for row in zip(*columns.values(), strict=True)
    )


def _check_words(error: DataError) -> None:
    """What is refused is refused in words: at least some, and none of a library's inside."""
    if len(str(error)) < 15 or "Traceback" in str(error):
        raise RuntimeError(f"poor words: {error}")


def _fitted(path: Path, folder: Path) -> tuple[str, str]:
    """Through the command line: fit a little, and score the same table."""
    from tacit.cli import main  # noqa: PLC0415 - most cases need no JAX

    run = folder / "run"
    fit = ["fit", str(path), "--set", "components=1-2", "--quick", "--out", str(run), "--overwrite"]
    for words in (fit, ["score", str(run), str(path), "--format", "csv"]):
        code = _exit(main, words)
        if code == 1:
            return "fault", f"exit code 1 of {words[0]}"
        if code:
            return "refused", "fit"
    return "read", "fit"


def _exit(main: Callable[..., Any], words: list[str]) -> int:
    sys.argv = ["tacit", *words]
    try:
        found = main()
    except SystemExit as ended:
        found = ended.code
    return int(found or 0)
