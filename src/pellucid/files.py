"""Write files completely or not at all."""

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
    fcntl = None  # type: ignore[assignment]  # missing on this platform


def check_is_file(
    path: str | os.PathLike[str], what: str, error: type[PellucidError] = FileError
) -> None:
    """Raise an error if `path` is a folder rather than `what`, such as "a CSV file"."""
    if Path(path).is_dir():
        raise error(f"{os.fspath(path)} is a folder; {what} is expected")


def atomic_write(path: str | Path, data: bytes) -> None:
    """Write `data` to `path`, so that readers see the old file or the new one, even after a crash.

    The data is written to a temporary file in the same folder, flushed to disk, and renamed in one
    step; then the folder is flushed too. Temporary files of crashed writers are removed. Missing
    parent folders are created.

    Raises
    ------
    FileError
        The disk is full, the folder is not writable, or similar. `path` is unchanged.

    Examples
    --------
    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     atomic_write(Path(folder) / "note.txt", b"whole")
    ...     (Path(folder) / "note.txt").read_text()
    'whole'
    """
    check_is_file(path, "the name of a file to write")
    target = Path(os.path.realpath(path))  # write through a symbolic link
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        _sweep(target)
        with _temporary(target) as partial:
            _write(partial, data)
            partial.replace(target)
        _sync_folder(target.parent)
    except OSError as error:
        raise FileError(
            f"cannot write {path}: {error.strerror or error}; the previous file is unchanged"
        ) from error


@contextmanager
def _temporary(target: Path) -> Iterator[Path]:
    """Yield the name of a temporary file next to `target`, removed at the end of the block."""
    partial = target.with_name(f".{target.name}.{secrets.token_hex(4)}.partial")
    try:
        yield partial
    finally:
        with suppress(OSError):
            partial.unlink(missing_ok=True)


def _write(partial: Path, data: bytes) -> None:
    with partial.open("xb") as file:
        with suppress(OSError):  # a file system without locks
            _lock(file)  # held until the file is closed, to show that its writer is alive
        file.write(data)
        file.flush()
        os.fsync(file.fileno())


def _sweep(target: Path) -> None:
    """Remove temporary files of `target` whose writers no longer exist."""
    leftovers = [
        path
        for path in target.parent.iterdir()
        if path.name.startswith(f".{target.name}.") and path.suffix == ".partial"
    ]
    for leftover in leftovers:
        with suppress(OSError):  # its writer is alive, or another process removed it
            with leftover.open("rb") as file:
                _lock(file)
            leftover.unlink()


def _lock(file: IO[bytes]) -> None:
    if fcntl is not None:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)


def _sync_folder(folder: Path) -> None:
    if hasattr(os, "O_DIRECTORY"):  # other systems cannot open folders
        descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
