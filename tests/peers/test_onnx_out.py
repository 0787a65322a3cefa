"""Models as ONNX files, run by onnxruntime."""

import json
import subprocess
import sys

import numpy as np
import onnx
import onnxruntime
import pytest
from onnx.reference import ReferenceEvaluator

import pellucid as pl
from layer_table import ROWS
from pellucid import layers as nn
from pellucid import models
from pellucid.cli import main
from pellucid.errors import FileError, MissingExtraError, PellucidError, ShapeError
from pellucid.interchange.onnx import save
from pellucid.interchange.onnx.writer import WRITERS
from pellucid.layers.base import registry
from unwritten import unwritten_model

WITHOUT_ONNX: dict[str, str] = {}
"""Layers that cannot be written, each with the reason."""

SHAPES = {"lenet5": (1, 28, 28), "mlp": (1, 28, 28), "alexnet": (3, 64, 64)}
"""Where it is not (3, 32, 32)."""

NARROW = ("alexnet", "resnet18", "resnet50", "vgg11_bn", "vgg16_bn")
"""Large models, which are built with a quarter of their channels."""


def opened(path):
    """Return what computes the outputs of the file at `path` in onnxruntime."""
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    session = onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])
    names = [value.name for value in session.get_inputs()]
    return lambda *inputs: session.run(None, dict(zip(names, inputs, strict=True)))


def run(path, *inputs):
    return opened(path)(*inputs)


def varied(model, seed=0):
    """Give every value of the model a value of its own, as training would."""
    rng = np.random.default_rng(seed)
    pl.initialize(model, seed)
    for name, item in model.named_state():
        if name.endswith("running_var"):
            item.value = rng.uniform(0.5, 2, item.shape).astype(item.dtype)
        elif item.shape and len(item.shape) == 1:
            item.value = item.value + rng.uniform(-0.2, 0.2, item.shape).astype(item.dtype)
    return model


@pytest.fixture
def path(tmp_path):
    return tmp_path / "model.onnx"


def proto_of(path):
    return onnx.load(path)


@pytest.mark.parametrize("row", ROWS.values(), ids=ROWS)
def test_every_layer_computes_in_onnxruntime_what_it_computes_here(row, path) -> None:
    several = isinstance(row.shape[0], tuple)
    shapes = row.shape if several else (row.shape,)
    layer = varied(row.make())
    rng = np.random.default_rng(1)
    inputs = [x.astype(np.float32) for x in row.drawn(rng)]
    without_batch = tuple(shape[1:] for shape in shapes)
    save(layer, path, without_batch if several else without_batch[0])

    expected = layer(tuple(inputs) if several else inputs[0])
    expected = expected if isinstance(expected, tuple) else (expected,)
    found = run(path, *inputs)
    for theirs, ours in zip(found, expected, strict=True):
        assert theirs.shape == ours.shape
        assert theirs.dtype == ours.dtype
        np.testing.assert_allclose(theirs, ours, rtol=1e-5, atol=1e-5 * abs(ours).max())


def test_every_layer_has_an_onnx_form_or_a_reason() -> None:
    own = {name for name, layer in registry.items() if layer.__module__.startswith("pellucid.")}
    written = {layer.__name__ for layer in WRITERS}
    assert own - written == set(WITHOUT_ONNX)


@pytest.mark.parametrize("name", models.names())
def test_every_model_computes_in_onnxruntime_what_it_computes_here(name, path) -> None:
    shape = SHAPES.get(name, (3, 32, 32))
    options = {"width": 0.25} if name in NARROW else {}
    model = varied(models.build(name, shape, 10, **options))
    save(model, path, shape)
    images = np.random.default_rng(1).normal(size=(3, *shape)).astype(np.float32)
    expected = model(images)
    compute = opened(path)
    for batch in (3, 1, 2):  # any number of images
        (found,) = compute(images[:batch])
        difference = abs(found - expected[:batch]).max() / abs(expected).max()
        print(f"{name}, {batch} images: largest difference {difference:.1e} of the largest score")
        assert difference < 5e-6


def test_names_are_the_models_own(path) -> None:
    model = models.resnet20((3, 32, 32), 10)
    save(model, path, (3, 32, 32))
    graph = proto_of(path).graph
    weights = {name for name in model.state_dict() if not name.endswith("num_batches_tracked")}
    assert {constant.name for constant in graph.initializer} == weights
    paths = {path for path, _ in model.walk()}
    nodes = [node.name for node in graph.node]
    assert {"conv1", "layer2.0.conv2", "layer2.0.downsample.1", "fc"} <= set(nodes)
    assert {name.removesuffix(".add") for name in nodes} <= paths
    assert [value.name for value in (*graph.input, *graph.output)] == ["input", "output"]
    assert [d.dim_param or d.dim_value for d in graph.input[0].type.tensor_type.shape.dim] == [
        *("N", 3, 32, 32)
    ]


def test_dropout_leaves_no_node(path) -> None:
    save(nn.Sequential(nn.Dropout(0.5), nn.Linear(3, 2), nn.Dropout(0.5)), path, (3,))
    assert [node.op_type for node in proto_of(path).graph.node] == ["Gemm"]


def test_a_softmax_stands_at_the_end_only_where_it_is_asked_for(path) -> None:
    model = varied(nn.Sequential(fc=nn.Linear(3, 4)))
    x = np.random.default_rng(0).normal(size=(5, 3)).astype(np.float32)
    save(model, path, (3,))
    (scores,) = run(path, x)
    save(model, path, (3,), probabilities=True)
    (probabilities,) = run(path, x)
    np.testing.assert_allclose(scores, model(x), rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(probabilities, nn.Softmax()(model(x)), rtol=1e-5, atol=1e-6)
    assert proto_of(path).graph.output[0].name == "probabilities"


def trained():
    """A model that knows its data, as after training."""
    model = varied(models.lenet5((1, 28, 28), 3))
    model.preprocessing = pl.Preprocessing(mean=(33.3,), scale=(78.6,))
    model.classes = ("nought", "one", "два")
    model.input_shape = (1, 28, 28)
    return model


def test_preprocessing_can_be_part_of_the_file(path) -> None:
    model = trained()
    pixels = np.random.default_rng(0).integers(0, 256, (4, 1, 28, 28)).astype(np.uint8)
    save(model, path, preprocessing=True)
    (found,) = run(path, pixels.astype(np.float32))
    expected = model(model.preprocessing(pixels))
    np.testing.assert_allclose(found, expected, atol=2e-5 * abs(expected).max())


@pytest.mark.parametrize("included", [True, False])
def test_properties_say_what_the_model_knows_of_its_data(path, included) -> None:
    save(trained(), path, preprocessing=included)
    proto = proto_of(path)
    known = {entry.key: json.loads(entry.value) for entry in proto.metadata_props}
    assert known == {
        "classes": ["nought", "one", "два"],
        "input_shape": [1, 28, 28],
        "preprocessing": {"mean": [33.3], "scale": [78.6]},
        "preprocessing_included": included,
    }
    assert proto.producer_name == "pellucid"


def test_a_model_in_float64_is_written_in_float64(path) -> None:
    model = varied(models.lenet5((1, 28, 28), 10, width=1)).astype("float64")
    save(model, path, (1, 28, 28))
    images = np.random.default_rng(0).normal(size=(2, 1, 28, 28))
    # onnxruntime has no convolution in float64; ONNX's own evaluator has
    (found,) = ReferenceEvaluator(proto_of(path)).run(None, {"input": images})
    assert found.dtype == np.float64
    np.testing.assert_allclose(found, model(images), rtol=1e-10, atol=1e-10)


def test_a_layer_used_twice_keeps_one_weight(path) -> None:
    layer = nn.Linear(3, 3)
    model = varied(nn.Sequential(layer, nn.Tanh(), layer))
    save(model, path, (3,))
    proto = proto_of(path)
    assert [constant.name for constant in proto.graph.initializer] == ["0.weight", "0.bias"]
    x = np.ones((2, 3), np.float32)
    np.testing.assert_allclose(run(path, x)[0], model(x), rtol=1e-5)


@pytest.mark.parametrize("name", ["input", "output", "input_1"])
def test_layers_may_be_called_as_inputs_and_outputs_are(path, name) -> None:
    model = varied(nn.Sequential({name: nn.Linear(3, 3), "b": nn.ReLU(), "c": nn.Linear(3, 2)}))
    save(model, path, (3,))
    x = np.ones((2, 3), np.float32)
    np.testing.assert_allclose(run(path, x)[0], model(x), rtol=1e-5)


WITH_EPSILON = [
    lambda: nn.BatchNorm2d(4, eps=0.7),
    lambda: nn.BatchNorm2d(4, eps=0.7, track_running_stats=False),
    lambda: nn.InstanceNorm2d(4, eps=0.7),
    lambda: nn.InstanceNorm2d(4, eps=0.7, track_running_stats=True),
    lambda: nn.GroupNorm(2, 4, eps=0.7),
    lambda: nn.LayerNorm((4, 3, 2), eps=0.7),
]


@pytest.mark.parametrize(
    ("make", "shape"),
    [
        (lambda: nn.Conv2d(2, 3, 3, padding=1, flip_kernel=True), (2, 5, 6)),
        (lambda: nn.Conv2d(2, 3, (4, 3), stride=2, padding="same"), (2, 5, 6)),
        (lambda: nn.Conv2d(2, 3, 3, padding=((2, 0), (1, 2)), padding_mode="circular"), (2, 5, 6)),
        (lambda: nn.Conv2d(2, 3, 3, padding=1, padding_mode="reflect"), (2, 2, 2)),
        (lambda: nn.Conv2d(2, 3, (3, 4), padding="same", padding_mode="replicate"), (2, 1, 2)),
        (lambda: nn.ConvTranspose2d(2, 3, 3, stride=2, flip_kernel=True, bias=False), (2, 5, 6)),
        (lambda: nn.ConvTranspose2d(2, 3, 3, output_padding=(2, 1), dilation=3), (2, 5, 6)),
        (lambda: nn.Pad2d(((1, 2), (3, 0)), value=2.5), (2, 5, 6)),
        (lambda: nn.AvgPool2d(3, stride=2, ceil_mode=True), (2, 6, 8)),
        (lambda: nn.AvgPool2d(3, stride=2, padding=1, ceil_mode=True), (2, 6, 8)),
        (lambda: nn.AdaptiveAvgPool2d((3, 4)), (2, 6, 8)),
        (lambda: nn.AdaptiveMaxPool2d((3, 4)), (2, 6, 8)),
        (lambda: nn.AdaptiveMaxPool2d((4, 3)), (2, 6, 8)),
        (lambda: nn.AdaptiveMaxPool2d(1), (2, 6, 8)),
        (lambda: nn.LocalResponseNorm(4, alpha=0.5, k=2.0), (6, 3, 2)),
        (lambda: nn.LocalResponseNorm(4, alpha=0.5), (6, 3)),
        (lambda: nn.BatchNorm1d(3, track_running_stats=False), (3,)),
        (lambda: nn.BatchNorm2d(3, track_running_stats=False), (3, 4, 2)),
        (lambda: nn.GroupNorm(2, 4, affine=False), (4, 3, 2)),
        (lambda: nn.LayerNorm((3, 2), elementwise_affine=False), (4, 3, 2)),
        (lambda: nn.LayerNorm((3, 2), bias=False), (4, 3, 2)),
        *((make, (4, 3, 2)) for make in WITH_EPSILON),
        (lambda: nn.Resize(size=(7, 9), mode="cubic", cubic=-0.4), (2, 5, 6)),
        (lambda: nn.Upsample(scale_factor=(1.5, 0.6)), (2, 5, 7)),
        (lambda: nn.Upsample(scale_factor=1.5, mode="bilinear"), (2, 5, 7)),
        (lambda: nn.Upsample(size=(1, 3), mode="bilinear"), (2, 5, 7)),
        (lambda: nn.Upsample(size=(4, 9)), (2, 5, 7)),
        (lambda: nn.Flatten(0, 2), (2, 5, 7)),
        (lambda: nn.Flatten(1, 2), (2, 5, 7)),
        (lambda: nn.Softplus(beta=0.5, threshold=1.0), (4,)),
    ],
)
def test_options_that_the_table_does_not_have(make, shape, path) -> None:
    layer = varied(make())
    x = np.random.default_rng(1).uniform(-3, 3, (4, *shape)).astype(np.float32)
    save(layer, path, shape)
    (found,) = run(path, x)
    expected = layer(x)
    assert found.shape == expected.shape
    np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-5 * abs(expected).max())


# Errors


def test_all_layers_without_an_onnx_form_are_named_at_once(path) -> None:
    with pytest.raises(PellucidError, match=r"a \(Unwritten\), c\.0 \(Unwritten\)"):
        save(unwritten_model(), path, (3,))
    assert not path.exists()


def test_a_model_that_does_not_know_its_input_shape_says_what_to_give(path) -> None:
    with pytest.raises(ShapeError, match=r"input_shape=\(C, H, W\)"):
        save(nn.ReLU(), path)


def test_an_input_shape_that_does_not_fit_is_said_with_the_layer(path) -> None:
    with pytest.raises(ShapeError, match=r"conv \(Conv2d\).*3 input channels"):
        save(nn.Sequential(conv=nn.Conv2d(3, 4, 3)), path, (1, 8, 8))


def test_preprocessing_that_is_not_there_cannot_be_included(path) -> None:
    with pytest.raises(PellucidError, match="no preprocessing"):
        save(nn.ReLU(), path, (3, 4, 4), preprocessing=True)


def test_values_of_two_types_are_said(path) -> None:
    model = nn.Sequential(nn.Linear(3, 3).astype("float64"), nn.Linear(3, 3))
    with pytest.raises(PellucidError, match="float32, float64"):
        save(model, path, (3,))


def test_a_file_that_cannot_be_written_leaves_the_old_one(tmp_path) -> None:
    (tmp_path / "file").write_text("no folder")
    with pytest.raises(FileError, match="cannot write"):
        save(nn.ReLU(), tmp_path / "file" / "model.onnx", (3,))


def test_without_the_package_the_error_says_what_to_install(path, monkeypatch) -> None:
    monkeypatch.setitem(sys.modules, "onnx", None)
    with pytest.raises(MissingExtraError, match=r"pip install .*\[onnx\]"):
        save(nn.ReLU(), path, (3,))


def test_writing_loads_no_other_framework(tmp_path) -> None:
    code = (
        "import sys, pellucid as pl\n"
        "pl.interchange.onnx.save(pl.layers.ReLU(), sys.argv[1], (3,))\n"
        "assert not {'torch', 'tensorflow', 'onnxruntime'} & set(sys.modules)\n"
    )
    subprocess.run([sys.executable, "-c", code, str(tmp_path / "m.onnx")], check=True)


# The command


@pytest.fixture
def run_folder(tmp_path):
    pl.save(trained(), tmp_path / "model.safetensors")
    return tmp_path


def command(*arguments):
    with pytest.raises(SystemExit) as ended:
        main(list(map(str, arguments)))
    return ended.value.code


def test_the_command_writes_a_run_as_onnx(run_folder, path, capsys) -> None:
    assert command("export", run_folder, path) == 0
    assert str(path) in capsys.readouterr().out
    x = np.random.default_rng(0).normal(size=(2, 1, 28, 28)).astype(np.float32)
    expected = trained()(x)
    np.testing.assert_allclose(run(path, x)[0], expected, atol=2e-5 * abs(expected).max())


def test_the_command_puts_preprocessing_and_softmax_in(run_folder, path) -> None:
    assert command("export", run_folder, path, "--preprocessing", "--probabilities") == 0
    pixels = np.random.default_rng(0).integers(0, 256, (2, 1, 28, 28)).astype(np.float32)
    np.testing.assert_allclose(
        run(path, pixels)[0], pl.predict(trained(), pixels), rtol=1e-3, atol=1e-5
    )


def test_the_command_writes_weights_alone(run_folder, tmp_path) -> None:
    from safetensors.torch import load_file

    weights = tmp_path / "weights.safetensors"
    assert command("export", run_folder, weights) == 0
    found, expected = load_file(weights), trained().state_dict()
    assert found.keys() == expected.keys()
    assert all(np.array_equal(found[name].numpy(), value) for name, value in expected.items())


@pytest.mark.parametrize(
    ("file", "options", "said"),
    [
        ("model.pt", (), "unknown kind of file '.pt'"),
        ("weights.safetensors", ("--preprocessing",), "takes no --preprocessing"),
    ],
)
def test_the_command_says_what_it_cannot_write(run_folder, file, options, said, capsys) -> None:
    assert command("export", run_folder, run_folder / file, *options) == 2
    assert said in capsys.readouterr().err


@pytest.mark.parametrize("counted", [None, True, False])
def test_padding_as_wide_as_the_kernel_is_written(counted, path) -> None:
    """A last, partial window of a dilated kernel asks for more padding than ONNX's pools take."""
    options = {"padding": 1, "dilation": 3, "ceil_mode": True}
    layer = nn.MaxPool2d((2, 3), 3, **options)
    if counted is not None:
        layer = nn.AvgPool2d((2, 3), 3, count_include_pad=counted, **options)
    x = np.random.default_rng(0).normal(size=(2, 3, 6, 9)).astype(np.float32)
    save(layer, path, (3, 6, 9))
    assert any(node.op_type == "Pad" for node in onnx.load(path).graph.node)
    np.testing.assert_allclose(run(path, x)[0], layer(x), rtol=1e-5, atol=1e-6)
