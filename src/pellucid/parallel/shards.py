"""How a batch is cut into shards, and which process computes which."""

from __future__ import annotations

from itertools import pairwise

SHARDS = 8
"""Into how many shards a batch is cut unless something else is asked for."""

_LEAST = 2
"""So many samples are in a shard at least: batch normalisation needs more than one."""


def cut(samples: int, shards: int) -> list[slice]:
    """Return where the shards of a batch begin and end: as equal as can be, larger ones first.

    A small batch has fewer shards, so that each has two samples or more.

    >>> [part.stop - part.start for part in cut(10, shards=4)]
    [3, 3, 2, 2]
    >>> cut(3, shards=4)
    [slice(0, 3, None)]
    """
    count = max(1, min(shards, samples // _LEAST))
    return [slice(part.start, part.stop) for part in divided(samples, count)]


def divided(count: int, among: int) -> list[range]:
    """Return `count` things divided among so many, in order; the first get one more if need be.

    >>> divided(8, among=3)
    [range(0, 3), range(3, 6), range(6, 8)]
    """
    each, more = divmod(count, among)
    starts = [number * each + min(number, more) for number in range(among + 1)]
    return [range(start, end) for start, end in pairwise(starts)]
