"""A contestant's process, as the conductor sees it."""

import json
import os
import subprocess
import sys
import time
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from benchmarks.job import Job

ROOT = Path(__file__).parents[1]
CACHE = ROOT / "build" / "benchmarks"


class WorkerError(Exception):
    """A contestant did not do what it was asked; the text is the last that it said."""


class Worker:
    """A process that waits, and works when it is asked; to be used in a ``with`` statement."""

    def __init__(self, job: Job, log: Path) -> None:
        self._log = log
        self._started = time.time()
        with log.open("w") as errors:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "benchmarks.worker", job.to_json()],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=errors,
                text=True,
                cwd=ROOT,
                env=os.environ | environment(job.threads),
            )

    def ready(self) -> dict[str, Any]:
        """Wait until it is ready; return losses, outputs and the seconds to the first result."""
        answer = self._answer()
        answer["first"] -= self._started
        return answer

    def work(self, seconds: float) -> dict[str, Any]:
        """Let it work for so long; return the seconds of each call, and its memory."""
        assert self._process.stdin is not None
        try:
            print(seconds, file=self._process.stdin, flush=True)
        except BrokenPipeError:
            raise WorkerError(self._last_words()) from None
        return self._answer()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._process.kill()
        self._process.communicate()

    def _answer(self) -> dict[str, Any]:
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        if not line:
            raise WorkerError(self._last_words())
        answer: dict[str, Any] = json.loads(line)
        return answer

    def _last_words(self) -> str:
        code = self._process.wait()
        lines = self._log.read_text(errors="replace").strip().splitlines()
        return lines[-1] if lines else f"it ended with exit status {code}"


def environment(threads: int) -> dict[str, str]:
    """Return the environment in which every contestant uses so many threads."""
    number = str(threads)
    return {
        "OMP_NUM_THREADS": number,
        "OPENBLAS_NUM_THREADS": number,
        "MKL_NUM_THREADS": number,
        "NUMBA_NUM_THREADS": number,
        "PELLUCID_NUM_THREADS": number,
        "NPROC": number,  # XLA
        "JAX_PLATFORMS": "cpu",
        "CUDA_VISIBLE_DEVICES": "",
        "TF_CPP_MIN_LOG_LEVEL": "2",
        "TORCHINDUCTOR_CACHE_DIR": str(CACHE / "inductor"),
        "TORCHINDUCTOR_COMPILE_THREADS": "1",  # no helper processes that stay
    }


def granted_processors() -> int:
    """Return the number of processors that this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1
