"""The layers that a captured step may contain: those that work through recorded kernels only.

A layer that is not in the table is run normally. So are users' own layers, even if derived from one
in the table: what they compute themselves would be missing from a replay.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from pellucid.execution.announcing import Announced, AnnouncedBlock
from pellucid.execution.blocks import Block, Chain, FusedResidual
from pellucid.execution.inference import (
    FrozenConvolution,
    FrozenLinear,
    FrozenPooling,
    FrozenResidual,
)
from pellucid.execution.part import Part
from pellucid.execution.recompute import Recomputed
from pellucid.geometry import pair
from pellucid.layers import (
    ELU,
    GELU,
    SELU,
    AdaptiveAvgPool2d,
    AvgPool2d,
    BatchNorm1d,
    BatchNorm2d,
    Concat,
    Conv2d,
    ConvTranspose2d,
    Dropout,
    Dropout2d,
    Flatten,
    GlobalAvgPool2d,
    GroupNorm,
    Hardswish,
    Identity,
    InstanceNorm2d,
    LayerNorm,
    LeakyReLU,
    Linear,
    MaxPool2d,
    ReLU,
    ReLU6,
    Sequential,
    Sigmoid,
    SiLU,
    Softplus,
    Tanh,
    Upsample,
)


def always(_: Any) -> bool:
    """Return True: any layer of this type can be captured."""
    return True


def pads_zeros(conv: Conv2d) -> bool:
    """Return whether kernels do the padding; NumPy does all padding other than zeros."""
    return conv.padding_mode == "zeros"


def has_fixed_momentum(norm: BatchNorm1d | BatchNorm2d) -> bool:
    """Return whether the momentum is independent of the number of batches."""
    return norm.momentum is not None


def has_no_statistics(norm: InstanceNorm2d) -> bool:
    """Return whether there are no running statistics; NumPy computes those."""
    return norm.running is None


def needs_no_zeros(conv: ConvTranspose2d) -> bool:
    """Return whether the output padding is less than the stride; NumPy adds zeros otherwise."""
    spare, step = pair(conv.output_padding, "output_padding", 0), pair(conv.stride, "stride")
    return spare[0] < step[0] and spare[1] < step[1]


def joins_all(flatten: Flatten) -> bool:
    """Return whether all axes but the batch are joined."""
    return (flatten.start_dim, flatten.end_dim) == (1, -1)


CAPTURABLE: dict[type, Callable[[Any], bool]] = {
    AdaptiveAvgPool2d: always,
    Announced: always,
    AnnouncedBlock: always,
    AvgPool2d: always,
    BatchNorm1d: has_fixed_momentum,
    BatchNorm2d: has_fixed_momentum,
    Block: always,
    Chain: always,
    Concat: always,
    Conv2d: pads_zeros,
    ConvTranspose2d: needs_no_zeros,
    Dropout2d: always,
    Dropout: always,
    ELU: always,
    Flatten: joins_all,
    FrozenConvolution: always,
    FrozenLinear: always,
    FrozenPooling: always,
    FrozenResidual: always,
    FusedResidual: always,
    GELU: always,
    GlobalAvgPool2d: always,
    GroupNorm: always,
    Hardswish: always,
    Identity: always,
    InstanceNorm2d: has_no_statistics,
    LayerNorm: always,
    LeakyReLU: always,
    Linear: always,
    MaxPool2d: always,
    Recomputed: always,
    ReLU6: always,
    ReLU: always,
    SELU: always,
    Sequential: always,
    Sigmoid: always,
    SiLU: always,
    Softplus: always,
    Tanh: always,
    Upsample: always,
}
"""Types of layers, with the condition for each."""


def is_capturable(part: Part) -> bool:
    """Return whether a step of this part, with everything inside, can be captured."""
    holds = CAPTURABLE.get(type(part))
    return holds is not None and holds(part) and all(map(is_capturable, part.children().values()))
