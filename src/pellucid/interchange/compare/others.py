"""What other programs do while something is timed."""

from __future__ import annotations

import os
from pathlib import Path


def busy_seconds() -> float | None:
    """Return the processor seconds that all programs have taken since the start, on Linux."""
    stat = Path("/proc/stat")
    if not stat.exists():
        return None
    user, nice, system, _, _, irq, softirq, *_ = map(int, stat.read_text().split()[1:9])
    return (user + nice + system + irq + softirq) / os.sysconf("SC_CLK_TCK")
