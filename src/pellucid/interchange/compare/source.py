"""Find the source code that computes a layer, by running the layer and noting what is called."""

from __future__ import annotations

import inspect
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import CodeType, FrameType
from typing import Any

import numpy as np

import pellucid
from pellucid import engine
from pellucid.interchange.compare.inspection import compared
from pellucid.layers import Layer, StepContext
from pellucid.layers.combinator import Combinator
from pellucid.types import Array

_ROOT = Path(pellucid.__file__).parent
_MATHEMATICS = _ROOT / "reference"
_ERRANDS = ("choose", "memory", "pieces", "patches")
"""Files of the reference engine that hold helpers rather than mathematics; they are not shown."""


@dataclass(frozen=True)
class Lines:
    """The source code of one function.

    Attributes
    ----------
    function
        Qualified name of the function.
    where
        File, relative to the package's parent folder, and line.
    text
        Source code.
    """

    function: str
    where: str
    text: str


@dataclass(frozen=True)
class Explained:
    """Layers that are computed by the same functions, and those functions.

    Attributes
    ----------
    kind
        Type of the layers.
    paths
        Paths of the layers in the network.
    forward, backward
        Functions of the forward and the backward pass, in the order in which they are called.
    """

    kind: str
    paths: list[str]
    forward: list[Lines]
    backward: list[Lines]


def explained(model: Layer, x: Array) -> list[Explained]:
    """Return the functions of the reference engine that compute each kind of layer in `model`.

    Each layer is run on its own, on the input that it gets when the model is applied to `x`.
    """
    with engine.using("reference"):
        found: dict[tuple[Any, ...], Explained] = {}
        for path, layer, given in _inputs(model, x):
            forward, backward = _functions(layer, given)
            key = (type(layer).__name__, *forward, None, *backward)
            lines = [_lines(code) for code in forward], [_lines(code) for code in backward]
            entry = found.setdefault(key, Explained(type(layer).__name__, [], *lines))
            entry.paths.append(path)
    return list(found.values())


def _inputs(model: Layer, x: Array) -> Iterator[tuple[str, Layer, Any]]:
    """Yield (path, layer, input) for every layer that computes something itself."""
    from pellucid.layers import observe

    seen: dict[int, Any] = {}

    def note(layer: Layer, given: Any, _: Any) -> None:
        seen.setdefault(id(layer), given)

    with observe(forward=note):
        model.astype("float64").forward(x, StepContext())
    seen.setdefault(id(model), x)
    for path, layer in model.walk():
        if compared(layer) and id(layer) in seen:
            yield path or type(layer).__name__, layer, seen[id(layer)]


def _functions(layer: Layer, x: Any) -> tuple[list[CodeType], list[CodeType]]:
    """Return the functions that a layer's forward and backward pass call."""
    with _recording() as forward:
        y, cache = layer.forward(x, StepContext())
    with _recording() as backward:
        layer.backward(np.ones_like(y), cache)
    if isinstance(layer, Combinator) or not (forward or backward):
        own = type(layer)
        return [own.forward.__code__], [own.backward.__code__]
    return forward, backward


@contextmanager
def _recording() -> Iterator[list[CodeType]]:
    """Note each function of the reference engine that is called from outside or by such a one."""
    found: list[CodeType] = []
    before = sys.getprofile()

    def note(frame: FrameType, event: str, _: Any) -> None:
        code = frame.f_code
        if event == "call" and _is_shown(code) and _depth(frame) <= 1 and code not in found:
            found.append(code)

    sys.setprofile(note)
    try:
        yield found
    finally:
        sys.setprofile(before)


def _is_shown(code: CodeType) -> bool:
    path = Path(code.co_filename)
    plain = not code.co_name.startswith(("<", "__"))
    return plain and _MATHEMATICS in path.parents and path.stem not in _ERRANDS


def _depth(frame: FrameType) -> int:
    """Return how many functions of the reference engine are on the stack above this one."""
    count, caller = 0, frame.f_back
    while caller is not None:
        count += _MATHEMATICS in Path(caller.f_code.co_filename).parents
        caller = caller.f_back
    return count


def _lines(code: CodeType) -> Lines:
    where = Path(code.co_filename).relative_to(_ROOT.parent)
    text = inspect.getsource(code)
    return Lines(code.co_qualname, f"{where}:{code.co_firstlineno}", inspect.cleandoc("\n" + text))
