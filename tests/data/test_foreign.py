"""Columns of other libraries in frames: an answer, or a sentence that names the column and what to do."""

import datetime
import decimal
from typing import Any

import numpy as np
import pandas as pd
import polars as pl
import pytest

import tacit
from tacit.data.errors import DataError
from tacit.data.frames import from_frame
from tacit.data.table import Table, load

ROWS = 60
RANDOM = np.random.default_rng(0)
BASE = pd.DataFrame({"x": RANDOM.normal(size=ROWS), "y": RANDOM.normal(size=ROWS)})


def kind(values: Any) -> str:
    found = load(BASE.assign(c=values))
    assert isinstance(found, Table)
    return found.schema["c"].kind if "c" in found.schema.names else "left out"


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
@pytest.mark.parametrize("cut", [pd.cut, pd.qcut])
def test_intervals_are_categories_in_their_order(cut: Any) -> None:
    found = load(BASE.assign(c=cut(BASE.x, 4)))
    assert isinstance(found, Table)
    levels = found.schema["c"].levels
    assert levels is not None
    assert len(levels) == 4
    assert set(map(str, cut(BASE.x, 4).cat.categories)) == set(levels)
    assert tacit.Mixture(2, max_iter=2).fit(BASE.assign(c=cut(BASE.x, 4))).schema_["c"].levels == levels


COLUMNS: dict[str, tuple[Any, str]] = {
    "sparse": (pd.arrays.SparseArray(RANDOM.poisson(1.0, ROWS).astype(float)), "categorical"),
    "wide floats": (BASE.x.astype(np.longdouble), "continuous"),
    "wide whole numbers": (pd.Series([2**70 + 2**60 * n for n in range(ROWS)], dtype=object), "continuous"),
    "periods": (pd.period_range("2020-01", periods=ROWS, freq="M"), "left out"),
    "dates": (pd.date_range("2020", periods=ROWS, tz="Europe/Berlin"), "left out"),
    "decimals": ([decimal.Decimal(n) / 7 for n in range(ROWS)], "continuous"),
    "big-endian": (BASE.x.to_numpy().astype(">f8"), "continuous"),
    "lists": ([[1, 2]] * ROWS, "left out"),
    "records": ([{"a": 1}] * ROWS, "left out"),
}


@pytest.mark.parametrize("name", list(COLUMNS))
def test_a_column_is_read_or_left_out(name: str) -> None:
    values, wanted = COLUMNS[name]
    assert kind(values) in (wanted, "left out") if name == "wide whole numbers" else kind(values) == wanted


def test_wide_whole_numbers_stay_exact() -> None:
    table = from_frame(pd.DataFrame({"a": pd.Series([2**70 + 1, 5], dtype=object)}))
    assert table.column("a").to_pylist() == [str(2**70 + 1), "5"]


def test_masked_entries_are_gaps() -> None:
    x = np.ma.masked_array(np.arange(6.0), mask=[0, 1, 0, 0, 0, 0])
    t = np.ma.masked_array(np.array(list("abcabc")), mask=[1, 0, 0, 0, 0, 0])
    table = from_frame({"x": x, "t": t})
    assert table.column("x").to_pylist() == [0.0, None, 2.0, 3.0, 4.0, 5.0]
    assert table.column("t").to_pylist() == [None, "b", "c", "a", "b", "c"]
    records = np.ma.array([(1.0, 2), (3.0, 4)], dtype=[("a", "f8"), ("b", "i4")], mask=[(1, 0), (0, 0)])
    assert from_frame(records).to_pydict() == {"a": [None, 3.0], "b": [2, 4]}


def test_columns_of_polars() -> None:
    frame = pl.DataFrame(
        {"x": BASE.x.to_numpy(), "c": pl.Series(["a", "b"] * 30).cast(pl.Categorical), "w": pl.Series([2**80] * 60)}
    )
    table = from_frame(frame)
    assert table.column("w").to_pylist()[0] == str(2**80)
    assert load(table).schema["c"].levels == ("a", "b")  # type: ignore[union-attr]


REFUSED: dict[str, tuple[Any, str]] = {
    "dates": (pd.date_range("2020", periods=ROWS), r"column 'c' holds dates or times.*days gone by"),
    "zoned dates": (pd.date_range("2020", periods=ROWS, tz="UTC"), "column 'c' holds dates or times"),
    "days": ([datetime.date(2020, 1, 1)] * ROWS, "column 'c' holds dates or times"),
    "durations": (pd.to_timedelta(np.arange(ROWS), "h"), r"column 'c' holds durations|column 'c' holds dates"),
    "periods": (pd.period_range("2020-01", periods=ROWS, freq="M"), "column 'c' holds periods"),
    "intervals": (pd.cut(BASE.x, 3), r"column 'c' holds .*nterval"),
    "texts": (["a", "b", None] * 20, r"column 'c' holds texts or categories.*tacit\.Mixture"),
    "categories": (pd.Categorical(["a", "b", "c"] * 20), "column 'c' holds texts or categories"),
    "lists": ([[1, 2]] * ROWS, "column 'c' holds values of the type list"),
    "complex numbers": (BASE.x + 1j, "column 'c' holds complex numbers"),
    "infinity": ([np.inf, *([1.0] * (ROWS - 1))], "contains infinity, in column 'c'"),
}


@pytest.mark.parametrize("model", [tacit.GaussianMixture(2), tacit.KMeans(2), tacit.BayesianLinearRegression()])
@pytest.mark.parametrize("name", list(REFUSED))
def test_models_of_numbers_name_the_column(name: str, model: Any) -> None:
    values, words = REFUSED[name]
    with pytest.raises(ValueError, match=words):
        model.fit(BASE.assign(c=values), BASE.x)


@pytest.mark.parametrize("model", [tacit.Mixture(2), tacit.BayesianMixture(2), tacit.ItemFactorAnalysis()])
@pytest.mark.parametrize("name", ["dates", "zoned dates", "days", "periods", "written"])
def test_models_of_any_kind_name_a_column_of_dates_and_what_to_do(name: str, model: Any) -> None:
    days = pd.date_range("2020", periods=ROWS)
    values = days.strftime("%Y-%m-%d") if name == "written" else REFUSED[name][0]
    if name == "days":
        values = [day.date() for day in days]
    with pytest.raises(ValueError, match=r"column 'c' holds dates or times.*days gone by.*leave it out"):
        model.fit(BASE.assign(c=values))


def test_sparse_frames_are_fitted() -> None:
    frame = BASE.assign(c=pd.arrays.SparseArray(RANDOM.poisson(3.0, ROWS).astype(float))).astype("Sparse[float]")
    assert tacit.GaussianMixture(1).fit(frame).n_features_in_ == 3


@pytest.mark.parametrize("model", [tacit.GaussianMixture(2), tacit.Mixture(2)])
def test_two_columns_of_one_name_are_refused(model: Any) -> None:
    with pytest.raises(DataError, match="the frame has 'a' more than once"):
        model.fit(pd.DataFrame(BASE.to_numpy(), columns=["a", "a"]))


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
def test_a_counter_is_a_warning() -> None:
    with pytest.warns(UserWarning, match="column 'c' runs up or down by one.*leave it out"):
        model = tacit.Mixture(2, max_iter=2, random_state=0).fit(BASE.assign(c=range(1, ROWS + 1)))
    assert model.schema_["c"].kind == "continuous"


def test_arrays_of_dates_are_refused() -> None:
    for model in (tacit.GaussianMixture(2), tacit.Mixture(2)):
        with pytest.raises(ValueError, match="holds dates or durations"):
            model.fit(np.array([["2020-01-01", "2021-01-02"]] * 9, "M8[D]"))
