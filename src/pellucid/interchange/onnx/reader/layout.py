"""Whether a network takes images with the channels last, as TensorFlow's do."""

from pellucid.interchange.onnx.reader.model import Graph

TO_LAST, TO_FIRST = (0, 2, 3, 1), (0, 3, 1, 2)
"""Axes in the other order: of images (N, C, H, W) with the channels last, and back."""

_EACH_VALUE = {"Identity", "Cast", "Add", "Sub", "Mul", "Div"}


def channels_last(graph: Graph) -> bool:
    """Return whether the first input is brought from (N, H, W, C) to (N, C, H, W) at first.

    The format's operators want the channels first. A file from a program that has them last begins
    with a Transpose, at most with something done to each value before it.
    """
    first = graph.inputs[0]
    if first.shape is None or len(first.shape) != 4:
        return False
    reached = {first.name}
    for node in graph.nodes:
        if not reached.intersection(node.inputs):
            continue
        if node.op == "Transpose":
            return node.attributes.get("perm") == list(TO_FIRST)
        if node.op == "Reshape":  # which does the same for one channel
            wanted = graph.constants.get((*node.inputs, "")[1])
            sizes = [] if wanted is None or wanted.size != 4 else wanted.reshape(-1).tolist()
            return sizes[1:] == [1, *first.shape[1:3]] and first.shape[3] == 1
        if node.op not in _EACH_VALUE:
            return False
        reached.update(node.outputs)
    return False
