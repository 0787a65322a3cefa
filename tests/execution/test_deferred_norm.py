"""What a convolution does on the way: read through a normalisation, add to what is there."""

from itertools import product

import numpy as np
import pytest

import composed
import pellucid as pl
from kernels import images, numbers
from pellucid import engine
from pellucid import layers as nn
from pellucid.compiled import fused
from pellucid.compiled.conv.deferred import DeferredNorm, materialize
from pellucid.contract import Convolution
from pellucid.geometry import Window, pair

CONVOLUTIONS = {
    "1×1": ((5, 6), 1, {}, 20, 33, 1),
    "1×1, few channels": ((5, 6), 1, {}, 3, 9, 1),
    "1×1, padded": ((5, 6), 1, {"padding": 1}, 20, 33, 1),
    "1×1 in groups": ((5, 6), 1, {}, 8, 12, 4),
    "depthwise": ((19, 5), 3, {"padding": 1}, 20, 20, 20),
    "depthwise, strided": ((19, 8), 3, {"stride": 2, "padding": ((0, 1), (2, 1))}, 17, 17, 17),
    "depthwise, dilated": ((20, 12), (5, 2), {"dilation": 2, "padding": 4}, 3, 3, 3),
    "depthwise, with gaps": ((30, 7), 1, {"stride": 3}, 16, 16, 16),
    "3×3": ((17, 18), 3, {"padding": 1}, 33, 26, 1),
    "3×3, padded on some sides": ((18, 19), 3, {"padding": ((2, 0), (0, 1))}, 24, 40, 1),
    "3×3, strided": ((9, 9), 3, {"stride": 2, "padding": 1}, 4, 6, 1),
    "3×3 in groups": ((9, 10), 3, {"padding": 1}, 8, 12, 4),
}


@pytest.mark.parametrize("images_at_once", [1, 5, 33, 64])
@pytest.mark.parametrize(
    ("name", "algorithm"),
    [*product(CONVOLUTIONS, ("auto", "precise", "im2col")), ("3×3 in groups", "winograd4")],
)
def test_reading_through_is_writing_first_bit_for_bit(name, algorithm, images_at_once):
    size, kernel, options, C, F, groups = CONVOLUTIONS[name]
    window, z = Window.of(size, kernel, **options), images((images_at_once, C, *size))
    weight, bias = numbers((F, C // groups, *window.kernel), 1), numbers(F, 2)
    through = DeferredNorm(z, numbers((3, C), 3), relu=True)
    y = materialize(through)
    given = Convolution(z.shape, weight.shape, window, groups, algorithm)
    found = fused.conv2d(through, weight, bias, given)
    np.testing.assert_array_equal(found, fused.conv2d(y, weight, bias, given))
    dy = images(found.shape, 4)
    found = fused.conv2d_weight_gradient(dy, through, given)
    np.testing.assert_array_equal(found, fused.conv2d_weight_gradient(dy, y, given))


@pytest.mark.parametrize("relu", [False, True])
def test_what_is_read_through_can_be_written(relu):
    z, (mean, scale, shift) = images((5, 4, 3, 2)), numbers((3, 4), 1)
    expected = composed.epilogue(z, (mean, scale, shift), None, relu, None)[0]
    y = materialize(DeferredNorm(z, np.stack((mean, scale, shift)), relu))
    np.testing.assert_allclose(y, expected, rtol=1e-5, atol=1e-6)


def network():
    """Blocks of which the next convolution reads through the norm, or cannot, for every reason."""
    return nn.Sequential(
        nn.Conv2d(3, 24, 3, padding=1, bias=False), nn.BatchNorm2d(24), nn.ReLU(),
        nn.Conv2d(24, 24, 3, padding=1, groups=24), nn.BatchNorm2d(24), nn.ReLU(),
        nn.Conv2d(24, 32, 1, bias=False), nn.BatchNorm2d(32), nn.ReLU(),
        nn.Conv2d(32, 24, 3, padding=1), nn.BatchNorm2d(24, affine=False), nn.ReLU(),
        nn.Conv2d(24, 16, 1), nn.BatchNorm2d(16),
        nn.Conv2d(16, 16, 3, padding=1, padding_mode="reflect"), nn.BatchNorm2d(16), nn.ReLU(),
        nn.Conv2d(16, 16, 5, stride=2), nn.BatchNorm2d(16), nn.ReLU(), nn.MaxPool2d(2),
        nn.Conv2d(16, 8, 1), nn.ReLU(), nn.Conv2d(8, 8, 1), nn.BatchNorm2d(8), nn.ReLU(),
    )  # fmt: skip


@pytest.mark.parametrize("precise", [False, True])
@pytest.mark.parametrize("images_at_once", [3, 64])
def test_a_chain_computes_the_same_whether_its_norms_are_written(
    monkeypatch, precise, images_at_once
):
    x, results = images((images_at_once, 3, 16, 16)), []
    with engine.using("compiled"), engine.precisely(precise):
        for written in (False, True):
            if written:
                monkeypatch.setattr(fused, "reads_deferred", lambda *args: False)
            model = nn.initialize(network(), seed=1)
            chain, step = pl.fuse(model), nn.StepContext()
            y, cache = chain.forward(x, step)
            dx = chain.backward(images(y.shape, 2), cache)
            step.commit()
            gradients = [p.grad for p in model.parameters()]
            results.append([y, dx, *gradients, *model.state_dict().values()])
    for found, expected in zip(*results, strict=True):
        np.testing.assert_array_equal(found, expected)


@pytest.mark.parametrize("images_at_once", [1, 33])
@pytest.mark.parametrize("algorithm", ["auto", "precise"])
@pytest.mark.parametrize("name", CONVOLUTIONS)
def test_an_input_gradient_is_added_to_what_is_there(name, algorithm, images_at_once):
    size, kernel, options, C, F, groups = CONVOLUTIONS[name]
    window, weight = (
        Window.of(size, kernel, **options),
        numbers((F, C // groups, *pair(kernel, "kernel"))),
    )
    shape = images_at_once, C, *size
    given = Convolution(shape, weight.shape, window, groups, algorithm)
    dy, there = images((images_at_once, F, *window.output_size), 1), images(shape, 2)
    expected = fused.conv2d_input_gradient(dy, weight, given) + there
    np.testing.assert_array_equal(fused.conv2d_input_gradient(dy, weight, given, there), expected)
