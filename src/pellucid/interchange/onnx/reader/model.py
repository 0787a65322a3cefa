"""The contents of an ONNX file as plain data, so that only `file.py` depends on protobuf."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from pellucid.types import Array

Attribute = Any
"""An int, a float, a string, a list of one of these, an array, or a `FileGraph`."""


@dataclass(frozen=True)
class Node:
    """One node: its operator, inputs, outputs and attributes."""

    op: str
    name: str
    inputs: Sequence[str]
    outputs: Sequence[str]
    attributes: Mapping[str, Attribute]
    domain: str = ""


@dataclass(frozen=True)
class Input:
    """An input of the graph: its type and its sizes, None where the file leaves a size open.

    `axes` holds the names of open sizes, "" for those without a name.
    """

    name: str
    dtype: str
    shape: tuple[int | None, ...] | None
    axes: tuple[str, ...] = ()


@dataclass(frozen=True)
class FileGraph:
    """The graph in a file: its nodes in order, its arrays, inputs and outputs."""

    nodes: Sequence[Node]
    constants: Mapping[str, Array]
    inputs: Sequence[Input]
    outputs: Sequence[str]


@dataclass(frozen=True)
class Model:
    """A graph, the version of its operators, and the file's metadata."""

    graph: FileGraph
    opset: int
    metadata: Mapping[str, str]
    producer: str = ""
