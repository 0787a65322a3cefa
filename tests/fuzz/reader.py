"""What the fuzzer knows of each reader: how files for it are made, and how they are read."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from random import Random

Files = dict[str, bytes]
"""By the path inside a case's folder; the first is the one that is read."""


@dataclass(frozen=True)
class Reader:
    """One of the library's readers.

    Attributes
    ----------
    make
        Returns the files of a case: a valid file with something changed. All of them follow from
        the generator.
    read
        Reads the file at a path. Whatever it raises but a `PellucidError` is a fault.
    """

    make: Callable[[Random], Files]
    read: Callable[[Path], object]
