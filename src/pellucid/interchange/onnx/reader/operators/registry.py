"""The converters by operator; each converts a node by adding layers."""

from __future__ import annotations

from collections.abc import Callable

from pellucid.interchange.onnx.reader.call import Call
from pellucid.interchange.onnx.reader.values import Computed

Converter = Callable[[Call], Computed | tuple[Computed, ...]]

CONVERTERS: dict[str, Converter] = {}


def converts(*ops: str) -> Callable[[Converter], Converter]:
    """Register a converter for these operators."""

    def note(function: Converter) -> Converter:
        CONVERTERS.update(dict.fromkeys(ops, function))
        return function

    return note
