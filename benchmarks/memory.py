"""How much memory a process holds, as Linux counts it; elsewhere the peak alone.

`pellucid.interchange.compare` counts in the same way. A contestant cannot take it from there: with
it would come Pellucid, whose memory and time to load would count as the contestant's.
"""

import sys
from pathlib import Path

STATUS = Path("/proc/self/status")


def resident() -> int | None:
    """Return the bytes of memory that this process holds now."""
    return _status("VmRSS")


def forget_peak() -> None:
    """Let `peak` count from now on."""
    if STATUS.exists():
        Path("/proc/self/clear_refs").write_text("5")


def peak() -> int:
    """Return the most bytes of memory that this process held."""
    found = _status("VmHWM")
    if found is not None:
        return found
    import resource

    unit = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit


def _status(key: str) -> int | None:
    if not STATUS.exists():
        return None
    lines = dict(line.split(":", 1) for line in STATUS.read_text().splitlines())
    return int(lines[key].split()[0]) * 1024
