"""Convert the nodes of an ONNX file, one after the other, to the layers of a `Graph`.

Every value of the file is either a `Constant`, an array that is known when the file is read, or a
`Computed`, which a layer computes when the graph runs. A node whose inputs are all known is
evaluated immediately (`fold.py`, `constants.py`); for any other, the converter of its operator adds
layers (`operators`). Shapes may contain the batch size as a `Batch`, so shape arithmetic is
evaluated here too.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from pellucid.errors import FileError
from pellucid.interchange.onnx.reader import fold
from pellucid.interchange.onnx.reader.builder import Builder
from pellucid.interchange.onnx.reader.call import Call
from pellucid.interchange.onnx.reader.constants import on_constants
from pellucid.interchange.onnx.reader.layout import TO_LAST
from pellucid.interchange.onnx.reader.model import FileGraph, Node
from pellucid.interchange.onnx.reader.operators import CONVERTERS
from pellucid.interchange.onnx.reader.size import Sizes
from pellucid.interchange.onnx.reader.tidy import with_biases
from pellucid.interchange.onnx.reader.values import Computed, Constant, Known, UnsupportedError
from pellucid.layers import Graph, Identity, Permute

_MOST_FOLDED = 2**24
"""Number of values that folding may create in addition to four times those in the file."""
_LISTED = 20
_LONGEST = 400


@dataclass(frozen=True)
class Plan:
    """The sizes of the graph's inputs, and the batch size that the file fixed, if any."""

    inputs: Mapping[str, Sizes]
    batch: int | None
    channels_last: frozenset[str] = frozenset()
    """Inputs for which the file expects channels last, while the graph takes them first."""


class Importer:
    """Convert the nodes of a file in order, and collect the layers.

    Parameters
    ----------
    opset
        Version of the operators.
    plan
        Sizes of the inputs.
    producer
        Program that wrote the file.
    """

    def __init__(self, opset: int, plan: Plan, producer: str = "") -> None:
        self.builder = Builder(opset, plan.batch, producer)
        self.known: dict[str, Known | None] = {"": None}
        self.problems: list[str] = []
        self._budget = _MOST_FOLDED
        self.inputs: list[str] = []
        for name, sizes in plan.inputs.items():
            value = self.builder.input(name, sizes)
            self.inputs.append(value.name)
            if name in plan.channels_last:
                value = self.builder.add(Permute(TO_LAST), (value,), f"{name}_channels_last")
            self.known[name] = value

    def run(self, graph: FileGraph) -> Graph:
        """Return the graph of layers, or raise an error that lists every unsupported part."""
        self.take(graph)
        outputs = [self._output(name) for name in graph.outputs]
        if self.problems:
            raise FileError(_message(self.problems))
        return Graph(
            with_biases(self.builder.needed(outputs), outputs),
            outputs[0] if len(outputs) == 1 else outputs,
            tuple(self.inputs),
        )

    def take(self, graph: FileGraph) -> None:
        """Convert a graph's arrays and nodes."""
        size = sum(array.size for array in graph.constants.values())
        self._budget += 4 * size
        self.builder.allow_weights(size)
        self.known |= {name: Constant(array, name) for name, array in graph.constants.items()}
        nodes = needed_nodes(graph)
        self.builder.read.update(graph.outputs)
        for node in nodes:
            self.builder.read.update(node.inputs, captured(node))
        for node in nodes:
            self._node(node)

    def _node(self, node: Node) -> None:
        for name in node.inputs:
            if name not in self.known:
                raise FileError(
                    f"{_where(node)} reads '{name[:100]}', which is neither an input nor computed "
                    "by an earlier node: the graph has a cycle, is not in order, or is truncated"
                )
        given = [self.known[name] for name in node.inputs]
        spoilt = any(isinstance(value, Missing) for value in given)
        try:
            results = self._results(node, given, spoilt)
        except FileError:  # not a problem of this node alone
            raise
        except (ValueError, TypeError, LookupError, ArithmeticError, MemoryError) as error:
            # layers and NumPy raise different errors for invalid sizes and arguments
            self.problems.append(f"{_where(node)}: {str(error)[:_LONGEST]}")
            results = ()
        for i, name in enumerate(node.outputs):
            if name:
                self.known[name] = results[i] if i < len(results) else Missing()

    def _results(self, node: Node, given: Any, spoilt: bool) -> tuple[Known, ...]:
        if node.domain:
            raise UnsupportedError(f"operators of '{node.domain[:100]}' are not supported")
        foldable = node.op in fold.FOLDS
        if node.op not in CONVERTERS and not foldable and node.op != "If":
            raise UnsupportedError(f"is not supported (opset {self.builder.opset})")
        if spoilt:
            return ()
        if node.op == "If":
            return self._branch(node, given[0])
        call = Call(node, given, self.builder)
        constant = all(isinstance(value, Constant) or value is None for value in given)
        if foldable and (constant or node.op in fold.OF_SHAPES):
            results: Any = fold.FOLDS[node.op](call)
        elif node.op not in CONVERTERS:
            raise UnsupportedError(f"of computed values is not supported (opset {call.opset})")
        elif constant:
            results = on_constants(call, CONVERTERS[node.op])
        else:
            results = CONVERTERS[node.op](call)
        outputs = results if isinstance(results, tuple) else (results,)
        call.check_all_was_read(len(outputs))
        self._count_values(given, outputs)
        return outputs

    def _count_values(self, given: Any, results: tuple[Known, ...]) -> None:
        """Count the values that folding creates, because many nodes could create far too many."""
        arrays = [value.array for value in given if isinstance(value, Constant)]
        for result in results:
            if isinstance(result, Constant):
                shared = any(np.may_share_memory(result.array, array) for array in arrays)
                self._budget -= 0 if shared or not any(result.array.strides) else result.array.size
        if self._budget < 0:
            raise FileError("computing this network's constants would take too much memory")

    def _branch(self, node: Node, condition: Any) -> tuple[Known, ...]:
        """Convert the chosen branch of an If, which exporters write for shapes they do not know."""
        if not isinstance(condition, Constant) or condition.array.size != 1:
            raise UnsupportedError("the condition is computed by the network, not a constant")
        branch = node.attributes.get("then_branch" if condition.array.any() else "else_branch")
        if not isinstance(branch, FileGraph):
            raise UnsupportedError("the node has no graph for its condition")
        self.take(branch)
        return tuple(self.known.get(name) or Missing() for name in branch.outputs)

    def _output(self, name: str) -> str:
        value = self.known.get(name)
        if isinstance(value, Computed):
            if value.name not in self.builder.nodes:
                value = self.builder.add(Identity(), (value,), name)
            return value.name
        if value is None:
            raise FileError(f"no node computes the output '{name[:100]}'")
        if isinstance(value, Constant):
            self.problems.append(f"the output '{name[:100]}' does not depend on any input")
        return ""


class Missing:
    """The result of a node that is not supported."""


def needed_nodes(graph: FileGraph) -> list[Node]:
    """Return the nodes on which the outputs depend, in the file's order."""
    wanted = set(graph.outputs)
    found = []
    for node in reversed(graph.nodes):
        if wanted.intersection(name for name in node.outputs if name):
            found.append(node)
            wanted.update(node.inputs, captured(node))
    return found[::-1]


def captured(node: Node) -> set[str]:
    """Return the names that a node's inner graphs may read from the outer graph."""
    inside = [value for value in node.attributes.values() if isinstance(value, FileGraph)]
    found: set[str] = set()
    for graph in inside:
        found.update(graph.outputs)
        for part in graph.nodes:
            found.update(part.inputs, captured(part))
    return found


def _where(node: Node) -> str:
    return f"{node.op[:60]} '{node.name[:100]}'" if node.name else node.op[:60]


def _message(problems: list[str]) -> str:
    """Return one message for all problems; a problem of many nodes is shown for the first."""
    more = len(problems) - _LISTED
    lines = problems[:_LISTED] + ([f"… and {more} more"] if more > 0 else [])
    return "this network cannot be read:\n  " + "\n  ".join(lines)
