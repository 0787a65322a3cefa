"""Where a run is kept."""

import re
import secrets
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from pellucid.cli import lock
from pellucid.errors import FileError
from pellucid.interchange.safetensors import MODEL as MODEL

RUNS = Path("runs")
CONFIG = "config.json"
HISTORY = "history.csv"
GRADIENTS = "gradients.csv"
SCALING = "scaling.csv"
EVALUATION = "evaluation.json"
TYPICAL = "typical.npz"
REPORT = "report.html"
FIGURES = "figures"
CHECKPOINT = "checkpoint"

_ALL = {
    *(CONFIG, MODEL, HISTORY, GRADIENTS, SCALING, EVALUATION, TYPICAL, REPORT, FIGURES),
    CHECKPOINT,
}
"""All that a run's folder holds."""

Begin = Callable[[Path], None]
"""Writes into a folder what a run begins with."""


@contextmanager
def new(model: str, data: str, out: Path | None, force: bool, begin: Begin) -> Iterator[Path]:
    """Yield the folder of a new run, in which `begin` wrote, locked inside the ``with`` block.

    It is ``runs/DATA-MODEL-N`` with the next free N, or `out`. A run that is there already is
    replaced if `force` is given: as a whole, and only when the new one has begun.
    """
    folder = _next(model, data) if out is None else out
    if out is None or not _holds_something(out):
        folder.mkdir(parents=True, exist_ok=True)
        with lock.locked(folder):
            if _holds_something(folder):  # another process was faster
                raise FileError(f"{folder} has just been taken by another run")
            begin(folder)
            yield folder
        return
    if not force:
        raise FileError(
            f"{out} is there already and not empty; --force replaces the run in it, "
            "and without --out the next free name is taken"
        )
    with _replaced(out, begin):
        yield out


@contextmanager
def _replaced(out: Path, begin: Begin) -> Iterator[None]:
    """Put a new run in the place of the one in `out`; what else lies there stays."""
    from pellucid.cli.config import Config

    try:
        Config.load(out)
    except FileError as error:
        raise FileError(f"--force replaces a run, and {error}") from error
    place, mark = out.resolve(), secrets.token_hex(4)
    fresh, old = (place.with_name(f".{place.name}.{mark}.{kind}") for kind in ("new", "old"))
    with lock.locked(place):
        fresh.mkdir()
        try:
            begin(fresh)
            with lock.locked(fresh):
                _exchange(place, fresh, old)
                yield
        finally:
            shutil.rmtree(fresh, ignore_errors=True)  # it is there only if the run did not begin


def _exchange(place: Path, fresh: Path, old: Path) -> None:
    """Put `fresh` in the place of the run that is there, and remove that."""
    place.rename(old)
    try:
        fresh.rename(place)
    except OSError:
        old.rename(place)
        raise
    for path in list(old.iterdir()):
        if path.name not in _ALL | {lock.NAME}:
            path.rename(place / path.name)
    shutil.rmtree(old, ignore_errors=True)


def _holds_something(folder: Path) -> bool:
    return folder.is_dir() and any(path.name != lock.NAME for path in folder.iterdir())


def _next(model: str, data: str) -> Path:
    """Make the folder with the next free number."""
    RUNS.mkdir(exist_ok=True)
    name = re.sub(r"[^\w.-]+", "-", f"{data}-{Path(model).stem}")
    taken = [int(path.name.rpartition("-")[2]) for path in RUNS.glob("*") if _is_run(path, name)]
    number = max(taken, default=0) + 1
    while True:
        folder = RUNS / f"{name}-{number}"
        try:
            folder.mkdir()
        except FileExistsError:  # another run was faster
            number += 1
        else:
            return folder


def _is_run(path: Path, name: str) -> bool:
    return re.fullmatch(re.escape(name) + r"-\d+", path.name) is not None
