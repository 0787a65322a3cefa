"""A run that is killed, at any moment, and resumed ends as one that was never interrupted."""

import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

import small_run
from pellucid.training import records
from pellucid.training.checkpoint_file import checkpoint_path

PROGRAM = [sys.executable, small_run.__file__]
STEPS = 24


@pytest.fixture(scope="module")
def uninterrupted() -> dict[str, np.ndarray]:
    state = small_run.new_state()
    for _ in records(state, small_run.DATA, small_run.VALIDATION):
        pass
    return small_run.outcome(state)


def run_and_kill(folder: Path, lines: int, delay: float) -> bool:
    """Run until it told of `lines` records, wait a little, and kill it; return whether it died."""
    process = subprocess.Popen([*PROGRAM, str(folder)], stdout=subprocess.PIPE)
    assert process.stdout is not None
    with process.stdout:
        for _ in range(lines):
            process.stdout.readline()
        time.sleep(delay)
        process.send_signal(signal.SIGKILL)
        return process.wait() == -signal.SIGKILL


def finish(folder: Path) -> dict[str, np.ndarray]:
    subprocess.run([*PROGRAM, str(folder)], check=True, stdout=subprocess.DEVNULL)
    with np.load(folder / "outcome.npz") as outcome:
        return dict(outcome)


def test_killed_at_random_moments_and_resumed_it_ends_with_the_same_bits(
    tmp_path: Path, uninterrupted: dict[str, np.ndarray]
) -> None:
    moments = random.Random()
    kills = sum(
        run_and_kill(tmp_path, moments.randint(1, STEPS // 4), moments.uniform(0, 0.005))
        for _ in range(4)
    )
    assert kills > 0
    assert checkpoint_path(tmp_path).exists()
    assert small_run.equal(finish(tmp_path), uninterrupted)


def test_killed_in_the_middle_of_a_write_it_resumes_from_the_checkpoint_before(
    tmp_path: Path, uninterrupted: dict[str, np.ndarray]
) -> None:
    for turn in (3, 5):
        killed = subprocess.run(
            [*PROGRAM, str(tmp_path), str(turn)], stdout=subprocess.DEVNULL, check=False
        )
        assert killed.returncode == -signal.SIGKILL
        folder = checkpoint_path(tmp_path).parent
        assert len(list(folder.glob(".*.partial"))) == 1
    assert small_run.equal(finish(tmp_path), uninterrupted)
    assert [path.name for path in folder.iterdir()] == ["state.safetensors"]


def test_a_comparison_of_outcomes_sees_a_single_bit(
    uninterrupted: dict[str, np.ndarray],
) -> None:
    other = {name: value.copy() for name, value in uninterrupted.items()}
    other["model/fc.bias"].view(np.uint8)[0] ^= 1
    assert not small_run.equal(other, uninterrupted)
