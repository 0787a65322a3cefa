"""No model file does harm: whatever stands in one, it loads, or the error names the file."""

import json
import struct
import tracemalloc

import numpy as np
import pytest
import safetensors.numpy
from hypothesis import given, settings
from hypothesis import strategies as st

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


def rewrite(path, change):
    """Write the file anew with a changed description of the model."""
    tensors = safetensors.numpy.load(path.read_bytes())
    about = description(path)
    change(about)
    path.write_bytes(safetensors.numpy.save(tensors, {"pellucid": json.dumps(about)}))


def description(path):
    return json.loads(header(path)["__metadata__"]["pellucid"])


def header(path):
    data = path.read_bytes()
    (length,) = struct.unpack("<Q", data[:8])
    return json.loads(data[8 : 8 + length])


def write_raw(path, header, values=b""):
    text = header.encode() if isinstance(header, str) else header
    path.write_bytes(struct.pack("<Q", len(text)) + text + values)


def test_a_missing_file_a_folder_and_an_empty_file(tmp_path, path):
    with pytest.raises(FileError, match=r"model.safetensors: No such file"):
        load(path)
    with pytest.raises(FileError, match=r"directory|is not a run"):
        load(tmp_path)
    path.touch()
    with pytest.raises(FileError, match=r"model.safetensors: this is not a safetensors file"):
        load(path)


def test_a_header_that_promises_terabytes_is_not_believed(path):
    path.write_bytes(struct.pack("<Q", 2**42) + b'{"a": 1}')
    with pytest.raises(FileError, match="not a safetensors file, or it is truncated"):
        load(path)
    tensor = {"weight": {"dtype": "F32", "shape": [2**20, 2**20], "data_offsets": [0, 2**42]}}
    write_raw(path, json.dumps(tensor), bytes(64))
    with pytest.raises(FileError, match="damaged"):
        read_tensors(path)


def test_pickles_are_recognised_and_left_alone(path):
    path.write_bytes(b"PK\x03\x04" + bytes(100))
    with pytest.raises(FileError, match="pickles are never opened"):
        load(path)


@pytest.mark.parametrize("keep", [0, 7, 8, 9, 100, -1000, -9, -1])
def test_a_file_that_is_cut_off(keep, saved):
    saved.write_bytes(saved.read_bytes()[:keep])
    with pytest.raises(FileError, match=r"model.safetensors"):
        load(saved)


def test_a_file_with_something_behind_it(saved):
    saved.write_bytes(saved.read_bytes() + b"\0")
    with pytest.raises(FileError, match="damaged"):
        load(saved)


@pytest.mark.parametrize("text", ["[]", "null", "{", '{"a": 1}', "[" * 99999, "1" * 9999, b"\xff"])
def test_a_header_that_is_no_table_of_tensors(text, path):
    write_raw(path, text)
    with pytest.raises(FileError, match=r"model.safetensors"):
        load(path)


def test_a_name_that_is_there_twice(path):
    entry = '"a": {"dtype": "F32", "shape": [1], "data_offsets": [0, 4]}'
    write_raw(path, f"{{{entry}, {entry}}}", bytes(4))
    with pytest.raises(FileError, match="'a' occurs twice"):
        load(path)


def test_weights_without_an_architecture_say_how_to_use_them(path):
    own = nn.Linear(2, 2)
    path.write_bytes(safetensors.numpy.save({"weight": np.eye(2), "bias": np.ones(2)}))
    with pytest.raises(FileError, match=r"model\.load_state_dict\(.*read_tensors\('.*model"):
        load(path)
    own.load_state_dict(read_tensors(path))
    assert np.array_equal(own.weight.value, np.eye(2))


def test_bfloat16_is_named_as_what_numpy_lacks(path):
    entry = {"a": {"dtype": "BF16", "shape": [1], "data_offsets": [0, 2]}}
    write_raw(path, json.dumps(entry), bytes(2))
    with pytest.raises(FileError, match=r"'a' has type BF16.* convert it to F32"):
        read_tensors(path)


def test_a_newer_format_asks_for_a_newer_library(saved):
    rewrite(saved, lambda about: about.update(format=2, version="9.0.0"))
    with pytest.raises(FileError, match=r"format 2, from Pellucid '9\.0\.0'.* upgrade"):
        load(saved)


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("format", None),
        ("architecture", None),
        ("architecture", "Linear"),
        ("preprocessing", [1]),
        ("preprocessing", {"mean": [1]}),
        ("preprocessing", {"mean": [float("nan")], "scale": [1]}),
        ("preprocessing", {"mean": [1], "scale": [float("inf")]}),
        ("preprocessing", {"mean": [1], "scale": [0]}),
        ("preprocessing", {"mean": [1, 2], "scale": [1]}),
        ("preprocessing", {"mean": [1, 2], "scale": [1, 2]}),
        ("classes", "abc"),
        ("classes", []),
        ("classes", [1, 2]),
        ("classes", ["a", "a"]),
        ("input_shape", [1, 0, 2]),
        ("input_shape", [1, True, 2]),
        ("input_shape", {}),
    ],
)
def test_a_damaged_description_is_refused(key, value, saved):
    rewrite(saved, lambda about: about.update({key: value}))
    with pytest.raises(FileError, match=r"model.safetensors"):
        load(saved)


def test_a_description_with_a_part_missing_is_refused(saved):
    whole = description(saved)
    for key in whole.keys() - {"version"}:
        part = {k: v for k, v in whole.items() if k != key}
        rewrite(saved, lambda about, part=part: (about.clear(), about.update(part)))
        with pytest.raises(FileError, match=r"model.safetensors: .*damaged"):
            load(saved)


def architecture(saved, layers):
    rewrite(saved, lambda about: about.update(architecture={"type": "Sequential", **layers}))


def test_a_layer_that_is_not_in_the_registry_is_never_imported(saved):
    architecture(saved, {"layers": [{"type": "os.system"}]})
    with pytest.raises(FileError, match=r"unknown layer 'os.system'"):
        load(saved)


def test_an_abstract_layer_cannot_be_asked_for(saved):
    for name in ("Layer", "Combinator"):
        architecture(saved, {"layers": [{"type": name}]})
        with pytest.raises(FileError, match=f"unknown layer '{name}'"):
            load(saved)


def test_layers_nested_without_end_are_refused(saved):
    nested = {"type": "Identity"}
    for _ in range(200):
        nested = {"type": "Sequential", "layers": [nested]}
    rewrite(saved, lambda about: about.update(architecture=nested))
    with pytest.raises(FileError, match="nested more than"):
        load(saved)


def test_layers_used_again_and_again_cost_nothing_to_load(path):
    model = nn.Linear(2, 2)
    for _ in range(40):
        model = nn.Sequential(model, model)  # 2⁴⁰ uses
    save(model, path)
    assert len(load(path).parameters()) == 2


def test_an_absurdly_large_layer_takes_no_memory(saved):
    huge = {"type": "Linear", "in_features": 10**9, "out_features": 10**9}
    architecture(saved, {"layers": [huge]})
    tracemalloc.start()
    try:
        with pytest.raises(FileError, match=r"0\.weight"):
            load(saved)
        assert tracemalloc.get_traced_memory()[1] < 10_000_000
    finally:
        tracemalloc.stop()


def test_tensors_that_do_not_fit_are_all_named(path):
    save(nn.Sequential(fc=nn.Linear(2, 2)), path)
    about = header(path)["__metadata__"]
    tensors = {"fc.weight": np.zeros((3, 2)), "other": np.zeros(1)}
    path.write_bytes(safetensors.numpy.save(tensors, about))
    with pytest.raises(FileError) as caught:
        load(path)
    for said in ("missing: fc.bias", "unknown: other", "fc.weight: float64 (3, 2), expected"):
        assert said in str(caught.value)


def test_whole_numbers_are_no_weights(path):
    save(nn.Linear(2, 2), path)
    about = header(path)["__metadata__"]
    tensors = {"weight": np.zeros((2, 2), np.int64), "bias": np.zeros(2)}
    path.write_bytes(safetensors.numpy.save(tensors, about))
    with pytest.raises(FileError, match="'weight' has type int64, expected float32"):
        load(path)


def outcome(action):
    try:
        return action()
    except FileError as error:
        return error


@pytest.fixture(scope="module")
def good_bytes(tmp_path_factory):
    path = tmp_path_factory.mktemp("fuzz") / "good"
    save(small_model(), path)
    return path.read_bytes()


@settings(max_examples=300, deadline=None)
@given(data=st.data())
def test_a_file_damaged_anywhere_is_refused_or_loads(data, good_bytes, tmp_path_factory):
    """Whatever stands in a file, there is a model or an error that names the file."""
    damaged = bytearray(good_bytes)
    length = 8 + struct.unpack("<Q", good_bytes[:8])[0]
    for _ in range(data.draw(st.integers(1, 3))):
        damaged[data.draw(st.integers(0, length - 1))] = data.draw(st.integers(0, 255))
    path = tmp_path_factory.getbasetemp() / "damaged"
    path.write_bytes(damaged)
    found = outcome(lambda: load(path))
    assert isinstance(found, nn.Layer) or str(path) in str(found)
