"""Compiled activations are as accurate as NumPy's, wherever the numbers lie in memory."""

import math

import numpy as np
import pytest

from kernels import numbers
from pellucid import compiled, engine, reference
from pellucid import layers as nn
from pellucid.execution.capture import AFTER
from replaying import equal, pair, step

pytestmark = pytest.mark.usefixtures("on_compiled")

KEEPS_Y = {"relu6", "leaky_relu", "elu", "selu", "sigmoid", "tanh"}
OPTIONS = {
    "relu6": (), "leaky_relu": (0.1,), "elu": (0.7,), "selu": (), "gelu": ("none",), "silu": (),
    "hardswish": (), "softplus": (1.5, 20.0), "sigmoid": (), "tanh": (), "gelu, tanh": ("tanh",),
}  # fmt: skip
SPECIAL = np.array(
    [np.inf, -np.inf, np.nan, 0, -0.0, 1e30, -1e30, 88, -88, 104, -104, 3, -3, 6, 1e-40, -1e-40],
    np.float32,
)


def wide_range(shape):
    """Return numbers from 10⁻³ to 10² in size."""
    return numbers(shape, 1) * 10.0 ** np.random.default_rng(2).integers(-3, 3, shape)


def is_as_accurate(found, in_numpy, exact):
    """Return whether the error is at most twice NumPy's, give or take a few roundings."""
    assert found.dtype == np.float32
    room = 2 * abs(in_numpy - exact).max() + 4 * 2**-24 * abs(exact)
    return np.all(abs(found - exact) <= room + 2.0**-125)


@pytest.mark.parametrize("name", OPTIONS)
@pytest.mark.parametrize("shape", [(70, 3, 5, 4), (3, 40, 5, 4), (9, 33), (4, 3, 2), (5,), (0, 3)])
def test_values_and_gradients_are_as_accurate_as_numpys(name, shape):
    function, options = name.split(",")[0], OPTIONS[name]
    x, dy = wide_range(shape).astype(np.float32), numbers(shape, 3)
    exact = reference.activate(function, x.astype(float), *options)
    y = compiled.activate(function, x, *options)
    if x.size == 0:
        assert y.shape == compiled.activate_gradient(function, dy, x, *options).shape == shape
        return
    assert is_as_accurate(y, reference.activate(function, x, *options), exact)
    kept = exact.astype(np.float32) if function in KEEPS_Y else x
    exact = reference.activate_gradient(function, dy.astype(float), kept.astype(float), *options)
    dx = compiled.activate_gradient(function, dy, kept, *options)
    assert is_as_accurate(dx, reference.activate_gradient(function, dy, kept, *options), exact)


@pytest.mark.parametrize("name", OPTIONS)
@pytest.mark.filterwarnings("ignore::RuntimeWarning")
def test_what_is_infinite_tiny_or_not_a_number_is_treated_as_numpy_does(name):
    function, options = name.split(",")[0], OPTIONS[name]
    close = {"rtol": 1e-5, "atol": 2.0**-120}
    y = reference.activate(function, SPECIAL, *options)
    np.testing.assert_allclose(compiled.activate(function, SPECIAL, *options), y, **close)
    kept, dy = y if function in KEEPS_Y else SPECIAL, numbers(SPECIAL.shape)
    dx = reference.activate_gradient(function, dy, kept, *options)
    found = compiled.activate_gradient(function, dy, kept, *options)
    np.testing.assert_allclose(found, dx, **close)


def test_gelu_keeps_its_digits_where_the_distribution_function_is_tiny():
    x = np.linspace(-9, -2, 1000, dtype=np.float32)
    tail = [0.5 * math.erfc(-each / math.sqrt(2)) for each in x.tolist()]
    np.testing.assert_allclose(compiled.activate("gelu", x, "none"), x * tail, rtol=5e-6)


@pytest.mark.parametrize("shape", [(64, 3, 8, 8), (4, 16, 8, 8)])
@pytest.mark.parametrize(
    "layer",
    [
        nn.ReLU6(), nn.LeakyReLU(), nn.ELU(), nn.SELU(), nn.GELU(), nn.GELU("tanh"), nn.SiLU(),
        nn.Hardswish(), nn.Softplus(), nn.Sigmoid(), nn.Tanh(),
    ],
    ids=repr,
)  # fmt: skip
def test_a_network_with_any_activation_is_replayed(layer, shape):
    C = shape[1]
    run, played = pair(
        lambda: nn.Sequential(
            nn.Conv2d(C, 6, 3, padding=1), nn.MaxPool2d(2), nn.BatchNorm2d(6), layer,
            nn.Conv2d(6, 6, 3, padding=1), nn.BatchNorm2d(6), layer, nn.Flatten(), nn.Linear(96, 5),
        )
    )  # fmt: skip
    for i in range(AFTER + 3):
        assert equal(step(*run, numbers(shape, i)), step(*played, numbers(shape, i)))
    assert played[1].captured == [shape]


@pytest.mark.parametrize("layer", [nn.GELU("tanh"), nn.ELU(0.5), nn.Softplus(2, 10)])
def test_options_reach_the_kernels(layer):
    x = numbers((5, 17))
    with engine.using("reference"):
        y, cache = layer.forward(x)
        dx = layer.backward(x, cache)
    found, cache = layer.forward(x)
    np.testing.assert_allclose(found, y, atol=1e-6)
    np.testing.assert_allclose(layer.backward(x, cache), dx, atol=1e-6)
    assert not np.allclose(found, type(layer)()(x), atol=1e-4)
