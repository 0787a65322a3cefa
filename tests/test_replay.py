"""A training step that is played gives what it gives when it is run, bit for bit."""

import tracemalloc
from dataclasses import dataclass

import numpy as np
import pytest

from kernels import numbers
from layer_table import ROWS
from pellucid import compiled, engine, models, reference
from pellucid import layers as nn
from pellucid.layers import Training, replay
from pellucid.layers.replay import AFTER, Replayed
from small_network import small_network

pytestmark = pytest.mark.usefixtures("on_compiled")

SHAPE = (8, 2, 10, 10)


@pytest.fixture
def on_compiled():
    with engine.using("compiled"):
        yield


def step(model, run, x, number=3):
    """One step with a made-up loss; all that it gives."""
    training = Training(seed=1, epoch=2, step=number)
    y, cache = run.forward(x, training)
    dy = np.empty_like(y)
    dy[...] = numbers(y.shape, 5)
    model.zero_grad()
    run.backward(dy, cache, input_gradient=False)
    training.commit()
    given = [y.copy(), *(parameter.grad.copy() for parameter in model.parameters())]
    for parameter in model.parameters():
        parameter.value[...] -= 0.01 * parameter.grad
    return [*given, *model.state_dict().values()]


def equal(one, other):
    return all(a.tobytes() == b.tobytes() for a, b in zip(one, other, strict=True))


def pair(make, seed=1):
    """The same network twice: one that is run and one that is played, with their models."""
    run, played = nn.initialize(make(), seed), nn.initialize(make(), seed)
    return (run, nn.for_engine(run)), (played, nn.for_training(played))


def known(make=small_network):
    """Such a pair after some steps, when the steps are played."""
    run, played = pair(make)
    for i in range(AFTER + 2):
        assert equal(step(*run, numbers(SHAPE, i)), step(*played, numbers(SHAPE, i)))
    return run, played


def of_one_input(row):
    return isinstance(row.shape[0], int)


NETWORKS = {
    "small network": (small_network, SHAPE),
    "lenet5": (lambda: models.lenet5((1, 28, 28), 10), (5, 1, 28, 28)),
    "vgg": (lambda: models.vgg((3, 16, 16), 10), (6, 3, 16, 16)),
    "resnet20": (lambda: models.resnet20((3, 8, 8), 10), (33, 3, 8, 8)),
    "inception": (lambda: models.inception((3, 16, 16), 10), (4, 3, 16, 16)),
    "mobilenet": (lambda: models.mobilenet((3, 16, 16), 10), (3, 3, 16, 16)),
    "mlp": (lambda: models.mlp((6,), 3, hidden=(8,)), (7, 6)),
}


@pytest.mark.parametrize("name", NETWORKS)
def test_a_networks_steps_are_played_once_they_are_known(name):
    make, shape = NETWORKS[name]
    run, played = pair(make)
    for i in range(AFTER + 3):
        assert played[1].played == ([shape] if i > AFTER else [])
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
    assert played[1].played == list(shapes)


def test_many_shapes_of_input_are_run():
    run, played = pair(small_network)
    for i in range(60):
        x = numbers((i % 10 + 2, *SHAPE[1:]), i)
        assert equal(step(*run, x), step(*played, x))
    assert len(played[1].played) == 4


def test_dropout_is_drawn_anew_in_each_step():
    make = lambda: nn.Sequential(  # noqa: E731
        nn.Dropout2d(0.5), nn.Conv2d(2, 4, 3), nn.ReLU(), nn.Dropout(0.2), nn.Conv2d(4, 3, 3)
    )
    run, played = pair(make)
    for i in range(AFTER + 4):
        assert equal(step(*run, numbers(SHAPE), i), step(*played, numbers(SHAPE), i))
    assert played[1].played == [SHAPE]


class _Noise(nn.Layer):
    """A layer that asks for a generator."""

    def forward(self, x, training=None):
        return x + training.generator("noise").normal(), None

    def backward(self, dy, cache, *, input_gradient=True):
        return dy

    def output_shape(self, input_shape):
        return input_shape


def test_other_random_numbers_are_never_played(monkeypatch):
    monkeypatch.setattr(_Noise, "recordable", True)
    run, played = pair(lambda: nn.Sequential(nn.Conv2d(2, 4, 3), _Noise()))
    for i in range(AFTER + 4):
        assert equal(step(*run, numbers(SHAPE), i), step(*played, numbers(SHAPE), i))
    assert played[1].played == []


def test_a_mean_over_all_batches_is_never_played():
    run, played = pair(lambda: nn.Sequential(nn.Conv2d(2, 3, 1), nn.BatchNorm2d(3, momentum=None)))
    for i in range(AFTER + 3):
        assert equal(step(*run, numbers(SHAPE, i)), step(*played, numbers(SHAPE, i)))
    assert played[1].played == []


def test_a_step_with_work_that_no_kernel_does_is_not_played(monkeypatch):
    monkeypatch.setattr(compiled, "adaptive_avg_pool2d", reference.adaptive_avg_pool2d)
    make = lambda: nn.Sequential(nn.Conv2d(2, 3, 3), nn.ReLU(), nn.GlobalAvgPool2d())  # noqa: E731
    run, played = pair(make)
    for i in range(AFTER + 3):
        assert equal(step(*run, numbers(SHAPE, i)), step(*played, numbers(SHAPE, i)))
    assert played[1].played == []


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
    assert played[1].played == []


def test_what_is_left_to_numpy_is_noticed_even_if_no_number_shows_it(monkeypatch):
    monkeypatch.setattr(replay, "_numbers", lambda *_: [])  # as where every ReLU is dead
    reflect = {"padding": 1, "padding_mode": "reflect"}
    run, played = pair(
        lambda: nn.Sequential(nn.Conv2d(2, 2, 1), nn.ReLU(), nn.Conv2d(2, 2, 3, **reflect))
    )
    for i in range(AFTER + 3):
        assert equal(step(*run, numbers(SHAPE, i)), step(*played, numbers(SHAPE, i)))
    assert played[1].played == []


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
    assert played[1].played == []


def change_momentum(model):
    next(layer for _, layer in model.walk() if isinstance(layer, nn.BatchNorm2d)).momentum = 0.9


def change_eps(model):
    next(layer for _, layer in model.walk() if isinstance(layer, nn.BatchNorm2d)).eps = 0.1


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
    assert played[1].played == [SHAPE]


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
    assert played[1].played == [shape, shape]


def test_a_step_may_use_a_model_twice():
    run, played = pair(small_network)
    for i in range(AFTER + 3):
        for _, network in (run, played):
            training = Training()
            for j in range(2):
                y, cache = network.forward(numbers(SHAPE, 2 * i + j), training)
                network.backward(np.ones_like(y), cache, input_gradient=False)
            training.commit()
        assert equal(*(model.state_dict().values() for model, _ in (run, played)))


def test_who_looks_inside_sees_every_layer():
    _, (_, played) = known()
    seen = []
    with nn.observe(forward=lambda layer, x, y: seen.append(type(layer).__name__)):
        y, cache = played.forward(numbers(SHAPE), Training())
    assert "FusedResidual" in seen
    played.backward(np.ones_like(y), cache)
    y, cache = played.forward(numbers(SHAPE), Training())
    with nn.observe(backward=lambda layer, dy, dx: seen.append(dx.shape)):
        played.backward(np.ones_like(y), cache, input_gradient=False)
    assert (8, 8, 5, 5) in seen


def test_the_input_gradient_is_there_for_who_asks():
    run, played = known()
    x, given = numbers(SHAPE, 7), []
    for model, network in (run, played):
        y, cache = network.forward(x, Training())
        model.zero_grad()
        given.append([network.backward(np.ones_like(y), cache)])
        given[-1] += [parameter.grad for parameter in model.parameters()]
    assert equal(*given)


def test_two_forward_passes_before_their_backward_passes():
    run, played = known()
    given = []
    for model, network in (run, played):
        first, second = Training(), Training()
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
            y, cache = network.forward(numbers(SHAPE, i), Training())
            network.backward(np.ones_like(y), cache, input_gradient=False)
    assert equal(*([p.grad for p in model.parameters()] for model, _ in (run, played)))


def test_to_write_a_step_down_leaves_gradients_and_running_statistics_as_they_were():
    run, played = pair(small_network)
    for model, network in (run, played):
        model.zero_grad()
        for i in range(AFTER + 2):
            y, cache = network.forward(numbers(SHAPE, i), Training())
            network.backward(np.ones_like(y), cache, input_gradient=False)
    assert played[1].played == [SHAPE]
    assert equal(*([p.grad for p in model.parameters()] for model, _ in (run, played)))
    assert equal(*(model.state_dict().values() for model, _ in (run, played)))


def test_a_step_that_is_given_up_changes_nothing_and_the_next_is_right():
    run, played = known()
    played[1].forward(numbers(SHAPE, 7), Training())
    assert equal(step(*run, numbers(SHAPE, 8)), step(*played, numbers(SHAPE, 8)))


def test_outputs_that_were_given_stay_as_they_are():
    _, (model, played) = known()
    y = played.forward(numbers(SHAPE, 1), Training())[0]
    before = y.copy()
    step(model, played, numbers(SHAPE, 2))
    np.testing.assert_array_equal(y, before)


def test_notes_that_wait_are_not_overwritten():
    run, played = known()
    notes = []
    for model, network in (run, played):
        first, second = Training(), Training()
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
        y, cache = played.forward(x, Training())
        played.backward(np.ones_like(y), cache, input_gradient=False)
    tracemalloc.start()
    y, cache = played.forward(x, Training())
    played.backward(np.ones_like(y), cache, input_gradient=False)
    _, most = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert most < x.nbytes


def test_inference_and_the_reference_engine_are_never_played():
    (_, _), (model, played) = known()
    np.testing.assert_array_equal(played(numbers(SHAPE)), nn.for_engine(model)(numbers(SHAPE)))
    with engine.using("reference"):
        assert not isinstance(nn.for_training(model), Replayed)


@pytest.mark.parametrize("images", [1, 5, 64, 100])
@pytest.mark.parametrize("name", [name for name in NETWORKS if name != "mlp"])
def test_inference_of_a_frozen_network_is_played_too(name, images):
    make, shape = NETWORKS[name]
    model = nn.initialize(make(), seed=1)
    played = nn.freeze(model)
    for i in range(AFTER + 2):
        x = numbers((images, *shape[1:]), i)
        np.testing.assert_array_equal(played(x), nn.freeze(model)(x))
    size = 1 if images < 10 else 64
    assert played.played[0] == (size, *shape[1:])


def test_what_inference_gave_stays_as_it_is():
    played = nn.freeze(nn.initialize(small_network(), seed=1))
    outputs = [played(numbers(SHAPE, 1)) for _ in range(AFTER + 3)]
    played(numbers(SHAPE, 2))
    assert equal(outputs, outputs[:1] * len(outputs))


def test_inference_with_work_that_no_kernel_does_is_run():
    model = nn.Sequential(nn.Conv2d(2, 3, 3), nn.Sigmoid(), nn.AvgPool2d(2))
    frozen = nn.freeze(nn.initialize(model, seed=1))
    for i in range(AFTER + 3):
        x = numbers(SHAPE, i)
        np.testing.assert_array_equal(frozen(x), nn.freeze(model)(x))


def test_inference_that_cannot_be_played_uses_its_memory_again():
    frozen = nn.freeze(nn.Sequential(nn.Conv2d(2, 8, 3), _Doubled()))
    x = numbers((64, *SHAPE[1:]))
    for _ in range(3):
        y = frozen(x)
    del y
    tracemalloc.start()
    frozen(x)
    _, most = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert most < 1.5 * 64 * 8 * 8 * 8 * 4  # what _Doubled makes, and no convolution's output
