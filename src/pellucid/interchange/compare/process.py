"""Start and control the process of one framework."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from pellucid.errors import PellucidError


class WorkerError(PellucidError):
    """A worker's process ended without an answer.

    Attributes
    ----------
    said
        The last line that the process logged, or its exit status.
    """

    def __init__(self, name: str, said: str) -> None:
        _, known, reason = said.partition("Error: ")
        super().__init__(f"{name}: {reason if known else said}")
        self.said = said


class Worker:
    """A process that works on request; use it in a ``with`` statement, which ends it.

    Parameters
    ----------
    name
        Name used in errors and for the log file.
    module
        Module that the process runs.
    job
        The module's only command-line argument.
    folder
        Folder of the log file.
    environment
        Environment variables to set in addition to those of this process.
    cwd
        Working directory; that of this process by default.

    Attributes
    ----------
    started
        Time at which the process was started, in seconds as from `time.time`.
    """

    def __init__(
        self,
        name: str,
        module: str,
        job: str,
        folder: Path,
        environment: Mapping[str, str],
        cwd: Path | None = None,
    ) -> None:
        self._name = name
        self._log = folder / f"{name}.log"
        self.started = time.time()
        with self._log.open("w") as errors:
            self._process = subprocess.Popen(
                # -P: do not import modules from the working directory, whatever it holds
                [sys.executable, "-P", "-m", module, job],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=errors,
                text=True,
                cwd=cwd,
                env=os.environ | environment,
            )

    def ready(self) -> Any:
        """Wait until the worker is ready, and return its first answer."""
        return self._answer()

    def work(self, seconds: float) -> Any:
        """Let the worker work for this many seconds, and return its answer."""
        assert self._process.stdin is not None
        try:
            print(seconds, file=self._process.stdin, flush=True)
        except BrokenPipeError:
            raise self._broken() from None
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

    def _answer(self) -> Any:
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        if not line:
            raise self._broken()
        return json.loads(line)

    def _broken(self) -> WorkerError:
        code = self._process.wait()
        lines = self._log.read_text(errors="replace").strip().splitlines()
        return WorkerError(self._name, lines[-1] if lines else f"ended with exit status {code}")


def environment(threads: int) -> dict[str, str]:
    """Return environment variables that limit every framework to `threads` threads and the CPU."""
    number = str(threads)
    counted = ("OMP", "OPENBLAS", "MKL", "NUMBA", "PELLUCID")
    return {f"{name}_NUM_THREADS": number for name in counted} | {
        "CUDA_VISIBLE_DEVICES": "",
        "TF_CPP_MIN_LOG_LEVEL": "2",
    }
