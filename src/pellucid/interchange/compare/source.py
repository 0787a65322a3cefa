"""The lines of code that compute a layer: those that really run, found by running them."""

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
from pellucid.interchange.compare.look import compared
from pellucid.layers import Layer, StepContext
from pellucid.layers.combinator import Combinator
from pellucid.types import Array

_ROOT = Path(pellucid.__file__).parent
_MATHEMATICS = _ROOT / "reference"
_ERRANDS = ("choose", "memory", "pieces", "patches")
"""Files that fetch and carry for the mathematics: they are left out."""


@dataclass(frozen=True)
class Lines:
    """One function.

    Attributes
    ----------
    function, where
        Its name, and the file and line, from the package on.
    text
        Its source.
    """

    function: str
    where: str
    text: str


@dataclass(frozen=True)
class Explained:
    """The layers that the same lines compute.

    Attributes
    ----------
    kind
        Our layer's name.
    paths
        Where such layers stand in the network.
    forward, backward
        The functions, in the order in which they run.
    """

    kind: str
    paths: list[str]
    forward: list[Lines]
    backward: list[Lines]


def explained(model: Layer, x: Array) -> list[Explained]:
    """Return the functions of the reference engine that compute each kind of layer in `model`.

    Each layer is run on its own, on what it is given for the images `x`.
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
    """Yield (path, layer, what it is given) for every layer that computes something."""
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
    """Return the functions that one pass forward and one back call."""
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
    """Note each function of the mathematics that is called, or that such a function calls."""
    found: list[CodeType] = []
    before = sys.getprofile()

    def note(frame: FrameType, event: str, _: Any) -> None:
        code = frame.f_code
        if event == "call" and _is_told(code) and _depth(frame) <= 1 and code not in found:
            found.append(code)

    sys.setprofile(note)
    try:
        yield found
    finally:
        sys.setprofile(before)


def _is_told(code: CodeType) -> bool:
    path = Path(code.co_filename)
    plain = not code.co_name.startswith(("<", "__"))
    return plain and _MATHEMATICS in path.parents and path.stem not in _ERRANDS


def _depth(frame: FrameType) -> int:
    """Return how many functions of the mathematics wait for this one."""
    count, caller = 0, frame.f_back
    while caller is not None:
        count += _MATHEMATICS in Path(caller.f_code.co_filename).parents
        caller = caller.f_back
    return count


def _lines(code: CodeType) -> Lines:
    where = Path(code.co_filename).relative_to(_ROOT.parent)
    text = inspect.getsource(code)
    return Lines(code.co_qualname, f"{where}:{code.co_firstlineno}", inspect.cleandoc("\n" + text))
