"""The same network with fewer passes over memory.

Normalisation, shortcut, ReLU and max-pooling each read and write a whole array and compute next to
nothing. `fuse` puts them into one layer with the convolution before them. The fused model shares
its parameters with the model that it was made from, computes the same, and prints what was put
together.
"""

from collections.abc import Iterator, Mapping
from itertools import groupby
from typing import Any, Self

from pellucid import engine, ops
from pellucid.errors import PellucidError
from pellucid.geometry import Window
from pellucid.layers.activation import ReLU
from pellucid.layers.base import Layer, Training, run_backward, run_forward
from pellucid.layers.batch_norm import BatchNorm2d
from pellucid.layers.combinator import Build, Combinator, Describe
from pellucid.layers.concat import Concat
from pellucid.layers.convolution import Conv2d
from pellucid.layers.graph import Graph
from pellucid.layers.pooling import MaxPool2d
from pellucid.layers.residual import Residual
from pellucid.layers.runs import with_runs
from pellucid.layers.sequential import Sequential
from pellucid.layers.wiring import Wiring
from pellucid.parameter import Parameter
from pellucid.types import Array, Shape, Through

_FOLLOW = (BatchNorm2d, ReLU, MaxPool2d)
"""What may follow a convolution in one block, in this order, each at most once."""


class _Fused(Combinator, abstract=True):
    """A layer that stands for others while a model runs; only those are described and saved."""

    def parts(self, describe: Describe) -> dict[str, Any]:
        raise PellucidError("a fused model has no description; describe what it was made from")

    def wiring(self) -> Wiring:
        raise PellucidError("a fused model is not drawn; draw what it was made from")

    @classmethod
    def from_parts(cls, parts: dict[str, Any], build: Build, input_shape: Any) -> Self:
        raise PellucidError("a fused model is made by fuse(model), not from a description")


class Block(_Fused, abstract=True):
    """``y = pool(relu(norm(conv(x)) + shortcut))``: a convolution, and the rest in one pass.

    Made by `fuse` from the layers of a model.
    """

    def __init__(self, layers: Mapping[str, Layer]) -> None:
        self.layers = dict(layers)
        conv, *rest = layers.values()
        assert isinstance(conv, Conv2d)
        self.conv = conv
        self.norm = next((layer for layer in rest if isinstance(layer, BatchNorm2d)), None)
        self.relu = any(isinstance(layer, ReLU) for layer in rest)
        self.pool = next((layer for layer in rest if isinstance(layer, MaxPool2d)), None)

    def children(self) -> dict[str, Layer]:
        return self.layers

    def forward(self, x: Array, training: Training | None = None) -> tuple[Array, Any]:
        return self.forward_with(x, None, training)

    def forward_with(
        self,
        x: Array | Through,
        shortcut: Array | None,
        training: Training | None,
        reader: Conv2d | None = None,
    ) -> tuple[Any, Any]:
        """Return y and the cache, with a shortcut added before the ReLU.

        A `reader` is the convolution that alone reads y: it may be given a `Through`.
        """
        z, conv_cache = self.conv.forward(x, training)
        window, norm = self._window(z.shape), self.norm
        if norm is None:
            y, cache = ops.finish(z, None, shortcut, self.relu, window)
        elif training is None and norm.track_running_stats:
            y, cache = ops.finish(z, norm.inference_affine(), shortcut, self.relu, window)
        else:
            weight, bias = norm.affine_values()
            y, mean, var, cache = ops.normalize_finish(
                z, weight, bias, norm.eps, shortcut, self.relu, window, self._writes(z, reader)
            )
            if training is not None:
                norm.gather(training, mean, var, z)
        return y, (conv_cache, cache)

    def _writes(self, z: Array, reader: Conv2d | None) -> bool:
        """Return whether y must be written: whether its reader cannot work it out from z."""
        if reader is None or self.pool is not None or not self.relu:
            return True
        return not reader.reads_through(z.shape)

    def backward(self, dy: Array, cache: Any, *, input_gradient: bool = True) -> Any:
        x, finished = cache
        dz, _ = self.backward_to_conv(dy, finished)
        return self.conv.backward_without_bias(dz, x, input_gradient)

    def backward_to_conv(
        self, dy: Array, finished: Any, overwrite_dy: bool = False
    ) -> tuple[Array, Array | None]:
        """Return the gradients for the convolution's output and for the shortcut."""
        if self.norm is None:
            dz, dshortcut, dbias = ops.finish_gradient(dy, finished, overwrite_dy)
            if isinstance(self.conv.bias, Parameter):
                self.conv.bias.add_gradient(dbias)
        else:
            weight, _ = self.norm.affine_values()
            dz, dshortcut, *gradients = ops.normalize_finish_gradient(
                dy, finished, weight, overwrite_dy
            )
            self.norm.add_gradients(*gradients)
            # a bias of the convolution has no gradient: the norm takes away what it adds
        return dz, dshortcut

    def child_inputs(self, input_shape: Any) -> Iterator[tuple[str, Layer, Any]]:
        for name, layer in self.layers.items():
            yield name, layer, input_shape
            input_shape = layer.output_shape(input_shape)

    def output_shape(self, input_shape: Shape) -> Shape:
        shape = input_shape
        for name, layer in self.layers.items():
            shape = self.child_shape(name, layer, shape)
        return shape

    def _window(self, shape: Shape) -> Window | None:
        return None if self.pool is None else self.pool.window(shape)


class Chain(_Fused, abstract=True):
    """Blocks one after the other, of which only the convolutions' outputs are kept.

    What one block hands to the next, y = relu(norm(z)), follows from its convolution's output z by
    next to no arithmetic. So the next convolution reads z and works y out on the way, forward and
    for its weights' gradient: z is the only large array that is written, read and kept. Where that
    would be slower, y is written in the forward direction, and again in the backward direction:
    that is faster than to fetch y from far memory, and needs half the memory.
    """

    def __init__(self, blocks: Mapping[str, Layer]) -> None:
        self.blocks = {name: block for name, block in blocks.items() if isinstance(block, Block)}

    def children(self) -> dict[str, Layer]:
        return dict(self.blocks)

    def forward(self, x: Array, training: Training | None = None) -> tuple[Array, Any]:
        return self.forward_with(x, None, training)

    def forward_with(
        self, x: Array, shortcut: Array | None, training: Training | None
    ) -> tuple[Array, Any]:
        """Return y and the cache, with a shortcut added before the last ReLU."""
        caches: list[tuple[Any, Any]] = []
        blocks = list(self.blocks.values())
        readers = [*(block.conv for block in blocks[1:]), None]
        y, kept = x, None
        for block, reader in zip(blocks, readers, strict=True):
            around = shortcut if reader is None else None
            y, (read, finished) = block.forward_with(y, around, training, reader)
            caches.append((read if kept is None else kept, finished))
            kept = ops.through(finished)
        return y, caches

    def backward(self, dy: Array, cache: Any, *, input_gradient: bool = True) -> Any:
        return self.backward_with(dy, cache, input_gradient)[0]

    def backward_with(
        self, dy: Array, caches: Any, input_gradient: bool, x_is_shortcut: bool = False
    ) -> tuple[Any, Array | None]:
        """Return the gradients for x and for the shortcut; where both are one, their sum first."""
        shortcut = None
        *_, last = self.blocks.values()
        for i, block in reversed(list(enumerate(self.blocks.values()))):
            x, finished = caches.pop()
            own_dy = block is not last  # between blocks nobody else sees dy
            dz, around = block.backward_to_conv(dy, finished, overwrite_dy=own_dy)
            shortcut = around if shortcut is None else shortcut
            # an engine that writes over it has made it, because the last block has a norm
            onto = shortcut if i == 0 and x_is_shortcut else None
            dy = block.conv.backward_without_bias(dz, x, input_gradient or i > 0, onto)
        return dy, shortcut

    def child_inputs(self, input_shape: Any) -> Iterator[tuple[str, Layer, Any]]:
        for name, block in self.blocks.items():
            yield name, block, input_shape
            input_shape = block.output_shape(input_shape)

    def output_shape(self, input_shape: Shape) -> Shape:
        shape = input_shape
        for name, block in self.blocks.items():
            shape = self.child_shape(name, block, shape)
        return shape


class FusedResidual(_Fused, abstract=True):
    """A `Residual` whose sum and ReLU are done in the last block's pass."""

    def __init__(self, body: Chain, shortcut: Layer | None) -> None:
        self.body, self.shortcut = body, shortcut

    def children(self) -> dict[str, Layer]:
        parts = {"body": self.body, "shortcut": self.shortcut}
        return {name: layer for name, layer in parts.items() if layer is not None}

    def forward(self, x: Array, training: Training | None = None) -> tuple[Array, Any]:
        around, shortcut_cache = x, None
        if self.shortcut is not None:
            around, shortcut_cache = run_forward(self.shortcut, x, training)
        y, body_cache = self.body.forward_with(x, around, training)
        return y, (body_cache, shortcut_cache)

    def backward(self, dy: Array, cache: Any, *, input_gradient: bool = True) -> Any:
        body_cache, shortcut_cache = cache
        if self.shortcut is None:
            return self.body.backward_with(dy, body_cache, input_gradient, x_is_shortcut=True)[0]
        dx, around = self.body.backward_with(dy, body_cache, input_gradient)
        around = run_backward(self.shortcut, around, shortcut_cache, input_gradient)
        # dx is the convolution's own: nobody sees it change
        return ops.add_to(dx, around) if input_gradient else dx

    def child_inputs(self, input_shape: Any) -> Iterator[tuple[str, Layer, Any]]:
        yield "body", self.body, input_shape
        if self.shortcut is not None:
            yield "shortcut", self.shortcut, input_shape

    def output_shape(self, input_shape: Shape) -> Shape:
        return self.body.output_shape(input_shape)


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
