"""A file is written whole or not at all."""

import errno
import os
import resource
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from pellucid.errors import FileError
from pellucid.files import atomic_write


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_a_file_is_replaced_and_nothing_else_is_left(tmp_path: Path) -> None:
    atomic_write(tmp_path / "a", b"old")
    atomic_write(tmp_path / "a", b"new")
    assert (tmp_path / "a").read_bytes() == b"new"
    assert names(tmp_path) == ["a"]


def test_missing_folders_are_made(tmp_path: Path) -> None:
    atomic_write(tmp_path / "runs" / "1" / "a", b"x")
    assert (tmp_path / "runs" / "1" / "a").read_bytes() == b"x"


def test_a_link_stays_a_link(tmp_path: Path) -> None:
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "elsewhere" / "a")
    atomic_write(tmp_path / "link", b"x")
    assert (tmp_path / "link").is_symlink()
    assert (tmp_path / "elsewhere" / "a").read_bytes() == b"x"


def test_the_data_is_on_the_disk_before_the_name_and_the_name_before_the_end(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    order: list[str] = []
    fsync, replace = os.fsync, Path.replace

    def note_fsync(descriptor: int) -> None:
        order.append("sync file" if Path(f"/dev/fd/{descriptor}").is_file() else "sync folder")
        fsync(descriptor)

    def note_replace(self: Path, target: Path) -> Path:
        order.append("rename")
        return replace(self, target)

    monkeypatch.setattr(os, "fsync", note_fsync)
    monkeypatch.setattr(Path, "replace", note_replace)
    atomic_write(tmp_path / "a", b"x")
    assert order == ["sync file", "rename", "sync folder"]


def test_a_full_disk_is_told_and_leaves_the_old_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    atomic_write(tmp_path / "a", b"old")

    def full(descriptor: int) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(FileError, match=r"cannot write .*: No space left on device"):
        atomic_write(tmp_path / "a", b"new")
    assert (tmp_path / "a").read_bytes() == b"old"
    assert names(tmp_path) == ["a"]


def test_a_limit_on_file_size_is_told_and_leaves_the_old_file(tmp_path: Path) -> None:
    atomic_write(tmp_path / "a", b"old")
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, hard))
    try:
        with pytest.raises(FileError, match="File too large"):
            atomic_write(tmp_path / "a", bytes(1_000_000))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert (tmp_path / "a").read_bytes() == b"old"
    assert names(tmp_path) == ["a"]


def test_a_folder_in_the_way_is_told(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    with pytest.raises(FileError, match="a is a folder; the name of a file to write is expected"):
        atomic_write(tmp_path / "a", b"x")
    assert names(tmp_path) == ["a"]


KILLED_IN_THE_MIDDLE = """
import os, signal, sys
from pellucid import files
os.fsync = lambda descriptor: os.kill(os.getpid(), signal.SIGKILL)
files.atomic_write(sys.argv[1], b"new")
"""


def test_what_a_killed_writer_left_is_swept_by_the_next(tmp_path: Path) -> None:
    atomic_write(tmp_path / "a", b"old")
    killed = subprocess.run([sys.executable, "-c", KILLED_IN_THE_MIDDLE, str(tmp_path / "a")])
    assert killed.returncode == -signal.SIGKILL
    assert (tmp_path / "a").read_bytes() == b"old"
    assert len(names(tmp_path)) == 2
    (tmp_path / ".ab.0.partial").write_bytes(b"another file's")
    atomic_write(tmp_path / "a", b"new")
    assert names(tmp_path) == [".ab.0.partial", "a"]


def test_a_writer_at_work_is_not_swept_away(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fsync, slow = os.fsync, threading.Event()

    def wait(descriptor: int) -> None:
        if threading.current_thread().name == "slow":
            slow.set()
            time.sleep(0.1)
        fsync(descriptor)

    monkeypatch.setattr(os, "fsync", wait)
    writer = threading.Thread(target=atomic_write, args=(tmp_path / "a", b"slow"), name="slow")
    writer.start()
    slow.wait()
    atomic_write(tmp_path / "a", b"fast")
    writer.join()
    assert (tmp_path / "a").read_bytes() == b"slow"
    assert names(tmp_path) == ["a"]
