"""The language of queries: what it reads, what it refuses and where, and that nothing else ever comes of a text."""

import random

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from tacit.data.schema import Column
from tacit.estimators.query.columns import asked, names_of
from tacit.estimators.query.grammar import QueryError, number, parse, parse_condition

COLUMNS = (
    Column("age", "count"),
    Column("income", "continuous"),
    Column("smoker", "binary", ("no", "yes")),
    Column("city", "categorical", ("New York", "Paris", "<50K", "NA")),
    Column("sepal length (cm)", "continuous"),
    Column("doors", "categorical", (2.0, 3.0, 5.0)),
    Column("won", "binary", (False, True)),
    Column("in", "continuous"),
)
PLACE = {column.name: place for place, column in enumerate(COLUMNS)}


def rows(number_of: int = 400) -> np.ndarray:
    """Rows of numbers and codes of all columns."""
    draw = np.random.default_rng(0)
    parts = [draw.integers(0, 80, number_of), draw.normal(50, 20, number_of), draw.integers(0, 2, number_of)]
    parts += [draw.integers(0, 4, number_of), draw.normal(5, 2, number_of), draw.integers(0, 3, number_of)]
    return np.stack([*parts, draw.integers(0, 2, number_of), draw.normal(size=number_of)], axis=1).astype(float)


ROWS = rows()
AGE, INCOME, SMOKER, CITY, SEPAL, DOORS, WON, IN = ROWS.T

READ = {
    "P(age > 30)": AGE > 30,
    "P(30 < age)": AGE > 30,
    "P(30 <= age < 40)": (AGE >= 30) & (AGE < 40),
    "P(40 > age >= 30)": (AGE >= 30) & (AGE < 40),
    "P(age ≥ 30, age ≠ 35)": (AGE >= 30) & (AGE != 35),
    "p(age between 30 and 40 and smoker = YES)": (AGE >= 30) & (AGE <= 40) & (SMOKER == 1),
    "P(age not between 30 and 40)": (AGE < 30) | (AGE > 40),
    "P(smoker != yes)": SMOKER == 0,
    "P(smoker is not yes)": SMOKER == 0,
    "P(not smoker = yes)": SMOKER == 0,
    "P(not not smoker == yes)": SMOKER == 1,
    "P(city in {Paris, New York})": CITY < 2,
    "P(city ∈ {'Paris', \"New York\"})": CITY < 2,
    "P(city not in {Paris})": CITY != 1,
    "P(city = <50K)": CITY == 2,
    "P(city = NA or city = '<50K')": CITY >= 2,
    "P(sepal length (cm) > 5)": SEPAL > 5,
    "P(`sepal length (cm)` > 5, 'in' < 0)": (SEPAL > 5) & (IN < 0),
    "P(doors > 2)": DOORS > 0,
    "P(doors = 3 or doors = 5.0)": DOORS > 0,
    "P(2 < doors <= 3)": DOORS == 1,
    "P(won = true)": WON == 1,
    "P(income > −1e1 & income < 50_000)": (INCOME > -10) & (INCOME < 50000),
    "P((age < 20 or age > 60) and not (smoker = yes, won = true))": ((AGE < 20) | (AGE > 60))
    & ~((SMOKER == 1) & (WON == 1)),
    "P(age < 20 or age > 60, smoker = yes)": ((AGE < 20) | (AGE > 60)) & (SMOKER == 1),
    "P(age < 20 or age > 60 and smoker = yes)": (AGE < 20) | (AGE > 60) & (SMOKER == 1),
    "P(AGE < 20)": AGE < 20,
    "P(age in {1, 2, 3, 70})": np.isin(AGE, [1, 2, 3, 70]),
}


@pytest.mark.parametrize(("text", "expected"), READ.items())
def test_conditions_hold_for_the_rows_they_say(text: str, expected: np.ndarray) -> None:
    event, _, _ = asked(parse(text, names_of(COLUMNS)), COLUMNS)
    assert event is not None
    inside = np.sum([np.all([v.contains(ROWS[:, j]) for j, v in box.items()], axis=0) for box in event], axis=0)
    assert np.array_equal(inside, expected.astype(int))


def test_functions_and_what_they_are_of() -> None:
    query = parse("quantile(income, 0.9 | smoker = yes)")
    assert (query.function, query.share) == ("quantile", 0.9)
    assert query.column is not None
    assert query.column.text == "income"
    assert query.given is not None
    assert query.event is None
    assert parse("E(income)").function == "mean"
    assert parse("P(smoker | age > 3)").column is not None
    assert parse(" Median ( income ) ").function == "median"
    assert parse_condition("  age > 3, smoker = yes") == parse("P(age > 3, smoker = yes)").event


REFUSED = {
    "": ("begins with", 0),
    "income > 3": ("begins with", 0),
    "eval(income)": ("begins with", 0),
    "__import__('os')": ("begins with", 0),
    "P": ("a bracket opens", 1),
    "P()": ("column or a value", 2),
    "P(age > 3": ("closing bracket", 9),
    "P(age > 3))": ("behind the end", 10),
    "P(age >)": ("column or a value", 7),
    "P(age > 3 | )": ("column or a value", 12),
    "P(age > 3 | smoker = yes | won = true)": ("one bar", 25),
    "P(agee > 3)": ("Did you mean 'age'?", 2),
    "P(city = Pariss)": ("Did you mean 'Paris'?", 9),
    "P(smoker = maybe)": ("'no', 'yes'", 11),
    "P(age = missing)": ("no part of the model", 8),
    "P(smoker = nan)": ("no part of the model", 11),
    "P(age > young)": ("holds numbers", 8),
    "P(income > age)": ("is a column", 11),
    "P(age > 3 smoker = yes)": ("A comma may be missing", 8),
    "P(smoker > no)": ("have no order", 11),
    "P(1 < age < 2 < 3)": ("two ends", 14),
    "P(1 != age < 2)": ("at its ends", 7),
    "P(city in Paris)": ("curly brackets", 10),
    "P(city in {Paris)": ("closing bracket }", 16),
    "P(city in {})": ("column or a value", 11),
    "P(age between 3 or 4)": ("'and'", 16),
    "P(age is in {3})": ("column or a value", 9),
    "P(age 'x": ("never closed", 6),
    "P(age > 3; smoker = yes)": ("A comma may be missing", 8),
    "quantile(income)": ("the share", 15),
    "quantile(income, 2)": ("between 0 and 1", 17),
    "quantile(income, 0)": ("between 0 and 1", 17),
    "quantile(income, nan)": ("between 0 and 1", 17),
    "mean(income > 3)": ("closing bracket", 12),
    "P(age > 1e999)": ("holds numbers", 8),
    "P(age > ٣)": ("holds numbers", 8),
    "P(age > 3 | age < 2, age > 5)": ("contradicts", 0),
    "P(" + "(" * 60 + "age > 3" + ")" * 60 + ")": ("brackets", 52),
}


@pytest.mark.parametrize(("text", "told"), REFUSED.items())
def test_what_is_not_understood_is_shown_where_it_stands(text: str, told: tuple[str, int]) -> None:
    said, place = told
    with pytest.raises(QueryError) as caught:
        asked(parse(text, names_of(COLUMNS)), COLUMNS)
    assert said in str(caught.value)
    assert caught.value.start == place
    if text:
        line, mark = caught.value.shown
        assert line == text
        assert mark.startswith(" " * place + "^")


def test_a_long_text_is_refused_before_it_is_read() -> None:
    with pytest.raises(QueryError, match="characters"):
        parse("P(" + "age > 3, " * 2000)


def test_numbers_are_plain() -> None:
    def read(text: str) -> float | None:
        return number(parse_condition(f"age > {text}").operands[1])  # type: ignore[union-attr]

    assert read("-3.5e2") == -350
    assert read("+.5") == 0.5
    assert read("1_000") == 1000
    for text in ("0x10", "1e", "1.2.3", "inf", "nan", "--1", "3%"):
        assert read(text) is None


PIECES = [
    "P", "mean", "quantile", "(", ")", "{", "}", ",", "|", "&", "=", "!=", "<", "<=", ">", "≥", "∈", "age", "income",
    "smoker", "yes", "city", "Paris", "New York", "sepal length (cm)", "'", '"', "`", "\\", "not", "and", "or", "in",
    "between", "is", "30", "-1", "0.5", "1e309", "\n", "\t", " ", ";", "#", "é", "\x00", "…", "__class__", "lambda: 0",
]  # fmt: skip


@given(st.text(max_size=40))
@example("P(age = 1\x00)")
@example("P(\ud800 = 1)".encode("utf-16", "surrogatepass").decode("utf-16", "replace"))
@settings(max_examples=300, deadline=None)
def test_any_text_is_read_or_refused(text: str) -> None:
    _read_or_refuse(text)


def test_texts_of_pieces_are_read_or_refused() -> None:
    draw = random.Random(0)
    read = 0
    for _ in range(4000):
        middle = "".join(draw.choice(PIECES) + draw.choice(["", " "]) for _ in range(draw.randint(1, 12)))
        read += _read_or_refuse(f"P({middle})" if draw.random() < 0.7 else middle)
    assert read > 20


def test_queries_with_a_sign_taken_out_are_read_or_refused() -> None:
    for text in READ:
        for place in range(len(text)):
            _read_or_refuse(text[:place] + text[place + 1 :])
            _read_or_refuse(text[:place] + "(" + text[place:])


def _read_or_refuse(text: str) -> bool:
    try:
        asked(parse(text, names_of(COLUMNS)), COLUMNS)
        return True
    except QueryError as error:
        caught = error
    assert 0 <= caught.start <= max(caught.end, caught.start) <= len(text) + 1
    assert len(caught.shown[0] if caught.shown else "") == len(text) * bool(caught.shown)
    return False
