"""Pellucid: convolutional neural networks that can be seen through.

>>> import numpy as np
>>> import pellucid as pl
>>> from pellucid import layers as nn
>>> model = nn.Sequential(nn.Conv2d(1, 4, 3), nn.ReLU(), nn.Flatten(), nn.Linear(144, 2))
>>> pl.initialize(model, seed=0)(np.zeros((5, 1, 8, 8), np.float32)).shape
(5, 2)
"""

from pellucid import data, engine, errors, layers, losses, models, ops, optim, training
from pellucid.evaluation import Evaluation, evaluate, predict
from pellucid.interchange.safetensors import load, save
from pellucid.layers import fuse, initialize
from pellucid.models import summary
from pellucid.preprocessing import Preprocessing
from pellucid.training import find_rate, fit, train

__version__ = "0.1.0"

__all__ = [
    "Evaluation",
    "Preprocessing",
    "data",
    "engine",
    "errors",
    "evaluate",
    "find_rate",
    "fit",
    "fuse",
    "initialize",
    "layers",
    "load",
    "losses",
    "models",
    "ops",
    "optim",
    "predict",
    "save",
    "summary",
    "train",
    "training",
]
