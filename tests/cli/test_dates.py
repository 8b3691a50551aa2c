"""Dates come out of a run as dates: one of them a row, under the name that the user gave them."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from typer.testing import Result

Command = Callable[..., Result]
FORM = "%d.%m.%Y"


@pytest.fixture(scope="module")
def shop(tacit: Command, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run of a table with German dates on workdays of 30 months, some of them missing."""
    folder = tmp_path_factory.mktemp("shop")
    draw = np.random.default_rng(0)
    days = pd.Series(pd.bdate_range("2021-01-04", "2023-06-30")).sample(400, random_state=0).sort_index()
    days = days.sample(frac=1.0, random_state=1).reset_index(drop=True)
    frame = pd.DataFrame({"joined": days.dt.strftime(FORM), "spend": np.round(draw.normal(50, 9, 400), 1)})
    frame.loc[::40, "joined"] = None
    frame.to_csv(folder / "t.csv", index=False)
    done = tacit("fit", folder / "t.csv", "--model", "mixture", "--set", "components=2", "--out", folder / "run")
    assert done.exit_code == 0, done.output
    return folder


def test_drawn_dates_are_dates(tacit: Command, shop: Path) -> None:
    done = tacit("sample", shop / "run", 300, "--out", shop / "new.csv")
    assert done.exit_code == 0, done.output
    frame = pd.read_csv(shop / "new.csv")
    assert sorted(frame.columns) == ["joined", "spend"]
    when = pd.to_datetime(frame["joined"], format=FORM)
    assert when.between("2021-01-04", "2023-06-30").all()
    assert (when.dt.day_of_week < 5).all()
    done = tacit("score", shop / "run", shop / "new.csv", "--format", "csv")
    assert done.exit_code == 0, done.output


@pytest.mark.parametrize(
    ("given", "check"),
    [
        ("joined: month=May", lambda when: (when.dt.month == 5).all()),
        ("joined=17.05.2022", lambda when: (when == "2022-05-17").all()),
        ("joined=2022-05-17", lambda when: (when == "2022-05-17").all()),
    ],
)
def test_what_is_given_of_a_date_stays(
    tacit: Command, shop: Path, given: str, check: Callable[[Any], bool], tmp_path: Path
) -> None:
    done = tacit("sample", shop / "run", 40, "--given", given, "--out", tmp_path / "a.csv")
    assert done.exit_code == 0, done.output
    assert check(pd.to_datetime(pd.read_csv(tmp_path / "a.csv")["joined"], format=FORM))


def test_given_dates_that_are_none_are_refused(tacit: Command, shop: Path) -> None:
    for given in ("joined=soon", "joined="):
        done = tacit("sample", shop / "run", 3, "--given", given)
        assert done.exit_code in (2, 3), done.output
        assert "Traceback" not in done.output


@pytest.mark.parametrize("more", [(), ("--draws", 3), ("--exact",)])
def test_gaps_become_dates(tacit: Command, shop: Path, more: tuple[Any, ...], tmp_path: Path) -> None:
    done = tacit("impute", shop / "run", shop / "t.csv", *more, "--out", tmp_path / "a.csv")
    assert done.exit_code == 0, done.output
    frame, source = pd.read_csv(tmp_path / "a.csv"), pd.read_csv(shop / "t.csv")
    when = pd.to_datetime(frame["joined"], format=FORM)
    assert when.notna().all()
    assert (when.dt.day_of_week < 5).all()
    first = frame["joined"][: len(source)]
    known = source["joined"].notna()
    assert (first[known] == source["joined"][known]).all()
    assert "10 gaps in 10 rows" in " ".join(done.output.split())
