"""The workflow as a server uses it: values and events, several requests at once, nothing on the terminal."""

import threading
import warnings
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import jax
import numpy as np
import pytest

from tacit.cli import app  # noqa: F401 - a server may have it loaded: it must not matter
from tacit.storage import ModelFileError
from tacit.storage.lock import FolderLock
from tacit.workflow import fitting, scoring
from tacit.workflow.events import DataRead, Event, FitEnded, FitProgress, Observer, RowsSplit, StageStarted
from tacit.workflow.opened import NewRows, Opened
from tacit.workflow.requests import FitRequest
from tacit.workflow.sources import DataSource
from tacit.workflow.warned import collected


@pytest.fixture(scope="module")
def table(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two groups of points."""
    draw = np.random.default_rng(0)
    x = draw.normal(6.0 * (np.arange(120) % 2)[:, None], 1.0, (120, 2))
    path = tmp_path_factory.mktemp("data") / "points.csv"
    np.savetxt(path, x, delimiter=",", header="left,right", comments="")
    return path


@pytest.fixture(autouse=True)
def _bare_reports(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fitting, "write_report", lambda path, *_: path.write_text("<!DOCTYPE html>"))


def asked(table: Path, out: Path, seed: int) -> FitRequest:
    settings = ("components=1-2", "covariance=VVI", "tol=1e-9")
    return FitRequest(DataSource(str(table)), settings=settings, holdout=0.25, seed=seed, out=out)


def test_several_fits_in_threads_are_those_of_one_after_the_other(
    table: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    alone = [fitting.fit(asked(table, tmp_path / f"alone{seed}", seed)) for seed in range(3)]
    before = jax.config.jax_compilation_cache_dir
    heard: dict[int, list[Event]] = {seed: [] for seed in range(3)}
    threads: dict[int, set[int]] = {seed: set() for seed in range(3)}

    def serve(seed: int) -> fitting.Outcome:
        def tell(event: Event) -> None:
            heard[seed].append(event)
            threads[seed].add(threading.get_ident())

        return fitting.fit(asked(table, tmp_path / f"beside{seed}", seed), Observer(tell))

    with ThreadPoolExecutor(3) as pool:
        beside = list(pool.map(serve, range(3)))
    for seed, (one, other) in enumerate(zip(alone, beside, strict=True)):
        np.testing.assert_array_equal(one.estimator.means_, other.estimator.means_)
        for key in ("choice", "held_out", "warnings", "groups"):
            assert one.metrics[key] == other.metrics[key]
        kinds = Counter(type(event) for event in heard[seed])
        assert kinds[DataRead] == kinds[RowsSplit] == kinds[StageStarted] == 1
        assert kinds[FitProgress] > 0 < kinds[FitEnded]
        assert len(threads[seed]) == 1  # nobody hears of another's fits
    assert jax.config.jax_compilation_cache_dir == before
    said = capsys.readouterr()
    assert (said.out, said.err) == ("", "")


def test_a_stopped_fit_keeps_the_best_so_far_and_its_neighbour_goes_on(table: Path, tmp_path: Path) -> None:
    stop = threading.Event()

    def stopping(event: Event) -> None:
        if isinstance(event, FitProgress):
            stop.set()

    with ThreadPoolExecutor(2) as pool:
        one = pool.submit(fitting.fit, asked(table, tmp_path / "one", 0), Observer(stopping, stop.is_set))
        other = pool.submit(fitting.fit, asked(table, tmp_path / "other", 0))
    assert one.result().stopped
    assert one.result().metrics["fit"]["stop_reason"] == "interrupted"
    assert not other.result().stopped
    assert other.result().metrics["fit"]["stop_reason"] != "interrupted"


def test_a_run_is_opened_once_and_asked_as_often_as_one_likes(table: Path, tmp_path: Path) -> None:
    outcome = fitting.fit(asked(table, tmp_path / "run", 0))
    opened = Opened.at(outcome.run.path)
    rows = opened.read(NewRows(str(table)))
    with ThreadPoolExecutor(3) as pool:
        found = list(pool.map(lambda _: scoring.score(opened, rows, None, 2).table, range(3)))
    expected = outcome.estimator.score_samples(opened.feed(rows))
    for table_found in found:
        np.testing.assert_allclose(table_found.column("log_density").to_numpy(), expected, rtol=1e-12)


def test_each_thread_collects_its_own_warnings_and_the_setting_comes_back() -> None:
    shown, filters = warnings.showwarning, list(warnings.filters)
    first_in, second_in, first_out = threading.Event(), threading.Event(), threading.Event()
    found = {}

    def first() -> None:
        with collected() as said:
            first_in.set()
            assert second_in.wait(10.0)
            warnings.warn("of the first", UserWarning, stacklevel=1)
        found["first"] = said
        first_out.set()

    def second() -> None:
        assert first_in.wait(10.0)
        with collected() as said:
            second_in.set()
            assert first_out.wait(10.0)
            warnings.warn("of the second", UserWarning, stacklevel=1)
            warnings.warn("of the second", UserWarning, stacklevel=1)
        found["second"] = said

    threads = [threading.Thread(target=each) for each in (first, second)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found == {"first": ["of the first"], "second": ["of the second"] * 2}
    assert warnings.showwarning is shown
    assert list(warnings.filters) == filters


def test_a_request_that_fails_lets_go_of_its_folder_at_once(
    table: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also while its error is still looked at, which keeps what it passed through."""

    def fails(*_: object) -> None:
        raise ValueError("no")

    monkeypatch.setattr(fitting, "run", fails)
    errors = []
    for kind, words in ((ValueError, "^no$"), (ModelFileError, "holds a run already")):
        with pytest.raises(kind, match=words) as failed:
            fitting.fit(asked(table, tmp_path / "run", 0))
        errors.append(failed)
        with FolderLock(tmp_path / "run") as lock:
            assert lock.acquire()
    assert len(errors) == 2
