"""Airbench, a network that is quickly trained to 94 % on CIFAR-10.

Source: Jordan, "94% on CIFAR-10 in 3.29 seconds on a single GPU", 2024.
"""

from __future__ import annotations

from pellucid import layers as nn
from pellucid.models.registry import register, widened
from pellucid.types import Shape


@register
def airbench(
    input_shape: Shape, classes: int, width: float = 1.0, activation: str = "GELU"
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
    width
        Factor on the groups' 64, 256 and 256 channels. Default: 1.
    activation
        Name of an activation layer, such as ``"ReLU"``. Default: ``"GELU"``.

    Examples
    --------
    >>> airbench((3, 32, 32), 10)["whiten"]
    Conv2d(in_channels=3, out_channels=24, kernel_size=2)
    """
    return _airbench(input_shape, classes, [widened(c, width) for c in (64, 256, 256)], activation)


def _airbench(
    input_shape: Shape, classes: int, widths: list[int], activation: str
) -> nn.Sequential:
    function = getattr(nn, activation)
    channels = 2 * input_shape[0] * 2 * 2  # each principal component with both signs
    parts: dict[str, nn.Layer] = {
        "whiten": nn.Conv2d(input_shape[0], channels, 2),
        "act": function(),
    }
    for number, filters in enumerate(widths, start=1):
        parts[f"group{number}"] = _group(channels, filters, function)
        channels = filters
    size = nn.Sequential(parts).output_shape((1, *input_shape))[2:]
    parts["pool"] = nn.MaxPool2d(size)
    parts["flatten"] = nn.Flatten()
    parts["head"] = nn.Linear(channels, classes, bias=False, initializer="uniform:0.001")
    return nn.Sequential(parts)


def _group(channels: int, filters: int, activation: type[nn.Layer]) -> nn.Sequential:
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
