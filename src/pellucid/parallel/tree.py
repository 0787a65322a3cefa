r"""A sum whose rounding does not depend on the order in which the summands arrive.

Floating-point addition is not associative, so a sum over shards is the same to the last bit only
if its additions are. Here they form one binary tree over the shards::

    shard   0   1   2   3   4   5
             \ /     \ /     \ /
              +       +       +
               \     /        |
                \   /         |
                  +           |
                   \         /
                    \       /
                        +

Two neighbours can be added at any time and in any process that has both.
"""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

from pellucid.types import Array

Node = tuple[int, int]
"""(level, number): the sum of the shards from number·2^level up to (number + 1)·2^level."""


class TreeSum:
    """The sum of one array per shard, computed as the arrays arrive in any order.

    Parameters
    ----------
    count
        Number of shards.

    Attributes
    ----------
    parts
        Partial sums that wait for their neighbour, by node.

    Examples
    --------
    >>> total = TreeSum(3)
    >>> for shard in (2, 0, 1):
    ...     total.add((0, shard), np.array([10.0**shard]))
    >>> total.result
    array([111.])
    """

    def __init__(self, count: int) -> None:
        self._count, self._top = count, (count - 1).bit_length()
        self.parts: dict[Node, Array] = {}

    def add(self, node: Node, values: Array) -> None:
        """Add the sum at a node, and merge all neighbours that are known.

        `values` may be overwritten, so nothing else may use the array afterwards.
        """
        level, number = node
        while level < self._top:
            has_neighbour = (number | 1) << level < self._count
            if has_neighbour:
                neighbour = self.parts.pop((level, number ^ 1), None)
                if neighbour is None:
                    break
                left, right = (neighbour, values) if number & 1 else (values, neighbour)
                values = np.add(left, right, out=left)
            level, number = level + 1, number >> 1
        self.parts[level, number] = values

    @property
    def result(self) -> Array:
        """The sum over all shards; available once every shard has been added."""
        return self.parts[self._top, 0]


def nodes(shards: Iterable[int], count: int) -> list[Node]:
    """Return the nodes, in order, that remain when these shards of `count` have been added.

    >>> nodes(range(3, 6), 8)
    [(0, 3), (1, 2)]
    """
    total = TreeSum(count)
    for shard in shards:
        total.add((0, shard), np.empty(0))
    return sorted(total.parts)
