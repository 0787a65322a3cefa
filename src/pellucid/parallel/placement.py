"""Assign processors to several processes on one machine."""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING

from pellucid.parallel.shards import divided
from pellucid.runtime import threads

if TYPE_CHECKING:
    from mpi4py.MPI import Comm


def place(local: Comm) -> None:
    """Pin each process to its share of the processors that it has in common with others.

    A process uses as many threads as it has processors. If there are fewer processors than
    processes, each process uses one thread and is not pinned.

    Parameters
    ----------
    local
        Communicator of the processes on this machine. Processes that ``mpiexec`` has pinned to
        processors of their own keep them.
    """
    if not hasattr(os, "sched_setaffinity"):
        return
    by_rank = local.allgather(sorted(os.sched_getaffinity(0)))
    processors = by_rank[local.rank]
    rivals = [rank for rank, allowed in enumerate(by_rank) if allowed == processors]
    if len(rivals) == 1:
        return
    if len(rivals) > len(processors):
        os.environ.setdefault("PELLUCID_NUM_THREADS", "1")
    else:
        share = divided(len(processors), len(rivals))[rivals.index(local.rank)]
        os.sched_setaffinity(0, [processors[i] for i in share])
    if "numba" in sys.modules:
        threads.use(min(threads.used(), threads.granted()))
