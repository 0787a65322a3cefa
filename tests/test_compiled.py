"""The compiled engine computes what the reference computes, for every shape and on any machine."""

import os
import subprocess
import sys

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pellucid import compiled, engine, losses, models, optim, reference, training
from pellucid import layers as nn
from pellucid.compiled import layout
from pellucid.compiled.conv import point_gradient, winograd, winograd_gradient
from pellucid.errors import PellucidError
from pellucid.geometry import Window
from pellucid.parameter import Parameter
from pellucid.workspace import Workspace, empty


@st.composite
def convolutions(draw):
    """A window, a number of groups, and shapes of input and weight, small and of every kind."""
    kernel = draw(st.tuples(st.integers(1, 5), st.integers(1, 5)))
    dilation = draw(st.tuples(st.integers(1, 2), st.integers(1, 2)))
    padding = tuple(draw(st.tuples(st.integers(0, 3), st.integers(0, 3))) for _ in range(2))
    extent = [d * (k - 1) + 1 for k, d in zip(kernel, dilation, strict=True)]
    size = tuple(
        draw(st.integers(max(1, e - sum(p)), e + 6)) for e, p in zip(extent, padding, strict=True)
    )
    stride = draw(st.tuples(st.integers(1, 4), st.integers(1, 4)))
    window = Window.of(size, kernel, stride=stride, padding=padding, dilation=dilation)
    groups = draw(st.sampled_from([1, 1, 2, 3]))
    C, F = draw(st.integers(1, 5)) * groups, draw(st.integers(1, 9)) * groups
    N = draw(st.sampled_from([1, 2, 15, 16, 17, 40, 64, 70]))
    return window, groups, (N, C, *size), (F, C // groups, *kernel)


def numbers(shape, seed=0):
    return np.random.default_rng(seed).normal(size=shape).astype(np.float32)


def close(found, expected, terms):
    """Assert that sums of so many products differ by no more than float32 rounding makes likely."""
    bound = 4 * np.sqrt(terms) * 2**-23 * max(1.0, float(abs(expected).max(initial=0)))
    assert found.dtype == np.float32
    np.testing.assert_allclose(found, expected, rtol=0, atol=bound)


@settings(max_examples=60, deadline=None)
@given(convolutions(), st.sampled_from(["direct", "auto"]))
def test_every_convolution_and_its_gradients_are_the_definition(convolution, algorithm):
    window, groups, input_shape, weight_shape = convolution
    x, weight, bias = numbers(input_shape), numbers(weight_shape, 1), numbers(weight_shape[:1], 2)
    wide = x.astype(float), weight.astype(float)
    y = compiled.conv2d(x, weight, bias, window, groups, algorithm)
    terms = int(np.prod(weight_shape[1:]))
    close(y, reference.conv2d(*wide, bias.astype(float), window, groups, "im2col"), terms)
    dy = numbers(y.shape, 3)
    dx = compiled.conv2d_input_gradient(dy, weight, input_shape, window, groups, algorithm)
    expected = reference.conv2d_input_gradient(
        dy.astype(float), wide[1], input_shape, window, groups, "im2col"
    )
    close(dx, expected, terms * weight_shape[0])
    dw = compiled.conv2d_weight_gradient(dy, x, weight_shape, window, groups, algorithm)
    expected = reference.conv2d_weight_gradient(
        dy.astype(float), wide[0], weight_shape, window, groups, "im2col"
    )
    close(dw, expected, dy.size)


@pytest.mark.parametrize("size", [(6, 6), (7, 9), (4, 5), (1, 2), (13, 8)])
@pytest.mark.parametrize("padding", [0, 1, 2, ((2, 0), (1, 2))])
@pytest.mark.parametrize("images", [3, 64])
def test_winograd_fits_any_size_and_padding(size, padding, images):
    try:
        window = Window.of(size, 3, padding=padding)
    except PellucidError:
        return  # no output at all
    x, weight, bias = numbers((images, 5, *size)), numbers((7, 5, 3, 3), 1) / 7, numbers(7, 2)
    expected = reference.conv2d(
        x.astype(float), weight.astype(float), bias.astype(float), window, 1, "im2col"
    )
    y = winograd.forward(x, weight, bias, window)
    np.testing.assert_allclose(y, expected, rtol=0, atol=1e-4)
    dx = winograd.input_gradient(y, weight, x.shape, window)
    expected = reference.conv2d_input_gradient(
        expected, weight.astype(float), x.shape, window, 1, "im2col"
    )
    np.testing.assert_allclose(dx, expected, rtol=0, atol=2e-4)
    dw = winograd_gradient.weight_gradient(y, x, weight.shape, window)
    expected = reference.conv2d_weight_gradient(
        y.astype(float), x.astype(float), weight.shape, window, 1, "im2col"
    )
    np.testing.assert_allclose(dw, expected, rtol=0, atol=1e-4 * abs(expected).max())


@pytest.mark.parametrize("images", [1, 5, 64, 150])
@pytest.mark.parametrize(("filters", "channels"), [(8, 8), (18, 33), (128, 80), (10, 16)])
def test_weight_gradients_of_1x1_kernels_fit_any_channels_and_images(images, filters, channels):
    window = Window.of((3, 5), 1)
    x, dy = numbers((images, channels, 3, 5)), numbers((images, filters, 3, 5), 1)
    shape = (filters, channels, 1, 1)
    assert point_gradient.supports(shape, window, 1)
    dw = compiled.conv2d_weight_gradient(dy, x, shape, window, 1, "direct")
    expected = np.einsum("nfhw,nchw->fc", dy.astype(float), x.astype(float))[..., None, None]
    np.testing.assert_allclose(dw, expected, rtol=0, atol=1e-6 * abs(expected).max() * 10)


@pytest.mark.parametrize("images", [1, 16, 40])
@pytest.mark.parametrize("channels", [3, 40])
@pytest.mark.parametrize(
    ("size", "kernel", "options"),
    [
        ((19, 5), 3, {"padding": 1}),
        ((18, 13), 3, {"stride": 2, "padding": ((1, 0), (0, 1))}),
        ((9, 20), (2, 5), {"dilation": 2, "padding": (1, 4), "stride": (3, 1)}),
    ],
)
def test_depthwise_weight_gradients_fit_any_shape(size, kernel, options, channels, images):
    window = Window.of(size, kernel, **options)
    x, dy = numbers((images, channels, *size)), numbers((images, channels, *window.output_size), 1)
    shape = (channels, 1, *window.kernel)
    dw = compiled.conv2d_weight_gradient(dy, x, shape, window, channels, "depthwise")
    wide = dy.astype(float), x.astype(float)
    expected = reference.conv2d_weight_gradient(*wide, shape, window, channels, "im2col")
    close(dw, expected, images * np.prod(window.output_size))


@pytest.mark.parametrize("order", ["C", "batch last"])
@pytest.mark.parametrize("images", [3, 64])
def test_channels_are_joined_cut_and_added_up_exactly(order, images):
    def made(channels, seed):
        x = numbers((images, channels, 5, 4), seed)
        if order == "C":
            return x
        return np.ascontiguousarray(x.transpose(2, 3, 1, 0)).transpose(3, 2, 0, 1)

    parts = [made(channels, channels) for channels in (3, 1, 17)]
    joined = compiled.concatenate(parts, 1)
    np.testing.assert_array_equal(joined, np.concatenate(parts, 1))
    for piece, part in zip(compiled.split(joined, [3, 4, 21], 1), parts, strict=True):
        np.testing.assert_array_equal(piece, part)
    for count in (1, 2, 3, 5, 6, 11):
        equal = [made(6, seed) for seed in range(count)]
        np.testing.assert_array_equal(compiled.total(equal), sum(equal[1:], equal[0]))


@pytest.mark.parametrize("images", [1, 7, 64, 130])
@pytest.mark.parametrize(("inputs", "outputs"), [(1, 1), (33, 5), (100, 70), (400, 10)])
def test_matrix_products_fit_any_size(images, inputs, outputs):
    x, weight, bias = numbers((images, inputs)), numbers((outputs, inputs), 1), numbers(outputs, 2)
    dy = numbers((images, outputs), 3)
    wide = x.astype(float), weight.astype(float), dy.astype(float)
    for found, expected in (
        (compiled.linear(x, weight, bias), wide[0] @ wide[1].T + bias),
        (compiled.linear_input_gradient(dy, weight), wide[2] @ wide[1]),
        (compiled.linear_weight_gradient(dy, x), wide[2].T @ wide[0]),
    ):
        np.testing.assert_allclose(found, expected, rtol=0, atol=1e-5 * (1 + abs(expected).max()))


def test_an_algorithm_that_cannot_do_it_says_so():
    window = Window.of((8, 8), 5)
    with pytest.raises(PellucidError, match="3×3 kernel"):
        compiled.conv2d(numbers((1, 2, 8, 8)), numbers((2, 2, 5, 5)), None, window, 1, "winograd4")
    with pytest.raises(PellucidError, match="one filter for each channel"):
        compiled.conv2d(numbers((1, 2, 8, 8)), numbers((2, 2, 5, 5)), None, window, 1, "depthwise")


FINISHES = [
    (relu, pooled, shortcut)
    for relu in (False, True)
    for pooled in (
        None,
        {"kernel_size": 2, "stride": 2},
        {"kernel_size": 3, "stride": 2, "padding": 1},
    )
    for shortcut in (False, True)
]


@pytest.mark.parametrize(("relu", "pooled", "shortcut"), FINISHES)
@pytest.mark.parametrize("normalized", [False, True])
@pytest.mark.parametrize("images", [5, 64])
def test_one_pass_is_the_same_as_one_pass_for_each_step(relu, pooled, shortcut, normalized, images):
    z, around = numbers((images, 5, 6, 8)), numbers((images, 5, 6, 8), 1) if shortcut else None
    window = None if pooled is None else Window.of((6, 8), **pooled)
    weight, bias = numbers(5, 2), numbers(5, 3)
    if normalized:
        results = [
            e.normalize_finish(z, weight, bias, 1e-5, around, relu, window)
            for e in (compiled, reference)
        ]
        for found, expected in zip(*(r[:3] for r in results), strict=True):
            np.testing.assert_allclose(found, expected, rtol=1e-5, atol=2e-6)
        dy = numbers(results[0][0].shape, 4)
        gradients = [
            e.normalize_finish_gradient(dy, r[3], weight)
            for e, r in zip((compiled, reference), results, strict=True)
        ]
    else:
        results = [e.finish(z, None, around, relu, window) for e in (compiled, reference)]
        np.testing.assert_array_equal(results[0][0], results[1][0])
        dy = numbers(results[0][0].shape, 4)
        gradients = [
            e.finish_gradient(dy, r[1]) for e, r in zip((compiled, reference), results, strict=True)
        ]
    for found, expected in zip(*gradients, strict=True):
        assert (found is None) == (expected is None)
        if expected is not None:
            np.testing.assert_allclose(found, expected, rtol=1e-4, atol=3e-5)


def test_pooling_passes_on_what_is_not_a_number_and_minus_infinity():
    x = np.full((1, 1, 2, 4), -np.inf, np.float32)
    x[0, 0, 1, 3] = np.nan
    window = Window.of((2, 4), 2, stride=2)
    for e in (compiled, reference):
        y, indices = e.max_pool2d(x, window)
        np.testing.assert_array_equal(y.ravel(), [-np.inf, np.nan])
        assert indices.ravel().tolist() == [0, 3]


def small_network():
    block = nn.Residual(
        nn.Sequential(
            conv1=nn.Conv2d(8, 8, 3, padding=1, bias=False), bn1=nn.BatchNorm2d(8), relu=nn.ReLU(),
            conv2=nn.Conv2d(8, 8, 3, padding=1, bias=False), bn2=nn.BatchNorm2d(8),
        ),
        activation=nn.ReLU(),
    )  # fmt: skip
    branches = nn.Concat(
        nn.Sequential(nn.Conv2d(8, 4, 1), nn.ReLU()),
        nn.Sequential(nn.MaxPool2d(3, 1, 1), nn.Conv2d(8, 4, 1), nn.BatchNorm2d(4), nn.ReLU()),
    )
    return nn.Sequential(
        nn.Conv2d(2, 8, 5, padding=2), nn.ReLU(), nn.MaxPool2d(2), block, branches,
        nn.Conv2d(8, 8, 3, groups=8), nn.BatchNorm2d(8), nn.ReLU(), nn.Flatten(), nn.Linear(72, 3),
    )  # fmt: skip


def a_step(model, run, x, targets):
    step = nn.Training()
    outputs, cache = run.forward(x, step)
    _, gradient = losses.cross_entropy(outputs, targets)
    model.zero_grad()
    run.backward(gradient, cache, input_gradient=False)
    step.commit()
    gradients = {name: p.grad.copy() for name, p in model.named_parameters().items()}
    return outputs, gradients, model.state_dict()


@pytest.mark.parametrize("name", engine.NAMES)
def test_a_fused_model_trains_as_the_model_that_it_was_made_from(name):
    x, targets = numbers((12, 2, 10, 10)), np.arange(12) % 3
    results = []
    with engine.using(name):
        for fused in (False, True):
            model = nn.initialize(small_network(), seed=1)
            results.append(a_step(model, nn.fuse(model) if fused else model, x, targets))
    (outputs, gradients, state), (outputs_f, gradients_f, state_f) = results
    np.testing.assert_allclose(outputs_f, outputs, rtol=1e-4, atol=1e-5)
    assert list(gradients_f) == list(gradients)
    assert list(state_f) == list(state)
    for key, expected in gradients.items():
        np.testing.assert_allclose(gradients_f[key], expected, rtol=1e-3, atol=2e-5, err_msg=key)
    for key, expected in state.items():
        np.testing.assert_allclose(state_f[key], expected, rtol=1e-4, atol=1e-5, err_msg=key)
    np.testing.assert_allclose(nn.fuse(model)(x), model(x), rtol=1e-4, atol=1e-5)


def test_gradients_are_written_over_no_array_that_others_may_see():
    chain = nn.fuse(
        nn.Sequential(
            nn.Conv2d(2, 4, 3), nn.BatchNorm2d(4), nn.ReLU(),
            nn.Conv2d(4, 4, 3), nn.ReLU(), nn.Conv2d(4, 2, 3), nn.BatchNorm2d(2),
        )
    )  # fmt: skip
    with engine.using("compiled"):
        y, cache = chain.forward(numbers((5, 2, 9, 9)), nn.Training())
        dy = layout.images(layout.memory(numbers(y.shape, 1)))
        chain.backward(dy, cache)
    np.testing.assert_array_equal(dy, numbers(y.shape, 1))


def test_fusing_leaves_the_model_and_its_names_alone():
    model = small_network()
    names = [p.name for p in model.parameters()]
    fused = nn.fuse(model)
    assert [p.name for p in model.parameters()] == names
    assert {id(p) for p in fused.parameters()} == {id(p) for p in model.parameters()}
    with pytest.raises(PellucidError, match="no description"):
        fused.describe()


def test_images_lie_position_by_position_and_nothing_is_converted_between_layers(monkeypatch):
    model, x = nn.fuse(small_network()), numbers((8, 2, 10, 10))
    with engine.using("compiled"):
        lying = layout.images(layout.memory(x))
        model(lying)  # made once, so that everything is compiled
        copies = []
        kernel = layout._turn
        monkeypatch.setattr(layout, "_turn", lambda *args: (copies.append(args), kernel(*args)))
        np.testing.assert_array_equal(model(lying), model(x))
    assert len(copies) == 1  # x itself, the second time


def test_a_step_takes_its_memory_from_the_step_before():
    model, x, targets = small_network(), numbers((64, 2, 10, 10)), np.arange(64) % 3
    run, workspace, sizes = nn.fuse(model), Workspace(), []
    with engine.using("compiled"), workspace.used():
        for _ in range(4):
            a_step(model, run, x, targets)
            sizes.append(workspace.nbytes)
    assert sizes[1] == sizes[2] == sizes[3]


def test_memory_is_handed_out_again_only_when_nobody_refers_to_it():
    workspace = Workspace()
    with workspace.used():
        first = empty((100, 100), np.float32)
        view = first[:50].T
        second = empty((100, 100), np.float32)
        assert not np.shares_memory(first, second)
        del first
        assert not np.shares_memory(view, empty((100, 100), np.float32))
        address = view.ctypes.data
        del view
        assert empty((100, 100), np.float32).ctypes.data == address
    assert not np.shares_memory(second, empty((100, 100), np.float32))


TRAIN = """
import hashlib, numpy as np
from pellucid import layers as nn, models, optim, training
rng = np.random.default_rng(0)
x, y = rng.normal(size=(70, 3, 12, 12)).astype(np.float32), rng.integers(0, 4, 70)
model = models.build("resnet20", (3, 12, 12), 4)
sgd = optim.SGD(model.parameters(), lr=0.1, momentum=0.9)
for epoch in training.train(model, (x, y), optimizer=sgd):
    pass
print(hashlib.sha256(b"".join(v.tobytes() for v in model.state_dict().values())).hexdigest())
"""


def run_python(code, **environment):
    process = subprocess.run(
        [sys.executable, "-c", code],
        env=os.environ | {"PELLUCID_ENGINE": "compiled"} | environment,
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    return process.stdout.strip(), process.stderr


def test_results_are_the_same_to_the_last_bit_whatever_the_number_of_threads():
    one, _ = run_python(TRAIN, NUMBA_NUM_THREADS="1")
    two, _ = run_python(TRAIN, NUMBA_NUM_THREADS="2")
    assert one == two


COMPUTE = """
import numpy as np
from pellucid import ops
print(float(ops.relu(np.ones((1, 1, 2, 2), np.float32)).sum()))
"""


def test_kernels_are_compiled_once_and_then_read_from_disk(tmp_path):
    said = [run_python(COMPUTE, PELLUCID_HOME=str(tmp_path))[1] for _ in range(2)]
    assert "compiling" in said[0]
    assert said[1] == ""


SHARE = """
import numba, numpy as np
from pellucid.compiled.jit import jit_sized

@jit_sized
def threads(work, ids):
    for i in numba.prange(len(ids)):
        ids[i] = numba.get_thread_id()

numba.set_num_threads(2)
ids = np.empty(1000, np.int64)
for work in (1, 1 << 20):
    threads(work, ids)
    print(len(set(ids)))
"""


def test_a_kernel_compiled_for_one_thread_is_not_taken_for_the_one_that_shares_its_work(tmp_path):
    for _ in range(2):  # compiled, then read from disk
        said, _ = run_python(SHARE, PELLUCID_HOME=str(tmp_path), NUMBA_NUM_THREADS="2")
        assert said.split() == ["1", "2"]


@pytest.mark.parametrize("damage", [b"", b"nonsense"])
def test_a_damaged_cache_is_compiled_anew(tmp_path, damage):
    run_python(COMPUTE, PELLUCID_HOME=str(tmp_path))
    for file in tmp_path.rglob("*.nb[ci]"):
        file.write_bytes(damage)
    assert run_python(COMPUTE, PELLUCID_HOME=str(tmp_path))[0] == "4.0"


def test_a_cache_that_cannot_be_written_is_no_error(tmp_path):
    (tmp_path / "kernels").write_text("a file where a folder should be")
    assert run_python(COMPUTE, PELLUCID_HOME=str(tmp_path))[0] == "4.0"


def test_a_cache_that_others_may_write_to_is_not_read(tmp_path):
    run_python(COMPUTE, PELLUCID_HOME=str(tmp_path))
    (folder,) = (tmp_path / "kernels").iterdir()
    folder.chmod(0o777)
    assert "compiling" not in run_python(COMPUTE, PELLUCID_HOME=str(tmp_path))[1]


def test_a_network_learns_as_it_does_on_the_reference_engine():
    rng = np.random.default_rng(0)
    targets = rng.integers(0, 3, 90)
    x = rng.normal(size=(90, 1, 12, 12)).astype(np.float32) + targets[:, None, None, None]
    curves = []
    for name in engine.NAMES:
        model = nn.initialize(models.build("lenet5", (1, 12, 12), 3), seed=0)
        adam = optim.Adam(model.parameters(), lr=1e-3)
        with engine.using(name):
            epochs = list(training.train(model, (x, targets), optimizer=adam, epochs=3))
        curves.append([epoch.loss for epoch in epochs])
    np.testing.assert_allclose(curves[0], curves[1], rtol=1e-3)


@pytest.mark.parametrize("kind", [optim.SGD, optim.Adam])
def test_an_update_finds_arrays_of_all_sizes_and_those_that_took_their_place(kind):
    def values(name):
        shapes = [(), (3,), (70, 300), (2, 3, 5, 5), (1,), (16384,)]
        parameters = [Parameter(f"w{i}", shape, "zeros") for i, shape in enumerate(shapes)]
        optimizer = kind(parameters, lr=0.1, weight_decay=0.01)
        if kind is optim.SGD:
            optimizer.momentum = 0.9
        with engine.using(name):
            for step in range(4):
                if step == 2:
                    for p in parameters:
                        p.initialize(seed=1)
                optimizer.zero_grad()
                for i, p in enumerate(parameters):
                    p.add_gradient(numbers(p.shape, seed=10 * step + i))
                optimizer.step()
        return [p.value for p in parameters]

    for found, expected in zip(*map(values, engine.NAMES), strict=True):
        np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-6)


def test_what_is_not_finite_is_found_in_arrays_of_all_sizes():
    arrays = [np.full(size, 3e38, np.float32) for size in (1, 7, 70000)]
    assert compiled.are_finite(arrays)
    for array in arrays:
        for wrong in (np.nan, np.inf, -np.inf):
            array[-1] = wrong
            assert not compiled.are_finite(arrays)
        array[-1] = 0


@pytest.mark.parametrize("e", [compiled, reference])
def test_precise_leaves_out_the_algorithm_that_rounds_more(e):
    window, shapes = Window.of((16, 16), 3, padding=1), ((64, 64, 16, 16), (64, 64, 3, 3))
    assert e.conv2d_algorithm("auto", *shapes, window, 1) == "winograd4"
    assert e.conv2d_algorithm("precise", *shapes, window, 1) != "winograd4"


def test_precisely_holds_for_every_convolution_that_chooses():
    x, layer = numbers((64, 32, 9, 9)), nn.Conv2d(32, 32, 3)
    exact = layer.astype("float64")(x.astype(float))
    layer = layer.astype("float32")
    with engine.using("compiled"):
        fast = abs(layer(x) - exact).max()
        with engine.precisely():
            precise = abs(layer(x) - exact).max()
    assert precise < fast / 2
