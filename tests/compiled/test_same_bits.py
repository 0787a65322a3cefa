"""Results are the same bits for any number of threads."""

import os
import subprocess
import sys

import pytest

STEPS = """
import hashlib, numpy as np
from pellucid import execution, layers as nn
from pellucid.layers import StepContext

def network(C):
    return nn.Sequential(
        nn.Conv2d(3, C, 3, padding=1), nn.MaxPool2d(2), nn.BatchNorm2d(C), nn.GELU(),
        nn.Conv2d(C, C, 3, padding=1, groups=C), nn.BatchNorm2d(C), nn.SiLU(),
        nn.Conv2d(C, C, 5, stride=2, groups=C), nn.Flatten(), nn.Linear(C * 64, 5),
    )

for images in (2, 8, 40):
    model = nn.initialize(network(48), 1)
    run, digest = execution.for_training(model), hashlib.sha256()
    x = np.random.default_rng(0).normal(size=(images, 3, 38, 38)).astype(np.float32)
    for number in range(7):
        training = StepContext(seed=1, epoch=1, step=number)
        y, cache = run.forward(x, training)
        model.zero_grad()
        dy = np.empty_like(y)
        dy[...] = np.cos(np.arange(y.size)).reshape(y.shape)
        run.backward(dy, cache, input_gradient=False)
        training.commit()
        for parameter in model.parameters():
            digest.update(parameter.grad.tobytes())
            parameter.value[...] -= 0.01 * parameter.grad
    print(images, len(run.captured), digest.hexdigest())
"""


def steps_on(threads):
    count = str(threads)
    names = "PELLUCID_NUM_THREADS", "NUMBA_NUM_THREADS", "OMP_NUM_THREADS"
    given = {"PELLUCID_ENGINE": "compiled", **dict.fromkeys(names, count)}
    return subprocess.run(
        [sys.executable, "-c", STEPS], env=os.environ | given, capture_output=True, text=True,
        check=True,
    ).stdout.splitlines()  # fmt: skip


@pytest.mark.parametrize("threads", [2, 3])
def test_training_steps_give_the_same_bits_on_any_number_of_threads(threads):
    one = steps_on(1)
    assert [line.split()[1] for line in one] == ["1"] * 3  # steps are replayed
    assert steps_on(threads) == one
