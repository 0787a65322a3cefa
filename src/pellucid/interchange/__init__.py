"""Read and write models in files, and convert them to and from other frameworks.

Submodules that need a package beyond NumPy and safetensors, such as ``pellucid.interchange.onnx``
and ``pellucid.interchange.torch``, are imported on first access.
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
