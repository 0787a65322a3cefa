"""A frozen model computes what its model computes, for one image and for many."""

import threading
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings

import pellucid as pl
from kernels import close, convolutions, numbers
from pellucid import engine, models, reference
from pellucid import layers as nn
from pellucid.compiled import fused
from pellucid.contract import Convolution
from pellucid.errors import PellucidError
from pellucid.layers import StepContext

NETWORKS = ("lenet5", "vgg", "resnet20", "inception", "mobilenet", "densenet")


def trained(model, shape):
    """Return the model with running statistics and norms that are not those of the beginning."""
    training = StepContext()
    model.forward(numbers((8, *shape)) * 2 + 1, training)
    training.commit()
    for name, item in model.named_state():
        if "bn" in name and name.endswith("weight"):
            item.value = item.value * 1.5 + 0.1
        elif name.endswith("bias"):
            item.value = item.value + 0.3
    return model


@pytest.fixture(params=engine.NAMES)
def each_engine(request):
    with engine.using(request.param):
        yield request.param


def branching():
    """A graph with a run that can be joined, one that is read twice, and two outputs."""
    return nn.Graph(
        {
            "conv": (nn.Conv2d(3, 8, 3, padding=1), "x"),
            "bn": (nn.BatchNorm2d(8), "conv"),
            "relu": (nn.ReLU(), "bn"),
            "left": (nn.Conv2d(8, 8, 1), "relu"),
            "active": (nn.ReLU(), "left"),
            "right": (nn.Conv2d(8, 8, 3, padding=1), "relu"),
            "sum": (nn.Add(), ("active", "right")),
            "pool": (nn.MaxPool2d(2), "sum"),
        },
        output=("pool", "left"),
    )


@pytest.mark.parametrize("images", [1, 20])
def test_runs_in_a_graph_are_joined_and_what_others_read_is_kept(images, each_engine):
    graph, x = branching(), numbers((images, 3, 8, 8))
    training = StepContext()
    graph.forward(x, training)
    training.commit()
    names = [item.name for _, item in graph.named_state()]
    frozen = pl.freeze(graph)
    assert list(frozen.part.nodes) == ["relu", "left", "active", "right", "sum", "pool"]
    for found, expected in zip(frozen(x), graph(x), strict=True):
        np.testing.assert_allclose(found, expected, rtol=0, atol=1e-5 * max(1, expected.max()))
    assert [item.name for _, item in graph.named_state()] == names


def test_a_fused_graph_learns_as_the_graph_does(each_engine):
    x = numbers((20, 3, 8, 8))
    found = []
    for change in (lambda layer: layer, pl.fuse):
        graph = nn.initialize(branching(), 0)
        run = change(graph)
        outputs, cache = run.forward(x, StepContext())
        dx = run.backward(tuple(y * 0.01 for y in outputs), cache)
        found.append([dx, *outputs, *(item.grad for item in graph.parameters())])
    for one, other in zip(*found, strict=True):
        np.testing.assert_allclose(one, other, rtol=0, atol=2e-5 * max(1, abs(one).max()))


def test_freezing_leaves_the_names_of_parameters(each_engine):
    model = models.build("densenet", (3, 32, 32), 10)
    names = [item.name for _, item in model.named_state()]
    pl.freeze(model)
    assert [item.name for _, item in model.named_state()] == names


@pytest.mark.parametrize("name", NETWORKS)
@pytest.mark.parametrize("images", [1, 3, 9, 70])
def test_a_frozen_network_gives_what_the_network_gives(name, images, each_engine):
    shape = (1, 28, 28) if name == "lenet5" else (3, 32, 32)
    model = trained(models.build(name, shape, 10), shape)
    x = numbers((images, *shape), seed=1)
    expected = model(x)
    found = pl.freeze(model)(x)
    assert found.dtype == expected.dtype
    np.testing.assert_allclose(found, expected, rtol=0, atol=2e-5 * abs(expected).max())


def test_a_frozen_network_keeps_float64(each_engine):
    model = trained(models.build("resnet20", (3, 32, 32), 10), (3, 32, 32)).astype("float64")
    x = np.random.default_rng(0).normal(size=(2, 3, 32, 32))
    np.testing.assert_allclose(pl.freeze(model)(x), model(x), rtol=1e-9, atol=1e-12)


@settings(max_examples=60, deadline=None)
@given(convolutions())
def test_every_prepared_convolution_is_the_definition(convolution):
    window, groups, (_, *sizes), weight_shape = convolution
    weight, bias = numbers(weight_shape, 1), numbers(weight_shape[:1], 2)
    prepared = fused.prepare(weight, bias, groups)
    for images in (1, 5):
        x = numbers((images, *sizes))
        wide = (v.astype(float) for v in (x, weight, bias))
        given = Convolution(x.shape, weight_shape, window, groups)
        expected = reference.conv2d(*wide, replace(given, algorithm="im2col"))
        terms = int(np.prod(weight_shape[1:]))
        for relu in (False, True):
            y = fused.convolve(x, prepared, given, relu)
            close(y, np.maximum(expected, 0) if relu else expected, terms)


def test_an_image_gives_the_same_alone_and_among_others(each_engine):
    model = pl.freeze(models.build("lenet5", (1, 28, 28), 10))
    x = numbers((70, 1, 28, 28))
    np.testing.assert_allclose(model(x[:1]), model(x)[:1], rtol=1e-4, atol=1e-6)


def test_pooling_lets_what_is_not_a_number_pass(each_engine):
    x = numbers((3, 2, 6, 6))
    x[1, 0, 2, 3] = np.nan
    pool = nn.MaxPool2d(3, stride=2, padding=1)
    np.testing.assert_array_equal(pl.freeze(pool)(x), pool(x))


def test_an_image_of_minus_infinities_is_pooled(each_engine):
    x = np.full((1, 1, 4, 4), -np.inf, np.float32)
    np.testing.assert_array_equal(pl.freeze(nn.MaxPool2d(2))(x), x[..., ::2, ::2])


@pytest.mark.parametrize(
    "layer",
    [
        nn.Conv2d(3, 4, 3, padding=1, padding_mode="reflect"),
        nn.Conv2d(3, 4, 3, flip_kernel=True),
        nn.Conv2d(4, 8, 3, groups=2, stride=2),
        nn.BatchNorm2d(3, track_running_stats=False),
        nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4, track_running_stats=False)),
        nn.Sequential(nn.Conv2d(3, 4, 1), nn.Dropout(0.5), nn.ReLU(), nn.Flatten()),
        nn.Residual(nn.Conv2d(3, 3, 3, padding=1), activation=nn.Sigmoid()),
        nn.Residual(nn.Identity()),
    ],
    ids=lambda layer: type(layer).__name__,
)
@pytest.mark.parametrize("images", [1, 20])
def test_what_cannot_be_joined_is_left_as_it_is(layer, images, each_engine):
    channels = layer.in_channels if isinstance(layer, nn.Conv2d) else 3
    x = numbers((images, channels, 7, 6))
    np.testing.assert_allclose(pl.freeze(layer)(x), layer(x), rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("eps", [1e-3, 0.5])
@pytest.mark.parametrize(
    "before", [nn.Identity(), nn.Conv2d(3, 3, 1), nn.ConvTranspose2d(3, 3, 2)], ids=repr
)
def test_a_norm_keeps_the_epsilon_it_has(before, eps, each_engine):
    model, x = nn.Sequential(before, nn.BatchNorm2d(3, eps)), numbers((4, 3, 6, 5))
    model[1].running_var.value[...] = [0.1, 0.2, 0.01]
    np.testing.assert_allclose(pl.freeze(model)(x), model(x), rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("images", [1, 3, 20])
@pytest.mark.parametrize("shape", [(6, 4, 5), (6, 5, 4), (3, 40, 1), (8, 15), (120,)])
def test_images_of_any_shape_are_flattened_in_their_order(shape, images, each_engine):
    model = nn.initialize(nn.Sequential(nn.Flatten(), nn.Linear(120, 7), nn.ReLU()), 0)
    frozen, x = pl.freeze(model), numbers((images, *shape))
    close(frozen(x), model(x), 120)
    turned = x.reshape(images, *shape[::-1])  # the same weights, in another order
    close(frozen(turned), model(turned), 120)


@pytest.mark.parametrize("images", [1, 3, 20])
@pytest.mark.parametrize("window", [(2, 2, 0), (3, 1, 1), (3, 2, 1), ((1, 3), (2, 1), 0)])
@pytest.mark.parametrize("channels", [3, 8, 40, 80])
def test_pooled_alone_is_pooled(channels, window, images, each_engine):
    pool, x = nn.MaxPool2d(*window), numbers((images, channels, 9, 7))
    x[0, :, 3, 2] = np.nan
    np.testing.assert_array_equal(pl.freeze(nn.Sequential(pool))(x), pool(x))


def test_its_input_is_not_written_to(each_engine):
    x = numbers((1, 3, 8, 8))
    before = x.copy()
    pl.freeze(nn.Residual(nn.Identity(), activation=nn.ReLU()))(x)
    np.testing.assert_array_equal(x, before)


def test_later_changes_of_the_model_do_not_reach_it(each_engine):
    model = nn.Sequential(nn.Conv2d(1, 4, 3), nn.ReLU(), nn.Flatten(), nn.Linear(144, 3))
    frozen, x = pl.freeze(model), numbers((2, 1, 8, 8))
    before = frozen(x)
    for parameter in model.parameters():
        parameter.value = parameter.value + 1
    np.testing.assert_array_equal(frozen(x), before)
    assert not np.allclose(model(x), before)


def test_it_does_not_learn():
    frozen = pl.freeze(nn.Linear(3, 2))
    with pytest.raises(PellucidError, match="cannot be trained"):
        frozen.forward(numbers((2, 3)), StepContext())
    with pytest.raises(PellucidError, match="cannot be trained"):
        frozen.backward(numbers((2, 2)), None)


def test_an_image_that_does_not_fit_is_refused():
    frozen = pl.freeze(nn.Sequential(nn.Conv2d(3, 4, 3), nn.ReLU()))
    with pytest.raises(PellucidError, match="expects 3 input channels"):
        frozen(numbers((1, 1, 8, 8)))


def test_several_threads_may_ask_it_at_once():
    frozen = pl.freeze(models.build("lenet5", (1, 28, 28), 10))
    inputs = [numbers((1, 1, 28, 28), seed) for seed in range(4)]
    expected, found = [frozen(x) for x in inputs], [None] * 4

    def ask(i):
        for _ in range(20):
            found[i] = frozen(inputs[i])

    threads = [threading.Thread(target=ask, args=(i,)) for i in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for result, known in zip(found, expected, strict=True):
        np.testing.assert_array_equal(result, known)
