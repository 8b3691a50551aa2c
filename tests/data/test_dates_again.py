"""Dates of new data: read as at the fit, and refused where they cannot be meant so."""

import pandas as pd
import pytest

from tacit.data.errors import DataError
from tacit.data.table import load

DAYS = pd.date_range("2023-01-02", periods=420, freq="D")


def table(days: pd.DatetimeIndex, form: str) -> bytes:
    frame = pd.DataFrame({"when": days.strftime(form), "sold": [(7 * i) % 31 + 0.5 for i in range(len(days))]})
    return frame.sample(frac=1.0, random_state=0).to_csv(index=False).encode()


@pytest.mark.parametrize(("fitted", "new"), [("%d/%m/%Y", "%m/%d/%Y"), ("%m/%d/%Y", "%d/%m/%Y")])
def test_days_and_months_the_other_way_round_are_refused(fitted: str, new: str) -> None:
    schema = load(table(DAYS, fitted)).schema
    assert load(table(DAYS[:40], fitted), schema=schema).values.shape[0] == 40
    with pytest.raises(DataError, match=r"'when'.* first, and those of the fit .* first"):
        load(table(DAYS[20:60], new), schema=schema)


def test_a_weekday_that_the_fit_did_not_see_is_no_gap_in_silence() -> None:
    schema = load(table(DAYS[DAYS.day_of_week < 5], "%Y-%m-%d")).schema
    with pytest.raises(DataError, match=r"weekday is S(at|un).*--unseen-as-missing"):
        load(table(DAYS[:14], "%Y-%m-%d"), schema=schema)
    assert load(table(DAYS[:14], "%Y-%m-%d"), schema=schema, unseen="missing").values.shape[0] == 14
