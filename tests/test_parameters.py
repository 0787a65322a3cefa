"""What a layer remembers: names, values, gradients, and their beginning."""

import numpy as np
import pytest

from pellucid import layers as nn
from pellucid.errors import FileError, PellucidError, ShapeError
from pellucid.parameter import Buffer, Parameter


def network():
    return nn.Sequential(
        fc1=nn.Linear(3, 4), bn=nn.BatchNorm1d(4), act=nn.PReLU(), fc2=nn.Linear(4, 2, bias=False)
    )


def spoil(model):
    """Change every value."""
    for _, item in model.named_state():
        item.value = item.value + 1
    return model


# Names


def test_names_are_paths_in_pytorchs_order():
    assert list(network().state_dict()) == [
        "fc1.weight",
        "fc1.bias",
        "bn.weight",
        "bn.bias",
        "bn.running_mean",
        "bn.running_var",
        "bn.num_batches_tracked",
        "act.weight",
        "fc2.weight",
    ]


def test_every_parameter_and_buffer_knows_its_own_path():
    for name, item in network().named_state():
        assert item.name == name


def test_running_statistics_are_no_parameters():
    model = network()
    assert not any("running" in name for name in model.named_parameters())
    assert list(model.buffers()) == [
        "bn.running_mean",
        "bn.running_var",
        "bn.num_batches_tracked",
    ]


def test_a_shared_layer_appears_once_under_its_first_path():
    shared = nn.Linear(2, 2)
    model = nn.Sequential(a=shared, b=nn.Sequential(c=shared))
    assert list(model.named_parameters()) == ["a.weight", "a.bias"]


def test_a_parameter_shared_by_two_layers_appears_once():
    model = nn.Sequential(a=nn.Linear(2, 2), b=nn.Linear(2, 2))
    model["b"].weight = model["a"].weight
    assert list(model.named_parameters()) == ["a.weight", "a.bias", "b.bias"]


def test_kinds_tell_what_decays_from_what_does_not():
    kinds = {name: p.kind for name, p in network().named_parameters().items()}
    assert kinds == {
        "fc1.weight": "weight",
        "fc1.bias": "bias",
        "bn.weight": "norm",
        "bn.bias": "norm",
        "act.weight": "norm",
        "fc2.weight": "weight",
    }


# Beginnings


def test_a_model_never_initialised_begins_as_with_seed_0():
    first, second = network(), nn.initialize(network(), seed=0)
    for a, b in zip(first.parameters(), second.parameters(), strict=True):
        assert np.array_equal(a.value, b.value)


def test_another_seed_gives_other_weights_and_the_same_seed_the_same():
    weights = [nn.initialize(network(), seed)["fc1"].weight.value for seed in (1, 1, 2)]
    assert np.array_equal(weights[0], weights[1])
    assert not np.array_equal(weights[0], weights[2])


def test_equal_layers_at_different_places_begin_differently():
    model = nn.Sequential(a=nn.Linear(3, 3), b=nn.Linear(3, 3))
    assert not np.array_equal(model["a"].weight.value, model["b"].weight.value)


def test_a_layer_begins_the_same_whatever_stands_before_it():
    alone = nn.Sequential(fc=nn.Linear(3, 3), last=nn.Linear(3, 1))
    behind = nn.Sequential(first=nn.Linear(3, 3), fc=nn.Linear(3, 3), last=nn.Linear(3, 1))
    assert np.array_equal(alone["fc"].weight.value, behind["fc"].weight.value)


def test_reading_the_weights_in_another_order_changes_nothing():
    forwards, backwards = network(), network()
    for parameter in reversed(backwards.parameters()):
        assert parameter.value.size
    for a, b in zip(forwards.parameters(), backwards.parameters(), strict=True):
        assert np.array_equal(a.value, b.value)


def test_initialising_forgets_what_was_learned_and_gathered():
    model = spoil(network())
    model["fc1"].weight.add_gradient(np.ones((4, 3)))
    nn.initialize(model, seed=0)
    for name, value in network().state_dict().items():
        assert np.array_equal(model.state_dict()[name], value)
    assert not model["fc1"].weight.grad.any()


def test_an_unknown_initialiser_is_told_when_the_layer_is_made():
    with pytest.raises(PellucidError, match="did you mean 'he_normal'"):
        nn.Linear(2, 2, initializer="he_norma")
    with pytest.raises(PellucidError, match="must have the form 'constant:NUMBER'"):
        Parameter("weight", (2,), "constant")


# Values and gradients


def test_gradients_add_until_they_are_set_to_zero():
    parameter = Parameter("weight", (2,), "ones")
    parameter.add_gradient(np.array([1.0, 2.0]))
    parameter.add_gradient(np.array([1.0, 2.0]))
    assert parameter.grad.tolist() == [2, 4]
    parameter.zero_grad()
    assert parameter.grad.tolist() == [0, 0]


def test_the_gradient_does_not_hold_on_to_the_array_that_was_added():
    parameter, gradient = Parameter("weight", (2,), "ones"), np.ones(2, np.float32)
    parameter.add_gradient(gradient)
    gradient[...] = 7
    assert parameter.grad.tolist() == [1, 1]


def test_assigning_a_value_copies_it_into_place():
    parameter = Parameter("weight", (2,), "ones")
    array, given = parameter.value, np.array([3.0, 4.0])
    parameter.value = given
    given[...] = 0
    assert parameter.value is array
    assert array.tolist() == [3, 4]
    assert array.dtype == np.float32


def test_a_value_that_is_assigned_is_not_drawn_before(monkeypatch):
    parameter = Parameter("weight", (2,), "ones")
    monkeypatch.setattr("pellucid.initializers.draw", None)
    parameter.value = np.zeros(2)
    assert parameter.value.tolist() == [0, 0]


@pytest.mark.parametrize("shape", [(3,), (1,), (), (2, 1)])
def test_a_value_of_another_shape_is_refused_not_broadcast(shape):
    with pytest.raises(ShapeError, match=r"weight has shape \(2,\), but was given"):
        Parameter("weight", (2,), "ones").value = np.ones(shape)
    with pytest.raises(ShapeError, match=r"mean has shape \(2,\), but was given"):
        Buffer("mean", (2,), 0.0).value = np.ones(shape)


def test_a_buffer_copies_what_it_is_given_and_keeps_its_type():
    buffer, given = Buffer("mean", (2,), 0.0), np.array([1.5, 2.5])
    buffer.value = given
    given[...] = 0
    assert buffer.value.tolist() == [1.5, 2.5]
    assert buffer.value.dtype == np.float32


def test_changing_the_type_changes_values_gradients_and_statistics_but_not_counts():
    model = network()
    model["fc1"].weight.add_gradient(np.ones((4, 3)))
    model.astype("float64")
    assert {p.value.dtype for p in model.parameters()} == {np.dtype("float64")}
    assert {p.grad.dtype for p in model.parameters()} == {np.dtype("float64")}
    assert model["fc1"].weight.grad.all()
    assert model["bn"].running_var.value.dtype == np.float64
    assert model["bn"].num_batches_tracked.value.dtype == np.int64


def test_the_type_can_be_changed_before_or_after_the_values_are_drawn():
    before, after = network().astype("float64"), network()
    assert all(p.value.size for p in after.parameters())
    after.astype("float64")
    for a, b in zip(before.parameters(), after.parameters(), strict=True):
        assert a.value.dtype == b.value.dtype == np.float64
        np.testing.assert_allclose(a.value, b.value, rtol=1e-6)


# State


def test_a_state_comes_back_whole():
    model, other = spoil(network()), network()
    other.load_state_dict(model.state_dict())
    for name, value in model.state_dict().items():
        assert other.state_dict()[name].tobytes() == value.tobytes()


def test_a_state_shares_no_memory_with_the_model():
    model = network()
    state = model.state_dict()
    model.load_state_dict(state)
    before = model.state_dict()
    for value in state.values():
        value[...] = 9
    assert all(np.array_equal(before[name], v) for name, v in model.state_dict().items())


def test_loading_changes_the_arrays_in_place_so_that_optimisers_see_it():
    model = network()
    arrays = [parameter.value for parameter in model.parameters()]
    model.load_state_dict(spoil(network()).state_dict())
    for array, parameter in zip(arrays, model.parameters(), strict=True):
        assert parameter.value is array


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda s: s.pop("fc1.bias"), "missing: fc1.bias"),
        (lambda s: s.update(extra=np.ones(1)), "unknown: extra"),
        (lambda s: s.update({"fc1.weight": np.ones((3, 4))}), r"fc1.weight: float64 \(3, 4\)"),
        (lambda s: s.update({"fc1.weight": np.full((4, 3), "a")}), r"fc1.weight: <U1"),
        (lambda s: s.update({"fc1.weight": np.ones((4, 3), complex)}), "fc1.weight: complex128"),
        (
            lambda s: s.update({"bn.num_batches_tracked": np.array(1.5)}),
            "num_batches_tracked: float64",
        ),
        (lambda s: s.update({"fc2.weight": None}), "fc2.weight: object"),
    ],
)
def test_a_state_that_does_not_fit_is_refused_whole(change, said):
    model = network()
    before = model.state_dict()
    state = spoil(network()).state_dict()
    change(state)
    with pytest.raises(FileError, match=said):
        model.load_state_dict(state)
    assert all(np.array_equal(before[name], v) for name, v in model.state_dict().items())


def test_everything_that_does_not_fit_is_told_at_once():
    state = network().state_dict()
    state["other"] = state.pop("fc1.bias")
    state["fc2.weight"] = state["fc2.weight"].T
    with pytest.raises(FileError, match=r"missing: fc1.bias; unknown: other; fc2.weight: "):
        network().load_state_dict(state)


# Training commits running statistics only when told to


def test_running_statistics_wait_for_the_commit():
    norm, training = nn.BatchNorm1d(2), nn.StepContext()
    norm.forward(np.array([[1.0, 2.0], [3.0, 6.0]], np.float32), training)
    assert norm.running_mean.value.tolist() == [0, 0]
    training.commit()
    np.testing.assert_allclose(norm.running_mean.value, [0.2, 0.4])
    assert norm.num_batches_tracked.value == 1


def test_a_norm_used_twice_in_a_step_gathers_both():
    norm, training = nn.BatchNorm1d(1, momentum=0.5), nn.StepContext()
    for mean in (2.0, 4.0):
        norm.forward(np.array([[mean - 1], [mean + 1]], np.float32), training)
    training.commit()
    assert norm.running_mean.value.tolist() == [0.5 * (0.5 * 2) + 0.5 * 4]
    assert norm.num_batches_tracked.value == 2
