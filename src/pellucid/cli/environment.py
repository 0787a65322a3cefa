"""The environment of a run, recorded so that the run can be reproduced."""

import os
import platform
from datetime import UTC, datetime
from importlib import metadata
from pathlib import Path

_CPU = Path("/proc/cpuinfo")


def environment(engine: str, threads: int) -> dict[str, str]:
    """Return the date, the versions and the machine, by name."""
    return {
        "begun": datetime.now(UTC).strftime("%Y-%m-%d %H:%M UTC"),
        "versions": ", ".join(_versions(engine)),
        "threads": str(threads),
        "processor": f"{_processor()}, {os.cpu_count()} logical cores",
        "system": platform.platform(terse=True),
    }


def _versions(engine: str) -> list[str]:
    packages = ["numpy", "numba"] if engine == "compiled" else ["numpy"]
    named = [f"{package} {metadata.version(package)}" for package in packages]
    return [f"Python {platform.python_version()}", *named]


def _processor() -> str:
    """Return the name of the processor, as far as the system tells it."""
    try:
        lines = _CPU.read_text(encoding="utf-8").splitlines()
    except OSError:
        lines = []
    named = (line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    return next(named, "") or platform.processor() or platform.machine()
