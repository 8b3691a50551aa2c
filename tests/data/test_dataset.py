"""A data set is the same rows wherever they lie: every kind against the array that it stands for."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as parquet
import pytest
from scipy import sparse

from tacit.data import Column, DataError, Dataset, DenseRows, JoinedRows, MadeRows, Schema, SparseRows
from tacit.data.dataset import dataset_of, numbered, some
from tacit.data.erring import ErringRows
from tacit.data.opening import dataset
from tacit.data.sequenced import SequencedRows
from tacit.data.single_rows import SingleRows

RANDOM = np.random.default_rng(0)
ROWS = np.where(RANDOM.random((1000, 3)) < 0.1, np.nan, RANDOM.normal([5.0, -2.0, 1e3], [1.0, 0.1, 50.0], (1000, 3)))
NAMES = ("a", "b.c", "d")
SCHEMA = Schema(tuple(Column(name, "continuous") for name in NAMES))


def written(path: Path, rows: np.ndarray, group: int = 300) -> Path:
    table = pa.table({name: pa.array(rows[:, i], mask=np.isnan(rows[:, i])) for i, name in enumerate(NAMES)})
    parquet.write_table(table, path, row_group_size=group)
    return path


def mapped(folder: Path) -> Dataset:
    np.save(folder / "rows.npy", ROWS)
    return DenseRows(np.load(folder / "rows.npy", mmap_mode="r"))


def halves(folder: Path) -> list[Path]:
    return [written(folder / "one.parquet", ROWS[:450]), written(folder / "two.parquet", ROWS[450:], 100)]


def after(folder: Path, others: int) -> Path:
    """A file in which some other rows come first."""
    return written(folder / "after.parquet", np.concatenate([ROWS[:others], ROWS]))


def shuffled(folder: Path) -> Dataset:
    order = np.random.default_rng(1).permutation(1000)
    return DenseRows(ROWS[order]).take(np.argsort(order))


KINDS: dict[str, Callable[[Path], Dataset]] = {
    "array": lambda folder: DenseRows(ROWS),
    "map": mapped,
    "sparse": lambda folder: SparseRows(sparse.csr_array(ROWS)),
    "joined": lambda folder: JoinedRows(DenseRows(ROWS[:, :2]), ROWS[:, 2]),
    "made": lambda folder: MadeRows(DenseRows(-ROWS[:, ::-1]), lambda rows: -rows[:, ::-1], 3),
    "taken": shuffled,
    "taken twice": lambda folder: shuffled(folder).take(numbered(1000)),
    "file": lambda folder: dataset(written(folder / "a.parquet", ROWS), schema=SCHEMA),
    "files": lambda folder: dataset(halves(folder)),
    "range": lambda folder: dataset(written(folder / "c.parquet", np.concatenate([ROWS[:7], ROWS]))).take(
        slice(7, None)
    ),
    "with errors": lambda folder: ErringRows(DenseRows(ROWS), np.ones_like(ROWS)),
    "in sequences": lambda folder: SequencedRows(DenseRows(ROWS), np.arange(1000) // 10, np.arange(1000.0)),
}


@pytest.fixture(params=KINDS)
def found(request: pytest.FixtureRequest, tmp_path: Path) -> Dataset:
    return KINDS[request.param](tmp_path)


def test_rows_are_those_of_the_array(found: Dataset) -> None:
    assert found.shape == ROWS.shape
    assert len(found) == 1000
    assert found.dtype == np.float64
    np.testing.assert_array_equal(found.rows(), ROWS)
    for places in (slice(290, 610), slice(20, 900, 7), slice(5, 5), np.array([999, 0, 450, 449, 0])):
        np.testing.assert_array_equal(found.rows(places), ROWS[places])
        np.testing.assert_array_equal(found.take(places).rows(), ROWS[places])
    np.testing.assert_array_equal(found.take(ROWS[:, 0] > 5.0).rows(), ROWS[ROWS[:, 0] > 5.0])
    parts = list(found.slices(128))
    np.testing.assert_array_equal(np.concatenate([rows for _, rows in parts]), ROWS)
    assert [part.start for part, _ in parts] == list(range(0, 1000, 128))
    assert parts[-1][0].stop == 1000


def test_a_column_and_single_precision(found: Dataset) -> None:
    for place in range(3):
        np.testing.assert_array_equal(found.column(place), ROWS[:, place])
    single = SingleRows(found)
    assert (single.shape, single.nbytes, single.dtype) == (ROWS.shape, 4 * ROWS.size, np.float32)
    np.testing.assert_array_equal(single[5:9], ROWS[5:9].astype(np.float32))
    np.testing.assert_array_equal(single.held(4 * ROWS.size), ROWS.astype(np.float32))
    assert single.held(4 * ROWS.size - 1) is single


def test_moments_and_covariance(found: Dataset, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Dataset.slices, "__defaults__", (128,))
    weights = np.random.default_rng(2).integers(0, 3, 1000).astype(float)
    copies = np.repeat(ROWS, weights.astype(int), axis=0)
    weighted = found.weighted(weights)
    assert weighted.total_weight == len(copies)
    assert not weighted.complete
    np.testing.assert_allclose(weighted.moments().mean, np.nanmean(copies, axis=0), rtol=1e-13)
    np.testing.assert_allclose(weighted.moments().variance, np.nanvar(copies, axis=0), rtol=1e-12)
    np.testing.assert_array_equal(weighted.moments().seen, (~np.isnan(copies)).sum(axis=0))
    filled = np.where(np.isnan(copies), np.nanmean(copies, axis=0), copies)
    np.testing.assert_allclose(weighted.covariance(), np.cov(filled.T), rtol=1e-10, atol=1e-12)
    np.testing.assert_allclose(
        weighted.covariance(np.array([2, 0])), np.cov(filled.T)[[2, 0]][:, [2, 0]], rtol=1e-10, atol=1e-12
    )
    logs = found.moments_of(lambda rows: np.log(rows[:, [2]]))
    np.testing.assert_allclose(logs.mean, np.nanmean(np.log(ROWS[:, 2])), rtol=1e-13)
    assert found.weights.strides == (0,)  # ones take no memory
    assert found.total_weight == 1000.0


def test_the_ends_of_columns(found: Dataset, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Dataset.slices, "__defaults__", (128,))
    counted = np.arange(1000) % 7 > 2
    low, high = found.weighted(counted.astype(float)).ends()
    np.testing.assert_array_equal(low, np.nanmin(ROWS[counted], axis=0))
    np.testing.assert_array_equal(high, np.nanmax(ROWS[counted], axis=0))


def test_a_sample_is_by_number_and_keeps_weights(found: Dataset) -> None:
    weighted = found.weighted(np.arange(1000.0))
    sample = weighted.sample(40, np.random.default_rng(3))
    places = np.sort(np.random.default_rng(3).choice(1000, 40, replace=False))
    np.testing.assert_array_equal(sample.weights, places)
    np.testing.assert_array_equal(sample.rows(), ROWS[places])
    np.testing.assert_array_equal(sample.take(np.array([3, 1])).weights, places[[3, 1]])
    assert found.sample(1000, np.random.default_rng(3)) is found


def test_columns_keep_their_names(tmp_path: Path) -> None:
    files = dataset(halves(tmp_path))
    assert files.names == files.take(slice(3, 9)).names == files.weighted(None).names == NAMES
    assert DenseRows(ROWS).names is None
    assert DenseRows(ROWS).described(SCHEMA).names == NAMES
    assert MadeRows(DenseRows(ROWS), np.negative, 3, NAMES).take(slice(3, 9)).names == NAMES


def test_whatever_holds_rows(tmp_path: Path) -> None:
    assert dataset_of(found := DenseRows(ROWS)) is found
    assert isinstance(dataset_of(sparse.csr_matrix(np.eye(3))), SparseRows)
    np.testing.assert_array_equal(some(ROWS, np.array([2, 1])), ROWS[[2, 1]])
    with pytest.raises(ValueError, match="rows are"):
        DenseRows(np.arange(3.0))


def test_a_wrong_value_is_named_by_its_row_among_all(tmp_path: Path) -> None:
    wrong = np.abs(np.nan_to_num(ROWS, nan=1.0))
    wrong[701, 2] = -1.0
    found = dataset(written(tmp_path / "a.parquet", wrong), schema=Schema((Column("d", "positive"),)))
    np.testing.assert_array_equal(found.rows(slice(0, 600)), wrong[:600, 2:])
    with pytest.raises(DataError, match=r"row 702.*is not above 0"):
        found.rows(slice(690, 720))


def test_levels_of_all_files_have_one_code(tmp_path: Path) -> None:
    for number, towns in enumerate((["Bonn", "Ulm"], ["Ulm", None], ["Aalen", "Ulm"])):
        parquet.write_table(pa.table({"town": towns * 5, "size": np.arange(10) + 0.5}), tmp_path / f"{number}.parquet")
    found = dataset([tmp_path / f"{number}.parquet" for number in range(3)])
    assert found.schema["town"].levels == ("Aalen", "Bonn", "Ulm")
    np.testing.assert_array_equal(found.rows(np.array([0, 1, 11, 20])), [[1, 0.5], [2, 1.5], [np.nan, 1.5], [0, 0.5]])
