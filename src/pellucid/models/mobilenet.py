"""MobileNet: Howard et al., "MobileNets", 2017; Sandler et al., "MobileNetV2", 2018."""

from __future__ import annotations

from pellucid import layers as nn
from pellucid.models.registry import register, widened
from pellucid.types import Shape

# Howard et al., table 1, after the first convolution: output channels and stride
_SEPARABLE = (
    *((64, 1), (128, 2), (128, 1), (256, 2), (256, 1), (512, 2)),
    *((512, 1), (512, 1), (512, 1), (512, 1), (512, 1), (1024, 2), (1024, 1)),
)

# Sandler et al., table 2: expansion, output channels, repetitions, stride
_INVERTED = (
    *((1, 16, 1, 1), (6, 24, 2, 2), (6, 32, 3, 2), (6, 64, 4, 2)),
    *((6, 96, 3, 1), (6, 160, 3, 2), (6, 320, 1, 1)),
)


@register
def mobilenet(input_shape: Shape, classes: int, width: float = 0.5) -> nn.Sequential:
    """Build MobileNet (version 1) for images of about 32×32.

    Each convolution is separated into a depthwise 3×3 convolution, which processes every channel
    separately, and a 1×1 convolution, which mixes the channels (sec. 3.1). This takes 1/F + 1/9 of
    the multiplications of a 3×3 convolution to F channels. The first convolution has stride 1
    instead of the paper's 2, because images are small.

    Parameters
    ----------
    input_shape
        Shape (C, H, W) of an image.
    classes
        Number of classes.
    width
        The paper's width multiplier α. Default: 0.5.

    Examples
    --------
    >>> sum(p.value.size for p in mobilenet((3, 224, 224), 1000, width=1).parameters())
    4231976
    """
    channels = widened(32, width)
    layers: dict[str, nn.Layer] = {"conv0": _normed(input_shape[0], channels, 3, nn.ReLU())}
    for i, (outputs, stride) in enumerate(_SEPARABLE, start=1):
        outputs = widened(outputs, width)
        depthwise = _normed(channels, channels, 3, nn.ReLU(), stride, groups=channels)
        pointwise = _normed(channels, outputs, 1, nn.ReLU())
        layers[f"separable{i}"] = nn.Sequential(depthwise=depthwise, pointwise=pointwise)
        channels = outputs
    return nn.Sequential(
        layers,
        avgpool=nn.AdaptiveAvgPool2d(1),
        flatten=nn.Flatten(),
        fc=nn.Linear(channels, classes),
    )


@register
def mobilenet_v2(
    input_shape: Shape,
    classes: int,
    width: float = 1.0,
    dropout: float = 0.2,
    small_images: bool = False,
) -> nn.Sequential:
    """Build MobileNetV2 (table 2), equal to torchvision's, with the same parameter names.

    Its blocks are narrow outside and wide inside: 1×1 to six times the channels, depthwise 3×3, and
    1×1 back without activation, with a shortcut where shapes agree (sec. 3.3, figure 4d).

    Parameters
    ----------
    input_shape
        Shape (C, H, W) of an image (the paper: 3×224×224).
    classes
        Number of classes.
    width
        Factor on the channels, which are rounded to multiples of 8; the last convolution's 1280
        grow with it but never shrink.
    dropout
        Dropout probability before the linear layer. Default: 0.2.
    small_images
        Whether to use stride 1 in the first convolution and at the first change of size, so that an
        image of 32×32 ends as 4×4. Default: False.

    Examples
    --------
    >>> sum(p.value.size for p in mobilenet_v2((3, 224, 224), 1000).parameters())
    3504872
    """
    channels, last = widened(32, width, 8), widened(1280, max(1.0, width), 8)
    stem = _normed(input_shape[0], channels, 3, nn.ReLU6(), 1 if small_images else 2)
    layers: list[nn.Layer] = [stem]
    for stage, (expansion, outputs, repetitions, stride) in enumerate(_INVERTED):
        outputs = widened(outputs, width, 8)
        for i in range(repetitions):
            step = stride if i == 0 and not (small_images and stage == 1) else 1
            layers.append(inverted_residual(channels, outputs, step, expansion))
            channels = outputs
    layers.append(_normed(channels, last, 1, nn.ReLU6()))
    return nn.Sequential(
        features=nn.Sequential(*layers),
        avgpool=nn.AdaptiveAvgPool2d(1),
        flatten=nn.Flatten(),
        classifier=nn.Sequential(nn.Dropout(dropout), nn.Linear(last, classes)),
    )


def inverted_residual(inputs: int, outputs: int, stride: int, expansion: int) -> nn.Layer:
    """Build a block of version 2: expand, process each channel, reduce."""
    inner = inputs * expansion
    layers: list[nn.Layer] = []
    if expansion != 1:
        layers.append(_normed(inputs, inner, 1, nn.ReLU6()))
    layers.append(_normed(inner, inner, 3, nn.ReLU6(), stride, groups=inner))
    layers += [nn.Conv2d(inner, outputs, 1, bias=False), nn.BatchNorm2d(outputs)]
    body = nn.Sequential(conv=nn.Sequential(*layers))
    return nn.Residual(body) if stride == 1 and inputs == outputs else body


def _normed(
    inputs: int,
    outputs: int,
    kernel_size: int,
    activation: nn.Layer,
    stride: int = 1,
    groups: int = 1,
) -> nn.Sequential:
    """Return a convolution with normalisation and activation."""
    convolution = nn.Conv2d(
        inputs,
        outputs,
        kernel_size,
        stride=stride,
        padding=kernel_size // 2,
        groups=groups,
        bias=False,
    )
    return nn.Sequential(convolution, nn.BatchNorm2d(outputs), activation)
