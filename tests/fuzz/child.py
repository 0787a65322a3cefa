"""Reads many cases in one process, within limits of time and memory. `run` starts it.

    python -m tests.fuzz.child READER FIRST STOP PROGRESS

A case is told by its number alone, so that it can be made again. What goes wrong is written to the
standard output, a line of JSON each; the number of the present case stands in the file PROGRESS, so
that the parent knows which one ended the process, or does not end.
"""

import json
import os
import resource
import shutil
import signal
import sys
import tempfile
import traceback
import warnings
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path
from random import Random
from types import FrameType
from typing import NoReturn

import numpy as np

from pellucid.errors import PellucidError
from tests.fuzz.reader import Files, Reader

MOST_SECONDS = 1.0  # of the processor
FREE, TIMES = 64 << 20, 20
"""A file may take so many bytes of memory, and so many times its size."""
_PAGE = resource.getpagesize()
_LONGEST_MESSAGE = 2000


class Slow(BaseException):
    """A case takes too long. No reader catches this."""


def read(reader: Reader, folder: Path, files: Files, limited: bool = True) -> str:
    """Return what comes of reading the files: "read", "refused", or what is wrong."""
    for name, content in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
    try:
        with _limited(sum(map(len, files.values()))) if limited else nullcontext():
            reader.read(folder / next(iter(files)))
    except PellucidError as error:
        return _what_is_wrong_with(error) or "refused"
    except Slow as slow:
        return f"more than {MOST_SECONDS} s: {_where(slow)}"
    except MemoryError as error:
        return f"more than {FREE >> 20} MiB and {TIMES} times its size: {_where(error)}"
    except BaseException as error:
        return f"{type(error).__name__}: {error!s:.200}: {_where(error)}"
    return "read"


def _what_is_wrong_with(error: PellucidError) -> str | None:
    cause: BaseException | None = error
    while cause is not None:
        if isinstance(cause, MemoryError):
            return f"more than {FREE >> 20} MiB and {TIMES} times its size: {_where(cause)}"
        cause = cause.__cause__ or cause.__context__
    if len(str(error)) > _LONGEST_MESSAGE:
        return f"a message of {len(str(error)):,} characters: {error!s:.200}: {_where(error)}"
    return None


def _where(error: BaseException) -> str:
    """Return the innermost lines of the library that were left."""
    lines = [f for f in traceback.extract_tb(error.__traceback__) if "/pellucid/" in f.filename]
    return " < ".join(f"{Path(f.filename).name}:{f.lineno}" for f in reversed(lines[-3:]))


@contextmanager
def _limited(size: int) -> Iterator[None]:
    taken = int(Path("/proc/self/statm").read_text().split()[0]) * _PAGE
    resource.setrlimit(resource.RLIMIT_AS, (taken + FREE + TIMES * size, resource.RLIM_INFINITY))
    signal.setitimer(signal.ITIMER_PROF, MOST_SECONDS)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0)
        resource.setrlimit(resource.RLIMIT_AS, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))


def _slow(_number: int, _frame: FrameType | None) -> NoReturn:
    raise Slow


def prepare() -> None:
    """Set up this process for reading cases."""
    signal.signal(signal.SIGPROF, _slow)
    warnings.simplefilter("ignore")
    np.seterr(all="ignore")


def main(name: str, first: int, stop: int, progress: str) -> None:
    from tests.fuzz.readers import made, reader_of

    reader = reader_of(name)
    prepare()
    outcomes: Counter[str] = Counter()
    with (
        tempfile.TemporaryDirectory(dir=fast_folder()) as place,
        Path(progress).open("r+b") as file,
    ):
        folder = Path(place) / "case"
        for number in range(
            0 if name.startswith("faulty") else 20
        ):  # what is imported when it is first needed is not a case's fault
            read(reader, folder, reader.make(Random(f"first {number}")), limited=False)
            shutil.rmtree(folder)
        for number in range(first, stop):
            os.pwrite(file.fileno(), number.to_bytes(8, "little"), 0)
            outcome = read(reader, folder, made(name, number))
            shutil.rmtree(folder)
            if outcome in ("read", "refused"):
                outcomes[outcome] += 1
            else:
                print(json.dumps({"case": number, "wrong": outcome}), flush=True)
    print(json.dumps({"done": outcomes}), flush=True)


def fast_folder() -> str | None:
    """Return a folder in memory, where the system has one."""
    return "/dev/shm" if Path("/dev/shm").is_dir() else None


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]), int(sys.argv[3]), sys.argv[4])
