"""One table of all layers, and what holds for every one of them.

A new layer gets its rows in `ROWS`, with shapes that tell the axes apart (H ≠ W, and neither a
multiple of the stride). Everything here then holds for it, in every engine.
"""

import json
import tracemalloc
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest

from pellucid import engine, errors
from pellucid import layers as nn
from pellucid.interchange.safetensors import load, save
from pellucid.layers.base import registry
from pellucid.randomness import generator
from pellucid.testing.gradients import away_from_kinks, check_gradients


@dataclass(frozen=True)
class Row:
    """How to make the layer, and an input that it takes: a shape, or one for each input."""

    make: Callable[[], nn.Layer]
    shape: Any
    reach: int = 3
    """Inputs lie between −reach and reach, away from the kinks, which are at whole numbers."""
    tolerance: float = 1e-7
    """For gradients, relative to the largest entry."""
    smallest_batch: int = 1
    """In training."""
    alone: bool = True
    """Whether in inference an image's result does not depend on the other images."""


ROWS = {
    # convolution
    "Conv2d": Row(lambda: nn.Conv2d(2, 3, 3), (2, 2, 6, 5)),
    "Conv2d, every option": Row(
        lambda: nn.Conv2d(
            4, 6, (3, 2), stride=(2, 1), padding=((1, 0), (2, 1)), dilation=(1, 2), groups=2
        ),
        (2, 4, 7, 6),
    ),
    "Conv2d, depthwise, same, no bias": Row(
        lambda: nn.Conv2d(3, 3, 3, padding="same", groups=3, bias=False), (2, 3, 4, 5)
    ),
    "Conv2d, 1×1, stride 2": Row(lambda: nn.Conv2d(3, 2, 1, stride=2), (2, 3, 5, 4)),
    "Conv2d, padding reflect": Row(
        lambda: nn.Conv2d(2, 2, 3, padding=1, padding_mode="reflect"), (2, 2, 4, 5)
    ),
    "ConvTranspose2d": Row(lambda: nn.ConvTranspose2d(3, 2, 3), (2, 3, 4, 5)),
    "ConvTranspose2d, every option": Row(
        lambda: nn.ConvTranspose2d(
            4, 6, (3, 2), stride=(2, 3), padding=1, output_padding=1, groups=2, dilation=(2, 1)
        ),
        (2, 4, 3, 4),
    ),
    "Pad2d": Row(lambda: nn.Pad2d(((1, 0), (2, 1))), (2, 2, 3, 4)),
    "Pad2d, reflect": Row(lambda: nn.Pad2d((1, 2), mode="reflect"), (2, 2, 3, 4)),
    "Pad2d, replicate": Row(lambda: nn.Pad2d((1, 2), mode="replicate"), (2, 2, 3, 4)),
    "Pad2d, circular": Row(lambda: nn.Pad2d((1, 2), mode="circular"), (2, 2, 3, 4)),
    # linear
    "Linear": Row(lambda: nn.Linear(5, 3), (4, 5)),
    "Linear, no bias, more axes": Row(lambda: nn.Linear(5, 3, bias=False), (2, 4, 5)),
    # pooling
    "MaxPool2d": Row(lambda: nn.MaxPool2d(2), (2, 3, 5, 6)),
    "MaxPool2d, overlapping, every option": Row(
        lambda: nn.MaxPool2d((3, 2), stride=(2, 1), padding=1, dilation=(2, 1), ceil_mode=True),
        (2, 2, 6, 5),
    ),
    "AvgPool2d": Row(lambda: nn.AvgPool2d(2), (2, 3, 5, 6)),
    "AvgPool2d, overlapping, every option": Row(
        lambda: nn.AvgPool2d(
            (3, 2), stride=(2, 1), padding=1, ceil_mode=True, count_include_pad=False
        ),
        (2, 2, 6, 5),
    ),
    "AdaptiveAvgPool2d": Row(lambda: nn.AdaptiveAvgPool2d((3, 2)), (2, 2, 5, 7)),
    "AdaptiveMaxPool2d": Row(lambda: nn.AdaptiveMaxPool2d((None, 2)), (2, 2, 5, 7)),
    "GlobalAvgPool2d": Row(lambda: nn.GlobalAvgPool2d(), (2, 3, 4, 5)),
    # normalisation
    "BatchNorm1d": Row(lambda: nn.BatchNorm1d(3), (5, 3), smallest_batch=2),
    "BatchNorm1d, with a length": Row(lambda: nn.BatchNorm1d(3), (4, 3, 5)),
    "BatchNorm2d": Row(lambda: nn.BatchNorm2d(3), (3, 3, 4, 2)),
    "BatchNorm2d, nothing learned or gathered": Row(
        lambda: nn.BatchNorm2d(3, affine=False, track_running_stats=False),
        (3, 3, 4, 2),
        alone=False,
    ),
    "BatchNorm2d, cumulative average": Row(lambda: nn.BatchNorm2d(2, momentum=None), (3, 2, 2, 3)),
    "LayerNorm": Row(lambda: nn.LayerNorm(6), (3, 6)),
    "LayerNorm, several axes": Row(lambda: nn.LayerNorm((3, 4, 2)), (2, 3, 4, 2)),
    "GroupNorm": Row(lambda: nn.GroupNorm(2, 4), (2, 4, 3, 2)),
    "InstanceNorm2d": Row(lambda: nn.InstanceNorm2d(3), (2, 3, 4, 2)),
    "InstanceNorm2d, learned and gathered": Row(
        lambda: nn.InstanceNorm2d(3, affine=True, track_running_stats=True), (2, 3, 4, 2)
    ),
    "LocalResponseNorm": Row(lambda: nn.LocalResponseNorm(3, alpha=0.5), (2, 5, 3, 2)),
    # activation
    "ReLU": Row(lambda: nn.ReLU(), (3, 4, 2, 3)),
    "ReLU6": Row(lambda: nn.ReLU6(), (3, 4, 2, 3), reach=8),
    "LeakyReLU": Row(lambda: nn.LeakyReLU(0.2), (3, 4, 2, 3)),
    "PReLU": Row(lambda: nn.PReLU(), (3, 4, 2, 3)),
    "PReLU, one for each channel": Row(lambda: nn.PReLU(4, init=0.1), (3, 4, 2, 3)),
    "ELU": Row(lambda: nn.ELU(0.7), (3, 4, 2, 3)),
    "SELU": Row(lambda: nn.SELU(), (3, 4, 2, 3)),
    "GELU": Row(lambda: nn.GELU(), (3, 4, 2, 3)),
    "GELU, tanh": Row(lambda: nn.GELU(approximate="tanh"), (3, 4, 2, 3)),
    "SiLU": Row(lambda: nn.SiLU(), (3, 4, 2, 3)),
    "Hardswish": Row(lambda: nn.Hardswish(), (3, 4, 2, 3), reach=8),
    "Softplus": Row(lambda: nn.Softplus(beta=2.0, threshold=4.0), (3, 4, 2, 3)),
    "Sigmoid": Row(lambda: nn.Sigmoid(), (3, 4, 2, 3)),
    "Tanh": Row(lambda: nn.Tanh(), (3, 4, 2, 3)),
    "Softmax": Row(lambda: nn.Softmax(), (3, 5)),
    "Softmax, last axis": Row(lambda: nn.Softmax(dim=-1), (3, 2, 4)),
    "LogSoftmax": Row(lambda: nn.LogSoftmax(), (3, 5)),
    # what else there is
    "Dropout": Row(lambda: nn.Dropout(0.3), (3, 4, 2, 3)),
    "Dropout2d": Row(lambda: nn.Dropout2d(0.3), (3, 4, 2, 3)),
    "Flatten": Row(lambda: nn.Flatten(), (3, 2, 4, 5)),
    "Flatten, some axes": Row(lambda: nn.Flatten(start_dim=2), (3, 2, 4, 5)),
    "Identity": Row(lambda: nn.Identity(), (3, 2, 4, 5)),
    "Upsample": Row(lambda: nn.Upsample(scale_factor=2), (2, 2, 3, 4)),
    "Upsample, bilinear": Row(
        lambda: nn.Upsample(size=(5, 7), mode="bilinear", align_corners=True), (2, 2, 3, 4)
    ),
    "Add": Row(lambda: nn.Add(), ((3, 4), (3, 4), (3, 4))),
    "Multiply": Row(lambda: nn.Multiply(), ((3, 4, 2, 3), (3, 4, 1, 1))),
    "Cat": Row(lambda: nn.Cat(axis=1), ((3, 4, 2, 3), (3, 1, 2, 3), (3, 2, 2, 3))),
    # combinators
    "Sequential": Row(
        lambda: nn.Sequential(nn.Linear(4, 3), act=nn.Tanh(), fc=nn.Linear(3, 2)), (3, 4)
    ),
    "Residual": Row(
        lambda: nn.Residual(
            nn.Sequential(nn.Linear(4, 3), nn.Tanh()),
            shortcut=nn.Linear(4, 3, bias=False),
            activation=nn.SiLU(),
        ),
        (3, 4),
    ),
    "Residual, the identity": Row(lambda: nn.Residual(nn.Linear(4, 4)), (3, 4)),
    "Concat": Row(lambda: nn.Concat(nn.Linear(4, 2), nn.Identity(), named=nn.Linear(4, 1)), (3, 4)),
    "Graph": Row(
        lambda: nn.Graph(
            {
                "a": (nn.Linear(4, 4), "x"),
                "b": (nn.Tanh(), "a"),
                "sum": (nn.Add(), ("a", "b", "x")),
                "end": (nn.Linear(4, 2), "sum"),
            }
        ),
        (3, 4),
    ),
    "Graph, several inputs and outputs": Row(
        lambda: nn.Graph(
            {"a": (nn.Linear(4, 3), "u"), "product": (nn.Multiply(), ("a", "v"))},
            output=("product", "a"),
            inputs=("u", "v"),
        ),
        ((2, 4), (2, 3)),
    ),
}

FLOATS = ("float32", "float64")


@pytest.fixture(autouse=True, params=engine.NAMES)
def each_engine(request):
    with engine.using(request.param):
        yield request.param


@pytest.fixture(params=ROWS)
def row(request):
    return ROWS[request.param]


# Making layers and inputs


def made(row, dtype="float64"):
    layer = row.make().astype(dtype)
    for name, item in layer.named_state():  # as if it had learned, so that no value is special
        if np.issubdtype(item.dtype, np.floating):
            item.value += generator(0, name).uniform(0.1, 0.5, item.shape).astype(dtype)
    return layer


def inputs(row, dtype="float64", batch=None, order=lambda x: x):
    several = isinstance(row.shape[0], tuple)
    parts = []
    for i, shape in enumerate(row.shape if several else (row.shape,)):
        x = away_from_kinks(shape, np.random.default_rng(i), row.reach).astype(dtype)
        parts.append(order(x if batch is None else x[batch]))
    return tuple(parts) if several else parts[0]


def each(action, value):
    return tuple(map(action, value)) if isinstance(value, tuple) else action(value)


def parts(value):
    return value if isinstance(value, tuple) else (value,)


def shapes(value):
    return each(np.shape, value)


def outputs(layer, x, training):
    """Return y, dx and the parameters' gradients, for a dy that follows from the shape of y."""
    y, cache = layer.forward(x, training)
    layer.zero_grad()
    dy = each(lambda part: np.cos(np.arange(part.size)).reshape(part.shape).astype(part.dtype), y)
    dx = layer.backward(dy, cache)
    return [*parts(y), *parts(dx), *(p.grad.copy() for p in layer.parameters())]


def memory_of(layer):
    arrays = [item.value for _, item in layer.named_state()]
    return arrays + [parameter.grad for parameter in layer.parameters()]


def read_only(x):
    x = x.copy()
    x.flags.writeable = False
    return x


def batch_last(x):
    return np.ascontiguousarray(np.moveaxis(x, 0, -1)).transpose(-1, *range(x.ndim - 1))


def is_batch_last(x):
    return np.moveaxis(x, 0, -1).flags.c_contiguous


def strided(x):
    """Lay x out as nobody would: backwards, and with gaps."""
    wide = np.full((*x.shape, 2), np.nan, x.dtype)[..., 0]
    wide = wide[tuple(slice(None, None, -1) for _ in x.shape)]
    wide[...] = x
    return wide


# The table is complete


def test_every_layer_has_its_row():
    own = {name for name, layer in registry.items() if layer.__module__.startswith("pellucid.")}
    assert {type(row.make()).__name__ for row in ROWS.values()} == own
    assert all(type(row.make()).__name__ == name.split(",")[0] for name, row in ROWS.items())


# Gradients


def test_gradients_in_training(row):
    check_gradients(made(row), inputs(row), tolerance=row.tolerance)


def test_gradients_in_inference(row):
    check_gradients(made(row), inputs(row), training=False, tolerance=row.tolerance)


def test_used_twice_its_gradients_add(row):
    layer, x = made(row), inputs(row)
    names = [f"x{i}" for i in range(len(parts(x)))]
    if isinstance(layer, nn.Graph) and not layer.single_output:
        layer = nn.Sequential(layer, nn.Multiply())
    graph = nn.Graph(
        {"first": (layer, names), "second": (layer, names), "sum": (nn.Add(), ("first", "second"))},
        inputs=names,
    )
    if layer.parameters():
        assert len(graph.parameters()) == len(layer.parameters())
    check_gradients(graph, x, tolerance=row.tolerance)


# Shapes and types


@pytest.mark.parametrize("training", [None, nn.Training()])
@pytest.mark.parametrize("dtype", FLOATS)
def test_output_shape_tells_the_shape_and_the_type_is_kept(row, dtype, training):
    layer, x = made(row, dtype), inputs(row, dtype)
    y, cache = layer.forward(x, training)
    assert shapes(y) == layer.output_shape(shapes(x))
    dx = layer.backward(each(np.ones_like, y), cache)
    assert shapes(dx) == shapes(x)
    assert {part.dtype for part in (*parts(y), *parts(dx))} == {np.dtype(dtype)}
    assert all(p.grad.dtype == p.value.dtype == dtype for p in layer.parameters())


def test_float32_differs_from_float64_by_rounding_alone(row):
    training = nn.Training()
    exact = outputs(made(row), inputs(row), training)
    rounded = outputs(made(row, "float32"), inputs(row, "float32"), nn.Training())
    for a, b in zip(exact, rounded, strict=True):
        np.testing.assert_allclose(b, a, rtol=1e-4, atol=1e-4 * max(abs(a).max(), 1e-3))


def test_output_shape_refuses_what_forward_refuses(row):
    layer = made(row)
    for change in (
        lambda s: s[:-1],
        lambda s: (*s, 2),
        lambda s: s[:1],
        lambda s: (s[0], s[1] + 1, *s[2:]),
        lambda s: (*s[:-1], s[-1] + 1),
        lambda s: (*s[:2], *(1 for _ in s[2:])),
    ):
        shape = change(row.shape) if isinstance(row.shape[0], int) else (row.shape[0], (7, 7))
        x = each(np.ones, shape) if isinstance(shape[0], tuple) else np.ones(shape)
        found = []
        for action in (lambda: layer.output_shape(shape), lambda: shapes(layer(x))):  # noqa: B023
            try:
                found.append(action())
            except errors.PellucidError:
                found.append("refused")
        assert found[0] == found[1], f"for an input of shape {shape}"


def test_counting_multiplications_gives_a_whole_number(row):
    count = row.make().multiply_adds(row.shape)
    assert isinstance(count, int)
    assert count >= 0


# Nothing hidden, nothing harmed


@pytest.mark.parametrize("training", [None, nn.Training()])
def test_inputs_and_gradients_given_are_not_written_to(row, training):
    layer = made(row)
    y, cache = layer.forward(each(read_only, inputs(row)), training)
    layer.backward(each(lambda part: read_only(np.ones_like(part)), y), cache)


@pytest.mark.parametrize("training", [None, nn.Training()])
def test_a_layer_keeps_no_memory_of_its_last_call(row, training):
    layer = made(row)
    before = [(inner, dict(vars(inner))) for _, inner in layer.walk()]
    state = layer.state_dict()
    y, cache = layer.forward(inputs(row), training)
    layer.backward(each(np.ones_like, y), cache)
    for inner, attributes in before:
        assert vars(inner).keys() == attributes.keys()
        assert all(getattr(inner, name) is value for name, value in attributes.items())
    after = layer.state_dict()
    assert all(value.tobytes() == after[name].tobytes() for name, value in state.items())


def test_what_is_returned_is_new_or_passed_on_whole(row):
    layer, x = made(row), inputs(row)
    y, cache = layer.forward(x, nn.Training())
    dy = each(np.ones_like, y)
    dx = layer.backward(dy, cache)
    for given, returned in ((x, y), (dy, dx)):
        for array in parts(returned):
            assert not any(np.shares_memory(array, own) for own in memory_of(layer))
            for source in parts(given):
                if np.shares_memory(array, source):
                    assert np.isin(array, source).all()
    gradients = [p.grad.copy() for p in layer.parameters()]
    each(lambda part: part.fill(np.nan), dy)
    for before, parameter in zip(gradients, layer.parameters(), strict=True):
        assert np.array_equal(before, parameter.grad)


def test_the_same_position_gives_the_same_result(row):
    results = [outputs(made(row), inputs(row), nn.Training(seed=1, step=5)) for _ in range(2)]
    assert all(a.tobytes() == b.tobytes() for a, b in zip(*results, strict=True))


def test_threads_do_not_disturb_each_other(row):
    layer, x = made(row), inputs(row)
    engine_in_use = engine.name()

    def infer(_):
        with engine.using(engine_in_use):
            return parts(layer(x))

    with ThreadPoolExecutor(4) as pool:
        for result in pool.map(infer, range(8)):
            for a, b in zip(result, parts(layer(x)), strict=True):
                assert np.array_equal(a, b)


# Batches and memory


@pytest.mark.parametrize("order", [batch_last, strided, np.asfortranarray])
def test_the_order_in_memory_means_nothing(row, order):
    expected = outputs(made(row), inputs(row), nn.Training())
    found = outputs(made(row), inputs(row, order=order), nn.Training())
    for a, b in zip(expected, found, strict=True):
        np.testing.assert_allclose(b, a, rtol=1e-10, atol=1e-12)


def test_images_lie_batch_last_all_the_way(row):
    layer, x = made(row), inputs(row, order=batch_last)
    y, cache = layer.forward(x, nn.Training())
    assert all(map(is_batch_last, parts(y)))
    dx = layer.backward(each(lambda part: batch_last(np.ones_like(part)), y), cache)
    assert all(map(is_batch_last, parts(dx)))


def test_in_inference_each_image_is_on_its_own(row):
    layer, order = made(row), [1, 0]
    together = parts(layer(inputs(row)))
    swapped = parts(layer(inputs(row, batch=order)))
    single = parts(layer(inputs(row, batch=[1])))
    alone = all(
        np.allclose(turned, whole[order], rtol=1e-12) and np.allclose(one, whole[1:2], rtol=1e-12)
        for whole, turned, one in zip(together, swapped, single, strict=True)
    )
    assert alone == row.alone


def test_a_batch_of_one_can_be_trained_on(row):
    layer, x = made(row), inputs(row, batch=range(row.smallest_batch))
    check_gradients(layer, x, tolerance=row.tolerance)


# Descriptions and files


def test_a_description_builds_the_same_layer(row):
    layer, x = made(row), inputs(row)
    described = json.loads(json.dumps(layer.describe()))
    again = nn.build(described).astype("float64")
    assert again.describe() == layer.describe()
    assert repr(again) == repr(layer)
    again.load_state_dict(layer.state_dict())
    for a, b in zip(parts(layer(x)), parts(again(x)), strict=True):
        assert np.array_equal(a, b)


@pytest.mark.parametrize("dtype", FLOATS)
def test_a_file_gives_back_the_same_layer(row, dtype, tmp_path):
    layer, x = made(row, dtype), inputs(row, dtype)
    save(layer, tmp_path / "layer.safetensors")
    again = load(tmp_path / "layer.safetensors")
    assert again.describe() == layer.describe()
    state, restored = layer.state_dict(), again.state_dict()
    assert list(state) == list(restored)
    for name, value in state.items():
        assert restored[name].dtype == value.dtype
        assert restored[name].tobytes() == value.tobytes()
    for a, b in zip(parts(layer(x)), parts(again(x)), strict=True):
        assert np.array_equal(a, b)


def test_building_a_layer_takes_no_memory_for_its_values(row):
    """So that a file can be looked at before it is believed."""
    tracemalloc.start()
    try:
        for described in absurd(row.make().describe()):
            try:
                nn.build(described)
            except errors.FileError:
                continue
        assert tracemalloc.get_traced_memory()[1] < 1_000_000
    finally:
        tracemalloc.stop()


def absurd(description):
    """Yield the description with each of its whole numbers in turn made enormous."""
    text = json.dumps(description)
    count = sum(isinstance(number, int) for number in numbers(description))
    for place in range(count):
        seen = iter(range(count))
        yield json.loads(
            text,
            parse_int=lambda digits: 2**40 if next(seen) == place else int(digits),  # noqa: B023
        )


def numbers(value):
    if isinstance(value, dict | list | tuple):
        for item in value.values() if isinstance(value, dict) else value:
            yield from numbers(item)
    elif isinstance(value, int | float) and not isinstance(value, bool):
        yield value


# Engines


def test_every_engine_gives_what_the_reference_gives(row, each_engine):
    found = outputs(made(row, "float32"), inputs(row, "float32"), nn.Training())
    with engine.using("reference"):
        expected = outputs(made(row, "float32"), inputs(row, "float32"), nn.Training())
    for a, b in zip(expected, found, strict=True):
        np.testing.assert_allclose(b, a, rtol=1e-4, atol=1e-5 * max(abs(a).max(), 1e-3))
