"""Find layers that can be computed in one pass, and fuse them."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from copy import copy
from itertools import groupby
from typing import Any, TypeVar, cast

from pellucid.execution.blocks import Block, Chain, FusedResidual
from pellucid.execution.part import Part
from pellucid.execution.runs import runs
from pellucid.layers import (
    BatchNorm2d,
    Concat,
    Conv2d,
    Graph,
    Layer,
    MaxPool2d,
    ReLU,
    Residual,
    Sequential,
)

L = TypeVar("L", bound=Layer)

_FOLLOW = (BatchNorm2d, ReLU, MaxPool2d)
"""Layers that may follow a convolution in a block, in this order, each at most once.

Without a convolution, a block begins with the normalisation.
"""


def fused(model: Layer) -> Part:
    """Return a part equivalent to `model`, with blocks in place of layers that can be fused."""
    if type(model) is Sequential:
        return series(model, dict(_chains(model)))
    if type(model) is Graph:
        return with_nodes(model, fused)
    if type(model) is Concat:
        branches = {name: fused(branch) for name, branch in model.branches.items()}
        return routing(model, branches=branches)
    if type(model) is Residual:
        return _fused_residual(model)
    return model


def routing(model: L, **changed: Any) -> L:
    """Return a combinator that routes values like `model`, but to other parts.

    It can only be run; it does not support the other methods of a layer.
    """
    other = copy(model)
    vars(other).update(changed)
    return other


def series(model: Sequential, parts: Mapping[str, Part]) -> Sequential:
    """Return a part that runs `parts` one after the other."""
    learners = (i for i, part in enumerate(parts.values()) if _learns(part))
    return routing(model, layers=parts, first_learner=next(learners, len(parts)))


def with_nodes(graph: Graph, change: Callable[[Layer], Part]) -> Graph:
    """Return a graph with one node per run of layers (see `runs`), converted by `change`."""
    nodes = {name: (change(layer), read) for name, (layer, read) in runs(graph).items()}
    return routing(graph, nodes=nodes)


def _learns(part: Part) -> bool:
    if isinstance(part, Layer) and part.learns():
        return True
    return any(_learns(child) for child in part.children().values())


def _chains(model: Sequential) -> Iterator[tuple[str, Part]]:
    """Yield the parts, with consecutive blocks merged to a `Chain`."""
    for are_blocks, group in groupby(_blocks(model), lambda item: isinstance(item[1], Block)):
        parts = dict(group)
        if are_blocks and len(parts) > 1:
            *_, last = parts
            yield f"{next(iter(parts))} … {last}", Chain(cast(dict[str, Block], parts))
        else:
            yield from parts.items()


def _blocks(model: Sequential) -> Iterator[tuple[str, Part]]:
    """Yield the parts, with the layers of each `Block` merged.

    A convolution alone is a block where it may compute the normalisation of the one before it.
    """
    waiting = list(model.layers.items())
    before: Part | None = None
    while waiting:
        name, layer = waiting.pop(0)
        block: dict[str, Layer] = {name: layer}
        convolves = type(layer) is Conv2d and layer.padding_mode == "zeros"
        if convolves or type(layer) is BatchNorm2d:
            for kind in _FOLLOW if convolves else _FOLLOW[1:]:
                if waiting and type(waiting[0][1]) is kind:
                    block.update([waiting.pop(0)])
        reader = convolves and isinstance(before, Block) and before.normalizes
        before = Block(block) if len(block) > 1 or reader else fused(layer)
        yield "+".join(block), before


def _fused_residual(model: Residual) -> Part:
    shortcut = None if model.shortcut is None else fused(model.shortcut)
    simple = model.activation is None or type(model.activation) is ReLU
    if simple and type(model.body) is Sequential:
        blocks = dict(_blocks(model.body))
        *_, last = blocks or [""]
        block = blocks.get(last)
        if (
            isinstance(block, Block)
            and block.norm is not None
            and not block.relu
            and block.pool is None
            and all(isinstance(each, Block) for each in blocks.values())
        ):
            activation = {} if model.activation is None else {"activation": model.activation}
            blocks[last] = Block({**block.layers, **activation})
            return FusedResidual(Chain(cast(dict[str, Block], blocks)), shortcut)
    return routing(model, body=fused(model.body), shortcut=shortcut)
