"""From layers to ONNX nodes: one table, one small function for each type of layer."""

from __future__ import annotations

from collections.abc import Mapping

from pellucid.interchange.onnx.writer import (
    activation,
    arithmetic,
    combinators,
    convolution,
    normalization,
    pooling,
    shape,
)
from pellucid.interchange.onnx.writer.graph import GraphWriter as GraphWriter
from pellucid.interchange.onnx.writer.graph import NamedValue as NamedValue
from pellucid.interchange.onnx.writer.graph import Write
from pellucid.layers import Layer

WRITERS: Mapping[type[Layer], Write] = {
    **convolution.WRITERS,
    **pooling.WRITERS,
    **normalization.WRITERS,
    **activation.WRITERS,
    **shape.WRITERS,
    **arithmetic.WRITERS,
    **combinators.WRITERS,
}
"""What writes each type of layer. A new layer gets its line in the table of its family."""
