"""A trained model is one file, and what is saved comes back bit for bit."""

import numpy as np
import pytest
import safetensors.numpy

from pellucid import layers as nn
from pellucid.errors import FileError
from pellucid.interchange.safetensors import load, read_tensors, save
from saved_model import small_model


@pytest.fixture
def path(tmp_path):
    return tmp_path / "model.safetensors"


@pytest.fixture
def saved(path):
    save(small_model(), path)
    return path


@pytest.mark.parametrize("dtype", ["float16", "float32", "float64"])
def test_values_come_back_bit_for_bit(dtype, path):
    model = small_model().astype(dtype)
    save(model, path)
    state, again = model.state_dict(), load(path).state_dict()
    assert list(again) == list(state)
    for name, value in state.items():
        assert again[name].dtype == dtype
        assert again[name].tobytes() == value.tobytes()


def test_values_that_are_no_numbers_come_back_too(path):
    model = nn.Linear(2, 2)
    model.weight.value[...] = [[np.nan, np.inf], [-np.inf, -0.0]]
    save(model, path)
    assert load(path).weight.value.tobytes() == model.weight.value.tobytes()


def test_everything_else_comes_back_too(saved):
    model, again = small_model(), load(saved)
    assert again.describe() == model.describe()
    assert again.preprocessing == model.preprocessing
    assert again.classes == model.classes
    assert again.input_shape == model.input_shape
    assert again["again"] is again["branches"].branches["right"].body


def test_the_loaded_model_computes_the_same(saved):
    x = np.random.default_rng(0).normal(size=(5, 1, 2, 2)).astype(np.float32)
    assert np.array_equal(load(saved)(x), small_model()(x))


def test_the_loaded_model_can_be_trained(saved):
    model = load(saved)
    y, cache = model.forward(np.ones((2, 1, 2, 2), np.float32), nn.StepContext())
    model.backward(np.ones_like(y), cache)
    for parameter in model.parameters():
        parameter.value -= 0.1 * parameter.grad


def test_a_model_that_knows_no_classes_is_saved_without_them(path):
    save(nn.Linear(2, 2), path)
    again = load(path)
    assert (again.classes, again.preprocessing, again.input_shape) == (None, None, None)


def test_the_same_model_gives_the_same_bytes(saved, tmp_path):
    for i in range(5):
        save(load(saved), tmp_path / str(i))
        assert (tmp_path / str(i)).read_bytes() == saved.read_bytes()


def test_saving_over_a_model_replaces_it(saved):
    save(nn.Linear(2, 2), saved)
    assert isinstance(load(saved), nn.Linear)


def test_names_and_numbers_in_numpy_types_are_saved_as_plain_ones(path):
    model = nn.Dropout(np.float32(0.5))
    save(model, path)
    assert load(path).p == 0.5


def test_other_programs_read_the_weights_under_their_state_dict_names(saved):
    tensors = safetensors.numpy.load(saved.read_bytes())
    assert tensors.keys() == small_model().state_dict().keys()
    read = read_tensors(saved)
    assert all(np.array_equal(read[name], value) for name, value in tensors.items())


def test_a_model_that_would_not_come_back_is_not_saved(path):
    class _Unregistered(nn.Identity):
        pass

    with pytest.raises(FileError, match=r"cannot be saved.* unknown layer '_Unregistered'"):
        save(nn.Sequential(_Unregistered()), path)
    tied = nn.Sequential(a=nn.Linear(2, 2), b=nn.Linear(2, 2))
    tied["b"].weight = tied["a"].weight
    with pytest.raises(FileError, match=r"'b.weight'.* use the same layer twice"):
        save(tied, path)
    assert not path.exists()


def test_a_type_that_the_format_lacks_is_refused(path):
    with pytest.raises(FileError, match="'weight' has type complex64"):
        save(nn.Linear(2, 2).astype("complex64"), path)
