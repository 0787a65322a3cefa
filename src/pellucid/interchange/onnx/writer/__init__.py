"""Convert layers to ONNX nodes: one function for each type of layer, in one table."""

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
"""Functions that write each type of layer. Add new layers to the table of their family."""
