"""Check files that others have written, each in a process of its own."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pellucid.errors import FileError


@dataclass(frozen=True)
class Row:
    """What was found of one exercise in one file.

    Attributes
    ----------
    file, exercise
        Where, and which; no exercise if the file as a whole could not be run.
    right
        Whether it is right.
    mistakes
        The names of the mistakes.
    verdict, text
        One line, and all there is to say.
    """

    file: str
    exercise: str
    right: bool
    mistakes: tuple[str, ...]
    verdict: str
    text: str


def submissions(path: Path) -> list[Path]:
    """Return the files to check: `path`, or all Python files and notebooks in that folder."""
    if not path.exists():
        raise FileError(f"there is no file or folder '{path}'")
    if path.is_file():
        return [path]
    found = [
        p
        for p in sorted(path.rglob("*"))
        if p.suffix in (".py", ".ipynb")
        and not any(part.startswith(".") for part in p.relative_to(path).parts)
    ]
    if not found:
        raise FileError(f"'{path}' has no Python files and no notebooks")
    return found


def examine_file(path: Path, *, seconds: float = 60.0, memory: int = 4096) -> list[Row]:
    """Check all exercises that a file answers.

    Parameters
    ----------
    path
        A Python file or a notebook.
    seconds
        How long running the file, and then each exercise, may take.
    memory
        How many MB the process may use (not on Windows).
    """
    rows: list[Row] = []
    left: list[str] | None = None
    with tempfile.TemporaryDirectory() as folder:
        results = Path(folder, "results")
        while left is None or left:
            results.write_text("")
            how = _run(path.resolve(), results, seconds, memory, left or [])
            lines = list(_lines(results))
            if not lines:
                return [_failed(path, "", how or "it ends while it is read")]
            rows += [_row(path, line) for line in lines if "exercise" in line]
            if left is None:
                left = lines[0]["found"]
                if lines[0]["error"] and (not left or path.suffix == ".py"):
                    rows.append(_failed(path, "", lines[0]["error"]))
            done = {row.exercise for row in rows}
            if how and (stuck := lines[-1].get("begun")):
                rows.append(_failed(path, stuck, how))
                done.add(stuck)
            elif how:
                return [*rows, _failed(path, "", how)]
            left = [name for name in left if name not in done]
            if not how:
                break
    return rows or [_failed(path, "", "it has no function with the name of an exercise")]


def _run(path: Path, results: Path, seconds: float, memory: int, wanted: list[str]) -> str:
    """Run a worker, and return why it did not come to its end; nothing if it did."""
    command = [sys.executable, "-P", "-m", "pellucid.teach.worker"]
    command += [str(path), str(results), str(memory), *wanted]
    threads = dict.fromkeys(("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS"), "1")
    quiet = {"MPLCONFIGDIR": str(results.parent), "PYTHONDONTWRITEBYTECODE": "1"}
    process = subprocess.Popen(
        command,
        cwd=results.parent,
        env={**os.environ, **threads, **quiet},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    try:
        size, since = 0, time.monotonic()
        while process.poll() is None:
            if results.stat().st_size != size:
                size, since = results.stat().st_size, time.monotonic()
            if time.monotonic() - since > seconds:
                return f"it takes more than {seconds:g} seconds"
            time.sleep(0.02)
    finally:
        _end(process)
    return f"its process ends with status {process.returncode}" if process.returncode else ""


def _end(process: subprocess.Popen[bytes]) -> None:
    with suppress(ProcessLookupError, PermissionError):
        if hasattr(os, "killpg"):
            os.killpg(process.pid, signal.SIGKILL)
        else:
            process.kill()
    process.wait()


def _lines(results: Path) -> Iterator[dict[str, Any]]:
    for line in results.read_text(encoding="utf-8").splitlines():
        with suppress(json.JSONDecodeError):  # the last line of a process that was ended
            yield json.loads(line)


def _row(path: Path, line: dict[str, Any]) -> Row:
    mistakes = tuple(line["mistakes"])
    return Row(str(path), line["exercise"], line["right"], mistakes, line["verdict"], line["text"])


def _failed(path: Path, exercise: str, why: str) -> Row:
    said = f"{exercise or path.name} cannot be checked: {why}."
    return Row(str(path), exercise, False, (), said, said)
