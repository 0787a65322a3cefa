"""Find layers of a graph that simply follow each other."""

from __future__ import annotations

from collections import Counter

from pellucid.layers import Graph, Layer, Sequential


def runs(graph: Graph) -> dict[str, tuple[Layer, tuple[str, ...]]]:
    """Return the graph's nodes, with layers that simply follow each other as one `Sequential`.

    A layer belongs to a run if it is the only reader of the layer before it and reads nothing else.
    The run is named after its last layer.

    Examples
    --------
    >>> from pellucid import layers as nn
    >>> sum_ = (nn.Add(), ("x", "b"))
    >>> graph = Graph({"a": (nn.ReLU(), "x"), "b": (nn.Sigmoid(), "a"), "c": sum_})
    >>> list(runs(graph))
    ['b', 'c']
    """
    readers = Counter(source for _, read in graph.nodes.values() for source in read)
    found: dict[str, list[str]] = {}  # by the name of the last layer
    for name, (layer, read) in graph.nodes.items():
        source = read[0]
        goes_on = (
            source in found
            and layer.inputs == 1 == graph.nodes[source][0].inputs
            and readers[source] == 1
            and source not in graph.outputs
        )
        found[name] = [*found.pop(source), name] if goes_on else [name]
    nodes = {}
    order = list(graph.nodes)
    for last, names in sorted(found.items(), key=lambda item: order.index(item[1][0])):
        layers = {name: graph.nodes[name][0] for name in names}
        whole = Sequential(layers) if len(layers) > 1 else layers[last]
        nodes[last] = whole, graph.nodes[names[0]][1]
    return nodes
