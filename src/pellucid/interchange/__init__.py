"""Models in files, and in other frameworks.

What needs a package beyond NumPy and safetensors is loaded when it is first asked for:
``pellucid.interchange.onnx``, ``pellucid.interchange.torch``, ….
"""

from __future__ import annotations

from importlib import import_module
from typing import Any

__all__ = ["compare", "keras", "onnx", "safetensors", "torch"]


def __getattr__(name: str) -> Any:
    if name not in __all__:
        raise AttributeError(f"module 'pellucid.interchange' has no attribute '{name}'")
    return import_module(f"pellucid.interchange.{name}")


def __dir__() -> list[str]:
    return __all__
