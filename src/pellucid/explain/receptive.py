"""Which part of the image a layer's output sees."""

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
from pellucid.layers.base import run_forward
from pellucid.types import Array, Shape

_AT_ONCE = 16
"""How many lit rows go through the network together."""

Box = tuple[int, int, int, int]
"""(top, bottom, left, right) of a part of an image, bottom and right being the first outside."""


@dataclass(frozen=True)
class ReceptiveFields:
    """For each position of a layer's maps, which rows and columns of the image it sees.

    Attributes
    ----------
    rows, columns
        (C, OH, 2) and (C, OW, 2): for each of the C maps, the first that is seen and the first
        after it that is not. They end at the border of the image, as padding shows nothing.
    """

    rows: Array
    columns: Array

    def box(self, channel: int, row: int, column: int) -> Box:
        """Return the part of the image that the output at (channel, row, column) sees."""
        top, bottom = self.rows[channel, row].tolist()
        left, right = self.columns[channel, column].tolist()
        return top, bottom, left, right

    def size(self, channel: int) -> tuple[int, int]:
        """Return the largest height and width that one output of this map sees."""
        height, width = (np.ptp(ends[channel], axis=1).max() for ends in (self.rows, self.columns))
        return int(height), int(width)


def receptive_fields(model: Layer, layer: str, input_shape: Shape) -> ReceptiveFields:
    """Return what each position of a layer's maps sees of an image of `input_shape`.

    One row of the image after the other is lit, then each column, and the light passes through the
    network: an output is lit where something is that it is computed from. So the answer is exact
    for whatever the network is made of: padding, dilation, groups, shortcuts, branches.

    Parameters
    ----------
    model, layer
        Any model, and the name of a layer in it, as `activations` gives it.
    input_shape
        (C, H, W).

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
        raise ShapeError(f"receptive fields are parts of images (C, H, W), not of {input_shape}")
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
    """Which outputs of a layer change where its inputs do: it takes and gives truth values.

    The layer runs on noise, and on the same noise where lit inputs are changed by far more than any
    layer smooths away, each by another amount, so that no two changes cancel.
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
    """Return a twin of `layer` that truth values pass through.

    What only routes values stays: among truth values the sum of a shortcut is an "or".
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
    """Return which outputs of the named layer are lit, (n, C, OH, OW)."""
    uses = Uses(model)
    found: dict[str, Any] = {}
    with observe(forward=lambda layer, _x, y: found.update({uses(layer): y})):
        run_forward(model, lit, None)
    check_names((layer,), found)
    if found[layer].ndim != 4:
        raise ShapeError(f"the layer '{layer}' has no maps: it sees the whole image at once")
    return np.asarray(found[layer])


def _ends(lit: Array) -> Array:
    """Return (first, last + 1) of the lines that light each output: (n, C, O) becomes (C, O, 2)."""
    ends = np.stack([lit.argmax(axis=0), len(lit) - lit[::-1].argmax(axis=0)], axis=-1)
    seen = np.asarray(lit.any(axis=0))
    return np.where(seen[..., None], ends, 0)
