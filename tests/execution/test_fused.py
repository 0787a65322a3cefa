"""A fused model is the model that it was made from, in fewer passes."""

import numpy as np
import pytest

import pellucid as pl
from kernels import images, numbers
from pellucid import engine
from pellucid import layers as nn
from pellucid.compiled.conv.deferred import DeferredNorm
from pellucid.errors import PellucidError
from small_network import a_step, small_network


@pytest.mark.parametrize("name", engine.NAMES)
def test_a_fused_model_trains_as_the_model_that_it_was_made_from(name):
    x, targets = numbers((12, 2, 10, 10)), np.arange(12) % 3
    results = []
    with engine.using(name):
        for fused in (False, True):
            model = nn.initialize(small_network(), seed=1)
            results.append(a_step(model, pl.fuse(model) if fused else model, x, targets))
    (outputs, gradients, state), (outputs_f, gradients_f, state_f) = results
    np.testing.assert_allclose(outputs_f, outputs, rtol=1e-4, atol=1e-5)
    assert list(gradients_f) == list(gradients)
    assert list(state_f) == list(state)
    for key, expected in gradients.items():
        np.testing.assert_allclose(gradients_f[key], expected, rtol=1e-3, atol=2e-5, err_msg=key)
    for key, expected in state.items():
        np.testing.assert_allclose(state_f[key], expected, rtol=1e-4, atol=1e-5, err_msg=key)
    np.testing.assert_allclose(pl.fuse(model)(x), model(x), rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("norm", [[], [nn.BatchNorm2d(4)]], ids=["bias", "norm"])
def test_a_pooling_window_that_misses_the_image_passes_no_gradient(norm):
    pool = nn.MaxPool2d((1, 2), padding=(0, 1), dilation=(1, 3))  # beside both columns
    model = nn.initialize(nn.Sequential(nn.Conv2d(2, 4, 1), *norm, pool), 0)
    with engine.using("compiled"):
        fused = pl.fuse(model)
        y, cache = fused.forward(numbers((3, 2, 5, 2)), nn.StepContext())
        dx = fused.backward(np.ones_like(y), cache)
    assert (y == -np.inf).all()
    assert (dx == 0).all()
    for name, parameter in model.named_parameters().items():
        assert (parameter.grad == 0).all(), name


def test_gradients_are_written_over_no_array_that_others_may_see():
    chain = pl.fuse(
        nn.Sequential(
            nn.Conv2d(2, 4, 3), nn.BatchNorm2d(4), nn.ReLU(),
            nn.Conv2d(4, 4, 3), nn.ReLU(), nn.Conv2d(4, 2, 3), nn.BatchNorm2d(2),
        )
    )  # fmt: skip
    with engine.using("compiled"):
        y, cache = chain.forward(numbers((5, 2, 9, 9)), nn.StepContext())
        dy = images(y.shape, 1)
        chain.backward(dy, cache)
    np.testing.assert_array_equal(dy, numbers(y.shape, 1))


CONVOLUTIONS = {
    "3×3": {"kernel_size": 3, "padding": 1},
    "Winograd": {"kernel_size": 3, "padding": 1, "algorithm": "winograd4"},
    "1×1": {"kernel_size": 1},
    "depthwise": {"kernel_size": 3, "padding": 1, "groups": 6},
}


def two_residuals(body, convolution, shortcut, activation):
    """Two residual blocks, each of whose bodies has these steps."""
    steps = {
        "conv": lambda: nn.Conv2d(6, 6, **CONVOLUTIONS[convolution]),
        "norm": lambda: nn.BatchNorm2d(6),
        "relu": nn.ReLU,
    }
    return nn.Sequential(
        *(
            nn.Residual(
                nn.Sequential(*(steps[step]() for step in body.split())),
                nn.Conv2d(6, 6, 1) if shortcut else None,
                nn.ReLU() if activation else None,
            )
            for _ in range(2)
        )
    )


@pytest.mark.parametrize("name", engine.NAMES)
@pytest.mark.parametrize("activation", [False, True])
@pytest.mark.parametrize("shortcut", [False, True])
@pytest.mark.parametrize("convolution", CONVOLUTIONS)
@pytest.mark.parametrize(
    "body",
    [
        *("conv", "conv norm", "conv relu conv", "conv relu conv norm", "conv norm relu conv norm"),
        *("norm relu conv", "norm relu conv norm", "norm relu conv norm relu conv", "norm conv"),
    ],
)
def test_a_fused_residual_has_the_gradients_of_the_one_that_it_was_made_from(
    body, convolution, shortcut, activation, name
):
    x, dy, results = images((5, 6, 7, 6)), images((5, 6, 7, 6), 1), []
    for by, made in (("reference", lambda model: model), (name, pl.fuse)):
        model = nn.initialize(two_residuals(body, convolution, shortcut, activation), seed=1)
        run = made(model)
        with engine.using(by):
            y, cache = run.forward(x, nn.StepContext())
            results.append([y, run.backward(dy, cache), *(p.grad for p in model.parameters())])
    for expected, found in zip(*results, strict=True):
        # a bias before a norm changes nothing: what it has for a gradient is rounding
        bound = 1e-4 * max(1, abs(expected).max())
        np.testing.assert_allclose(found, expected, rtol=0, atol=bound)
    np.testing.assert_array_equal(x, numbers(x.shape))
    np.testing.assert_array_equal(dy, numbers(dy.shape, 1))


def test_a_normalisation_before_a_convolution_is_left_to_it():
    layers = nn.BatchNorm2d(16), nn.ReLU(), nn.Conv2d(16, 16, 1)
    model, x = nn.initialize(nn.Sequential(*layers), seed=1), images((33, 16, 5, 5))
    with engine.using("compiled"):
        _, (_, [[_, (read, _)]]) = pl.fuse(model).forward(x, nn.StepContext())
    assert isinstance(read, DeferredNorm)
    assert read.z is x


def test_fusing_leaves_the_model_and_its_names_alone():
    model = small_network()
    names = [p.name for p in model.parameters()]
    fused = pl.fuse(model)
    assert [p.name for p in model.parameters()] == names
    assert fused.model is model
    assert not isinstance(fused, nn.Layer)


def test_it_has_no_gradient_in_inference_and_says_so():
    model = pl.fuse(nn.Sequential(nn.Conv2d(2, 3, 1), nn.BatchNorm2d(3), nn.ReLU()))
    with engine.using("compiled"):
        y, cache = model.forward(images((2, 2, 4, 4)))
        with pytest.raises(PellucidError, match="use the original model"):
            model.backward(y, cache)
