"""A lock on a run's folder, so that only one process at a time works on the run."""

import json
import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import IO, Any

from pellucid.errors import FileError

try:
    import fcntl
except ImportError:  # Windows
    fcntl = None  # type: ignore[assignment]  # usual pattern for a module that a platform lacks

NAME = ".lock"


@contextmanager
def locked(folder: Path) -> Iterator[None]:
    """Lock a run's folder against other processes inside the ``with`` block.

    The operating system holds the lock on the file ``.lock`` and releases it when the process ends
    for any reason, so a file left by a killed process locks nothing. The file's content is only
    informative: the process, its host, and the time.

    Raises
    ------
    FileError
        Another process holds the lock.
    """
    path = folder / NAME
    with path.open("a+", encoding="utf-8") as file:
        _take(file, folder)
        file.seek(0)
        file.truncate()
        json.dump(_owner(), file)
        file.flush()
        try:
            yield
        finally:
            if os.name != "nt":  # Windows cannot remove an open file
                with suppress(OSError):
                    path.unlink()


def is_held(folder: Path) -> bool:
    """Return whether a running process holds the lock of `folder`."""
    path = folder / NAME
    try:
        with path.open("r+", encoding="utf-8") as file:
            if fcntl is None:
                return _lives(_read(file).get("process"))
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return False
    except BlockingIOError:
        return True
    except OSError:
        return False


def _take(file: IO[str], folder: Path) -> None:
    """Acquire the lock, or raise an error that names its holder."""
    try:
        if fcntl is not None:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        else:
            import msvcrt

            file.seek(0)
            msvcrt.locking(file.fileno(), msvcrt.LK_NBLCK, 1)  # type: ignore[attr-defined, unused-ignore]  # Windows alone
    except (BlockingIOError, PermissionError):  # the latter on Windows
        raise _taken(file, folder) from None
    except OSError:  # the file system has no locks: rely on the file's content
        _believe(file, folder)
    if fcntl is not None and not _is_still_there(file, folder / NAME):
        raise FileError(f"{folder}: another process has just ended or replaced this run; try again")


def _is_still_there(file: IO[str], path: Path) -> bool:
    """Return whether the locked file is still at `path`; its previous holder removes it."""
    try:
        return os.path.samestat(os.fstat(file.fileno()), path.stat())
    except OSError:
        return False


def _believe(file: IO[str], folder: Path) -> None:
    owner = _read(file)
    if owner.get("host") == socket.gethostname() and not _lives(owner.get("process")):
        return
    if owner:
        raise _taken(file, folder, f"; if that process is gone, delete {folder / NAME}")


def _lives(process: Any) -> bool:
    try:
        os.kill(int(process), 0)
    except PermissionError:
        return True
    except (OSError, ValueError, TypeError):
        return False
    return True


def _owner() -> dict[str, Any]:
    now = datetime.now(UTC).strftime("%Y-%m-%d %H:%M UTC")
    return {"process": os.getpid(), "host": socket.gethostname(), "since": now}


def _read(file: IO[str]) -> dict[str, Any]:
    file.seek(0)
    with suppress(OSError, ValueError):
        found = json.loads(file.read())
        return found if isinstance(found, dict) else {}
    return {}


def _taken(file: IO[str], folder: Path, hint: str = "") -> FileError:
    owner = _read(file)
    who = "another process"
    if owner:
        who = f"process {owner.get('process')} on {owner.get('host')}, since {owner.get('since')}"
    return FileError(f"the run in {folder} is being computed by {who}{hint}")
