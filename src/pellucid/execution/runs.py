"""Layers of a graph that simply follow each other, as one."""

from collections import Counter
from collections.abc import Callable

from pellucid.layers.base import Layer
from pellucid.layers.graph import Graph
from pellucid.layers.sequential import Sequential


def with_runs(graph: Graph, change: Callable[[Layer], Layer]) -> Graph:
    """Return the graph with each run of layers as one node, which `change` has made from them.

    A run goes on as long as one layer alone reads what the layer before it gave, and nothing else.

    Examples
    --------
    >>> from pellucid import layers as nn
    >>> sum_ = (nn.Add(), ("x", "b"))
    >>> graph = Graph({"a": (nn.ReLU(), "x"), "b": (nn.Sigmoid(), "a"), "c": sum_})
    >>> list(with_runs(graph, lambda layer: layer).nodes)
    ['b', 'c']
    """
    readers = Counter(source for _, read in graph.nodes.values() for source in read)
    runs: dict[str, list[str]] = {}  # by the name of the last layer
    for name, (layer, read) in graph.nodes.items():
        source = read[0]
        goes_on = (
            source in runs
            and layer.inputs == 1 == graph.nodes[source][0].inputs
            and readers[source] == 1
            and source not in graph.outputs
        )
        runs[name] = [*runs.pop(source), name] if goes_on else [name]
    nodes = {}
    for last, names in sorted(runs.items(), key=lambda item: list(graph.nodes).index(item[1][0])):
        layers = {name: graph.nodes[name][0] for name in names}
        whole = Sequential(layers) if len(layers) > 1 else layers[last]
        nodes[last] = change(whole), graph.nodes[names[0]][1]
    output = graph.outputs[0] if graph.single_output else graph.outputs
    return Graph(nodes, output, graph.graph_inputs)
