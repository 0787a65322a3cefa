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

from pellucid import errors, notebook

if TYPE_CHECKING:
    from pellucid import (
        data,
        engine,
        explain,
        interchange,
        layers,
        losses,
        models,
        ops,
        optim,
        teach,
        training,
        view,
    )
    from pellucid.estimator import CNNClassifier, CNNRegressor
    from pellucid.evaluation import Evaluation, evaluate, predict
    from pellucid.execution import freeze, fuse
    from pellucid.explorer.widget import explore
    from pellucid.interchange.safetensors import load, save
    from pellucid.layers import initialize
    from pellucid.models.summary import summary
    from pellucid.preprocessing import Preprocessing
    from pellucid.training import find_rate, fit, train

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
    "explore",
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
    "teach",
    "train",
    "training",
    "view",
]

_MODULES = (
    "data", "engine", "explain", "interchange", "layers", "losses", "models", "ops", "optim",
    "teach", "training", "view",
)  # fmt: skip
_FROM = {
    "CNNClassifier": "estimator",
    "CNNRegressor": "estimator",
    "Evaluation": "evaluation",
    "Preprocessing": "preprocessing",
    "evaluate": "evaluation",
    "explore": "explorer.widget",
    "find_rate": "training",
    "fit": "training",
    "freeze": "execution",
    "fuse": "execution",
    "initialize": "layers",
    "load": "interchange.safetensors",
    "predict": "evaluation",
    "save": "interchange.safetensors",
    "summary": "models.summary",
    "train": "training",
}
"""Where each name comes from. A module is loaded when it is first asked for, with what it needs."""


def __getattr__(name: str) -> Any:
    if name in _MODULES:
        return _loaded(f"pellucid.{name}")
    if name not in _FROM:
        raise AttributeError(f"module 'pellucid' has no attribute '{name}'")
    found = globals()[name] = getattr(_loaded(f"pellucid.{_FROM[name]}"), name)
    return found


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})


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
        raise errors.missing_extra(module, package) from error


notebook.show_with(_show)
