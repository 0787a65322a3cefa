"""GoogLeNet: Szegedy et al., "Going deeper with convolutions", 2014."""

from __future__ import annotations

from typing import NamedTuple

from pellucid import layers as nn
from pellucid.models.registry import register, widened
from pellucid.types import Shape


class Widths(NamedTuple):
    """Numbers of channels of a module: a row of the paper's table 1."""

    one: int
    three_reduce: int
    three: int
    five_reduce: int
    five: int
    pool: int

    @property
    def outputs(self) -> int:
        return self.one + self.three + self.five + self.pool


_STAGES = {
    "3": {"a": Widths(64, 96, 128, 16, 32, 32), "b": Widths(128, 128, 192, 32, 96, 64)},
    "4": {
        "a": Widths(192, 96, 208, 16, 48, 64),
        "b": Widths(160, 112, 224, 24, 64, 64),
        "c": Widths(128, 128, 256, 24, 64, 64),
        "d": Widths(112, 144, 288, 32, 64, 64),
        "e": Widths(256, 160, 320, 32, 128, 128),
    },
    "5": {"a": Widths(256, 160, 320, 32, 128, 128), "b": Widths(384, 192, 384, 48, 128, 128)},
}


@register
def inception(
    input_shape: Shape, classes: int, width: float = 0.25, dropout: float = 0.4
) -> nn.Sequential:
    """Build GoogLeNet with nine inception modules, for images of about 32×32.

    A module applies windows of 1×1, 3×3 and 5×5 at once and concatenates the results; 1×1
    convolutions before the larger windows keep them affordable (sec. 4, figure 2b). Each
    convolution has batch normalisation, there are no auxiliary classifiers, and one 3×3
    convolution replaces the paper's first layers, which reduce 224×224 to 28×28.

    Parameters
    ----------
    input_shape
        Shape (C, H, W) of an image.
    classes
        Number of classes.
    width
        Factor on the paper's numbers of channels (table 1). With 1, the network has 6 million
        parameters and needs 1.4 billion multiplications for an image of 32×32; with 0.25 (default)
        about a sixteenth.
    dropout
        Dropout probability before the linear layer. Default: 0.4.

    Examples
    --------
    >>> inception((3, 32, 32), 10, width=1).layers["inception3a"].output_shape((1, 192, 32, 32))
    (1, 256, 32, 32)
    """
    channels = widened(192, width)
    layers: dict[str, nn.Layer] = {"conv1": _convolution(input_shape[0], channels, 3)}
    for stage, modules in _STAGES.items():
        if stage != "3":
            layers[f"maxpool{stage}"] = nn.MaxPool2d(3, stride=2, padding=1)
        for letter, row in modules.items():
            widths = Widths(*(widened(w, width) for w in row))
            layers[f"inception{stage}{letter}"] = module(channels, widths)
            channels = widths.outputs
    return nn.Sequential(
        layers,
        avgpool=nn.AdaptiveAvgPool2d(1),
        flatten=nn.Flatten(),
        dropout=nn.Dropout(dropout),
        fc=nn.Linear(channels, classes),
    )


def module(inputs: int, widths: Widths) -> nn.Concat:
    """Return one inception module (figure 2b); its parameter names are torchvision's."""
    return nn.Concat(
        branch1=_convolution(inputs, widths.one, 1),
        branch2=nn.Sequential(
            _convolution(inputs, widths.three_reduce, 1),
            _convolution(widths.three_reduce, widths.three, 3),
        ),
        branch3=nn.Sequential(
            _convolution(inputs, widths.five_reduce, 1),
            _convolution(widths.five_reduce, widths.five, 5),
        ),
        branch4=nn.Sequential(
            nn.MaxPool2d(3, stride=1, padding=1),
            _convolution(inputs, widths.pool, 1),
        ),
    )


def _convolution(inputs: int, outputs: int, kernel_size: int) -> nn.Sequential:
    """Return a convolution that keeps the image's size, its normalisation and its activation."""
    return nn.Sequential(
        conv=nn.Conv2d(inputs, outputs, kernel_size, padding=kernel_size // 2, bias=False),
        bn=nn.BatchNorm2d(outputs),
        relu=nn.ReLU(),
    )
