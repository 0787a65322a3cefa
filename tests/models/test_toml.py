"""Networks in TOML."""

import re
from pathlib import Path

import numpy as np
import pytest

from pellucid import layers as nn
from pellucid import models
from pellucid.errors import FileError, PellucidError
from pellucid.models import toml

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs" / "networks-in-toml.md"
EXAMPLES = re.findall(r"^```toml\n(.*?)^```", PAGE.read_text(encoding="utf-8"), re.M | re.S)

FLAT = '{ type = "Flatten" }, { type = "Linear", out_features = "classes" }'


@pytest.mark.parametrize("text", EXAMPLES)
@pytest.mark.parametrize("input_shape", [(1, 8, 8), (3, 9, 12)])
def test_the_examples_of_the_documentation_run(text, input_shape) -> None:
    model = toml.loads(text, input_shape, classes=4)
    assert model(np.ones((2, *input_shape), np.float32)).shape == (2, 4)


def test_the_documentation_has_examples() -> None:
    assert len(EXAMPLES) >= 7


@pytest.mark.parametrize("path", sorted((ROOT / "examples").glob("*.toml")), ids=lambda p: p.name)
def test_the_example_networks_learn_on_images_of_any_size(path) -> None:
    for input_shape in [(1, 28, 28), (3, 32, 32)]:
        model = toml.load(path, input_shape, classes=10)
        y, cache = model.forward(np.ones((2, *input_shape), np.float32), nn.StepContext())
        model.backward(np.arange(20.0, dtype=np.float32).reshape(2, 10), cache)
        assert y.shape == (2, 10)


def test_a_file_is_a_model_for_every_command() -> None:
    path = str(ROOT / "examples" / "branches.toml")
    assert models.build(path, (1, 28, 28), 3).output_shape((2, 1, 28, 28)) == (2, 3)


@pytest.mark.parametrize("name", models.names())
@pytest.mark.parametrize("short", [False, True])
def test_what_is_written_is_read_back_exactly(name, short) -> None:
    model = models.build(name, (3, 32, 32), 10)
    again = toml.loads(toml.dumps(model, short=short), (3, 32, 32), 10)
    assert again.describe() == model.describe()
    assert list(again.named_parameters()) == list(model.named_parameters())


def test_a_short_text_serves_other_images() -> None:
    text = toml.dumps(models.lenet5((1, 28, 28), 10), short=True)
    assert toml.loads(text, (3, 64, 48), 10).output_shape((1, 3, 64, 48)) == (1, 10)


def test_graphs_and_shared_layers_are_read_back_exactly() -> None:
    shared = nn.Conv2d(4, 4, 3, padding=1)
    graph = nn.Graph(
        {
            "one": (shared, "x"),
            "two": (nn.Sequential(again=shared, relu=nn.ReLU()), "one"),
            "sum": (nn.Add(), ("one", "two")),
            "flat": (nn.Sequential(nn.Flatten(), nn.Linear(4 * 6 * 6, 2)), "sum"),
        }
    )
    again = toml.loads(toml.dumps(graph), (4, 6, 6), 2)
    assert isinstance(again, nn.Graph)
    assert again.describe() == graph.describe()
    assert list(again.named_parameters()) == list(graph.named_parameters())


def test_any_name_can_be_written() -> None:
    name = 'a "name"\\ with\ttab, \x7f, line\nbreak, é and 𝄞'
    model = nn.Sequential({name: nn.Flatten(), "classes": nn.Linear(4, 2)})
    again = toml.loads(toml.dumps(model, name=name), (1, 2, 2), 2)
    assert list(again.children()) == [name, "classes"]


def test_numbers_keep_every_digit() -> None:
    model = nn.Sequential(nn.BatchNorm2d(1, eps=1e-12, momentum=1 / 3), nn.Flatten())
    assert toml.loads(toml.dumps(model), (1, 1, 2), 2).describe() == model.describe()


def test_numpys_numbers_are_numbers() -> None:
    model = nn.Sequential(nn.BatchNorm2d(1, eps=np.float64(0.25)), nn.Flatten())
    assert "eps = 0.25 }" in toml.dumps(model)


def test_a_layer_is_one_line() -> None:
    model = models.resnet20((3, 32, 32), 10)
    leaves = [layer for _, layer in model.walk() if not layer.children()]
    lines = toml.dumps(model).splitlines()
    assert sum("type =" in line for line in lines) >= len(leaves) - 9  # block's ends share a line
    assert max(map(len, lines)) < 140


def test_a_nested_list_is_a_sequential() -> None:
    model = toml.loads(f'layers = [[{{ type = "ReLU" }}], {FLAT}]', (1, 2, 2), 3)
    assert isinstance(model, nn.Sequential)
    assert isinstance(model["0"], nn.Sequential)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("layers = [\n  { type = }\n]", r": .*line 2"),
        ("name = 'x'", ": the key 'layers' is missing"),
        ("layer = []", ": unknown key 'layer'; did you mean 'layers'"),
        ("layers = 3", ": .*a layer must be a table with a type"),
        ("layers = ['ReLU']", ": .*each layer in a list must be a table"),
        ("layers = [{ type = 'RelU' }]", ": 0 .*did you mean 'ReLU'"),
        (
            "layers = [{ name = 'c', type = 'Conv2d', outchannels = 3, kernel_size = 3 }]",
            ": c .*did you mean 'out_channels'",
        ),
        (
            "layers = [{ name = 'c', type = 'Conv2d', out_channels = 3 }]",
            ": c .*needs kernel_size",
        ),
        (
            "layers = [{ name = 'b', type = 'Residual', body = [{ name = 'c', type = 'Conv2d', "
            "out_channels = 0, kernel_size = 3 }] }]",
            r": b.*c \(Conv2d\): .*out_channels",
        ),
        (f"layers = [{{ name = 'p', type = 'MaxPool2d', kernel_size = 9 }}, {FLAT}]", ": p .*9×9$"),
        ("layers = [{ type = 'Flatten' }]", r".*\(64,\).*10 classes"),
    ],
)
def test_a_mistake_is_told_with_the_file_and_the_line_or_the_layer(text, message) -> None:
    with pytest.raises(PellucidError, match=f"^net.toml{message}"):
        toml.loads(text, (1, 8, 8), 10, name="net.toml")


@pytest.mark.parametrize("opening", ["[", "{ a = "])
def test_a_text_that_is_nested_without_end_is_an_error(opening) -> None:
    with pytest.raises(FileError, match=r"net\.toml"):
        toml.loads("layers = " + opening * 100_000, (1, 8, 8), 10, name="net.toml")


def test_a_mark_at_the_beginning_of_a_file_does_no_harm(tmp_path: Path) -> None:
    path = tmp_path / "net.toml"
    path.write_text(f"layers = [{FLAT}]", encoding="utf-8-sig")
    assert toml.load(path, (1, 2, 2), 3).output_shape((1, 1, 2, 2)) == (1, 3)


def test_a_file_that_is_no_text_is_an_error(tmp_path: Path) -> None:
    path = tmp_path / "weights.toml"
    path.write_bytes(bytes(range(256)))
    with pytest.raises(FileError, match=r"weights\.toml: the file is not UTF-8 text"):
        toml.load(path, (1, 8, 8), 10)


def test_a_file_takes_no_options() -> None:
    with pytest.raises(PellucidError, match="takes no options"):
        models.build("net.toml", (1, 8, 8), 10, width=2)
