"""Which layers save the work of a gradient for the input that nobody needs."""

from inspect import signature

import numpy as np

from layer_table import ROWS
from pellucid import engine
from pellucid import layers as nn

SAVES_IT = {
    *("Abs", "AdaptiveAvgPool2d", "AdaptiveMaxPool2d", "Affine", "AvgPool2d", "Clip", "Conv2d"),
    *("ConvTranspose2d", "Erf", "Exp", "GlobalAvgPool2d", "HardSigmoid", "Heaviside", "Identity"),
    *("Linear", "LocalResponseNorm", "Log", "MaxPool2d", "PReLU", "Pad", "Pad2d", "Permute"),
    *("Power", "ReduceMax", "ReduceMean", "ReduceSum", "Resize", "Scale", "Shift", "Slice"),
    *("Softsign", "Take", "ThresholdedReLU", "Upsample"),
}


def drawn(shape):
    if isinstance(shape[0], tuple):
        return tuple(map(drawn, shape))
    return np.random.default_rng(0).uniform(0.5, 1.5, shape)


def returns_dy(layer, shape):
    y, cache = layer.forward(drawn(shape), nn.StepContext())
    dy = np.ones_like(y)
    return layer.backward(dy, cache, input_gradient=False) is dy


def test_these_layers_return_dy_instead():
    with engine.using("reference"):
        leaves = [(row.make().astype("float64"), row) for row in ROWS.values()]
        leaves = [(layer, row) for layer, row in leaves if not layer.children()]
        found = {(type(layer).__name__, returns_dy(layer, row.shape)) for layer, row in leaves}
    assert {name for name, saved in found if saved} == SAVES_IT
    assert not {name for name, saved in found if not saved} & SAVES_IT


def test_the_gradient_is_computed_unless_it_is_declined():
    for layer in {type(row.make()) for row in ROWS.values()}:
        declined = signature(layer.backward).parameters["input_gradient"]
        assert (declined.default, declined.kind) == (True, declined.KEYWORD_ONLY)
