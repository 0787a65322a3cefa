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
    """Build a DenseNet-BC for images of about 32×32 (sec. 3).

    In a dense block, each layer reads the outputs of all layers before it, ``x_{l+1} = [x_l,
    H(x_l)]``, with k new channels from H (norm, ReLU, 1×1 convolution to 4k, norm, ReLU, 3×3
    convolution to k). Between blocks, a transition keeps a share of the channels and halves the
    image. Parameter names are torchvision's.

    Parameters
    ----------
    input_shape
        Shape (C, H, W) of an image, at least 4×4.
    classes
        Number of classes.
    growth
        Number k of channels that each layer adds; the first convolution has 2k. Default: 12.
    blocks
        Number of layers of each block. Three blocks of 6 layers (default) are the paper's depth
        L = 40, three of 16 its L = 100.
    compression
        Share θ of the channels that a transition keeps. Default: 0.5.

    Examples
    --------
    >>> sum(p.value.size for p in densenet((3, 32, 32), 10, blocks=(16, 16, 16)).parameters())
    769162
    """
    if not 0 < compression <= 1:
        raise ShapeError(f"compression must be above 0 and at most 1, not {compression!r}")
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
    """Return ``[x, H(x)]``; the layers of H keep their names."""
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
