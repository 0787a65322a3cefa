"""Where a run is kept."""

import re
import shutil
from pathlib import Path

from pellucid.errors import FileError

RUNS = Path("runs")
CONFIG = "config.json"
MODEL = "model.safetensors"
HISTORY = "history.csv"
GRADIENTS = "gradients.csv"
REPORT = "report.html"
FIGURES = "figures"
CHECKPOINT = "checkpoint"


def make(model: str, data: str, out: Path | None, force: bool) -> Path:
    """Make the folder of a new run, ``runs/DATA-MODEL-N`` with the next free N, or `out`."""
    if out is not None:
        return _make_given(out, force)
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


def _make_given(out: Path, force: bool) -> Path:
    if out.is_dir() and any(out.iterdir()):
        if not force:
            raise FileError(
                f"{out} is there already and not empty; --force replaces the run in it, "
                "and without --out the next free name is taken"
            )
        for name in (CONFIG, MODEL, HISTORY, GRADIENTS, REPORT):
            (out / name).unlink(missing_ok=True)
        for name in (CHECKPOINT, FIGURES):
            shutil.rmtree(out / name, ignore_errors=True)
    out.mkdir(parents=True, exist_ok=True)
    return out
