"""What all frameworks do alike with a description, `Layer.describe`, and with values by path."""

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np

from benchmarks.job import Array, Shape

Description = dict[str, Any]


def join(path: str, name: str) -> str:
    """Return the path of `name` inside `path`; either may be empty."""
    return f"{path}.{name}" if path and name else path or name


def parts(description: Description, path: str) -> Iterator[tuple[Description, str]]:
    """Yield the layers of a Sequential or the branches of a Concat, each with its path."""
    kind = description["type"]
    for i, part in enumerate(description["layers" if kind == "Sequential" else "branches"]):
        yield part, join(path, part.get("name", str(i)))


def sides(description: Description, path: str) -> Iterator[tuple[Description | None, str]]:
    """Yield a Residual's body, its shortcut and its activation (or None), each with its path."""
    yield description["body"], path
    yield description.get("shortcut"), join(path, "downsample")
    yield description.get("activation"), join(path, "activation")


def channels_last(state: Mapping[str, Array], flattened: Mapping[str, Shape]) -> dict[str, Array]:
    """Return the values for images (N, H, W, C): kernels (KH, KW, C, F), matrices (in, out).

    The weights of a Linear after a Flatten are put into the order in which (H, W, C) is flattened.
    """
    return {name: _channels_last(name, value, flattened) for name, value in state.items()}


def _channels_last(name: str, value: Array, flattened: Mapping[str, Shape]) -> Array:
    if value.ndim == 4:  # (F, C, KH, KW) -> (KH, KW, C, F)
        return np.ascontiguousarray(value.transpose(2, 3, 1, 0))
    if value.ndim < 2:
        return value
    shape = flattened.get(name.removesuffix(".weight"))
    if shape is not None:
        F, D = value.shape
        value = value.reshape(F, *shape).transpose(0, 2, 3, 1).reshape(F, D)
    return np.ascontiguousarray(value.T)
