"""Networks written in PyTorch are read: torchvision's, functions and methods, what has no layer."""

import numpy as np
import pytest
import torch
from torch import nn as tnn
from torch.nn import functional

from pellucid import layers as nn
from pellucid import models
from pellucid.errors import PellucidError, ShapeError
from pellucid.interchange.torch import from_torch
from torchvision_models import models as torchvision
from twins import outputs_and_gradients


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


class PreActivation(tnn.Module):
    """A block that changes its input."""

    def __init__(self) -> None:
        super().__init__()
        self.relu = tnn.ReLU(inplace=True)
        self.conv = tnn.Conv2d(4, 4, 1)

    def forward(self, x):
        return self.conv(self.relu(x))


class Functions(tnn.Module):
    """A module that does what the function says."""

    def __init__(self, function) -> None:
        super().__init__()
        self.function = function
        torch.manual_seed(0)
        self.conv = tnn.Conv2d(4, 4, 3, padding=1)
        self.norm = tnn.BatchNorm2d(4)
        self.relu = tnn.ReLU(inplace=True)
        self.begins_in_place = tnn.Sequential(self.relu, tnn.Conv2d(4, 4, 1))
        self.block = PreActivation()
        self.scale = tnn.Parameter(torch.randn(1, 4, 1, 1))
        self.weight = tnn.Parameter(torch.randn(5, 6))
        self.kernel = tnn.Parameter(torch.randn(6, 2, 3, 3))
        self.gains = tnn.Parameter(torch.randn(4))

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


def added_in_place(m, x):
    same = y = m.conv(x)
    y += m.norm(x)
    return y * same


def all_operators_in_place(m, x):
    same = y = m.conv(x)
    y += 1
    y -= x
    y *= 2
    y /= 3
    return y + same


def methods_in_place(m, x):
    y = m.conv(x)
    y.sub_(1)
    y.clamp_(min=-0.5)
    y.div_(2)
    y.sigmoid_()
    torch.sigmoid_(y)
    return y * 2


def sequence_that_begins_in_place(m, x):
    y = m.conv(x)
    return m.begins_in_place(y) + y


def block_that_begins_in_place(m, x):
    y = m.conv(x)
    return m.block(y) + y


def one_half_changed(m, x):
    one, other = m.conv(x).chunk(2, 1)
    one.relu_()
    return torch.cat([other, one], 1)


def doubled_in_training(m, x):
    return m.conv(x) * 2 if m.training else m.conv(x)


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
    "permute to channels first": lambda m, x: x.permute(0, 3, 1, 2),
    "permute there and back": lambda m, x: m.conv(x.permute(0, 2, 3, 1).permute(0, 3, 1, 2)),
    "pad": lambda m, x: functional.pad(functional.pad(x, (1, 0)), (0, 1, 2, 1), mode="replicate"),
    "pad channels": lambda m, x: functional.pad(x, (0, 0, 0, 0, 2, 1), value=0.5),
    "interpolate": lambda m, x: functional.interpolate(x, scale_factor=2, mode="bilinear"),
    "interpolate, corners": lambda m, x: functional.interpolate(
        x, scale_factor=2, mode="bilinear", align_corners=True
    ),
    "pools, padding left out": lambda m, x: functional.avg_pool2d(
        x, 3, 2, 1, ceil_mode=True, count_include_pad=False
    ),
    "layer norm, epsilon": lambda m, x: functional.layer_norm(x, (5, 6), eps=0.7),
    "interpolate to": lambda m, x: functional.interpolate(x, size=[3, 9]),
    "learned values": lambda m, x: m.scale * x + m.gains.view(-1, 1, 1),
    "learned values, in another shape": lambda m, x: x + m.gains[:, None, None],
    "learned values, new axes": lambda m, x: x * m.gains.unsqueeze(-1).unsqueeze(-1),
    "learned values, for every image": lambda m, x: x + m.scale.expand(x.size(0), -1, -1, -1),
    "learned values, how many": lambda m, x: x * m.gains.numel() + m.scale.shape[1],
    "learned values, half of them": lambda m, x: functional.linear(x, m.weight.mul(2)[1:]),
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
    "in place, a function by position": lambda m, x: (
        lambda y: functional.leaky_relu(y, 0.1, True) + y
    )(m.conv(x)),
    "in place, a function of that name": lambda m, x: (lambda y: torch.relu_(y) + y)(m.conv(x)),
    "in place, added": added_in_place,
    "in place, operators": all_operators_in_place,
    "in place, methods": methods_in_place,
    "in place, at the begin of a sequence": sequence_that_begins_in_place,
    "in place, at the begin of a block": block_that_begins_in_place,
    "in place, under another shape": lambda m, x: m.conv(x).flatten(1).relu_(),
    "in place, a piece": one_half_changed,
    "nothing": lambda m, x: x,
}


@pytest.mark.parametrize("name", FUNCTIONS)
def test_functions_and_methods_are_read(name) -> None:
    theirs = Functions(FUNCTIONS[name]).double().eval()
    ours = from_torch(theirs, (4, 5, 6))
    x = np.random.default_rng(0).normal(size=(3, 4, 5, 6))
    with torch.no_grad():
        expected = theirs(torch.tensor(x))
    np.testing.assert_allclose(ours(x), expected, rtol=1e-10, atol=1e-12)
    assert ours.output_shape(x.shape) == ours(x).shape


def changed_through_a_view(m, x):
    y = m.conv(x)
    y.flatten(1).relu_()
    return y


def view_of_what_is_changed(m, x):
    y = m.conv(x)
    seen = y.flatten(1)
    y += 1
    return seen


def part_changed(m, x):
    y = m.conv(x)
    part = y[:, :2]
    part *= 2
    return y


@pytest.mark.parametrize(
    "function", [changed_through_a_view, view_of_what_is_changed, part_changed]
)
def test_values_that_share_changed_memory_are_refused(function) -> None:
    with pytest.raises(PellucidError, match="changes in place what is read under another shape"):
        from_torch(Functions(function), (4, 5, 6))


def test_a_module_is_read_as_it_predicts_and_keeps_its_mode() -> None:
    theirs = Functions(doubled_in_training).double().train()
    theirs.norm.eval()
    modes = [part.training for part in theirs.modules()]
    ours = from_torch(theirs, (4, 5, 6))
    assert [part.training for part in theirs.modules()] == modes
    x = np.random.default_rng(0).normal(size=(3, 4, 5, 6))
    np.testing.assert_allclose(ours(x), theirs.eval()(torch.tensor(x)).detach(), rtol=1e-10)


def test_a_module_for_channels_last_becomes_a_model_for_channels_last() -> None:
    class ChannelsLast(tnn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.conv = tnn.Conv2d(3, 4, 3)

        def forward(self, x):
            return self.conv(x.permute(0, 3, 1, 2)).permute(0, 2, 3, 1)

    theirs = ChannelsLast().double()
    x = np.random.default_rng(0).normal(size=(2, 5, 6, 3))
    for shape in ((5, 6, 3), None):
        ours = from_torch(theirs, shape)
        np.testing.assert_allclose(ours(x), theirs(torch.tensor(x)).detach(), atol=1e-12)
        with pytest.raises(ShapeError, match="3 input channels"):
            ours(x.transpose(0, 3, 1, 2))


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
        (lambda m, x: functional.avg_pool2d(x, 2, divisor_override=3), "divisor_override"),
        (lambda m, x: functional.interpolate(x, (9, 9), mode="bilinear", antialias=True), "antial"),
        (lambda m, x: x * torch.ones(4, 1, 1), "which Pellucid would train"),
        (lambda m, x: x[0], "indexes the batch"),
        (lambda m, x: torch.cat([x, x]), "concatenates along the batch axis"),
        (lambda m, x: x.view(-1, x.size(0)), "only be the first entry"),
        (lambda m, x: {"scores": x}, "other than tensors"),
        (lambda m, x: functional.softplus(x, wrong=1), "wrong"),
        (lambda m, x: x * m.gains.detach().view(4, 1, 1), "which Pellucid would train"),
        (lambda m, x: x * m.scale.exp(), "which Pellucid would train"),
        (lambda m, x: x + m.scale.exp_(), "changes a tensor of the module"),
        (lambda m, x: x + m.gains.view(3, 2), "invalid for input of size 4"),
        (lambda m, x: x + m.scale[None], "more axes than the value"),
        (lambda m, x: torch.cat([x, m.scale.expand(x.size(0), -1, 5, 6)], 1), "with others"),
        (lambda m, x: torch.matmul(x, m.weight), "does not depend on the network's input"),
        (lambda m, x: m.weight[x], "looks up values"),
        (lambda m, x: torch.where(x > 0, x, m.scale), "chooses values that the module holds"),
        (lambda m, x: x ** m.gains[0], "exponent is learned"),
        (lambda m, x: x.clamp(max=m.gains), "max is learned"),
        (lambda m, x: x.sum(1) / x.size(0), "the number of images"),
        (lambda m, x: functional.dropout(x, 0.3), r"training=self\.training"),
        (lambda m, x: functional.dropout2d(x, 0.3, True), r"training=self\.training"),
    ],
)
def test_functions_that_cannot_be_read_say_why(function, said) -> None:
    module = Functions(function)
    before = module.scale.clone()
    with pytest.raises(PellucidError, match=said):
        from_torch(module, None if said == "input_shape" else (4, 5, 6))
    assert torch.equal(module.scale, before)


class Autoencoder(tnn.Module):
    def __init__(self, code, decode):
        super().__init__()
        self.code, self.decode = code, decode
        self.decode.weight = self.code.weight

    def forward(self, x):
        return self.decode(torch.relu(self.code(x)))


class Twice(tnn.Module):
    def __init__(self):
        super().__init__()
        self.scale = tnn.Parameter(torch.rand(4))

    def forward(self, x):
        return (x * self.scale).relu() * self.scale.view(1, -1)


@pytest.mark.parametrize(
    ("module", "names"),
    [
        (Autoencoder(tnn.Linear(4, 4), tnn.Linear(4, 4)), "'code.weight' and 'decode.weight'"),
        (Twice(), "'mul.weight' and 'mul_1.weight'"),
    ],
)
def test_a_parameter_that_becomes_several_is_named_in_a_warning(module, names) -> None:
    with pytest.warns(UserWarning, match=f"uses one parameter as {names}"):
        ours = from_torch(module)
    x = torch.rand(2, 4)
    np.testing.assert_allclose(ours(x.numpy()), module(x).detach(), rtol=1e-6)


class Doubled(tnn.Module):
    def __init__(self):
        super().__init__()
        self.weight = tnn.Parameter(torch.rand(40, 40))

    def forward(self, x):
        return functional.linear(x, self.weight * 2.0)


def test_parameters_whose_computed_values_lay_in_the_same_memory_are_not_one() -> None:
    for _ in range(20):  # a warning is an error
        from_torch(tnn.Sequential(Doubled(), Doubled(), Doubled()))


def test_a_module_that_is_used_twice_is_one_layer() -> None:
    layer = tnn.Linear(4, 4)
    assert [*from_torch(tnn.Sequential(layer, tnn.ReLU(), layer)).named_parameters()] == [
        "0.weight",
        "0.bias",
    ]


def test_learned_values_in_another_shape_remain_learned() -> None:
    ours = from_torch(Functions(lambda m, x: x * m.gains.view(1, -1, 1, 1)), (4, 5, 6))
    (scale,) = ours.parameters()
    assert scale.shape == (4, 1, 1)


def test_a_dropout_that_leaves_out_nothing_is_read() -> None:
    ours = from_torch(Functions(lambda m, x: functional.dropout(x, 0.0)), (4, 5, 6))
    x = np.random.default_rng(0).normal(size=(3, 4, 5, 6))
    np.testing.assert_array_equal(ours(x), x)


def test_hooks_are_not_overlooked() -> None:
    module = tnn.ReLU()
    module.register_forward_hook(lambda *_: None)
    with pytest.raises(PellucidError, match="hooks"):
        from_torch(module)


def test_half_precision_is_refused_with_what_to_do() -> None:
    with pytest.raises(PellucidError, match=r"module\.float\(\)"):
        from_torch(tnn.Linear(2, 2).half())


# Modules that are more than their Python code, or less


def small():
    return tnn.Sequential(tnn.Conv2d(3, 4, 3), tnn.PixelShuffle(2), tnn.ReLU())


@pytest.mark.parametrize(
    "wrap",
    [lambda m: torch.compile(m, backend="eager"), tnn.DataParallel],
    ids=["compiled", "parallel"],
)
def test_a_compiled_or_parallel_module_is_read_by_what_is_inside(wrap) -> None:
    inside = small()
    ours = from_torch(wrap(inside))
    x = torch.randn(2, 3, 6, 6)
    assert list(ours.state_dict()) == list(inside.state_dict())
    np.testing.assert_allclose(ours(x.numpy()), inside(x).detach().numpy(), atol=1e-6)


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (lambda: torch.jit.script(small()), "a TorchScript module"),
        (lambda: torch.jit.trace(small(), torch.zeros(1, 3, 6, 6)), "a TorchScript module"),
        (
            lambda: tnn.Sequential(torch.jit.script(small())),
            "the module '0' is a TorchScript module",
        ),
        (lambda: tnn.Sequential(torch.compile(small())), "the module '0' is compiled"),
        (lambda: small().to("meta"), r"'0.weight' is on the device 'meta'.*to_empty"),
        (lambda: tnn.Sequential(tnn.LazyLinear(3)), "'0.weight' has no shape yet; run the module"),
        (lambda: tnn.Softmax(), "argument dim is not set; set it, for example to dim=1"),
        (lambda: small().state_dict(), "reads a torch.nn.Module, not OrderedDict"),
    ],
)
@pytest.mark.filterwarnings("ignore")
def test_what_cannot_be_looked_into_is_told_in_its_users_words(make, said) -> None:
    with pytest.raises(PellucidError, match=said):
        from_torch(make())


def test_a_softmax_without_dim_takes_the_axis_that_pytorch_takes() -> None:
    module = tnn.Sequential(tnn.Conv2d(3, 4, 3), tnn.Softmax())
    x = torch.randn(2, 3, 6, 6)
    with pytest.warns(UserWarning, match="Implicit dimension"):
        expected = module(x).detach().numpy()
    np.testing.assert_allclose(from_torch(module, (3, 6, 6))(x.numpy()), expected, atol=1e-6)


class Chooses(tnn.Module):
    def forward(self, x):
        y = x * 0.5
        x = torch.where(x > y, x, 0.25)
        x = x.masked_fill(x <= -0.1, 2.0)
        x = torch.where(y >= 0.3, x, y)
        return (x.log() + (x < 0.2)).argmax(1)


def test_comparisons_and_choices() -> None:
    x = torch.rand(2, 5, 4, 4)
    ours = from_torch(Chooses(), (5, 4, 4))(x.numpy())
    assert np.array_equal(ours, Chooses()(x).numpy())


class Rearranges(tnn.Module):
    def forward(self, x):
        gate = x.mean((2, 3))[:, :, None, None]
        x = (x * gate).flip(2, 3)[:, [2, 0, 1]].roll(2, 3)
        x = functional.pad(x, (1, -2, -1, 0)) + x.amin((2, 3), keepdim=True).sign()
        a, b, c = x.unbind(1)
        x = torch.stack([c, a - b], 1).swapaxes(2, 3).repeat(1, 2, 1, 1)
        x = functional.interpolate(x, scale_factor=1.5, mode="bicubic")
        x = functional.interpolate(x, size=(5, 7), mode="bicubic", align_corners=True)
        return x.mean(1, keepdim=True).expand(-1, 3, -1, -1)


class Bends(tnn.Module):
    def __init__(self):
        super().__init__()
        kinds = (tnn.Mish(), tnn.CELU(0.5), tnn.LogSigmoid(), tnn.Tanhshrink())
        self.all = tnn.Sequential(*kinds)

    def forward(self, x):
        return self.all(x)


@pytest.mark.parametrize("module", [Rearranges(), Bends()])
def test_what_moves_and_bends_values_is_read(module) -> None:
    x = torch.randn(2, 3, 6, 8, dtype=torch.float64)
    ours = from_torch(module, (3, 6, 8))
    np.testing.assert_allclose(ours(x.numpy()), module(x).numpy(), rtol=1e-9, atol=1e-12)
