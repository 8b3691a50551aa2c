"""Rows of Parquet files, wherever they come from, are those of one table; what is wrong with a file is said."""

import os
import pickle
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.dataset as ds
import pyarrow.parquet as pq
import pytest

import tacit
from tacit.data import file_rows
from tacit.data.errors import DataError
from tacit.data.schema import Column, Schema

SIZES = (700, 0, 300, 1200)


def table(rows: int, seed: int, **more: object) -> pa.Table:
    draw = np.random.default_rng(seed)
    numbers = draw.normal(size=(rows, 2))
    numbers[draw.random((rows, 2)) < 0.1] = np.nan
    columns = {"a": pa.array(numbers[:, 0], from_pandas=True), "b": pa.array(numbers[:, 1], from_pandas=True)}
    columns |= {"size": draw.integers(1, 4, rows) * 10, "kind": draw.choice(["x", "y", "z"], rows).tolist()}
    return pa.table(columns | more)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for place, rows in enumerate(SIZES):
        kind = pa.schema([("a", "double"), ("b", "double"), ("size", "int64"), ("kind", "string")])
        made = table(rows, place).cast(kind)
        pq.write_table(made, tmp_path / f"p{place}.parquet", row_group_size=256)
    return tmp_path


@pytest.fixture
def small_pieces(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tacit.data.file_columns.PIECE_ROWS", 100)
    monkeypatch.setattr("tacit.data.file_columns.BATCH_ROWS", 64)


def whole(folder: Path) -> pa.Table:
    return pa.concat_tables([pq.read_table(folder / f"p{place}.parquet") for place in range(len(SIZES))])


def numbers(folder: Path, columns: tuple[str, ...] = ("a", "b")) -> np.ndarray:
    return np.column_stack([whole(folder).column(name).to_numpy() for name in columns]).astype(float)


@pytest.mark.usefixtures("small_pieces")
@pytest.mark.parametrize("held", [0, 128_000_000])
def test_rows_are_those_of_the_table(folder: Path, held: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(file_rows, "HELD_BYTES", held)
    rows, expected = tacit.dataset(folder, columns=["a", "b"]), numbers(folder)
    assert rows.shape == expected.shape
    np.testing.assert_array_equal(rows.rows(), expected)
    np.testing.assert_array_equal(rows.rows(slice(690, 1010)), expected[690:1010])
    np.testing.assert_array_equal(rows.rows(slice(5, 5)), expected[5:5])
    np.testing.assert_array_equal(rows.rows(slice(3, 900, 7)), expected[3:900:7])
    places = np.random.default_rng(0).integers(0, len(expected), 400)
    np.testing.assert_array_equal(rows.rows(places), expected[places])
    np.testing.assert_array_equal(rows.take(places).rows(slice(10, 50)), expected[places[10:50]])
    np.testing.assert_array_equal(np.concatenate([part for _, part in rows.slices(77)]), expected)
    np.testing.assert_array_equal(np.asarray(rows), expected)
    np.testing.assert_allclose(rows.moments().mean, np.nanmean(expected, axis=0), atol=1e-14)


@pytest.mark.usefixtures("small_pieces")
def test_ranges_travel_with_what_they_need(folder: Path) -> None:
    rows, expected = tacit.dataset(folder, columns=["a", "b"]), numbers(folder)
    weights = np.arange(len(expected), dtype=float)
    part = pickle.loads(pickle.dumps(rows.weighted(weights).between(650, 1100)))
    np.testing.assert_array_equal(part.rows(), expected[650:1100])
    np.testing.assert_array_equal(part.weights, weights[650:1100])
    np.testing.assert_array_equal(part.between(60, 80).rows(), expected[710:730])
    taken = rows.take(np.arange(0, len(expected), 3))
    np.testing.assert_array_equal(pickle.loads(pickle.dumps(taken.between(100, 300))).rows(), expected[300:900:3])
    assert len(pickle.dumps(rows.between(0, 10))) < len(pickle.dumps(rows.between(0, len(expected))))


def test_forms_of_a_source(folder: Path) -> None:
    expected, paths = numbers(folder), sorted(folder.glob("*.parquet"))
    arrow = ds.dataset(folder, format="parquet")
    sources = {
        "pattern": str(folder / "*.parquet"),
        "folder": folder,
        "list": [str(path) for path in paths],
        "lists": [[paths[0], paths[1]], str(paths[2]), paths[3]],
        "lines": "\n".join(map(str, paths)),
        "address": f"file://{folder}",
        "pattern of an address": f"file://{folder}/p*.parquet",
        "Arrow's": arrow,
        "once": arrow.scanner().to_reader(),
        "in memory": whole(folder),
        "of Arrow, in memory": ds.dataset(whole(folder)),
    }
    for name, source in sources.items():
        np.testing.assert_array_equal(tacit.dataset(source, columns=["a", "b"]).rows(), expected, name)
    one = tacit.dataset(pq.ParquetFile(paths[3]), columns=["b"])
    np.testing.assert_array_equal(one.rows()[:, 0], expected[-1200:, 1])


def test_a_file_that_was_spooled_goes_with_its_rows(folder: Path) -> None:
    rows = tacit.dataset(ds.dataset(folder).scanner().to_reader(), columns=["a"])
    path = Path(rows.files[0].path)
    assert path.exists()
    del rows
    assert not path.exists()


def test_folders_whose_names_hold_columns(tmp_path: Path) -> None:
    for year in (2023, 2024):
        (tmp_path / f"year={year}").mkdir()
        pq.write_table(pa.table({"a": np.arange(5.0) + year}), tmp_path / f"year={year}" / "rows.parquet")
    (tmp_path / "_SUCCESS").touch()
    rows = tacit.dataset(tmp_path, columns=["a", "year"])
    np.testing.assert_array_equal(np.asarray(rows)[:, 1], [2023] * 5 + [2024] * 5)
    np.testing.assert_array_equal(
        tacit.dataset(tmp_path, columns=["a"], filter="year = 2024").rows()[:, 0], np.arange(5.0) + 2024
    )


@pytest.mark.usefixtures("small_pieces")
def test_filters_leave_rows_and_row_groups_out(folder: Path) -> None:
    kept = whole(folder).to_pandas().query("size > 10 and a > 0 and kind in ('x', 'z')")
    rows = tacit.dataset(folder, columns=["a", "b"], filter="size > 10 and a > 0 and kind in ('x', 'z')")
    np.testing.assert_array_equal(rows.rows(), kept[["a", "b"]].to_numpy())
    sorted_rows = folder.parent / f"{folder.name}-sorted.parquet"
    pq.write_table(pa.table({"a": np.arange(1000.0)}), sorted_rows, row_group_size=100)
    assert len(tacit.dataset(sorted_rows, columns=["a"], filter="a >= 950")._pieces) == 1
    with pytest.raises(DataError, match="no row of any file is as the filter says"):
        tacit.dataset(folder, filter="size > 100")


def test_kinds_are_settled_over_all_files(tmp_path: Path) -> None:
    for place, level in enumerate("abc"):
        pq.write_table(
            pa.table({"v": np.random.default_rng(place).normal(size=40), "k": [level, "d"] * 20}),
            tmp_path / f"{level}.parquet",
        )
    rows = tacit.dataset(tmp_path)
    assert rows.schema.columns[1].levels == ("a", "b", "c", "d")
    with pytest.raises(ValueError, match="column 'k' holds texts"):
        tacit.KMeans(2).fit(rows)
    again = tacit.dataset(tmp_path / "b.parquet", schema=rows.schema)
    assert set(again.rows()[:, 1]) == {1.0, 3.0}


def test_numbers_that_look_like_levels_are_numbers_for_a_model_of_numbers(folder: Path) -> None:
    rows = tacit.dataset(folder, columns=["a", "size"])
    assert rows.schema.columns[1].levels == (10, 20, 30)
    fitted = tacit.GaussianMixture(1).fit(rows)
    expected = numbers(folder, ("a", "size"))
    np.testing.assert_allclose(fitted.means_[0, 1], expected[:, 1].mean())


@pytest.mark.parametrize("limit", [200, 10**6])
def test_a_sample_settles_kinds_as_all_rows_do(folder: Path, limit: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(file_rows, "LOOKED_AT", limit)
    kinds = [column.kind for column in tacit.dataset(folder).schema.columns]
    assert kinds == ["continuous", "continuous", "categorical", "categorical"]


def test_files_of_other_columns_are_named(folder: Path) -> None:
    pq.write_table(table(10, 9).drop_columns(["b"]), folder / "q.parquet")
    with pytest.raises(DataError, match=r"q\.parquet has other columns than .*p0\.parquet: it lacks 'b'"):
        tacit.dataset(folder)
    assert len(tacit.dataset(folder, columns=["a"])) == sum(SIZES) + 10
    pq.write_table(table(10, 9).set_column(1, "b", [["much"] * 10]), folder / "q.parquet")
    with pytest.raises(DataError, match=r"q\.parquet: column 'b' is string, and double in .*p0\.parquet"):
        tacit.dataset(folder)


def test_whole_numbers_and_broken_ones_go_together(tmp_path: Path) -> None:
    pq.write_table(pa.table({"a": [1, 2, 3]}), tmp_path / "a.parquet")
    pq.write_table(pa.table({"a": [1.5, 2.5, 7.0]}), tmp_path / "b.parquet")
    pq.write_table(pa.table({"a": pa.nulls(2)}), tmp_path / "c.parquet")
    rows = tacit.dataset(tmp_path, columns=["a"]).rows()[:, 0]
    np.testing.assert_array_equal(rows, [1, 2, 3, 1.5, 2.5, 7, np.nan, np.nan])


@pytest.mark.usefixtures("small_pieces")
def test_a_value_that_cannot_be_is_named_with_its_file(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(file_rows, "LOOKED_AT", 100)
    broken = np.arange(1.0, 501.0)
    broken[333] = np.inf
    pq.write_table(pa.table({"a": broken}), folder / "inf.parquet", row_group_size=150)
    rows = tacit.dataset([folder / "inf.parquet"], columns=["a"])
    with pytest.raises(DataError, match=r"inf\.parquet: column 'a', row 334: inf"):
        rows.rows()


@pytest.mark.usefixtures("small_pieces")
def test_files_that_vanish_or_grow_are_named(folder: Path) -> None:
    rows = tacit.dataset(folder, columns=["a"])
    pq.write_table(table(800, 5), folder / "p2.parquet")
    with pytest.raises(DataError, match=r"p2\.parquet has changed since the data set was opened"):
        tacit.KMeans(2, random_state=0).fit(rows)
    (folder / "p2.parquet").unlink()
    with pytest.raises(DataError, match=r"p2\.parquet is gone"):
        rows.moments_of(lambda part: part)


def test_what_is_no_data_set_is_said(tmp_path: Path, folder: Path) -> None:
    with pytest.raises(DataError, match="there is no such file or folder"):
        tacit.dataset(tmp_path / "none.parquet")
    with pytest.raises(DataError, match="no file is called like"):
        tacit.dataset(str(tmp_path / "none*.parquet"))
    (tmp_path / "bare.parquet").touch()
    with pytest.raises(DataError, match=r"bare\.parquet is empty"):
        tacit.dataset(tmp_path / "bare.parquet")
    (tmp_path / "bare.parquet").write_bytes((folder / "p0.parquet").read_bytes()[:500])
    with pytest.raises(DataError, match="damaged or cut short"):
        tacit.dataset(tmp_path / "bare.parquet")
    with pytest.raises(DataError, match="Did you mean 'size'"):
        tacit.dataset(folder / "p0.parquet", columns=["sise"])
    with pytest.raises(DataError, match="more than once"):
        tacit.dataset(folder / "p0.parquet", columns=["a", "a"])
    with pytest.raises(DataError, match="the list of paths is empty"):
        tacit.dataset([])
    with pytest.raises(DataError, match="no file has a column 'e'"):
        tacit.dataset(folder / "p0.parquet", schema=Schema((Column("e", "continuous"),)))
    with pytest.raises(DataError, match="a data set is made of"):
        tacit.dataset(3)
    with pytest.raises(DataError, match="no file has a row"):
        tacit.dataset(folder / "p1.parquet")
    with pytest.raises(DataError, match="cannot be read"):
        tacit.dataset("nowhere-at-all://bucket/rows")
    if os.geteuid():
        (folder / "p0.parquet").chmod(0)
        with pytest.raises(DataError, match="may not be read"):
            tacit.dataset(folder / "p0.parquet")


def test_other_tables_are_read_into_memory(tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_text("a,b,k\n" + "\n".join(f"{i / 7},{i * 3.1},{'xy'[i % 2]}" for i in range(40)))
    rows = tacit.dataset(tmp_path / "t.csv", columns=["a", "b"], filter="k = 'x'")
    assert rows.shape == (20, 2)
    assert rows.names == ("a", "b")
