"""Where data sets and compiled kernels are kept."""

import os
import sys
from pathlib import Path


def cache_folder() -> Path:
    r"""Return the folder for what is kept between runs.

    It is ``PELLUCID_HOME`` where that is set, otherwise the platform's folder for caches:
    ``~/.cache/pellucid`` on Linux (or under XDG_CACHE_HOME), ``~/Library/Caches/pellucid`` on macOS
    and ``%LOCALAPPDATA%\pellucid`` on Windows. It may not be there yet.
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
