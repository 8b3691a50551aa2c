"""The rules for kinds, one table at a time: what an analyst would say, and why."""

import datetime
import math

import numpy as np
import pyarrow as pa
import pytest
from scipy import stats

from tacit.data import DataError, LeftOut, Schema, infer
from tacit.data.number_kinds import NumberFacts, _log_normal_gain, sounds_like_identifier

RNG = np.random.default_rng(7)
N = 200
NORMAL = RNG.normal(50, 9, N)
LOG_NORMAL = np.exp(RNG.normal(3, 1, N))


def infer_one(cells: object, name: str = "column", **overrides: str) -> tuple[str, str, tuple | None]:
    """Kind (or the role of a column left out), reason and levels of one column beside a plain one."""
    table = pa.table({name: cells, "plain": np.linspace(0.25, 9.75, len(cells))})
    schema, left = infer(table, {name: overrides["kind"]} if overrides else {})
    if left:
        return left[0].role, left[0].reason, None
    return schema[name].kind, schema[name].note, schema[name].levels


def spread(values: list, size: int = N) -> list:
    """A column that holds each value about equally often, in no order."""
    return list(np.asarray(values, object)[RNG.permutation(size) % len(values)])


DAYS = [datetime.date(2024, 1, 1) + datetime.timedelta(n) for n in range(N)]
CASES = {
    "truth": ([True, False] * 5, "binary", "true or false", (False, True)),
    "two numbers": ([0, 1] * 5, "binary", "two different values, 0 and 1", (0, 1)),
    "two other numbers": ([9.0, 1.0] * 5, "binary", "two different values, 1 and 9", (1, 9)),
    "two broken numbers": ([0.5, 1.0] * 5, "binary", "two different values, 0.5 and 1", (0.5, 1.0)),
    "two texts": (["yes", "no"] * 5, "binary", "two different texts", ("no", "yes")),
    "few texts": (spread(["P10", "P2", "p1"]), "categorical", "3 different texts", ("p1", "P2", "P10")),
    "few codes": (spread([3, 6, 7]), "categorical", "only 3 different whole numbers: codes", (3, 6, 7)),
    "a scale of ten": (
        spread(list(range(1, 11)), 400),
        "categorical",
        "only 10 different",
        tuple(range(1, 11)),
    ),
    "a scale of ten, few rows": (spread(list(range(1, 11)), 60), "continuous", "whole numbers", None),
    "leading zeros": (spread(["01", "02", "10"]), "categorical", "3 codes", ("01", "02", "10")),
    "numbers as text": (
        [f"{v:.2f}" for v in NORMAL],
        "continuous",
        "numbers with decimals, stored as text",
        None,
    ),
    "codes as text": (spread(["1", "2", "4"]), "categorical", "stored as text", (1, 2, 4)),
    "dressed numbers": ([f"${v:,.2f}" for v in 1e4 * LOG_NORMAL], "positive", "stored as text", None),
    "measurements": (NORMAL, "continuous", "numbers with decimals", None),
    "whole measurements": (np.round(NORMAL), "continuous", "whole numbers, taken as measurements", None),
    "with negatives": (np.round(NORMAL - 50), "continuous", "whole numbers, taken as measurements", None),
    "skewed": (LOG_NORMAL, "positive", "always above 0 and strongly skewed", None),
    "skewed, whole": (np.ceil(1000 * LOG_NORMAL), "positive", "log-normal fits", None),
    "skewed, with zeros": (
        np.append(LOG_NORMAL, [0, 0]),
        "continuous",
        "strongly skewed, with 2 zeros",
        None,
    ),
    "half of it one value": (
        np.append(NORMAL, np.zeros(300)),
        "continuous",
        "60% of them are exactly 0",
        None,
    ),
    "a code far off": (
        np.append(NORMAL, [999.0] * 4),
        "continuous",
        "999 occurs 4 times, far from all else",
        None,
    ),
    "zeros far below": (
        np.append(NORMAL, [0.0] * 4),
        "continuous",
        "0 occurs 4 times, far from all else",
        None,
    ),
    "counts": (RNG.poisson(2.5, N), "count", "whole numbers from 0 up, small ones the most common", None),
    "counts with a tail": (RNG.negative_binomial(1, 0.1, N), "count", "whole numbers from 0 up", None),
    "counts from one": (RNG.geometric(0.2, N), "count", "whole numbers from 1 up", None),
    "a count of hundreds": (RNG.poisson(300, N), "continuous", "taken as measurements", None),
    "scores": (RNG.integers(0, 101, N), "continuous", "taken as measurements", None),
    "numbers like dates": (RNG.integers(20_130_000, 20_990_000, N), "continuous", "taken as measurements", None),
    "months beyond twelve": (20_241_300 + RNG.integers(1, 28, N), "continuous", "taken as measurements", None),
    "one far off": (np.append(NORMAL, [999.0]), "continuous", "numbers with decimals", None),
    "a score with a tail": (RNG.negative_binomial(3, 3 / 23, 3000), "continuous", "taken as", None),
    "months": (spread(list(range(12))), "continuous", "taken as measurements", None),
    "fives": (5 * RNG.negative_binomial(1, 0.2, N), "continuous", "taken as measurements", None),
    "keys of many digits": (
        10**17 + RNG.permutation(N),
        "identifier",
        "200 different whole numbers of 18 digits",
        None,
    ),
    "at the end of the scale": (1e308 * RNG.uniform(-1, 1, N), "continuous", "numbers with decimals", None),
    "classes from zero": (spread([0, 1, 2]), "categorical", "only 3 different", (0, 1, 2)),
    "names": ([f"name {n}" for n in range(N)], "identifier", "200 different texts in 200 rows", None),
    "row numbers": (np.arange(N), "identifier", "runs up or down by one", None),
    "years, country by country": (
        np.tile(np.arange(1972, 1992), 10),
        "identifier",
        "runs up or down by one",
        None,
    ),
    "numbers rising": (
        np.cumsum(RNG.choice([1, 2], N, p=[0.7, 0.3])) + 12346,
        "identifier",
        "rising from row to row",
        None,
    ),
    "rising measurements": (np.sort(RNG.choice(3000, N, False)), "continuous", "whole numbers", None),
    "remarks": (
        ["it is " + "very " * 20 + str(n % 60) for n in range(N)],
        "text",
        "free text, such as",
        None,
    ),
    "too many levels": ([f"t{n % 90}" for n in range(N)], "text", "90 different texts in 200 rows", None),
    "nothing": ([None] * 9, "empty", "every value is missing", None),
    "nothing but NaN": (np.full(9, np.nan), "empty", "every value is missing", None),
    "nothing but blanks": (["", " "] * 5, "empty", "every value is missing", None),
    "always the same": ([5] * 9, "constant", "always 5", None),
    "always the same text": (["x"] * 9, "constant", "always 'x'", None),
    "the same where known": (
        [5, None, 5],
        "constant",
        "always 5 where it is not missing (1 of 3 rows are)",
        None,
    ),
    "dates": (DAYS, "date", "dates or times", None),
    "times": (pa.array([1, 2, 3], pa.time32("s")), "date", "dates or times", None),
    "dates as numbers": ([int(day.strftime("%Y%m%d")) for day in DAYS], "date", "such as 20240101", None),
    "lists": ([[1], [2]], "nested", "lists, records or raw bytes", None),
    "declared categories": (
        pa.array(spread(["b", "a", "c"])).dictionary_encode(),
        "categorical",
        "as the table",
        ("a", "b", "c"),
    ),
    "declared numbers": (
        pa.array(spread(list(range(15)))).dictionary_encode(),
        "categorical",
        "as the table",
        tuple(range(15)),
    ),
}


@pytest.mark.parametrize("case", CASES)
def test_what_an_analyst_would_say(case: str) -> None:
    cells, kind, reason, levels = CASES[case]
    found_kind, found_reason, found_levels = infer_one(cells)
    assert (found_kind, found_levels) == (kind, levels)
    assert reason in found_reason
    if levels is not None:
        assert [type(level) for level in found_levels] == [type(level) for level in levels]


@pytest.mark.parametrize(
    "form",
    [
        "%Y-%m-%d",
        "%d.%m.%Y",
        "%m/%d/%y",
        "%Y-%m-%d %H:%M",
        "%d %b %Y",
        "%B %d, %Y",
        "%d-%b-%y",
        "%a, %b %d, %Y",
    ],
)
def test_dates_written_in_many_ways(form: str) -> None:
    assert infer_one([day.strftime(form) for day in DAYS])[0] == "date"


def test_times_of_day_as_text() -> None:
    assert infer_one([f"{n % 24}:{n % 60:02d}" for n in range(N)])[0] == "date"


@pytest.mark.parametrize(
    ("name", "cells", "role"),
    [
        ("CustomerID", RNG.permutation(9000)[:N], "identifier"),
        ("id", RNG.permutation(np.repeat(np.arange(40), 5)), "identifier"),
        ("id", [7, 3, 5], "identifier"),
        ("station_id", spread([1, 2, 3, 4]), "categorical"),
        ("hospital_number", RNG.permutation(9000)[:N], "identifier"),
        ("number_of_visits", RNG.poisson(2.5, N), "count"),
        ("width", RNG.permutation(9000)[:N], "continuous"),
        ("customer id", spread([f"c{n}" for n in range(30)]), "identifier"),
    ],
)
def test_names_say_something_too(name: str, cells: object, role: str) -> None:
    assert infer_one(cells, name)[0] == role


@pytest.mark.parametrize(
    ("name", "sound"),
    [
        ("CustomerID", "sure"),
        ("customer_id", "sure"),
        ("PassengerId", "sure"),
        ("ID", "sure"),
        ("Unnamed: 0", "sure"),
        ("index", "likely"),
        ("InvoiceNo", "likely"),
        ("humidity", "no"),
        ("idea", "no"),
        ("paid", "no"),
        ("width", "no"),
    ],
)
def test_what_sounds_like_an_identifier(name: str, sound: str) -> None:
    assert sounds_like_identifier(name) == sound


def test_the_gain_of_the_log_normal_is_that_of_scipy() -> None:
    values = LOG_NORMAL.round(1) + 0.1
    distinct, counts = np.unique(values, return_counts=True)
    normal = stats.norm(values.mean(), values.std()).logpdf(values).mean()
    logs = np.log(values)
    log_normal = stats.lognorm(logs.std(), scale=math.exp(logs.mean())).logpdf(values).mean()
    facts = NumberFacts("x", values, distinct, counts)
    assert _log_normal_gain(facts) == pytest.approx(log_normal - normal, abs=1e-12)
    assert facts.skewness(distinct) == pytest.approx(stats.skew(values), abs=1e-12)


def test_order_reasons_and_what_is_left_out() -> None:
    table = pa.table({"id": np.arange(N), "y": NORMAL, "d": DAYS, "x": LOG_NORMAL})
    schema, left = infer(table)
    assert schema.names == ("y", "x")
    assert [(entry.name, entry.role) for entry in left] == [("id", "identifier"), ("d", "date")]
    assert all(entry.reason for entry in left)
    assert all(column.note for column in schema.columns)


def test_duplicate_rows_change_nothing() -> None:
    table = pa.table({"y": NORMAL, "c": spread(["a", "b", "c"])})
    once, _ = infer(table)
    twice, _ = infer(pa.concat_tables([table, table]))
    assert once == twice


FORCED = {
    "continuous": (RNG.poisson(2.5, N), None),
    "positive": (NORMAL, None),
    "count": (RNG.poisson(300, N), None),
    "categorical": (RNG.poisson(300, N), "some"),
    "binary": ([3.0, 4.0, 3.0], (3, 4)),
}


@pytest.mark.parametrize("kind", FORCED)
def test_what_the_user_says_is_done(kind: str) -> None:
    cells, levels = FORCED[kind]
    found, reason, found_levels = infer_one(cells, kind=kind)
    assert (found, reason) == (kind, f"{kind}, as asked")
    if levels == "some":
        assert found_levels == tuple(np.unique(cells).tolist())
    else:
        assert found_levels == levels


@pytest.mark.parametrize(("kind", "role"), [("drop", "asked"), ("identifier", "identifier"), ("date", "date")])
def test_columns_are_left_out_when_asked(kind: str, role: str) -> None:
    table = pa.table({"x": NORMAL, "y": NORMAL})
    schema, left = infer(table, {"x": kind})
    assert schema.names == ("y",)
    assert left == (LeftOut("x", left[0].reason, role),)
    assert "as asked" in left[0].reason


@pytest.mark.parametrize(
    ("cells", "kind", "message"),
    [
        ([1, 2], "nominal", r"column 'column' cannot be 'nominal'; say one of 'continuous', .*'drop'"),
        ([1, 2], "continous", r"Did you mean 'continuous'\?"),
        (["1", "a"], "continuous", "column 'column', row 2: 'a' is not a number"),
        ([1.0, -2.0], "positive", "column 'column', row 2: -2 is not above 0"),
        ([1.0, 2.5], "count", "column 'column', row 2: 2.5 is not a whole number"),
        ([1, -2], "count", "column 'column', row 2: -2 is negative"),
        (
            [1, None, 1, 2, 3],
            "binary",
            "cannot be binary: it has 3 different values, and a third one, 3, stands in row 5",
        ),
        (["b", None, "a", "c"], "binary", "3 different values, and a third one, 'c', stands in row 4"),
        ([7, 7], "binary", "cannot be binary: it has one value only"),
        ([None, None], "count", "column 'column' cannot be count: every value is missing"),
        ([datetime.date(2020, 1, 1)] * 2, "categorical", "column 'column' holds dates or times"),
        ([[1], [2]], "binary", "column 'column' holds lists"),
    ],
)
def test_what_cannot_be_is_refused(cells: object, kind: str, message: str) -> None:
    with pytest.raises(DataError, match=message):
        infer_one(cells, kind=kind)


@pytest.mark.parametrize(
    ("cells", "message"),
    [
        (
            [*NORMAL, math.inf],
            "column 'column', row 201: inf is infinite. Correct it or leave the cell empty",
        ),
        (
            [*map(str, NORMAL), "12O"],
            r"row 201: '12O' is not a number, and 99.5% of the column is numbers \(1 cell of",
        ),
        (
            [*map(str, NORMAL), *["plenty"] * 99],
            r"'plenty' is not a number, and 66.9% .* \(99 cells of text .*'plenty'.*--missing plenty",
        ),
    ],
)
def test_what_no_rule_can_read_is_refused(cells: object, message: str) -> None:
    with pytest.raises(DataError, match=message):
        infer_one(cells)


def test_text_among_few_numbers_is_a_level() -> None:
    assert infer_one(spread(["1", "2", "3", "4+"]))[::2] == ("categorical", ("1", "2", "3", "4+"))


def test_ticket_numbers_are_no_mistake() -> None:
    tickets = [str(n) if n % 4 else f"A/{n}" for n in range(N)]
    assert infer_one(tickets)[0] == "identifier"


def test_nothing_left_and_nothing_there() -> None:
    with pytest.raises(DataError, match=r"no column is left to model \(a: always 1; b: every value is missing\). Say"):
        infer(pa.table({"a": [1, 1], "b": [None, None]}))
    with pytest.raises(DataError, match="a heading but no rows"):
        infer(pa.table({"a": pa.array([], pa.int64())}))
    with pytest.raises(DataError, match=r"no column 'agee' to make count; there are 'age'. Did you mean 'age'\?"):
        infer(pa.table({"age": [1, 2]}), {"agee": "count"})


def test_one_row_and_two_rows() -> None:
    with pytest.raises(DataError, match="no column is left to model"):
        infer(pa.table({"a": [1.5], "b": ["x"]}))
    schema, _ = infer(pa.table({"a": [1.5, 2.5], "b": [3, 9]}))
    assert schema.kinds == ("continuous", "continuous")
    assert isinstance(schema, Schema)
