"""Convert transposed convolutions: Pellucid crops by numbers, Keras crops all edges or none.

So Keras computes the uncropped output, and a cropping layer follows.
"""

from __future__ import annotations

from typing import Any

from pellucid import layers as nn
from pellucid.geometry import Sides, pair, resolve_padding
from pellucid.interchange.keras.pair import Config, sides, simple
from pellucid.types import Shape


def whole(conv: nn.ConvTranspose2d, shape: Shape) -> dict[str, Any]:
    """Return arguments with which Keras's output is at least as large as Pellucid's."""
    return {"padding": "valid", "output_padding": _beyond(conv)}


def edges(conv: nn.ConvTranspose2d) -> Sides:
    """Return ((top, bottom), (left, right)) to be cropped from Keras's output."""
    added, beyond = pair(conv.output_padding, "output_padding", 0), _beyond(conv)
    (top, bottom), (left, right) = (
        (before, behind + reach - more)
        for (before, behind), reach, more in zip(_sides(conv), beyond, added, strict=True)
    )
    return (top, bottom), (left, right)


def from_keras(config: Config, shape: Shape) -> dict[str, Any]:
    """Return Pellucid's arguments for Keras's cropping and output size on this input."""
    padding, added = zip(*(_along(config, shape, axis) for axis in (0, 1)), strict=True)
    return {"padding": sides(padding), "output_padding": simple(added)}


def _along(config: Config, shape: Shape, axis: int) -> tuple[tuple[int, int], int]:
    """Return (padding, output_padding) along one axis.

    Keras chooses the output size; TensorFlow crops the larger half of the rest at the end.
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
    """Return the rows and columns that Pellucid adds at the end beyond what it crops there."""
    added = pair(conv.output_padding, "output_padding", 0)
    return tuple(max(0, more - side[1]) for more, side in zip(added, _sides(conv), strict=True))


def _sides(conv: nn.ConvTranspose2d) -> Sides:
    stride, dilation = pair(conv.stride, "stride"), pair(conv.dilation, "dilation")
    kernel = pair(conv.kernel_size, "kernel_size")
    return resolve_padding(conv.padding, (1, 1), kernel, stride, dilation)
