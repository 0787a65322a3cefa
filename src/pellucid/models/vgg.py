"""VGG with batch normalisation, without which the deep variants hardly train.

Sources: Simonyan, Zisserman, "Very deep convolutional networks for large-scale image recognition",
2014; Ioffe, Szegedy, "Batch normalization", 2015.
"""

from __future__ import annotations

from collections.abc import Sequence

from pellucid import layers as nn
from pellucid.arguments import Size, checked
from pellucid.models.registry import register, widened
from pellucid.types import Shape

Stages = Sequence[Sequence[int]]


@register
def vgg(
    input_shape: Shape, classes: int, width: float = 1.0, dropout: float = 0.5
) -> nn.Sequential:
    """Build a small VGG for images of about 28×28 or 32×32.

    Three stages of two 3×3 convolutions with 32, 64 and 128 channels, each followed by max pooling
    that halves the image, then one linear layer.

    Parameters
    ----------
    input_shape
        Shape (C, H, W) of an image, at least 8×8.
    classes
        Number of classes.
    width
        Factor on the numbers of channels. Default: 1.
    dropout
        Dropout probability before the linear layer. Default: 0.5.

    Examples
    --------
    >>> vgg((3, 32, 32), 10, dropout=0.2)["classifier"]
    Sequential(
      0: Dropout(p=0.2)
      1: Linear(in_features=2048, out_features=10)
    )
    """
    a, b, c = (widened(channels, width) for channels in (32, 64, 128))
    features = _features(input_shape[0], [(a, a), (b, b), (c, c)])
    found = nn.Sequential(features=features, flatten=nn.Flatten())
    size = found.output_shape((1, *input_shape))[1]
    head = nn.Sequential(nn.Dropout(dropout), nn.Linear(size, classes))
    return nn.Sequential(found.layers, classifier=head)


@register
def vgg_tiny(
    input_shape: Shape, classes: int, widths: Sequence[int] = (8, 10, 12)
) -> nn.Sequential:
    """Build a VGG with fewer than 5,000 parameters, for digits.

    Stages of two 3×3 convolutions with GELU, max pooling between them, then the mean over the image
    instead of linear layers, which would hold most of the parameters, and scores for the classes.

    Parameters
    ----------
    input_shape
        Shape (C, H, W) of an image, at least 4×4.
    classes
        Number of classes.
    widths
        Numbers of channels of the stages. Default: (8, 10, 12).

    Examples
    --------
    >>> sum(p.value.size for p in vgg_tiny((1, 28, 28), 10).parameters())
    4894
    """
    channels, layers = input_shape[0], list[nn.Layer]()
    for width in checked("widths", widths, tuple[Size, ...]):
        layers += [nn.MaxPool2d(2)] if layers else []
        for _ in range(2):
            conv = nn.Conv2d(channels, width, 3, padding=1, bias=False)
            layers += [conv, nn.BatchNorm2d(width), nn.GELU()]
            channels = width
    return nn.Sequential(
        features=nn.Sequential(*layers),
        avgpool=nn.AdaptiveAvgPool2d(1),
        flatten=nn.Flatten(),
        head=nn.Linear(channels, classes),
    )


@register
def vgg11_bn(
    input_shape: Shape, classes: int, width: float = 1.0, dropout: float = 0.5
) -> nn.Sequential:
    """Build the paper's network A (table 1: 11 layers), equal to torchvision's.

    Parameter names are torchvision's. See `vgg16_bn` for the arguments.

    >>> list(vgg11_bn((3, 224, 224), 1000).named_parameters())[-1]
    'classifier.6.bias'
    """
    return _large(input_shape, classes, width, dropout, (1, 1, 2, 2, 2))


@register
def vgg16_bn(
    input_shape: Shape, classes: int, width: float = 1.0, dropout: float = 0.5
) -> nn.Sequential:
    """Build the paper's network D (table 1: 16 layers), equal to torchvision's.

    Parameters
    ----------
    input_shape
        Shape (C, H, W) of an image, at least 32×32 (the paper: 224×224).
    classes
        Number of classes.
    width
        Factor on the paper's 64, 128, 256, 512, 512 channels and 4096 units. Default: 1.
    dropout
        Dropout probability in the linear layers. Default: 0.5.

    Examples
    --------
    >>> vgg16_bn((3, 224, 224), 1000).multiply_adds((1, 3, 224, 224))
    15470264320
    """
    return _large(input_shape, classes, width, dropout, (2, 2, 3, 3, 3))


def _large(
    input_shape: Shape, classes: int, width: float, dropout: float, depths: Sequence[int]
) -> nn.Sequential:
    widths = [widened(channels, width) for channels in (64, 128, 256, 512, 512)]
    units = widened(4096, width)
    stages = [(channels,) * depth for channels, depth in zip(widths, depths, strict=True)]
    return nn.Sequential(
        features=_features(input_shape[0], stages),
        avgpool=nn.AdaptiveAvgPool2d(7),
        flatten=nn.Flatten(),
        classifier=nn.Sequential(
            *(nn.Linear(widths[-1] * 7 * 7, units), nn.ReLU(), nn.Dropout(dropout)),
            *(nn.Linear(units, units), nn.ReLU(), nn.Dropout(dropout)),
            nn.Linear(units, classes),
        ),
    )


def _features(channels: int, stages: Stages) -> nn.Sequential:
    """Return 3×3 convolutions with these output channels, with pooling after each stage."""
    layers: list[nn.Layer] = []
    for stage in stages:
        for width in stage:
            layers += [nn.Conv2d(channels, width, 3, padding=1), nn.BatchNorm2d(width), nn.ReLU()]
            channels = width
        layers.append(nn.MaxPool2d(2))
    return nn.Sequential(*layers)
