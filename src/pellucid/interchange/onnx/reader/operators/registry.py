"""The converters by operator: each takes a node and adds layers."""

from __future__ import annotations

from collections.abc import Callable

from pellucid.interchange.onnx.reader.call import Call
from pellucid.interchange.onnx.reader.values import Computed

Converter = Callable[[Call], Computed | tuple[Computed, ...]]

CONVERTERS: dict[str, Converter] = {}


def converts(*ops: str) -> Callable[[Converter], Converter]:
    """Name the operators that a function converts."""

    def note(function: Converter) -> Converter:
        CONVERTERS.update(dict.fromkeys(ops, function))
        return function

    return note
