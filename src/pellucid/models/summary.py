"""Summarise the layers of a network and their costs, from shapes alone."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, ClassVar

from pellucid.errors import PellucidError
from pellucid.layers import Layer
from pellucid.layers.base import join
from pellucid.layers.combinator import Combinator
from pellucid.models.check import checked_shape
from pellucid.notebook import Shown
from pellucid.parameter import Buffer, Parameter
from pellucid.types import Shape


@dataclass(frozen=True)
class Row:
    """A layer of a network. The costs of a combinator are in the rows of its layers.

    Attributes
    ----------
    path, depth
        Path of the layer, and number of layers around it.
    type, arguments
        Type of the layer, and its arguments as in a Python call; None for a combinator.
    output_shape
        Shape of the output for one image, without the batch axis.
    parameters, buffers
        Numbers of learned values and of others, such as running means; 0 if a layer is used again.
    multiply_adds
        Multiply-adds for one image, by the definition of the layer.
    output_bytes
        Memory of the output for one image.
    algorithm
        Algorithm that the engine in use chooses for the batch, if the layer is a convolution.
    """

    path: str
    depth: int
    type: str
    arguments: str | None
    output_shape: Any
    parameters: int = 0
    buffers: int = 0
    multiply_adds: int = 0
    output_bytes: int = 0
    algorithm: str = ""

    def describe(self) -> dict[str, Any]:
        """Return it as plain data."""
        return dataclasses.asdict(self)


@dataclass(frozen=True)
class Summary(Shown):
    """The layers of a network in the order in which they run, and their total costs.

    ``pandas.DataFrame(summary.rows)`` makes a table of them, ``str(summary)`` a plain text.
    """

    shown_as: ClassVar[str] = "summary"

    rows: list[Row]
    input_shape: Shape
    batch_size: int
    item_bytes: int

    @property
    def parameters(self) -> int:
        """Number of learned values."""
        return sum(row.parameters for row in self.rows)

    @property
    def buffers(self) -> int:
        """Number of other values, such as running means."""
        return sum(row.buffers for row in self.rows)

    @property
    def multiply_adds(self) -> int:
        """Multiply-adds for one image."""
        return sum(row.multiply_adds for row in self.rows)

    @property
    def forward_bytes(self) -> int:
        """Memory of the network's values, of a batch and of all layers' outputs."""
        outputs = sum(row.output_bytes for row in self.rows)
        image = math.prod(self.input_shape) * self.item_bytes
        return self._values + self.batch_size * (image + outputs)

    @property
    def training_bytes(self) -> int:
        """`forward_bytes` plus gradients: of all values, and on both sides of the widest layer.

        It is an estimate without the convolutions' temporary memory and the optimiser's state.
        """
        widest = max((row.output_bytes for row in self.rows), default=0)
        learned = self.parameters * self.item_bytes
        return self.forward_bytes + learned + 2 * self.batch_size * widest

    @property
    def _values(self) -> int:
        return (self.parameters + self.buffers) * self.item_bytes

    def __str__(self) -> str:
        lines = [HEADS, *map(cells, self.rows)]
        widths = [max(len(line[i]) for line in lines) for i in range(len(HEADS))]
        rule = "─" * (sum(widths) + 2 * len(widths) - 2)
        head, *body = (_aligned(line, widths) for line in lines)
        return "\n".join([head, rule, *body, rule, *self.totals()])

    def describe(self) -> dict[str, Any]:
        """Return the totals and the layers as plain data."""
        return {
            "input_shape": list(self.input_shape),
            "batch_size": self.batch_size,
            "parameters": self.parameters,
            "buffers": self.buffers,
            "multiply_adds": self.multiply_adds,
            "forward_bytes": self.forward_bytes,
            "training_bytes": self.training_bytes,
            "layers": [row.describe() for row in self.rows],
        }

    def totals(self) -> list[str]:
        """Return the totals as lines of text."""
        statistics = f", and {self.buffers:,} running statistics" if self.buffers else ""
        return [
            f"Parameters     {self.parameters:,}{statistics}",
            f"Multiply-adds  {self.multiply_adds:,} for an image of {_sizes(self.input_shape)}",
            f"Memory         about {_memory(self.forward_bytes)} forward, "
            f"{_memory(self.training_bytes)} in training, for a batch of {self.batch_size}",
        ]


def summary(model: Layer, input_shape: Shape, batch_size: int = 64) -> Summary:
    """Return the layers of a model and their costs, for images of `input_shape`.

    Parameters
    ----------
    model
        Any layer.
    input_shape
        Shape (C, H, W) or (features,), without the batch axis.
    batch_size
        Batch size for memory totals and choices of algorithms; all else is for one image.

    Examples
    --------
    >>> from pellucid import layers as nn
    >>> model = nn.Sequential(conv=nn.Conv2d(1, 8, 3), relu=nn.ReLU())
    >>> print(summary(model, (1, 28, 28)))
    Layer  Type             Output   Algorithm  Parameters  Multiply-adds    Memory
    ───────────────────────────────────────────────────────────────────────────────
    conv   Conv2d(1, 8, 3)  8×26×26  im2col             80         48,672  21.1 KiB
    relu   ReLU()           8×26×26                                        21.1 KiB
    ───────────────────────────────────────────────────────────────────────────────
    Parameters     80
    Multiply-adds  48,672 for an image of 1×28×28
    Memory         about 2.8 MiB forward, 5.5 MiB in training, for a batch of 64
    """
    shape = checked_shape("summary", input_shape)
    model.output_shape((1, *shape))
    values = model.parameters()
    item_bytes = values[0].dtype.itemsize if values else 4
    rows = list(_rows(model, "", "", (1, *shape), 0, item_bytes, batch_size, set()))
    return Summary(rows, shape, batch_size, item_bytes)


def layers_of(model: Layer) -> list[tuple[str, str, str]]:
    """Return path, call and number of parameters of each layer, without an input shape."""
    return [
        (path, f"{type(layer).__name__}({_arguments(layer)})", f"{count:,}" if count else "")
        for path, layer in model.walk()
        if layer.wiring() is None
        for count in [_count(layer, Parameter)]
    ]


def image_shape(model: Layer) -> Shape | None:
    """Return the shape of a model's images, if it is known.

    It is that of the images it was trained on. Before that, the first convolution says how many
    channels there are, and a linear layer behind a `Flatten` how large images must be: the smallest
    square images that fit are taken, if not almost any would.
    """
    if model.input_shape is not None:
        return model.input_shape
    first = next((layer for _, layer in model.walk() if hasattr(layer, "in_channels")), None)
    if first is None or model.inputs != 1:
        return None
    fitting = [side for side in range(1, _LARGEST_SIDE) if _fits(model, first.in_channels, side)]
    return (first.in_channels, fitting[0], fitting[0]) if 0 < len(fitting) <= _FEW else None


_LARGEST_SIDE = 257
_FEW = 32
"""With five poolings by 2, up to 32 sizes give the same output."""


def _fits(model: Layer, channels: int, side: int) -> bool:
    try:
        model.output_shape((1, channels, side, side))
    except PellucidError:
        return False
    return True


def _rows(
    layer: Layer,
    path: str,
    name: str,
    shape: Any,
    depth: int,
    item_bytes: int,
    batch_size: int,
    seen: set[int],
) -> Iterator[Row]:
    if isinstance(layer, Combinator):
        if name:
            yield Row(path, depth, type(layer).__name__, None, _one(layer.output_shape(shape)))
            depth += 1
        for inner, child, given in layer.child_inputs(shape):
            yield from _rows(
                child, join(path, inner), inner, given, depth, item_bytes, batch_size, seen
            )
        return
    output = _one(layer.output_shape(shape))
    yield Row(
        path,
        depth,
        type(layer).__name__,
        _arguments(layer),
        output,
        0 if id(layer) in seen else _count(layer, Parameter),
        0 if id(layer) in seen else _count(layer, Buffer),
        layer.multiply_adds(shape),
        math.prod(output) * item_bytes,
        layer.algorithm_for(_batch(shape, batch_size)),
    )
    seen.add(id(layer))


def _one(shape: Any) -> Any:
    """Return a shape, or several, without the batch."""
    return tuple(map(_one, shape)) if shape and isinstance(shape[0], tuple) else shape[1:]


def _batch(shape: Any, size: int) -> Any:
    """Return a shape, or several, for a batch of that size."""
    if shape and isinstance(shape[0], tuple):
        return tuple(_batch(each, size) for each in shape)
    return size, *shape[1:]


def _count(layer: Layer, kind: type[Parameter] | type[Buffer]) -> int:
    return sum(math.prod(v.shape) for v in vars(layer).values() if isinstance(v, kind))


def _arguments(layer: Layer) -> str:
    """Return the arguments as in a call: required ones by position, others by name."""
    if not dataclasses.is_dataclass(layer):
        return ""
    described = layer.arguments()
    return ", ".join(
        repr(described[field.name])
        if field.default is dataclasses.MISSING
        else f"{field.name}={described[field.name]!r}"
        for field in dataclasses.fields(layer)
        if field.name in described
    )


HEADS = ("Layer", "Type", "Output", "Algorithm", "Parameters", "Multiply-adds", "Memory")
WORDS = 4
"""Number of the leading columns that hold words; the others hold numbers."""


def cells(row: Row) -> tuple[str, ...]:
    """Return the cells under `HEADS` for one layer."""
    name = "  " * row.depth + row.path.rpartition(".")[2]
    call = row.type if row.arguments is None else f"{row.type}({row.arguments})"
    counts = (f"{count:,}" if count else "" for count in (row.parameters, row.multiply_adds))
    memory = _memory(row.output_bytes) if row.output_bytes else ""
    return (name, call, _sizes(row.output_shape), row.algorithm, *counts, memory)


def _aligned(cells: tuple[str, ...], widths: list[int]) -> str:
    """Return one line, with words aligned left and numbers right."""
    return "  ".join(
        cell.ljust(width) if i < WORDS else cell.rjust(width)
        for i, (cell, width) in enumerate(zip(cells, widths, strict=True))
    ).rstrip()


def _sizes(shape: Any) -> str:
    if shape and isinstance(shape[0], tuple):
        return ", ".join(map(_sizes, shape))
    return "×".join(map(str, shape))


def _memory(count: float) -> str:
    for unit in ("B", "KiB", "MiB", "GiB"):
        if count < 1024:
            return f"{count:.0f} {unit}" if unit == "B" else f"{count:.1f} {unit}"
        count /= 1024
    return f"{count:.1f} TiB"
