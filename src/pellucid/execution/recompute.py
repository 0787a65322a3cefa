"""Recompute activations in the backward pass instead of keeping them from the forward pass.

A network is cut into segments. The forward pass keeps only the input of each segment, and the
backward pass computes a segment again just before it needs what is inside. So the activations of
one segment and the inputs of all take memory, instead of all activations, at the cost of another
forward pass. Results are the same bit for bit: the same kernels compute the same numbers, random
numbers are drawn again from the same generators, and only the first pass updates running
statistics. Source: Chen et al., "Training deep nets with sublinear memory cost", 2016, sec. 4.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, is_dataclass
from itertools import groupby, pairwise
from typing import Any, NamedTuple

import numpy as np

from pellucid.execution.blocks import Block, Chain
from pellucid.execution.fusion import routing, series
from pellucid.execution.part import Part, tree
from pellucid.layers import Graph, Sequential, StepContext
from pellucid.runtime.workspace import Workspace, owner
from pellucid.types import Array


class Recomputed:
    """A part of which training keeps only the input, and which the backward pass computes again."""

    def __init__(self, part: Part) -> None:
        self.part = part
        self.inputs = getattr(part, "inputs", 1)

    def children(self) -> Mapping[str, Part]:
        return {"": self.part}

    def forward(self, x: Any, training: StepContext | None = None) -> tuple[Any, Any]:
        if training is None:
            return self.part.forward(x)
        again = training.repeated()
        y, _ = self.part.forward(x, training)
        return y, _Input(x, again)

    def backward(self, dy: Any, cache: Any, *, input_gradient: bool = True) -> Any:
        if isinstance(cache, _Input):
            _, cache = self.part.forward(cache.x, cache.training)
        return self.part.backward(dy, cache, input_gradient=input_gradient)

    def __repr__(self) -> str:
        return tree("Recomputed", {"": self.part})


@dataclass(frozen=True, eq=False)
class _Input:
    """The input of a part, and the context in which it is computed again."""

    x: Any
    training: StepContext


def recomputing(part: Part, x: Any) -> Part:
    """Return a part that computes the same as `part`, but needs less memory in training.

    Consecutive layers are cut into segments so that the most memory needed at any time is smallest.
    For that, the memory of each layer is measured in a forward pass for an input like `x`.
    """
    with Workspace().used():
        return _recomputing(part, x, StepContext(), keep_last=True)[0]


def _recomputing(part: Any, x: Any, training: StepContext, keep_last: bool) -> tuple[Part, Any]:
    """Return the part with segments, and its output for x.

    With `keep_last`, the last segment is not computed again, because its backward pass comes first.
    """
    if type(part) is Graph:
        return _graph(part, x, training)
    if type(part) is not Sequential:
        return (part if keep_last else Recomputed(part)), part.forward(x, training)[0]
    units, sizes = list(_units(part)), []
    for unit, size in _measured(units, x, training):
        sizes.append(size)
        x = unit
    parts: dict[str, Part] = {}
    starts = cuts(sizes)
    for start, end in pairwise([*starts, len(units)]):
        inside = _joined(units[start:end])
        segment = series(part, inside) if len(inside) > 1 else next(iter(inside.values()))
        kept = keep_last and end == len(units)
        parts[_name(list(inside))] = segment if kept else Recomputed(segment)
    return series(part, parts), x


def _graph(graph: Graph, x: Any, training: StepContext) -> tuple[Part, Any]:
    """Return a graph in which each node is computed again."""
    given = x if isinstance(x, tuple) else (x,)
    values, nodes = dict(zip(graph.graph_inputs, given, strict=True)), {}
    for name, (node, read) in graph.nodes.items():
        inputs = tuple(values[source] for source in read)
        x = inputs[0] if node.inputs == 1 else inputs
        part, values[name] = _recomputing(node, x, training, keep_last=False)
        nodes[name] = part, read
    found = tuple(values[name] for name in graph.outputs)
    return routing(graph, nodes=nodes), found[0] if graph.single_output else found


class _Unit(NamedTuple):
    """A part that is not cut; consecutive ones of the same chain can be joined again."""

    name: str
    part: Part
    chain: int | None = None


def _units(part: Sequential, path: str = "") -> Iterator[_Unit]:
    """Yield the parts that run one after the other."""
    for name, child in part.layers.items():
        where = f"{path}.{name}" if path else name
        if type(child) is Sequential:
            yield from _units(child, where)
        elif isinstance(child, Chain):
            for block, each in child.blocks.items():
                yield _Unit(f"{path}.{block}" if path else block, each, id(child))
        else:
            yield _Unit(where, child)


def _joined(units: Sequence[_Unit]) -> dict[str, Part]:
    """Return the parts by name, with consecutive blocks of a chain as a chain."""
    parts: dict[str, Part] = {}
    for chain, group in groupby(units, lambda unit: unit.chain):
        inside = {unit.name: unit.part for unit in group}
        if chain is not None and len(inside) > 1:
            blocks = {name: part for name, part in inside.items() if isinstance(part, Block)}
            parts[_name(list(blocks))] = Chain(blocks)
        else:
            parts |= inside
    return parts


def _name(names: Sequence[str]) -> str:
    return names[0] if len(names) == 1 else f"{names[0].split(' … ')[0]} … {names[-1]}"


# Where to cut


class Size(NamedTuple):
    """Memory of a unit in bytes: of its input, and of what it keeps for its backward pass.

    `kept` leaves out the input if the unit before keeps it anyway, or makes it again.
    """

    given: int
    kept: int


def cuts(sizes: Sequence[Size]) -> list[int]:
    """Return the first unit of each segment, such that the most memory needed is the least.

    While a segment's backward pass runs, the inputs of the segments up to it are in memory, and
    what its units keep.

    >>> cuts([Size(100, 100)] * 9)
    [0, 4, 7]
    """
    bounds = range(sum(size.given + size.kept for size in sizes) + 1)
    least = bisect_left(bounds, True, key=lambda bound: _within(sizes, bound) is not None)
    return _within(sizes, least) or [0]


def _within(sizes: Sequence[Size], bound: int) -> list[int] | None:
    """Return the first units of segments that never need more than `bound` bytes, or None.

    Of all ways to cut the units before each one, only that with the least stored inputs matters.
    """
    ways: list[tuple[int, list[int]] | None] = [(0, [])]
    for end in range(1, len(sizes) + 1):
        kept, found = 0, []
        for start in reversed(range(end)):
            kept += sizes[start].kept
            if (way := ways[start]) is not None:
                stored = way[0] + sizes[start].given
                if stored + kept <= bound:
                    found.append((stored, [*way[1], start]))
        ways.append(min(found, default=None))
    return None if ways[-1] is None else ways[-1][1]


def _measured(units: Sequence[_Unit], x: Any, training: StepContext) -> Iterator[tuple[Any, Size]]:
    """Yield the output and the size of each unit."""
    before: dict[int, Array] = {}  # keeps the arrays, so that no other gets their number
    chain = None
    for unit in units:
        y, cache = unit.part.forward(x, training)
        given, now = _owners(x), _owners(cache)
        makes_again = unit.chain is not None and unit.chain == chain
        skipped = given if makes_again else given.keys() & before.keys()
        kept = sum(array.nbytes for number, array in now.items() if number not in skipped)
        yield y, Size(sum(array.nbytes for array in given.values()), kept)
        x, before, chain = y, now, unit.chain


def _owners(item: Any) -> dict[int, Array]:
    """Return the arrays in nested data, each as the one that owns its memory."""
    if isinstance(item, np.ndarray):
        item = owner(item)
        return {id(item): item}
    if isinstance(item, Mapping):
        item = tuple(item.values())
    elif is_dataclass(item) and not isinstance(item, type):
        item = tuple(vars(item).values())
    if not isinstance(item, list | tuple):
        return {}
    return {number: array for each in item for number, array in _owners(each).items()}
