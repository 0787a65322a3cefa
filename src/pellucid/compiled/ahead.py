"""Compile the kernels that a run needs in advance, in several processes.

The compiler works on one kernel at a time in a process. A rehearsal, which computes nothing, finds
the kernels that a training step or a prediction will call. Those that are not on disk yet are
compiled by several processes, each of which writes its kernels there.
"""

import base64
import gc
import os
import pickle
import subprocess
import sys
import warnings
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from multiprocessing import parent_process
from queue import Empty, SimpleQueue
from threading import Lock, Thread
from time import perf_counter
from typing import Any, NamedTuple

import numpy as np

from pellucid.compiled import store
from pellucid.compiled.kept import has_threads
from pellucid.compiled.launched import LAUNCH_ALL, Job, job_of
from pellucid.runtime import compiling, threads
from pellucid.runtime.recording import Rehearsal

_WORTH_A_PROCESS = 3
"""So many kernels take longer to compile than a process takes to start."""

_LONG = (
    *("winograd_gradient", "epilogue_kernels", "winograd", "direct", "weight_gradient"),
    *("depthwise", "point_gradient", "batch", "update"),
)
"""The modules whose kernels take longest (benchmarks/compile_time.py): those are begun with."""


class Prepared(NamedTuple):
    """How many kernels were needed, and how long it took to compile them.

    Attributes
    ----------
    needed
        The number of kernels that were asked for.
    compiled
        How many of these had to be compiled.
    processes, seconds
        By how many processes, and how long that took.
    """

    needed: int
    compiled: int
    processes: int
    seconds: float


def compile_ahead(calls: Iterable[Callable[[], Any]]) -> Prepared:
    """Compile all kernels that the calls would need, which are not really made."""
    began = perf_counter()
    jobs = needed(calls)
    missing = sorted((job for job in jobs if not _is_there(job)), key=_order)
    processes = min(threads.granted(), len(missing) // _WORTH_A_PROCESS)
    if missing:
        store.sweep()
        with compiling.Progress(len(missing)) as progress:
            if processes > 1 and _can_start_processes():
                _compile_side_by_side(_Jobs(missing), processes, progress)
            else:
                _compile_here(missing, progress)
    return Prepared(len(jobs), len(missing), max(processes, 1), perf_counter() - began)


def needed(calls: Iterable[Callable[[], Any]]) -> list[Job]:
    """Return the kernels that the calls would need, each once."""
    found: dict[Job, None] = {}

    def is_kernel(function: Any, args: tuple[Any, ...]) -> bool:
        job = job_of(function, args)
        if job is not None:
            found[job] = None
        return job is not None

    with Rehearsal(is_kernel).running(), np.errstate(all="ignore"), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        # nothing is computed, so errors mean nothing: what is left out is compiled when needed
        with suppress(Exception):
            for call in calls:
                with suppress(Exception):
                    call()
    return [*found, LAUNCH_ALL] if found else []


def _is_there(job: Job) -> bool:
    kernel, types = job
    dispatcher = kernel.dispatcher()
    return types in dispatcher.overloads or dispatcher._cache.is_kept(types)


def _order(job: Job) -> tuple[int, bool]:
    module = job[0].module.rpartition(".")[2]
    return (_LONG.index(module) if module in _LONG else len(_LONG)), not job[0].shared


def _compile_here(jobs: list[Job], progress: compiling.Progress) -> None:
    with compiling.silence():
        for job in jobs:
            progress.working([str(job[0])])
            with suppress(Exception):  # it is tried again, and told, where it is needed
                compile_job(job)
            progress.done()


def compile_job(job: Job) -> None:
    """Compile a kernel, unless it is on disk."""
    kernel, types = job
    with _uncollected():
        kernel.dispatcher().compile(types)


@contextmanager
def _uncollected() -> Iterator[None]:
    """Collect no garbage inside the ``with`` block.

    The compiler makes a million objects that refer to each other. To look through them again and
    again while they are still in use takes a tenth of its time.
    """
    enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if enabled:
            gc.enable()


# In processes


def _can_start_processes() -> bool:
    """Return whether processes of this Python can be started, and tell others what they made."""
    is_python = bool(sys.executable) and not getattr(sys, "frozen", False)
    is_first = parent_process() is None and has_threads()
    return is_python and is_first and store.why_not() is None


class _Jobs:
    """Jobs for several processes, of which each stays with a module while it can.

    A process that has compiled one kernel of a module has compiled what the others share with it.
    """

    def __init__(self, jobs: list[Job]) -> None:
        self._jobs, self._begun, self._lock = list(jobs), set[str](), Lock()

    def take(self, last: str | None) -> Job | None:
        """Return the next job of the module `last`, else of a module that nobody has begun."""
        with self._lock:
            if not self._jobs:
                return None
            modules = [kernel.module for kernel, _ in self._jobs]
            ranks = [(name != last, name in self._begun) for name in modules]
            job = self._jobs.pop(ranks.index(min(ranks)))
            self._begun.add(job[0].module)
            return job


def _compile_side_by_side(jobs: _Jobs, count: int, progress: compiling.Progress) -> None:
    """Compile the jobs in `count` processes; a job that fails is compiled when it is needed."""
    news = SimpleQueue[tuple[int, str | None]]()
    processes: list[subprocess.Popen[str]] = []
    try:
        with suppress(OSError):
            processes += [_start() for _ in range(count)]
        for number, process in enumerate(processes):
            Thread(target=_employ, args=(number, process, jobs, news), daemon=True).start()
        working: dict[int, str] = {}
        left = len(processes)
        while left:
            with suppress(Empty):
                number, name = news.get(timeout=0.5)
                if number in working:
                    progress.done()
                if name is None:
                    left -= 1
                    working.pop(number, None)
                else:
                    working[number] = name
            progress.working(list(working.values()))
    finally:
        for process in processes:
            process.kill()
            process.communicate()


def _start() -> "subprocess.Popen[str]":
    # -P: no module is taken from the present folder. Numba's threads are of no use there
    return subprocess.Popen(
        [sys.executable, "-P", "-m", "pellucid.compiled.builder"],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True,
        env=os.environ | {"PELLUCID_NUM_THREADS": "1"},
    )  # fmt: skip


def _employ(number: int, process: Any, jobs: _Jobs, news: Any) -> None:
    """Give a process one job after the other and report each; None when the process has ended."""
    module = None
    with suppress(OSError, ValueError):  # it was killed
        while job := jobs.take(module):
            module = job[0].module
            news.put((number, str(job[0])))
            print(base64.b64encode(pickle.dumps(job)).decode(), file=process.stdin, flush=True)
            if not process.stdout.readline():
                break
    news.put((number, None))
