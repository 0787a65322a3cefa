"""The two kinds of values in an ONNX file: known when it is read, or computed by a layer."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from pellucid.errors import PellucidError
from pellucid.interchange.onnx.reader.size import Sizes
from pellucid.types import Array


class UnsupportedError(PellucidError):
    """A file uses something that Pellucid does not support."""


@dataclass(frozen=True)
class Constant:
    """An array that is known when the file is read, and its name in the file."""

    array: Array
    name: str = ""


@dataclass(frozen=True)
class Computed:
    """The output of a layer: the name of its node in the graph, and its sizes."""

    name: str
    sizes: Sizes


Known = Constant | Computed | Any
