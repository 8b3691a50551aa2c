"""Numbers as people write them, settled for each column from all of its cells; what is open is said."""

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pytest

from tacit.data import DataError, load, read, written
from tacit.data.reading import FOUND_OUT, ReadAs, ReadingOptions


def column(cells: list[str], **options: object) -> tuple[list, tuple[str, ...]]:
    """A column of cells in a tab-separated table, and what is said of it."""
    text = "x\ty\n" + "".join(f"{cell}\tw\n" for cell in cells)
    reading = read(text.encode(), delimiter="\t", **options)
    return reading.table.column("x").to_pylist(), reading.notes


WRITTEN = {
    "apostrophes": (["12'345", "9'000", "512"], [12345, 9000, 512]),
    "typographic apostrophes": (["12\u2019345", "9\u2019000"], [12345, 9000]),
    "no-break blanks": (["12\u00a0345", "1\u202f000", "7"], [12345, 1000, 7]),
    "blanks and commas": (["1 234,5", "12,25"], [1234.5, 12.25]),
    "the minus sign": (["\u22121.25", "2.5"], [-1.25, 2.5]),
    "a minus sign behind": (["1.25-", "2.5"], [-1.25, 2.5]),
    "brackets": (["(1.25)", "2.5", "($3.00)"], [-1.25, 2.5, -3.0]),
    "a unit": (["12.3 kg", "4 kg", "5kg"], [12.3, 4.0, 5.0]),
    "a unit of letters": (["3 years", "1 year", "2 Years"], [3, 1, 2]),
    "a power unit": (["3 m\u00b2", "1.5 m\u00b2"], [3.0, 1.5]),
    "Fortran": (["1.2D+00", "3.4d-01"], [1.2, 0.34]),
    "powers of ten": (["1.2\u00d710^3", "5 x 10^-1", "2\u00b710\u00b2"], [1200.0, 0.5, 200.0]),
    "full width": (["\uff11\uff12", "\uff15\uff0e\uff15"], [12.0, 5.5]),
    "other digits": (["\u0663\u066b\u0665", "\u0661\u0662"], [3.5, 12.0]),
    "money": (["$1,234.50", "$5", "-$2.00"], [1234.5, 5.0, -2.0]),
    "money behind": (["1.234,50 \u20ac", "5,00 \u20ac"], [1234.5, 5.0]),
    "codes of money": (["USD 5", "US$ 6.50", "$7"], [5.0, 6.5, 7.0]),
    "per cents": (["45%", "50 %", "7.5%"], [45.0, 50.0, 7.5]),
    "lakhs": (["1,23,456", "12,34,567.5"], [123456.0, 1234567.5]),
    "signs": (["+5", "-3", "+0.5"], [5.0, -3.0, 0.5]),
    "thousand, million": (["1.2M", "3k", "500"], [1.2e6, 3000.0, 500.0]),
    "one letter for all": (["$1.2M", "$3M"], [1.2, 3.0]),
    "texts of a spreadsheet": (['"=""12"""', '"=""3.5"""', "'7"], [12.0, 3.5, 7.0]),
    "swiss money": (["CHF 1'234.50", "CHF 2.00"], [1234.5, 2.0]),
    "commas and powers": (["1,5E+03", "2,5E-01"], [1500.0, 0.25]),
    "invisible signs": (["\u200b5", "6\ufeff", "\u00a07\u00a0"], [5, 6, 7]),
    "several thousand commas": (["1,234,567", "2,345"], [1234567, 2345]),
    "points between thousands": (["1.234.567", "2.345"], [1234567, 2345]),
    "points and commas before decimals": (["3.45", "3,45"], [3.45, 3.45]),
}


@pytest.mark.parametrize("case", WRITTEN)
def test_numbers_as_people_write_them(case: str) -> None:
    cells, numbers = WRITTEN[case]
    assert column(cells)[0] == numbers


@pytest.mark.parametrize(
    "cells",
    [
        ["12B", "14B", "320i"],
        ["A1", "A2"],
        ["12 Jan", "13 Jan"],
        ["10 am", "11 am"],
        ["1.2.3", "1.2.4"],
        ["10-19", "20-29"],
        ["1 very well", "2 quite well", "3 not well"],
        ["1st", "2nd", "3rd"],
        ["0x1F", "0x2F"],
        ["007", "12"],
        ["012 ", "12"],
        ["18446744073709551617", "18446744073709551618"],
    ],
)
def test_what_is_no_number_stays_as_it_is(cells: list[str]) -> None:
    assert column(cells)[0] == [cell.strip() for cell in cells]


def test_a_unit_and_per_cents_are_said() -> None:
    assert "'x' is in 'kg'" in column(["12.3 kg", "4 kg"])[1]
    assert "'x' has 'kg' beside some numbers only: all are taken to be in it" in column(["12.3 kg", "4"])[1]
    values, notes = column(["45%", "0.3", "50%"])
    assert values == [0.45, 0.3, 0.5]
    assert "'x' has per cents beside shares: 45% is read as 0.45" in notes
    assert column(["45%", "30", "50%"])[0] == [45, 30, 50]


def test_several_units_and_currencies_are_said_and_left_out() -> None:
    text = b"p;q;r\n" + b"$5;5 kg;0.5\n\xe2\x82\xac6;4 g;1.5\n$7;3 kg;4.5\n" * 8
    found = load(text)
    assert found.names == ("r",)
    assert [entry.reason for entry in found.left_out] == [
        "numbers in several currencies ($, \u20ac): bring them to one",
        "numbers in several units (kg, g): bring them to one",
    ]
    assert any("'p' keeps its texts: numbers in several currencies" in note for note in found.notes)


@pytest.mark.parametrize(
    ("text", "columns"),
    [
        ("a;b\n1.237;3,5\n2.500;4,25\n", {"a": [1237, 2500], "b": [3.5, 4.25]}),
        ("a;b\n3.45;3,45\n2.5;4,25\n", {"a": [3.45, 2.5], "b": [3.45, 4.25]}),
        ('a,b\n"1.237","3,5"\n"2.500","4,25"\n', {"a": [1237, 2500], "b": [3.5, 4.25]}),
        ("a;b\n1,237;3.5\n2,500;4.25\n", {"a": [1237, 2500], "b": [3.5, 4.25]}),
        ("a;b\n0,237;1\n2,500;2\n", {"a": [0.237, 2.5], "b": [1, 2]}),
        ("a;b\n1.234.567;1.000\n2.345;2,5\n", {"a": [1234567, 2345], "b": [1000.0, 2.5]}),
    ],
)
def test_each_column_has_its_signs_and_the_others_explain_what_is_open(text: str, columns: dict) -> None:
    assert read(text.encode()).table.to_pydict() == columns


@pytest.mark.parametrize("rows", [500, 100_000])
def test_decimal_commas_may_come_late(rows: int) -> None:
    found = read(("a;b\n" + "1;2\n" * rows + "1;2,5\n").encode()).table.column("b")
    assert found[0].as_py() == 2.0
    assert found[-1].as_py() == 2.5


@pytest.mark.parametrize("rows", [900, 300_000])
def test_leading_zeros_may_come_late(rows: int) -> None:
    found = read(("zip,n\n" + "12345,1\n" * rows + "12,1\n00501,2\n012,2\n").encode()).table.column("zip").to_pylist()
    assert found[-4:] == ["12345", "12", "00501", "012"]


def test_a_word_may_come_late() -> None:
    found = read(("a,b\n" + "1.50,1\n" * 200_000 + "x,2\n").encode()).table.column("a").to_pylist()
    assert (found[0], found[-1]) == ("1.50", "x")


@pytest.mark.parametrize(
    ("text", "value", "option"),
    [
        ('a,b\n"1,234",1\n"2,345",2\n', 1234, "--decimal ,"),
        ("a;b\n1,234;1\n2,345;2\n", 1234, "--decimal ,"),
        ("a;b\n1.234;1\n2.345;2\n", 1.234, "--thousands ."),
    ],
)
def test_what_is_open_is_said_with_the_option_that_settles_it(text: str, value: float, option: str) -> None:
    reading = read(text.encode())
    assert reading.table.column("a")[0].as_py() == value
    assert reading.notes[-1].endswith(f"say {option}")
    name, sign = option[2:].split()
    settled = read(text.encode(), **{name: sign})
    assert settled.table.column("a")[0].as_py() == {1234: 1.234, 1.234: 1234}[value]
    assert not any("if it stands" in note for note in settled.notes)


def test_plain_points_in_plain_csv_are_not_open() -> None:
    assert read(b"a,b\n1.234,1\n2.345,2\n").notes == ()


def test_numbers_that_are_read_two_ways_stay_texts() -> None:
    values, notes = column(["1.5", "2,5", "1,234"])
    assert values == ["1.5", "2,5", "1,234"]
    assert "'1,234' is open" in notes[-1]


@pytest.mark.parametrize(
    ("options", "cell", "message"),
    [
        ({"decimal": ","}, "3.5", r"column 'x', row 2 \(line 3\): '3.5' is no number with decimal commas"),
        ({"decimal": "."}, "3,5", r"column 'x', row 2 \(line 3\): '3,5' is no number with decimal points"),
        ({"thousands": ""}, "1,234", r"row 2 \(line 3\): '1,234' has commas, and nothing between thousands is said"),
        ({"thousands": ","}, "12'000", r"'12'000\" has apostrophes, and commas between thousands is said"),
    ],
)
def test_a_cell_that_contradicts_what_is_said(options: dict, cell: str, message: str) -> None:
    options = {"decimal": "."} | options if options.get("thousands") == "" else options
    with pytest.raises(DataError, match=message.replace("'12'000\\\"", '"12\'000"')):
        column(["1", cell], **options)


@pytest.mark.parametrize(
    "sign",
    [
        "-",
        "--",
        ".",
        "none",
        "None",
        "N.A.",
        "n.d.",
        "NaT",
        "#DIV/0!",
        "#VALUE!",
        "missing",
        "unknown",
        "UNKNOWN",
        "\u2014",
    ],
)
def test_signs_for_missing_among_numbers(sign: str) -> None:
    values, notes = column(["1.5", sign, "2", f" {sign} "])
    assert values == [1.5, None, 2.0, None]
    assert sign in ("None", "NaT", "#DIV/0!", "#VALUE!") or any(f"but for {sign!r}" in note for note in notes)


def test_among_words_they_are_words() -> None:
    assert column(["none", "some", "-", "unknown"])[0] == ["none", "some", "-", "unknown"]
    assert column(["-", "+", "-"])[0] == ["-", "+", "-"]


def test_other_signs_for_missing() -> None:
    options = ReadingOptions.of(["999", "absent"])
    found = read(b"a;b\n999,0;x\n999;absent\n2,5;y\nabsent;z\n", options).table
    assert found.to_pydict() == {"a": [None, None, 2.5, None], "b": ["x", None, "y", "z"]}
    assert read(b"a,b\n-,NA\n1,x\n", missing=["-"]).table.to_pydict() == {"a": [None, 1], "b": ["NA", "x"]}


def fitted(text: str) -> ReadingOptions:
    """Options for new data of a run that was fitted to a table, as they come out of the run's config."""
    kept = ReadAs.from_config(read(text.encode()).read_as.to_config())
    return FOUND_OUT.for_new_data(FOUND_OUT, kept)


COMMAS = "len;w\n1,5;1500\n2,25;900\n"
POINTS = "len,w\n1.5,1500\n2.25,900\n"
THOUSANDS = "len;w\n1,5;1.500\n2,25;900\n"


@pytest.mark.parametrize(
    ("first", "new", "values"),
    [
        (COMMAS, "len;w\n1,934;1500\n", [1.934, 1500]),
        (COMMAS, "len;w\n1934;1,500\n", [1934, 1.5]),
        (COMMAS, "len,w\n1.5,1500\n", [1.5, 1500]),
        (COMMAS, "len,w\n1.934,1500\n", [1.934, 1500]),
        (THOUSANDS, "len;w\n1,934;1.500\n", [1.934, 1500]),
        (THOUSANDS, "len;w\n1.934;1\n", [1934, 1]),
        (POINTS, "len;w\n1,5;1500\n", [1.5, 1500]),
        (POINTS, 'len,w\n"1,934",1500\n', [1934, 1500]),
        (POINTS, "len\tw\n1.934\t1500\n", [1.934, 1500]),
        ("a;b\n3.45;3,45\n", "a;b\n1.234;1,234\n", [1.234, 1.234]),
        ("p;q\n45%;5 kg\n50%;6 kg\n", "p;q\n45%;5 kg\n", [45, 5]),
        ("p\tq\n45%\t1\n0.5\t2\n", "p\tq\n45%\t1\n", [0.45, 1]),
    ],
)
def test_new_data_are_read_as_the_table_of_the_fit_was(first: str, new: str, values: list[float]) -> None:
    assert [column[0].as_py() for column in read(new.encode(), fitted(first)).table.columns] == values


@pytest.mark.parametrize(
    ("first", "new", "message"),
    [
        (
            COMMAS,
            "len;w\n1,5;1\n3.5;2\n",
            r"column 'len', row 2 \(line 3\): '3.5' has a decimal point, and the table of the",
        ),
        (COMMAS, "len;w\n1.934;2\n", r"column 'len', row 1 \(line 2\): '1.934' is open: and the table of the fit had"),
        (POINTS, "len;w\n1,934;1500\n", r"column 'len', row 1 \(line 2\): '1,934' is open, for this table is not"),
        ("a;b\n1.5;x\n", "a;b\n\n1,5;x\n", r"column 'a', row 1 \(line 3\): '1,5' has a decimal comma"),
        ("q\tb\n5 kg\tx\n6 kg\tx\n", "q\tb\n5 lb\tx\n", "'5 lb' is in lb, and the column of the fit was in kg"),
        ("p\tb\n45%\tx\n60%\tx\n", "p\tb\n0.45\tx\n", "no number is above 1 and none has a sign for per cent"),
    ],
)
def test_new_data_that_contradict_the_fit(first: str, new: str, message: str) -> None:
    with pytest.raises(DataError, match=message):
        read(new.encode(), fitted(first))


def test_what_is_said_of_new_data_goes_before_what_the_fit_had() -> None:
    kept = read(COMMAS.encode()).read_as
    options = FOUND_OUT.for_new_data(ReadingOptions(decimal="."), kept)
    assert read(b"len;w\n1.934;1\n3.5;2\n", options).table.column("len").to_pylist() == [1.934, 3.5]


def test_whole_numbers_stay_whole() -> None:
    text = "id,x\n" + "".join(f"{9007199254740993 + n},{n % 7}.5\n" for n in range(50))
    table = read(text.encode()).table
    assert table.column("id").to_pylist() == [9007199254740993 + n for n in range(50)]
    found = load(text.encode())
    assert [(entry.name, entry.role) for entry in found.left_out] == [("id", "identifier")]
    assert found.row_ids[:2].tolist() == [9007199254740993, 9007199254740994]


@pytest.mark.parametrize("start", [2**53, 2**62, 2**63, 10**25])
def test_codes_of_many_digits_are_told_apart(start: int) -> None:
    text = "code,x\n" + "".join(f"{start + n % 5},{n % 7}.5\n" for n in range(60))
    found = load(text.encode())
    assert found.schema["code"].kind == "categorical"
    assert found.schema["code"].levels == tuple(str(start + n) for n in range(5))
    assert found.values[:6, 0].tolist() == [0, 1, 2, 3, 4, 0]
    again = load(f"code,x\n{start + 3},1.5\n".encode(), schema=found.schema)
    assert again.values[0, 0] == 3
    with pytest.raises(DataError, match="is none of its levels"):
        load(f"code,x\n{start + 7},1.5\n".encode(), schema=found.schema)


def test_a_constant_of_many_digits_is_shown_in_full() -> None:
    found = load(b"code,x\n" + b"90071992547409931,1.5\n90071992547409931,2.5\n" * 5)
    assert found.left_out[0].reason == "always 90071992547409931"


def test_a_long_tail_of_whole_numbers_is_a_measurement() -> None:
    text = "n,x\n" + "".join(f"{7**k},{k}.5\n" for k in range(1, 22) for _ in range(3))
    assert load(text.encode()).schema["n"].kind in ("positive", "continuous")


def test_the_grammar_of_ascii_texts_is_the_whole_one() -> None:
    signs = np.array([*"0123456789.,'_ -+()eEdDx*^/%$kgmAzB", "10^", "USD", "US$", "kr.", " kg", "Fr."])
    random = np.random.default_rng(0)
    texts = ["".join(random.choice(signs, size)) for size in random.integers(1, 9, 5000)]
    texts += [cell for cells, _ in WRITTEN.values() for cell in cells if cell.isascii()]
    whole, quick = (pc.extract_regex(pa.array(texts), g) for g in (written._GRAMMAR, written._ASCII_GRAMMAR))
    assert whole.equals(quick)
    assert 200 < whole.is_valid().to_numpy(zero_copy_only=False).sum() < len(texts)
