"""A capture is tried with other weights in the model's own memory, which are restored after it."""

import threading
import tracemalloc

import numpy as np
import pytest

from kernels import numbers
from pellucid import execution, models
from pellucid import layers as nn
from pellucid.execution import capture
from pellucid.execution.capture import AFTER
from pellucid.parameter import Parameter
from pellucid.runtime import workspace
from pellucid.runtime.workspace import Workspace
from replaying import SHAPE
from small_network import small_network

pytestmark = pytest.mark.usefixtures("on_compiled")


def stepped(model, x):
    """Make a step, whose gradients stay, and return the part that made it."""
    program = execution.fuse(model)
    y, cache = program.forward(x, nn.StepContext())
    program.backward(np.ones_like(y), cache, input_gradient=False)
    return program.part_for(x)


@pytest.fixture(params=["gradients", "no gradients"])
def known(request):
    """A model with some weights of 0 and a part that it was fused into, with gradients or none."""
    model = nn.initialize(small_network(), 1)
    part = stepped(model, numbers(SHAPE))
    if request.param == "no gradients":
        model.zero_grad()
    return model, part


def copied(model):
    return {name: value.copy() for name, value in model.state_dict().items()}


def bits(model):
    found = [*model.state_dict().values(), *(p.grad for p in model.parameters() if p.has_gradient)]
    return [array.tobytes() for array in found]


def test_values_and_gradients_are_what_they_were(known):
    model, part = known
    before = bits(model)
    assert capture.capture_step(part, numbers(SHAPE), Workspace()) is not None
    assert bits(model) == before


def test_gradients_that_are_added_up_are_added_up_across_a_capture():
    runs = []
    for program_of in (execution.fuse, execution.for_training):
        model = nn.initialize(small_network(), 1)
        program = program_of(model)
        for number in range(AFTER + 2):
            y, cache = program.forward(numbers(SHAPE, number), nn.StepContext(step=number))
            program.backward(np.ones_like(y), cache, input_gradient=False)
        runs.append([parameter.grad for parameter in model.parameters()])
    assert program.captured == [SHAPE]
    for expected, found in zip(*runs, strict=True):
        np.testing.assert_array_equal(found, expected)


def test_every_value_is_another_while_it_is_tried(known, monkeypatch):
    model, part = known
    before, tried = copied(model), []
    monkeypatch.setattr(capture, "_numbers", lambda *_: tried.append(copied(model)))
    capture.capture_step(part, numbers(SHAPE), Workspace())
    assert len(tried) == 2
    for values in tried:
        for name, value in values.items():
            assert value.dtype == int or (value != before[name]).all(), name


class NormAsSlope(nn.Layer):
    """A layer that computes a norm of its weight itself and the rest with kernels."""

    def __init__(self):
        self.weight = Parameter("weight", (1000,), "ones")

    def forward(self, x, training=None):
        layer = nn.LeakyReLU(float(np.linalg.norm(self.weight.value)))
        y, cache = layer.forward(x, training)
        return y, (layer, cache)

    def backward(self, dy, cache, *, input_gradient=True):
        layer, cache = cache
        self.weight.add_gradient(np.zeros(1000, np.float32))
        return layer.backward(dy, cache)

    def output_shape(self, input_shape):
        return input_shape


def test_a_step_that_depends_on_a_norm_of_weights_is_not_captured():
    assert capture.capture_step(NormAsSlope(), numbers(SHAPE), Workspace()) is None
    assert capture.capture_step(nn.LeakyReLU(), numbers(SHAPE), Workspace()) is not None


def test_weights_are_not_copied(monkeypatch):
    monkeypatch.setattr(workspace, "_SLAB", 1)  # so that no memory is reserved in advance
    model = nn.initialize(nn.Sequential(nn.Linear(1000, 2000), nn.Linear(2000, 3)), 1)
    x = numbers((4, 1000))
    part = stepped(model, x)
    model.zero_grad()
    capture.capture_step(part, x, Workspace())  # compiles kernels
    tracemalloc.start()
    try:
        assert capture.capture_step(part, x, Workspace()) is not None
        _, most = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert most < 1.5 * model[0].weight.value.nbytes  # a gradient, which every step computes


def test_its_memory_is_that_of_a_step_alone():
    model, shape = nn.initialize(models.resnet20((3, 16, 16), 10), 1), (8, 3, 16, 16)
    x, memory = numbers(shape), Workspace()
    with memory.used():
        part = stepped(model, x)
    model.zero_grad()
    captured = capture.capture_step(part, x, memory)
    assert captured is not None
    capture.CapturedStep(part, x, alone := Workspace())
    assert memory.nbytes == alone.nbytes


class Interrupted:
    """A function that is interrupted before or after it does something for the n-th time."""

    def __init__(self, does, number, *, before):
        self.does, self.left, self.before = does, number, before

    def __call__(self, *args, **options):
        if threading.current_thread() is not threading.main_thread():
            return self.does(*args, **options)
        self.left -= 1
        if self.left < 0 and self.before:
            raise KeyboardInterrupt
        result = self.does(*args, **options)
        if self.left < 0:
            raise KeyboardInterrupt
        return result


@pytest.mark.parametrize("before", [True, False])
@pytest.mark.parametrize(
    ("where", "name", "number"),
    [(np, "negative", 0), (np, "negative", 3), (capture, "_numbers", 0), (capture, "_numbers", 1)],
)
def test_an_interruption_leaves_no_trace(known, monkeypatch, where, name, number, before):
    model, part = known
    expected = bits(model)
    monkeypatch.setattr(where, name, Interrupted(getattr(where, name), number, before=before))
    with pytest.raises(KeyboardInterrupt):
        capture.capture_step(part, numbers(SHAPE), Workspace())
    assert bits(model) == expected
