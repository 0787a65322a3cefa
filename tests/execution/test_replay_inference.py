"""Inference of a frozen model that is played gives what it gives when it is run, bit for bit."""

import tracemalloc

import numpy as np
import pytest

import pellucid as pl
from kernels import numbers
from pellucid import engine
from pellucid import layers as nn
from pellucid.execution.capture import AFTER
from replaying import NETWORKS, SHAPE, equal
from small_network import small_network
from unwritten import Unwritten

pytestmark = pytest.mark.usefixtures("on_compiled")


@pytest.mark.parametrize("images", [1, 5, 64, 100])
@pytest.mark.parametrize("name", [name for name in NETWORKS if name != "mlp"])
def test_inference_of_a_frozen_network_is_replayed(name, images):
    make, shape = NETWORKS[name]
    model = nn.initialize(make(), seed=1)
    played = pl.freeze(model)
    for i in range(AFTER + 2):
        x = numbers((images, *shape[1:]), i)
        np.testing.assert_array_equal(played(x), pl.freeze(model)(x))
    size = {1: 1, 5: 5, 64: 64, 100: 50}[images]
    assert played.captured[0] == (size, *shape[1:])


def test_what_inference_gave_stays_as_it_is():
    played = pl.freeze(nn.initialize(small_network(), seed=1))
    outputs = [played(numbers(SHAPE, 1)) for _ in range(AFTER + 3)]
    played(numbers(SHAPE, 2))
    assert equal(outputs, outputs[:1] * len(outputs))


def test_inference_with_work_that_no_kernel_does_is_run():
    model = nn.Sequential(nn.Conv2d(2, 3, 3), nn.Sigmoid(), nn.AvgPool2d(2))
    frozen = pl.freeze(nn.initialize(model, seed=1))
    for i in range(AFTER + 3):
        x = numbers(SHAPE, i)
        np.testing.assert_array_equal(frozen(x), pl.freeze(model)(x))


def test_inference_that_cannot_be_played_uses_its_memory_again():
    frozen = pl.freeze(nn.Sequential(nn.Conv2d(2, 8, 3), Unwritten()))
    x = numbers((64, *SHAPE[1:]))
    for _ in range(3):
        y = frozen(x)
    del y
    tracemalloc.start()
    frozen(x)
    _, most = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert most < 0.5 * 64 * 8 * 8 * 8 * 4  # half of the convolution's output


def test_the_reference_engine_is_run_even_where_no_number_of_the_trial_shows_it():
    model = nn.Sequential(nn.Linear(3, 2), nn.ReLU())
    model["0"].bias.value = np.full(2, -100)  # the ReLU is dead but for large inputs
    with engine.using("reference"):
        frozen = pl.freeze(model)
        for _ in range(AFTER + 2):
            frozen(np.ones((2, 3), np.float32))
        x = 1e4 * numbers((2, 3))
        np.testing.assert_allclose(frozen(x), model(x), rtol=1e-5)
        assert frozen(x).any()
        assert frozen.captured == []


@pytest.mark.parametrize("name", engine.NAMES)
def test_later_changes_of_a_model_do_not_reach_its_frozen_one(name):
    model = nn.Sequential(nn.BatchNorm2d(2), nn.ReLU(), nn.Conv2d(2, 3, 3), nn.PReLU(3))
    nn.initialize(model)
    with engine.using(name):
        frozen, x = pl.freeze(model), numbers(SHAPE)
        before = frozen(x)
        for _, item in model.named_state():
            item.value = item.value + 1
        for _ in range(AFTER + 2):
            np.testing.assert_array_equal(frozen(x), before)
