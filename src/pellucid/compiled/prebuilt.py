"""Kernels that were compiled elsewhere, from the package pellucid-kernels.

Its files are named as those that are compiled here, by a hash of all that their machine code
depends on, for a level of processors. They are code, so they are read only from where packages are
installed, and only as they were installed: their hashes are compared with the package's RECORD.
"""

import base64
import hashlib
import site
import sysconfig
from contextlib import suppress
from functools import cache
from importlib import metadata
from pathlib import Path

from pellucid.compiled import store

PACKAGE = "pellucid_kernels"


def has(name: str) -> bool:
    """Return whether the package has a kernel of this name."""
    return name in _files()


def read(name: str) -> bytes | None:
    """Return the kernel of this name; None if it is not there, or not as it was installed."""
    if (file := _files().get(name)) is None or file.hash is None:
        return None
    with suppress(OSError):
        found = Path(file.locate()).read_bytes()
        digest = base64.urlsafe_b64encode(hashlib.sha256(found).digest()).decode().rstrip("=")
        if (file.hash.mode, file.hash.value) == ("sha256", digest):
            return store.checked(name, found)
    return None


@cache
def _files() -> dict[str, metadata.PackagePath]:
    """Return the package's kernels for these versions of Python and Numba, by their names."""
    with suppress(metadata.PackageNotFoundError, OSError, ValueError):
        found = metadata.distribution(PACKAGE)
        if _folder(found) in _where_packages_are():
            wanted = PACKAGE, store.kernel_folder().name
            return {file.name: file for file in found.files or () if file.parts[:-1] == wanted}
    return {}


def _folder(distribution: metadata.Distribution) -> Path:
    return Path(str(distribution.locate_file(""))).resolve()


def _where_packages_are() -> set[Path]:
    paths = [*site.getsitepackages(), site.getusersitepackages()]
    paths += [sysconfig.get_path(name) for name in ("purelib", "platlib")]
    return {Path(path).resolve() for path in paths}
