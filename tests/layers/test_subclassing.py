"""Layers of a user's own, derived from the library's, do everything that layers do."""

from dataclasses import dataclass

import numpy as np
import pytest

import pellucid as pl
from kernels import numbers
from pellucid import engine, execution, optim
from pellucid import layers as nn
from pellucid.errors import FileError, PellucidError
from pellucid.execution.capture import AFTER
from pellucid.interchange import onnx
from pellucid.layers.base import registry

SHAPE = (20, 2, 6, 6)


class Cubed(nn.Layer):
    """A layer without arguments."""

    def forward(self, x, training=None):
        return x**3, x

    def backward(self, dy, cache, *, input_gradient=True):
        return dy * 3 * cache**2

    def output_shape(self, input_shape):
        return input_shape


@dataclass(eq=False, repr=False)
class Steeper(nn.ReLU):
    """A layer with an argument, derived from another."""

    slope: float = 2.0

    def forward(self, x, training=None):
        y, cache = super().forward(x, training)
        return self.slope * y, cache

    def backward(self, dy, cache, *, input_gradient=True):
        return super().backward(self.slope * dy, cache)


class Stage(nn.Sequential):
    """A combinator that builds its layers itself."""

    def __init__(self, width):
        super().__init__(conv=nn.Conv2d(2, width, 3, padding=1), act=Steeper(3.0), cubed=Cubed())


class Remembering(nn.ReLU):
    """A layer that nothing describes."""

    def __init__(self, slope):
        super().__init__()
        self.slope = slope


class Halved(nn.Sequential):
    """A combinator that computes something itself."""

    def forward(self, x, training=None):
        y, cache = super().forward(x, training)
        return y / 2, cache

    def backward(self, dy, cache, *, input_gradient=True):
        return super().backward(dy / 2, cache, input_gradient=input_gradient)


def network():
    return nn.Sequential(
        stage=Stage(4), halved=Halved(nn.Conv2d(4, 4, 1), nn.ReLU()), flat=nn.Flatten(),
        fc=nn.Linear(144, 3),
    )  # fmt: skip


def written_out():
    """The same without classes of one's own, as functions of the library compute it."""
    return nn.Sequential(
        conv=nn.Conv2d(2, 4, 3, padding=1), act=nn.ReLU(), three=nn.Affine(scale=3.0),
        cubed=nn.Power(3.0), point=nn.Conv2d(4, 4, 1), relu=nn.ReLU(), half=nn.Affine(scale=0.5),
        flat=nn.Flatten(), fc=nn.Linear(144, 3),
    )  # fmt: skip


@pytest.mark.parametrize("name", engine.NAMES)
def test_they_train_as_the_same_network_written_out(name):
    x, targets, losses = numbers(SHAPE), np.arange(20) % 3, []
    with engine.using(name):
        for make in (network, written_out):
            model, other = nn.initialize(make()), nn.initialize(network())
            for to, value in zip(model.parameters(), other.parameters(), strict=True):
                to.value = value.value
            sgd = optim.SGD(model.parameters(), lr=0.01)
            losses.append([e.loss for e in pl.train(model, (x, targets), optimizer=sgd, epochs=6)])
    np.testing.assert_allclose(losses[0], losses[1], rtol=1e-4)


def test_a_step_through_them_is_run_and_never_replayed(on_compiled):
    program = execution.for_training(network())
    for i in range(AFTER + 3):
        program.forward(numbers(SHAPE, i), nn.StepContext())
    assert program.captured == []


def test_they_are_fused_frozen_and_summed_up(on_compiled):
    model, x = network(), numbers(SHAPE)
    np.testing.assert_allclose(pl.fuse(model)(x), model(x), rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(pl.freeze(model)(x), model(x), rtol=1e-4, atol=1e-5)
    assert "Steeper(slope=3.0)" in str(pl.summary(model, SHAPE[1:]))
    assert "Remembering()" in repr(nn.Sequential(Remembering(2.0)))


def test_they_are_saved_and_loaded_where_their_classes_are_known(tmp_path, monkeypatch):
    model, x, path = network(), numbers(SHAPE), tmp_path / "model.safetensors"
    pl.save(model, path)
    again = pl.load(path)
    np.testing.assert_array_equal(again(x), model(x))
    assert type(again["stage"]) is nn.Sequential  # with the layers that the class has built
    assert type(again["halved"]) is Halved
    monkeypatch.delitem(registry, "Cubed")
    with pytest.raises(FileError, match=r"'Cubed'.*Import the module that defines"):
        pl.load(path)


def test_what_nothing_describes_says_what_to_do_when_it_is_saved(tmp_path):
    with pytest.raises(FileError, match=r"Remembering has its own __init__.* make it a dataclass"):
        pl.save(nn.Sequential(Remembering(2.0)), tmp_path / "model.safetensors")


def test_onnx_names_all_that_it_cannot_hold(tmp_path):
    pytest.importorskip("onnx")
    with pytest.raises(
        PellucidError, match=r"no equivalent in ONNX: stage \(Stage\), stage.act \(Steeper\)"
    ):
        onnx.save(network(), tmp_path / "model.onnx", SHAPE[1:])


# A Sequential is used as PyTorch's is


def test_layers_are_found_by_name_by_position_and_as_attributes():
    model = nn.Sequential(conv1=nn.Conv2d(1, 2, 3), relu1=nn.ReLU(), fc=nn.Linear(2, 3))
    assert model.conv1 is model["conv1"] is model[0]
    assert model[-1] is model.fc
    assert list(model) == [model.conv1, model.relu1, model.fc]
    assert len(model) == 3
    with pytest.raises(AttributeError, match="no attribute or layer 'conv2'"):
        _ = model.conv2


def test_a_slice_shares_its_layers_and_keeps_their_names():
    model = nn.Sequential(conv1=nn.Conv2d(1, 2, 3), relu1=nn.ReLU(), fc=nn.Linear(2, 3))
    assert list(model[1:].layers) == ["relu1", "fc"]
    assert model[:1].conv1 is model.conv1
    assert type(Halved(nn.ReLU(), nn.ReLU())[:1]) is Halved


def test_layers_are_appended():
    model = nn.Sequential(nn.ReLU()).append(nn.Linear(2, 3)).extend([nn.ReLU(), nn.Linear(3, 1)])
    assert [type(layer).__name__ for layer in model] == ["ReLU", "Linear", "ReLU", "Linear"]
    assert list(model.named_parameters()) == ["1.weight", "1.bias", "3.weight", "3.bias"]
    assert model(np.ones((1, 2), np.float32)).shape == (1, 1)
    assert model.first_learner == 1


# Names are given once


def test_a_wrapper_changes_neither_weights_nor_the_names_of_an_optimisers_state():
    def inner():
        return nn.Sequential(conv=nn.Conv2d(1, 2, 3), fc=nn.Linear(2, 3))

    bare, wrapped = inner(), nn.Sequential(nn.Identity(), model=inner())
    for seed in (0, 5):
        nn.initialize(bare, seed)
        nn.initialize(wrapped, seed)
        for one, other in zip(bare.parameters(), wrapped.parameters(), strict=True):
            np.testing.assert_array_equal(one.value, other.value)
    for give in (nn.Layer.parameters, nn.Layer.named_parameters):
        state = optim.Adam(give(bare)).state_dict()
        state["step"] = np.array(7)
        adam = optim.Adam(give(wrapped))
        adam.load_state_dict(state)
        assert adam.steps == 7


def test_a_wrapper_made_later_leaves_the_names():
    model = nn.Sequential(conv=nn.Conv2d(1, 2, 3), fc=nn.Linear(2, 3))
    names = [parameter.name for parameter in model.parameters()]
    nn.Sequential(model).parameters()
    assert [parameter.name for parameter in model.parameters()] == names


def test_models_that_were_named_apart_are_named_anew_together():
    def make():
        return nn.Sequential(a=nn.Linear(2, 2), b=nn.Linear(2, 2))

    first, second = make(), make()
    first.parameters()
    second.parameters()
    both = nn.Sequential(first=first, second=second)
    assert len({parameter.name for parameter in both.parameters()}) == 8


def test_weights_that_are_looked_at_before_the_model_is_used_are_those_of_the_model():
    def make():
        return nn.Sequential(a=nn.Linear(2, 2), b=nn.Linear(2, 2))

    looked_at, used = make(), make()
    seen = looked_at.b.weight.value
    used(np.ones((1, 2), np.float32))
    np.testing.assert_array_equal(seen, used.b.weight.value)
    assert not np.array_equal(looked_at.a.weight.value, seen)


def test_an_optimiser_takes_named_parameters():
    model = nn.Sequential(a=nn.Linear(2, 2), b=nn.Linear(2, 2))
    state = optim.SGD({"mine": model.a.weight}, lr=0.1, momentum=0.9).state_dict()
    assert sorted(state) == ["mine/momentum", "step"]
