"""Delimited text: how it is written is found out, and what is wrong is said with its place."""

import csv
import io

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tacit.data import DataError, read

COLUMNS = {"a": [1, 2, 3], "b": [0.5, None, 2.0], "c": ["x", "y z", "ü"]}


def cells(text: str | bytes, **options: object) -> dict[str, list]:
    return read(text.encode() if isinstance(text, str) else text, **options).table.to_pydict()


def test_plain_csv_and_no_word_about_it() -> None:
    reading = read("a,b,c\n1,0.5,x\n2,,y z\n3,2.0,ü\n".encode())
    assert reading.table.to_pydict() == COLUMNS
    assert reading.table.schema.types == [pa.int64(), pa.float64(), pa.string()]
    assert reading.notes == ()
    assert reading.source == "the data"


@pytest.mark.parametrize(
    ("text", "note"),
    [
        ("a;b;c\n1;0.5;x\n2;;y z\n3;2.0;ü\n", "cells are separated by a semicolon"),
        ("a;b;c\n1;0,5;x\n2;;y z\n3;2,0;ü\n", "decimal commas"),
        ("a|b|c\n1|0.5|x\n2||y z\n3|2.0|ü\n", "cells are separated by a bar"),
        ("a\tb\tc\n1\t0.5\tx\n2\t\ty z\n3\t2.0\tü\n", None),
        ("a\tb\tc\n1\t0,5\tx\n2\t\ty z\n3\t2,0\tü\n", "decimal commas"),
        ("sep=;\na;b;c\n1;0.5;x\n2;;y z\n3;2.0;ü\n", "cells are separated by a semicolon"),
        (" a , b ,c\n 1, 0.5, x\n 2 , ?, y z\n 3, 2.0 ,ü \n", None),
        ('"a","b","c"\r\n"1","0.5","x"\r\n"2","NA","y z"\r\n"3","2.0","ü"\r\n', None),
        ("\n\na,b,c\n1,0.5,x\n\n2,null,y z\n3,2.0,ü\n\n", None),
        ("\ufeffa,b,c\n1,0.5,x\n2,,y z\n3,2.0,ü", None),
    ],
)
def test_the_same_table_in_many_hands(text: str, note: str | None) -> None:
    reading = read(text.encode())
    assert reading.table.to_pydict() == COLUMNS
    assert (note in reading.notes) if note else (reading.notes == ())


@pytest.mark.parametrize(
    ("encoding", "note"),
    [
        ("latin-1", "not UTF-8: read as cp1252"),
        ("utf-16", "not UTF-8: read as utf-16"),
        ("utf-8-sig", None),
    ],
)
def test_encodings(encoding: str, note: str | None) -> None:
    reading = read("näme,b\nx,ü\ny,é\n".encode(encoding))
    assert reading.table.to_pydict() == {"näme": ["x", "y"], "b": ["ü", "é"]}
    assert reading.notes == ((note,) if note else ())


def test_a_letter_outside_utf8_far_down_is_met() -> None:
    text = b"a,b\n" + b"1,x\n" * 100_000 + "2,ü\n".encode("latin-1")
    reading = read(text)
    assert reading.table.column("b")[-1].as_py() == "ü"
    assert reading.notes == ("not UTF-8: read as cp1252",)


def test_the_encoding_can_be_named_and_must_fit() -> None:
    assert cells("a\nπ\n".encode("cp1253"), encoding="cp1253") == {"a": ["π"]}
    with pytest.raises(DataError, match="cannot be read as utf-8; name its encoding, or save it as UTF-8"):
        read("a\nü\n".encode("latin-1"), encoding="utf-8")
    with pytest.raises(DataError, match="unknown encoding 'klingon'"):
        read(b"a\n1\n", encoding="klingon")


@pytest.mark.parametrize("marker", ["", "NA", "N/A", "NaN", "nan", "?", "null", "None", " ? "])
def test_signs_for_missing(marker: str) -> None:
    assert cells(f"a,b\n1,x\n{marker},{marker}\n") == {"a": [1, None], "b": ["x", None]}


def test_signs_for_missing_can_be_named() -> None:
    assert cells("a,b\n1,x\n-,NA\n", missing=["-"]) == {"a": [1, None], "b": ["x", "NA"]}


def test_commas_between_thousands_are_no_decimal_commas() -> None:
    assert cells("a;b\n1,234;x\n12,345;y\n") == {"a": [1234, 12345], "b": ["x", "y"]}
    assert cells("a;b\n1,234;x\n12,345;y\n", decimal=",") == {"a": [1.234, 12.345], "b": ["x", "y"]}


def test_a_point_in_another_column_says_nothing_about_decimal_commas() -> None:
    reading = read(b"a;b\n1,5;2.5\n2,5;3.5\n")
    assert reading.table.to_pydict() == {"a": [1.5, 2.5], "b": [2.5, 3.5]}
    assert reading.notes[-1] == "decimal commas in 'a', points in others"


def test_points_between_thousands_and_decimal_commas() -> None:
    text = "a;b;c;d\n-1.234,5;1;€ 1.200,50;1.000\n67,25;2;3 €;2.500\n"
    expected = {"a": [-1234.5, 67.25], "b": [1, 2], "c": [1200.5, 3.0], "d": [1000, 2500]}
    assert cells(text) == expected


@pytest.mark.parametrize(
    ("above", "note"),
    [
        ("Report of 2024\n\n", "2 lines above the heading passed over: 'Report of 2024'"),
        ("# made by R\n", "1 line above the heading passed over: '# made by R'"),
    ],
)
def test_lines_above_the_heading(above: str, note: str) -> None:
    reading = read(f"{above}name,age\nx,3\ny,4\n".encode())
    assert reading.table.to_pydict() == {"name": ["x", "y"], "age": [3, 4]}
    assert reading.notes == (note,)
    assert read(f"{above}name,age\nx,3\ny,4\n".encode(), delimiter=",").table.equals(reading.table)
    with pytest.raises(DataError, match="row 401: 1 cell where the heading has 2"):
        read((f"{above}name,age\n" + "x,3\n" * 400 + "y\n").encode())


def test_blanks_between_numbers() -> None:
    reading = read(b"a b c\n1 2 NA\n4 5 6\n")
    assert reading.table.to_pydict() == {"a": [1, 4], "b": [2, 5], "c": [None, 6]}
    assert reading.notes == ("cells are separated by a blank",)
    assert cells("remark\nit is\nfine so\n") == {"remark": ["it is", "fine so"]}
    assert cells("a remark\nit is\nfine so\n") == {"a remark": ["it is", "fine so"]}
    with pytest.raises(DataError, match="cells seem to stand apart by several blanks"):
        read(b"a   b\n1   2\n33  4\n")


def test_a_heading_without_a_name_for_the_rows() -> None:
    reading = read(b'"a","b"\n"r1",5.5,3\n"r2",4.5,4\n')
    assert reading.table.to_pydict() == {"column_1": ["r1", "r2"], "a": [5.5, 4.5], "b": [3, 4]}
    assert reading.notes == ("the heading lacks a name for the first column, called column_1",)
    with pytest.raises(DataError, match="row 501: 2 cells where the others have 3"):
        read(b"a,b\n" + b"1,2,3\n" * 500 + b"1,2\n")


def test_bytes_that_only_latin1_knows() -> None:
    assert cells(b"a\nx\x81\n") == {"a": ["x\x81"]}


def test_leading_zeros_stay() -> None:
    assert cells("zip,n\n01234,1\n98765,2\n") == {"zip": ["01234", "98765"], "n": [1, 2]}


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("1.5,2\n3,4\n", ["column_1", "column_2"]),
        ("0,1,2\n5,6,7\n", ["0", "1", "2"]),
        ("1,2\n5,6\n", ["1", "2"]),
        (",a\n1,2\n", ["column_1", "a"]),
        ("x,1\n5,6\n", ["x", "1"]),
    ],
)
def test_the_heading(text: str, names: list[str]) -> None:
    reading = read(text.encode())
    assert reading.table.column_names == names
    told = any("no heading" in note for note in reading.notes)
    assert told == (text.startswith("1.5"))


def test_the_heading_can_be_settled() -> None:
    assert cells("1,2\n3,4\n", header=False) == {"column_1": [1, 3], "column_2": [2, 4]}
    assert cells("1.5,2\n3,4\n", header=True) == {"1.5": [3], "2": [4]}


def test_line_breaks_inside_quotes() -> None:
    assert cells('a,b\n1,"x\ny"\n2,z\n') == {"a": [1, 2], "b": ["x\ny", "z"]}
    assert cells('"a\nb",c\n1,2\n') == {"a\nb": [1], "c": [2]}


def test_one_column() -> None:
    assert cells("velocity\n9172\n9350\n") == {"velocity": [9172, 9350]}
    assert cells("velocity\n9,5\n8,25\n") == {"velocity": [9.5, 8.25]}
    assert cells("velocity\n9,5\n8,25\n7,5\n6,5\n") == {"velocity": [9.5, 8.25, 7.5, 6.5]}


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "the data is empty: expected a heading and rows"),
        (" \n\n", "the data is empty: expected a heading and rows"),
        ("\ufeff", "the data is empty"),
        ("a,b\n", r"has a heading \(2 columns\) but no rows"),
        ("a,b\n1,2\n3\n", r"the data, row 2: 1 cell where the heading has 2 \('3'\)"),
        ("a,b\n1,2\n\n3,4,5\n6\n", r"row 2: 3 cells where the heading has 2 \('3,4,5'\). 2 rows like it"),
        ("a,b\n1,2\n3,4,5\n", "a cell with a comma inside needs quotes around it"),
        ('a,b\n1,"x\n2,3\n', "column 'b', row 1: a quote is opened and never closed"),
        ("a,b\n1,\x00\n", r"is not a text table \(it has zero bytes\)"),
    ],
)
def test_what_is_wrong_is_said(text: str, message: str) -> None:
    with pytest.raises(DataError, match=message):
        read(text.encode())


def test_a_short_row_without_a_heading_is_counted_from_the_first_line() -> None:
    with pytest.raises(DataError, match=r"row 3: 1 cell where the others have 2"):
        read(b"1.5,2\n3,4\n5\n")


PLAIN = st.text(st.characters(codec="utf-8", exclude_characters="\r\n\0", exclude_categories=["Cs"]), max_size=6)


@given(st.lists(st.tuples(st.integers(-99, 99), PLAIN), min_size=1, max_size=8), st.sampled_from(",;\t|"))
def test_what_python_writes_is_read_back(rows: list[tuple[int, str]], delimiter: str) -> None:
    file = io.StringIO()
    texts = ["".join(("'", text, "'")) for _, text in rows]  # kept from looking like numbers, blanks or dates
    lines = [("n", "text"), *zip([number for number, _ in rows], texts, strict=True)]
    csv.writer(file, delimiter=delimiter, quoting=csv.QUOTE_ALL).writerows(lines)
    found = read(file.getvalue().encode(), delimiter=delimiter, missing=[]).table
    assert found.column("n").to_pylist() == [number for number, _ in rows]
    assert found.column("text").to_pylist() == texts
