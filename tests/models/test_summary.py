"""What a network consists of and what it costs."""

import math
import re
import tracemalloc
from typing import Any

import numpy as np
import pandas as pd
import pytest

from pellucid import layers as nn
from pellucid import models
from pellucid.errors import PellucidError, ShapeError
from pellucid.models import summary


@pytest.mark.parametrize("name", models.names())
def test_the_rows_have_the_shapes_that_a_forward_pass_shows(name) -> None:
    whole = name in ("mlp", "lenet5", "lenet5x2", "densenet", "vgg_tiny") or "airbench" in name
    options = {} if whole else {"width": 1 / 8}
    model = models.build(name, (3, 32, 32), 10, **options)
    paths = {id(layer): path for path, layer in model.walk()}
    seen: dict[str, Any] = {}

    def note(layer: nn.Layer, x: Any, y: Any) -> None:
        seen[paths[id(layer)]] = y.shape[1:]

    with nn.observe(forward=note):
        model(np.zeros((2, 3, 32, 32), np.float32))
    rows = summary(model, (3, 32, 32)).rows
    assert {row.path: row.output_shape for row in rows} == seen


@pytest.mark.parametrize("name", models.names())
def test_the_sums_are_the_models(name) -> None:
    model = models.build(name, (3, 32, 32), 10)
    table = summary(model, (3, 32, 32))
    assert table.parameters == sum(math.prod(p.shape) for p in model.parameters())
    assert table.buffers == sum(b.value.size for b in model.buffers().values())
    assert table.multiply_adds == model.multiply_adds((1, 3, 32, 32))


def test_the_costs_of_a_convolution_follow_from_its_definition() -> None:
    row = summary(nn.Sequential(conv=nn.Conv2d(3, 8, 5, padding=2)), (3, 10, 12)).rows[0]
    assert row.arguments == "3, 8, 5, padding=2"
    assert row.output_shape == (8, 10, 12)
    assert row.parameters == 8 * 3 * 5 * 5 + 8
    assert row.multiply_adds == 10 * 12 * 8 * 3 * 5 * 5
    assert row.output_bytes == 8 * 10 * 12 * 4


def test_nothing_is_computed_or_drawn() -> None:
    tracemalloc.start()
    try:
        summary(models.vgg16_bn((3, 224, 224), 1000), (3, 224, 224))
        assert tracemalloc.get_traced_memory()[1] < 2**22  # its weights are 553 MB
    finally:
        tracemalloc.stop()


def test_a_layer_that_is_used_twice_has_its_parameters_once_and_its_work_twice() -> None:
    shared = nn.Linear(4, 4)
    once = summary(nn.Sequential(shared), (4,))
    twice = summary(nn.Sequential(shared, nn.ReLU(), shared), (4,))
    assert twice.parameters == once.parameters
    assert twice.multiply_adds == 2 * once.multiply_adds
    norm = nn.BatchNorm1d(4)
    assert summary(nn.Sequential(norm, nn.ReLU(), norm), (4,)).buffers == 2 * 4 + 1


def test_layers_with_several_inputs_have_rows() -> None:
    graph = nn.Graph(
        {"a": (nn.Linear(4, 3), "x"), "b": (nn.Linear(4, 3), "x"), "sum": (nn.Add(), ("a", "b"))}
    )
    rows = summary(graph, (4,)).rows
    assert [(row.path, row.output_shape) for row in rows] == [
        ("a", (3,)),
        ("b", (3,)),
        ("sum", (3,)),
    ]


def test_float64_takes_twice_the_memory() -> None:
    single = summary(models.lenet5((1, 28, 28), 10), (1, 28, 28))
    double = summary(models.lenet5((1, 28, 28), 10).astype("float64"), (1, 28, 28))
    assert double.training_bytes == 2 * single.training_bytes


def test_training_takes_gradients_of_the_weights_and_beside_the_widest_layer() -> None:
    table = summary(nn.Sequential(nn.Linear(6, 9), nn.ReLU(), nn.Linear(9, 2)), (6,), batch_size=5)
    weights, outputs = 6 * 9 + 9 + 9 * 2 + 2, 9 + 9 + 2
    assert table.forward_bytes == 4 * (weights + 5 * (6 + outputs))
    assert table.training_bytes == table.forward_bytes + 4 * (weights + 2 * 5 * 9)


@pytest.mark.parametrize("name", ["lenet5", "resnet20", "densenet"])
def test_the_memory_of_a_training_step_is_near_the_estimate(name) -> None:
    model = models.build(name, (3, 32, 32), 10).astype("float64")
    x = np.random.default_rng(0).normal(size=(8, 3, 32, 32))
    model(x[:1])
    tracemalloc.start()
    try:
        y, cache = model.forward(x, nn.StepContext())
        model.backward(y, cache)
        used = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    estimate = summary(model, (3, 32, 32), batch_size=8).training_bytes
    assert estimate / 2 < used < estimate * 2


def test_the_text_is_aligned_and_indented() -> None:
    text = str(summary(models.resnet20((3, 32, 32), 10), (3, 32, 32)))
    lines = text.splitlines()
    head = lines[0]
    counts = ["Parameters", "Multiply-adds", "Memory"]
    assert head.split() == ["Layer", "Type", "Output", "Algorithm", *counts]
    conv = next(line for line in lines if line.startswith("    conv1 "))
    assert conv.index("16×32×32") == head.index("Output")
    assert conv.index("2,304") + len("2,304") == head.index("Parameters") + len("Parameters")
    assert re.search(r"Parameters +272,474, and 1,\d+ running statistics", text)
    assert all(len(line) <= 130 for line in lines)


def test_the_rows_make_a_table() -> None:
    table = summary(models.lenet5((1, 28, 28), 10), (1, 28, 28))
    frame = pd.DataFrame(table.rows)
    assert frame["parameters"].sum() == table.parameters
    assert list(frame["path"])[:2] == ["conv1", "relu1"]


def test_a_single_layer_has_a_summary() -> None:
    assert [row.type for row in summary(nn.ReLU(), (3,)).rows] == ["ReLU"]


def test_a_network_without_layers_has_an_empty_summary() -> None:
    assert "Parameters     0\n" in str(summary(nn.Sequential(), (3,)))


def test_images_that_do_not_fit_are_an_error() -> None:
    with pytest.raises(ShapeError, match=r"conv1 \(Conv2d\)"):
        summary(models.lenet5((1, 28, 28), 10), (3, 28, 28))
    with pytest.raises(PellucidError, match="channels, height, width"):
        summary(models.lenet5((1, 28, 28), 10), (64, 1, 28, 28))
