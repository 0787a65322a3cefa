"""The folder for data sets and compiled kernels."""

import os
import sys
from pathlib import Path


def cache_folder() -> Path:
    r"""Return the folder for what is kept between runs.

    It is ``PELLUCID_HOME`` if set, otherwise the platform's cache folder:
    ``~/.cache/pellucid`` on Linux (or in XDG_CACHE_HOME), ``~/Library/Caches/pellucid`` on macOS,
    and ``%LOCALAPPDATA%\pellucid`` on Windows. It may not exist yet.
    """
    if chosen := os.environ.get("PELLUCID_HOME"):
        return Path(chosen).expanduser()
    if sys.platform == "win32":
        caches = os.environ.get("LOCALAPPDATA") or Path.home() / "AppData" / "Local"
    elif sys.platform == "darwin":
        caches = Path.home() / "Library" / "Caches"
    else:
        caches = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(caches) / "pellucid"
