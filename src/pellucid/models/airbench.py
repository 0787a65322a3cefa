"""Airbench, networks that learn small images within a few epochs.

Source: Jordan, "94% on CIFAR-10 in 3.29 seconds on a single GPU", 2024.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Literal

from pellucid import layers as nn
from pellucid.arguments import Size, checked
from pellucid.models.registry import register
from pellucid.types import Shape

Activation = Literal["gelu", "relu", "silu"]
ACTIVATIONS: dict[str, Callable[[], nn.Layer]] = {"gelu": nn.GELU, "relu": nn.ReLU, "silu": nn.SiLU}


@register
def airbench(
    input_shape: Shape,
    classes: int,
    widths: Sequence[int] = (64, 256, 256),
    activation: Activation = "gelu",
) -> nn.Sequential:
    """Build the network of airbench94 for images of about 32×32.

    A 2×2 convolution, meant to be fixed by `models.whiten`, then three groups of convolution,
    pooling, normalisation, activation, convolution, normalisation, activation, then the maximum
    over the rest of the image and a linear layer. The 3×3 kernels begin as the identity on their
    first channels, and the scores begin close to 0.

    Parameters
    ----------
    input_shape
        Shape (C, H, W) of an image, at least 9×9.
    classes
        Number of classes.
    widths
        Numbers of channels of the groups. Default: (64, 256, 256), the paper's.
    activation
        ``"gelu"`` (default), ``"relu"`` or ``"silu"``.

    Examples
    --------
    >>> airbench((3, 32, 32), 10)["whiten"]
    Conv2d(in_channels=3, out_channels=24, kernel_size=2)
    """
    act = ACTIVATIONS[checked("activation", activation, Activation)]
    channels = 2 * input_shape[0] * 2 * 2  # each principal component of a patch with both signs
    parts: dict[str, nn.Layer] = {"whiten": nn.Conv2d(input_shape[0], channels, 2), "act": act()}
    for number, filters in enumerate(checked("widths", widths, tuple[Size, ...]), start=1):
        parts[f"group{number}"] = _group(channels, filters, act)
        channels = filters
    H, W = nn.Sequential(parts).output_shape((1, *input_shape))[2:]
    parts["pool"] = nn.MaxPool2d(H if H == W else (H, W))
    parts["flatten"] = nn.Flatten()
    parts["head"] = nn.Linear(channels, classes, bias=False, initializer="uniform:0.001")
    return nn.Sequential(parts)


@register
def airbench_large(input_shape: Shape, classes: int) -> nn.Sequential:
    """Build `airbench` with 128, 384 and 384 channels, about 4.6 million parameters.

    >>> sum(p.value.size for p in airbench_large((3, 32, 32), 10).parameters())
    4606520
    """
    return airbench(input_shape, classes, (128, 384, 384))


@register
def airbench_medium(input_shape: Shape, classes: int) -> nn.Sequential:
    """Build `airbench` with 32, 128 and 192 channels, about 750,000 parameters.

    >>> sum(p.value.size for p in airbench_medium((1, 28, 28), 10).parameters())
    752168
    """
    return airbench(input_shape, classes, (32, 128, 192))


@register
def airbench_narrow(input_shape: Shape, classes: int) -> nn.Sequential:
    """Build `airbench` with 32, 64 and 64 channels, to select images for a larger one.

    >>> sum(p.value.size for p in airbench_narrow((3, 32, 32), 10).parameters())
    146744
    """
    return airbench(input_shape, classes, (32, 64, 64))


@register
def airbench_small(input_shape: Shape, classes: int) -> nn.Sequential:
    """Build `airbench` with 6, 24 and 24 channels, about 18,000 parameters, for digits.

    >>> sum(p.value.size for p in airbench_small((1, 28, 28), 10).parameters())
    18100
    """
    return airbench(input_shape, classes, (6, 24, 24))


def _group(channels: int, filters: int, activation: Callable[[], nn.Layer]) -> nn.Sequential:
    def conv(channels: int) -> nn.Conv2d:
        return nn.Conv2d(channels, filters, 3, padding=1, bias=False, initializer="partial_dirac")

    return nn.Sequential(
        conv1=conv(channels),
        pool=nn.MaxPool2d(2),
        norm1=nn.BatchNorm2d(filters, momentum=0.4),
        act1=activation(),
        conv2=conv(filters),
        norm2=nn.BatchNorm2d(filters, momentum=0.4),
        act2=activation(),
    )
