"""What may happen between two steps, or between a forward pass and its backward pass."""

import tracemalloc

import numpy as np
import pytest

from kernels import numbers
from pellucid import engine
from pellucid import layers as nn
from pellucid.execution.capture import AFTER
from pellucid.layers import StepContext
from replaying import SHAPE, equal, known, pair, step
from small_network import small_network

pytestmark = pytest.mark.usefixtures("on_compiled")


def change_momentum(model):
    next(layer for _, layer in model.walk() if isinstance(layer, nn.BatchNorm2d)).momentum = 0.9


def change_eps(model):
    next(layer for _, layer in model.walk() if isinstance(layer, nn.BatchNorm2d)).eps = 0.1


CHANGES = {
    "momentum": change_momentum,
    "eps": change_eps,
    "new weights": lambda model: nn.initialize(model, seed=9),
    "weights loaded": lambda model: model.load_state_dict(
        nn.initialize(small_network(), seed=4).state_dict()
    ),
    "float64 and back": lambda model: model.astype("float64").astype("float32"),
}


@pytest.mark.parametrize("name", CHANGES)
def test_what_is_changed_between_two_steps_is_seen_by_the_next(name):
    run, played = known()
    for model, _ in (run, played):
        CHANGES[name](model)
    for i in range(AFTER + 3):
        assert equal(step(*run, numbers(SHAPE, i)), step(*played, numbers(SHAPE, i)))
    assert played[1].captured == [SHAPE]


def test_numbers_of_another_type_are_run():
    run, played = known()
    for model, _ in (run, played):
        model.astype("float64")
    for i in range(AFTER + 3):
        x = numbers(SHAPE, i).astype(np.float64)
        assert equal(step(*run, x), step(*played, x))


def test_another_choice_of_algorithms_is_another_step():
    shape = (32, 16, 9, 9)
    run, played = pair(lambda: nn.Sequential(nn.Conv2d(16, 16, 3, padding=1), nn.ReLU()))
    for i in range(3 * AFTER):
        with engine.precisely(i >= AFTER + 2):
            assert equal(step(*run, numbers(shape, i)), step(*played, numbers(shape, i)))
    assert played[1].captured == [shape, shape]


def test_a_step_may_use_a_model_twice():
    run, played = pair(small_network)
    for i in range(AFTER + 3):
        for _, network in (run, played):
            training = StepContext()
            for j in range(2):
                y, cache = network.forward(numbers(SHAPE, 2 * i + j), training)
                network.backward(np.ones_like(y), cache, input_gradient=False)
            training.commit()
        assert equal(*(model.state_dict().values() for model, _ in (run, played)))


def test_who_looks_inside_sees_every_layer():
    _, (_, played) = known()
    seen = []
    with nn.observe(forward=lambda layer, x, y: seen.append(type(layer).__name__)):
        y, cache = played.forward(numbers(SHAPE), StepContext())
    assert "BatchNorm2d" in seen
    played.backward(np.ones_like(y), cache)
    y, cache = played.forward(numbers(SHAPE), StepContext())
    with nn.observe(backward=lambda layer, dy, dx: seen.append(dx.shape)):
        played.backward(np.ones_like(y), cache, input_gradient=False)
    assert (8, 8, 5, 5) in seen


def test_the_input_gradient_is_there_for_who_asks():
    run, played = known()
    x, given = numbers(SHAPE, 7), []
    for model, network in (run, played):
        y, cache = network.forward(x, StepContext())
        model.zero_grad()
        given.append([network.backward(np.ones_like(y), cache)])
        given[-1] += [parameter.grad for parameter in model.parameters()]
    assert equal(*given)


def test_two_forward_passes_before_their_backward_passes():
    run, played = known()
    given = []
    for model, network in (run, played):
        first, second = StepContext(), StepContext()
        y, cache = network.forward(numbers(SHAPE, 7), first)
        y2, cache2 = network.forward(numbers(SHAPE, 8), second)
        model.zero_grad()
        network.backward(np.ones_like(y), cache, input_gradient=False)
        network.backward(np.ones_like(y2), cache2, input_gradient=False)
        first.commit()
        given.append([y, y2, *(p.grad.copy() for p in model.parameters())])
        given[-1] += model.state_dict().values()
    assert equal(*given)
    assert equal(step(*run, numbers(SHAPE, 9)), step(*played, numbers(SHAPE, 9)))


def test_gradients_of_several_steps_add_up():
    run, played = known()
    for model, network in (run, played):
        model.zero_grad()
        for i in range(3):
            y, cache = network.forward(numbers(SHAPE, i), StepContext())
            network.backward(np.ones_like(y), cache, input_gradient=False)
    assert equal(*([p.grad for p in model.parameters()] for model, _ in (run, played)))


def test_to_write_a_step_down_leaves_gradients_and_running_statistics_as_they_were():
    run, played = pair(small_network)
    for model, network in (run, played):
        model.zero_grad()
        for i in range(AFTER + 2):
            y, cache = network.forward(numbers(SHAPE, i), StepContext())
            network.backward(np.ones_like(y), cache, input_gradient=False)
    assert played[1].captured == [SHAPE]
    assert equal(*([p.grad for p in model.parameters()] for model, _ in (run, played)))
    assert equal(*(model.state_dict().values() for model, _ in (run, played)))


def test_a_step_that_is_given_up_changes_nothing_and_the_next_is_right():
    run, played = known()
    played[1].forward(numbers(SHAPE, 7), StepContext())
    assert equal(step(*run, numbers(SHAPE, 8)), step(*played, numbers(SHAPE, 8)))


def test_outputs_that_were_given_stay_as_they_are():
    _, (model, played) = known()
    y = played.forward(numbers(SHAPE, 1), StepContext())[0]
    before = y.copy()
    step(model, played, numbers(SHAPE, 2))
    np.testing.assert_array_equal(y, before)


def test_notes_that_wait_are_not_overwritten():
    run, played = known()
    notes = []
    for model, network in (run, played):
        first, second = StepContext(), StepContext()
        for i, training in enumerate((first, second)):
            y, cache = network.forward(numbers(SHAPE, i), training)
            network.backward(np.ones_like(y), cache, input_gradient=False)
        first.commit()
        notes.append(model.state_dict().values())
    assert equal(*notes)


def test_a_played_step_makes_no_large_array():
    _, (_, played) = known()
    x = numbers((256, *SHAPE[1:]))
    for _ in range(AFTER + 2):
        y, cache = played.forward(x, StepContext())
        played.backward(np.ones_like(y), cache, input_gradient=False)
    tracemalloc.start()
    y, cache = played.forward(x, StepContext())
    played.backward(np.ones_like(y), cache, input_gradient=False)
    _, most = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert most < x.nbytes
