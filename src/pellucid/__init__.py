"""Pellucid: convolutional neural networks that can be seen through.

>>> import numpy as np
>>> import pellucid as pl
>>> from pellucid import layers as nn
>>> model = nn.Sequential(nn.Conv2d(1, 4, 3), nn.ReLU(), nn.Flatten(), nn.Linear(144, 2))
>>> pl.initialize(model, seed=0)(np.zeros((5, 1, 8, 8), np.float32)).shape
(5, 2)
"""

from importlib import import_module
from types import ModuleType
from typing import TYPE_CHECKING, Any

from pellucid import (
    data,
    engine,
    errors,
    interchange,
    layers,
    losses,
    models,
    notebook,
    ops,
    optim,
    training,
)
from pellucid.evaluation import Evaluation, evaluate, predict
from pellucid.interchange.safetensors import load, save
from pellucid.layers import freeze, fuse, initialize
from pellucid.models import summary
from pellucid.preprocessing import Preprocessing
from pellucid.training import find_rate, fit, train

if TYPE_CHECKING:
    from pellucid import explain, view
    from pellucid.estimator import CNNClassifier, CNNRegressor

__version__ = "0.1.0"

__all__ = [
    "CNNClassifier",
    "CNNRegressor",
    "Evaluation",
    "Preprocessing",
    "data",
    "engine",
    "errors",
    "evaluate",
    "explain",
    "find_rate",
    "fit",
    "freeze",
    "fuse",
    "initialize",
    "interchange",
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
    "view",
]

_LATER = {
    "CNNClassifier": "pellucid.estimator",
    "CNNRegressor": "pellucid.estimator",
    "explain": "pellucid.explain",
    "view": "pellucid.view",
}
"""Names whose modules are loaded when they are first asked for, with what they need."""


def __getattr__(name: str) -> Any:
    if name not in _LATER:
        raise AttributeError(f"module 'pellucid' has no attribute '{name}'")
    module = _loaded(_LATER[name])
    found = getattr(module, name, module)
    globals()[name] = found
    return found


def _show(kind: str, thing: Any) -> str | None:
    """Return the HTML with which a notebook shows something; None without Matplotlib."""
    try:
        notebooks = _loaded("pellucid.view.notebook")
    except errors.MissingExtraError:
        return None
    return notebooks.show(kind, thing)  # type: ignore[no-any-return]  # found by its name


def _loaded(module: str) -> ModuleType:
    """Return a module of the library, or say what has to be installed for it."""
    try:
        return import_module(module)
    except ModuleNotFoundError as error:
        package = (error.name or "").partition(".")[0]
        if package in ("", "pellucid"):
            raise
        said = f'{module} needs {package}: pip install "pellucid[app]"'
        raise errors.MissingExtraError(said) from error


notebook.show_with(_show)
