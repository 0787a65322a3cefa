"""How many images are computed at once, where a batch may be smaller than the others.

An engine may compute few images in another way than many. The last batch of an epoch is computed as
all others are, and many images are cut into parts of one size: nothing else needs to be compiled
for the last part.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from itertools import pairwise

_size: ContextVar[int] = ContextVar("usual_batch", default=0)


@contextmanager
def of(size: int) -> Iterator[None]:
    """Inside the ``with`` block, batches of fewer images than `size` are computed as those of it.

    >>> with of(64):
    ...     at_least(14), at_least(100)
    (64, 100)
    """
    token = _size.set(size)
    try:
        yield
    finally:
        _size.reset(token)


def at_least(images: int) -> int:
    """Return so many images, or the usual number of a batch if that is larger."""
    return max(images, _size.get())


def cut(images: int, most: int) -> list[slice]:
    """Cut so many images into parts of almost equal size, of at most `most` images each.

    >>> [part.stop - part.start for part in cut(359, most=256)]
    [179, 180]
    """
    count = -(-images // most)
    return [slice(*ends) for ends in pairwise(images * i // count for i in range(count + 1))]
