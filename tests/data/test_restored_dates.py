"""Dates are put together again: one a row, with its own month and weekday, between the ends of the fit."""

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

from tacit.data.restored_dates import date_parts, instead_of_parts, put_right, written_dates
from tacit.data.schema import Schema
from tacit.data.table import Table, load
from tacit.workflow.rounding import dates_filled, ends, one_date, with_dates, written
from tacit.workflow.sources import Rows

SEED = np.random.default_rng(0)


def shop(days: pd.DatetimeIndex, form: str | None = None) -> Table:
    when = days.strftime(form) if form else days
    found = load(pd.DataFrame({"when": when, "sold": SEED.random(len(days))}).sample(frac=1.0, random_state=1))
    assert isinstance(found, Table)
    return found


WORKDAYS = pd.bdate_range("2021-03-01", "2023-06-30")


def jumbled(table: Table, number: int = 400) -> np.ndarray:
    """Every column drawn by itself, so that months and weekdays contradict the days."""
    return np.column_stack([SEED.choice(table.values[:, place], number) for place in range(len(table.schema))])


def test_drawn_parts_become_one_date() -> None:
    table = shop(WORKDAYS, "%d.%m.%Y")
    told = written(Rows.of(table))
    drawn = jumbled(table)
    right = one_date(drawn, table.schema, told)
    (parts,) = date_parts(table.schema)
    when = pd.to_datetime(right[:, parts.days] + parts.zero, unit="D")
    assert (
        when.strftime("%b")
        == [table.schema.columns[parts.cycles["month"]].levels[int(c)] for c in right[:, parts.cycles["month"]]]
    ).all()
    assert (
        when.strftime("%a")
        == [table.schema.columns[parts.cycles["weekday"]].levels[int(c)] for c in right[:, parts.cycles["weekday"]]]
    ).all()
    assert set(when.day_of_week) <= {0, 1, 2, 3, 4}
    assert when.min() >= WORKDAYS.min()
    assert when.max() <= WORKDAYS.max()
    assert np.abs(right[:, parts.days] - drawn[:, parts.days]).max() <= 6
    share = np.mean(right[:, parts.cycles["weekday"]] == drawn[:, parts.cycles["weekday"]])
    assert share > 0.95  # but at the ends
    whole = with_dates(
        pa.table({name: right[:, place] for place, name in enumerate(table.names)}), right, table.schema, told
    )
    assert set(whole.column_names) == {"when", "sold"}
    assert whole.column("when").to_pylist() == when.strftime("%d.%m.%Y").tolist()
    again = load(whole, schema=table.schema)
    np.testing.assert_allclose(again.values, right)


def test_times_of_day_go_with_their_part() -> None:
    days = pd.date_range("2022-01-01 06:30", periods=900, freq="13h")
    table = shop(days)
    told = written(Rows.of(table))
    right = one_date(jumbled(table), table.schema, told)
    (parts,) = date_parts(table.schema)
    assert set(parts.cycles) >= {"part of day", "weekday"}
    whole = instead_of_parts(
        pa.table({name: right[:, place] for place, name in enumerate(table.names)}),
        right,
        table.schema,
        {"when": "time"},
    )
    np.testing.assert_allclose(load(whole, schema=table.schema).values, right, atol=1e-5)


def test_what_is_known_of_a_date_stays() -> None:
    table = shop(WORKDAYS)
    (parts,) = date_parts(table.schema)
    drawn = jumbled(table)
    free = np.ones(drawn.shape, bool)
    month = parts.cycles["month"]
    free[:, month] = False
    drawn[:, month] = table.schema.columns[month].levels.index("May")
    right = put_right(drawn, table.schema, free, ends([], len(table.schema)), whole={})
    when = pd.to_datetime(right[:, parts.days] + parts.zero, unit="D")
    assert (when.month == 5).all()
    assert (when.day_of_week < 5).all()
    free[:, parts.days] = False
    same = put_right(right, table.schema, free, ends([], len(table.schema)), whole={})
    np.testing.assert_array_equal(same, right)


@pytest.mark.parametrize(
    "form",
    ["%d.%m.%Y", "%m/%d/%Y", "%Y-%m-%d", "%d %b %Y", "%d/%m/%Y %H:%M", "%Y%m%d", "date", "time", "zone"],
)
def test_gaps_are_filled_as_the_column_is_written(form: str) -> None:
    days = pd.date_range("2021-03-01 05:10", "2023-06-30", freq="D")
    texts = {"date": days.date, "time": days, "zone": days.tz_localize("Europe/Paris")}
    held = texts.get(form, days.strftime(form))
    column = pd.Series(held, name="when")
    if form == "%Y%m%d":
        column = column.astype("Int64")
    column[[3, 9]] = None
    frame = pd.DataFrame({"when": column, "x": SEED.random(len(days))})
    frame = frame.sample(frac=1.0, random_state=3).reset_index(drop=True)
    source = pa.Table.from_pandas(frame)
    table = load(frame)
    (parts,) = date_parts(table.schema)
    missing = np.isnan(table.values)
    assert missing[:, parts.days].sum() == 2
    values = np.where(missing, np.array([table.values[0]]), table.values)
    filled = dates_filled(source, values, missing, table.schema)
    assert filled.column("when").null_count == 0
    assert filled.drop_columns("when") == source.drop_columns("when")
    again = load(filled, schema=table.schema)
    np.testing.assert_allclose(again.values[~missing], table.values[~missing])
    np.testing.assert_allclose(
        again.values[missing[:, parts.days]][:, parts.days], table.values[0, parts.days], atol=1.0
    )


def test_forms_of_dates() -> None:
    days = np.array([0.0, 18_993.5, np.nan])
    assert [str(each) for each in written_dates(days, "date")] == ["1970-01-01", "2022-01-01", "None"]
    assert written_dates(days, "int:%Y%m%d").to_pylist() == [19700101, 20220101, None]
    assert written_dates(days, "%d/%m/%Y %I:%M %p").to_pylist()[1] == "01/01/2022 12:00 PM"


def test_without_days_gone_by_nothing_is_made_up() -> None:
    table = load(pd.DataFrame({"when": pd.date_range("2021-01-01", periods=500), "x": SEED.random(500)}))
    assert not date_parts(table.schema)
    assert isinstance(table.schema, Schema)
