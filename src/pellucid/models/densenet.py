"""DenseNet: Huang et al., "Densely connected convolutional networks", 2017."""

from __future__ import annotations

from collections.abc import Sequence

from pellucid import layers as nn
from pellucid.errors import ShapeError
from pellucid.models.registry import register
from pellucid.types import Shape


@register
def densenet(
    input_shape: Shape,
    classes: int,
    growth: int = 12,
    blocks: Sequence[int] = (6, 6, 6),
    compression: float = 0.5,
) -> nn.Sequential:
    """Return a DenseNet-BC for images of about 32×32 (sec. 3).

    In a dense block each layer reads what all before it gave, ``x_{l+1} = [x_l, H(x_l)]`` with k
    new channels from H (norm, ReLU, 1×1 convolution to 4k, norm, ReLU, 3×3 convolution to k).
    Between blocks a transition keeps a share of the channels and halves the image. The parameter
    names are torchvision's.

    Parameters
    ----------
    input_shape, classes
        (C, H, W), at least 4×4, and how many classes.
    growth
        k, the channels that each layer adds; the beginning has 2k.
    blocks
        How many layers each block has. Three blocks of 6 layers make the paper's depth
        L = 40, three of 16 make L = 100.
    compression
        θ, the share of the channels that a transition keeps.

    Examples
    --------
    >>> sum(p.value.size for p in densenet((3, 32, 32), 10, blocks=(16, 16, 16)).parameters())
    769162
    """
    if not 0 < compression <= 1:
        raise ShapeError(f"compression is a share above 0 and up to 1, not {compression!r}")
    channels = 2 * growth
    layers: dict[str, nn.Layer] = {
        "conv0": nn.Conv2d(input_shape[0], channels, 3, padding=1, bias=False)
    }
    for i, depth in enumerate(blocks, start=1):
        layers[f"denseblock{i}"] = dense_block(channels, growth, depth)
        channels += depth * growth
        if i < len(blocks):
            kept = max(1, int(channels * compression))
            layers[f"transition{i}"] = _transition(channels, kept)
            channels = kept
    layers["norm5"] = nn.BatchNorm2d(channels)
    return nn.Sequential(
        features=nn.Sequential(layers),
        relu=nn.ReLU(),
        avgpool=nn.AdaptiveAvgPool2d(1),
        flatten=nn.Flatten(),
        classifier=nn.Linear(channels, classes),
    )


def dense_block(inputs: int, growth: int, depth: int) -> nn.Sequential:
    """Return `depth` dense layers; the i-th reads ``inputs + i·growth`` channels."""
    layers = {f"denselayer{i + 1}": _dense_layer(inputs + i * growth, growth) for i in range(depth)}
    return nn.Sequential(layers)


def _dense_layer(inputs: int, growth: int) -> nn.Concat:
    """Return ``[x, H(x)]``; H lends its children's names."""
    new = nn.Sequential(
        norm1=nn.BatchNorm2d(inputs),
        relu1=nn.ReLU(),
        conv1=nn.Conv2d(inputs, 4 * growth, 1, bias=False),
        norm2=nn.BatchNorm2d(4 * growth),
        relu2=nn.ReLU(),
        conv2=nn.Conv2d(4 * growth, growth, 3, padding=1, bias=False),
    )
    return nn.Concat({"x": nn.Identity(), "": new})


def _transition(inputs: int, outputs: int) -> nn.Sequential:
    return nn.Sequential(
        norm=nn.BatchNorm2d(inputs),
        relu=nn.ReLU(),
        conv=nn.Conv2d(inputs, outputs, 1, bias=False),
        pool=nn.AvgPool2d(2),
    )
