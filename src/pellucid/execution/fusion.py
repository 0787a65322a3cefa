"""Find what a network can do in fewer passes, and build the network that does."""

from collections.abc import Iterator
from itertools import groupby

from pellucid import engine
from pellucid.execution.blocks import Block, Chain, FusedResidual
from pellucid.execution.runs import with_runs
from pellucid.layers.activation import ReLU
from pellucid.layers.base import Layer
from pellucid.layers.batch_norm import BatchNorm2d
from pellucid.layers.concat import Concat
from pellucid.layers.convolution import Conv2d
from pellucid.layers.graph import Graph
from pellucid.layers.pooling import MaxPool2d
from pellucid.layers.residual import Residual
from pellucid.layers.sequential import Sequential

_FOLLOW = (BatchNorm2d, ReLU, MaxPool2d)
"""What may follow a convolution in one block, in this order, each at most once."""


def fuse(model: Layer) -> Layer:
    """Return an equivalent model in which each convolution and what follows it are one layer.

    The two share their parameters and buffers; `model` itself is as it was.

    Examples
    --------
    >>> from pellucid import layers as nn
    >>> fuse(nn.Sequential(conv1=nn.Conv2d(1, 8, 3), relu1=nn.ReLU(), pool1=nn.MaxPool2d(2)))
    Sequential(
      conv1+relu1+pool1: Block(
        conv1: Conv2d(in_channels=1, out_channels=8, kernel_size=3)
        relu1: ReLU()
        pool1: MaxPool2d(kernel_size=2)
      )
    )
    """
    names = [(item, item.name) for _, item in model.named_state()]
    fused = _fuse(model)
    for item, name in names:  # the new combinators named them after their own paths
        item.name = name
    return fused


def for_engine(model: Layer) -> Layer:
    """Return what the engine in force runs fastest: the model itself, or a fused one."""
    return fuse(model) if engine.current().FUSES else model


def _fuse(model: Layer) -> Layer:
    if type(model) is Sequential:
        return Sequential(dict(_chains(model)))
    if type(model) is Graph:
        return with_runs(model, _fuse)
    if type(model) is Concat:
        return Concat({name: _fuse(branch) for name, branch in model.branches.items()})
    if type(model) is Residual:
        return _fuse_residual(model)
    return model


def _chains(model: Sequential) -> Iterator[tuple[str, Layer]]:
    """Yield the layers, with blocks that follow each other as one."""
    for are_blocks, group in groupby(_blocks(model), lambda item: isinstance(item[1], Block)):
        layers = dict(group)
        if are_blocks and len(layers) > 1:
            *_, last = layers
            yield f"{next(iter(layers))} … {last}", Chain(layers)
        else:
            yield from layers.items()


def _blocks(model: Sequential) -> Iterator[tuple[str, Layer]]:
    """Yield the layers, with each convolution and what may follow it as one."""
    waiting = list(model.layers.items())
    while waiting:
        name, layer = waiting.pop(0)
        if type(layer) is not Conv2d:
            yield name, _fuse(layer)
            continue
        block: dict[str, Layer] = {name: layer}
        for kind in _FOLLOW:
            if waiting and type(waiting[0][1]) is kind:
                block.update([waiting.pop(0)])
        yield ("+".join(block), Block(block)) if len(block) > 1 else (name, layer)


def _fuse_residual(model: Residual) -> Layer:
    shortcut = None if model.shortcut is None else _fuse(model.shortcut)
    simple = model.activation is None or type(model.activation) is ReLU
    if simple and type(model.body) is Sequential:
        blocks = dict(_blocks(model.body))
        *_, last = blocks
        block = blocks[last]
        if (
            isinstance(block, Block)
            and not block.relu
            and block.pool is None
            and all(isinstance(each, Block) for each in blocks.values())
        ):
            around = {} if model.activation is None else {"activation": model.activation}
            blocks[last] = Block({**block.layers, **around})
            return FusedResidual(Chain(blocks), shortcut)
    return Residual(_fuse(model.body), shortcut, model.activation)
