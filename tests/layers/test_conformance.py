"""What holds for every layer of the table in layer_table.py, in every engine."""

import json
import tracemalloc
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

import pellucid as pl
from layer_table import ROWS
from pellucid import engine, errors
from pellucid import layers as nn
from pellucid.interchange.safetensors import load, save
from pellucid.layers.base import registry
from pellucid.randomness import generator
from pellucid.testing.gradients import away_from_kinks, check_gradients

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
        x = away_from_kinks(shape, np.random.default_rng(i), row.reach)
        x = (x if row.above is None else abs(x) + row.above).astype(dtype)
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


@pytest.mark.parametrize("run", [lambda layer: layer, pl.fuse, pl.freeze])
@pytest.mark.parametrize("dtype", FLOATS)
def test_a_batch_without_images_has_an_output_without_images(row, dtype, run):
    if not row.alone:
        pytest.skip("its output depends on the whole batch, and here there is none")
    layer, x = made(row, dtype), inputs(row, dtype, batch=slice(0))
    assert shapes(run(layer)(x)) == layer.output_shape(shapes(x))


@pytest.mark.parametrize("dtype", FLOATS)
def test_a_batch_without_images_changes_nothing_in_training(row, dtype):
    layer, x, step = made(row, dtype), inputs(row, dtype, batch=slice(0)), nn.StepContext()
    if isinstance(layer, nn.BatchNorm1d | nn.BatchNorm2d):
        with pytest.raises(errors.ShapeError, match="more than one value per channel"):
            layer.forward(x, step)
        return
    before = layer.state_dict()
    y, cache = layer.forward(x, step)
    assert shapes(layer.backward(y, cache)) == shapes(x)
    step.commit()
    assert not any(parameter.grad.any() for parameter in layer.parameters())
    for name, value in layer.state_dict().items():
        np.testing.assert_array_equal(value, before[name])


@pytest.mark.parametrize("training", [None, nn.StepContext()])
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
    training = nn.StepContext()
    exact = outputs(made(row), inputs(row), training)
    rounded = outputs(made(row, "float32"), inputs(row, "float32"), nn.StepContext())
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


@pytest.mark.parametrize("training", [None, nn.StepContext()])
def test_inputs_and_gradients_given_are_not_written_to(row, training):
    layer = made(row)
    y, cache = layer.forward(each(read_only, inputs(row)), training)
    layer.backward(each(lambda part: read_only(np.ones_like(part)), y), cache)


@pytest.mark.parametrize("training", [None, nn.StepContext()])
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
    y, cache = layer.forward(x, nn.StepContext())
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
    results = [outputs(made(row), inputs(row), nn.StepContext(seed=1, step=5)) for _ in range(2)]
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
    expected = outputs(made(row), inputs(row), nn.StepContext())
    found = outputs(made(row), inputs(row, order=order), nn.StepContext())
    for a, b in zip(expected, found, strict=True):
        np.testing.assert_allclose(b, a, rtol=1e-10, atol=1e-12)


def test_images_lie_batch_last_all_the_way(row):
    layer, x = made(row), inputs(row, order=batch_last)
    y, cache = layer.forward(x, nn.StepContext())
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
    assert alone or any(inside.mixes_images for _, inside in layer.walk())


@pytest.mark.parametrize("dtype", FLOATS)
@pytest.mark.parametrize("times", [1, 5, 70])
def test_a_frozen_model_gives_for_few_and_for_many_images_what_its_model_gives(row, dtype, times):
    """Few images are computed one after the other, and many in parts, where that is the same."""
    layer, some = made(row, dtype), inputs(row, dtype)
    x = each(lambda part: np.concatenate([part * (1 + 0.01 * i) for i in range(times)]), some)
    expected, found = parts(layer(x)), parts(pl.freeze(layer)(x))
    assert len(found) == len(expected)
    for one, other in zip(found, expected, strict=True):
        within = 1e-4 if dtype == "float32" else 1e-11
        np.testing.assert_allclose(one, other, rtol=within, atol=within * abs(other).max())


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
    def step():
        layer, training = made(row, "float32"), nn.StepContext()
        found = outputs(layer, inputs(row, "float32"), training)
        training.commit()
        return [*found, *layer.state_dict().values()]

    found = step()
    with engine.using("reference"):
        expected = step()
    for a, b in zip(expected, found, strict=True):
        np.testing.assert_allclose(b, a, rtol=1e-4, atol=1e-5 * max(abs(a).max(), 1e-3))
