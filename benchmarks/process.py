"""A contestant's process, and what it may use."""

import os
from collections.abc import Mapping
from pathlib import Path

from benchmarks.job import Job
from pellucid.interchange.compare import process
from pellucid.interchange.compare.process import Worker

ROOT = Path(__file__).parents[1]
CACHE = ROOT / "build" / "benchmarks"


def start(name: str, job: Job, folder: Path, more: Mapping[str, str]) -> Worker:
    """Start a contestant, to be used in a ``with`` statement; its log is written into `folder`.

    `more` is set in its environment too.
    """
    environment = _environment(job.threads) | more
    return Worker(name, "benchmarks.worker", job.to_json(), folder, environment, cwd=ROOT)


def _environment(threads: int) -> dict[str, str]:
    """Return the environment in which every contestant uses so many threads."""
    return process.environment(threads) | {
        "PYTHONPATH": str(ROOT),  # where the benchmarks are found
        "NPROC": str(threads),  # XLA
        "JAX_PLATFORMS": "cpu",
        "TORCHINDUCTOR_CACHE_DIR": str(CACHE / "inductor"),
        "TORCHINDUCTOR_COMPILE_THREADS": "1",  # no helper processes that stay
    }


def granted_processors() -> int:
    """Return the number of processors that this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1
