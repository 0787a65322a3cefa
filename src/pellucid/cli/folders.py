"""The folders of runs."""

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
"""All files and folders that a run consists of."""

Begin = Callable[[Path], None]
"""Function that writes the initial files of a run into a folder."""


@contextmanager
def new(model: str, data: str, out: Path | None, force: bool, begin: Begin) -> Iterator[Path]:
    """Create and yield the folder of a new run, locked inside the ``with`` block.

    The folder is `out`, or by default ``runs/DATA-MODEL-N`` with the next free N. `begin` writes
    its initial files. With `force`, an existing run in `out` is replaced as a whole, and only after
    the new one has begun.
    """
    folder = _next(model, data) if out is None else out
    if out is None or not _holds_something(out):
        folder.mkdir(parents=True, exist_ok=True)
        with lock.locked(folder):
            if _holds_something(folder):  # another process has created a run meanwhile
                raise FileError(f"{folder} has just been taken by another run")
            begin(folder)
            yield folder
        return
    if not force:
        raise FileError(
            f"{out} exists already and is not empty; --force replaces the run in it, "
            "and without --out the next free name is taken"
        )
    with _replaced(out, begin):
        yield out


@contextmanager
def _replaced(out: Path, begin: Begin) -> Iterator[None]:
    """Replace the run in `out` by a new one, and keep unrelated files there."""
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
            shutil.rmtree(fresh, ignore_errors=True)  # exists only if the run did not begin


def _exchange(place: Path, fresh: Path, old: Path) -> None:
    """Replace the run in `place` by `fresh`, and remove the old one."""
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


def short_name(model: str) -> str:
    """Return the name of a network, or that of its file or run without the folders it is in.

    >>> short_name("resnet20:width=1.5"), short_name("nets/small.toml")
    ('resnet20:width=1.5', 'small')
    """
    return Path(model).name.removesuffix(".toml").removesuffix(".safetensors")


def as_file_name(text: str) -> str:
    """Return a text as a name that every system accepts.

    >>> as_file_name("mnist-resnet20:width=1.5")
    'mnist-resnet20-width-1.5'
    """
    return re.sub(r"[^\w.-]+", "-", text)


def _holds_something(folder: Path) -> bool:
    return folder.is_dir() and any(path.name != lock.NAME for path in folder.iterdir())


def _next(model: str, data: str) -> Path:
    """Create the folder with the next free number."""
    RUNS.mkdir(exist_ok=True)
    name = as_file_name(f"{data}-{short_name(model)}")
    taken = [int(path.name.rpartition("-")[2]) for path in RUNS.glob("*") if _is_run(path, name)]
    number = max(taken, default=0) + 1
    while True:
        folder = RUNS / f"{name}-{number}"
        try:
            folder.mkdir()
        except FileExistsError:  # another run has taken this number meanwhile
            number += 1
        else:
            return folder


def _is_run(path: Path, name: str) -> bool:
    return re.fullmatch(re.escape(name) + r"-\d+", path.name) is not None
