"""Layers: parameters and operations. Each family has its file, and each layer its line here."""

from pellucid.layers.activation import (
    ELU,
    GELU,
    SELU,
    Hardswish,
    LeakyReLU,
    LogSoftmax,
    PReLU,
    ReLU,
    ReLU6,
    Sigmoid,
    SiLU,
    Softmax,
    Softplus,
    Tanh,
)
from pellucid.layers.base import Layer, Training, initialize, observe
from pellucid.layers.concat import Concat
from pellucid.layers.description import build
from pellucid.layers.dropout import Dropout, Dropout2d
from pellucid.layers.graph import Graph
from pellucid.layers.linear import Linear
from pellucid.layers.merge import Add, Cat, Multiply
from pellucid.layers.residual import Residual
from pellucid.layers.sequential import Sequential
from pellucid.layers.shape import Flatten, Identity

__all__ = [
    "ELU",
    "GELU",
    "SELU",
    "Add",
    "Cat",
    "Concat",
    "Dropout",
    "Dropout2d",
    "Flatten",
    "Graph",
    "Hardswish",
    "Identity",
    "Layer",
    "LeakyReLU",
    "Linear",
    "LogSoftmax",
    "Multiply",
    "PReLU",
    "ReLU",
    "ReLU6",
    "Residual",
    "Sequential",
    "SiLU",
    "Sigmoid",
    "Softmax",
    "Softplus",
    "Tanh",
    "Training",
    "build",
    "initialize",
    "observe",
]
