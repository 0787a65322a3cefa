"""Layers: parameters and operations. Each family has its file, and each layer its line here."""

from pellucid.layers.base import Layer, Training, initialize, observe
from pellucid.layers.concat import Concat
from pellucid.layers.description import build
from pellucid.layers.graph import Graph
from pellucid.layers.merge import Add, Cat, Multiply
from pellucid.layers.residual import Residual
from pellucid.layers.sequential import Sequential

__all__ = [
    "Add",
    "Cat",
    "Concat",
    "Graph",
    "Layer",
    "Multiply",
    "Residual",
    "Sequential",
    "Training",
    "build",
    "initialize",
    "observe",
]
