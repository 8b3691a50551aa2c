"""Files appear whole or not at all."""

import errno
import os
import stat
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as parquet
import pytest

from tacit import data, files, report
from tacit.data.errors import DataError
from tacit.data.write import replacing


def test_content_is_written_and_replaced(tmp_path: Path) -> None:
    path = tmp_path / "a.txt"
    files.write_atomically(path, "größer\n")
    assert path.read_bytes() == "größer\n".encode()
    files.write_atomically(path, b"\x00\xff")
    assert path.read_bytes() == b"\x00\xff"
    assert os.listdir(tmp_path) == ["a.txt"]


@pytest.mark.parametrize("broken", ["fsync", "replace"])
def test_a_failure_leaves_the_old_content_and_no_litter(
    broken: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "a.txt"
    files.write_atomically(path, "old")

    def fails(*_: object) -> None:
        raise OSError("no space left")

    monkeypatch.setattr(files.os, broken, fails)
    with pytest.raises(OSError, match="no space left"):
        files.write_atomically(path, "new")
    assert path.read_text() == "old"
    assert os.listdir(tmp_path) == ["a.txt"]


def test_all_is_synced_before_the_name_and_the_folder_after(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    events = []
    real_sync, real_replace = os.fsync, os.replace

    def sync(number: int) -> None:
        events.append("folder" if os.path.isdir(f"/proc/self/fd/{number}") else "file")
        real_sync(number)

    def replace(old: Path, new: Path) -> None:
        assert old.read_text() == "content"
        assert old.parent == new.parent
        events.append("rename")
        real_replace(old, new)

    monkeypatch.setattr(files.os, "fsync", sync)
    monkeypatch.setattr(files.os, "replace", replace)
    files.write_atomically(tmp_path / "a.txt", "content")
    assert events == (["file", "rename", "folder"] if os.path.isdir("/proc/self/fd") else ["file", "rename", "file"])


def test_what_killed_writers_left_is_removed_and_nothing_else(tmp_path: Path) -> None:
    (tmp_path / ".a.txt.0123.part").write_text("half")
    (tmp_path / "b.part").write_text("mine")
    files.remove_leftovers(tmp_path)
    files.remove_leftovers(tmp_path / "absent")
    assert os.listdir(tmp_path) == ["b.part"]


OWNED = """
import sys
sys.path.insert(0, {source!r})
from pathlib import Path
from tacit import files
with files.replacing(Path({path!r})) as file:
    file.write(b"half")
    file.flush()
    print("writing", flush=True)
    sys.stdin.read()
"""


def test_what_the_living_write_is_left_and_what_the_dead_left_is_removed(tmp_path: Path) -> None:
    script = OWNED.format(source=str(Path(files.__file__).parents[1]), path=str(tmp_path / "a.txt"))
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
    with subprocess.Popen([sys.executable, "-c", script], **pipes) as writer:
        assert writer.stdout.readline() == b"writing\n"
        (beside,) = tmp_path.glob(".a.txt.*.part")
        assert f".{writer.pid}@" in beside.name
        elsewhere = beside.with_name(beside.name.replace("@", "@f" if "@f" not in beside.name else "@0", 1))
        elsewhere = elsewhere.with_name(elsewhere.name[: elsewhere.name.index("@") + 9] + "." + "0" * 16 + ".part")
        elsewhere.write_bytes(b"another machine's")
        (tmp_path / ".a.txt.0123.part").write_bytes(b"nobody knows whose")
        (tmp_path / ".run.0123.part").mkdir()
        before = sorted(os.listdir(tmp_path))
        files.remove_leftovers(tmp_path, of_the_dead=True)
        with files.replacing(tmp_path / "b.txt"):
            files.remove_leftovers(tmp_path, of_the_dead=True)  # our own is not in the way of ourselves
        (tmp_path / "b.txt").unlink()
        assert sorted(os.listdir(tmp_path)) == before
        writer.kill()
        writer.wait()
        files.remove_leftovers(tmp_path, of_the_dead=True)
        assert set(before) - set(os.listdir(tmp_path)) == {beside.name}


def test_another_users_process_lives(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refused(process: int, number: int) -> None:
        assert number == 0
        raise PermissionError

    with files.replacing(tmp_path / "a.txt"):
        (beside,) = tmp_path.glob(".*.part")
        monkeypatch.setattr(files.os, "kill", refused)
        files.remove_leftovers(tmp_path, of_the_dead=True)
        assert beside.exists()
        monkeypatch.setattr(files.os, "name", "nt")  # there, to ask would be to stop
        monkeypatch.setattr(files.os, "kill", None)
        files.remove_leftovers(tmp_path, of_the_dead=True)
        assert beside.exists()
        monkeypatch.undo()


WRITERS = {
    "files": lambda path: files.write_atomically(path, "new"),
    "a table": lambda path: data.write(pa.table({"a": [1]}), path, "csv"),
    "a report": lambda path: report.write(path, report.Report("new")),
}


@pytest.fixture(params=WRITERS)
def written(request: pytest.FixtureRequest):
    return WRITERS[request.param]


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def test_a_link_is_followed_and_stays_one(written, tmp_path: Path) -> None:
    (tmp_path / "there").mkdir()
    (tmp_path / "there" / "real").write_text("old")
    link, further = tmp_path / "link", tmp_path / "further"
    link.symlink_to("there/real")
    further.symlink_to(link)
    written(further)
    assert further.is_symlink()
    assert link.is_symlink()
    assert (tmp_path / "there" / "real").read_bytes() not in (b"old", b"")
    assert sorted(os.listdir(tmp_path)) == ["further", "link", "there"]
    assert os.listdir(tmp_path / "there") == ["real"]


def test_a_link_to_nothing_makes_what_it_names(written, tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to("real")
    written(tmp_path / "link")
    assert (tmp_path / "link").is_symlink()
    assert (tmp_path / "real").stat().st_size > 0


def test_a_ring_of_links_is_refused(tmp_path: Path) -> None:
    (tmp_path / "a").symlink_to("b")
    (tmp_path / "b").symlink_to("a")
    with pytest.raises(OSError, match="symbolic links"):
        files.write_atomically(tmp_path / "a", "new")
    assert sorted(os.listdir(tmp_path)) == ["a", "b"]


@pytest.mark.parametrize("linked", [False, True])
@pytest.mark.parametrize("own", [0o600, 0o640, 0o664, 0o755, 0o444])
def test_the_mode_of_a_file_stays(written, own: int, linked: bool, tmp_path: Path) -> None:
    path = tmp_path / "real"
    path.write_text("old")
    path.chmod(own)
    (tmp_path / "link").symlink_to(path)
    written(tmp_path / "link" if linked else path)
    assert mode(path) == own
    assert path.read_bytes() != b"old"


@pytest.mark.parametrize("mask", [0o022, 0o077, 0o007])
def test_a_new_file_has_the_mode_that_the_process_gives(written, mask: int, tmp_path: Path) -> None:
    before = os.umask(mask)
    try:
        written(tmp_path / "new")
    finally:
        assert os.umask(before) == mask
    assert mode(tmp_path / "new") == 0o666 & ~mask


def test_an_unfinished_file_is_never_more_open_than_the_one_it_replaces(tmp_path: Path) -> None:
    path = tmp_path / "secret"
    path.write_text("old")
    path.chmod(0o600)
    with files.replacing(path) as file:
        (beside,) = tmp_path.glob(".*.part")
        assert mode(beside) == 0o600
        file.write(b"new")
    assert path.read_text() == "new"


def test_nobody_sets_the_mask_of_the_process(written, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def never(mask: int) -> int:
        raise AssertionError("other threads make files with this mask")

    monkeypatch.setattr(os, "umask", never)
    written(tmp_path / "a")


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() != 0, reason="only root gives files away")
def test_the_owner_stays(tmp_path: Path) -> None:
    path = tmp_path / "theirs"
    path.write_text("old")
    os.chown(path, 12345, 23456)
    path.chmod(0o640)
    files.write_atomically(path, "new")
    assert (path.stat().st_uid, path.stat().st_gid, mode(path)) == (12345, 23456, 0o640)


def test_a_file_that_cannot_be_given_away_is_not_opened_to_another_group(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "theirs"
    path.write_text("old")
    path.chmod(0o664)
    theirs = os.stat_result((*path.stat()[:4], 12345, 23456, *path.stat()[6:]))

    def refuses(*_: object) -> None:
        raise PermissionError(errno.EPERM, "not yours")

    monkeypatch.setattr(files, "_found", lambda _: theirs)
    monkeypatch.setattr(files, "_replaceable", lambda *_: True)
    monkeypatch.setattr(os, "chown", refuses)
    files.write_atomically(path, "new")
    assert mode(path) == 0o604
    assert path.read_text() == "new"


class Reader(threading.Thread):
    """Reads a pipe to its end."""

    def __init__(self, path: Path) -> None:
        super().__init__(daemon=True)
        self.path, self.found = path, b""
        self.start()

    def run(self) -> None:
        self.found = self.path.read_bytes()


@pytest.mark.parametrize("linked", [False, True])
def test_a_pipe_is_written_to_and_stays_one(written, linked: bool, tmp_path: Path) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    (tmp_path / "link").symlink_to(pipe)
    reader = Reader(pipe)
    written(tmp_path / "link" if linked else pipe)
    reader.join(10)
    written(tmp_path / "same")
    assert reader.found == (tmp_path / "same").read_bytes()
    assert stat.S_ISFIFO(pipe.stat().st_mode)
    assert sorted(os.listdir(tmp_path)) == ["link", "pipe", "same"]


def test_archives_and_arrays_go_into_a_pipe(tmp_path: Path) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    reader = Reader(pipe)
    data.write(pa.table({"a": [1, 2]}), pipe, "parquet")
    reader.join(10)
    assert parquet.read_table(pa.BufferReader(reader.found)).to_pydict() == {"a": [1, 2]}
    reader = Reader(pipe)
    with replacing(pipe) as file:
        np.save(file, np.arange(3))
    reader.join(10)
    assert reader.found.startswith(b"\x93NUMPY")


def half_written(path: Path, then: Callable[[], None]) -> None:
    with replacing(path) as file:
        file.write(b"half" * 2**18)
        then()


def raising(error: BaseException) -> Callable[[], None]:
    def fails() -> None:
        raise error

    return fails


def test_a_reader_of_a_pipe_may_leave(tmp_path: Path) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    reader = threading.Thread(target=lambda: os.close(os.open(pipe, os.O_RDONLY)), daemon=True)
    reader.start()
    with pytest.raises(BrokenPipeError):
        half_written(pipe, lambda: reader.join(10))
    assert os.listdir(tmp_path) == ["pipe"]


def device(path: Path, minor: int) -> None:
    """A device of our own that does what /dev/null (3) or /dev/full (7) does; never the machine's."""
    if not hasattr(os, "geteuid") or os.geteuid() != 0:
        pytest.skip("only root makes devices")
    try:
        os.mknod(path, 0o666 | stat.S_IFCHR, os.makedev(1, minor))
        path.open("wb").close()
    except OSError as error:
        pytest.skip(f"no devices here: {error}")


@pytest.mark.parametrize("linked", [False, True])
def test_a_device_stays_a_device(written, linked: bool, tmp_path: Path) -> None:
    null = tmp_path / "null"
    device(null, 3)
    (tmp_path / "link").symlink_to(null)
    written(tmp_path / "link" if linked else null)
    assert stat.S_ISCHR(null.lstat().st_mode)
    assert null.lstat().st_rdev == os.makedev(1, 3)
    assert sorted(os.listdir(tmp_path)) == ["link", "null"]


def test_a_full_device_is_told(tmp_path: Path) -> None:
    device(tmp_path / "full", 7)
    with pytest.raises(OSError, match="disk is full"):
        files.write_atomically(tmp_path / "full", "new")
    with pytest.raises(DataError, match=r"full' could not be written, for its disk is full"):
        data.write(pa.table({"a": [1]}), tmp_path / "full", "csv")


def test_a_full_disk_leaves_the_old_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "a"
    path.write_text("old")
    with pytest.raises(DataError, match=r"a' could not be written, for its disk is full"):
        half_written(path, raising(OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))))
    assert path.read_text() == "old"
    assert os.listdir(tmp_path) == ["a"]


@pytest.mark.parametrize("ended", [KeyboardInterrupt, SystemExit, ValueError])
def test_a_writer_that_is_broken_off_leaves_nothing(ended: type[BaseException], tmp_path: Path) -> None:
    with pytest.raises(ended):
        half_written(tmp_path / "a", raising(ended()))
    assert os.listdir(tmp_path) == []


def test_a_folder_is_refused_and_stays(written, tmp_path: Path) -> None:
    (tmp_path / "folder").mkdir()
    (tmp_path / "folder" / "kept").write_text("kept")
    with pytest.raises((OSError, DataError), match=r"(?i)is a directory"):
        written(tmp_path / "folder")
    assert (tmp_path / "folder" / "kept").read_text() == "kept"
    assert os.listdir(tmp_path) == ["folder"]


def test_the_longest_name_can_be_written(tmp_path: Path) -> None:
    path = tmp_path / ("n" * 251 + ".csv")
    files.write_atomically(path, "new")
    assert path.read_text() == "new"


def test_a_file_that_is_open_but_has_no_name_is_written_to(tmp_path: Path) -> None:
    if not os.path.isdir("/proc/self/fd"):
        pytest.skip("no /proc here")
    with (tmp_path / "gone").open("wb+") as file:
        (tmp_path / "gone").unlink()
        files.write_atomically(Path(f"/proc/self/fd/{file.fileno()}"), "new")
        assert file.read() == b"new"
    assert os.listdir(tmp_path) == []
