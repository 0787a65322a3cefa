"""Run the command as a user would, in a temporary folder with data and a network."""

import signal
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

import small_run
from pellucid import cli

_ASKING = [getattr(signal, n) for n in ("SIGINT", "SIGTERM", "SIGHUP") if hasattr(signal, n)]
Command = Callable[..., tuple[int, str, str]]

COMPILING = ("compiling for this machine", "kernels compiled in")
"""Parts of the lines on stderr that report the compilation of kernels."""

NETWORK = """
layers = [
  { type = "Conv2d", out_channels = 4, kernel_size = 3 },
  { type = "BatchNorm2d" },
  { type = "ReLU" },
  { type = "Flatten" },
  { type = "Dropout", p = 0.1 },
  { name = "fc", type = "Linear", out_features = "classes" },
]
"""


@pytest.fixture
def pellucid(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Command:
    """Run the command in an empty folder; return its exit status, stdout and stderr."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("PELLUCID_DEBUG", raising=False)

    def run(*arguments: object) -> tuple[int, str, str]:
        before = {number: signal.getsignal(number) for number in _ASKING}
        with pytest.raises(SystemExit) as exit_:
            cli.main([str(argument) for argument in arguments])
        for number, handler in before.items():  # a stopped run ignores further signals
            signal.signal(number, handler)
        shown = capsys.readouterr()
        said = shown.err.splitlines(keepends=True)
        heard = "".join(line for line in said if not any(part in line for part in COMPILING))
        return int(exit_.value.code or 0), shown.out, heard

    return run


@pytest.fixture
def rows(pellucid: Command) -> None:
    """Write images and a network, rows.npz and net.toml, into the folder of the command."""
    del pellucid
    save_rows(Path("rows.npz"))
    Path("net.toml").write_text(NETWORK)


@pytest.fixture
def run(pellucid: Command, rows: None) -> Path:
    """Return the folder of a finished run."""
    del rows
    pellucid(*short("--out", "run"))
    return Path("run")


def save_rows(path: Path) -> None:
    train, test = small_run.DATA, small_run.VALIDATION
    arrays = {"x_train": train.images, "y_train": train.labels}
    arrays |= {"x_test": test.images, "y_test": test.labels, "classes": np.array(train.classes)}
    np.savez(path, allow_pickle=False, **arrays)


def short(*more: str) -> tuple[str, ...]:
    """Return the arguments of a very short training run."""
    options = ("--model", "net.toml", "--epochs", "3", "--batch-size", "8", "--no-report")
    return ("train", "rows.npz", *options, *more)
