"""A training step that is played gives what it gives when it is run, bit for bit."""

from dataclasses import dataclass

import numpy as np
import pytest

from kernels import numbers
from layer_table import ROWS
from pellucid import compiled, engine, execution, reference
from pellucid import layers as nn
from pellucid.execution import capture
from pellucid.execution.capturable import CAPTURABLE, always
from pellucid.execution.capture import AFTER
from pellucid.parameter import Parameter
from pellucid.runtime.recording import Recording
from pellucid.runtime.workspace import Workspace
from replaying import NETWORKS, SHAPE, equal, known, pair, step
from small_network import small_network

pytestmark = pytest.mark.usefixtures("on_compiled")


def of_one_input(row):
    return isinstance(row.shape[0], int)


@pytest.mark.parametrize("name", NETWORKS)
def test_a_networks_steps_are_played_once_they_are_known(name):
    make, shape = NETWORKS[name]
    run, played = pair(make)
    for i in range(AFTER + 3):
        assert played[1].captured == ([shape] if i > AFTER else [])
        assert equal(step(*run, numbers(shape, i)), step(*played, numbers(shape, i)))


@pytest.mark.parametrize("name", [name for name, row in ROWS.items() if of_one_input(row)])
@pytest.mark.filterwarnings("ignore::RuntimeWarning")
def test_every_layer_gives_the_same_in_a_model_that_may_be_played(name):
    row = ROWS[name]
    shape = (max(row.shape[0], row.smallest_batch), *row.shape[1:])
    C = shape[1]

    def make():
        before = nn.Conv2d(C, C, 1) if len(shape) == 4 else nn.Linear(shape[-1], shape[-1])
        return nn.Sequential(before, row.make())

    run, played = pair(make)
    for i in range(AFTER + 3):
        assert equal(step(*run, numbers(shape, i)), step(*played, numbers(shape, i)))


def test_each_shape_of_input_is_played_by_itself():
    run, played = pair(small_network)
    shapes = SHAPE, (5, *SHAPE[1:])
    for i in range(2 * AFTER + 4):
        x = numbers(shapes[i % 2], i)
        assert equal(step(*run, x), step(*played, x))
    assert played[1].captured == list(shapes)


def test_many_shapes_of_input_are_run():
    run, played = pair(small_network)
    for i in range(60):
        x = numbers((i % 10 + 2, *SHAPE[1:]), i)
        assert equal(step(*run, x), step(*played, x))
    assert len(played[1].captured) == 4


def test_dropout_is_drawn_anew_in_each_step():
    make = lambda: nn.Sequential(  # noqa: E731
        nn.Dropout2d(0.5), nn.Conv2d(2, 4, 3), nn.ReLU(), nn.Dropout(0.2), nn.Conv2d(4, 3, 3)
    )
    run, played = pair(make)
    for i in range(AFTER + 4):
        assert equal(step(*run, numbers(SHAPE), i), step(*played, numbers(SHAPE), i))
    assert played[1].captured == [SHAPE]


class _Noise(nn.Layer):
    """A layer that asks for a generator."""

    def forward(self, x, training=None):
        return x + training.generator("noise").normal(), None

    def backward(self, dy, cache, *, input_gradient=True):
        return dy

    def output_shape(self, input_shape):
        return input_shape


def test_other_random_numbers_are_never_played(monkeypatch):
    monkeypatch.setitem(CAPTURABLE, _Noise, always)
    run, played = pair(lambda: nn.Sequential(nn.Conv2d(2, 4, 3), _Noise()))
    for i in range(AFTER + 4):
        assert equal(step(*run, numbers(SHAPE), i), step(*played, numbers(SHAPE), i))
    assert played[1].captured == []


def test_a_mean_over_all_batches_is_never_played():
    run, played = pair(lambda: nn.Sequential(nn.Conv2d(2, 3, 1), nn.BatchNorm2d(3, momentum=None)))
    for i in range(AFTER + 3):
        assert equal(step(*run, numbers(SHAPE, i)), step(*played, numbers(SHAPE, i)))
    assert played[1].captured == []


def test_a_step_with_work_that_no_kernel_does_is_not_played(monkeypatch):
    monkeypatch.setattr(compiled, "adaptive_avg_pool2d", reference.adaptive_avg_pool2d)
    make = lambda: nn.Sequential(nn.Conv2d(2, 3, 3), nn.ReLU(), nn.GlobalAvgPool2d())  # noqa: E731
    run, played = pair(make)
    for i in range(AFTER + 3):
        assert equal(step(*run, numbers(SHAPE, i)), step(*played, numbers(SHAPE, i)))
    assert played[1].captured == []


def test_it_is_found_even_where_weights_of_zero_hide_it(monkeypatch):
    monkeypatch.setattr(compiled, "relu_gradient", reference.relu_gradient)
    run, played = pair(
        lambda: nn.Sequential(
            nn.Conv2d(2, 3, 1), nn.MaxPool2d(2), nn.ReLU(), last=nn.Conv2d(3, 3, 1)
        )
    )
    for i in range(AFTER + 4):
        for model, _ in (run, played):
            if i <= AFTER:
                model["last"].weight.value[...] = 0
        assert equal(step(*run, numbers(SHAPE, i)), step(*played, numbers(SHAPE, i)))
    assert played[1].captured == []


def test_what_is_left_to_numpy_is_noticed_even_if_no_number_shows_it(monkeypatch):
    monkeypatch.setattr(capture, "_numbers", lambda *_: [])  # as where every ReLU is dead
    reflect = {"padding": 1, "padding_mode": "reflect"}
    run, played = pair(
        lambda: nn.Sequential(nn.Conv2d(2, 2, 1), nn.ReLU(), nn.Conv2d(2, 2, 3, **reflect))
    )
    for i in range(AFTER + 3):
        assert equal(step(*run, numbers(SHAPE, i)), step(*played, numbers(SHAPE, i)))
    assert played[1].captured == []


class _Doubled(nn.Layer):
    """A layer that somebody wrote."""

    def forward(self, x, training=None):
        return 2 * x, None

    def backward(self, dy, cache, *, input_gradient=True):
        return 2 * dy

    def output_shape(self, input_shape):
        return input_shape


def test_a_layer_from_elsewhere_is_run():
    run, played = pair(lambda: nn.Sequential(nn.Conv2d(2, 3, 3), nn.ReLU(), _Doubled()))
    for i in range(AFTER + 3):
        assert equal(step(*run, numbers(SHAPE, i)), step(*played, numbers(SHAPE, i)))
    assert played[1].captured == []


@dataclass
class _Named(nn.Layer):
    """A layer that somebody wrote as a plain dataclass: it has no hash."""

    name: str = "mine"

    def forward(self, x, training=None):
        return x, None

    def backward(self, dy, cache, *, input_gradient=True):
        return dy

    def output_shape(self, input_shape):
        return input_shape


def test_a_layer_without_a_hash_is_run():
    run, played = pair(lambda: nn.Sequential(nn.Conv2d(2, 3, 3), _Named()))
    for i in range(AFTER + 3):
        for model, _ in (run, played):
            model["1"].name = f"step {i}"
        assert equal(step(*run, numbers(SHAPE, i)), step(*played, numbers(SHAPE, i)))


def test_inference_and_the_reference_engine_are_never_played():
    (_, _), (model, played) = known()
    np.testing.assert_array_equal(played(numbers(SHAPE)), execution.fuse(model)(numbers(SHAPE)))
    with engine.using("reference"):
        program = execution.for_training(model)
        for i in range(AFTER + 3):
            program.forward(numbers(SHAPE, i), nn.StepContext())
        assert program.captured == []


def test_a_layer_that_stands_twice_in_a_network():
    def make():
        conv, norm = nn.Conv2d(2, 2, 3, padding=1), nn.BatchNorm2d(2)
        return nn.Sequential(
            nn.Sequential({"conv": conv, "norm": norm}),
            nn.ReLU(),
            nn.Sequential({"conv": conv, "norm": norm}),
        )

    run, played = pair(make)
    for i in range(AFTER + 3):
        assert equal(step(*run, numbers(SHAPE, i)), step(*played, numbers(SHAPE, i)))
    assert played[1].captured == [SHAPE]


def test_a_gradient_may_be_added_by_its_name():
    weight = Parameter("weight", (2,), "zeros")
    weight.add_gradient(gradient=np.ones(2, np.float32))
    recording = Recording(Workspace())
    with recording.capturing():
        weight.add_gradient(gradient=np.ones(2, np.float32))
    recording.replay()
    np.testing.assert_array_equal(weight.grad, [3, 3])
