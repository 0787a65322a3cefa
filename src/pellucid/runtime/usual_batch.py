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
_rest: ContextVar[int] = ContextVar("rest_of_usual_batch", default=0)


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


@contextmanager
def of_steps(size: int, steps: int) -> Iterator[None]:
    """Do as `of`; the last one of several steps takes its kernels from the others too.

    Their tiles are larger than it needs. That costs less than to compile others for one step of an
    epoch.

    >>> with of_steps(64, steps=10):
    ...     for_tiles(14)
    64
    """
    token = _rest.set(size if steps > 1 else 0)
    try:
        with of(size):
            yield
    finally:
        _rest.reset(token)


def for_tiles(images: int) -> int:
    """Return for how many images kernels are chosen where there are so many."""
    return max(images, _rest.get())


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
