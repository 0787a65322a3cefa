"""What a framework costs before it computes anything: its import, and its place on the disk."""

import subprocess
import sys
import time
from importlib.metadata import Distribution, PackageNotFoundError, distribution
from importlib.util import find_spec
from pathlib import Path

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from benchmarks.contestants import ON_NUMPY, PELLUCID, PYTORCH

MODULES = {
    "Python alone": "sys",
    "NumPy": "numpy",
    PELLUCID: "pellucid.training",  # the name alone loads nothing yet
    ON_NUMPY: "pellucid.training",
    PYTORCH: "torch",
    "JAX": "jax",
    "TensorFlow": "tensorflow",
    "ONNX Runtime": "onnxruntime",
}
PACKAGES = {
    "NumPy": ("numpy",),
    PELLUCID: ("pellucid", "numba"),
    ON_NUMPY: ("pellucid",),
    PYTORCH: ("torch",),
    "JAX": ("jax",),
    "TensorFlow": ("tensorflow", "tensorflow-cpu"),
    "ONNX Runtime": ("onnxruntime",),
}


def import_seconds(turns: int = 3) -> dict[str, list[float]]:
    """Return how long ``python -c "import …"`` takes from start to end, in turns."""
    present = {name: module for name, module in MODULES.items() if find_spec(module) is not None}
    seconds: dict[str, list[float]] = {name: [] for name in present}
    for turn in range(turns + 1):
        for name, module in present.items():
            began = time.perf_counter()
            command = [sys.executable, "-c", f"import {module}"]
            subprocess.run(command, check=True, capture_output=True)
            if turn:  # the first brings the files into memory
                seconds[name].append(time.perf_counter() - began)
    return seconds


def installed_bytes() -> dict[str, int]:
    """Return the size of what pip installed for each, with all that it needs."""
    sizes = {}
    for name, packages in PACKAGES.items():
        needed = {key: value for package in packages for key, value in closure(package).items()}
        if needed:
            sizes[name] = sum(map(size, needed.values()))
    return sizes


def closure(package: str) -> dict[str, Distribution]:
    """Return a package and all that it needs, by name; nothing if it is not installed."""
    found: dict[str, Distribution] = {}
    waiting = [package]
    while waiting:
        name = canonicalize_name(waiting.pop())
        if name in found:
            continue
        try:
            found[name] = distribution(name)
        except PackageNotFoundError:
            continue
        for text in found[name].requires or ():
            requirement = Requirement(text)
            if requirement.marker is None or requirement.marker.evaluate({"extra": ""}):
                waiting.append(requirement.name)
    return found


def size(package: Distribution) -> int:
    """Return the bytes of a package's files, without those that Python compiled."""
    files = [Path(str(package.locate_file(file))) for file in package.files or ()]
    if any(file.name.startswith("_editable") for file in files):  # the files are elsewhere
        spec = find_spec(package.metadata["Name"])
        assert spec is not None
        files += [
            file
            for place in spec.submodule_search_locations or ()
            for file in Path(place).rglob("*")
        ]
    return sum(f.stat().st_size for f in files if f.is_file() and "__pycache__" not in f.parts)
