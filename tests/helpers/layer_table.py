"""Every layer, with options that cover all paths through its code.

Rows for a new layer belong here, with shapes that distinguish the axes (H ≠ W, and neither a
multiple of the stride). test_conformance.py tests what all layers have in common.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from pellucid import layers as nn


@dataclass(frozen=True)
class Row:
    """A function that makes the layer, and the shape of its input, or one shape per input."""

    make: Callable[[], nn.Layer]
    shape: Any
    reach: int = 3
    """Inputs are drawn from −reach to reach."""
    above: float | None = None
    """If given, inputs are drawn from `above` to `above` + `reach` instead."""
    tolerance: float = 1e-7
    """Tolerance for gradients, relative to the largest entry."""
    smallest_batch: int = 1
    """Smallest batch size in training."""
    alone: bool = True
    """Whether an image's result in inference is independent of the other images."""

    def drawn(self, rng: np.random.Generator) -> list[np.ndarray]:
        """Draw inputs within the limits, in float64."""
        shapes = self.shape if isinstance(self.shape[0], tuple) else (self.shape,)
        inputs = [rng.uniform(-self.reach, self.reach, shape) for shape in shapes]
        return inputs if self.above is None else [abs(x) + self.above for x in inputs]


ROWS = {
    # convolution
    "Conv2d": Row(lambda: nn.Conv2d(2, 3, 3), (2, 2, 6, 5)),
    "Conv2d, every option": Row(
        lambda: nn.Conv2d(
            4, 6, (3, 2), stride=(2, 1), padding=((1, 0), (2, 1)), dilation=(1, 2), groups=2
        ),
        (2, 4, 7, 6),
    ),
    "Conv2d, depthwise, same, no bias": Row(
        lambda: nn.Conv2d(3, 3, 3, padding="same", groups=3, bias=False), (2, 3, 4, 5)
    ),
    "Conv2d, 1×1, stride 2": Row(lambda: nn.Conv2d(3, 2, 1, stride=2), (2, 3, 5, 4)),
    "Conv2d, padding reflect": Row(
        lambda: nn.Conv2d(2, 2, 3, padding=1, padding_mode="reflect"), (2, 2, 4, 5)
    ),
    "ConvTranspose2d": Row(lambda: nn.ConvTranspose2d(3, 2, 3), (2, 3, 4, 5)),
    "ConvTranspose2d, every option": Row(
        lambda: nn.ConvTranspose2d(
            4, 6, (3, 2), stride=(2, 3), padding=1, output_padding=1, groups=2, dilation=(2, 1)
        ),
        (2, 4, 3, 4),
    ),
    "ConvTranspose2d, whole steps of output padding": Row(
        lambda: nn.ConvTranspose2d(
            2, 3, 3, stride=(1, 2), padding=(0, 2), output_padding=(2, 3), dilation=(3, 4)
        ),
        (2, 2, 4, 3),
    ),
    "Pad2d": Row(lambda: nn.Pad2d(((1, 0), (2, 1))), (2, 2, 3, 4)),
    "Pad2d, reflect": Row(lambda: nn.Pad2d((1, 2), mode="reflect"), (2, 2, 3, 4)),
    "Pad2d, replicate": Row(lambda: nn.Pad2d((1, 2), mode="replicate"), (2, 2, 3, 4)),
    "Pad2d, circular": Row(lambda: nn.Pad2d((1, 2), mode="circular"), (2, 2, 3, 4)),
    # linear
    "Linear": Row(lambda: nn.Linear(5, 3), (4, 5)),
    "Linear, no bias, more axes": Row(lambda: nn.Linear(5, 3, bias=False), (2, 4, 5)),
    # pooling
    "MaxPool2d": Row(lambda: nn.MaxPool2d(2), (2, 3, 5, 6)),
    "MaxPool2d, overlapping, every option": Row(
        lambda: nn.MaxPool2d((3, 2), stride=(2, 1), padding=1, dilation=(2, 1), ceil_mode=True),
        (2, 2, 6, 5),
    ),
    "AvgPool2d": Row(lambda: nn.AvgPool2d(2), (2, 3, 5, 6)),
    "AvgPool2d, overlapping, every option": Row(
        lambda: nn.AvgPool2d(
            (3, 2), (2, 1), padding=1, ceil_mode=True, count_include_pad=False, dilation=(2, 1)
        ),
        (2, 2, 6, 5),
    ),
    "AdaptiveAvgPool2d": Row(lambda: nn.AdaptiveAvgPool2d((3, 2)), (2, 2, 5, 7)),
    "AdaptiveMaxPool2d": Row(lambda: nn.AdaptiveMaxPool2d((None, 2)), (2, 2, 5, 7)),
    "GlobalAvgPool2d": Row(lambda: nn.GlobalAvgPool2d(), (2, 3, 4, 5)),
    # normalisation
    "BatchNorm1d": Row(lambda: nn.BatchNorm1d(3), (5, 3), smallest_batch=2),
    "BatchNorm1d, with a length": Row(lambda: nn.BatchNorm1d(3), (4, 3, 5)),
    "BatchNorm2d": Row(lambda: nn.BatchNorm2d(3), (3, 3, 4, 2)),
    "BatchNorm2d, nothing learned or gathered": Row(
        lambda: nn.BatchNorm2d(3, affine=False, track_running_stats=False),
        (3, 3, 4, 2),
        alone=False,
    ),
    "BatchNorm2d, cumulative average": Row(lambda: nn.BatchNorm2d(2, momentum=None), (3, 2, 2, 3)),
    "LayerNorm": Row(lambda: nn.LayerNorm(6), (3, 6)),
    "LayerNorm, several axes": Row(lambda: nn.LayerNorm((3, 4, 2)), (2, 3, 4, 2)),
    "GroupNorm": Row(lambda: nn.GroupNorm(2, 4), (2, 4, 3, 2)),
    "InstanceNorm2d": Row(lambda: nn.InstanceNorm2d(3), (2, 3, 4, 2)),
    "InstanceNorm2d, learned and gathered": Row(
        lambda: nn.InstanceNorm2d(3, affine=True, track_running_stats=True), (2, 3, 4, 2)
    ),
    "LocalResponseNorm": Row(lambda: nn.LocalResponseNorm(3, alpha=0.5), (2, 5, 3, 2)),
    # activation
    "ReLU": Row(lambda: nn.ReLU(), (3, 4, 2, 3)),
    "ReLU6": Row(lambda: nn.ReLU6(), (3, 4, 2, 3), reach=8),
    "LeakyReLU": Row(lambda: nn.LeakyReLU(0.2), (3, 4, 2, 3)),
    "PReLU": Row(lambda: nn.PReLU(), (3, 4, 2, 3)),
    "PReLU, one for each channel": Row(lambda: nn.PReLU(4, init=0.1), (3, 4, 2, 3)),
    "ELU": Row(lambda: nn.ELU(0.7), (3, 4, 2, 3)),
    "SELU": Row(lambda: nn.SELU(), (3, 4, 2, 3)),
    "GELU": Row(lambda: nn.GELU(), (3, 4, 2, 3)),
    "GELU, tanh": Row(lambda: nn.GELU(approximate="tanh"), (3, 4, 2, 3)),
    "SiLU": Row(lambda: nn.SiLU(), (3, 4, 2, 3)),
    "Hardswish": Row(lambda: nn.Hardswish(), (3, 4, 2, 3), reach=8),
    "Softplus": Row(lambda: nn.Softplus(beta=2.0, threshold=4.0), (3, 4, 2, 3)),
    "Sigmoid": Row(lambda: nn.Sigmoid(), (3, 4, 2, 3)),
    "Tanh": Row(lambda: nn.Tanh(), (3, 4, 2, 3)),
    "Softmax": Row(lambda: nn.Softmax(), (3, 5)),
    "Softmax, last axis": Row(lambda: nn.Softmax(dim=-1), (3, 2, 4)),
    "LogSoftmax": Row(lambda: nn.LogSoftmax(), (3, 5)),
    # others
    "Dropout": Row(lambda: nn.Dropout(0.3), (3, 4, 2, 3)),
    "Dropout2d": Row(lambda: nn.Dropout2d(0.3), (3, 4, 2, 3)),
    "Flatten": Row(lambda: nn.Flatten(), (3, 2, 4, 5)),
    "Flatten, some axes": Row(lambda: nn.Flatten(start_dim=2), (3, 2, 4, 5)),
    "Identity": Row(lambda: nn.Identity(), (3, 2, 4, 5)),
    "Upsample": Row(lambda: nn.Upsample(scale_factor=2), (2, 2, 3, 4)),
    "Upsample, bilinear": Row(
        lambda: nn.Upsample(size=(5, 7), mode="bilinear", align_corners=True), (2, 2, 3, 4)
    ),
    "Resize": Row(lambda: nn.Resize(size=(5, 7), mode="cubic"), (2, 2, 3, 4)),
    "Resize, smaller": Row(
        lambda: nn.Resize(scale=(0.5, 0.7), mode="linear", antialias=True), (2, 2, 5, 6)
    ),
    "Resize, nearest": Row(
        lambda: nn.Resize(size=(5, 3), coordinates="align_corners", rounding="ceil"), (2, 2, 3, 4)
    ),
    "Add": Row(lambda: nn.Add(), ((3, 4), (3, 4), (3, 4))),
    "Multiply": Row(lambda: nn.Multiply(), ((3, 4, 2, 3), (3, 4, 1, 1))),
    "Cat": Row(lambda: nn.Cat(axis=1), ((3, 4, 2, 3), (3, 1, 2, 3), (3, 2, 2, 3))),
    # elementwise functions
    "Affine": Row(lambda: nn.Affine(2.5, -0.5), (3, 4, 2, 3)),
    "Power": Row(lambda: nn.Power(3.0), (3, 4, 2, 3), reach=2),
    "Log": Row(lambda: nn.Log(), (3, 4, 2, 3), above=0.5),
    "Heaviside": Row(lambda: nn.Heaviside(), (3, 4, 2, 3)),
    "Where": Row(lambda: nn.Where(), ((3, 4, 2, 3), (3, 4, 2, 3), (3, 4, 2, 3))),
    "Where, broadcast": Row(lambda: nn.Where(), ((3, 1, 2, 3), (3, 4, 1, 3), (3, 4, 2, 1))),
    "ArgMax": Row(lambda: nn.ArgMax(), (3, 4, 2, 3)),
    "ArgMax, without the axis": Row(lambda: nn.ArgMax(2, keepdims=False), (3, 4, 2, 3)),
    "PixelShuffle": Row(lambda: nn.PixelShuffle(2), (3, 8, 2, 3)),
    "PixelUnshuffle": Row(lambda: nn.PixelUnshuffle(2), (3, 2, 4, 6)),
    "Erf": Row(lambda: nn.Erf(), (3, 4, 2, 3)),
    "Exp": Row(lambda: nn.Exp(), (3, 4, 2, 3)),
    "Abs": Row(lambda: nn.Abs(), (3, 4, 2, 3)),
    "Clip": Row(lambda: nn.Clip(-1.0, 2.0), (3, 4, 2, 3)),
    "HardSigmoid": Row(lambda: nn.HardSigmoid(), (3, 4, 2, 3), reach=5),
    "Softsign": Row(lambda: nn.Softsign(), (3, 4, 2, 3)),
    "ThresholdedReLU": Row(lambda: nn.ThresholdedReLU(), (3, 4, 2, 3)),
    "Scale": Row(lambda: nn.Scale((4, 1, 1)), (3, 4, 2, 3)),
    "Scale, every value": Row(lambda: nn.Scale((4, 2, 3)), (3, 4, 2, 3)),
    "Shift": Row(lambda: nn.Shift((4, 1, 3)), (3, 4, 2, 3)),
    # rearrangement
    "Reshape": Row(lambda: nn.Reshape((0, 2, -1)), (3, 4, 2, 3)),
    "Permute": Row(lambda: nn.Permute((0, 2, 3, 1)), (3, 4, 2, 5)),
    "Slice": Row(lambda: nn.Slice(1, 1, 4, 2), (3, 5, 2, 3)),
    "Slice, backwards": Row(lambda: nn.Slice(-1, step=-2), (3, 2, 3, 5)),
    "Take": Row(lambda: nn.Take((2, 0, 2), axis=1), (3, 3, 2, 4)),
    "Expand": Row(lambda: nn.Expand((-1, 4, -1, 3)), (3, 4, 2, 1)),
    "Pad": Row(lambda: nn.Pad(((0, 0), (1, 2), (0, 0), (0, 1)), 0.5), (3, 4, 2, 3)),
    # reductions
    "ReduceSum": Row(lambda: nn.ReduceSum((2, 3)), (3, 4, 2, 3)),
    "ReduceMean": Row(lambda: nn.ReduceMean((1, -1), keepdims=True), (3, 4, 2, 3)),
    "ReduceMax": Row(lambda: nn.ReduceMax((2, 3)), (3, 4, 2, 3)),
    # two inputs
    "BroadcastAdd": Row(lambda: nn.BroadcastAdd(), ((3, 4, 2, 3), (3, 4, 1, 1))),
    "Subtract": Row(lambda: nn.Subtract(), ((3, 4, 2, 3), (3, 4, 1, 1))),
    "Divide": Row(lambda: nn.Divide(), ((3, 4, 2, 3), (3, 4, 1, 1))),
    "Maximum": Row(lambda: nn.Maximum(), ((3, 4, 2, 3), (3, 4, 2, 3))),
    "Minimum": Row(lambda: nn.Minimum(), ((3, 4, 2, 3), (3, 4, 2, 3))),
    "MatMul": Row(lambda: nn.MatMul(), ((3, 2, 4), (3, 4, 5))),
    # combinators
    "Sequential": Row(
        lambda: nn.Sequential(nn.Linear(4, 3), act=nn.Tanh(), fc=nn.Linear(3, 2)), (3, 4)
    ),
    "Residual": Row(
        lambda: nn.Residual(
            nn.Sequential(nn.Linear(4, 3), nn.Tanh()),
            shortcut=nn.Linear(4, 3, bias=False),
            activation=nn.SiLU(),
        ),
        (3, 4),
    ),
    "Residual, the identity": Row(lambda: nn.Residual(nn.Linear(4, 4)), (3, 4)),
    "Concat": Row(lambda: nn.Concat(nn.Linear(4, 2), nn.Identity(), named=nn.Linear(4, 1)), (3, 4)),
    "Graph": Row(
        lambda: nn.Graph(
            {
                "a": (nn.Linear(4, 4), "x"),
                "b": (nn.Tanh(), "a"),
                "sum": (nn.Add(), ("a", "b", "x")),
                "end": (nn.Linear(4, 2), "sum"),
            }
        ),
        (3, 4),
    ),
    "Graph, several inputs and outputs": Row(
        lambda: nn.Graph(
            {"a": (nn.Linear(4, 3), "u"), "product": (nn.Multiply(), ("a", "v"))},
            output=("product", "a"),
            inputs=("u", "v"),
        ),
        ((2, 4), (2, 3)),
    ),
}
