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
from torch.nn import functional

import pellucid as pl
from layer_table import ROWS
from pellucid import layers as nn
from pellucid import models
from pellucid.errors import FileError, MissingExtraError, PellucidError
from pellucid.interchange.safetensors import read_tensors, write_tensors
from pellucid.interchange.torch import from_torch, to_torch
from pellucid.layers.base import registry
from torchvision_models import models as torchvision

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


def several(x):
    return x if isinstance(x, tuple) else (x,)


def outputs_and_gradients(model, inputs, training):
    """Return our outputs, and the gradients for the inputs and for every parameter."""
    x = inputs if len(inputs) > 1 else inputs[0]
    step = nn.Training() if training else None
    y, cache = model.forward(x, step)
    dy = tuple(np.cos(np.arange(part.size)).reshape(part.shape) for part in several(y))
    dx = model.backward(dy if isinstance(y, tuple) else dy[0], cache)
    if step is not None:
        step.commit()
    gradients = {name: item.grad for name, item in model.named_parameters().items()}
    return several(y), dy, several(dx), gradients


def assert_equal_networks(ours, theirs, inputs, training=True, tolerance=1e-11):
    """From the same state, outputs, gradients and buffers agree; names and values are the same."""
    theirs.train(training)
    assert list(theirs.state_dict()) == list(ours.state_dict())
    for name, value in ours.state_dict().items():
        assert np.array_equal(value, theirs.state_dict()[name].numpy())

    y, dy, dx, gradients = outputs_and_gradients(ours, inputs, training)
    tensors = [torch.tensor(x, requires_grad=True) for x in inputs]
    found = several(theirs(*tensors))
    torch.autograd.backward(found, list(map(torch.tensor, dy)))

    def same(name, own, other):
        assert own.shape == other.shape, name
        scale = max(abs(own).max(initial=0), 1)
        np.testing.assert_allclose(other, own, rtol=0, atol=tolerance * scale, err_msg=name)

    for own, other in zip(y, found, strict=True):
        same("output", own, other.detach().numpy())
    for own, tensor in zip(dx, tensors, strict=True):
        same("input gradient", own, tensor.grad.numpy())
    for name, parameter in theirs.named_parameters():
        same(name, gradients[name], parameter.grad.numpy())
    for name, value in theirs.state_dict().items():
        same(name, ours.state_dict()[name], value.numpy())


@pytest.mark.parametrize("name", ROWS)
def test_every_layer_and_its_twin_agree_both_ways(name) -> None:
    row = ROWS[name]
    rng = np.random.default_rng(1)
    shapes = row.shape if isinstance(row.shape[0], tuple) else (row.shape,)
    inputs = [rng.uniform(-row.reach, row.reach, shape) for shape in shapes]
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
    assert again.describe() == ours.describe()
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


# Networks from elsewhere


def narrow_head(network, features):
    network.classifier = tnn.Sequential(
        tnn.Linear(features, 16), tnn.ReLU(True), tnn.Dropout(), tnn.Linear(16, 10)
    )
    return network


TORCHVISION = {
    "resnet18": lambda: torchvision.resnet18(num_classes=10),
    "vgg11_bn": lambda: narrow_head(torchvision.vgg11_bn(), 512 * 7 * 7),
    "alexnet": lambda: narrow_head(torchvision.alexnet(), 256 * 6 * 6),
    "mobilenet_v2": lambda: torchvision.mobilenet_v2(num_classes=10),
    "mobilenet_v3_small": lambda: torchvision.mobilenet_v3_small(num_classes=10),
    "googlenet": lambda: torchvision.googlenet(aux_logits=False, init_weights=False),
    "squeezenet1_1": lambda: torchvision.squeezenet1_1(num_classes=10),
    "densenet121": lambda: torchvision.densenet121(num_classes=10),
    "shufflenet_v2_x0_5": lambda: torchvision.shufflenet_v2_x0_5(num_classes=10),
    "mnasnet0_5": lambda: torchvision.mnasnet0_5(num_classes=10),
    "regnet_x_400mf": lambda: torchvision.regnet_x_400mf(num_classes=10),
}


@pytest.mark.parametrize("name", TORCHVISION)
def test_networks_of_torchvision_are_read(name) -> None:
    torch.manual_seed(0)
    theirs = TORCHVISION[name]().double().eval()
    for module in theirs.modules():
        if isinstance(module, tnn.BatchNorm2d):
            tnn.init.uniform_(module.running_var, 0.5, 1.5)
            tnn.init.normal_(module.bias)
    ours = from_torch(theirs, (3, 64, 64))
    images = np.random.default_rng(0).normal(size=(2, 3, 64, 64))
    expected = theirs(torch.tensor(images)).detach().numpy()
    difference = abs(ours(images) - expected).max() / abs(expected).max()
    print(f"{name}: largest difference {difference:.1e} of the largest score")
    assert difference < 1e-11
    if name != "densenet121":  # its blocks pass lists, so its layers' names have other separators
        assert ours.state_dict().keys() == theirs.state_dict().keys()
    state = sorted(theirs.state_dict().values(), key=lambda v: (v.numel(), v.double().sum()))
    own = sorted(ours.state_dict().values(), key=lambda v: (v.size, v.sum()))
    assert all(np.array_equal(a, b) for a, b in zip(own, state, strict=True) if a.ndim > 1)


def test_a_training_step_of_a_read_network_is_torchs() -> None:
    torch.manual_seed(0)
    theirs = torchvision.resnet18(num_classes=5).double()
    ours = from_torch(theirs, (3, 32, 32))
    theirs.load_state_dict({k: torch.tensor(v) for k, v in ours.state_dict().items()})
    x = np.random.default_rng(0).normal(size=(4, 3, 32, 32))
    _, dy, dx, gradients = outputs_and_gradients(ours, [x], training=True)
    tensor = torch.tensor(x, requires_grad=True)
    theirs.train()(tensor).backward(torch.tensor(dy[0]))
    np.testing.assert_allclose(dx[0], tensor.grad, rtol=1e-7, atol=1e-10)
    for name, parameter in theirs.named_parameters():
        np.testing.assert_allclose(gradients[name], parameter.grad, rtol=1e-7, atol=1e-9)


@pytest.mark.parametrize("name", ["resnet18", "vgg11_bn", "mobilenet_v2", "alexnet", "resnet50"])
def test_torchvisions_state_dict_loads_as_it_is(name) -> None:
    with torch.device("meta"):
        theirs = getattr(torchvision, name)().state_dict()
    ours = models.build(name, (3, 224, 224), 1000)
    assert [(k, v.shape) for k, v in ours.named_state()] == [
        (k, tuple(v.shape)) for k, v in theirs.items()
    ]


class Functions(tnn.Module):
    """A module that does what the function says."""

    def __init__(self, function) -> None:
        super().__init__()
        self.function = function
        torch.manual_seed(0)
        self.conv = tnn.Conv2d(4, 4, 3, padding=1)
        self.norm = tnn.BatchNorm2d(4)
        self.relu = tnn.ReLU(inplace=True)
        self.scale = tnn.Parameter(torch.randn(1, 4, 1, 1))
        self.weight = tnn.Parameter(torch.randn(5, 6))
        self.kernel = tnn.Parameter(torch.randn(6, 2, 3, 3))

    def forward(self, x):
        return self.function(self, x)


def channels_shuffled(m, x):
    n, c, h, w = x.size()
    return x.view(n, 2, c // 2, h, w).transpose(1, 2).contiguous().view(n, c, h, w)


def changed_in_place(m, x):
    y = m.conv(x)
    z = m.relu(y)
    return y + z


def changed_unseen(m, x):
    y = m.conv(x)
    y.relu_()
    return y * 2


FUNCTIONS = {
    "relu and add": lambda m, x: functional.relu(m.conv(x)) + x,
    "torch.relu, augmented": lambda m, x: torch.relu(m.conv(x) + 1) * 2 - 3,
    "arithmetic": lambda m, x: (3 - x) / 2 + 1 / (x**2 + 1) - (-x),
    "between values": lambda m, x: m.conv(x) / (1 + x.abs()) - x * m.norm(x),
    "broadcast": lambda m, x: x * torch.sigmoid(x.mean((2, 3), keepdim=True)) + x.mean(1, True),
    "activations": lambda m, x: functional.leaky_relu(functional.gelu(functional.silu(x)), 0.2),
    "more activations": lambda m, x: functional.hardtanh(functional.elu(x, alpha=0.5), -0.3, 0.6),
    "softmax": lambda m, x: functional.log_softmax(torch.softmax(x, dim=1), dim=-1),
    "pools": lambda m, x: functional.avg_pool2d(functional.max_pool2d(x, 3, stride=1), (2, 3), 1),
    "adaptive": lambda m, x: torch.flatten(functional.adaptive_avg_pool2d(x, (3, 2)), 1),
    "view": lambda m, x: x.view(x.size(0), -1),
    "reshape": lambda m, x: x.reshape(x.shape[0], 2, -1, x.shape[3]),
    "flatten": lambda m, x: x.flatten(2),
    "shuffle": channels_shuffled,
    "chunk and cat": lambda m, x: torch.cat(x.chunk(2, dim=1)[::-1], 1),
    "split": lambda m, x: torch.cat([x.split([1, 3], 1)[1], x.split(2, 1)[0]], dim=1),
    "slices": lambda m, x: x[:, 1:3, ::2, -3:],
    "one channel": lambda m, x: x[:, 1],
    "ellipsis": lambda m, x: x[..., 1:],
    "squeeze": lambda m, x: x.mean(3, keepdim=True).squeeze(3).unsqueeze(1),
    "stack": lambda m, x: torch.stack([x, m.conv(x)], dim=2),
    "permute": lambda m, x: x.permute(0, 2, 3, 1),
    "pad": lambda m, x: functional.pad(functional.pad(x, (1, 0)), (0, 1, 2, 1), mode="replicate"),
    "pad channels": lambda m, x: functional.pad(x, (0, 0, 0, 0, 2, 1), value=0.5),
    "interpolate": lambda m, x: functional.interpolate(x, scale_factor=2, mode="bilinear"),
    "interpolate to": lambda m, x: functional.interpolate(x, size=[3, 9]),
    "learned values": lambda m, x: m.scale * x + m.scale,
    "linear": lambda m, x: functional.linear(x, m.weight),
    "conv2d": lambda m, x: functional.conv2d(x, m.kernel, padding=1, groups=2),
    "layer norm": lambda m, x: functional.layer_norm(x, (5, 6)),
    "sums and maxima": lambda m, x: x.sum(2) + x.amax(3).mean(2, keepdim=True),
    "matmul": lambda m, x: torch.matmul(x, x.transpose(2, 3)),
    "clamp": lambda m, x: x.clamp(min=-0.5) + x.clamp(-1, 1) + torch.clamp(x, max=0.2),
    "square roots": lambda m, x: (x.square() + 0.1).sqrt() + torch.exp(x),
    "dropout": lambda m, x: functional.dropout(m.conv(x), 0.3, training=m.training),
    "a layer twice": lambda m, x: m.conv(functional.relu(m.conv(x))),
    "in place, seen": changed_in_place,
    "in place, unseen": changed_unseen,
    "in place, a function": lambda m, x: functional.relu(m.conv(x), inplace=True),
    "nothing": lambda m, x: x,
}


@pytest.mark.parametrize("name", FUNCTIONS)
def test_functions_and_methods_are_read(name) -> None:
    theirs = Functions(FUNCTIONS[name]).double().eval()
    ours = from_torch(theirs, (4, 5, 6))
    x = np.random.default_rng(0).normal(size=(3, 4, 5, 6))
    np.testing.assert_allclose(ours(x), theirs(torch.tensor(x)).detach(), rtol=1e-10, atol=1e-12)
    assert ours.output_shape(x.shape) == ours(x).shape


def test_one_block_after_the_other_is_a_sequential_with_the_modules_names() -> None:
    class Net(tnn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.conv = tnn.Conv2d(1, 2, 3)
            self.fc = tnn.Linear(18, 3)

        def forward(self, x):
            x = functional.relu(self.conv(x))
            return self.fc(torch.flatten(x, 1))

    ours = from_torch(Net())
    assert isinstance(ours, nn.Sequential)
    assert list(ours.layers) == ["conv", "relu", "flatten", "fc"]
    assert ours.output_shape((2, 1, 5, 5)) == (2, 3)


def test_arguments_with_defaults_have_them() -> None:
    class Net(tnn.Module):
        def forward(self, x, twice=True, mask=None):
            x = x * 2 if twice else x
            return x if mask is None else x * mask

    np.testing.assert_array_equal(from_torch(Net())(np.ones((1, 2))), [[2, 2]])


def test_a_module_may_take_several_values_and_give_several() -> None:
    class Inner(tnn.Module):
        def forward(self, a, b):
            return a + b, a * b

    class Net(tnn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.inner = Inner()

        def forward(self, a, b):
            total, product = self.inner(a, b)
            return torch.cat([total, product], 1), total

    a, b = np.full((1, 2), 3.0), np.full((1, 2), 4.0)
    both, total = from_torch(Net())((a, b))
    np.testing.assert_array_equal(both, [[7, 7, 12, 12]])
    np.testing.assert_array_equal(total, [[7, 7]])


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


def test_all_that_cannot_be_read_is_named_at_once() -> None:
    class Block(tnn.Module):
        def forward(self, x):
            return torch.fft.fft(x)

    module = tnn.Sequential()
    module.add_module("encoder", tnn.LSTM(3, 3))
    module.add_module("block", Block())
    module.add_module("pool", tnn.MaxPool2d(2, return_indices=True))
    module.add_module("grow", tnn.Upsample(scale_factor=2, mode="bicubic"))
    with pytest.raises(PellucidError) as caught:
        from_torch(module)
    said = str(caught.value)
    for part in ("encoder (LSTM)", "block (Block)", "fft", "pool (MaxPool2d)", "grow (Upsample)"):
        assert part in said
    assert "bicubic" in said


@pytest.mark.parametrize(
    ("function", "said"),
    [
        (lambda m, x: x if x.sum() > 0 else -x, "torch.fx cannot trace it"),
        (lambda m, x: x.view(x.size(1), -1), "input_shape"),
        (lambda m, x: x.transpose(1, 2), "input_shape"),
        (lambda m, x: functional.max_pool2d(x, 2, return_indices=True)[0], "max_pool2d"),
        (lambda m, x: x * torch.ones(4, 1, 1), "would be learned here"),
        (lambda m, x: x[0], "takes the batch apart"),
        (lambda m, x: torch.cat([x, x]), "joins batches"),
        (lambda m, x: x.view(-1, x.size(0)), "only at the front"),
        (lambda m, x: {"scores": x}, "other than values"),
        (lambda m, x: functional.softplus(x, wrong=1), "wrong"),
    ],
)
def test_functions_that_cannot_be_read_say_why(function, said) -> None:
    with pytest.raises(PellucidError, match=said):
        from_torch(Functions(function))


def test_hooks_are_not_overlooked() -> None:
    module = tnn.ReLU()
    module.register_forward_hook(lambda *_: None)
    with pytest.raises(PellucidError, match="hooks"):
        from_torch(module)


def test_half_precision_is_refused_with_what_to_do() -> None:
    with pytest.raises(PellucidError, match=r"module\.float\(\)"):
        from_torch(tnn.Linear(2, 2).half())


class _Unwritten(nn.Layer):
    """A layer of a user's own, which no table knows."""

    def forward(self, x, training=None):
        return x, None

    def backward(self, dy, cache, *, input_gradient=True):
        return dy

    def output_shape(self, input_shape):
        return input_shape

    def describe(self):
        return {"type": "_Unwritten"}


def test_layers_without_a_twin_are_all_named() -> None:
    model = nn.Sequential(a=_Unwritten(), b=nn.ReLU(), c=nn.Sequential(_Unwritten()))
    with pytest.raises(PellucidError, match=r"a \(_Unwritten\), c\.0 \(_Unwritten\)"):
        to_torch(model)


def test_a_name_that_torch_cannot_give_is_told() -> None:
    with pytest.raises(PellucidError, match="cannot call a module 'forward'"):
        to_torch(nn.Sequential(forward=nn.ReLU()))


def test_without_torch_the_error_says_what_to_install(monkeypatch) -> None:
    monkeypatch.setitem(sys.modules, "torch", None)
    for ask in (lambda: to_torch(nn.ReLU()), lambda: from_torch(tnn.ReLU())):
        with pytest.raises(MissingExtraError, match=r"pellucid\[torch\]"):
            ask()
