"""Receptive fields: the part of the image on which a layer's output depends."""

from __future__ import annotations

import copy
from dataclasses import dataclass
from typing import Any

import numpy as np

from pellucid.errors import ShapeError
from pellucid.explain.inputs import chunks, joined
from pellucid.explain.names import Uses, check_names, refuse_frozen
from pellucid.explain.wrapper import Wrapper
from pellucid.layers import Concat, Graph, Layer, Residual, Sequential, StepContext, observe
from pellucid.layers.observers import run_forward
from pellucid.types import Array, Shape

_AT_ONCE = 16
"""Number of test images that go through the network together."""

Box = tuple[int, int, int, int]
"""(top, bottom, left, right) of a part of an image, with bottom and right exclusive."""


@dataclass(frozen=True)
class ReceptiveFields:
    """The rows and columns of the image on which each position of a layer's maps depends.

    Attributes
    ----------
    rows, columns
        For each of the C maps and each position, the first row or column and the one after the
        last: (C, OH, 2) and (C, OW, 2). They are clipped to the image.
    """

    rows: Array
    columns: Array

    def box(self, channel: int, row: int, column: int) -> Box:
        """Return the part of the image on which the output at (channel, row, column) depends."""
        top, bottom = self.rows[channel, row].tolist()
        left, right = self.columns[channel, column].tolist()
        return top, bottom, left, right

    def size(self, channel: int) -> tuple[int, int]:
        """Return the largest height and width on which an output of this map depends."""
        height, width = (np.ptp(ends[channel], axis=1).max() for ends in (self.rows, self.columns))
        return int(height), int(width)


def receptive_fields(model: Layer, layer: str, input_shape: Shape) -> ReceptiveFields:
    """Return the part of an image of `input_shape` that each position of a layer's maps sees.

    Each row and each column of the image in turn is marked, and the marks are propagated through
    the network: an output is marked if it depends on a marked input. So the result is exact for any
    network, with padding, dilation, groups, shortcuts and branches.

    Parameters
    ----------
    model, layer
        The model, and the name of a layer, as in `activations`.
    input_shape
        Shape (C, H, W) of an image.

    Raises
    ------
    PellucidError
        The model has no such layer, or its output has no maps.

    Examples
    --------
    >>> from pellucid import layers as nn
    >>> model = nn.Sequential(conv=nn.Conv2d(1, 8, 5), pool=nn.MaxPool2d(2))
    >>> receptive_fields(model, "pool", (1, 28, 28)).box(channel=0, row=1, column=3)
    (2, 8, 6, 12)
    """
    if len(input_shape) != 3:
        raise ShapeError(f"input_shape must be the shape (C, H, W) of an image, not {input_shape}")
    refuse_frozen(model)
    twin = _lit(copy.deepcopy(model).astype("float64"), {})
    _, H, W = input_shape

    def light(lines: Array, axis: int) -> Array:
        parts = [lines[part] for part in chunks(len(lines), _AT_ONCE)]
        images = [np.broadcast_to(part, (len(part), *input_shape)) for part in parts]
        return joined(np.asarray(_maps(twin, layer, x).any(axis=axis)) for x in images)

    rows, columns = np.eye(H, dtype=bool)[:, None, :, None], np.eye(W, dtype=bool)[:, None, None]
    return ReceptiveFields(_ends(light(rows, 3)), _ends(light(columns, 2)))


class _Lit(Wrapper, abstract=True):
    """A layer that maps marked inputs to the outputs that depend on them (arrays of truth values).

    It runs the layer on noise, and again with large random changes at the marked inputs. The
    changes all differ, so that no two of them cancel.
    """

    def forward(self, x: Any, training: StepContext | None = None) -> tuple[Array, None]:
        source = np.random.default_rng(0)
        before, after = [], []
        for lit in x if isinstance(x, tuple) else (x,):
            before.append(source.normal(size=(1, *lit.shape[1:])))
            after.append(before[-1] + lit * source.uniform(1e6, 2e6, lit.shape[1:]))
        several = isinstance(x, tuple)
        dark, bright = (self.layer(tuple(y) if several else y[0]) for y in (before, after))
        return abs(bright - dark) > 1e-5, None


def _lit(layer: Layer, memo: dict[int, Any]) -> Layer:
    """Return a copy of `layer` that propagates marks.

    Layers that only route values stay: for truth values, the sum of a shortcut is a logical "or".
    """
    if id(layer) not in memo:
        if isinstance(layer, Sequential | Residual | Concat | Graph):
            for child in layer.children().values():
                _lit(child, memo)
            memo[id(layer)] = copy.deepcopy(layer, memo)
        else:
            memo[id(layer)] = _Lit(layer)
    found: Layer = memo[id(layer)]
    return found


def _maps(model: Layer, layer: str, lit: Array) -> Array:
    """Return which outputs of the named layer are marked, (n, C, OH, OW)."""
    uses = Uses(model)
    found: dict[str, Any] = {}
    with observe(forward=lambda layer, _x, y: found.update({uses(layer): y})):
        run_forward(model, lit, None)
    check_names((layer,), found)
    if found[layer].ndim != 4:
        raise ShapeError(f"the layer '{layer}' has no maps: it depends on the whole image")
    return np.asarray(found[layer])


def _ends(lit: Array) -> Array:
    """Return (first, last + 1) of the lines that mark each output: (n, C, O) becomes (C, O, 2)."""
    ends = np.stack([lit.argmax(axis=0), len(lit) - lit[::-1].argmax(axis=0)], axis=-1)
    seen = np.asarray(lit.any(axis=0))
    return np.where(seen[..., None], ends, 0)
