"""Layers made of layers: values go forward, gradients come back, names follow the structure."""

import numpy as np
import pytest

from pellucid import layers as nn
from pellucid.errors import PellucidError, ShapeError
from pellucid.testing.gradients import check_gradients
from spies import Logged, gradients


def linear(inputs=4, outputs=4):
    return nn.Linear(inputs, outputs)


@pytest.fixture
def x():
    return np.random.default_rng(0).normal(size=(5, 4))


# Sequential


def test_sequential_is_composition(x):
    first, second = linear(), linear(4, 3)
    assert np.array_equal(nn.Sequential(first, nn.Tanh(), second)(x), second(np.tanh(first(x))))


def test_an_empty_sequential_is_the_identity(x):
    model = nn.Sequential()
    assert np.array_equal(model(x), x)
    check_gradients(model, x)
    assert model.output_shape((5, 4)) == (5, 4)


def test_layers_are_found_by_position_and_by_name():
    first, second = linear(), linear()
    model = nn.Sequential(first, fc=second)
    assert model[0] is first
    assert model["0"] is first
    assert model[1] is model["fc"] is model[-1] is second
    assert len(model) == 2


def test_layers_can_be_given_in_order_by_name_and_in_mappings():
    model = nn.Sequential(nn.ReLU(), {"a": nn.ReLU(), "b": nn.ReLU()}, nn.ReLU(), c=nn.ReLU())
    assert list(model.layers) == ["0", "a", "b", "2", "c"]


def test_names_must_be_there_once_and_without_dots():
    with pytest.raises(PellucidError, match="two layers have the name '0'"):
        nn.Sequential(linear(), {"0": linear()})
    with pytest.raises(PellucidError, match="two layers have the name 'a'"):
        nn.Sequential({"a": linear()}, a=linear())
    with pytest.raises(PellucidError, match=r"'a\.b' has a dot"):
        nn.Sequential({"a.b": linear()})


def test_what_is_no_layer_is_refused_by_name():
    with pytest.raises(PellucidError, match="'act' must be a layer, not <ufunc 'tanh'>"):
        nn.Sequential(act=np.tanh)
    with pytest.raises(PellucidError, match="'0' must be a layer"):
        nn.Sequential([linear()])
    with pytest.raises(PellucidError, match="'a' must be a layer"):
        nn.Graph({"a": (nn.ReLU, "x")})


def test_nobody_computes_a_gradient_before_the_first_layer_that_learns(x):
    first, second, third = Logged(4, 4), Logged(4, 4), Logged(4, 2)
    model = nn.Sequential(nn.Tanh(), nn.Sequential(first), second, nn.Tanh(), third)
    _, expected = gradients(model.astype("float64"), x)
    _, found = gradients(model, x, input_gradient=False)
    assert found.keys() == expected.keys()
    assert all(np.array_equal(found[name], expected[name]) for name in expected)
    assert first.log == ["with dx", "without dx"]
    assert second.log == third.log == ["with dx", "with dx"]


def test_an_error_says_in_which_layer():
    model = nn.Sequential(body=nn.Sequential(nn.Tanh(), fc=linear(3, 2)))
    with pytest.raises(ShapeError, match=r"body \(Sequential\): fc \(Linear\): .* got \(5, 4\)"):
        model.output_shape((5, 4))


# Residual


def test_residual_adds_what_goes_around(x):
    body, shortcut = linear(4, 3), linear(4, 3)
    np.testing.assert_allclose(nn.Residual(linear())(x), nn.Residual(linear()).body(x) + x)
    np.testing.assert_allclose(nn.Residual(body, shortcut)(x), body(x) + shortcut(x))
    activated = nn.Residual(body, shortcut, nn.Tanh())
    np.testing.assert_allclose(activated(x), np.tanh(body(x) + shortcut(x)))
    check_gradients(nn.Residual(linear()).astype("float64"), x)
    check_gradients(activated.astype("float64"), x)


def test_residual_names_are_torchvisions():
    body = nn.Sequential(conv1=linear(4, 3), relu=nn.ReLU(), conv2=linear(3, 3))
    block = nn.Residual(body, nn.Sequential(linear(4, 3)), nn.PReLU())
    model = nn.Sequential(layer1=nn.Sequential(block))
    assert list(model.named_parameters()) == [
        "layer1.0.conv1.weight",
        "layer1.0.conv1.bias",
        "layer1.0.conv2.weight",
        "layer1.0.conv2.bias",
        "layer1.0.downsample.0.weight",
        "layer1.0.downsample.0.bias",
        "layer1.0.activation.weight",
    ]


def test_a_body_that_changes_the_shape_asks_for_a_shortcut(x):
    block = nn.Residual(linear(4, 3))
    for action in (lambda: block(x), lambda: block.output_shape(x.shape)):
        with pytest.raises(
            ShapeError, match=r"body's output of shape \(5, 3\).*give it a shortcut"
        ):
            action()


def test_a_residual_first_in_a_network_leaves_out_both_input_gradients(x):
    body, shortcut = Logged(4, 3), Logged(4, 3)
    block = nn.Residual(body, shortcut, nn.Tanh()).astype("float64")
    _, expected = gradients(block, x)
    _, found = gradients(nn.Sequential(block), x, input_gradient=False)
    for a, b in zip(expected.values(), found.values(), strict=True):
        assert np.array_equal(a, b)
    assert body.log == shortcut.log == ["with dx", "without dx"]


# Concat


def test_concat_joins_along_the_channels():
    x = np.random.default_rng(0).normal(size=(2, 3, 4, 5))
    branches = nn.Concat(nn.Identity(), nn.GroupNorm(1, 3), nn.Tanh()).astype("float64")
    middle = branches.branches["1"](x)
    assert np.array_equal(branches(x), np.concatenate([x, middle, np.tanh(x)], axis=1))
    check_gradients(branches, x)


def test_concat_cuts_the_gradient_where_it_joined(x):
    branches = nn.Concat(linear(4, 1), linear(4, 2), linear(4, 3)).astype("float64")
    check_gradients(branches, x)


def test_concat_keeps_images_batch_last():
    x = np.zeros((3, 4, 5, 2)).transpose(3, 0, 1, 2)
    y = nn.Concat(nn.Identity(), nn.Tanh())(x)
    assert y.transpose(1, 2, 3, 0).flags.c_contiguous


def test_branches_must_agree_in_everything_but_the_channels(x):
    branches = nn.Concat(nn.Flatten(), nn.Identity())
    for action in (lambda: branches(x[..., None]), lambda: branches.output_shape((5, 4, 1))):
        with pytest.raises(ShapeError, match="cannot join shapes"):
            action()
    with pytest.raises(ShapeError, match="at least one branch"):
        nn.Concat()


def test_a_branch_without_a_name_lends_those_of_its_layers():
    model = nn.Concat({"": nn.Sequential(fc=linear())}, other=linear())
    assert list(model.named_parameters()) == ["fc.weight", "fc.bias", "other.weight", "other.bias"]


# The unnamed child


def test_borrowed_names_must_not_meet_others():
    body = nn.Sequential(downsample=linear())
    with pytest.raises(PellucidError, match=r"two values have the name 'downsample\.weight'"):
        nn.Residual(body, shortcut=linear())
    with pytest.raises(PellucidError, match=r"two values have the name 'fc\.weight'"):
        nn.Sequential({"": nn.Sequential(fc=linear()), "fc": linear()})


# Add, Multiply, Cat


def test_multiply_sums_the_gradient_over_what_was_broadcast():
    generator = np.random.default_rng(0)
    gates, values = generator.normal(size=(2, 3, 1, 1)), generator.normal(size=(2, 3, 4, 5))
    y, cache = nn.Multiply().forward((values, gates))
    assert np.array_equal(y, values * gates)
    d_values, d_gates = nn.Multiply().backward(np.ones_like(y), cache)
    np.testing.assert_allclose(d_gates, values.sum(axis=(2, 3), keepdims=True))
    np.testing.assert_allclose(d_values, np.broadcast_to(gates, values.shape))


@pytest.mark.parametrize("axis", [0, 1, 2, -1, -2, -3])
def test_cat_joins_along_any_axis(axis):
    parts = [np.random.default_rng(i).normal(size=(2, 3, 4)) for i in range(2)]
    sizes = list(parts[0].shape)
    sizes[axis] = 5
    parts.append(np.ones(sizes))
    layer = nn.Cat(axis)
    y, cache = layer.forward(tuple(parts))
    assert np.array_equal(y, np.concatenate(parts, axis))
    assert layer.output_shape(tuple(part.shape for part in parts)) == y.shape
    for part, gradient in zip(parts, layer.backward(y, cache), strict=True):
        assert np.array_equal(part, gradient)


@pytest.mark.parametrize(
    ("layer", "shapes"),
    [
        (nn.Add(), ((2, 3), (2, 1))),
        (nn.Multiply(), ((2, 3), (2, 2))),
        (nn.Multiply(), ((2, 3), (3,))),
        (nn.Cat(1), ((2, 3), (3, 3))),
        (nn.Cat(2), ((2, 3), (2, 3))),
        (nn.Cat(-3), ((2, 3), (2, 3))),
        (nn.Cat(1), ((2, 3), (2, 3, 1))),
    ],
)
def test_shapes_that_do_not_fit_together_are_refused(layer, shapes):
    for action in (
        lambda: layer.output_shape(shapes),
        lambda: layer(tuple(np.ones(shape) for shape in shapes)),
    ):
        with pytest.raises(ShapeError):
            action()


# Registry and observation


def test_a_layer_of_your_own_cannot_take_the_name_of_another():
    with pytest.raises(PellucidError, match="a layer named Linear exists already"):
        type("Linear", (nn.Identity,), {"__module__": "somewhere.else"})
    assert nn.build({"type": "Linear", "in_features": 1, "out_features": 1})


def test_observers_see_every_layer_inside_forward_and_backward(x):
    model = nn.Sequential(
        nn.Residual(linear(), activation=nn.Tanh()),
        nn.Concat(nn.Identity(), linear()),
        nn.Graph({"a": (nn.Linear(8, 4), "x"), "sum": (nn.Add(), ("a", "a"))}),
    ).astype("float64")
    inside = [layer for path, layer in model.walk() if path]
    forward, backward = [], []
    with nn.observe(
        forward=lambda layer, x, y: forward.append(layer),
        backward=lambda layer, dy, dx: backward.append(layer),
    ):
        gradients(model, x)
    assert set(map(id, forward)) == set(map(id, backward)) == set(map(id, inside))
    gradients(model, x)
    assert len(forward) == len(backward) == len(inside)
