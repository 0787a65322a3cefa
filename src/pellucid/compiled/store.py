"""Compiled kernels on disk: one file for each kernel and each kind of arguments.

A file's name is a hash of everything that its machine code depends on, so a file that is found is
the right one, there is no index that two writers could spoil, and nothing is ever changed in place.

The files are code. So they are read only from a folder that nobody but the user can change: each
folder above it is looked at while it is opened, and files are opened relative to it. Each file
begins with a checksum, which is compared before anything is parsed: a damaged file is a miss. No
trouble here is ever an error: then a kernel is compiled, and stays in memory.
"""

import hashlib
import os
import re
import secrets
import stat
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from functools import cache
from importlib import metadata
from pathlib import Path

from pellucid.runtime.cache_folder import cache_folder

_FORMAT = "2"
_MAGIC = f"pellucid kernel {_FORMAT}\n".encode()
_CHECKSUM = 32  # bytes
_ABANDONED = 3600.0  # seconds after which an unfinished file has no writer any more
_DAY = 24 * 3600.0
_UNUSED = 30 * _DAY  # seconds after which a kernel that nobody has read is removed
_PACKAGE = "pellucid.compiled"
_MAKES_NO_CODE = {
    f"{_PACKAGE}.{name}"
    for name in ("ahead", "builder", "jit", "kept", "store", "prebuilt", "fallback")
}
"""What decides here about machine code is part of a kernel's key by itself."""

_CAN_BE_RELATIVE = {os.open, os.rename, os.unlink, os.mkdir} <= os.supports_dir_fd


def kernel_folder() -> Path:
    """Return where the kernels for these versions of Python and Numba are kept."""
    versions = (f"{name}{_version(name)}" for name in ("numba", "llvmlite"))
    return cache_folder() / "kernels" / "-".join((sys.implementation.cache_tag, *versions, _FORMAT))


@cache
def _version(package: str) -> str:
    return metadata.version(package)


def read(name: str) -> bytes | None:
    """Return what was written under this name; None if it is not there, or damaged."""
    with suppress(OSError), _opened(kernel_folder(), make=False) as folder:
        handle = os.open(_at(folder, name), os.O_RDONLY | _NO_LINKS, dir_fd=_descriptor(folder))
        with os.fdopen(handle, "rb") as file:
            _note_use(file.fileno())
            return checked(name, file.read())
    return None


def _note_use(handle: int) -> None:
    """Set a file's time to now, so that `sweep` sees that it is used; once a day is enough."""
    with suppress(OSError, TypeError, NotImplementedError):  # a platform may not do so by number
        if time.time() - os.fstat(handle).st_mtime > _DAY:
            os.utime(handle)


def has(name: str) -> bool:
    """Return whether something was written under this name."""
    return (kernel_folder() / name).exists()


def write(name: str, content: bytes) -> bool:
    """Keep `content` under this name, whole or not at all; return whether that could be done."""
    partial = f".{name}.{secrets.token_hex(4)}.partial"
    with suppress(OSError), _opened(kernel_folder(), make=True) as folder:
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_BINARY", 0)
        there = _descriptor(folder)
        handle = os.open(_at(folder, partial), flags, 0o600, dir_fd=there)
        try:
            with os.fdopen(handle, "wb") as file:
                file.write(_MAGIC + _checksum(name, content) + content)
            os.replace(_at(folder, partial), _at(folder, name), src_dir_fd=there, dst_dir_fd=there)
        except BaseException:
            with suppress(OSError):
                os.unlink(_at(folder, partial), dir_fd=there)
            raise
        return True
    return False


def kept_kernels() -> tuple[list[int], Path]:
    """Return the sizes in bytes of the kernels that are kept, and the folder."""
    folder = kernel_folder()
    with suppress(OSError):
        return [path.stat().st_size for path in folder.glob("*.kernel")], folder
    return [], folder


def sweep() -> None:
    """Remove what killed writers have left, and kernels of any version that are no longer used.

    Another process may read or remove the same files meanwhile: one that is open stays readable,
    and one that is gone is compiled anew.
    """
    folders: list[Path] = []
    with suppress(OSError):
        folders += (path for path in kernel_folder().parent.iterdir() if path.is_dir())
    for folder in folders:
        with suppress(OSError):
            for path in folder.iterdir():
                _remove_unused(path)
        if folder != kernel_folder():
            with suppress(OSError):
                folder.rmdir()  # if it is empty


def _remove_unused(path: Path) -> None:
    most = {".partial": _ABANDONED, ".kernel": _UNUSED}.get(path.suffix)
    with suppress(OSError):
        if most is not None and time.time() - path.lstat().st_mtime > most:
            path.unlink()


def why_not() -> str | None:
    """Return why no kernels can be kept, or None if they can."""
    try:
        with _opened(kernel_folder(), make=True):
            return None
    except OSError as error:
        return error.strerror or str(error)


def _checksum(name: str, content: bytes) -> bytes:
    """Return it for a file of this name: another file in its place has another one."""
    return hashlib.blake2b(content, digest_size=_CHECKSUM, key=name.encode()).digest()


def checked(name: str, found: bytes) -> bytes | None:
    """Return the content of a file of this name; None if it is damaged, or another's."""
    begin = len(_MAGIC) + _CHECKSUM
    content = found[begin:]
    return content if found[:begin] == _MAGIC + _checksum(name, content) else None


# The folder


_NO_LINKS = getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_BINARY", 0)
_AS_FOLDER = getattr(os, "O_DIRECTORY", 0) | getattr(os, "O_NOFOLLOW", 0)
_IN_PASSING = getattr(os, "O_PATH", os.O_RDONLY)

Folder = int | Path
"""A folder that is open, or its path where the platform opens no folders."""


def _descriptor(folder: Folder) -> int | None:
    return folder if isinstance(folder, int) else None


def _at(folder: Folder, name: str) -> str:
    return name if isinstance(folder, int) else str(folder / name)


@contextmanager
def _opened(path: Path, make: bool) -> Iterator[Folder]:
    """Yield the folder; an OSError says who else could change what lies in it."""
    real = Path(os.path.realpath(path))
    if make:
        real.mkdir(mode=0o700, parents=True, exist_ok=True)
    if not _CAN_BE_RELATIVE:
        yield real
        return
    handle = os.open(real.anchor, _IN_PASSING | _AS_FOLDER)
    try:
        _check(handle, Path(real.anchor), last=False)
        for depth, part in enumerate(real.parts[1:], start=2):
            below = os.open(part, _IN_PASSING | _AS_FOLDER, dir_fd=handle)
            os.close(handle)
            handle = below
            _check(handle, Path(*real.parts[:depth]), last=depth == len(real.parts))
        yield handle
    finally:
        os.close(handle)


def _check(handle: int, path: Path, last: bool) -> None:
    """Raise an error if others than the user and root may put something else into this folder."""
    found = os.fstat(handle)
    if found.st_uid not in ((os.getuid(),) if last else (os.getuid(), 0)):
        raise PermissionError(0, f"{path} belongs to another user")
    keeps_apart = found.st_mode & stat.S_ISVTX and not last  # as /tmp: what is one's own stays so
    if found.st_mode & stat.S_IWOTH and not keeps_apart:
        raise PermissionError(0, f"{path} can be written to by other users")
    if found.st_mode & stat.S_IWGRP and not keeps_apart and not _is_private(found.st_gid):
        raise PermissionError(0, f"{path} can be written to by a group of users")


@cache
def _is_private(group: int) -> bool:
    """Return whether a group is the user's own, as many systems make one for each user."""
    import grp
    import pwd

    with suppress(KeyError):
        entry, user = grp.getgrgid(group), pwd.getpwuid(os.getuid())
        return entry.gr_name == user.pw_name and not set(entry.gr_mem) - {user.pw_name}
    return False


# What a kernel's code depends on


@cache
def code_digest(module: str) -> str:
    """Return a hash of a module of this package and of all its modules that it imports."""
    if not module.startswith(f"{_PACKAGE}."):
        return ""  # a kernel of somebody else is known by its own code alone
    digest = hashlib.blake2b(digest_size=16)
    for name in sorted(_needed(module)):
        digest.update(name.encode() + _source(name))
    return digest.hexdigest()


def _needed(module: str) -> set[str]:
    found, waiting = set[str](), [module]
    while waiting:
        name = waiting.pop()
        if name not in found and name not in _MAKES_NO_CODE:
            found.add(name)
            waiting += _imports(name)
    return found


_IMPORT = re.compile(rf"^from ({re.escape(_PACKAGE)}[\w.]*) import (\([^)]*\)|.*)$", re.MULTILINE)


@cache
def _imports(module: str) -> list[str]:
    """Return the modules of this package that are named in a module's imports."""
    named = []
    for origin, names in _IMPORT.findall(_source(module).decode()):
        offered = [f"{origin}.{name}" for name in re.findall(r"\w+", names)]
        named += [name for name in [origin, *offered] if _path(name).is_file()]
    return named


@cache
def _source(module: str) -> bytes:
    return _path(module).read_bytes()


def _path(module: str) -> Path:
    return Path(__file__).parent.joinpath(*module.split(".")[2:]).with_suffix(".py")
