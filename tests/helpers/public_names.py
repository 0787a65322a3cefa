"""The public modules, and what they offer."""

import importlib
import inspect
from collections.abc import Callable
from typing import Any

MODULES = [
    *("pellucid", "pellucid.data", "pellucid.data.augment", "pellucid.engine", "pellucid.errors"),
    *("pellucid.evaluation", "pellucid.explain", "pellucid.interchange", "pellucid.layers"),
    *("pellucid.interchange.safetensors", "pellucid.losses", "pellucid.models", "pellucid.ops"),
    *("pellucid.models.toml", "pellucid.optim", "pellucid.optim.schedules", "pellucid.teach"),
    *("pellucid.training", "pellucid.view", "pellucid.estimator", "pellucid.interchange.onnx"),
    *("pellucid.interchange.torch", "pellucid.interchange.keras", "pellucid.interchange.compare"),
]


def public() -> dict[str, Callable[..., Any]]:
    """Return the public functions, classes and methods by the shortest name that leads to them."""
    found: dict[Callable[..., Any], str] = {}
    for module in sorted(MODULES, key=len):
        home = importlib.import_module(module)
        for name in dir(home):
            thing = getattr(home, name)
            if callable(thing) and getattr(thing, "__module__", "").startswith("pellucid"):
                within = vars(thing).items() if inspect.isclass(thing) else ()
                methods = [(f".{k}", getattr(f, "__func__", f)) for k, f in within if k[0] != "_"]
                for suffix, one in [("", thing), *methods]:
                    if inspect.isclass(one) or inspect.isfunction(one):
                        found.setdefault(one, f"{module}.{name}{suffix}")
    return {name: one for one, name in found.items()}
