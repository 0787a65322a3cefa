"""What an ONNX file says, as plain data: the rest of the reader knows nothing of protobuf."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from pellucid.types import Array

Attribute = Any
"""An int, a float, a text, a list of one of these, an array, or a `FileGraph`."""


@dataclass(frozen=True)
class Node:
    """One operator: what it is called, what it reads and what it gives."""

    op: str
    name: str
    inputs: Sequence[str]
    outputs: Sequence[str]
    attributes: Mapping[str, Attribute]
    domain: str = ""


@dataclass(frozen=True)
class Input:
    """An input of the graph: its type, and its sizes, None where the file leaves one open.

    `axes` are the names that the file has for open sizes, "" where it has none.
    """

    name: str
    dtype: str
    shape: tuple[int | None, ...] | None
    axes: tuple[str, ...] = ()


@dataclass(frozen=True)
class FileGraph:
    """The graph in a file: nodes in order, the arrays that it holds, and what goes in and out."""

    nodes: Sequence[Node]
    constants: Mapping[str, Array]
    inputs: Sequence[Input]
    outputs: Sequence[str]


@dataclass(frozen=True)
class Model:
    """A graph, the version of its operators, and what the file says about itself."""

    graph: FileGraph
    opset: int
    metadata: Mapping[str, str]
    producer: str = ""
