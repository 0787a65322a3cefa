"""The machine and the software on which it is measured."""

import platform
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from benchmarks.process import granted_processors

PACKAGES = ("numpy", "numba", "torch", "jax", "tensorflow-cpu", "tensorflow", "onnxruntime")

VECTORS = {"avx512f": "AVX-512", "avx2": "AVX2"}


def machine() -> dict[str, Any]:
    """Return what the machine is, without its name."""
    return {
        "processor": _processor(),
        "processors": granted_processors(),
        "system": f"{platform.system()} {platform.machine()}",
    }


def versions() -> dict[str, str]:
    """Return the versions of Python and of the packages that are installed."""
    found = {"python": platform.python_version()}
    for package in ("pellucid", *PACKAGES):
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            continue
    return found


def _processor() -> str:
    """Return the model's name and its widest vectors."""
    lines = Path("/proc/cpuinfo").read_text() if Path("/proc/cpuinfo").exists() else ""
    known = {}
    for line in lines.splitlines():
        key, _, value = line.partition(":")
        known[key.strip()] = value.strip()
    name = known.get("model name") or platform.processor() or "unknown"
    flags = known.get("flags", "").split()
    widest = next((name for flag, name in VECTORS.items() if flag in flags), None)
    return f"{name} with {widest}" if widest else name
