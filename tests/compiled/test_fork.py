"""A forked process computes the same bits, though it has none of its parent's threads."""

import os

import pytest

from programs import run_python

if not hasattr(os, "fork"):
    pytest.skip("only Unix forks", allow_module_level=True)

PARENT = """
import hashlib, multiprocessing, os, sys
import numpy as np
import pellucid as pl
from pellucid import layers as nn

random = np.random.default_rng(0)
x, targets = random.normal(size=(16, 2, 6, 6)).astype(np.float32), random.integers(0, 3, 16)

def network():
    parts = [nn.Conv2d(2, 4, 3, padding=1), nn.BatchNorm2d(4), nn.ReLU(), nn.MaxPool2d(2)]
    return nn.initialize(nn.Sequential(*parts, nn.Flatten(), nn.Linear(36, 3)), 0)

def bits(_=None):
    model = network()
    optimizer = pl.optim.Adam(model.parameters())
    for _ in pl.train(model, (x, targets), optimizer=optimizer, epochs=2, batch_size=4):
        pass
    values = [y.tobytes() for y in (model(x), pl.freeze(model)(x), *model.state_dict().values())]
    return hashlib.sha256(b"".join(values)).hexdigest()
"""
FORKS = {
    "a child": """
model, frozen = network(), pl.freeze(network())
y = [model(x).tobytes(), frozen(x).tobytes()]
mine = bits()
if not os.fork():
    same = bits() == mine and [model(x).tobytes(), frozen(x).tobytes()] == y
    os._exit(0 if same else 3)
print(os.wait()[1], bits() == mine)
""",
    "a child that replays": """
frozen = pl.freeze(network())
y = [frozen(x).tobytes() for _ in range(6)]
if not os.fork():
    os._exit(0 if frozen.captured and frozen(x).tobytes() == y[0] else 3)
print(os.wait()[1], set(y) == {y[0]})
""",
    "a child's child": """
mine = bits()
if not os.fork():
    if not os.fork():
        os._exit(0 if bits() == mine else 3)
    os._exit(os.waitstatus_to_exitcode(os.wait()[1]) & 255)
print(os.wait()[1], bits() == mine)
""",
    "a pool": """
mine = bits()
with multiprocessing.get_context("fork").Pool(2) as pool:
    print(0, pool.map(bits, range(3)) == [mine] * 3)
""",
}


@pytest.mark.parametrize("fork", FORKS)
def test_a_forked_process_computes_what_its_parent_does(fork):
    threads = {"NUMBA_NUM_THREADS": "2", "PELLUCID_NUM_THREADS": "", "PELLUCID_ENGINE": "compiled"}
    shown, _ = run_python(PARENT + FORKS[fork], **threads)
    assert shown.split() == ["0", "True"]
