"""Damaged and hostile ONNX files: told what is wrong, in bounded memory and time."""

import os
import random
import time
import tracemalloc

import numpy as np
import pytest
from onnx import TensorProto, helper, numpy_helper

from pellucid.errors import FileError
from pellucid.interchange.onnx import load

FLOAT = TensorProto.FLOAT
MOST_MEMORY, MOST_SECONDS = 200_000_000, 5.0
node = helper.make_node


@pytest.fixture(autouse=True)
def bounded():
    """Every test of this file takes little time of the processor, and little memory."""
    tracemalloc.start()
    begin = time.process_time()
    yield
    took, (_, peak) = time.process_time() - begin, tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert took < MOST_SECONDS
    assert peak < MOST_MEMORY


def value(name, shape, kind=FLOAT):
    return helper.make_tensor_value_info(name, kind, shape)


def model(nodes, arrays=(), shape=("N", 3, 8, 8), opset=17, outputs=("y",)):
    tensors = [
        array if isinstance(array, TensorProto) else numpy_helper.from_array(array, name)
        for name, array in dict(arrays).items()
    ]
    graph = helper.make_graph(
        nodes, "graph", [value("x", shape)], [value(name, None) for name in outputs], tensors
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)], ir_version=8)


def small():
    """A good file: every other one here is this with something wrong."""
    w = np.ones((2, 3, 3, 3), np.float32)
    return model([node("Conv", ["x", "w"], ["c"]), node("Relu", ["c"], ["y"])], {"w": w})


def refused(made, folder, match):
    path = folder / "model.onnx"
    path.write_bytes(made if isinstance(made, bytes) else made.SerializeToString())
    with pytest.raises(FileError, match=match) as error:
        load(path)
    assert str(path) in str(error.value)
    assert len(str(error.value)) < 12_000


def test_the_good_file_is_good(tmp_path):
    (tmp_path / "model.onnx").write_bytes(small().SerializeToString())
    assert load(tmp_path / "model.onnx").output_shape((1, 3, 8, 8)) == (1, 2, 6, 6)


# The bytes


def test_no_such_file(tmp_path):
    with pytest.raises(FileError, match="No such file"):
        load(tmp_path / "model.onnx")


@pytest.mark.parametrize("data", [b"", b"\x00", b"hello", b"PK\x03\x04", b"\xff" * 1000])
def test_no_onnx_file(data, tmp_path):
    refused(data, tmp_path, "not an ONNX file")


def test_every_cut_is_told_or_harmless(tmp_path):
    data, path = small().SerializeToString(), tmp_path / "model.onnx"
    for end in range(len(data)):
        path.write_bytes(data[:end])
        with pytest.raises(FileError):
            load(path)


def test_changed_bytes_are_told_or_harmless(tmp_path):
    data, path, rng = bytearray(small().SerializeToString()), tmp_path / "m.onnx", random.Random(0)
    for _ in range(200):
        changed = data.copy()
        for _ in range(rng.randint(1, 4)):
            changed[rng.randrange(len(changed))] = rng.randrange(256)
        path.write_bytes(changed)
        try:
            graph = load(path)
        except FileError:
            continue
        assert all(np.prod(p.shape) < 10_000 for p in graph.parameters())


def test_graphs_inside_one_another(tmp_path):
    inner = helper.make_graph([node("Relu", ["x"], ["y0"])], "g", [], [value("y0", None)])
    for i in range(1, 12):
        branch = node("If", ["c"], [f"y{i}"], then_branch=inner, else_branch=inner)
        inner = helper.make_graph([branch], "g", [], [value(f"y{i}", None)])
    condition = {"c": np.array(True)}
    last = node("If", ["c"], ["y"], then_branch=inner, else_branch=inner)
    refused(model([last], condition), tmp_path, "graphs are nested")


# The graph


def test_a_cycle(tmp_path):
    nodes = [node("Add", ["x", "b"], ["a"]), node("Relu", ["a"], ["b"]), node("Relu", ["b"], ["y"])]
    refused(model(nodes), tmp_path, "reads 'b'.*cycle")


def test_a_node_that_reads_itself(tmp_path):
    refused(model([node("Add", ["x", "y"], ["y"])]), tmp_path, "reads 'y'.*cycle")


def test_an_input_that_is_missing(tmp_path):
    refused(model([node("Conv", ["x", "w"], ["y"])]), tmp_path, "reads 'w'")
    refused(model([node("Conv", ["x"], ["y"])]), tmp_path, "weight is missing")
    refused(model([node("Relu", [], ["y"])]), tmp_path, "the input is missing")


def test_an_output_that_nothing_gives(tmp_path):
    refused(model([node("Relu", ["x"], ["a"])]), tmp_path, "no node computes the output 'y'")


def test_names_given_twice(tmp_path):
    twice = [node("Relu", ["x"], ["y"]), node("Abs", ["x"], ["y"])]
    refused(model(twice), tmp_path, "two values are named 'y'")
    refused(model([node("Relu", ["x"], ["y"])], {"y": np.ones(2)}), tmp_path, "two values.*'y'")
    two = small()
    two.graph.initializer.append(two.graph.initializer[0])
    refused(two, tmp_path, "two tensors are named 'w'")
    relu = node("LeakyRelu", ["x"], ["y"], alpha=0.1)
    relu.attribute.append(relu.attribute[0])
    refused(model([relu]), tmp_path, "attribute 'alpha' twice")


@pytest.mark.parametrize("opset", [0, 29, 1000, -1])
def test_an_unknown_opset(opset, tmp_path):
    refused(model([node("Relu", ["x"], ["y"])], opset=opset), tmp_path, "opset")


def test_an_unknown_domain_and_functions_of_the_files_own(tmp_path):
    refused(model([node("Relu", ["x"], ["y"], domain="evil")]), tmp_path, "'evil'")
    made = small()
    made.functions.append(
        helper.make_function("own", "F", ["x"], ["y"], [node("Relu", ["x"], ["y"])], [])
    )
    refused(made, tmp_path, "its own functions")


@pytest.mark.parametrize("name", ["forward", "__class__", "weight", "children", "_numbers"])
def test_attributes_are_never_set_on_anything(name, tmp_path):
    nodes = [node("Relu", ["x"], ["y"], **{name: 1})]
    refused(model(nodes), tmp_path, f"attribute {name}")


def test_attributes_of_the_wrong_kind(tmp_path):
    w = {"w": np.ones((2, 3, 3, 3), np.float32)}
    for attributes in (
        {"group": "2"},
        {"group": 0},
        {"group": 2**62},
        {"strides": 1},
        {"strides": [0, 0]},
        {"strides": [1.5, 1.5]},
        {"pads": [-1] * 4},
        {"auto_pad": "WRONG"},
        {"dilations": [2**62, 2**62]},
        {"kernel_shape": [5, 5]},
    ):
        refused(model([node("Conv", ["x", "w"], ["y"], **attributes)], w), tmp_path, "Conv")


def test_many_problems_make_a_short_message(tmp_path):
    nodes = [node(f"Strange{'x' * 200}", ["x"], [f"a{i}"]) for i in range(1000)]
    nodes.append(node("Sum", [f"a{i}" for i in range(1000)], ["y"]))
    refused(model(nodes), tmp_path, "and 980 more")


# Sizes


@pytest.mark.parametrize("shape", [(2**40,), (2**31, 2**31, 2**31), (-1,), (10**6,) * 6, (1,) * 40])
def test_tensors_whose_size_is_not_that_of_their_data(shape, tmp_path):
    tensor = TensorProto(name="w", data_type=FLOAT, dims=shape, raw_data=b"\0" * 8)
    refused(model([node("Conv", ["x", "w"], ["y"])], {"w": tensor}), tmp_path, "'w'")
    tensor = TensorProto(name="w", data_type=FLOAT, dims=shape, float_data=[0.0, 0.0])
    refused(model([node("Conv", ["x", "w"], ["y"])], {"w": tensor}), tmp_path, "'w'")


@pytest.mark.parametrize("kind", [0, 8, 14, 17, 99])
def test_tensors_of_types_that_hold_no_real_numbers(kind, tmp_path):
    tensor = TensorProto(name="w", data_type=kind, dims=[1], raw_data=b"\0" * 8)
    refused(model([node("Conv", ["x", "w"], ["y"])], {"w": tensor}), tmp_path, "not supported")


def shape_of(*sizes):
    return np.array(sizes, np.int64)


@pytest.mark.parametrize(
    "maker",
    [
        node("ConstantOfShape", ["s"], ["w"]),
        node("Expand", ["one", "s"], ["w"]),
        node("Range", ["zero", "many", "one"], ["w"]),
        node("Tile", ["one", "s"], ["w"]),
    ],
    ids=lambda n: n.op_type,
)
@pytest.mark.parametrize("sizes", [(2**40,), (2**20, 2**20), (2**62, 2**62), (-5,), (2**27, 3)])
def test_a_small_file_cannot_ask_for_much_memory(maker, sizes, tmp_path):
    arrays = {"s": shape_of(*sizes), "one": np.float32([1]), "zero": np.float32(0),
              "many": np.float32(1e30)}  # fmt: skip
    nodes = [maker, node("Add", ["x", "w"], ["y"])]
    refused(model(nodes, arrays), tmp_path, maker.op_type)


@pytest.mark.parametrize("op", ["Reshape", "Expand", "Pad", "Tile", "Slice", "Unsqueeze"])
def test_lists_of_absurd_length(op, tmp_path):
    nodes = [node("ConstantOfShape", ["s"], ["l"], value=numpy_helper.from_array(np.array([1]))),
             node(op, ["x", "l", "l"][: 3 if op == "Slice" else 2], ["y"])]  # fmt: skip
    refused(model(nodes, {"s": shape_of(2**27)}), tmp_path, f"{op}: .* has {2**27} values")


def test_what_another_program_says_of_itself_is_left_aside(tmp_path):
    made = small()
    helper.set_model_props(made, {"classes": "{", "preprocessing": "[1]", "input_shape": "x"})
    (tmp_path / "model.onnx").write_bytes(made.SerializeToString())
    graph = load(tmp_path / "model.onnx")
    assert (graph.classes, graph.preprocessing, graph.input_shape) == (None, None, (3, 8, 8))


def test_doubling_again_and_again(tmp_path):
    nodes = [node("Concat", [f"a{i}", f"a{i}"], [f"a{i + 1}"], axis=0) for i in range(60)]
    nodes.append(node("Add", ["x", "a60"], ["y"]))
    refused(model(nodes, {"a0": np.ones(1, np.float32)}), tmp_path, "Concat: .*would be too large")


def test_a_little_from_many_nodes(tmp_path):
    many = [node("Mul", ["a", "b"], [f"a{i}"]) for i in range(60)]
    nodes = [*many, node("Sum", ["x", *(f"a{i}" for i in range(60))], ["y"])]
    arrays = {"a": np.ones((1, 2**20), np.float32), "b": np.ones((4, 1), np.float32)}
    refused(model(nodes, arrays), tmp_path, "too much memory")


def test_outputs_of_absurd_size(tmp_path):
    pad = node("Pad", ["x", "p"], ["y"])
    refused(model([pad], {"p": shape_of(0, 0, 2**40, 0, 0, 0, 0, 0)}), tmp_path, f"{2**40}")
    grow = [node("Concat", [f"a{i}", f"a{i}"], [f"a{i + 1}"], axis=1) for i in range(40)]
    first, last = node("Relu", ["x"], ["a0"]), node("Relu", ["a40"], ["y"])
    refused(model([first, *grow, last]), tmp_path, "would have the shape")
    pool = node("MaxPool", ["x"], ["y"], kernel_shape=[2**20, 2**20], pads=[2**19] * 4)
    refused(model([pool]), tmp_path, "kernel_shape")


@pytest.mark.parametrize("shape", [("N", 2**40, 8, 8), ("N", 0, 8, 8), (), ("N", -3, 8, 8)])
def test_inputs_of_absurd_shape(shape, tmp_path):
    w = {"w": np.ones((2, 3, 3, 3), np.float32)}
    made = model([node("Conv", ["x", "w"], ["y"])], w, shape)
    refused(made, tmp_path, "would|open|expects|axes|shape")


def test_reshapes_that_do_not_fit(tmp_path):
    for sizes in ((-1, -1), (7, -1), (0, 2**62), (-2, 3), (0,) * 20):
        nodes = [node("Reshape", ["x", "s"], ["y"])]
        refused(model(nodes, {"s": shape_of(*sizes)}), tmp_path, "Reshape")


# Files beside it


def outside(location, length=216, offset=0, **more):
    tensor = TensorProto(name="w", data_type=FLOAT, dims=[2, 3, 3, 3])
    tensor.data_location = TensorProto.EXTERNAL
    entries = {"location": location, "offset": str(offset), "length": str(length)} | more
    for key, text in entries.items():
        tensor.external_data.add(key=key, value=text)
    return model([node("Conv", ["x", "w"], ["y"])], {"w": tensor})


@pytest.fixture
def folder(tmp_path):
    """A folder with a model's data, and a secret outside it."""
    (tmp_path / "secret").write_bytes(b"\1" * 216)
    inner = tmp_path / "model"
    inner.mkdir()
    (inner / "data").write_bytes(b"\0" * 216)
    return inner


def test_data_beside_the_file_is_read(folder):
    (folder / "model.onnx").write_bytes(outside("data").SerializeToString())
    assert load(folder / "model.onnx").output_shape((1, 3, 8, 8)) == (1, 2, 6, 6)


def test_data_outside_the_folder_is_not_read(folder):
    (folder / "link").symlink_to(folder.parent / "secret")
    (folder / "up").symlink_to(folder.parent)
    (folder / "loop").symlink_to(folder / "loop")
    secret = str(folder.parent / "secret")
    inside = ["link", "up/secret", "loop", "", "a\0b"]
    upwards = ["../secret", "../model/../secret", "./../secret", "../model/data"]
    for location in (*inside, *upwards, secret, "/etc/passwd", "/dev/zero"):
        refused(outside(location), folder, "not in the model's folder|does not exist")


def test_data_that_is_no_plain_file(folder):
    refused(outside("missing"), folder, "does not exist")
    refused(outside("."), folder, "does not exist|not in the model's folder")
    os.mkfifo(folder / "pipe")
    refused(outside("pipe"), folder, "does not exist")


@pytest.mark.parametrize(
    ("length", "offset"),
    [(216, 4), (216, -4), (100, 0), (10**30, 0), (216, 10**30), ("x", 0), (216, "")],
)
def test_data_of_the_wrong_length(length, offset, folder):
    refused(outside("data", length, offset), folder, "'w'")
