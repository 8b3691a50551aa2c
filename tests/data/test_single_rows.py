"""Rows in single precision: of files they are mixed a few pieces at a time, and every piece is read once an epoch."""

from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

import tacit
from tacit.data import file_rows, single_rows
from tacit.data.dataset import DenseRows
from tacit.data.single_rows import SingleRows

ROWS, PIECE = 4000, 250


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Four files of four row groups each; the columns say where a row lies."""
    place = tmp_path_factory.mktemp("rows")
    for number in range(4):
        rows = np.arange(number * 1000.0, (number + 1) * 1000.0)
        pq.write_table(
            pa.table({"a": rows + 0.25, "b": -rows - 0.25}), place / f"{number}.parquet", row_group_size=PIECE
        )
    return place


@pytest.fixture(autouse=True)
def little_room(monkeypatch: pytest.MonkeyPatch) -> None:
    """Four pieces are mixed, and none is kept by the reader of files."""
    monkeypatch.setattr(single_rows, "TOGETHER_BYTES", 4 * PIECE * 2 * 4)
    monkeypatch.setattr(file_rows, "HELD_BYTES", 0)


def reads(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """The numbers of the pieces that are decoded, as it goes on."""
    found: list[int] = []
    read = file_rows.FileRows._read

    def counted(rows: file_rows.FileRows, place: int) -> np.ndarray:
        found.append(place)
        return read(rows, place)

    monkeypatch.setattr(file_rows.FileRows, "_read", counted)
    return found


def test_an_epoch_reads_every_piece_once_and_mixes_some(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    rows = tacit.dataset(folder)
    single = SingleRows(rows)
    decoded = reads(monkeypatch)
    order = single.shuffled(np.arange(ROWS), np.random.default_rng(0))
    assert (np.sort(order) == np.arange(ROWS)).all()
    for batch in np.split(order, 40):
        np.testing.assert_allclose(single[batch], np.column_stack([batch + 0.25, -batch - 0.25]))
        assert np.unique(batch // PIECE).size > 2
    assert np.unique(decoded).size == ROWS // PIECE
    assert len(decoded) <= 1.5 * ROWS / PIECE  # some are read ahead in vain, where two follow one another
    assert (order != single.shuffled(np.arange(ROWS), np.random.default_rng(1))).any()


def test_some_of_the_rows_and_what_is_made_of_them(folder: Path) -> None:
    rows = tacit.dataset(folder)
    kept = np.flatnonzero(np.random.default_rng(0).random(ROWS) < 0.3)
    some = SingleRows(rows.take(kept))
    order = some.shuffled(np.arange(kept.size), np.random.default_rng(0))
    assert (np.sort(order) == np.arange(kept.size)).all()
    np.testing.assert_allclose(some[order][:, 0], kept[order] + 0.25)
    np.testing.assert_allclose(some[order < 100][:, 0], kept[order < 100] + 0.25)
    backwards = SingleRows(rows.take(kept[::-1].copy()))
    np.testing.assert_allclose(backwards[np.array([0, 1])][:, 0], kept[::-1][:2] + 0.25)
    memory = SingleRows(DenseRows(np.zeros((9, 2))))
    assert (np.sort(memory.shuffled(np.arange(9), np.random.default_rng(0))) == np.arange(9)).all()


def test_a_deep_model_of_files_is_that_of_the_same_rows_in_memory(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where all pieces are mixed, the order is random all the same, so only what is learned can be compared."""
    for module in ("tacit.inference.rounds", "tacit.estimators.vae.rows", "tacit.estimators.gradient_fit"):
        monkeypatch.setattr(f"{module}.RESIDENT_BYTES", 1000)
    rows = tacit.dataset(folder)
    settings = {"network": "linear", "max_epochs": 40, "batch_size": 500, "learning_rate": 1e-2, "random_state": 0}
    streamed = tacit.VAE(1, **settings).fit(rows)
    alone = tacit.VAE(1, **settings).fit(np.asarray(rows))
    assert streamed.lower_bound_ == pytest.approx(alone.lower_bound_, abs=0.3)
