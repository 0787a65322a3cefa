"""Parallel branches whose outputs are concatenated."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Self

import numpy as np

from pellucid import ops
from pellucid.errors import ShapeError
from pellucid.layers.base import Layer, StepContext
from pellucid.layers.combinator import (
    Build,
    Combinator,
    Describe,
    describe_all,
    named,
    names_and_descriptions,
)
from pellucid.layers.merge import Cat
from pellucid.layers.observers import run_backward, run_forward
from pellucid.layers.wiring import Wire, Wiring
from pellucid.ops.shape import joined_shape
from pellucid.types import Array, Shape


class Concat(Combinator):
    """Apply branches to the same input and concatenate their outputs along the channels.

    ``y = [b₁(x), b₂(x), …]``. The backward pass splits dy into the branches' parts and adds the
    gradients at the input: ``dx = Σᵢ bᵢ′(dyᵢ)``. An inception module is a Concat; a layer of a
    dense block is a Concat with an Identity.
    Source: Szegedy et al., "Going deeper with convolutions", 2014, sec. 4.

    Examples
    --------
    >>> from pellucid import layers as nn
    >>> module = nn.Concat(nn.Conv2d(3, 4, 1), nn.Conv2d(3, 8, 3, padding=1))
    >>> module.output_shape((1, 3, 8, 8))
    (1, 12, 8, 8)
    """

    entries = ("branches",)

    def __init__(self, *branches: Layer | Mapping[str, Layer], **by_name: Layer) -> None:
        self.branches = named(branches, by_name)
        if not self.branches:
            raise ShapeError("Concat needs at least one branch")
        self._paths()

    def children(self) -> dict[str, Layer]:
        return self.branches

    def forward(self, x: Array, training: StepContext | None = None) -> tuple[Array, Any]:
        self.name_parameters()
        outputs, caches = zip(
            *(run_forward(branch, x, training) for branch in self.branches.values()), strict=True
        )
        ends = np.cumsum([y.shape[1] for y in outputs])
        return ops.concatenate(outputs, axis=1), (caches, ends)

    def backward(self, dy: Array, cache: Any, *, input_gradient: bool = True) -> Any:
        caches, ends = cache
        pieces = ops.split(dy, ends, axis=1)
        gradients = [
            run_backward(branch, piece, cache, input_gradient)
            for branch, piece, cache in zip(self.branches.values(), pieces, caches, strict=True)
        ]
        return ops.total(gradients) if input_gradient else None

    def output_shape(self, input_shape: Shape) -> Shape:
        return joined_shape(
            [self.child_shape(name, b, input_shape) for name, b in self.branches.items()], 1
        )

    def child_inputs(self, input_shape: Any) -> Iterator[tuple[str, Layer, Any]]:
        for name, branch in self.branches.items():
            yield name, branch, input_shape

    def wiring(self) -> Wiring:
        branches = [Wire(name, branch, (0,)) for name, branch in self.branches.items()]
        count = len(branches)
        joined = Wire("cat", Cat(axis=1), tuple(range(1, count + 1)))
        return Wiring(1, (*branches, joined), (count + 1,))

    def parts(self, describe: Describe) -> dict[str, Any]:
        return {"branches": describe_all(self.branches, describe)}

    @classmethod
    def from_parts(cls, parts: dict[str, Any], build: Build, input_shape: Any) -> Self:
        branches = names_and_descriptions(parts["branches"])
        return cls({name: build(name, d, input_shape) for name, d in branches.items()})
