"""Several files are read as if they were one: what one leaves open the others decide, or it is refused by its place."""

from pathlib import Path

import pytest

from tacit.data.errors import DataError
from tacit.data.read import read
from tacit.data.reading import ReadAs
from tacit.data.table import load


def laid(folder: Path, *texts: str) -> Path:
    for number, text in enumerate(texts):
        (folder / f"part-{number}.csv").write_text(text)
    return folder


def column(folder: Path, name: str = "x", **said: object) -> list[object]:
    return list(read(folder, **said).table.column(name).to_pylist())


@pytest.mark.parametrize("turned", [False, True])
def test_an_open_comma_is_read_as_the_sure_ones_of_another_file(tmp_path: Path, turned: bool) -> None:
    texts = ["x;n\n1,234;1\n2,345;2\n", "x;n\n3,5;3\n4,25;4\n"]
    laid(tmp_path, *(reversed(texts) if turned else texts))
    found = read(tmp_path)
    assert sorted(found.table.column("x").to_pylist()) == [1.234, 2.345, 3.5, 4.25]
    assert found.read_as is not None
    assert found.read_as.decimal == ","


def test_an_open_point_is_between_thousands_where_another_file_has_decimal_commas(tmp_path: Path) -> None:
    laid(tmp_path, "x;y\n1.234;1\n2.345;2\n", "x;y\n3,5;3\n1.234,5;4\n")
    assert column(tmp_path) == [1234.0, 2345.0, 3.5, 1234.5]


def test_evidence_of_another_column_in_another_file(tmp_path: Path) -> None:
    laid(tmp_path, "x;y\n1,234;1\n2,345;2\n", "x;y\n1;3,5\n4;4,75\n")
    assert column(tmp_path) == [1.234, 2.345, 1.0, 4.0]


def test_files_that_are_sure_and_differ_are_each_read_their_own_way(tmp_path: Path) -> None:
    laid(tmp_path, "x;y\n3,5;1,234\n4,25;2,5\n", "x;y\n3.5;1,234\n4.25;2\n", "x;y\n7,25;9\n8,5;9\n")
    found = read(tmp_path)
    assert found.table.column("x").to_pylist() == [3.5, 4.25, 3.5, 4.25, 7.25, 8.5]
    assert found.table.column("y").to_pylist() == [1.234, 2.5, 1234.0, 2.0, 9.0, 9.0]
    assert any("decimal points in some files, commas in others" in note for note in found.notes)


def test_what_stays_open_between_files_that_differ_is_refused_by_its_place(tmp_path: Path) -> None:
    laid(tmp_path, "x;y\n3,5;1\n4,25;2\n", "x;y\n3.5;1\n4.25;2\n", "x;y\n7;9\n8,123;9\n")
    with pytest.raises(DataError, match=r"part-2\.csv, column 'x', row 2 \(line 3\): '8,123' is open.*--decimal"):
        read(tmp_path)


def test_a_column_that_contradicts_its_file_is_refused(tmp_path: Path) -> None:
    laid(tmp_path, "x;y\n1,234;3.5\n2,345;4.5\n", "x;y\n3,5;1.5\n4,25;2.5\n")
    with pytest.raises(DataError, match=r"part-0\.csv, column 'x', row 1 \(line 2\): '1,234' is open: other columns"):
        read(tmp_path)


def test_separators_may_differ(tmp_path: Path) -> None:
    laid(tmp_path, "x;y\n3,5;a\n1.234,25;b\n", "x,y\n3.5,a\n1.234,b\n")
    assert column(tmp_path) == [3.5, 1234.25, 3.5, 1.234]
    laid(tmp_path, "x;y\n1,234;a\n2,345;b\n")
    with pytest.raises(DataError, match=r"part-0\.csv, column 'x', row 1 \(line 2\): '1,234' is open"):
        read(tmp_path)
    assert column(tmp_path, decimal=".") == [1234.0, 2345.0, 3.5, 1.234]


def test_signs_for_missing_are_those_of_the_whole(tmp_path: Path) -> None:
    laid(tmp_path, "x,c\n1,a\n2,b\n", "x,c\nunknown,a\nn.a.,\n", "x,c\n2.5,unknown\n-,b\n")
    found = read(tmp_path)
    assert found.table.column("x").to_pylist() == [1.0, 2.0, None, None, 2.5, None]
    assert found.table.column("c").to_pylist() == ["a", "b", "a", None, "unknown", "b"]


def test_codes_keep_their_zeros_and_numbers_beside_texts_their_digits(tmp_path: Path) -> None:
    laid(tmp_path, "x,y\n12,1.50\n13,2\n", "x,y\n007,A7\n012,b\n")
    assert column(tmp_path) == ["12", "13", "007", "012"]
    assert column(tmp_path, "y") == ["1.50", "2", "A7", "b"]


def test_units_and_per_cents_of_the_whole(tmp_path: Path) -> None:
    laid(tmp_path, "x,share,w\n1,45%,3 kg\n2,12.5%,4 kg\n", "x,share,w\n1,0.45,5\n2,0.125,6\n")
    assert column(tmp_path, "share") == pytest.approx([0.45, 0.125, 0.45, 0.125])
    assert column(tmp_path, "w") == [3.0, 4.0, 5.0, 6.0]
    laid(tmp_path, "x,share,w\n1,45%,3 kg\n2,12.5%,4 kg\n", "x,share,w\n1,0.45,5 lb\n2,0.125,6 lb\n")
    found = read(tmp_path)
    assert found.table.column("w").to_pylist() == ["3 kg", "4 kg", "5 lb", "6 lb"]
    assert any("several units" in note for note in found.notes)


def test_the_order_of_days_and_months_is_that_of_the_whole(tmp_path: Path) -> None:
    first = "when,x\n" + "".join(f"{day:02}/{day % 9 + 1:02}/2023,{day}.5\n" for day in range(1, 13))
    second = "when,x\n" + "".join(f"{day:02}/{day % 11 + 1:02}/2023,{day}.5\n" for day in range(13, 29))
    laid(tmp_path, first, second)
    table = load(tmp_path)
    assert any("day first" in note for note in table.notes)
    elapsed = table.values[:, [name.startswith("when: days") for name in table.names].index(True)]
    assert elapsed[0] == 31.0  # 1 February


def test_iso_dates_beside_empty_files_and_truth(tmp_path: Path) -> None:
    laid(tmp_path, "when,yes\n2023-01-02,true\n2023-01-03,false\n", "when,yes\n,\n2023-01-04,True\n")
    found = read(tmp_path).table
    assert str(found.schema.field("when").type) == "date32[day]"
    assert found.column("yes").to_pylist() == [True, False, None, True]


def test_whole_numbers_beyond_floats_stay_whole(tmp_path: Path) -> None:
    big = 2**53 + 1
    laid(tmp_path, f"x,y\n{big},1\n{big + 2},2\n", "x,y\n3.5,1\n4.5,2\n")
    found = column(tmp_path)
    assert str(found[0]).startswith(str(big)[:-2])
    laid(tmp_path, f"x,y\n{big},1\n{big + 2},2\n", "x,y\n3,1\n4,2\n")
    assert column(tmp_path) == [big, big + 2, 3, 4]


def test_totals_of_every_file_are_left_out(tmp_path: Path) -> None:
    laid(tmp_path, "c,x\na,1.5\nb,2\nd,3\nTotal,6.5\n", "c,x\na,10\nb,20\ne,30\nTotal,60\n", "c,x\na,1\nb,2\nTotal,9\n")
    found = read(tmp_path)
    assert found.table.column("x").to_pylist() == [1.5, 2, 3, 10, 20, 30, 1, 2, 9]
    assert any("part-0.csv" in note and "totals" in note for note in found.notes)
    assert any("part-2.csv" in note and "kept" in note for note in found.notes)


def test_surplus_separators_in_some_files(tmp_path: Path) -> None:
    laid(tmp_path, "x,c\n1,a,\n2,b,\n", "x,c\n3,a\n4,b\n", "x,c,\n5,a,\n6,b,\n")
    assert column(tmp_path) == [1, 2, 3, 4, 5, 6]


def test_new_data_follow_the_whole(tmp_path: Path) -> None:
    laid(tmp_path, "x;n\n1,234;1\n2,345;2\n", "x;n\n3,5;3\n4,25;4\n")
    known = read(tmp_path).read_as
    assert known is not None
    new = tmp_path / "new.txt"
    new.write_text("x;n\n1,934;1500\n")
    assert read(new, fitted=ReadAs.from_config(known.to_config())).table.column("x").to_pylist() == [1.934]
    new.write_text("x;n\n1.5;1500\n")
    with pytest.raises(DataError, match=r"line 2"):
        read(new, fitted=known)


def test_several_new_files_contradict_the_fit_by_name(tmp_path: Path) -> None:
    known = ReadAs(delimiter=";", decimal=",")
    laid(tmp_path, "x;n\n1,234;1\n2,345;2\n", "x;n\n3;3\n4.25;4\n")
    with pytest.raises(DataError, match=r"part-1\.csv, column 'x', row 2 \(line 3\)"):
        read(tmp_path, fitted=known)
