"""Merge nodes that exporters write separately and Pellucid has as one layer."""

from __future__ import annotations

from collections import Counter
from math import prod

from pellucid.layers import Conv2d, Layer, Linear, Shift
from pellucid.parameter import Parameter

Nodes = dict[str, tuple[Layer, tuple[str, ...]]]


def with_biases(nodes: Nodes, outputs: list[str]) -> Nodes:
    """Return the nodes with each shift after a convolution or linear layer merged as its bias.

    TensorFlow exports biases like this, and PyTorch those of linear layers on more than two axes.
    """
    readers = Counter(source for _, read in nodes.values() for source in read)
    found: Nodes = {}
    renamed: dict[str, str] = {}
    for name, (layer, read) in nodes.items():
        source = renamed.get(read[0], read[0])
        joined = None
        if isinstance(layer, Shift) and readers[read[0]] == 1 and read[0] not in outputs:
            joined = _joined(found[source][0], layer) if source in found else None
        if joined is None:
            found[name] = layer, tuple(renamed.get(r, r) for r in read)
            continue
        if name in outputs:  # the name of an output must not change
            found[name] = joined, found.pop(source)[1]
        else:
            found[source] = joined, found[source][1]
            renamed[name] = source
    return found


def _joined(layer: Layer, shift: Shift) -> Layer | None:
    """Return the layer with the shift as its bias, if it has none and the shift is per channel."""
    if not isinstance(layer, Conv2d | Linear) or layer.bias:
        return None
    axes, count = (3, layer.out_channels) if isinstance(layer, Conv2d) else (1, layer.out_features)
    if len(shift.shape) != axes or shift.shape[0] != count or prod(shift.shape) != count:
        return None
    described = {key: value for key, value in layer.describe().items() if key != "type"}
    joined = type(layer)(**(described | {"bias": True}))
    joined.astype(layer.weight.dtype)
    joined.weight.value = layer.weight.value
    assert isinstance(joined.bias, Parameter)
    joined.bias.value = shift.bias.value.reshape(-1)
    return joined
