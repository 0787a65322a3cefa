"""Files that are there whole or not at all."""

import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO

from pellucid.errors import FileError, PellucidError

try:
    import fcntl
except ImportError:  # Windows, where an open file cannot be removed anyway
    fcntl = None  # type: ignore[assignment]  # the usual form for a module that a platform lacks


def check_is_file(
    path: str | os.PathLike[str], what: str, error: type[PellucidError] = FileError
) -> None:
    """Raise an error where `path` is a folder, and `what`, such as "a CSV file", is expected."""
    if Path(path).is_dir():
        raise error(f"{os.fspath(path)} is a folder; {what} is expected")


def atomic_write(path: str | Path, data: bytes) -> None:
    """Write `data` to `path`: a reader, or a crash at any moment, sees the old file or the new one.

    The data goes to a temporary file in the same folder, is forced to the disk, and takes the final
    name in one step; then the folder, which holds the name, is forced to the disk as well. What
    killed writers left of earlier attempts is swept away. Missing parent folders are made.

    Raises
    ------
    FileError
        The disk is full, the folder cannot be written to, or the like. `path` is as it was.

    Examples
    --------
    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     atomic_write(Path(folder) / "note.txt", b"whole")
    ...     (Path(folder) / "note.txt").read_text()
    'whole'
    """
    check_is_file(path, "the name of a file to write")
    target = Path(os.path.realpath(path))  # a link stays a link
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        _sweep(target)
        with _temporary(target) as partial:
            _write(partial, data)
            partial.replace(target)
        _sync_folder(target.parent)
    except OSError as error:
        raise FileError(
            f"cannot write {path}: {error.strerror or error}; what was there before is unchanged"
        ) from error


@contextmanager
def _temporary(target: Path) -> Iterator[Path]:
    """Yield the name of a file beside `target` that is gone when the block ends, used or not."""
    partial = target.with_name(f".{target.name}.{secrets.token_hex(4)}.partial")
    try:
        yield partial
    finally:
        with suppress(OSError):
            partial.unlink(missing_ok=True)


def _write(partial: Path, data: bytes) -> None:
    with partial.open("xb") as file:
        with suppress(OSError):  # a file system without locks
            _lock(file)  # until the file is closed it says that its writer lives
        file.write(data)
        file.flush()
        os.fsync(file.fileno())


def _sweep(target: Path) -> None:
    """Remove temporary files of `target` whose writers are gone."""
    leftovers = [
        path
        for path in target.parent.iterdir()
        if path.name.startswith(f".{target.name}.") and path.suffix == ".partial"
    ]
    for leftover in leftovers:
        with suppress(OSError):  # a living writer's, or another sweeper was here
            with leftover.open("rb") as file:
                _lock(file)
            leftover.unlink()


def _lock(file: IO[bytes]) -> None:
    if fcntl is not None:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)


def _sync_folder(folder: Path) -> None:
    if hasattr(os, "O_DIRECTORY"):  # elsewhere a folder cannot be opened
        descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
