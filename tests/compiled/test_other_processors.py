"""Kernels for processors with smaller registers, or which cannot leave out lanes of them."""

import os
import platform
import subprocess
import sys

import pytest

from pellucid.compiled.levels import LEVELS

_V3 = next(level.features for level in LEVELS if level.name == "x86-64-v3")
FEATURES = {
    # leaves out lanes of float32 at a cost, and none of bytes
    "x86-64-v3": _V3,
    # leaves out neither, as processors with NEON
    "x86-64-v2": ",".join(f for f in _V3.split(",") if "avx" not in f and "fma" not in f),
}

PROGRAM = """
import numpy as np
from pellucid import engine, layers as nn
from pellucid.execution import fuse
from pellucid.compiled import tile

random = np.random.default_rng(0)
for images in (1, 13, 21, 24):  # few lie channels last; of many, one register is partial, or none
    x = random.standard_normal((images, 2, 9, 9), np.float32)
    for window in (nn.MaxPool2d(2), nn.MaxPool2d(3, stride=2, padding=1)):
        found = []
        for name in ("reference", "compiled"):
            with engine.using(name):
                model = nn.Sequential(
                    nn.Conv2d(2, 5, 3, padding=1, bias=False), nn.BatchNorm2d(5), nn.ReLU(), window
                )
                nn.initialize(model, 0)
                program = fuse(model)
                y, cache = program.forward(x, nn.StepContext())
                program.backward(np.sin(y), cache, input_gradient=False)
                found.append([y, *(p.grad for p in model.parameters())])
        for expected, given in zip(*found, strict=True):
            np.testing.assert_allclose(given, expected, rtol=1e-3, atol=1e-4)
print(tile.LANES)
"""


@pytest.mark.skipif(platform.machine() not in ("x86_64", "AMD64"), reason="names x86 processors")
@pytest.mark.parametrize(("name", "lanes"), [("x86-64-v3", 8), ("x86-64-v2", 4)])
def test_partial_registers_are_read_and_written(name: str, lanes: int) -> None:
    told = {"NUMBA_CPU_NAME": name, "NUMBA_CPU_FEATURES": FEATURES[name]}
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM], env=os.environ | told, capture_output=True, text=True
    )
    assert done.stdout.split() == [str(lanes)], done.stderr
