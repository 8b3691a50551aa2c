"""Where a table begins and ends in a text file, what its columns are called, and which lines are none of it."""

import pytest

from tacit.data import DataError, load, read
from tacit.data.reading import ReadingOptions

BODY = {"name": ["A", "B", "C"], "x": [1, 2, 5], "y": [2.5, 3.5, 1.0]}


def test_a_separator_at_the_end_of_every_row() -> None:
    reading = read(b"a,b\n1,2,\n3,4,\n")
    assert reading.table.to_pydict() == {"a": [1, 3], "b": [2, 4]}
    assert reading.notes == ("every row ends in a separator and the heading does not: nothing stands behind it",)
    both = read(b"a,b,\n1,2,\n3,4,\n")
    assert both.table.to_pydict() == {"a": [1, 3], "b": [2, 4]}
    assert both.notes == ("1 column without a name and without a value left out",)
    with pytest.raises(DataError, match=r"row 501 \(line 502\): 5 stands behind the last column of the heading, 'b'"):
        read(b"a,b\n" + b"1,2,\n" * 500 + b"1,2,5\n")
    kept = read(b"a,b,\n1,2,\n3,4,5\n")
    assert kept.table.column_names == ["a", "b", "column_3"]


@pytest.mark.parametrize(
    ("above", "lines"),
    [
        ("Report 2024\n", 1),
        ("Report 2024;;\n;;\n", 2),
        ("Report 2024\n\nMade by R; for you\n", 3),
        ("Report;;\nof 2024;;\n", 2),
    ],
)
def test_titles_above_the_heading(above: str, lines: int) -> None:
    reading = read(f"{above}name;x;y\nA;1;2,5\nB;2;3,5\nC;5;1\n".encode())
    assert reading.table.to_pydict() == BODY
    assert reading.notes[0].startswith(f"{lines} line{'s' * (lines > 1)} above the heading passed over: 'Report")


def test_rows_of_words_are_no_titles() -> None:
    with pytest.raises(DataError, match=r"row 2: 1 cell where the heading has 2 \('C'\)"):
        read(b"name,city\nA,B\nC\nD,E\nF,G\nH,I\n")
    assert read(b"a,b,c\nx,,\ny,u,v\nz,u,v\n").table.num_rows == 3


@pytest.mark.parametrize(
    "below",
    [
        "Total;8;7\n",
        "\n;;\nTotal;8;7,0\n",
        "Summe:;8;7\nMittelwert;2,67;2,33\n",
        "Grand total;8;7\n",
        ";8;7\n",
    ],
)
def test_totals_below_the_table(below: str) -> None:
    text = f"name;x;y\nA;1;2,5\nB;2;3,5\nC;5;1\n{below}".encode()
    reading = read(text)
    assert reading.table.to_pydict() == BODY
    assert any("left out; --keep-totals keeps it" in note for note in reading.notes)
    assert read(text, keep_totals=True).table.num_rows > 3


def test_totals_in_the_first_column_of_numbers() -> None:
    assert read(b"id,y\n1,10.5\n2,20\nTotal,30.5\n").table.to_pydict() == {"id": [1, 2], "y": [10.5, 20.0]}


def test_a_row_that_is_only_called_a_total_is_kept_with_a_word() -> None:
    reading = read(b"firm,x\nShell,10\nBP,20\nTotal,15\nTotal,17\n")
    assert reading.table.num_rows == 4
    assert any("is called 'Total' but is no sum of the others: kept" in note for note in reading.notes)


def test_a_last_row_like_the_others_is_a_row() -> None:
    assert read(b"name,x,y\nA,1,2\nB,2,3\nC,3,5\n").table.num_rows == 3
    assert read(b"name,x,y\nA,1,2\nB,2,3\n,9,9\n").table.num_rows == 3


def test_remarks_below_the_table() -> None:
    reading = read(b"name,x\nA,1\nB,2\nSource: a book\n(2 rows)\n")
    assert reading.table.num_rows == 2
    assert reading.notes == ("2 lines below the table passed over: 'Source: a book'",)


def test_a_heading_that_stands_again() -> None:
    reading = read(b"a,b\n1,x\na,b\n2,y\n")
    assert reading.table.to_pydict() == {"a": [1, 2], "b": ["x", "y"]}
    assert reading.notes == ("the heading stands again in 1 row, left out",)


def test_units_below_the_heading() -> None:
    reading = read(b"name,w,h\n,kg,cm\nA,1,2\nB,3,4\nC,5,6\nD,5,6\n")
    assert reading.table.column("w").to_pylist() == [1, 3, 5, 5]
    assert reading.notes == ("the line of units below the heading passed over: 'kg, cm'",)


@pytest.mark.parametrize(
    ("text", "header"),
    [
        ("Adelie,39.1,18\nGentoo,40.2,19\nAdelie,38,17\n", False),
        ("2020-01-01,5\n2020-01-02,6\n2020-01-03,8\n", False),
        ("yes,red\nno,blue\nyes,red\n", False),
        ("country,2019,2020,2021\nA,1,2,3\nB,4,5,6\n", True),
        ("name,x\nA,1\nB,2\n", True),
        ("colour,shape\nred,round\nblue,square\n", True),
        ("x,1\n5,6\n7,8\n", True),
    ],
)
def test_whether_the_first_line_is_a_heading(text: str, header: bool) -> None:
    reading = read(text.encode())
    rows = text.count("\n")
    assert reading.table.num_rows == rows - header
    assert any("no heading: the first line" in note for note in reading.notes) == (not header)


def test_repeated_headings_are_numbered() -> None:
    reading = read(b"a,b,a,a,a_2\n1,2,3,4,5\n6,7,8,9,0\n")
    assert reading.table.column_names == ["a", "b", "a_3", "a_4", "a_2"]
    assert reading.notes == ("the heading has 'a' 3 times: called 'a', 'a_3', 'a_4'",)


def test_the_user_says_where_the_heading_is() -> None:
    text = b"made by; me\nx;y\n1;2\n3;4\n"
    assert read(text, header=2).table.to_pydict() == {"x": [1, 3], "y": [2, 4]}
    assert read(text, skip_rows=1).table.to_pydict() == {"x": [1, 3], "y": [2, 4]}
    assert read(text, skip_rows=2, header=False).table.to_pydict() == {"column_1": [1, 3], "column_2": [2, 4]}
    with pytest.raises(DataError, match="has no line 9 to name the columns"):
        read(text, header=9)
    with pytest.raises(DataError, match="the heading cannot be line 1: the first 2 are passed over"):
        read(text, header=1, skip_rows=2)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"delimiter": ";;"}, "say one character, or tab, comma"),
        ({"decimal": "x"}, "say '.' or ','"),
        ({"thousands": "x"}, "a blank, an apostrophe, or none"),
        ({"thousands": ",", "decimal": ","}, "cannot stand both"),
        ({"skip_rows": -1}, "say 0 or more"),
        ({"header": -1}, "say the line of the heading"),
        ({"missing": "x"}, "give a list of texts"),
    ],
)
def test_options_that_cannot_be_meant(options: dict, message: str) -> None:
    with pytest.raises(DataError, match=message):
        read(b"a,b\n1,2\n", **options)
    with pytest.raises(DataError, match=r"there is no option 'delimeter' of reading; .*Did you mean 'delimiter'"):
        read(b"a,b\n1,2\n", delimeter=",")


def test_names_of_signs() -> None:
    options = ReadingOptions.of(delimiter="tab", decimal="comma", thousands="point")
    assert (options.delimiter, options.decimal, options.thousands) == ("\t", ",", ".")


def test_a_quote_mark_that_swallows_rows_is_said() -> None:
    rows = "".join(f"{n},z\n" for n in range(50))
    reading = read(f'a,b\n1,x\n2,"y\n{rows}51,"\n52,z\n'.encode())
    assert "column 'b', row 2: one cell in quotes holds 52 lines that look like rows" in reading.notes[-1]
    assert read(b'a,b\n1,"a letter\nof some\nlines\nto you"\n2,"b"\n').notes == ()


@pytest.mark.parametrize("encoding", ["utf-16-le", "utf-16-be"])
def test_utf16_without_a_mark(encoding: str) -> None:
    reading = read("näme,b\nx,1\ny,2\n".encode(encoding))
    assert reading.table.to_pydict() == {"näme": ["x", "y"], "b": [1, 2]}


def test_the_encoding_of_the_fit_is_tried_before_others() -> None:
    text = "näme,b\nœufß,1\n".encode("cp1250", "replace")
    first = read(text, encoding="cp1250").read_as
    again = ReadingOptions().for_new_data(ReadingOptions(), first)
    assert read(text, again).table.equals(read(text, encoding="cp1250").table)
    assert read("näme,b\nü,1\n".encode(), again).table.column("näme").to_pylist() == ["ü"]


def test_levels_that_people_write_in_many_ways_are_one() -> None:
    rows = ["Yes", "yes", "YES", "no", "No", "Yes"] * 10
    accents = ["cafe\u0301", "caf\u00e9"]  # composed and decomposed
    text = "a,b,c\n" + "".join(f"{cell},{accents[n % 2]},{n % 4}.5\n" for n, cell in enumerate(rows))
    found = load(text.encode(), kinds={"b": "drop"})
    assert found.schema["a"].levels == ("No", "Yes") or found.schema["a"].levels == ("no", "Yes")
    assert "taken as one: " in found.schema["a"].note
    assert found.notes[-1].startswith("levels of column 'a' taken as one: 'yes' for 'Yes'")
    again = load(b"a,c\nyEs,1.5\nNO,0.5\n", schema=found.schema)
    assert again.values[:, 0].tolist() == [1, 0]
    assert load(text.encode()).left_out[0].reason.startswith("always 'caf")
    with_tea = load(text.replace("\nNo,", "\nNo,tea").encode())
    assert with_tea.notes[-1].endswith("with composed and decomposed accents")


def test_headings_are_composed() -> None:
    assert read("Gro\u0308\u00dfe,b\n1.5,2\n".encode()).table.column_names == ["Gr\u00f6\u00dfe", "b"]


def test_single_letters_keep_their_case() -> None:
    text = "allele,sex,x\n" + "".join(f"{'Aa'[n % 2]},{'mMfF'[n % 4]},{n % 5}.5\n" for n in range(40))
    found = load(text.encode())
    assert found.schema["allele"].levels in (("A", "a"), ("a", "A"))
    assert {level.lower() for level in found.schema["sex"].levels} == {"f", "m"}


def test_reading_takes_a_time_that_grows_with_the_columns_and_no_faster() -> None:
    names = [f"c{n}" for n in range(1500)]
    text = (",".join(names) + "\n" + (",".join(["1.25"] * 1500) + "\n") * 3).encode()
    table = read(text).table
    assert table.num_columns == 1500
    assert load(text + (",".join(["2.5"] * 1500) + "\n").encode() * 2).values.shape == (5, 1500)
