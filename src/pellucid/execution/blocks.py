"""Several layers computed in one pass over memory.

Normalisation, shortcut, ReLU and max pooling each read and write a whole array for very little
arithmetic. A `Block` computes them together with the preceding convolution; a `Chain` avoids
storing what consecutive blocks pass on. Both have the `forward` and `backward` of a layer and share
the layers' parameters. `pellucid.execution.fusion` makes them.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from pellucid import engine, ops
from pellucid.errors import PellucidError
from pellucid.execution.contract import FusedKernels, fused_kernels
from pellucid.execution.part import Part, tree
from pellucid.geometry import Window
from pellucid.layers import BatchNorm2d, Conv2d, Layer, MaxPool2d, ReLU, StepContext
from pellucid.ops.normalization import check_statistics
from pellucid.parameter import Parameter
from pellucid.types import Array, Shape

if TYPE_CHECKING:
    from pellucid.compiled.conv.deferred import DeferredNorm


class Block:
    """``y = pool(relu(norm(conv(x)) + shortcut))``: a convolution and its epilogue.

    Either may be missing: a block is also a normalisation before which there is no convolution, or
    a convolution alone, which may compute the normalisation of the block before it.
    """

    inputs = 1

    def __init__(self, layers: Mapping[str, Layer]) -> None:
        self.layers = dict(layers)
        inside = layers.values()
        self.conv = next((layer for layer in inside if isinstance(layer, Conv2d)), None)
        self.norm = next((layer for layer in inside if isinstance(layer, BatchNorm2d)), None)
        self.relu = any(isinstance(layer, ReLU) for layer in inside)
        self.pool = next((layer for layer in inside if isinstance(layer, MaxPool2d)), None)

    def children(self) -> Mapping[str, Part]:
        return self.layers

    def forward(self, x: Array, training: StepContext | None = None) -> tuple[Array, Any]:
        y, cache = self.forward_with(x, None, training)
        assert isinstance(y, np.ndarray)  # without a reader, nothing is deferred
        return y, cache

    def forward_with(
        self,
        x: Array | DeferredNorm,
        shortcut: Array | None,
        training: StepContext | None,
        reader: Conv2d | None = None,
    ) -> tuple[Array | DeferredNorm, Any]:
        """Return y and the cache, with a shortcut added before the ReLU.

        `reader` is the only layer that reads y, a convolution that may do the normalisation itself.
        """
        y: Array | DeferredNorm
        kernels = _kernels()
        pair = self.conv is not None and len(self.layers) == 2
        if self.relu and pair and shortcut is None:
            y = self._convolved(x, relu=True)
            return y, (x, kernels.relu_cache(y))
        z = self._convolved(x)
        window, norm = self._window(z.shape), self.norm
        if len(self.layers) == 1:
            y, cache = z, None
        elif norm is None:
            y, cache = kernels.epilogue(z, None, shortcut, self.relu, window)
        elif training is None and norm.track_running_stats:
            y, _ = kernels.epilogue(z, norm.inference_affine(), shortcut, self.relu, window)
            cache = None  # the gradient in inference is different
        else:
            check_statistics(z)
            scale, shift = norm.affine_values()
            write = not self._can_defer(z, reader)
            y, mean, var, cache = kernels.norm_epilogue(
                z, scale, shift, norm.eps, shortcut, self.relu, window, write
            )
            if training is not None:
                norm.update_statistics(training, mean, var, z.size // z.shape[1])
        return y, (x, cache)

    def _convolved(self, x: Array | DeferredNorm, relu: bool = False) -> Array:
        """Return the convolution of x, followed by ReLU if `relu`, or x if there is none."""
        if self.conv is None:
            assert isinstance(x, np.ndarray)  # a convolution alone is a reader
            return x
        plan = self.conv.plan(x.shape)
        kernel, convolution = plan.kernel(self.conv.weight.value), plan.resolved(engine.current())
        return _kernels().conv2d(x, kernel, self.conv.bias_value, convolution, relu)

    @property
    def normalizes(self) -> bool:
        """Whether it ends with a normalisation and a ReLU, which the next convolution can do."""
        return self.norm is not None and self.relu and self.pool is None

    def _can_defer(self, z: Array, reader: Conv2d | None) -> bool:
        """Return whether `reader` computes y from z faster than y can be written and read."""
        if reader is None or not self.normalizes:
            return False
        return _kernels().reads_deferred(reader.plan(z.shape).resolved(engine.current()))

    def backward(self, dy: Array, cache: Any, *, input_gradient: bool = True) -> Any:
        x, epilogue_cache = cache
        dz, _ = self.backward_to_conv(dy, epilogue_cache)
        return self.backward_of_conv(dz, x, input_gradient)

    def backward_to_conv(
        self, dy: Array, cache: object, overwrite_dy: bool = False
    ) -> tuple[Array, Array | None]:
        """Return the gradients for the convolution's output and for the shortcut."""
        bias = None if self.conv is None else self.conv.bias
        if len(self.layers) == 1:
            if isinstance(bias, Parameter):
                bias.add_gradient(ops.conv2d_bias_gradient(dy))
            return dy, None
        if self.norm is None:
            dz, dshortcut, dbias = _kernels().epilogue_gradient(dy, cache, overwrite_dy)
            if isinstance(bias, Parameter):
                bias.add_gradient(dbias)
        elif cache is None:
            raise PellucidError(
                "a fused model has no gradient in inference; use the original model"
            )
        else:
            weight, _ = self.norm.affine_values()
            dz, dshortcut, *gradients = _kernels().norm_epilogue_gradient(
                dy, cache, weight, overwrite_dy
            )
            self.norm.add_gradients(*gradients)
            # a bias before a normalisation has no gradient
        return dz, dshortcut

    def backward_of_conv(
        self,
        dz: Array,
        x: Array | DeferredNorm,
        input_gradient: bool,
        onto: Array | None = None,
    ) -> Array:
        """Add to the weight's gradient, and return dx, added to `onto` if given."""
        if self.conv is None:
            return dz if onto is None else ops.add_to(dz, onto)
        kernels, plan, weight = _kernels(), self.conv.plan(x.shape), self.conv.weight
        convolution = plan.resolved(engine.current())
        weight.add_gradient(plan.kernel(kernels.conv2d_weight_gradient(dz, x, convolution)))
        if not input_gradient:
            return dz
        return kernels.conv2d_input_gradient(dz, plan.kernel(weight.value), convolution, onto)

    def _window(self, shape: Shape) -> Window | None:
        return None if self.pool is None else self.pool.window(shape)

    def __repr__(self) -> str:
        return tree("Block", self.layers)


class Chain:
    """Consecutive blocks, of which only the convolutions' outputs are stored.

    A block's output y = relu(norm(z)) costs little to compute from its convolution's output z. So
    the next convolution reads z and computes y on the fly, in the forward pass and for its weight
    gradient: z is the only large array that is written, read and kept. Where that would be slower,
    y is written in the forward pass and recomputed in the backward pass, which is faster than
    reading it from main memory, and takes half the memory.
    """

    inputs = 1

    def __init__(self, blocks: Mapping[str, Block]) -> None:
        self.blocks = dict(blocks)

    def children(self) -> Mapping[str, Part]:
        return self.blocks

    def forward(self, x: Array, training: StepContext | None = None) -> tuple[Array, Any]:
        return self.forward_with(x, None, training)

    def forward_with(
        self, x: Array, shortcut: Array | None, training: StepContext | None
    ) -> tuple[Array, Any]:
        """Return y and the cache, with a shortcut added before the last ReLU."""
        caches: list[tuple[Any, Any]] = []
        blocks, kernels = list(self.blocks.values()), _kernels()
        readers = [*(block.conv for block in blocks[1:]), None]
        y: Array | DeferredNorm = x
        kept: DeferredNorm | None = None
        for block, reader in zip(blocks, readers, strict=True):
            added = shortcut if reader is None else None
            y, (read, epilogue_cache) = block.forward_with(y, added, training, reader)
            caches.append((read if kept is None else kept, epilogue_cache))
            kept = kernels.deferred(epilogue_cache)
        assert isinstance(y, np.ndarray)  # without a reader, nothing is deferred
        return y, caches

    def backward(self, dy: Array, cache: Any, *, input_gradient: bool = True) -> Any:
        return self.backward_with(dy, cache, input_gradient)[0]

    def backward_with(
        self, dy: Array, caches: Any, input_gradient: bool, x_is_shortcut: bool = False
    ) -> tuple[Any, Array | None]:
        """Return the gradients for x and for the shortcut, or their sum first if both are x."""
        shortcut = None
        *_, last = self.blocks.values()
        for i, block in reversed(list(enumerate(self.blocks.values()))):
            x, epilogue_cache = caches.pop()
            own_dy = block is not last  # between blocks nothing else reads dy
            dz, added = block.backward_to_conv(dy, epilogue_cache, overwrite_dy=own_dy)
            shortcut = added if shortcut is None else shortcut
            # the kernels made dy, as the last block has a norm: they may overwrite it
            onto = shortcut if i == 0 and x_is_shortcut else None
            dy = block.backward_of_conv(dz, x, input_gradient or i > 0, onto)
        return dy, shortcut

    def __repr__(self) -> str:
        return tree("Chain", self.blocks)


class FusedResidual:
    """A `Residual` whose sum and ReLU are computed in the last block's epilogue."""

    inputs = 1

    def __init__(self, body: Chain, shortcut: Part | None) -> None:
        self.body, self.shortcut = body, shortcut

    def children(self) -> Mapping[str, Part]:
        parts = {"body": self.body, "shortcut": self.shortcut}
        return {name: part for name, part in parts.items() if part is not None}

    def forward(self, x: Array, training: StepContext | None = None) -> tuple[Array, Any]:
        shortcut, shortcut_cache = x, None
        if self.shortcut is not None:
            shortcut, shortcut_cache = self.shortcut.forward(x, training)
        y, body_cache = self.body.forward_with(x, shortcut, training)
        return y, (body_cache, shortcut_cache)

    def backward(self, dy: Array, cache: Any, *, input_gradient: bool = True) -> Any:
        body_cache, shortcut_cache = cache
        if self.shortcut is None:
            return self.body.backward_with(dy, body_cache, input_gradient, x_is_shortcut=True)[0]
        dx, dshortcut = self.body.backward_with(dy, body_cache, input_gradient)
        dshortcut = self.shortcut.backward(dshortcut, shortcut_cache, input_gradient=input_gradient)
        # dx belongs to the convolution: nothing else reads it
        return ops.add_to(dx, dshortcut) if input_gradient else dx

    def __repr__(self) -> str:
        return tree("FusedResidual", self.children())


def _kernels() -> FusedKernels:
    kernels = fused_kernels()
    assert kernels is not None  # parts run only where there are some
    return kernels
