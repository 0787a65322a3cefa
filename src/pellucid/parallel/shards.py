"""Cut a batch into shards, and divide the shards among processes."""

from __future__ import annotations

from itertools import pairwise

SHARDS = 8
"""Default number of shards per batch."""

_LEAST = 2
"""Minimum number of samples per shard; batch normalisation needs more than one."""


def cut(samples: int, shards: int) -> list[slice]:
    """Return the slices of a batch that form its shards, of almost equal size, larger ones first.

    A small batch is cut into fewer shards, so that each has at least two samples.

    >>> [part.stop - part.start for part in cut(10, shards=4)]
    [3, 3, 2, 2]
    >>> cut(3, shards=4)
    [slice(0, 3, None)]
    """
    count = max(1, min(shards, samples // _LEAST))
    return [slice(part.start, part.stop) for part in divided(samples, count)]


def divided(count: int, among: int) -> list[range]:
    """Divide ``range(count)`` into `among` consecutive ranges; the first ones may be longer by 1.

    >>> divided(8, among=3)
    [range(0, 3), range(3, 6), range(6, 8)]
    """
    each, more = divmod(count, among)
    starts = [number * each + min(number, more) for number in range(among + 1)]
    return [range(start, end) for start, end in pairwise(starts)]
