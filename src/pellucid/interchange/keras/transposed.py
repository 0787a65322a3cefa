"""Transposed convolution: we cut off edges by numbers, Keras cuts all edges or none.

So ours is written as Keras's with its whole output, and the edges are cut off after it.
"""

from __future__ import annotations

from typing import Any

from pellucid import layers as nn
from pellucid.geometry import Sides, pair, resolve_padding
from pellucid.interchange.keras.pair import Config, sides, simple
from pellucid.types import Shape


def whole(conv: nn.ConvTranspose2d, shape: Shape) -> dict[str, Any]:
    """Return the arguments with which Keras's output reaches as far as ours, or further."""
    return {"padding": "valid", "output_padding": _beyond(conv)}


def edges(conv: nn.ConvTranspose2d) -> Sides:
    """Return ((top, bottom), (left, right)) of what is to be cut off Keras's output."""
    added, beyond = pair(conv.output_padding, "output_padding", 0), _beyond(conv)
    (top, bottom), (left, right) = (
        (before, behind + reach - more)
        for (before, behind), reach, more in zip(_sides(conv), beyond, added, strict=True)
    )
    return (top, bottom), (left, right)


def ours(config: Config, shape: Shape) -> dict[str, Any]:
    """Return our arguments for Keras's: what it cuts off, and what it adds, for this input."""
    padding, added = zip(*(_along(config, shape, axis) for axis in (0, 1)), strict=True)
    return {"padding": sides(padding), "output_padding": simple(added)}


def _along(config: Config, shape: Shape, axis: int) -> tuple[tuple[int, int], int]:
    """Return (padding, output_padding) along one direction.

    Keras chooses the output's size, and TensorFlow puts the larger half of what remains behind.
    """
    size, given = shape[2 + axis], config["output_padding"]
    step, taps, spread = (
        config[name][axis] for name in ("strides", "kernel_size", "dilation_rate")
    )
    extent = spread * (taps - 1) + 1
    same = config["padding"] == "same"
    if given is not None:
        more = given if isinstance(given, int) else given[axis]
        output = (size - 1) * step + extent - (2 * (extent // 2) if same else 0) + more
    else:
        output = size * step + (0 if same else max(extent - step, 0))
    cut = (size - 1) * step + extent - output
    before = max(cut, 0) // 2 if same else 0
    return (before, max(cut, 0) - before), max(-cut, 0)


def _beyond(conv: nn.ConvTranspose2d) -> tuple[int, ...]:
    """Return what we add at the bottom and right beyond what we cut off there."""
    added = pair(conv.output_padding, "output_padding", 0)
    return tuple(max(0, more - side[1]) for more, side in zip(added, _sides(conv), strict=True))


def _sides(conv: nn.ConvTranspose2d) -> Sides:
    stride, dilation = pair(conv.stride, "stride"), pair(conv.dilation, "dilation")
    kernel = pair(conv.kernel_size, "kernel_size")
    return resolve_padding(conv.padding, (1, 1), kernel, stride, dilation)
