"""Several files are one table; a workbook is one of its sheets; a pipe is read once."""

import gzip
import io
import os
import subprocess
import threading
import zipfile
from pathlib import Path
from xml.sax.saxutils import escape

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from tacit.data.errors import DataError
from tacit.data.images import holds_images
from tacit.data.read import read
from tacit.data.table import load
from tacit.workflow.folders import default_name
from tacit.workflow.sources import DataSource


def part(path: Path, rows: range, names: tuple[str, str, str] = ("x", "y", "c")) -> None:
    held = {"x": [n * 1.5 for n in rows], "y": [n % 7 for n in rows], "c": ["ab"[n % 2] for n in rows]}
    lines = [",".join(str(held[key][place]) for key in held) for place in range(len(rows))]
    path.write_text("\n".join([",".join(names), *lines]) + "\n")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for number in range(3):
        part(tmp_path / f"sales-{number}.csv", range(20 * number, 20 * number + 20))
    (tmp_path / "_SUCCESS").write_text("")
    return tmp_path


def test_a_folder_a_pattern_and_a_list_are_one_table(folder: Path) -> None:
    names = [str(path) for path in sorted(folder.glob("*.csv"))]
    for source in (str(folder), folder, str(folder / "sales-*.csv"), names, "\n".join(names)):
        table = read(source)
        assert table.table.column("x").to_pylist() == [n * 1.5 for n in range(60)]
        assert any("3 files are one table" in note for note in table.notes)
    assert not holds_images(str(folder))
    rows = DataSource(str(folder)).load()
    assert len(rows) == 60


def test_columns_go_by_their_names(folder: Path) -> None:
    part(folder / "sales-3.csv", range(60, 80))
    text = (folder / "sales-3.csv").read_text().splitlines()
    turned = [",".join(reversed(line.split(","))) for line in text]
    (folder / "sales-3.csv").write_text("\n".join(turned) + "\n")
    assert read(folder).table.column("x").to_pylist() == [n * 1.5 for n in range(80)]


def test_a_file_with_other_columns_is_named(folder: Path) -> None:
    part(folder / "sales-9.csv", range(5), ("x", "y", "d"))
    with pytest.raises(DataError, match=r"sales-9\.csv has other columns than .*sales-0\.csv: it lacks 'c' and .* 'd'"):
        load(folder)


def test_a_text_in_one_file_makes_the_column_text(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("code,x\n12,1\n13,2\n")
    (tmp_path / "b.csv").write_text("code,x\nA7,1.5\n,2\n")
    found = read(tmp_path).table
    assert found.column("code").to_pylist() == ["12", "13", "A7", None]
    assert found.column("x").to_pylist() == [1.0, 2.0, 1.5, 2.0]


def test_parquet_files_are_one_table(tmp_path: Path) -> None:
    for number in range(3):
        rows = np.arange(10) + 10.5 * number
        pq.write_table(pa.table({"x": rows, "y": rows**2}), tmp_path / f"part-{number}.parquet")
    table = load(tmp_path)
    assert table.values.shape == (30, 2)
    assert table.source.endswith("part-0.parquet and 2 more")


@pytest.mark.parametrize(
    ("named", "words"), [("z*.csv", "no file is called like"), ("sales-?.tsv", "no file is called like")]
)
def test_a_pattern_without_files_is_refused(named: str, words: str, folder: Path) -> None:
    with pytest.raises(DataError, match=words):
        load(str(folder / named))


def test_tables_of_several_kinds_in_a_folder_are_refused(folder: Path) -> None:
    pq.write_table(pa.table({"x": [1.0]}), folder / "more.parquet")
    with pytest.raises(DataError, match=r"1 file of Parquet, 3 files of text.*\. Say which by a pattern"):
        load(folder)


@pytest.mark.parametrize("place", ["a.png", "cats/a.JPG"])
def test_a_table_beside_pictures_is_no_table(place: str, folder: Path) -> None:
    (folder / place).parent.mkdir(exist_ok=True)
    (folder / place).write_bytes(b"\x89PNG")
    assert holds_images(str(folder))


def test_a_run_remembers_all_places(folder: Path) -> None:
    source = DataSource(str(folder / "sales-0.csv") + "\n" + str(folder / "sales-2.csv"))
    again = DataSource.from_config(source.to_config())
    assert len(again.load()) == 40
    assert default_name(source.path) == "sales-0-tacit"
    assert default_name(str(folder / "sales-*.csv.gz")) == "sales-tacit"


def test_a_pipe_is_read_once(tmp_path: Path) -> None:
    whole, pipe = tmp_path / "a.csv.gz", tmp_path / "pipe"
    whole.write_bytes(gzip.compress(b"x,y\n" + b"1,2.5\n2,3.5\n" * 200))
    os.mkfifo(pipe)
    writer = threading.Thread(target=lambda: pipe.write_bytes(whole.read_bytes()))
    writer.start()
    source = DataSource(str(pipe))
    source.check_place()
    assert len(source.load()) == 400
    writer.join()


def test_what_a_shell_substitutes_is_read(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_bytes(b"x,y\n" + b"1,2.5\n2,3.5\n" * 200)
    with subprocess.Popen(["cat", str(tmp_path / "a.csv")], stdout=subprocess.PIPE) as shell:
        assert shell.stdout is not None
        assert len(load(f"/dev/fd/{shell.stdout.fileno()}")) == 400
    assert default_name("/dev/fd/63") == "table-tacit"


MAIN = "http://schemas.openxmlformats.org/spreadsheetml/2006/main"
LINK = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
PACKAGE = "http://schemas.openxmlformats.org/package/2006/relationships"


def book(**sheets: list[list[object]]) -> bytes:
    """The least .xlsx with these cells."""
    held = io.BytesIO()
    places = dict(enumerate(sheets, 1))
    links = "".join(
        f'<Relationship Id="r{n}" Type="{LINK}/worksheet" Target="worksheets/sheet{n}.xml"/>' for n in places
    )
    names = "".join(f'<sheet name="{name}" sheetId="{n}" r:id="r{n}"/>' for n, name in places.items())
    with zipfile.ZipFile(held, "w") as archive:
        archive.writestr("[Content_Types].xml", "<Types/>")
        target = f'<Relationship Id="r1" Type="{LINK}/officeDocument" Target="xl/workbook.xml"/>'
        archive.writestr("_rels/.rels", f'<Relationships xmlns="{PACKAGE}">{target}</Relationships>')
        archive.writestr("xl/_rels/workbook.xml.rels", f'<Relationships xmlns="{PACKAGE}">{links}</Relationships>')
        archive.writestr(
            "xl/workbook.xml", f'<workbook xmlns="{MAIN}" xmlns:r="{LINK}"><sheets>{names}</sheets></workbook>'
        )
        for n, name in places.items():
            rows = "".join(f"<row>{''.join(map(cell, row))}</row>" for row in sheets[name])
            archive.writestr(
                f"xl/worksheets/sheet{n}.xml", f'<worksheet xmlns="{MAIN}"><sheetData>{rows}</sheetData></worksheet>'
            )
    return held.getvalue()


def cell(value: object) -> str:
    if value is None:
        return "<c/>"
    if isinstance(value, bool):
        return f'<c t="b"><v>{int(value)}</v></c>'
    if isinstance(value, int | float):
        return f"<c><v>{value!r}</v></c>"
    return f'<c t="inlineStr"><is><t xml:space="preserve">{escape(str(value))}</t></is></c>'


ROWS: list[list[object]] = [
    ["name", "x", "n", "code", "yes"],
    ["a, b", 1.5, 1, "0012", True],
    ['say "b"', 2.25, None, "0007", False],
    [None, None, None, None, None],
    ["c\nd", 1e-7, 3, "0100", True],
]


@pytest.mark.parametrize("ending", [".xlsx", ".xlsm", ".dat"])
def test_a_workbook_is_read(ending: str, tmp_path: Path) -> None:
    path = tmp_path / f"a{ending}"
    path.write_bytes(book(Data=ROWS))
    for source in (path, path.read_bytes()):
        found = read(source)
        assert found.source.endswith("sheet 'Data'")
        assert found.table.to_pydict() == {
            "name": ["a, b", 'say "b"', "c\nd"],
            "x": [1.5, 2.25, 1e-7],
            "n": [1, None, 3],
            "code": ["0012", "0007", "0100"],
            "yes": [True, False, True],
        }


def test_sheets_are_listed_and_chosen() -> None:
    data = book(Empty=[], First=ROWS, Second=[["a", "b"], [1, 2], [3, 4.5]])
    found = read(data)
    assert found.table.num_rows == 3
    assert any("of 2 sheets the first, 'First', is read; --sheet names another: 'Second'" in n for n in found.notes)
    for sheet in ("Second", "3"):
        assert read(data, sheet=sheet).table.to_pydict() == {"a": [1, 3], "b": [2.0, 4.5]}
    with pytest.raises(DataError, match=r"no sheet 'Secnd'; there are 'Empty', 'First', 'Second'\. Did you mean"):
        read(data, sheet="Secnd")
    with pytest.raises(DataError, match="is empty"):
        read(data, sheet="Empty")
    with pytest.raises(DataError, match="nothing on its sheets"):
        read(book(Empty=[]))


def test_a_spreadsheet_of_the_open_format() -> None:
    spaces = " ".join(
        f'xmlns:{name}="urn:oasis:names:tc:opendocument:xmlns:{name}:1.0"' for name in ("office", "table", "text")
    )

    def written(value: object) -> str:
        if isinstance(value, str):
            return f'<table:table-cell office:value-type="string"><text:p>{value}</text:p></table:table-cell>'
        told = f'office:value-type="float" office:value="{value}"'
        return f"<table:table-cell {told}><text:p>{value}</text:p></table:table-cell>"

    rows = [["a", "b"], ["x", 1.5], ["y", 2.5], ["x", 3]]
    lines = "".join(f"<table:table-row>{''.join(map(written, row))}</table:table-row>" for row in rows)
    held = io.BytesIO()
    with zipfile.ZipFile(held, "w") as archive:
        archive.writestr("mimetype", "application/vnd.oasis.opendocument.spreadsheet")
        archive.writestr("META-INF/manifest.xml", "<manifest/>")
        archive.writestr(
            "content.xml",
            f"<office:document-content {spaces}><office:body><office:spreadsheet>"
            f'<table:table table:name="S">{lines}</table:table></office:spreadsheet></office:body>'
            "</office:document-content>",
        )
    assert read(held.getvalue()).table.to_pydict() == {"a": ["x", "y", "x"], "b": [1.5, 2.5, 3.0]}


@pytest.mark.parametrize("cut", [10, 200, 500, 900])
def test_a_damaged_workbook_is_refused(cut: int, tmp_path: Path) -> None:
    whole = book(Data=ROWS)
    path = tmp_path / "a.xlsx"
    path.write_bytes(whole[:cut])
    for source in (path, whole[: -cut // 8]):
        with pytest.raises(DataError, match=r"workbook|NumPy"):
            read(source)


def test_an_old_workbook_that_is_none(tmp_path: Path) -> None:
    path = tmp_path / "a.xls"
    path.write_bytes(b"\xd0\xcf\x11\xe0" + bytes(2000))
    with pytest.raises(DataError, match="not a readable workbook"):
        read(path)


def test_a_first_sheet_without_a_table_names_the_others() -> None:
    data = book(Cover=[["Total", "60"], ["made", "today"]], Second=[["a", "b"], [1, 2], [3, 4.5]])
    with pytest.raises(DataError, match=r"Or it is another sheet: of 2 sheets the first, 'Cover'.*'Second'"):
        load(data)
    assert len(load(data, sheet="Second", kinds={"a": "continuous", "b": "continuous"})) == 2
    only_a_heading = book(Cover=[["a", "b"]], Second=[["a", "b"], [1, 2], [3, 4.5]])
    with pytest.raises(DataError, match=r"no rows\..*'Second'"):
        load(only_a_heading)
