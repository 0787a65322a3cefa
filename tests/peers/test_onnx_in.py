"""Networks that PyTorch exports, read here and computed beside onnxruntime."""

import warnings

import numpy as np
import pytest
import torch
from onnx import helper
from PIL import Image
from torch import nn as tnn
from typer.testing import CliRunner

import pellucid as pl
from benchmarks.onnx_models import export, torchvision_model, zoo
from onnx_files import agree, by_onnxruntime, images, node, saved
from pellucid import layers as nn
from pellucid import losses, optim
from pellucid.cli import trained
from pellucid.cli.app import app
from pellucid.interchange.onnx import load, save

SIZE = 64


def written(model, path, shape, **options):
    """Export a module of PyTorch's for images of `shape`."""
    axes = {"x": {0: "N"}}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the exporter is called old; its files are everywhere
        torch.onnx.export(
            model.eval(), (torch.randn(2, *shape),), str(path), dynamo=False, input_names=["x"],
            dynamic_axes=axes, **options,
        )  # fmt: skip
    return path


@pytest.fixture(scope="module")
def resnet18(tmp_path_factory):
    path = tmp_path_factory.mktemp("onnx") / "resnet18.onnx"
    export(torchvision_model("resnet18", SIZE), path, SIZE, exporter="old")
    return path


@pytest.mark.parametrize(
    ("name", "exporter"),
    [
        ("squeezenet1_1", "old"),
        ("mobilenet_v3_small", "old"),
        ("googlenet", "old"),
        ("resnet18", "new"),
    ],
)
def test_torchvisions_networks_agree_with_onnxruntime(name, exporter, tmp_path):
    """Depth magnifies rounding; float64 tells how far ONNX Runtime itself is from the truth."""
    path, module = tmp_path / "model.onnx", torchvision_model(name, SIZE)
    export(module, path, SIZE, exporter=exporter)
    x = images(3, (3, SIZE, SIZE))
    with torch.no_grad():
        exact = module.double()(torch.tensor(x).double()).numpy()
    theirs = np.abs(by_onnxruntime(path)(x)[0] - exact).max()
    assert theirs <= 1e-4 * np.abs(exact).max()
    assert np.abs(load(path)(x) - exact).max() <= 8 * theirs  # F(4×4) takes its share


def test_a_network_exported_for_one_batch_runs_for_any(tmp_path):
    model = torchvision_model("shufflenet_v2_x1_0", SIZE)  # which reshapes by numbers
    export(model, tmp_path / "fixed.onnx", SIZE, exporter="old", dynamic=False, batch=1)
    graph, x = load(tmp_path / "fixed.onnx"), images(5, (3, SIZE, SIZE))
    agree(
        graph(x), np.concatenate([by_onnxruntime(tmp_path / "fixed.onnx")(i[None])[0] for i in x])
    )


def test_resnet18_keeps_its_names_and_can_be_looked_into(resnet18):
    graph, seen = load(resnet18), []
    assert {"conv1", "layer1_0_conv1", "layer4_1_conv2", "fc"} <= set(graph.nodes)
    assert graph.input_shape == (3, SIZE, SIZE)
    x = images(2, (3, SIZE, SIZE))
    with nn.observe(forward=lambda layer, x, y: seen.append((type(layer).__name__, y.shape))):
        y = graph(x)
    agree(y, by_onnxruntime(resnet18)(x)[0])
    assert seen[0] == ("Conv2d", (2, 64, SIZE // 2, SIZE // 2))
    assert [name for name, _ in seen].count("Conv2d") == 20


def test_a_network_that_was_read_is_saved_and_loaded(resnet18, tmp_path):
    graph, x = load(resnet18), images(2, (3, SIZE, SIZE))
    pl.save(graph, tmp_path / "model.safetensors")
    again = pl.load(tmp_path / "model.safetensors")
    assert again.input_shape == graph.input_shape
    assert np.array_equal(graph(x), again(x))


def test_a_network_that_was_read_is_trained_further_as_in_pytorch(tmp_path):
    torch.manual_seed(0)
    module = tnn.Sequential(
        tnn.Conv2d(3, 8, 3, padding=1), tnn.BatchNorm2d(8), tnn.ReLU(), tnn.MaxPool2d(2),
        tnn.Conv2d(8, 8, 3, groups=2, bias=False), tnn.PReLU(8), tnn.AdaptiveAvgPool2d(1),
        tnn.Flatten(), tnn.Linear(8, 5),
    )  # fmt: skip
    path = written(
        module, tmp_path / "m.onnx", (3, 12, 12), training=torch.onnx.TrainingMode.PRESERVE,
        do_constant_folding=False,
    )  # fmt: skip
    graph, x, labels = load(path), images(16, (3, 12, 12)), np.arange(16) % 5
    expected = torch.optim.SGD(module.train().parameters(), lr=0.1)
    ours = optim.SGD(graph.parameters(), lr=0.1)
    for _ in range(3):
        training = nn.StepContext()
        y, cache = graph.forward(x, training)
        loss, dy = losses.CrossEntropy()(y, labels)
        graph.zero_grad()
        graph.backward(dy, cache)
        ours.step()
        training.commit()
        expected.zero_grad()
        theirs = tnn.functional.cross_entropy(module(torch.from_numpy(x)), torch.from_numpy(labels))
        theirs.backward()
        expected.step()
        assert loss == pytest.approx(theirs.item(), rel=1e-5)
    with torch.no_grad():
        agree(graph(x), module.eval()(torch.from_numpy(x)).numpy(), 1e-4)


def test_a_file_of_this_library_comes_back(tmp_path):
    model = pl.initialize(pl.models.build("lenet5", (1, 28, 28), 10), seed=1)
    model.classes, model.input_shape = tuple("abcdefghij"), (1, 28, 28)
    model.preprocessing = pl.Preprocessing((33.0,), (78.0,))
    pixels = np.random.default_rng(0).integers(0, 256, (4, 1, 28, 28), dtype=np.uint8)
    for included in (False, True):
        save(model, tmp_path / "m.onnx", preprocessing=included)
        graph = load(tmp_path / "m.onnx")
        assert (graph.classes, graph.input_shape) == (model.classes, model.input_shape)
        agree(pl.predict(graph, pixels), pl.predict(model, pixels))
    save(model, tmp_path / "m.onnx", probabilities=True)
    agree(pl.predict(load(tmp_path / "m.onnx"), pixels), pl.predict(model, pixels))


@pytest.mark.parametrize("name", ["lenet5", "resnet20", "inception", "densenet", "mobilenet_v2"])
def test_models_of_this_library_come_back(name, tmp_path):
    shape = (3, 32, 32)
    model = pl.initialize(pl.models.build(name, shape, 10), seed=1)
    save(model, tmp_path / "m.onnx", shape)
    x = images(2, shape)
    agree(load(tmp_path / "m.onnx")(x), model(x))


def test_the_command_takes_onnx_files(resnet18, tmp_path):
    Image.fromarray(np.full((SIZE, SIZE, 3), 99, np.uint8)).save(tmp_path / "grey.png")
    image, run = str(tmp_path / "grey.png"), CliRunner()
    shown = run.invoke(app, ["summary", str(resnet18)], env={"COLUMNS": "120"})
    assert "layer4_1_conv2" in shown.output
    shown = run.invoke(app, ["predict", str(resnet18), image])
    assert "does not say how pixels" in shown.stderr
    graph = load(resnet18)
    graph.preprocessing = pl.Preprocessing((123.675, 116.28, 103.53), (58.395, 57.12, 57.375))
    best = pl.predict(graph, np.full((1, 3, SIZE, SIZE), 99, np.uint8)).argmax()
    shown = run.invoke(app, ["predict", str(resnet18), image, "--pixels", "imagenet"])
    assert shown.exit_code == 0
    assert str(best) in shown.stdout


@pytest.mark.parametrize(
    ("how", "expected"),
    [
        ("0-255", lambda x: x),
        ("0-1", lambda x: x / 255),
        ("-1-1", lambda x: x / 127.5 - 1),
        ("imagenet", lambda x: (x / 255 - [0.485, 0.456, 0.406]) / [0.229, 0.224, 0.225]),
    ],
)
def test_pixels_become_what_the_command_is_told(how, expected, tmp_path):
    """The constants of ImageNet are torchvision's."""
    model = nn.Sequential(nn.Flatten(), nn.Linear(3, 3, initializer="ones"))
    save(model, tmp_path / "m.onnx", (3, 1, 1))
    graph, shape = trained.load(tmp_path / "m.onnx", how, None, None, None)
    assert shape == (3, 1, 1)
    colours = np.array([[0, 0, 0], [255, 0, 0], [0, 255, 0], [0, 0, 255], [10, 100, 200]], np.uint8)
    found = graph.preprocessing(colours[..., None, None], np.float64)[..., 0, 0]
    np.testing.assert_allclose(found, expected(colours.astype(float)), rtol=1e-9, atol=1e-9)


def test_dropout_without_a_ratio_leaves_out_half(tmp_path):
    for opset in (7, 17):
        graph = load(saved(tmp_path / "m.onnx", [node("Dropout", ["x"], ["y"])], {}, opset))
        assert [layer.p for _, layer in graph.walk() if isinstance(layer, nn.Dropout)] == [0.5]


@pytest.mark.parametrize("axes", [[2, 3], [1, 2, 3]])
def test_small_variances_are_brought_to_1_as_onnxruntime_does(axes, tmp_path):
    nodes = [node("MeanVarianceNormalization", ["x"], ["y"], axes=axes)]
    path, x = saved(tmp_path / "m.onnx", nodes, {}), 3e-3 * images(2, (3, 8, 8))
    agree(load(path)(x), by_onnxruntime(path)(x)[0], 1e-3)


# What exporters write


class Gates(tnn.Module):
    """Shapes read while it runs, parts taken and put together, sums over axes."""

    def forward(self, x):
        n, c, h, w = x.shape
        x = x.view(n, 2, c // 2, h, w).transpose(1, 2).reshape(n, -1, h, w)
        a, b = x.chunk(2, dim=1)
        gate = torch.sigmoid(x.mean((2, 3), keepdim=True))
        x = torch.cat([a * 2 - 1, torch.relu(b)[:, :, :, [2, 0, 1, 5, 4, 3]]], 1)
        x = x * gate.expand_as(x)
        return torch.nn.functional.pad(x[:, :, 1:, ::2], (1, 0, 0, 2)).amax((2, 3)) / 3


class Norms(tnn.Module):
    def __init__(self):
        super().__init__()
        self.group, self.layer = tnn.GroupNorm(2, 4), tnn.LayerNorm([4, 6, 6])
        self.instance, self.local = tnn.InstanceNorm2d(4, affine=True), tnn.LocalResponseNorm(3)
        self.scale = tnn.Parameter(torch.randn(4, 1, 1))

    def forward(self, x):
        x = self.local(self.layer(self.group(x)) * self.scale)
        return torch.nn.functional.normalize(self.instance(x).flatten(1))


class Functions(tnn.Module):
    def forward(self, x):
        f = tnn.functional
        for function in (
            f.hardswish,
            f.hardsigmoid,
            f.gelu,
            f.silu,
            f.elu,
            f.selu,
            f.relu6,
            f.leaky_relu,
            f.softplus,
            f.mish,
            f.softsign,
            torch.tanh,
            torch.exp,
            lambda x: f.log_softmax(x.clamp(-1, 2), 1),
        ):
            x = function(x)
        return f.softmax(x.flatten(1), 1)


class Images(tnn.Module):
    def __init__(self):
        super().__init__()
        self.up = tnn.ConvTranspose2d(4, 6, 3, stride=2, padding=1, output_padding=1, groups=2)

    def forward(self, x):
        f = tnn.functional
        x = f.pixel_shuffle(self.up(x).repeat(1, 2, 1, 1), 2)
        x = f.avg_pool2d(x, 3, 2, 1, ceil_mode=True, count_include_pad=False)
        x = f.max_pool2d(x, 3, 2, 1, dilation=2, ceil_mode=True)
        return f.pad(x, (1, 2, 0, 1), mode="reflect")


@pytest.mark.parametrize("module", [Gates, Norms, Functions, Images])
@pytest.mark.parametrize("opset", [12, 18])
def test_what_a_module_computes_is_read(module, opset, tmp_path):
    torch.manual_seed(0)
    path = written(module(), tmp_path / "model.onnx", (4, 6, 6), opset_version=opset)
    for count in (1, 5):
        x = images(count, (4, 6, 6))
        agree(load(path)(x), by_onnxruntime(path)(x)[0], 1e-5)


def test_a_file_of_2017_is_read(tmp_path):
    rng = np.random.default_rng(0)
    w, b = rng.normal(size=(4, 3, 3, 3)).astype(np.float32), rng.normal(size=4).astype(np.float32)
    node = helper.make_node
    nodes = [
        node("Conv", ["x", "w"], ["c"], kernel_shape=[3, 3], auto_pad="SAME_LOWER", strides=[2, 2]),
        node("Add", ["c", "b"], ["s"], broadcast=1, axis=1),
        node("BatchNormalization", ["s", "b2", "b", "b", "b2"], ["n"], is_test=1, epsilon=1e-3,
             consumed_inputs=[0, 0, 0, 1, 1]),
        node("Dropout", ["n"], ["d", "mask"], is_test=1, ratio=0.3),
        node("Clip", ["d"], ["k"], min=0.0, max=6.0),
        node("Pad", ["k"], ["p"], pads=[0, 0, 1, 0, 0, 0, 0, 1], value=0.5),
        node("Reshape", ["p"], ["r"], shape=[0, -1]),
        node("Gemm", ["r", "m", "v"], ["g"], broadcast=1, alpha=0.5),
        node("Softmax", ["g"], ["y"]),
    ]  # fmt: skip
    m, v = rng.normal(size=(100, 7)).astype(np.float32), rng.normal(size=7).astype(np.float32)
    arrays = {"w": w, "b": b, "b2": b**2 + 1, "m": m, "v": v}
    graph = load(saved(tmp_path / "m.onnx", nodes, arrays, 6))
    x = images(3, (3, 8, 8))
    t = torch.from_numpy
    c = tnn.functional.conv2d(tnn.functional.pad(t(x), (1, 0, 1, 0)), t(w), stride=2)
    n = tnn.functional.batch_norm(c + t(b)[:, None, None], t(b), t(b**2 + 1), t(b**2 + 1), t(b),
                                  eps=1e-3)  # fmt: skip
    p = tnn.functional.pad(n.clamp(0, 6), (0, 1, 1, 0), value=0.5)
    expected = torch.softmax(0.5 * p.flatten(1) @ t(m) + t(v), 1)
    agree(graph(x), expected.numpy(), 1e-5)
    assert (
        next(layer for layer, _ in graph.nodes.values() if isinstance(layer, nn.Dropout)).p == 0.3
    )


@pytest.mark.parametrize("channels", [1, 3])
def test_a_file_with_the_channels_last_takes_them_first(channels, tmp_path):
    """As TensorFlow's networks are exported: turned at first, one channel by a new shape."""
    w = np.random.default_rng(0).normal(size=(4, channels, 3, 3)).astype(np.float32)
    arrays = {"w": w, "half": np.float32(0.5)}
    turn = helper.make_node("Transpose", ["h"], ["t"], perm=[0, 3, 1, 2])
    if channels == 1:
        arrays["s"] = np.array([-1, 1, 8, 6])
        turn = helper.make_node("Reshape", ["h", "s"], ["t"])
    nodes = [
        helper.make_node("Mul", ["x", "half"], ["h"]),
        turn,
        helper.make_node("Conv", ["t", "w"], ["c"]),
        helper.make_node("Transpose", ["c"], ["y"], perm=[0, 2, 3, 1]),
    ]
    path = saved(tmp_path / "m.onnx", nodes, arrays, 15, ("N", 8, 6, channels))
    graph, x = load(path), images(2, (channels, 8, 6))
    assert graph.input_shape == (channels, 8, 6)
    agree(graph(x), by_onnxruntime(path)(np.ascontiguousarray(x.transpose(0, 2, 3, 1)))[0])


def test_a_bias_written_as_a_sum_is_the_layers_bias(tmp_path):
    rng = np.random.default_rng(0)
    arrays = {"w": rng.normal(size=(4, 3, 3, 3)), "b": rng.normal(size=(1, 4, 1, 1)),
              "m": rng.normal(size=(4, 5)), "v": rng.normal(size=5)}  # fmt: skip
    make = helper.make_node
    nodes = [
        make("Conv", ["x", "w"], ["c"]),
        make("Add", ["c", "b"], ["d"]),
        make("GlobalAveragePool", ["d"], ["p"]),
        make("Flatten", ["p"], ["f"]),
        make("MatMul", ["f", "m"], ["l"]),
        make("Add", ["v", "l"], ["y"]),
    ]
    path = saved(tmp_path / "m.onnx", nodes, {k: np.float32(v) for k, v in arrays.items()}, 15)
    graph, x = load(path), images(2, (3, 8, 8))
    kinds = [type(layer).__name__ for layer, _ in graph.nodes.values()]
    assert kinds == ["Conv2d", "GlobalAvgPool2d", "Flatten", "Linear"]
    agree(graph(x), by_onnxruntime(path)(x)[0])


def test_what_is_not_supported_is_told_all_at_once(tmp_path):
    nodes = [
        helper.make_node("NonZero", ["x"], ["a"], name="first"),
        helper.make_node("TopK", ["x"], ["b"], name="second"),
        helper.make_node("Conv", ["x", "w"], ["c"], name="third", kernel_shape=[3, 3], new=1),
        helper.make_node("Custom", ["c"], ["d"], name="fourth", domain="com.example"),
        helper.make_node("Concat", ["a", "b", "d"], ["y"], axis=1),
    ]
    arrays = {"w": np.zeros((2, 3, 3, 3), np.float32)}
    path = saved(tmp_path / "m.onnx", nodes, arrays, 17)
    with pytest.raises(pl.errors.FileError) as error:
        load(path)
    for words in ("NonZero 'first'", "TopK 'second'", "opset 17", "Conv 'third'", "attribute new",
                  "Custom 'fourth'", "com.example"):  # fmt: skip
        assert words in str(error.value)


def test_open_sizes_have_to_be_said(tmp_path):
    node = helper.make_node("GlobalAveragePool", ["x"], ["y"])
    path = saved(tmp_path / "m.onnx", [node], {}, 17, ("N", 3, "H", "W"))
    with pytest.raises(pl.errors.FileError, match=r"input_shape=\(3, 224, 224\)"):
        load(path)
    graph = load(path, input_shape=(3, 20, 30))
    assert graph(images(2, (3, 9, 7))).shape == (2, 3, 1, 1)


@pytest.mark.parametrize("name", ["squeezenet", "shufflenet"])
def test_networks_of_the_model_zoo_are_read(name, tmp_path):
    [(_, path)] = zoo(tmp_path, name)
    graph = load(path)
    x = images(1, graph.input_shape)
    agree(graph(x), by_onnxruntime(path)(x)[0])


@pytest.mark.parametrize("counted", [0, 1])
@pytest.mark.parametrize(
    ("pads", "kernel", "stride"),
    [
        ((1, 0, 3, 2), (4, 4), (3, 3)),  # as our own files have it for ceil_mode
        ((0, 1, 2, 1), (3, 3), (2, 2)),
        ((3, 2, 3, 0), (4, 3), (1, 2)),
        ((2, 0, 0, 0), (3, 1), (2, 1)),
    ],
)
def test_padding_of_more_than_half_a_pool_is_read(pads, kernel, stride, counted, tmp_path):
    options = {"kernel_shape": kernel, "strides": stride, "pads": pads}
    pool = node("AveragePool", ["x"], ["y"], count_include_pad=counted, **options)
    path = saved(tmp_path / "pool.onnx", [pool], {}, shape=("N", 3, 9, 7))
    x = images(3, (3, 9, 7))
    agree(load(path)(x), by_onnxruntime(path)(x)[0])
