"""A network of few parameters for handwritten digits."""

from __future__ import annotations

from pellucid import layers as nn
from pellucid.models.registry import register, widened
from pellucid.types import Shape


@register
def tiny(input_shape: Shape, classes: int, width: float = 1.0) -> nn.Sequential:
    """Build a network of fewer than 5,000 parameters for images of about 28×28.

    Five 3×3 convolutions with 8, 8, 12, 12 and 16 channels, each with batch normalisation and
    ReLU, and max pooling after the second and fourth; then the mean of each channel and a linear
    layer, which needs few weights (Lin, Chen, Yan, "Network in network", 2013, sec. 3.2).

    Parameters
    ----------
    input_shape
        Shape (C, H, W) of an image, at least 4×4.
    classes
        Number of classes.
    width
        Factor on the numbers of channels. Default: 1.

    Examples
    --------
    >>> sum(p.value.size for p in tiny((1, 28, 28), 10).parameters())
    4818
    """
    channels, parts = input_shape[0], dict[str, nn.Layer]()
    for number, filters in enumerate((8, 8, 12, 12, 16), start=1):
        filters = widened(filters, width)
        parts[f"conv{number}"] = nn.Conv2d(channels, filters, 3, padding=1, bias=False)
        parts[f"norm{number}"] = nn.BatchNorm2d(filters)
        parts[f"relu{number}"] = nn.ReLU()
        if number in (2, 4):
            parts[f"pool{number}"] = nn.MaxPool2d(2)
        channels = filters
    parts |= {
        "mean": nn.GlobalAvgPool2d(),
        "flatten": nn.Flatten(),
        "head": nn.Linear(channels, classes),
    }
    return nn.Sequential(parts)
