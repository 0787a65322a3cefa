"""One process to a run: a lock on its folder, held as long as the process lives."""

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
    fcntl = None  # type: ignore[assignment]  # the usual form for a module that a platform lacks

NAME = ".lock"


@contextmanager
def locked(folder: Path) -> Iterator[None]:
    """Keep other processes out of a run's folder inside the ``with`` block.

    The system holds the lock, on the file ``.lock``, and lets it go when the process ends, however
    it ends. So a file that a killed process left locks nothing. What is written in it is for
    people: which process it is, on which host, since when.

    Raises
    ------
    FileError
        Another process has the run.
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
            if os.name != "nt":  # there an open file cannot be removed
                with suppress(OSError):
                    path.unlink()


def is_held(folder: Path) -> bool:
    """Return whether a living process has the run in `folder`."""
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
    """Take the lock, or say who has it."""
    try:
        if fcntl is not None:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        else:
            import msvcrt

            file.seek(0)
            msvcrt.locking(file.fileno(), msvcrt.LK_NBLCK, 1)  # type: ignore[attr-defined, unused-ignore]  # Windows alone
    except (BlockingIOError, PermissionError):  # the latter on Windows
        raise _taken(file, folder) from None
    except OSError:  # a file system without locks: what is written there has to do
        _believe(file, folder)
    if fcntl is not None and not _is_still_there(file, folder / NAME):
        raise FileError(f"{folder}: another process has just ended or replaced this run; try again")


def _is_still_there(file: IO[str], path: Path) -> bool:
    """Return whether the file that was locked is the one at its path: who had it removed it."""
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
