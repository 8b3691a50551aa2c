"""A fit that was broken off, or killed, ends bit for bit where the unbroken one ends."""

import json
import os
import subprocess
import sys
import time
import types
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy import sparse
from sklearn.exceptions import ConvergenceWarning

from killed_fits import FITS, SOURCE, killed
from tacit.data import DenseRows, sources
from tacit.estimators.mixture.gaussian import GaussianMixture
from tacit.inference import loop
from tacit.inference.watch import Progress, Snapshot, watch
from tacit.storage import Checkpoint, ModelFileError, checkpoint, container, fingerprint, save

SETTINGS: dict[str, Any] = {"n_components": 3, "n_init": 4, "max_iter": 60, "tol": 1e-9, "random_state": 2}


class Stop:
    """Breaks a fit off at the n-th look, as Ctrl-C does."""

    def __init__(self, looks: int) -> None:
        self.left = looks

    def look(self, progress: Progress) -> None:
        self.left -= 1
        if self.left == 0:
            raise KeyboardInterrupt

    def done(self, progress: Progress) -> None: ...

    def resume(self, label: str, state: object) -> Snapshot | None: ...


class Log(Stop):
    """Remembers how long the trace was at every look."""

    def __init__(self) -> None:
        self.lengths: list[int] = []

    def look(self, progress: Progress) -> None:
        self.lengths.append(len(progress.snapshot.trace))


def fitted(X: np.ndarray, *watchers: object, **settings: Any) -> GaussianMixture:
    with warnings.catch_warnings(), watch(*watchers):
        warnings.simplefilter("ignore", ConvergenceWarning)
        return GaussianMixture(**SETTINGS | settings).fit(X)


def contents(path: Path) -> tuple[dict, dict[str, bytes]]:
    """All that a saved model holds but for the seconds, which no two runs share."""
    body, arrays = container.read(path, "model")
    assert (np.diff(arrays["trace_.seconds"]) >= 0).all()
    return body, {k: v.tobytes() for k, v in arrays.items() if k != "trace_.seconds"}


def same(a: GaussianMixture, b: GaussianMixture, folder: Path) -> bool:
    first, second = (contents(save(m, folder / f"{i}.safetensors")) for i, m in enumerate((a, b)))
    assert len(first[1]) > 10
    return first == second


WAYS: dict[str, dict[str, Any]] = {
    "fused": {},
    "accelerated": {"accelerate": True},
    "streamed": {"covariance_type": "EVE"},  # its M-step iterates: another program rounds it differently
    "streamed and accelerated": {"accelerate": True},
}


@pytest.mark.parametrize(("way", "looks"), [*((way, 2) for way in WAYS), ("fused", 1), ("fused", 4), ("streamed", 3)])
def test_an_interrupted_fit_goes_on_to_the_same_end(
    way: str, looks: int, rows: np.ndarray, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    if way.startswith("streamed"):
        monkeypatch.setattr(sources, "STREAM_BYTES", 0)
    settings = WAYS[way]
    whole = fitted(rows, **settings)
    folder = tmp_path / "checkpoint"
    broken = fitted(rows, Checkpoint(folder, "x"), Stop(looks), **settings)
    assert broken.stop_reason_ == "interrupted"
    log = Log()
    again = fitted(rows, Checkpoint(folder, "x"), log, **settings)
    assert again.n_iter_ > 16
    assert log.lengths[0] > len(broken.trace_.bound)
    assert same(whole, again, tmp_path)
    assert not same(whole, broken, tmp_path)


@pytest.mark.parametrize("progress", range(2, 9))
def test_an_interrupt_at_any_instant_leaves_a_whole_checkpoint(
    progress: int, rows: np.ndarray, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Clock:
        readings = 0

        def monotonic(self) -> float:
            self.readings += 1
            if self.readings == progress:
                raise KeyboardInterrupt
            return time.monotonic()

    with monkeypatch.context() as patch:
        patch.setattr(loop, "time", Clock())
        if progress <= 3:  # nothing is known of the starts yet, and there is nothing to give
            with pytest.raises(KeyboardInterrupt):
                fitted(rows, Checkpoint(tmp_path / "c", "x"))
        else:
            assert fitted(rows, Checkpoint(tmp_path / "c", "x")).stop_reason_ == "interrupted"
    assert same(fitted(rows), fitted(rows, Checkpoint(tmp_path / "c", "x")), tmp_path)


def test_a_fit_that_had_ended_is_not_repeated(
    rows: np.ndarray, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(checkpoint, "WORTH_SECONDS", 0.0)  # however short it was
    whole = fitted(rows, Checkpoint(tmp_path / "c", "x"))
    log = Log()
    again = fitted(rows, Checkpoint(tmp_path / "c", "x"), log)
    assert log.lengths == []
    assert same(whole, again, tmp_path)


def test_a_short_fit_is_fitted_again_rather_than_kept(
    rows: np.ndarray, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(checkpoint, "WORTH_SECONDS", 1e9)
    whole = fitted(rows, Checkpoint(tmp_path / "c", "x"))
    log = Log()
    again = fitted(rows, Checkpoint(tmp_path / "c", "x"), log)
    assert log.lengths
    assert same(whole, again, tmp_path)


def test_fits_of_one_run_are_told_apart(rows: np.ndarray, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(checkpoint, "WORTH_SECONDS", 0.0)

    def all_fits(*more: object) -> list[GaussianMixture]:
        watcher = Checkpoint(tmp_path / "c", "x")
        return [fitted(rows[start:], watcher, *more) for start in (0, 10, 20)]

    first = all_fits()
    names = [f"gaussianmixture-{number}.checkpoint.safetensors" for number in (1, 2, 3)]
    assert sorted(os.listdir(tmp_path / "c")) == names
    (tmp_path / "c" / names[1]).unlink()
    log = Log()
    assert all(same(a, b, tmp_path) for a, b in zip(first, all_fits(log), strict=True))
    assert log.lengths[0] == 1  # the second one had to begin again


class Lengths(Stop):
    """The first and the last length of the trace of every fit."""

    def __init__(self) -> None:
        self.fits: list[list[int]] = []

    def resume(self, label: str, state: object) -> None:
        self.fits.append([])

    def look(self, progress: Progress) -> None:
        self.fits[-1] = self.fits[-1][:1] or [len(progress.snapshot.trace)]

    def done(self, progress: Progress) -> None:
        self.fits[-1] = [*self.fits[-1], len(progress.snapshot.trace)]


def test_a_killed_run_goes_on_to_the_same_end(tmp_path: Path) -> None:
    """It is killed twice, and goes on in another process each time."""
    whole, broken = tmp_path / "whole", tmp_path / "broken"
    whole.mkdir()
    broken.mkdir()
    rows = np.random.default_rng(0).normal(size=(3000, 4)) * np.repeat([[1.0], [4.0]], 1500, axis=0)

    def run(folder: Path, out: Path) -> list[list[int]]:
        watcher, lengths = Checkpoint(folder, "x", every=0.0), Lengths()
        for name, settings in FITS.items():
            save(fitted(rows, watcher, lengths, **settings), out / name)
        return lengths.fits

    lengths = run(tmp_path / "a", whole)
    assert lengths[0][1] > 100

    first = killed(tmp_path / "b", broken, 1, 60)
    assert first["killed"] == [1, 60]
    assert not any(broken.iterdir())

    second = killed(tmp_path / "b", broken, 2, 20)
    assert second["1"] == [61, lengths[0][1]]
    assert second["killed"] == [1, 20]

    third = run(tmp_path / "b", broken)
    assert third[0] == lengths[0][1:]  # nothing was left to do
    assert third[1] == [21, lengths[1][1]]
    for name in FITS:
        assert contents(whole / name) == contents(broken / name)


@pytest.fixture
def kept(rows: np.ndarray, tmp_path: Path) -> Path:
    """The folder of a fit that was broken off."""
    fitted(rows, Checkpoint(tmp_path / "c", "x"), Stop(2))
    return tmp_path / "c"


def test_other_settings_or_data_are_refused(kept: Path, rows: np.ndarray) -> None:
    with pytest.raises(ModelFileError, match=r"other settings or other data.*delete"):
        fitted(rows, Checkpoint(kept, "y"))


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"n_components": 6}, r"does not fit this model \(state\.model\.log_weights is float64 of shape \(4, 4\)"),
        ({"n_init": 3}, r"is float64 of shape \(4, 4\), and should be float64 of shape \(3, 4\)"),
        ({"covariance_type": "diag"}, r"covariances is float64 of shape \(4, 4, 3, 3\)"),
    ],
)
def test_other_shapes_are_refused(settings: dict, words: str, kept: Path, rows: np.ndarray) -> None:
    with pytest.raises(ModelFileError, match=words):
        fitted(rows, Checkpoint(kept, "x"), **settings)


def forged(kept: Path, change) -> None:
    path = next(kept.iterdir())
    body, arrays = container.read(path, "checkpoint")
    change(body, arrays)
    container.write(path, "checkpoint", {k: v for k, v in body.items() if k != "kind"}, arrays)


@pytest.mark.parametrize(
    "change",
    [
        lambda body, _: body.pop("snapshots"),
        lambda body, _: body.update(snapshots=[99]),
        lambda body, _: body.update(snapshots=["x"]),
        lambda body, _: body.update(machine=3),
        lambda _, arrays: arrays.update({"trace.bound": np.zeros((2, 9))}),
        lambda _, arrays: arrays.update({"trace.bound": np.zeros(())}),
        lambda _, arrays: arrays.pop("trace.seconds"),
        lambda _, arrays: arrays.update({"state.key": np.zeros((4, 3), np.uint32)}),
    ],
)
def test_a_forged_checkpoint_is_refused(change, kept: Path, rows: np.ndarray) -> None:
    forged(kept, change)
    with pytest.raises(ModelFileError, match="Delete it to start that fit anew"):
        fitted(rows, Checkpoint(kept, "x"))


def test_a_truncated_checkpoint_is_refused(kept: Path, rows: np.ndarray) -> None:
    path = next(kept.iterdir())
    path.write_bytes(path.read_bytes()[:-9])
    with pytest.raises(ModelFileError, match="Delete it to start that fit anew"):
        fitted(rows, Checkpoint(kept, "x"))


def test_another_set_up_is_said(kept: Path, rows: np.ndarray) -> None:
    forged(kept, lambda body, _: body["machine"].update(jax="0.1.2", threads=96))
    with pytest.warns(UserWarning, match=r"jax 0\.1\.2 then.*threads 96 then, \d+ now.*last bits"):
        fitted(rows, Checkpoint(kept, "x"))


def test_what_a_killed_writer_left_is_removed(kept: Path) -> None:
    (kept / ".gaussianmixture-1.checkpoint.safetensors.0123.part").write_bytes(b"half")
    Checkpoint(kept, "x")
    assert os.listdir(kept) == ["gaussianmixture-1.checkpoint.safetensors"]


def test_clearing_removes_checkpoints_only(kept: Path) -> None:
    (kept / "model.safetensors").write_bytes(b"mine")
    Checkpoint(kept, "x").clear()
    assert os.listdir(kept) == ["model.safetensors"]
    (kept / "model.safetensors").unlink()
    Checkpoint(kept, "x").clear()
    assert not kept.exists()
    Checkpoint(kept, "x").clear()


def test_it_writes_every_few_seconds_and_at_the_end(
    rows: np.ndarray, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def clock(seconds: float) -> Iterator[float]:
        while True:
            seconds += 1.0
            yield seconds

    written = []
    ticks = clock(0.0)
    # the module's own: other threads of this process go by the clock of the system
    monkeypatch.setattr(checkpoint, "time", types.SimpleNamespace(monotonic=lambda: next(ticks)))
    monkeypatch.setattr(checkpoint, "WORTH_SECONDS", 0.0)
    real = container.write
    monkeypatch.setattr(container, "write", lambda *a: (written.append(1), real(*a)))
    log = Log()
    fitted(rows, Checkpoint(tmp_path / "often", "x", every=0.0), log)
    assert len(written) == len(log.lengths) + 1
    written.clear()
    fitted(rows, Checkpoint(tmp_path / "never", "x", every=1e9))
    assert len(written) == 1


def test_a_full_disk_does_not_end_the_fit(rows: np.ndarray, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fails(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("tacit.files.os.replace", fails)
    monkeypatch.setattr(checkpoint, "WORTH_SECONDS", 0.0)
    with pytest.warns(UserWarning, match=r"disk is full.*The fit goes on"):
        found = fitted(rows, Checkpoint(tmp_path / "c", "x"))
    monkeypatch.undo()
    assert same(found, fitted(rows), tmp_path)


def test_the_fingerprint_tells_settings_and_data_apart(rows: np.ndarray) -> None:
    model = GaussianMixture(**SETTINGS)
    counts = sparse.csr_array(np.abs(rows.round()))
    prints = {
        "plain": fingerprint(model, rows),
        "another setting": fingerprint(GaussianMixture(**SETTINGS | {"tol": 1e-8}), rows),
        "an array setting": fingerprint(GaussianMixture(**SETTINGS, means_init=rows[:3]), rows),
        "one bit": fingerprint(model, np.nextafter(rows, np.inf)),
        "weights": fingerprint(model, rows, np.ones(len(rows))),
        "no weights": fingerprint(model, rows, None),
        "single precision": fingerprint(model, rows.astype(np.float32)),
        "another shape": fingerprint(model, rows.reshape(-1, 1)),
        "sparse": fingerprint(model, counts),
    }
    assert len(set(prints.values())) == len(prints)
    assert fingerprint(GaussianMixture(**SETTINGS).fit(rows), rows) == prints["plain"]
    assert fingerprint(model, np.asfortranarray(rows)) == prints["plain"]
    assert fingerprint(model, counts.tocoo()) == prints["sparse"]
    order = np.random.default_rng(0).permutation(len(rows))
    assert fingerprint(model, DenseRows(rows[order]).take(np.argsort(order))) == prints["plain"]
    listed, fixed = (GaussianMixture(weights_init=kind([0.05] * 20)) for kind in (list, tuple))
    assert fingerprint(listed) == fingerprint(fixed)
    generators = [GaussianMixture(random_state=np.random.RandomState(seed)) for seed in (1, 2)]
    assert fingerprint(generators[0]) == fingerprint(generators[1])
    with pytest.raises(TypeError, match="made of numbers, not of <U1"):
        fingerprint(model, np.array(["a"]))


def test_the_fingerprint_is_the_same_in_another_process(rows: np.ndarray, tmp_path: Path) -> None:
    np.save(tmp_path / "rows.npy", rows)
    code = (
        f"import sys; sys.path.insert(0, {str(SOURCE)!r})\nimport numpy as np\n"
        "from tacit.estimators.mixture.gaussian import GaussianMixture\nfrom tacit.storage import fingerprint\n"
        f"print(fingerprint(GaussianMixture(**{json.dumps(SETTINGS)}), np.load({str(tmp_path / 'rows.npy')!r})))\n"
    )
    found = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True, timeout=300)
    assert found.stdout.strip() == fingerprint(GaussianMixture(**SETTINGS), rows)


def test_a_checkpoint_of_before_calls_the_noise_floor_otherwise(rows: np.ndarray) -> None:
    model = GaussianMixture(2, random_state=0, max_iter=2, tol=1e9).fit(rows).model_
    arrays = {f"state{name}": np.array(leaf) for name, leaf in checkpoint._leaves(model).items()}
    renamed = {name.replace(".noise_floor", ".blur"): leaf for name, leaf in arrays.items()}
    assert renamed.keys() != arrays.keys()
    found = checkpoint._leaves(checkpoint._filled(model, renamed, "state"))
    assert all(found[name.removeprefix("state")] is leaf for name, leaf in arrays.items())
