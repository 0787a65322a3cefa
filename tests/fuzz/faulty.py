"""Readers that are wrong in every way that the fuzzer must notice."""

import os
from pathlib import Path
from typing import NoReturn

from pellucid.errors import PellucidError
from tests.fuzz.reader import Reader


def _ends(_path: Path) -> NoReturn:
    os.abort()


def _does_not_end(_path: Path) -> NoReturn:
    while True:
        try:
            while True:
                pass
        except Exception:  # whatever it catches
            continue


def _takes_memory(_path: Path) -> int:
    return len(bytes(200 << 20))


def _takes_memory_and_hides_it(path: Path) -> None:
    try:
        _takes_memory(path)
    except MemoryError as error:
        raise PellucidError("it cannot be read") from error


def _raises_anything(_path: Path) -> NoReturn:
    raise KeyError("x")


def _tells_everything(_path: Path) -> NoReturn:
    raise PellucidError("x" * 5000)


READERS = {
    f"faulty {read.__name__}": Reader(lambda _: {"file": b"x"}, read)
    for read in (
        _ends,
        _does_not_end,
        _takes_memory,
        _takes_memory_and_hides_it,
        _raises_anything,
        _tells_everything,
    )
}
