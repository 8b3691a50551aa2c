"""Files appear whole or not at all."""

import os
from pathlib import Path

import pytest

from tacit.storage import atomic


def test_content_is_written_and_replaced(tmp_path: Path) -> None:
    path = tmp_path / "a.txt"
    atomic.write_atomically(path, "größer\n")
    assert path.read_bytes() == "größer\n".encode()
    atomic.write_atomically(path, b"\x00\xff")
    assert path.read_bytes() == b"\x00\xff"
    assert os.listdir(tmp_path) == ["a.txt"]


@pytest.mark.parametrize("broken", ["fsync", "replace"])
def test_a_failure_leaves_the_old_content_and_no_litter(
    broken: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "a.txt"
    atomic.write_atomically(path, "old")

    def fails(*_: object) -> None:
        raise OSError("no space left")

    monkeypatch.setattr(atomic.os, broken, fails)
    with pytest.raises(OSError, match="no space left"):
        atomic.write_atomically(path, "new")
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

    monkeypatch.setattr(atomic.os, "fsync", sync)
    monkeypatch.setattr(atomic.os, "replace", replace)
    atomic.write_atomically(tmp_path / "a.txt", "content")
    assert events == (["file", "rename", "folder"] if os.path.isdir("/proc/self/fd") else ["file", "rename", "file"])


def test_what_killed_writers_left_is_removed_and_nothing_else(tmp_path: Path) -> None:
    (tmp_path / ".a.txt.0123.part").write_text("half")
    (tmp_path / "b.part").write_text("mine")
    atomic.remove_leftovers(tmp_path)
    atomic.remove_leftovers(tmp_path / "absent")
    assert os.listdir(tmp_path) == ["b.part"]
