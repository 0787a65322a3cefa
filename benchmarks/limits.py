"""The least that a step of training has to compute and to move, by kind of kernel.

A convolution and its two gradients multiply N·OH·OW·F·C·KH·KW times each, or with Winograd's
F(4×4, 3×3) 36 times for 16 outputs. Each reads two arrays and writes one. Steps between them read
and write whole arrays: batch normalisation reads its input for the statistics; its gradient reads
dy and z twice, for two sums and for dz, which it writes. The next convolution applies it to what it
reads. Nothing else of a fused step has to move: ReLU costs nothing where it follows a
normalisation.
"""

import math
from collections import Counter
from collections.abc import Iterator
from typing import Any, NamedTuple

from pellucid import layers as nn
from pellucid.types import Shape

FORWARD, WEIGHTS, LINEAR, PASSES = (
    "convolutions and gradients of their inputs",
    "gradients of their weights",
    "linear layers",
    "passes over memory",
)
KINDS = (FORWARD, WEIGHTS, LINEAR, PASSES)


class Work(NamedTuple):
    """Multiply-adds, and bytes read and written."""

    products: float
    bytes: float

    def seconds(self, products: float, bandwidth: float) -> float:
        """Return the time at so many products and bytes a second: both happen at once."""
        return max(self.products / products, self.bytes / bandwidth)


def work(model: nn.Layer, input_shape: Shape) -> dict[str, list[Work]]:
    """Return what a step on inputs of a shape needs, by kind: an item for each kernel."""
    found: dict[str, list[Work]] = {kind: [] for kind in KINDS}
    first = True
    for layer, shape, after_norm in _leaves(model, input_shape):
        x, y = math.prod(shape), math.prod(layer.output_shape(shape))
        match layer:
            case nn.Conv2d():
                one = Work(_products(layer, shape), 4 * (x + y + layer.weight.value.size))
                found[FORWARD] += [one] if first else [one, one]
                found[WEIGHTS].append(one)
                first = False
            case nn.ConvTranspose2d():
                products = layer.multiply_adds(shape)
                one = Work(products, 4 * (x + y + layer.weight.value.size))
                found[FORWARD] += [one, one]
                found[WEIGHTS].append(one)
            case nn.Linear():
                weights = layer.weight.value.size
                one = Work(x // layer.in_features * weights, 4 * (x + y + weights))
                found[LINEAR] += [one, one, one]
            case nn.Flatten() | nn.Identity():
                pass
            case _:
                found[PASSES].append(Work(0, 4 * _moved(layer, x, y, after_norm)))
    return found


def _products(conv: nn.Conv2d, shape: Shape) -> float:
    """Return the multiplications of a convolution, in each of its three passes."""
    N, F, OH, OW = conv.output_shape(shape)
    if conv.algorithm_for(shape) == "winograd4":
        return N * F * shape[1] * -(-OH // 4) * -(-OW // 4) * 36
    return conv.multiply_adds(shape)


def _moved(layer: nn.Layer, x: int, y: int, after_norm: bool) -> int:
    """Return how many numbers a layer between convolutions reads and writes, gradient and all."""
    match layer:
        case nn.BatchNorm2d():
            return 6 * x  # statistics 1, sums 2, gradient 3
        case nn.LayerNorm() | nn.GroupNorm() | nn.InstanceNorm2d():
            return 8 * x  # it is written too: statistics 1, y 2, sums 2, gradient 3
        case nn.ReLU() if after_norm:
            return 0
        case nn.MaxPool2d() if after_norm:
            return x + 2 * y  # z is read once more; y and the winners are written
        case nn.Residual():
            return 5 * y  # z, shortcut, y; the shortcut's gradient is written and read
        case nn.Concat():
            return 4 * y  # branches are copied, and so are their gradients
        case _ if x == y:
            return 5 * x  # an activation: x, y; dy, x, dx
        case _:
            return 2 * (x + y)


def _leaves(layer: nn.Layer, shape: Any, after_norm: bool = False) -> Iterator[Any]:
    """Yield the layers that compute, the shapes of their inputs, and whether a norm is before."""
    inside = getattr(layer, "child_inputs", None)
    if inside is None:
        yield layer, shape, after_norm
        return
    for _, child, given in inside(shape):
        yield from _leaves(child, given, after_norm)
        after_norm = isinstance(child, nn.BatchNorm2d) or (
            after_norm and isinstance(child, nn.ReLU)
        )
    if isinstance(layer, nn.Residual | nn.Concat):
        yield layer, shape, False


def kind_of(kernel: str) -> str:
    """Return of which kind a kernel is, by its name."""
    if kernel.startswith("conv."):
        return WEIGHTS if "gradient" in kernel or "add_shares" in kernel else FORWARD
    return LINEAR if kernel.startswith("linear.") else PASSES


def totals(found: dict[str, list[Work]]) -> Counter[str]:
    """Return the sums of all kinds: ``products`` and ``bytes``."""
    every = [one for items in found.values() for one in items]
    return Counter(products=sum(o.products for o in every), bytes=sum(o.bytes for o in every))
