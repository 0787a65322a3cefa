"""Levels of processors: what all machines of a level can do, so that machine code made for it runs.

Source: "x86-64 psABI", section "Micro-architecture levels".
"""

from typing import Any, NamedTuple

from llvmlite import binding
from numba.core import config

_V3 = (
    *("cx16", "popcnt", "sahf", "sse3", "ssse3", "sse4.1", "sse4.2"),
    *("avx", "avx2", "bmi", "bmi2", "f16c", "fma", "lzcnt", "movbe"),
)
_V4 = (*_V3, "avx512f", "avx512bw", "avx512cd", "avx512dq", "avx512vl")


class Level(NamedTuple):
    """The processor that a compiler is told to compile for.

    Attributes
    ----------
    name
        As LLVM calls it.
    architecture
        As LLVM's triples begin.
    needs
        What a machine must have.
    """

    name: str
    architecture: str
    needs: tuple[str, ...]

    @property
    def features(self) -> str:
        """What is asked for, as LLVM is told."""
        return ",".join(f"+{feature}" for feature in self.needs)


LEVELS = (
    Level("x86-64-v4", "x86_64", _V4),
    Level("x86-64-v3", "x86_64", _V3),
    Level("generic", "aarch64", ("neon",)),
)
"""The highest first."""


def target_features() -> dict[str, bool]:
    """Return what the processor can do that is compiled for: this one, or the one Numba is told."""
    settings: Any = config
    if settings.CPU_FEATURES is None:
        found: dict[str, bool] = binding.get_host_cpu_features()
        return found
    return {
        feature[1:]: feature[0] == "+" for feature in settings.CPU_FEATURES.split(",") if feature
    }


def level_of(architecture: str) -> Level | None:
    """Return the highest level of this machine, unless Numba is told to compile for another."""
    settings: Any = config
    if settings.CPU_NAME is not None or settings.CPU_FEATURES is not None:
        return None
    found = binding.get_host_cpu_features()
    for level in LEVELS:
        if level.architecture == architecture and all(map(found.get, level.needs)):
            return level
    return None
