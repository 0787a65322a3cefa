"""LeNet-5: LeCun et al., "Gradient-based learning applied to document recognition", 1998."""

from __future__ import annotations

from pellucid import layers as nn
from pellucid.models.registry import register, widened
from pellucid.types import Shape


@register
def lenet5(input_shape: Shape, classes: int, width: float = 2.0) -> nn.Sequential:
    """Return LeNet-5 as it is built today, with ReLU, maximum pooling and linear scores.

    Two 5×5 convolutions with pooling find strokes and their arrangements, three linear layers tell
    the digit (sec. II B, figure 2). The paper pads 28×28 digits to 32×32; here the first
    convolution pads.

    Parameters
    ----------
    input_shape, classes
        (C, H, W), at least 12×12 (the paper: 28×28 grey digits), and how many classes.
    width
        Multiplies the paper's 6 and 16 channels and 120 and 84 units. Twice as many, the default,
        take the test accuracy on MNIST after 3 epochs from 98.8 % to 99.1 or 99.2 % (Adam, rate
        0.002 falling to 0 along a cosine).

    Examples
    --------
    >>> sum(p.value.size for p in lenet5((1, 28, 28), 10, width=1).parameters())
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
