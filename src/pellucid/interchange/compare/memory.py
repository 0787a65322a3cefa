"""Measure the memory of this process; only its peak on systems other than Linux."""

from __future__ import annotations

import sys
from pathlib import Path

_STATUS = Path("/proc/self/status")


def resident() -> int:
    """Return the bytes of memory that this process holds now, or its peak if that is unknown."""
    found = _status("VmRSS")
    return peak() if found is None else found


def forget_peak() -> None:
    """Reset the peak to the present value, where the system supports it."""
    try:
        Path("/proc/self/clear_refs").write_text("5")
    except OSError:
        return


def peak() -> int:
    """Return the largest number of bytes of memory that this process has held."""
    found = _status("VmHWM")
    if found is not None:
        return found
    import resource

    unit = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit


def _status(key: str) -> int | None:
    if not _STATUS.exists():
        return None
    lines = dict(line.split(":", 1) for line in _STATUS.read_text().splitlines() if ":" in line)
    return int(lines[key].split()[0]) * 1024 if key in lines else None
