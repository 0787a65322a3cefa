"""A worker's process, as the conductor sees it."""

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
    """A worker ended without an answer.

    Attributes
    ----------
    said
        The last line that it said, or how it ended.
    """

    def __init__(self, name: str, said: str) -> None:
        _, known, reason = said.partition("Error: ")
        super().__init__(f"{name}: {reason if known else said}")
        self.said = said


class Worker:
    """A process that waits, and works when it is asked; to be used in a ``with`` statement.

    Parameters
    ----------
    name
        What it is called in errors and in the name of its log.
    module, job
        What it runs, and the one argument that this is given.
    folder
        Where its log is written.
    environment
        What is set for it besides the variables of this process.
    cwd
        Where it runs; where this process does, if not given.

    Attributes
    ----------
    started
        When, in seconds as `time.time` counts them.
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
                # -P: no module is taken from the present folder, whatever lies there
                [sys.executable, "-P", "-m", module, job],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=errors,
                text=True,
                cwd=cwd,
                env=os.environ | environment,
            )

    def ready(self) -> Any:
        """Wait until it is ready; return what it said."""
        return self._answer()

    def work(self, seconds: float) -> Any:
        """Let it work for so long; return its answer."""
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
        return WorkerError(self._name, lines[-1] if lines else f"it ended with exit status {code}")


def environment(threads: int) -> dict[str, str]:
    """Return the environment in which everybody uses so many threads and no graphics card."""
    number = str(threads)
    counted = ("OMP", "OPENBLAS", "MKL", "NUMBA", "PELLUCID")
    return {f"{name}_NUM_THREADS": number for name in counted} | {
        "CUDA_VISIBLE_DEVICES": "",
        "TF_CPP_MIN_LOG_LEVEL": "2",
    }
