"""Convert each operator to layers; one file for each family of operators."""

from __future__ import annotations

from pellucid.interchange.onnx.reader.operators import (
    activation,
    arithmetic,
    choice,
    convolution,
    einsum,
    linear,
    normalization,
    pooling,
    reduce,
    resize,
    shape,
)
from pellucid.interchange.onnx.reader.operators.registry import CONVERTERS as CONVERTERS
