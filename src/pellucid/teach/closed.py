"""Restrict a process before it runs code that somebody else has written.

This prevents harm from honest mistakes: unlimited memory, overwritten files, network access. It
does not contain malicious programs; run those on a disposable machine.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import sys
from pathlib import Path
from typing import Any

_NEW_USERS, _NEW_NETWORK = 0x10000000, 0x40000000  # CLONE_NEWUSER, CLONE_NEWNET of Linux
_FORBIDDEN = {
    "socket.connect": "the network",
    "socket.getaddrinfo": "the network",
    "socket.bind": "the network",
    "socket.sendto": "the network",
    "subprocess.Popen": "other programs",
    "os.system": "other programs",
    "os.exec": "other programs",
    "os.posix_spawn": "other programs",
    "os.fork": "other programs",
    "os.kill": "other programs",
}
_CHANGES = (
    "os.remove",
    "os.rename",
    "os.rmdir",
    "os.mkdir",
    "os.link",
    "os.symlink",
    "os.truncate",
)


def close(folder: Path, memory: int) -> None:
    """Limit this process to `memory` MB, without network or programs, writing only in `folder`."""
    _limit(memory)
    if sys.platform == "linux":
        kinds = _NEW_NETWORK if os.getuid() == 0 else _NEW_USERS | _NEW_NETWORK
        with contextlib.suppress(OSError):  # the system may refuse; the checks below remain
            ctypes.CDLL(None).unshare(kinds)
    inside = str(folder.resolve())

    def refuse(event: str, arguments: tuple[Any, ...]) -> None:
        if what := _FORBIDDEN.get(event):
            raise PermissionError(f"a submission may not use {what}")
        writes = event == "open" and arguments[2] & (os.O_WRONLY | os.O_RDWR | os.O_CREAT)
        if (writes or event in _CHANGES) and not _within(inside, arguments[0]):
            raise PermissionError(f"a submission may not write {arguments[0]}")

    sys.addaudithook(refuse)


def _limit(memory: int) -> None:
    try:
        import resource
    except ImportError:  # Windows: only time is limited
        return
    limits = {resource.RLIMIT_AS: memory << 20, resource.RLIMIT_FSIZE: 64 << 20}
    for limit, most in limits.items():
        with contextlib.suppress(ValueError, OSError):  # a smaller limit is in force
            resource.setrlimit(limit, (most, most))


def _within(folder: str, path: Any) -> bool:
    if isinstance(path, int):  # a file that is open already
        return True
    real = os.path.realpath(os.fsdecode(path))
    return real == os.devnull or os.path.commonpath([folder, real]) == folder
