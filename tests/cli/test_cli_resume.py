"""``pellucid resume``: a run that was stopped ends as if it had never been."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from safetensors import safe_open

import small_run
from commands import Command, save_rows, short
from pellucid import training
from pellucid.cli import common
from pellucid.runtime import threads
from pellucid.training import read_history

pytestmark = pytest.mark.usefixtures("rows")


@pytest.fixture
def interrupted(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Press Ctrl-C in the middle of the second epoch, once."""
    show, presses = training.show_progress, iter([True])

    def press(records: Iterator[training.Record], **wanted: bool) -> Iterator[training.Record]:
        for n, record in enumerate(show(records, **wanted), start=1):
            if n == 11 and next(presses, False):
                os.kill(os.getpid(), signal.SIGINT)
            yield record

    monkeypatch.setattr(training, "show_progress", press)
    return


@pytest.mark.parametrize(
    "more",
    [
        (),
        ("--ema", "0.9", "--augment", "crop:1", "--patience", "2"),
        ("--selector", "mlp", "--keep", "0.4"),
    ],
)
@pytest.mark.usefixtures("interrupted")
def test_an_interrupted_run_is_resumed_to_the_same_bits(
    pellucid: Command, more: tuple[str, ...]
) -> None:
    status, out, err = pellucid(*short("--out", "cut", *more))
    assert status == 130
    assert err == "Stopped and saved. Resume with: pellucid resume cut\n"
    assert " 1/3 " in out
    assert " 2/3 " not in out
    status, _, err = pellucid("evaluate", "cut")
    assert status == 2
    assert "pellucid resume cut" in err
    status, out, _ = pellucid("resume", "cut", "--no-report")
    assert status == 0
    assert " 1/3 " not in out
    assert "Test accuracy" in out
    assert pellucid(*short("--out", "whole", *more))[0] == 0
    cut, whole = (Path(run, "model.safetensors").read_bytes() for run in ("cut", "whole"))
    assert cut == whole


@pytest.mark.usefixtures("interrupted")
def test_a_resumed_run_stops_early_where_the_whole_would_have(pellucid: Command) -> None:
    options = ("--epochs", "9", "--lr", "0.3", "--schedule", "constant", "--patience", "1")
    assert pellucid(*short(*options, "--out", "cut"))[0] == 130
    assert pellucid("resume", "cut", "--no-report")[0] == 0
    assert pellucid(*short(*options, "--out", "whole"))[0] == 0
    cut, whole = ([e.epoch for e in read_history(f"{run}/history.csv")] for run in ("cut", "whole"))
    assert cut == whole
    assert len(whole) < 9


@pytest.mark.usefixtures("interrupted")
def test_numpy_computes_with_as_many_threads_as_before_on_a_machine_with_fewer_processors(
    pellucid: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[int | None] = []
    real = common.limited
    monkeypatch.setattr(common, "limited", lambda count: (asked.append(count), real(count))[1])
    monkeypatch.setenv("PELLUCID_NUM_THREADS", "2")
    monkeypatch.setattr(threads, "_processors", lambda: 2)
    assert pellucid(*short("--engine", "reference", "--out", "run"))[0] == 130
    monkeypatch.setattr(threads, "_processors", lambda: 1)
    assert pellucid("resume", "run", "--no-report")[0] == 0
    assert asked == [2, 2]


def test_a_finished_run_that_is_resumed_says_how_it_ended(pellucid: Command) -> None:
    pellucid(*short("--out", "run"))
    before = Path("run/model.safetensors").read_bytes()
    status, out, _ = pellucid("resume", "run", "--no-report")
    assert status == 0
    assert "3 of 3 epochs" in out
    assert "Test accuracy" in out
    assert Path("run/model.safetensors").read_bytes() == before


@pytest.mark.usefixtures("interrupted")
def test_a_run_is_resumed_from_another_folder_and_only_on_its_own_data(
    pellucid: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert pellucid(*short("--out", "run"))[0] == 130
    np.savez("rows.npz", images=small_run.DATA.images[::-1], labels=small_run.DATA.labels)
    status, _, err = pellucid("resume", "run")
    assert status == 2
    assert "data" in err
    save_rows(Path("rows.npz"))
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path / "elsewhere")
    assert pellucid("resume", tmp_path / "run", "--no-report")[0] == 0


@pytest.mark.usefixtures("heeded_signals")
@pytest.mark.parametrize(
    ("numbers", "status"),
    [
        ([signal.SIGINT], 130),
        ([signal.SIGINT] * 5, 130),
        ([signal.SIGTERM], 143),
        ([signal.SIGHUP, signal.SIGTERM], 129),
    ],
)
def test_signals_save_and_end_the_process(
    pellucid: Command, numbers: list[signal.Signals], status: int
) -> None:
    arguments = short("--epochs", "100000", "--out", "run")
    process = subprocess.Popen(
        [sys.executable, "-m", "pellucid", *arguments], stderr=subprocess.PIPE, text=True
    )
    history = Path("run/history.csv")
    try:
        for _ in range(1200):
            if history.exists() and len(history.read_text().splitlines()) > 2:
                break
            assert process.poll() is None
            time.sleep(0.05)
        for number in numbers:
            process.send_signal(number)
            time.sleep(0.002)
        _, err = process.communicate(timeout=60)
    finally:
        process.kill()
        process.communicate()
    assert process.returncode == status
    assert err.endswith("Resume with: pellucid resume run\n")
    epochs = len(history.read_text().splitlines()) - 1
    assert f"{epochs} of 100000 epochs" in described(Path("run"))


def described(run: Path) -> str:
    """Return where the checkpoint of a run stands."""
    with safe_open(run / "checkpoint/state.safetensors", framework="numpy") as file:
        facts = json.loads(file.metadata()["pellucid"])
    return f"{facts['epoch']} of {facts['epochs']} epochs"
