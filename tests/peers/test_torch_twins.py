"""The same network in PyTorch: built from ours, and read from theirs."""

import copy
import io
import sys

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn as tnn

import pellucid as pl
from layer_table import ROWS
from pellucid import layers as nn
from pellucid import models
from pellucid.errors import FileError, MissingExtraError, PellucidError
from pellucid.interchange.safetensors import read_tensors, write_tensors
from pellucid.interchange.torch import from_torch, to_torch
from pellucid.layers.base import registry
from twins import outputs_and_gradients, several
from unwritten import unwritten_model

RANDOM = ("Dropout", "Dropout2d")
"""What draws numbers in training, each framework its own."""

NARROW = ("alexnet", "resnet18", "resnet50", "vgg11_bn", "vgg16_bn")
"""Large models, which are built with an eighth of their channels."""


def varied(model, dtype="float64", seed=0):
    """Give every value of the model a value of its own, as training would."""
    rng = np.random.default_rng(seed)
    pl.initialize(model, seed).astype(dtype)
    for name, item in model.named_state():
        if name.endswith("running_var"):
            item.value = rng.uniform(0.5, 2, item.shape)
        elif len(item.shape) == 1:
            item.value = item.value + rng.uniform(-0.2, 0.2, item.shape)
    return model


def assert_equal_networks(ours, theirs, inputs, training=True, tolerance=1e-11):
    """From the same state, outputs, gradients and buffers agree; names and values are the same."""
    theirs.train(training)
    assert list(theirs.state_dict()) == list(ours.state_dict())
    for name, value in ours.state_dict().items():
        assert np.array_equal(value, theirs.state_dict()[name].numpy())

    y, dy, dx, gradients = outputs_and_gradients(ours, inputs, training)
    tensors = [torch.tensor(x, requires_grad=True) for x in inputs]
    found = several(theirs(*tensors))
    pairs = [(y, torch.tensor(d)) for y, d in zip(found, dy, strict=True) if y.requires_grad]
    if pairs:  # of a choice there is no gradient in PyTorch, and here it is 0
        torch.autograd.backward(*map(list, zip(*pairs, strict=True)))

    def same(name, own, other):
        assert own.shape == other.shape, name
        scale = max(abs(own).max(initial=0), 1)
        np.testing.assert_allclose(other, own, rtol=0, atol=tolerance * scale, err_msg=name)

    for own, other in zip(y, found, strict=True):
        same("output", own, other.detach().numpy())
    for own, tensor in zip(dx, tensors, strict=True):
        gradient = torch.zeros_like(tensor) if tensor.grad is None else tensor.grad
        same("input gradient", own, gradient.numpy())
    for name, parameter in theirs.named_parameters():
        same(name, gradients[name], parameter.grad.numpy())
    for name, value in theirs.state_dict().items():
        same(name, ours.state_dict()[name], value.numpy())


@pytest.mark.parametrize("name", ROWS)
def test_every_layer_and_its_twin_agree_both_ways(name) -> None:
    row = ROWS[name]
    rng = np.random.default_rng(1)
    inputs = row.drawn(rng)
    ours = varied(row.make())
    theirs = to_torch(ours)
    again = from_torch(theirs)
    training = name.split(",")[0] not in RANDOM
    tolerance = 1e-7 if name == "HardSigmoid" else 1e-11  # PyTorch's derivative is a float32 1/6
    assert_equal_networks(ours, theirs, inputs, training, tolerance)
    assert_equal_networks(again, to_torch(again), inputs, training, tolerance)
    x = inputs if len(inputs) > 1 else inputs[0]
    for one, two in zip(several(ours(x)), several(again(x)), strict=True):
        np.testing.assert_allclose(two, one, rtol=1e-12, atol=1e-12)


def test_every_layer_has_a_twin() -> None:
    own = {name for name, layer in registry.items() if layer.__module__.startswith("pellucid.")}
    tried = {type(layer).__name__ for row in ROWS.values() for _, layer in row.make().walk()}
    assert own == tried  # the test above tries what the table has


@pytest.mark.parametrize(
    ("make", "kind"),
    [
        (lambda: nn.Conv2d(3, 4, 3, stride=2, padding=1, padding_mode="circular"), tnn.Conv2d),
        (lambda: nn.Conv2d(3, 4, (3, 2), padding="same"), tnn.Conv2d),
        (lambda: nn.GlobalAvgPool2d(), tnn.AdaptiveAvgPool2d),
        (lambda: nn.Pad2d(2, "reflect"), tnn.ReflectionPad2d),
        (lambda: nn.ThresholdedReLU(0.5), tnn.Threshold),
        (lambda: nn.Upsample(scale_factor=2, mode="bilinear"), tnn.Upsample),
        (lambda: nn.Sequential(nn.ReLU()), tnn.Sequential),
    ],
)
def test_what_torch_has_becomes_a_layer_of_torch(make, kind) -> None:
    assert type(to_torch(make())) is kind


@pytest.mark.parametrize(
    ("make", "shape"),
    [
        (lambda: nn.Conv2d(2, 3, 3, padding=1, flip_kernel=True), (2, 2, 5, 6)),
        (lambda: nn.Conv2d(2, 3, 4, stride=3, padding="same", bias=False), (2, 2, 5, 6)),
        (
            lambda: nn.Conv2d(2, 3, 3, 1, ((2, 0), (1, 2)), padding_mode="reflect"),
            (2, 2, 5, 6),
        ),
        (lambda: nn.ConvTranspose2d(2, 3, 3, 2, ((1, 0), (0, 2)), flip_kernel=True), (2, 2, 5, 6)),
        (lambda: nn.MaxPool2d(3, stride=2, padding="same"), (2, 2, 6, 7)),
        (lambda: nn.MaxPool2d(3, stride=2, padding=((1, 0), (0, 1)), ceil_mode=True), (2, 2, 6, 7)),
        (lambda: nn.AvgPool2d(3, stride=2, padding=((1, 0), (0, 1)), ceil_mode=True), (2, 2, 6, 7)),
        (lambda: nn.AvgPool2d(3, padding="same", count_include_pad=False), (2, 2, 6, 7)),
        (lambda: nn.HardSigmoid(0.2, 0.4), (3, 7)),
        (lambda: nn.Clip(low=0.5), (3, 7)),
    ],
)
def test_options_that_torch_has_not_are_kept(make, shape) -> None:
    x = np.random.default_rng(0).normal(size=shape)
    ours = varied(make())
    assert_equal_networks(ours, to_torch(ours), [x])
    again = from_torch(to_torch(ours))
    assert again.describe() == ours.describe()
    np.testing.assert_array_equal(again(x), ours(x))


# Whole models


def built(name):
    shape = (1, 28, 28) if name in ("lenet5", "mlp") else (3, 32, 32)
    shape = (3, 64, 64) if name == "alexnet" else shape
    options = {"width": 0.125} if name in NARROW else {}
    return varied(models.build(name, shape, 10, **options), "float32"), shape


def without_initializers(description):
    """Return a description without what a PyTorch module does not know."""
    match description:
        case dict():
            kept = {k: v for k, v in description.items() if k != "initializer"}
            return {key: without_initializers(value) for key, value in kept.items()}
        case list():
            return [without_initializers(each) for each in description]
    return description


@pytest.mark.parametrize("name", models.names())
def test_every_model_goes_to_torch_and_back(name) -> None:
    ours, shape = built(name)
    theirs = to_torch(ours)
    again = from_torch(theirs)
    x = np.random.default_rng(1).normal(size=(2, *shape)).astype(np.float32)
    expected = ours(x)
    difference = abs(theirs(torch.tensor(x)).detach().numpy() - expected).max()
    print(f"{name}: largest difference {difference / abs(expected).max():.1e} of the largest score")
    assert difference < 5e-6 * abs(expected).max()
    assert without_initializers(again.describe()) == without_initializers(ours.describe())
    state = ours.state_dict()
    assert list(theirs.state_dict()) == list(again.state_dict()) == list(state)
    assert all(np.array_equal(value, state[key]) for key, value in again.state_dict().items())


def test_a_twin_is_copied_saved_and_converted_as_any_module(tmp_path) -> None:
    ours = varied(models.densenet((3, 8, 8), 4, blocks=(2, 2)), "float32")
    x = torch.randn(2, 3, 8, 8)
    theirs = to_torch(ours)
    copied = copy.deepcopy(theirs).double()
    np.testing.assert_allclose(copied(x.double()).detach(), theirs(x).detach(), atol=1e-5)
    assert theirs(x).dtype == torch.float32
    file = io.BytesIO()
    torch.save(theirs, file)
    file.seek(0)
    assert torch.equal(torch.load(file, weights_only=False)(x), theirs(x))


def test_a_module_that_lends_its_names_follows_its_parents_mode() -> None:
    ours = nn.Residual(nn.BatchNorm2d(3))
    theirs = to_torch(ours)
    assert list(theirs.state_dict()) == list(ours.state_dict())
    x = torch.randn(4, 3, 2, 2)
    before = theirs(x)
    theirs.train()(x)
    assert theirs.running_mean.abs().sum() > 0
    assert not torch.equal(theirs.eval()(x), before)
    assert theirs.double()(x.double()).dtype == torch.float64


def test_a_twin_shares_no_memory_with_ours() -> None:
    ours = varied(nn.Sequential(fc=nn.Linear(2, 2)))
    theirs = to_torch(ours)
    again = from_torch(theirs)
    with torch.no_grad():
        theirs.fc.weight.zero_()
    assert np.all(ours["fc"].weight.value != 0)
    assert np.all(again["fc"].weight.value != 0)


def test_building_a_twin_draws_no_random_numbers() -> None:
    state = torch.get_rng_state()
    to_torch(nn.Sequential(nn.Conv2d(1, 2, 3), nn.Linear(3, 2)))
    assert torch.equal(torch.get_rng_state(), state)


def test_a_layer_used_twice_is_one_module_and_one_layer_again() -> None:
    layer = nn.Linear(3, 3)
    ours = varied(nn.Sequential(layer, nn.Tanh(), layer))
    theirs = to_torch(ours)
    assert theirs[0] is theirs[2]
    again = from_torch(theirs)
    assert again[0] is again[2]


LAYERS = st.one_of(
    st.builds(
        lambda k, s, p, bias, mode: ("Conv2d", (k, s, p, bias, mode)),
        st.tuples(st.integers(1, 3), st.integers(1, 3)),
        st.integers(1, 2),
        st.sampled_from([0, 1, (1, 0), ((1, 0), (0, 1)), "same"]),
        st.booleans(),
        st.sampled_from(["zeros", "replicate"]),
    ),
    st.builds(
        lambda k, s, p, ceil: ("MaxPool2d", (k, s, p, ceil)),
        st.just(2),
        st.integers(1, 2),
        st.sampled_from([0, 1, "same"]),
        st.booleans(),
    ),
    st.sampled_from([("ReLU", ()), ("BatchNorm2d", ()), ("Tanh", ()), ("GroupNorm", ())]),
)


def sequential(plan):
    """Return the layers of a plan one after the other, on images of three channels."""
    made = []
    for kind, options in plan:
        if kind == "Conv2d":
            k, s, p, bias, mode = options
            made.append(nn.Conv2d(3, 3, k, stride=s, padding=p, bias=bias, padding_mode=mode))
        elif kind == "MaxPool2d":
            k, s, p, ceil = options
            made.append(nn.MaxPool2d(k, s, p, ceil_mode=ceil))
        else:
            arguments = {"BatchNorm2d": (3,), "GroupNorm": (3, 3)}.get(kind, ())
            made.append(getattr(nn, kind)(*arguments))
    return nn.Sequential(*made)


@pytest.mark.filterwarnings("ignore:Using padding='same' with even kernel")  # it is only slower
@settings(max_examples=60, deadline=None)
@given(st.lists(LAYERS, min_size=1, max_size=4), st.integers(0, 1000))
def test_any_sequential_goes_to_torch_and_back(plan, seed) -> None:
    ours = varied(sequential(plan), seed=seed)
    x = np.random.default_rng(seed).normal(size=(2, 3, 33, 34))  # four halvings leave a pixel
    theirs = to_torch(ours)
    again = from_torch(theirs)
    np.testing.assert_allclose(
        theirs(torch.tensor(x)).detach().numpy(), ours(x), rtol=1e-9, atol=1e-9
    )
    np.testing.assert_allclose(again(x), ours(x), rtol=1e-12, atol=1e-12)
    assert list(again.state_dict()) == list(theirs.state_dict()) == list(ours.state_dict())


# Files


def test_weights_pass_through_safetensors_in_both_directions(tmp_path) -> None:
    from safetensors.torch import load_file, save_file

    ours = varied(models.resnet20((3, 16, 16), 4), "float32")
    theirs = to_torch(ours)
    write_tensors(ours.state_dict(), tmp_path / "ours.safetensors")
    loaded = load_file(tmp_path / "ours.safetensors")
    assert {k: tuple(v.shape) for k, v in loaded.items()} == {
        k: v.shape for k, v in ours.state_dict().items()
    }
    theirs.load_state_dict(loaded)

    save_file(theirs.state_dict(), tmp_path / "theirs.safetensors")
    fresh = models.resnet20((3, 16, 16), 4)
    fresh.load_state_dict(read_tensors(tmp_path / "theirs.safetensors"))
    state = ours.state_dict()
    assert all(np.array_equal(value, state[key]) for key, value in fresh.state_dict().items())


def test_keys_that_do_not_fit_are_all_named(tmp_path) -> None:
    from safetensors.torch import save_file

    save_file({"fc.weight": torch.zeros(2, 3), "head.bias": torch.zeros(2)}, tmp_path / "w")
    with pytest.raises(FileError, match=r"missing: fc\.bias; unknown: head\.bias"):
        nn.Sequential(fc=nn.Linear(3, 2)).load_state_dict(read_tensors(tmp_path / "w"))


# Errors


def test_layers_without_a_twin_are_all_named() -> None:
    with pytest.raises(PellucidError, match=r"a \(Unwritten\), c\.0 \(Unwritten\)"):
        to_torch(unwritten_model())


def test_a_name_that_torch_cannot_give_is_told() -> None:
    with pytest.raises(PellucidError, match="cannot be named 'forward'"):
        to_torch(nn.Sequential(forward=nn.ReLU()))


def test_without_torch_the_error_says_what_to_install(monkeypatch) -> None:
    monkeypatch.setitem(sys.modules, "torch", None)
    for ask in (lambda: to_torch(nn.ReLU()), lambda: from_torch(tnn.ReLU())):
        with pytest.raises(MissingExtraError, match=r"pip install .*\[torch\]"):
            ask()


def test_a_model_that_was_never_used_is_written_with_the_weights_that_it_draws():
    def network():
        return nn.Sequential(a=nn.Conv2d(1, 2, 3), b=nn.Sequential(c=nn.Conv2d(2, 2, 3)))

    right = nn.initialize(network(), seed=0).state_dict()
    for name, value in to_torch(network()).state_dict().items():
        np.testing.assert_array_equal(value, right[name])
