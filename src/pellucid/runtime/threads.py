"""How many threads compute: as many as the machine grants, or fewer."""

import math
import os
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from pellucid.errors import PellucidError

_QUOTA = Path("/sys/fs/cgroup/cpu.max")


def granted() -> int:
    """Return how many threads to use: PELLUCID_NUM_THREADS, or all that are granted.

    A container is often granted less than the machine has: by affinity, or by a share of time.
    """
    if named := os.environ.get("PELLUCID_NUM_THREADS"):
        if not named.isdecimal() or int(named) < 1:
            raise PellucidError(f"PELLUCID_NUM_THREADS is a number from 1, not '{named}'")
        return min(int(named), _processors())
    return _processors()


@contextmanager
def limited(threads: int | None) -> Iterator[None]:
    """Compute with so many threads inside the ``with`` block; None is what is granted.

    Compiled kernels and matrix libraries share the processors badly, so where kernels are compiled,
    the libraries have one thread.

    >>> with limited(1):
    ...     pass
    """
    count = min(threads or granted(), _processors())
    with ExitStack() as stack:
        numba = sys.modules.get("numba")
        if numba is not None:
            before = numba.get_num_threads()
            stack.callback(numba.set_num_threads, before)
            numba.set_num_threads(min(count, numba.config.NUMBA_NUM_THREADS))
            count = 1
        try:
            from threadpoolctl import threadpool_limits
        except ImportError:
            pass
        else:
            stack.enter_context(threadpool_limits(limits=count))
        yield


def used() -> int:
    """Return with how many threads compiled kernels run now: one where none is compiled."""
    numba = sys.modules.get("numba")
    return 1 if numba is None else int(numba.get_num_threads())


def use(count: int) -> None:
    """Run compiled kernels with so many threads from now on."""
    sys.modules["numba"].set_num_threads(count)


def _processors() -> int:
    if hasattr(os, "sched_getaffinity"):
        count = len(os.sched_getaffinity(0))
    else:
        count = os.cpu_count() or 1
    try:
        quota, period = _QUOTA.read_text().split()
        if quota != "max":
            count = min(count, max(1, math.floor(int(quota) / int(period))))
    except (OSError, ValueError):
        pass
    return count
