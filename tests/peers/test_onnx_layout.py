"""Whether an ONNX file has the channels first or last: what decides it, what is only a guess."""

import warnings

import numpy as np
import pytest
from onnx import TensorProto, helper

from onnx_files import agree, by_onnxruntime, images, last, node, random, saved
from pellucid import layers as nn
from pellucid.errors import PellucidError
from pellucid.interchange.onnx import LayoutWarning, load, save

INT = np.int64


def begins(first, arrays, channels):
    """What a network begins with, then the channels first, a convolution and a mean."""
    nodes = [
        *first,
        node("Transpose", ["q"], ["t"], perm=[0, 3, 1, 2]),
        node("Conv", ["t", "w"], ["c"]),
        node("GlobalAveragePool", ["c"], ["y"]),
    ]
    return nodes, arrays | {"w": random(4, channels, 3, 3)}


BEGINNINGS = {
    "RGB to BGR, and all of the batch by a large number": begins(
        [node("Slice", ["x", "from", "to", "axes", "steps"], ["q"])],
        {"from": INT([0, 10**9]), "to": INT([10**9, -(10**9)]), "axes": INT([0, 3]),
         "steps": INT([1, -1])},
        3,
    ),
    "a border cut off": begins(
        [node("Slice", ["x", "from", "to", "axes"], ["q"])],
        {"from": INT([2, 1]), "to": INT([-2, -1]), "axes": INT([1, 2])},
        3,
    ),
    "joined with itself": begins([node("Concat", ["x", "x"], ["q"], axis=3)], {}, 6),
    "a border of zeros": begins(
        [node("Pad", ["x", "sides"], ["q"])], {"sides": INT([0, 1, 2, 0, 0, 0, 1, 0])}, 3
    ),
    "scaled, shifted and cut off at limits": begins(
        [
            node("Mul", ["x", "half"], ["h"]),
            node("Sub", ["h", "mean"], ["s"]),
            node("Clip", ["s", "low"], ["q"]),
        ],
        {"half": np.float32(0.5), "mean": np.float32([0.1, 0.2, 0.3]), "low": np.float32(0)},
        3,
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", BEGINNINGS)
def test_what_stands_before_the_transpose_does_not_hide_it(name, tmp_path):
    nodes, arrays = BEGINNINGS[name]
    path = saved(tmp_path / "m.onnx", nodes, arrays, 15, ("N", 12, 12, 3))
    graph, x = load(path), images(2, (3, 12, 12))
    assert graph.input_shape == (3, 12, 12)
    agree(graph(x), by_onnxruntime(path)(last(x))[0])


def flattened(path, shape, **options):
    """x, Flatten, MatMul: nothing but a name or a shape can tell where the channels are."""
    size = int(np.prod([side for side in shape[1:] if isinstance(side, int)]))
    nodes = [node("Flatten", ["x"], ["f"]), node("MatMul", ["f", "w"], ["y"])]
    return saved(path, nodes, {"w": random(size, 4) / 20}, 15, shape, **options)


def test_a_number_of_colours_at_the_end_tells_it_and_is_said(tmp_path):
    path = flattened(tmp_path / "m.onnx", ("N", 16, 12, 3))
    with pytest.warns(LayoutWarning, match=r"'x' \(16×12×3\).*NHWC is assumed.*layout=\"NCHW\""):
        graph = load(path)
    x = images(2, (3, 16, 12))
    agree(graph(x), by_onnxruntime(path)(last(x))[0])


@pytest.mark.parametrize("producer", ["", "pytorch"])
def test_a_number_of_colours_in_front_is_the_custom(producer, tmp_path):
    path = flattened(tmp_path / "m.onnx", ("N", 3, 16, 12), producer=producer)
    x = images(2, (3, 16, 12))
    agree(load(path)(x), by_onnxruntime(path)(x)[0])


@pytest.mark.parametrize("order", [(0, 3, 1, 2), (0, 2, 3, 1)])
@pytest.mark.parametrize("shape", [(4, 4, 4), (5, 3, 7)])
def test_our_own_file_gives_the_network_that_was_saved(shape, order, tmp_path):
    network = nn.Sequential(nn.Permute(order), nn.Flatten(2), nn.Softmax(-1))
    save(network, tmp_path / "m.onnx", shape)
    x = images(2, shape)
    agree(load(tmp_path / "m.onnx")(x), network(x))


def test_a_file_of_tensorflow_has_them_last(tmp_path):
    path = flattened(tmp_path / "m.onnx", ("N", 16, 12, 7), producer="tf2onnx")
    x = images(2, (7, 16, 12))
    agree(load(path)(x), by_onnxruntime(path)(last(x))[0])


def test_what_nobody_can_know_is_said_and_can_be_chosen(tmp_path):
    path, x = flattened(tmp_path / "m.onnx", ("N", 16, 12, 7)), images(2, (16, 12, 7))
    with pytest.warns(LayoutWarning, match="NCHW is assumed"):
        agree(load(path)(x), by_onnxruntime(path)(x)[0])
    turned = images(2, (7, 16, 12))
    agree(load(path, layout="NHWC")(turned), by_onnxruntime(path)(last(turned))[0])
    agree(load(path, layout="NCHW")(x), by_onnxruntime(path)(x)[0])
    with pytest.raises(PellucidError, match="unknown layout 'NHCW'; did you mean 'NHWC'"):
        load(path, layout="NHCW")


def test_names_of_axes_tell_it(tmp_path):
    nodes = [node("ReduceMean", ["x"], ["m"], axes=[1, 2], keepdims=0)]
    nodes.append(node("MatMul", ["m", "w"], ["y"]))
    path = saved(
        tmp_path / "m.onnx", nodes, {"w": random(7, 4)}, 15, ("N", "height", "img_width", 7)
    )
    graph, x = load(path, input_shape=(7, 6, 5)), images(2, (7, 6, 5))
    agree(graph(x), by_onnxruntime(path)(last(x))[0])


@pytest.mark.parametrize(
    ("constant", "shape", "where"),
    [((7,), ("N", 9, 8, 7), "NHWC"), ((1, 9, 1, 1), ("N", 9, 8, 7), "NCHW")],
)
def test_one_mean_for_each_channel_is_a_hint(constant, shape, where, tmp_path):
    nodes = [node("Sub", ["x", "mean"], ["s"]), node("Flatten", ["s"], ["y"])]
    path = saved(tmp_path / "m.onnx", nodes, {"mean": random(*constant)}, 15, shape)
    with warnings.catch_warnings(record=True) as heard:
        warnings.simplefilter("always")
        graph = load(path)
    assert graph.input_shape == ((7, 9, 8) if where == "NHWC" else (9, 8, 7))
    assert [w.category for w in heard] == [LayoutWarning] * (where == "NHWC")


def test_what_follows_is_stronger_than_a_hint(tmp_path):
    """One factor for each column looks like one for each channel, until a convolution follows."""
    nodes = [node("Mul", ["x", "ramp"], ["m"]), node("Conv", ["m", "w"], ["y"])]
    arrays = {"ramp": np.linspace(0, 1, 7, dtype=np.float32), "w": random(2, 3, 3, 3)}
    path, x = saved(tmp_path / "m.onnx", nodes, arrays, 15, ("N", 3, 9, 7)), images(2, (3, 9, 7))
    agree(load(path)(x), by_onnxruntime(path)(x)[0])


def test_hints_that_contradict_each_other_are_said(tmp_path):
    path = flattened(tmp_path / "m.onnx", ("N", 16, 12, 3), producer="pytorch")
    with pytest.warns(LayoutWarning, match="NCHW is assumed"):
        assert load(path).input_shape == (16, 12, 3)


@pytest.mark.parametrize(
    ("scales", "where"), [([1, 2, 2, 1], "NHWC"), ([1, 1, 2, 2], "NCHW"), ([1, 1, 1, 2], "NCHW")]
)
def test_what_is_made_larger_is_height_and_width(scales, where, tmp_path):
    nodes = [node("Resize", ["x", "", "s"], ["l"]), node("Flatten", ["l"], ["y"])]
    path = saved(tmp_path / "m.onnx", nodes, {"s": np.float32(scales)}, 15, ("N", 9, 8, 7))
    if where == "NCHW":
        assert load(path).input_shape == (9, 8, 7)
    else:  # it is told apart, and refused: the format's Resize is for the last two axes here
        with pytest.raises(PellucidError, match="Resize"):
            load(path)


def test_of_several_inputs_each_has_its_own(tmp_path):
    graph = helper.make_graph(
        [
            node("Transpose", ["last"], ["t"], perm=[0, 3, 1, 2]),
            node("Concat", ["t", "first"], ["j"], axis=1),
            node("GlobalAveragePool", ["j"], ["y"]),
        ],
        "graph",
        [
            helper.make_tensor_value_info("last", TensorProto.FLOAT, ("N", 8, 6, 3)),
            helper.make_tensor_value_info("first", TensorProto.FLOAT, ("N", 3, 8, 6)),
        ],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, None)],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 15)])
    (tmp_path / "m.onnx").write_bytes(model.SerializeToString())
    found, x = load(tmp_path / "m.onnx", layout=None), images(2, (3, 8, 6))
    means = x.mean((2, 3), keepdims=True)
    agree(found((x, x)), np.concatenate([means, means], 1))
