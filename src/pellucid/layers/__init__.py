"""Layers: parameters and operations. Each family has its file, and each layer its line here."""

from pellucid.layers.activation import (
    ELU,
    GELU,
    SELU,
    Hardswish,
    LeakyReLU,
    PReLU,
    ReLU,
    ReLU6,
    Sigmoid,
    SiLU,
    Softplus,
    Tanh,
)
from pellucid.layers.base import Layer, StepContext, initialize, observe
from pellucid.layers.batch_norm import BatchNorm1d, BatchNorm2d, InstanceNorm2d
from pellucid.layers.choice import ArgMax, Where
from pellucid.layers.concat import Concat
from pellucid.layers.convolution import Conv2d, ConvTranspose2d
from pellucid.layers.description import build
from pellucid.layers.dropout import Dropout, Dropout2d
from pellucid.layers.elementwise import (
    Abs,
    Affine,
    Clip,
    Erf,
    Exp,
    HardSigmoid,
    Heaviside,
    Log,
    Power,
    Softsign,
    ThresholdedReLU,
)
from pellucid.layers.graph import Graph
from pellucid.layers.linear import Linear
from pellucid.layers.merge import Add, Cat
from pellucid.layers.normalization import GroupNorm, LayerNorm, LocalResponseNorm
from pellucid.layers.padding import Pad2d
from pellucid.layers.pairwise import (
    BroadcastAdd,
    Divide,
    MatMul,
    Maximum,
    Minimum,
    Multiply,
    Subtract,
)
from pellucid.layers.pixel_shuffle import PixelShuffle, PixelUnshuffle
from pellucid.layers.pooling import (
    AdaptiveAvgPool2d,
    AdaptiveMaxPool2d,
    AvgPool2d,
    GlobalAvgPool2d,
    MaxPool2d,
)
from pellucid.layers.rearrange import Expand, Pad, Permute, Reshape, Slice, Take
from pellucid.layers.reduce import ReduceMax, ReduceMean, ReduceSum
from pellucid.layers.residual import Residual
from pellucid.layers.resize import Resize
from pellucid.layers.scale import Scale, Shift
from pellucid.layers.sequential import Sequential
from pellucid.layers.shape import Flatten, Identity
from pellucid.layers.softmax import LogSoftmax, Softmax
from pellucid.layers.upsample import Upsample

Training = StepContext
"""The former name of `StepContext`."""
