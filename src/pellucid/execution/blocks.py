"""The same network with fewer passes over memory.

Normalisation, shortcut, ReLU and max-pooling each read and write a whole array and compute next to
nothing. `fuse` puts them into one layer with the convolution before them. The fused model shares
its parameters with the model that it was made from, computes the same, and prints what was put
together.
"""

from collections.abc import Iterator, Mapping
from typing import Any, Self

from pellucid import ops
from pellucid.errors import PellucidError
from pellucid.execution import epilogue
from pellucid.geometry import Window
from pellucid.layers.activation import ReLU
from pellucid.layers.base import Layer, StepContext, run_backward, run_forward
from pellucid.layers.batch_norm import BatchNorm2d
from pellucid.layers.combinator import Build, Combinator, Describe
from pellucid.layers.convolution import Conv2d
from pellucid.layers.pooling import MaxPool2d
from pellucid.layers.wiring import Wiring
from pellucid.parameter import Parameter
from pellucid.types import Array, Shape, Through


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

    recordable = True

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

    def forward(self, x: Array, training: StepContext | None = None) -> tuple[Array, Any]:
        return self.forward_with(x, None, training)

    def forward_with(
        self,
        x: Array | Through,
        shortcut: Array | None,
        training: StepContext | None,
        reader: Conv2d | None = None,
    ) -> tuple[Any, Any]:
        """Return y and the cache, with a shortcut added before the ReLU.

        A `reader` is the convolution that alone reads y: it may be given a `Through`.
        """
        z, conv_cache = self.conv.forward(x, training)
        window, norm = self._window(z.shape), self.norm
        if norm is None:
            y, cache = epilogue.finish(z, None, shortcut, self.relu, window)
        elif training is None and norm.track_running_stats:
            y, _ = epilogue.finish(z, norm.inference_affine(), shortcut, self.relu, window)
            cache = None  # its gradient is another one; who needs it asks the model itself
        else:
            weight, bias = norm.affine_values()
            y, mean, var, cache = epilogue.normalize_finish(
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
            dz, dshortcut, dbias = epilogue.finish_gradient(dy, finished, overwrite_dy)
            if isinstance(self.conv.bias, Parameter):
                self.conv.bias.add_gradient(dbias)
        elif finished is None:
            raise PellucidError(
                "a fused model has no gradient in inference; use the model that it was made from"
            )
        else:
            weight, _ = self.norm.affine_values()
            dz, dshortcut, *gradients = epilogue.normalize_finish_gradient(
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

    recordable = True

    def __init__(self, blocks: Mapping[str, Layer]) -> None:
        self.blocks = {name: block for name, block in blocks.items() if isinstance(block, Block)}

    def children(self) -> dict[str, Layer]:
        return dict(self.blocks)

    def forward(self, x: Array, training: StepContext | None = None) -> tuple[Array, Any]:
        return self.forward_with(x, None, training)

    def forward_with(
        self, x: Array, shortcut: Array | None, training: StepContext | None
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
            kept = epilogue.through(finished)
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

    recordable = True

    def __init__(self, body: Chain, shortcut: Layer | None) -> None:
        self.body, self.shortcut = body, shortcut

    def children(self) -> dict[str, Layer]:
        parts = {"body": self.body, "shortcut": self.shortcut}
        return {name: layer for name, layer in parts.items() if layer is not None}

    def forward(self, x: Array, training: StepContext | None = None) -> tuple[Array, Any]:
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
