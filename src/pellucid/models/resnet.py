"""ResNet: He, Zhang, Ren, Sun, "Deep residual learning for image recognition", 2015."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from pellucid import layers as nn
from pellucid.models.registry import register, widened
from pellucid.types import Shape

Block = Callable[[int, int, int], nn.Residual]
"""Builds a block, given the numbers of input and output channels and the stride."""


def basic_block(inputs: int, outputs: int, stride: int = 1) -> nn.Residual:
    """Build two 3×3 convolutions with a shortcut (figure 5, left)."""
    body = nn.Sequential(
        conv1=nn.Conv2d(inputs, outputs, 3, stride=stride, padding=1, bias=False),
        bn1=nn.BatchNorm2d(outputs),
        relu=nn.ReLU(),
        conv2=nn.Conv2d(outputs, outputs, 3, padding=1, bias=False),
        bn2=nn.BatchNorm2d(outputs),
    )
    return nn.Residual(body, _shortcut(inputs, outputs, stride), nn.ReLU())


def bottleneck(inputs: int, outputs: int, stride: int = 1) -> nn.Residual:
    """Build 1×1, 3×3 and 1×1 convolutions with a shortcut (figure 5, right).

    The inner ones have a quarter of the channels. The 3×3 convolution has the stride, as in
    torchvision (in the paper it is the first 1×1, which ignores three of four values).
    """
    inner = outputs // 4
    body = nn.Sequential(
        conv1=nn.Conv2d(inputs, inner, 1, bias=False),
        bn1=nn.BatchNorm2d(inner),
        relu1=nn.ReLU(),
        conv2=nn.Conv2d(inner, inner, 3, stride=stride, padding=1, bias=False),
        bn2=nn.BatchNorm2d(inner),
        relu2=nn.ReLU(),
        conv3=nn.Conv2d(inner, outputs, 1, bias=False),
        bn3=nn.BatchNorm2d(outputs),
    )
    return nn.Residual(body, _shortcut(inputs, outputs, stride), nn.ReLU())


@register
def resnet20(input_shape: Shape, classes: int, width: float = 1.0) -> nn.Sequential:
    """Build the paper's network for CIFAR-10 with 20 layers (sec. 4.2).

    A 3×3 convolution, three stages of three blocks with 16, 32 and 64 channels at full, half and
    quarter image size, the mean of each channel, and one linear layer. Where the size changes, the
    shortcut is a 1×1 convolution with normalisation, the paper's option B (its CIFAR results use
    option A: subsampling and zero channels, with 2,752 parameters fewer).

    Parameters
    ----------
    input_shape
        Shape (C, H, W) of an image (the paper: 3×32×32).
    classes
        Number of classes.
    width
        Factor on the paper's 16, 32 and 64 channels. Default: 1.

    Examples
    --------
    >>> sum(p.value.size for p in resnet20((3, 32, 32), 10).parameters())
    272474
    """
    return _cifar(input_shape, classes, width, 3)


@register
def resnet32(input_shape: Shape, classes: int, width: float = 1.0) -> nn.Sequential:
    """Build the paper's CIFAR-10 network of 32 layers: `resnet20` with five blocks per stage."""
    return _cifar(input_shape, classes, width, 5)


@register
def resnet56(input_shape: Shape, classes: int, width: float = 1.0) -> nn.Sequential:
    """Build the paper's CIFAR-10 network of 56 layers: `resnet20` with nine blocks per stage."""
    return _cifar(input_shape, classes, width, 9)


@register
def resnet18(
    input_shape: Shape, classes: int, width: float = 1.0, small_images: bool = False
) -> nn.Sequential:
    """Build the paper's network for ImageNet with 18 layers (table 1), equal to torchvision's.

    `state_dict` has torchvision's names in torchvision's order, so its weights can be loaded.

    Parameters
    ----------
    input_shape
        Shape (C, H, W) of an image (the paper: 3×224×224).
    classes
        Number of classes.
    width
        Factor on the paper's 64, 128, 256 and 512 channels. Default: 1.
    small_images
        Whether to begin with a 3×3 convolution of stride 1 without pooling, so that images of 32×32
        are not reduced to 1×1 too early; names stay the same. Default: False.

    Examples
    --------
    >>> sum(p.value.size for p in resnet18((3, 224, 224), 1000).parameters())
    11689512
    """
    return _imagenet(input_shape, classes, width, small_images, basic_block, 1, (2, 2, 2, 2))


@register
def resnet50(
    input_shape: Shape, classes: int, width: float = 1.0, small_images: bool = False
) -> nn.Sequential:
    """Build the paper's network for ImageNet with 50 layers (table 1), equal to torchvision's.

    Like `resnet18`, with `bottleneck` blocks of 256, 512, 1024 and 2048 channels.

    >>> list(resnet50((3, 224, 224), 1000).state_dict())[-3:]
    ['layer4.2.bn3.num_batches_tracked', 'fc.weight', 'fc.bias']
    """
    return _imagenet(input_shape, classes, width, small_images, bottleneck, 4, (3, 4, 6, 3))


def _cifar(input_shape: Shape, classes: int, width: float, depth: int) -> nn.Sequential:
    widths = [widened(channels, width) for channels in (16, 32, 64)]
    return nn.Sequential(
        conv1=nn.Conv2d(input_shape[0], widths[0], 3, padding=1, bias=False),
        bn1=nn.BatchNorm2d(widths[0]),
        relu=nn.ReLU(),
        **_stages(basic_block, widths[0], widths, (depth, depth, depth)),
        **_head(widths[-1], classes),
    )


def _imagenet(
    input_shape: Shape,
    classes: int,
    width: float,
    small_images: bool,
    block: Block,
    expansion: int,
    depths: Sequence[int],
) -> nn.Sequential:
    inner = [widened(channels, width) for channels in (64, 128, 256, 512)]
    stem = inner[0]
    conv1 = nn.Conv2d(input_shape[0], stem, 7, stride=2, padding=3, bias=False)
    if small_images:
        conv1 = nn.Conv2d(input_shape[0], stem, 3, padding=1, bias=False)
    pool: dict[str, nn.Layer] = {"maxpool": nn.MaxPool2d(3, stride=2, padding=1)}
    return nn.Sequential(
        conv1=conv1,
        bn1=nn.BatchNorm2d(stem),
        relu=nn.ReLU(),
        **({} if small_images else pool),
        **_stages(block, stem, [expansion * channels for channels in inner], depths),
        **_head(expansion * inner[-1], classes),
    )


def _stages(
    block: Block, inputs: int, widths: Sequence[int], depths: Sequence[int]
) -> dict[str, nn.Layer]:
    """Return layer1, layer2, …; from the second on, the first block of each halves the image."""
    stages: dict[str, nn.Layer] = {}
    for i, (outputs, depth) in enumerate(zip(widths, depths, strict=True), start=1):
        first = block(inputs, outputs, 1 if i == 1 else 2)
        rest = [block(outputs, outputs, 1) for _ in range(depth - 1)]
        stages[f"layer{i}"] = nn.Sequential(first, *rest)
        inputs = outputs
    return stages


def _shortcut(inputs: int, outputs: int, stride: int) -> nn.Sequential | None:
    """Return the layers that give x the body's shape, or None if it has it (eq. 2, option B)."""
    if stride == 1 and inputs == outputs:
        return None
    convolution = nn.Conv2d(inputs, outputs, 1, stride=stride, bias=False)
    return nn.Sequential(convolution, nn.BatchNorm2d(outputs))


def _head(channels: int, classes: int) -> dict[str, nn.Layer]:
    return {
        "avgpool": nn.AdaptiveAvgPool2d(1),
        "flatten": nn.Flatten(),
        "fc": nn.Linear(channels, classes),
    }
