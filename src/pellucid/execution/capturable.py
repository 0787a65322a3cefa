"""Which layers a captured step may consist of: those whose work is done by recorded kernels alone.

A layer that is not in the table is run. So is one of a user's own, even if it is derived from one
that is: what it computes itself would be missing from a replay.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from pellucid.execution.blocks import Block, Chain, FusedResidual
from pellucid.execution.inference import (
    FrozenConvolution,
    FrozenLinear,
    FrozenPooling,
    FrozenResidual,
)
from pellucid.execution.part import Part
from pellucid.layers import (
    AdaptiveAvgPool2d,
    BatchNorm1d,
    BatchNorm2d,
    Concat,
    Conv2d,
    Dropout,
    Dropout2d,
    Flatten,
    GlobalAvgPool2d,
    Identity,
    Linear,
    MaxPool2d,
    ReLU,
    Sequential,
)


def always(_: Any) -> bool:
    """Return True: any layer of this type can be captured."""
    return True


def pads_zeros(conv: Conv2d) -> bool:
    """Return whether kernels pad: NumPy does every other padding."""
    return conv.padding_mode == "zeros"


def has_fixed_momentum(norm: BatchNorm1d | BatchNorm2d) -> bool:
    """Return False where the momentum changes with the number of batches seen."""
    return norm.momentum is not None


def joins_all(flatten: Flatten) -> bool:
    """Return whether everything but the batch becomes one axis."""
    return (flatten.start_dim, flatten.end_dim) == (1, -1)


CAPTURABLE: dict[type, Callable[[Any], bool]] = {
    AdaptiveAvgPool2d: always,
    BatchNorm1d: has_fixed_momentum,
    BatchNorm2d: has_fixed_momentum,
    Block: always,
    Chain: always,
    Concat: always,
    Conv2d: pads_zeros,
    Dropout: always,
    Dropout2d: always,
    Flatten: joins_all,
    FrozenConvolution: always,
    FrozenLinear: always,
    FrozenPooling: always,
    FrozenResidual: always,
    FusedResidual: always,
    GlobalAvgPool2d: always,
    Identity: always,
    Linear: always,
    MaxPool2d: always,
    ReLU: always,
    Sequential: always,
}
"""The types, and for which of their settings it holds."""


def is_capturable(part: Part) -> bool:
    """Return whether a step of this part, with all inside, can be captured."""
    holds = CAPTURABLE.get(type(part))
    return holds is not None and holds(part) and all(map(is_capturable, part.children().values()))
