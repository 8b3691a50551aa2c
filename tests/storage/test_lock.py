"""Two processes never write to one folder, and nobody waits for a process that is dead."""

import errno
import json
import os
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tacit.files import replacing
from tacit.storage import Checkpoint, ModelFileError, lock
from tacit.storage.lock import LOCK, FolderLock

SOURCE = Path(__file__).resolve().parents[2] / "src"
SCRIPT = """
import sys, types
sys.path.insert(0, {source!r})
bare = types.ModuleType("tacit.storage")  # the package without what its other modules import
bare.__path__ = [{source!r} + "/tacit/storage"]
sys.modules["tacit.storage"] = bare
from pathlib import Path
from tacit.storage.lock import FolderLock
mine = FolderLock(Path({folder!r}))
mine.acquire()
print("held", flush=True)
sys.stdin.read()
mine.release()
"""
Holder = Callable[[Path], subprocess.Popen]


@pytest.fixture
def holder() -> Iterator[Holder]:
    """Starts a process that has a folder until its input is closed."""
    started = []

    def start(folder: Path) -> subprocess.Popen:
        script = SCRIPT.format(source=str(SOURCE), folder=str(folder))
        process = subprocess.Popen(
            [sys.executable, "-c", script], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        started.append(process)
        assert process.stdout.readline() == "held\n"
        return process

    yield start
    for process in started:
        process.kill()
        process.wait()
        process.stdin.close()
        process.stdout.close()


def test_a_second_process_is_told_who_has_the_folder(holder: Holder, tmp_path: Path) -> None:
    process = holder(tmp_path)
    written = json.loads((tmp_path / LOCK).read_text())
    with pytest.raises(ModelFileError) as refused:
        FolderLock(tmp_path).acquire()
    said = str(refused.value)
    for part in (str(tmp_path), f"process {process.pid}", written["host"], written["since"], f"kill {process.pid}"):
        assert part in said
    process.stdin.close()
    process.wait()
    assert os.listdir(tmp_path) == []
    with FolderLock(tmp_path) as mine:
        mine.acquire()
        assert json.loads((tmp_path / LOCK).read_text())["process"] == os.getpid()
    assert os.listdir(tmp_path) == []


def test_a_killed_process_holds_nobody_up(holder: Holder, tmp_path: Path) -> None:
    process = holder(tmp_path)
    process.kill()
    process.wait()
    assert os.listdir(tmp_path) == [LOCK]
    with FolderLock(tmp_path) as mine:
        mine.acquire()
        assert json.loads((tmp_path / LOCK).read_text())["process"] == os.getpid()
    assert os.listdir(tmp_path) == []


def test_a_checkpoint_leaves_the_files_of_another_process_alone(holder: Holder, tmp_path: Path) -> None:
    process = holder(tmp_path)
    unfinished = tmp_path / ".gaussianmixture-1.checkpoint.safetensors.0123.part"
    unfinished.write_bytes(b"half")
    with pytest.raises(ModelFileError, match=f"process {process.pid}"):
        Checkpoint(tmp_path, "x")
    assert unfinished.read_bytes() == b"half"
    process.kill()
    process.wait()
    Checkpoint(tmp_path, "x")
    assert os.listdir(tmp_path) == []


def test_a_checkpoint_leaves_the_files_of_another_thread_alone(tmp_path: Path) -> None:
    first = Checkpoint(tmp_path, "x")
    unfinished = tmp_path / ".gaussianmixture-1.checkpoint.safetensors.0123.part"
    unfinished.write_bytes(b"half")
    second = Checkpoint(tmp_path, "x")
    assert unfinished.exists()
    del first, second
    Checkpoint(tmp_path, "x")
    assert os.listdir(tmp_path) == []


@pytest.mark.parametrize("how", ["no locks in the file system", "another object has it"])
def test_where_the_folder_is_not_ours_alone_only_the_dead_are_cleaned_up_after(
    how: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def unsupported(*_: object) -> None:
        raise OSError(errno.ENOLCK, "No locks available")

    first = Checkpoint(tmp_path, "x") if how == "another object has it" else None
    if first is None:
        monkeypatch.setattr(lock.fcntl, "lockf", unsupported)
    with subprocess.Popen([sys.executable, "-c", ""]) as dead:
        dead.wait()
    with replacing(tmp_path / "a.checkpoint.safetensors") as file:
        (living,) = tmp_path.glob(".a.*.part")
        left = living.with_name(living.name.replace(f".{os.getpid()}@", f".{dead.pid}@").replace(".a.", ".b."))
        left.write_bytes(b"half")
        second = Checkpoint(tmp_path, "x")
        assert living.exists()
        assert not left.exists()
        left.write_bytes(b"half")
        second.clear()
        assert not left.exists()
        file.write(b"whole")
    assert [name for name in os.listdir(tmp_path) if name != LOCK] == ["a.checkpoint.safetensors"]


def test_a_folder_that_came_later_is_held_from_the_first_fit_on(holder: Holder, tmp_path: Path) -> None:
    watcher = Checkpoint(tmp_path / "c", "x")
    (tmp_path / "c").mkdir()
    process = holder(tmp_path / "c")
    with pytest.raises(ModelFileError, match=f"process {process.pid}"):
        watcher.resume("fit", None)


def test_within_a_process_one_object_has_it_unless_it_is_taken_over(tmp_path: Path) -> None:
    first, second = FolderLock(tmp_path), FolderLock(tmp_path / ".." / tmp_path.name)
    assert first.acquire()
    assert not first.acquire()
    with pytest.raises(ModelFileError, match=f"process {os.getpid()}"):
        second.acquire()
    assert not second.acquire(take_over=True)
    first.release()
    assert (tmp_path / LOCK).exists()
    second.release()
    assert not (tmp_path / LOCK).exists()
    first.acquire()
    del first
    second.acquire()
    second.release()


def test_only_one_of_many_threads_gets_it(tmp_path: Path) -> None:
    got: list[bool] = []
    ready = threading.Barrier(8)
    locks = [FolderLock(tmp_path) for _ in range(8)]

    def try_it(mine: FolderLock) -> None:
        ready.wait()
        try:
            mine.acquire()
            got.append(True)
        except ModelFileError:
            got.append(False)

    threads = [threading.Thread(target=try_it, args=(each,)) for each in locks]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(got) == [False] * 7 + [True]
    for each in locks:
        each.release()
    assert os.listdir(tmp_path) == []


def test_a_lock_file_that_was_removed_in_between_is_made_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    real, calls = lock.fcntl.lockf, []

    def slow(number: int, how: int) -> None:
        calls.append(number)
        if len(calls) == 1:  # its holder lets go after we have opened it
            (tmp_path / LOCK).unlink()
        real(number, how)

    monkeypatch.setattr(lock.fcntl, "lockf", slow)
    with FolderLock(tmp_path) as mine:
        mine.acquire()
        assert len(calls) == 2
        assert (tmp_path / LOCK).stat().st_size > 0


def test_who_has_it_may_be_unknown(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def held(*_: object) -> None:
        raise BlockingIOError

    monkeypatch.setattr(lock.fcntl, "lockf", held)
    (tmp_path / LOCK).write_text("no JSON")
    with pytest.raises(ModelFileError, match="another process has it"):
        FolderLock(tmp_path).acquire()


@pytest.mark.parametrize("how", ["no locks in the file system", "no locks in the system", "no folder"])
def test_where_nothing_can_be_locked_nothing_is(how: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def unsupported(*_: object) -> None:
        raise OSError(errno.ENOLCK, "No locks available")

    if how == "no locks in the file system":
        monkeypatch.setattr(lock.fcntl, "lockf", unsupported)
    elif how == "no locks in the system":
        monkeypatch.setattr(lock, "fcntl", None)
    folder = tmp_path / "absent" if how == "no folder" else tmp_path
    with FolderLock(folder) as mine:
        mine.acquire()
        FolderLock(folder).acquire()
