"""Dates become what a model can use, the same for new data; rare levels are one; what is mostly empty is said."""

from typing import Any

import numpy as np
import pandas as pd
import pytest

from tacit.data.dates import HOURS, MONTHS, WEEKDAYS, encoded
from tacit.data.errors import DataError
from tacit.data.frames import from_frame
from tacit.data.schema import Schema
from tacit.data.table import Table, load

ROWS = 400
RANDOM = np.random.default_rng(0)
DAYS = pd.Timestamp("2019-03-01") + pd.to_timedelta(RANDOM.integers(0, 900, ROWS), "D")
MOMENTS = DAYS + pd.to_timedelta(RANDOM.integers(0, 86_400, ROWS), "s")
X = RANDOM.normal(size=ROWS)

WRITTEN: dict[str, Any] = {
    "ISO": DAYS.strftime("%Y-%m-%d"),
    "German": DAYS.strftime("%d.%m.%Y"),
    "British": DAYS.strftime("%d/%m/%Y"),
    "American": DAYS.strftime("%m/%d/%Y"),
    "in words": DAYS.strftime("%d %B %Y"),
    "American in words": DAYS.strftime("%b %d, %Y"),
    "numbers": DAYS.strftime("%Y%m%d").astype(int),
    "dates": DAYS,
    "days": [day.date() for day in DAYS],
    "categories": pd.Categorical(DAYS.strftime("%Y-%m-%d")),
}


def read(frame: pd.DataFrame, **said: Any) -> Table:
    found = load(frame, **said)
    assert isinstance(found, Table)
    return found


@pytest.mark.parametrize("way", [way for way in WRITTEN if way != "categories"])
def test_dates_however_they_are_written(way: str) -> None:
    found = read(pd.DataFrame({"x": X, "joined": WRITTEN[way]}))
    assert found.names == ("x", "joined: days since 2019-01-01", "joined: month", "joined: weekday")
    assert found.left_out == ()
    _, days, month, weekday = found.values.T
    np.testing.assert_array_equal(days, (DAYS - pd.Timestamp("2019-01-01")).days)
    np.testing.assert_array_equal(month, DAYS.month - 1)
    np.testing.assert_array_equal(weekday, DAYS.day_of_week)
    assert (found.schema["joined: month"].levels, found.schema["joined: weekday"].levels) == (MONTHS, WEEKDAYS)
    assert any("'joined' holds dates" in note and "month, weekday" in note for note in found.notes)


@pytest.mark.parametrize("moments", [MOMENTS, MOMENTS.strftime("%Y-%m-%dT%H:%M:%S.123Z"), MOMENTS.tz_localize("UTC")])
def test_the_part_of_the_day(moments: Any) -> None:
    found = read(pd.DataFrame({"x": X, "seen": moments}))
    np.testing.assert_array_equal(found.values[:, -1], MOMENTS.hour // 6)
    assert found.schema.columns[-1].levels == HOURS


def test_the_hour_is_that_of_the_clock_there() -> None:
    there = pd.date_range("2020-06-01 23:30", periods=ROWS, freq="7h", tz="UTC").tz_convert("Asia/Tokyo")
    found = read(pd.DataFrame({"x": X, "seen": there}))
    np.testing.assert_array_equal(found.values[:, -1], there.hour // 6)


@pytest.mark.parametrize("way", ["American", "ISO", "dates"])
def test_new_data_are_read_as_those_of_the_fit(way: str) -> None:
    frame = pd.DataFrame({"x": X, "joined": WRITTEN[way]})
    first = read(frame)
    few = frame[DAYS.day <= 12].head(7)  # of which nobody could say which is the month
    again = read(few, schema=Schema.from_json(first.schema.to_json()))
    np.testing.assert_array_equal(again.values, first.values[few.index])
    np.testing.assert_array_equal(encoded(from_frame(few), first.schema), first.values[few.index])
    assert again.notes == ()


def test_new_data_without_dates_are_refused() -> None:
    first = read(pd.DataFrame({"x": X, "joined": DAYS}))
    with pytest.raises(DataError, match="'joined' should hold dates"):
        load(pd.DataFrame({"x": [1.0], "joined": ["soon"]}), schema=first.schema)
    with pytest.raises(DataError, match="lacks 1 column the model was fitted on: 'joined'"):
        load(pd.DataFrame({"x": [1.0]}), schema=first.schema)


def test_what_is_said_of_dates_is_done() -> None:
    frame = pd.DataFrame({"x": X, "joined": DAYS})
    assert read(frame, dates="days").names == ("x", "joined: days since 2019-01-01")
    for said in ({"dates": "drop"}, {"kinds": {"joined": "date"}}, {"kinds": {"joined": "drop"}}):
        assert read(frame, **said).names == ("x",)
    with pytest.raises(DataError, match="say parts, days or drop"):
        load(frame, dates="years")


def test_a_short_span_has_no_months() -> None:
    few = pd.Timestamp("2020-03-01") + pd.to_timedelta(RANDOM.integers(0, 20, ROWS), "D")
    assert read(pd.DataFrame({"x": X, "d": few})).names == ("x", "d: days since 2020-01-01")
    assert read(pd.DataFrame({"x": X, "d": few[:1].repeat(ROWS)})).names == ("x",)


def test_dates_that_number_the_rows_are_left_out() -> None:
    steady = pd.date_range("2020-03-01", periods=ROWS, freq="1D")
    assert read(pd.DataFrame({"x": X, "d": steady})).names == ("x", "d: month", "d: weekday")
    found = read(pd.DataFrame({"x": X, "d": pd.date_range("2020-03-01", periods=ROWS, freq="1s")}))
    assert [(entry.name, entry.role) for entry in found.left_out] == [("d", "date")]


def test_missing_dates_are_gaps() -> None:
    some = DAYS.to_series().where(RANDOM.random(ROWS) < 0.7).reset_index(drop=True)
    found = read(pd.DataFrame({"x": X, "d": some}))
    assert (np.isnan(found.values[:, 1:]) == some.isna().to_numpy()[:, None]).all()


def test_durations_are_measurements() -> None:
    hours = RANDOM.exponential(5.0, ROWS)
    found = read(pd.DataFrame({"x": X, "took": pd.to_timedelta(hours, "h")}))
    np.testing.assert_allclose(found.values[:, 1], hours, rtol=1e-9)
    assert found.schema["took"].kind == "positive"


def towns(rows: int) -> np.ndarray:
    weights = 1.0 / np.arange(1, 301) ** 1.3
    return np.array([f"town{n}" for n in range(300)])[RANDOM.choice(300, rows, p=weights / weights.sum())]


def test_rare_levels_are_one() -> None:
    names = towns(1000)
    found = read(pd.DataFrame({"x": RANDOM.normal(size=1000), "town": names}))
    column = found.schema["town"]
    counts = pd.Series(names).value_counts()
    kept = set(counts[counts >= 10].index)
    assert column.levels is not None
    assert (set(column.levels[:-1]), column.levels[-1], column.rest) == (kept, "other", "other")
    assert f"the {len(kept)} with 1" in column.note
    assert f"{(counts < 10).sum()} rare ones as 'other'" in column.note
    assert ((found.values[:, 1] == len(kept)) == ~np.isin(names, list(kept))).all()
    again = read(pd.DataFrame({"x": [0.0], "town": ["never seen"]}), schema=Schema.from_json(found.schema.to_json()))
    assert again.values[0, 1] == len(kept)


def test_levels_that_are_nearly_all_rare_stay_out() -> None:
    names = np.array([f"t{n}" for n in RANDOM.integers(0, 400, 1000)])
    found = read(pd.DataFrame({"x": RANDOM.normal(size=1000), "town": names}))
    assert found.names == ("x",)
    assert "too many levels" in found.left_out[0].reason


def test_a_column_that_is_mostly_empty_is_said() -> None:
    values = np.where(np.arange(ROWS) < 380, np.nan, X)
    found = read(pd.DataFrame({"x": X, "e": values}))
    assert any("mostly empty: 'e' (95%)" in note for note in found.notes)
