"""A program that uses the library can be checked by mypy at its strictest, and typos are found."""

import subprocess
import sys
from importlib.util import find_spec

import pytest

PROGRAM = """
import numpy as np

import pellucid as pl
from pellucid import data, layers as nn, losses, models, ops, optim

digits = data.load("digits")
model = nn.Sequential(nn.Conv2d(1, 4, 3), nn.ReLU(), nn.Flatten(), nn.Linear(144, 10))
pl.initialize(model, seed=0)
history = pl.fit(model, digits.train, optimizer=optim.Adam(model.parameters()), epochs=1)
answer: int = int(pl.predict(model, np.zeros((1, 1, 8, 8), np.float32)).argmax())
loss: losses.Loss = losses.CrossEntropy()
other = models.build("lenet5", (1, 28, 28), 10)
columns = ops.relu(np.zeros(3))

import pellucid.nn
from pellucid.nn import ReLU

like_pytorch: pellucid.nn.Sequential = pl.nn.Sequential(ReLU())
"""


def checked(folder, text: str) -> str:
    (folder / "program.py").write_text(text)
    run = subprocess.run(
        [sys.executable, "-m", "mypy", "--strict", "--cache-dir", ".cache", "program.py"],
        cwd=folder, capture_output=True, text=True, check=False,
    )  # fmt: skip
    return run.stdout


@pytest.mark.skipif(find_spec("mypy") is None, reason="needs mypy")
def test_a_program_passes_the_strict_type_checker(tmp_path):
    assert checked(tmp_path, PROGRAM).startswith("Success"), checked(tmp_path, PROGRAM)
    found = checked(tmp_path, PROGRAM + "pl.tran\nnn.Conv3d\nReLU(1)\nnn.Conv2d('1', 2, 3)\n")
    assert [line.split(": ")[0] for line in found.splitlines() if ": error" in line] == [
        f"program.py:{len(PROGRAM.splitlines()) + i}" for i in (1, 2, 3, 4)
    ], found
