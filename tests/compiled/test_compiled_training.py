"""The compiled engine trains as the reference does, and the same with any number of threads."""

import numpy as np
import pytest

from kernels import numbers
from pellucid import compiled, engine, models, optim, training
from pellucid import layers as nn
from pellucid.compiled import layout
from pellucid.parameter import Parameter
from pellucid.runtime import usual_batch
from programs import run_python

TRAIN = """
import hashlib, numpy as np
from pellucid import layers as nn, models, optim, training
rng = np.random.default_rng(0)
x, y = rng.normal(size=(70, 3, 12, 12)).astype(np.float32), rng.integers(0, 4, 70)
model = models.build("resnet20", (3, 12, 12), 4)
sgd = optim.SGD(model.parameters(), lr=0.1, momentum=0.9)
for epoch in training.train(model, (x, y), optimizer=sgd):
    pass
print(hashlib.sha256(b"".join(v.tobytes() for v in model.state_dict().values())).hexdigest())
"""


def test_results_are_the_same_to_the_last_bit_whatever_the_number_of_threads():
    one, _ = run_python(TRAIN, NUMBA_NUM_THREADS="1")
    two, _ = run_python(TRAIN, NUMBA_NUM_THREADS="2")
    assert one == two


REFERENCE = """
import numpy as np
from pellucid import engine, layers as nn, models, optim, training
rng = np.random.default_rng(0)
x, y = rng.normal(size=(96, 1, 28, 28)).astype(np.float32), rng.integers(0, 4, 96)
with engine.using("reference"):
    model = models.build("lenet5", (1, 28, 28), 4)
    sgd = optim.SGD(model.parameters(), lr=0.01, momentum=0.9)
    for epoch in training.train(model, (x, y), optimizer=sgd, epochs=2, batch_size=32):
        pass
print(np.concatenate([v.ravel() for v in model.state_dict().values()])[::97].tolist())
"""


def test_on_the_reference_engine_the_number_of_threads_changes_the_last_digits_at_most():
    one, again, two = (
        np.array(eval(run_python(REFERENCE, OPENBLAS_NUM_THREADS=threads)[0])) for threads in "112"
    )
    np.testing.assert_array_equal(again, one)
    np.testing.assert_allclose(two, one, rtol=0, atol=1e-5 * abs(one).max())


def test_a_network_learns_as_it_does_on_the_reference_engine():
    rng = np.random.default_rng(0)
    targets = rng.integers(0, 3, 90)
    x = rng.normal(size=(90, 1, 12, 12)).astype(np.float32) + targets[:, None, None, None]
    curves = []
    for name in engine.NAMES:
        model = nn.initialize(models.build("lenet5", (1, 12, 12), 3), seed=0)
        adam = optim.Adam(model.parameters(), lr=1e-3)
        with engine.using(name):
            epochs = list(training.train(model, (x, targets), optimizer=adam, epochs=3))
        curves.append([epoch.loss for epoch in epochs])
    np.testing.assert_allclose(curves[0], curves[1], rtol=1e-3)


@pytest.mark.parametrize(
    "options",
    [
        {"type": "SGD", "momentum": 0.9},
        {"type": "SGD", "momentum": 0.9, "nesterov": True},
        {"type": "Adam"},
        {"type": "AdamW"},
    ],
    ids=str,
)
def test_an_update_finds_arrays_of_all_sizes_and_those_that_took_their_place(options):
    def values(name):
        shapes = [(), (3,), (70, 300), (2, 3, 5, 5), (1,), (16384,)]
        parameters = [Parameter(f"w{i}", shape, "zeros") for i, shape in enumerate(shapes)]
        optimizer = optim.build({"lr": 0.1, "weight_decay": 0.01} | options, parameters)
        with engine.using(name):
            for step in range(4):
                if step == 2:
                    for p in parameters:
                        p.initialize(seed=1)
                optimizer.zero_grad()
                for i, p in enumerate(parameters):
                    p.add_gradient(numbers(p.shape, seed=10 * step + i))
                optimizer.step()
        return [p.value for p in parameters]

    for found, expected in zip(*map(values, engine.NAMES), strict=True):
        np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-6)


def test_what_is_not_finite_is_found_in_arrays_of_all_sizes():
    arrays = [np.full(size, 3e38, np.float32) for size in (1, 7, 70000)]
    assert compiled.are_finite(arrays)
    for array in arrays:
        for wrong in (np.nan, np.inf, -np.inf):
            array[-1] = wrong
            assert not compiled.are_finite(arrays)
        array[-1] = 0


FEW = """
import hashlib, numpy as np
from pellucid import models, optim, training
rng = np.random.default_rng(0)
x, y = rng.normal(size=(15, 3, 40, 40)).astype(np.float32), rng.integers(0, 4, 15)
model = models.build("resnet18", (3, 40, 40), 4, width=0.25)
sgd = optim.SGD(model.parameters(), lr=0.1, momentum=0.9)
for epoch in training.train(model, (x, y), optimizer=sgd, batch_size=3):
    pass
print(hashlib.sha256(b"".join(v.tobytes() for v in model.state_dict().values())).hexdigest())
"""


def test_so_are_those_of_few_images_at_a_time():
    one, _ = run_python(FEW, NUMBA_NUM_THREADS="1")
    two, _ = run_python(FEW, NUMBA_NUM_THREADS="2")
    assert one == two


def test_the_last_batch_of_an_epoch_is_laid_out_as_the_others():
    with usual_batch.of(64):
        assert not layout.channels_innermost((3, 64, 8, 8))
    assert layout.channels_innermost((3, 64, 8, 8))
    assert not layout.channels_innermost((3, 3, 8, 8))
    x = numbers((6, 3, 12, 12))
    laid: list[bool] = []

    class Looks(nn.ReLU):
        def forward(self, x, training=None):
            laid.append(layout.channels_innermost(x.shape))
            return super().forward(x, training)

    for batch_size in (4, 32):
        model = nn.Sequential(nn.Conv2d(3, 8, 3), Looks(), nn.GlobalAvgPool2d(), nn.Flatten())
        sgd = optim.SGD(nn.initialize(model, 0).parameters(), lr=0.1)
        for _ in training.train(model, (x, np.arange(6)), optimizer=sgd, batch_size=batch_size):
            pass
        assert any(laid) == (batch_size == 4)
        laid.clear()
