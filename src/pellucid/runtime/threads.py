"""The number of threads: as many as the machine grants, or fewer.

Numba and OpenMP read their settings only once, when they are loaded. `configure` makes all these
settings; importing `pellucid.compiled` calls it before Numba is imported.
"""

import math
import os
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from pellucid.errors import PellucidError

_QUOTA = Path("/sys/fs/cgroup/cpu.max")
_ASKED = "PELLUCID_NUM_THREADS"
_SPINS = "20000"
"""Number of times that a waiting thread spins before it sleeps, about 0.3 ms.

OpenMP's default is milliseconds. On a busy machine a spinning thread takes the processor from the
thread for which it waits.
"""


def granted() -> int:
    """Return the number of threads to use: PELLUCID_NUM_THREADS, or all that are granted.

    A container is often granted less than the machine has, by affinity or by a CPU quota.
    """
    if named := os.environ.get(_ASKED):
        if not named.isdecimal() or int(named) < 1:
            raise PellucidError(f"{_ASKED} is a number from 1, not '{named}'")
        return min(int(named), _processors())
    return _processors()


def configure() -> None:
    """Make the settings that Numba and OpenMP read when they are loaded.

    The number of Numba's threads is PELLUCID_NUM_THREADS, else NUMBA_NUM_THREADS, else the number
    of granted processors. If Numba was imported before, only the present thread's number can be
    lowered; a message on stderr says what could not be done.
    """
    os.environ.setdefault("GOMP_SPINCOUNT", _SPINS)  # read when the threads start
    count = granted()
    if "numba" not in sys.modules:
        if os.environ.get(_ASKED) or not os.environ.get("NUMBA_NUM_THREADS"):
            os.environ["NUMBA_NUM_THREADS"] = str(count)
        return
    numba = sys.modules["numba"]
    most = numba.config.NUMBA_NUM_THREADS
    if count < most:
        numba.set_num_threads(count)
    if os.environ.get(_ASKED) and count != most:
        kept = "other threads of this program use" if count < most else "it stays with"
        print(
            f"pellucid: Numba was imported before Pellucid, so {kept} {most} of its threads; "
            f"import pellucid first for {_ASKED}={count}",
            file=sys.stderr,
        )


@contextmanager
def limited(threads: int | None) -> Iterator[None]:
    """Limit the number of threads inside the ``with`` block; None means all that are granted.

    More threads than processors do not help, but matrix libraries round as on a machine with that
    many. Compiled kernels and matrix libraries compete for the processors, so with the compiled
    engine, the libraries use one thread.

    >>> with limited(1):
    ...     pass
    """
    count = threads or granted()
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
    """Return the number of threads of compiled kernels, 1 without Numba."""
    numba = sys.modules.get("numba")
    return 1 if numba is None else int(numba.get_num_threads())


def use(count: int) -> None:
    """Set the number of threads of compiled kernels."""
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
