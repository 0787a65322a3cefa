"""Reduce a failing network by removing layers, arguments and images one by one."""

from collections.abc import Callable, Iterator
from dataclasses import replace

from random_networks.drawing import Case
from random_networks.node import Node, make, size

_MOST = 60
"""Maximum number of smaller networks to try; each takes a second."""


def shrunk(case: Case, fails: Callable[[Case], bool]) -> Case:
    """Return the smallest case found that still fails."""
    tried = 0
    going = True
    while going:
        going = False
        for smaller in _smaller(case):
            if tried == _MOST:
                return case
            tried += 1
            if _is_network(smaller) and fails(smaller):
                case, going = smaller, True
                break
    return case


def _is_network(case: Case) -> bool:
    try:
        model = make(case.node, case.shape)
        shape = model.output_shape(case.shape)
    except Exception:  # any error means that it is not a valid network
        return False
    return len(shape) == 2 and shape[1] > 1 and bool(model.parameters())


def _smaller(case: Case) -> Iterator[Case]:
    """Yield slightly reduced cases, the most reduced ones first."""
    nodes = sorted(_without_something(case.node), key=size)
    yield from (replace(case, node=node) for node in nodes)
    batch, C, H, W = case.shape
    for shape in ((1, C, H, W), (2, C, H, W), (batch // 2, C, H, W), (batch, 1, H, W)):
        if 0 < shape[0] < batch or shape[1] < C:
            yield replace(case, shape=shape)
    for height, width in ((H // 2, W // 2), (H - 1, W), (H, W - 1)):
        if min(height, width) > 0:
            yield replace(case, shape=(batch, C, height, width))


def _without_something(node: Node) -> Iterator[Node]:
    """Yield variants of the node with one layer, branch or argument removed."""
    if node.kind != "Sequential":
        yield from node.parts  # one branch instead of all
    for i, part in enumerate(node.parts):
        before, after = node.parts[:i], node.parts[i + 1 :]
        if node.kind in ("Sequential", "Concat", "Residual") and len(node.parts) > 1:
            yield replace(node, parts=(*before, *after))
        for less in _without_something(part):
            yield replace(node, parts=(*before, less, *after))
    if not node.parts:
        for i in range(len(node.args)):
            yield replace(node, args=(*node.args[:i], *node.args[i + 1 :]))
