"""A worker's process, as the conductor sees it."""

import json
import os
import subprocess
import sys
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from pellucid.errors import PellucidError
from pellucid.interchange.compare.job import Job


class Worker:
    """A process that waits, and works when it is asked; to be used in a ``with`` statement."""

    def __init__(self, job: Job) -> None:
        self._framework = job.framework
        self._log = Path(job.folder) / f"{job.framework}.log"
        with self._log.open("w") as errors:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "pellucid.interchange.compare.worker", job.to_json()],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=errors,
                text=True,
                env=os.environ | _environment(job.threads),
            )

    def ready(self) -> dict[str, Any]:
        """Wait until it is ready; return what it said."""
        answer: dict[str, Any] = self._answer()
        return answer

    def work(self, seconds: float) -> list[float]:
        """Let it take steps for so long; return the seconds of each."""
        assert self._process.stdin is not None
        try:
            print(seconds, file=self._process.stdin, flush=True)
        except BrokenPipeError:
            raise self._broken() from None
        times: list[float] = self._answer()
        return times

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

    def _answer(self) -> Any:
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        if not line:
            raise self._broken()
        return json.loads(line)

    def _broken(self) -> PellucidError:
        code = self._process.wait()
        lines = self._log.read_text(errors="replace").strip().splitlines()
        said = lines[-1] if lines else f"it ended with exit status {code}"
        _, known, reason = said.partition("Error: ")
        return PellucidError(f"{self._framework}: {reason if known else said}")


def _environment(threads: int) -> dict[str, str]:
    """Return the environment in which everybody uses so many threads and no graphics card."""
    number = str(threads)
    counted = ("OMP", "OPENBLAS", "MKL", "NUMBA", "PELLUCID")
    return {f"{name}_NUM_THREADS": number for name in counted} | {
        "CUDA_VISIBLE_DEVICES": "",
        "TF_CPP_MIN_LOG_LEVEL": "2",
    }
