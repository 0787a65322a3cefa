"""How many images are usually computed at once, where a batch may be smaller than the others.

An engine may compute few images in another way than many. The last batch of an epoch is computed as
all others are: for one step nothing else needs to be compiled.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

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
