"""Pellucid: transparent convolutional neural networks.

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

from pellucid import errors as errors
from pellucid import notebook as notebook

if TYPE_CHECKING:  # for type checkers and editors; `as` exports the name
    from pellucid import (
        data as data,
    )
    from pellucid import (
        engine as engine,
    )
    from pellucid import (
        explain as explain,
    )
    from pellucid import (
        interchange as interchange,
    )
    from pellucid import (
        layers as layers,
    )
    from pellucid import (
        losses as losses,
    )
    from pellucid import (
        models as models,
    )
    from pellucid import (
        nn as nn,
    )
    from pellucid import (
        ops as ops,
    )
    from pellucid import (
        optim as optim,
    )
    from pellucid import (
        parallel as parallel,
    )
    from pellucid import (
        teach as teach,
    )
    from pellucid import (
        training as training,
    )
    from pellucid import (
        view as view,
    )
    from pellucid.estimator import CNNClassifier as CNNClassifier
    from pellucid.estimator import CNNRegressor as CNNRegressor
    from pellucid.evaluation import (
        Evaluation as Evaluation,
    )
    from pellucid.evaluation import (
        evaluate as evaluate,
    )
    from pellucid.evaluation import (
        predict as predict,
    )
    from pellucid.execution import freeze as freeze
    from pellucid.execution import fuse as fuse
    from pellucid.explorer.widget import explore as explore
    from pellucid.interchange.safetensors import load as load
    from pellucid.interchange.safetensors import save as save
    from pellucid.layers import initialize as initialize
    from pellucid.models.summary import summary as summary
    from pellucid.preprocessing import Preprocessing as Preprocessing
    from pellucid.training import find_rate as find_rate
    from pellucid.training import fit as fit
    from pellucid.training import train as train

__version__ = "0.1.0"

_MODULES = (
    "data", "engine", "explain", "interchange", "layers", "losses", "models", "nn", "ops", "optim",
    "parallel", "teach", "training", "view",
)  # fmt: skip
_FROM = {
    "CNNClassifier": "estimator",
    "CNNRegressor": "estimator",
    "Evaluation": "evaluation",
    "evaluate": "evaluation",
    "predict": "evaluation",
    "freeze": "execution",
    "fuse": "execution",
    "explore": "explorer.widget",
    "load": "interchange.safetensors",
    "save": "interchange.safetensors",
    "initialize": "layers",
    "summary": "models.summary",
    "Preprocessing": "preprocessing",
    "find_rate": "training",
    "fit": "training",
    "train": "training",
}
"""The module of each name. Modules are imported on first access, with the packages they need."""

__all__ = sorted(["errors", *_MODULES, *_FROM])


if not TYPE_CHECKING:  # hidden from type checkers, which would accept any name

    def __getattr__(name: str) -> Any:
        if name in _MODULES:
            return _loaded(f"pellucid.{name}")
        if name not in _FROM:
            raise AttributeError(f"module 'pellucid' has no attribute '{name}'")
        found = globals()[name] = getattr(_loaded(f"pellucid.{_FROM[name]}"), name)
        return found


def __dir__() -> list[str]:
    return __all__


def _show(kind: str, thing: Any) -> str | None:
    """Return the HTML that a notebook shows for an object; None without Matplotlib."""
    try:
        notebooks = _loaded("pellucid.view.notebook")
    except errors.MissingExtraError:
        return None
    return notebooks.show(kind, thing)  # type: ignore[no-any-return]  # found by its name


def _draw(kind: str, thing: Any, **options: Any) -> Any:
    """Return the picture of an object as a Matplotlib figure."""
    return _loaded("pellucid.view.notebook").draw(kind, thing, **options)


def _loaded(module: str) -> ModuleType:
    """Import a module of the library; an error says which package is missing."""
    try:
        return import_module(module)
    except ModuleNotFoundError as error:
        package = (error.name or "").partition(".")[0]
        if package in ("", "pellucid"):
            raise
        raise errors.missing_extra(module, package) from error


notebook.show_with(_show, _draw)
