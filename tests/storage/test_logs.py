"""Figures of a running fit on disk: one line an iteration, also where the fit was broken off."""

import csv
from pathlib import Path

import numpy as np
import pytest
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from tacit import VAE, CsvLog, GaussianMixture, TensorBoardLog, watch
from tacit.inference.watch import Progress, Snapshot
from tacit.storage import event_logs

ROWS = np.random.default_rng(0).normal(size=(80, 3))


def lines(path: Path) -> list[dict[str, str]]:
    with path.open(newline="") as file:
        return list(csv.DictReader(file))


def test_both_drivers_write_what_their_traces_keep(tmp_path: Path) -> None:
    with watch(CsvLog(tmp_path / "a" / "em.csv")):
        mixture = GaussianMixture(1, tol=1e-3).fit(ROWS)
    found = lines(tmp_path / "a" / "em.csv")
    inward = mixture.trace_.bound[-1] / 80 + np.log(ROWS.std(axis=0)).sum()  # columns are scaled in the fit
    assert float(found[-1]["bound"]) == pytest.approx(inward, rel=1e-9)
    deep = VAE(1, hidden=(4,), max_epochs=350, random_state=0)
    with watch(CsvLog(tmp_path / "vae.csv"), TensorBoardLog(tmp_path / "board")):
        deep.fit(ROWS)
    found = lines(tmp_path / "vae.csv")
    assert [int(line["iteration"]) for line in found] == deep.history_["epoch"].tolist()
    for name in ("elbo", "reconstruction", "kl", "held_out"):
        np.testing.assert_allclose([float(line[name]) for line in found], deep.history_[name], rtol=1e-6)
    board = EventAccumulator(str(tmp_path / "board")).Reload()
    kept = {event.step: event.value for event in board.Scalars("kl")}
    np.testing.assert_allclose([kept[epoch] for epoch in deep.history_["epoch"]], deep.history_["kl"], rtol=1e-5)


def told(path: Path, iterations: list[int], begun: int = 0) -> list[int]:
    log, trace = CsvLog(path), [(0, 0.0, np.zeros(1))]
    for number in iterations:
        figures = {"kl": float(number)}
        log.look(Progress("fit", number, 9, -1.0, 1, 1, 0.5 * number, Snapshot(None, trace, {}), "", figures, begun))
    return [int(line["iteration"]) for line in lines(path)]


def test_a_fit_that_goes_on_replaces_the_lines_from_there(tmp_path: Path) -> None:
    assert told(tmp_path / "log.csv", [1, 2, 3, 4]) == [1, 2, 3, 4]
    assert told(tmp_path / "log.csv", [3, 4, 5], 2) == [1, 2, 3, 4, 5]  # a new process, from a checkpoint after 2
    assert told(tmp_path / "log.csv", [4, 5]) == [4, 5]  # another fit
    (tmp_path / "log.csv").write_text("something,else\n1,2\n")
    assert told(tmp_path / "log.csv", [4], 3) == [4]


def test_what_is_not_installed_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(event_logs, "EventFileWriter", None)
    with pytest.raises(ImportError, match="pip install tensorboard"):
        TensorBoardLog(tmp_path)
