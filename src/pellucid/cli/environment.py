"""With what a run is made, so that it can be made again."""

import os
import platform
import sys
from datetime import UTC, datetime
from importlib import metadata
from pathlib import Path

_CPU = Path("/proc/cpuinfo")


def environment(threads: int) -> dict[str, str]:
    """Return today's date, the versions and the machine, by what they are called."""
    return {
        "begun": datetime.now(UTC).strftime("%Y-%m-%d %H:%M UTC"),
        "versions": ", ".join(_versions()),
        "threads": str(threads),
        "processor": f"{_processor()}, {os.cpu_count()} logical cores",
        "system": platform.platform(terse=True),
    }


def _versions() -> list[str]:
    found = [f"Python {platform.python_version()}"]
    for package in ("numpy", "numba"):
        if package in sys.modules:
            found.append(f"{package} {metadata.version(package)}")
    return found


def _processor() -> str:
    """Return what the processor is called, as far as the system tells."""
    try:
        lines = _CPU.read_text(encoding="utf-8").splitlines()
    except OSError:
        lines = []
    named = (line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    return next(named, "") or platform.processor() or platform.machine()
