"""The layers of a network: parameters, and the forward and backward pass of each layer."""

from __future__ import annotations

from pellucid.layers.activation import ELU as ELU
from pellucid.layers.activation import GELU as GELU
from pellucid.layers.activation import SELU as SELU
from pellucid.layers.activation import Hardswish as Hardswish
from pellucid.layers.activation import LeakyReLU as LeakyReLU
from pellucid.layers.activation import PReLU as PReLU
from pellucid.layers.activation import ReLU as ReLU
from pellucid.layers.activation import ReLU6 as ReLU6
from pellucid.layers.activation import Sigmoid as Sigmoid
from pellucid.layers.activation import SiLU as SiLU
from pellucid.layers.activation import Softplus as Softplus
from pellucid.layers.activation import Tanh as Tanh
from pellucid.layers.base import Layer as Layer
from pellucid.layers.base import StepContext as StepContext
from pellucid.layers.base import initialize as initialize
from pellucid.layers.batch_norm import BatchNorm1d as BatchNorm1d
from pellucid.layers.batch_norm import BatchNorm2d as BatchNorm2d
from pellucid.layers.batch_norm import InstanceNorm2d as InstanceNorm2d
from pellucid.layers.choice import ArgMax as ArgMax
from pellucid.layers.choice import Where as Where
from pellucid.layers.concat import Concat as Concat
from pellucid.layers.convolution import Conv2d as Conv2d
from pellucid.layers.convolution import ConvTranspose2d as ConvTranspose2d
from pellucid.layers.description import build as build
from pellucid.layers.dropout import Dropout as Dropout
from pellucid.layers.dropout import Dropout2d as Dropout2d
from pellucid.layers.elementwise import Abs as Abs
from pellucid.layers.elementwise import Affine as Affine
from pellucid.layers.elementwise import Clip as Clip
from pellucid.layers.elementwise import Erf as Erf
from pellucid.layers.elementwise import Exp as Exp
from pellucid.layers.elementwise import HardSigmoid as HardSigmoid
from pellucid.layers.elementwise import Heaviside as Heaviside
from pellucid.layers.elementwise import Log as Log
from pellucid.layers.elementwise import Power as Power
from pellucid.layers.elementwise import Softsign as Softsign
from pellucid.layers.elementwise import ThresholdedReLU as ThresholdedReLU
from pellucid.layers.graph import Graph as Graph
from pellucid.layers.linear import Linear as Linear
from pellucid.layers.merge import Add as Add
from pellucid.layers.merge import Cat as Cat
from pellucid.layers.normalization import GroupNorm as GroupNorm
from pellucid.layers.normalization import LayerNorm as LayerNorm
from pellucid.layers.normalization import LocalResponseNorm as LocalResponseNorm
from pellucid.layers.observers import observe as observe
from pellucid.layers.padding import Pad2d as Pad2d
from pellucid.layers.pairwise import BroadcastAdd as BroadcastAdd
from pellucid.layers.pairwise import Divide as Divide
from pellucid.layers.pairwise import MatMul as MatMul
from pellucid.layers.pairwise import Maximum as Maximum
from pellucid.layers.pairwise import Minimum as Minimum
from pellucid.layers.pairwise import Multiply as Multiply
from pellucid.layers.pairwise import Subtract as Subtract
from pellucid.layers.pixel_shuffle import PixelShuffle as PixelShuffle
from pellucid.layers.pixel_shuffle import PixelUnshuffle as PixelUnshuffle
from pellucid.layers.pooling import AdaptiveAvgPool2d as AdaptiveAvgPool2d
from pellucid.layers.pooling import AdaptiveMaxPool2d as AdaptiveMaxPool2d
from pellucid.layers.pooling import AvgPool2d as AvgPool2d
from pellucid.layers.pooling import GlobalAvgPool2d as GlobalAvgPool2d
from pellucid.layers.pooling import MaxPool2d as MaxPool2d
from pellucid.layers.rearrange import Expand as Expand
from pellucid.layers.rearrange import Pad as Pad
from pellucid.layers.rearrange import Permute as Permute
from pellucid.layers.rearrange import Reshape as Reshape
from pellucid.layers.rearrange import Slice as Slice
from pellucid.layers.rearrange import Take as Take
from pellucid.layers.reduce import ReduceMax as ReduceMax
from pellucid.layers.reduce import ReduceMean as ReduceMean
from pellucid.layers.reduce import ReduceSum as ReduceSum
from pellucid.layers.residual import Residual as Residual
from pellucid.layers.resize import Resize as Resize
from pellucid.layers.scale import Scale as Scale
from pellucid.layers.scale import Shift as Shift
from pellucid.layers.sequential import Sequential as Sequential
from pellucid.layers.shape import Flatten as Flatten
from pellucid.layers.shape import Identity as Identity
from pellucid.layers.softmax import LogSoftmax as LogSoftmax
from pellucid.layers.softmax import Softmax as Softmax
from pellucid.layers.upsample import Upsample as Upsample
from pellucid.notebook import public_names as _public_names

Training = StepContext
"""Former name of `StepContext`."""


def __dir__() -> list[str]:
    return _public_names(globals())
