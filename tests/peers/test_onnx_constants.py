"""What an ONNX file computes from constants and from its own shapes, as exporters write it."""

import numpy as np
import pytest
import torch
from torch import nn as tnn
from torch.nn import functional

from onnx_files import agree, by_onnxruntime, exported, images, node, random, saved
from pellucid.errors import FileError
from pellucid.interchange.onnx import load


class Resized(tnn.Module):
    """To the size of another image, as most networks for segmentation end."""

    def __init__(self, how):
        super().__init__()
        self.conv, self.how = tnn.Conv2d(3, 4, 3, stride=2), how

    def forward(self, x):
        y = self.conv(x)
        size = x.shape[-2:] if self.how == "as the image" else (17, 31)
        if self.how == "by a factor":
            return functional.interpolate(y, scale_factor=1.5, mode="bilinear")
        mode = "nearest" if self.how == "nearest" else "bilinear"
        return functional.interpolate(y, size=size, mode=mode)


@pytest.mark.parametrize("how", ["as the image", "to a size", "nearest", "by a factor"])
@pytest.mark.parametrize("dynamic", [False, True])
@pytest.mark.parametrize("opset", [11, 17])
def test_images_are_resized_to_sizes_that_are_computed(how, dynamic, opset, tmp_path):
    path = exported(Resized(how), tmp_path / "m.onnx", dynamic=dynamic, opset=opset)
    x = images(2, (3, 24, 20))
    agree(load(path)(x), by_onnxruntime(path)(x)[0])


class Same(tnn.Module):
    """TensorFlow's padding, computed from the image's size, as in networks ported from it."""

    def __init__(self):
        super().__init__()
        self.conv = tnn.Conv2d(3, 4, 3, 2)

    def forward(self, x):
        def total(size):
            size = torch.as_tensor(size)
            return torch.clamp(((size + 1) // 2 - 1) * 2 + 3 - size, min=0)

        down, across = map(total, x.shape[-2:])
        sides = (across // 2, across - across // 2, down // 2, down - down // 2)
        return self.conv(functional.pad(x, sides))


def test_padding_that_is_computed_from_the_size(tmp_path):
    shape = (3, 16, 15)
    path = exported(
        Same(), tmp_path / "m.onnx", dynamic=False, shape=shape, do_constant_folding=False
    )
    x = images(1, shape)
    agree(load(path)(x), by_onnxruntime(path)(np.repeat(x, 2, 0))[0][:1])


def test_a_weight_may_be_the_result_of_any_layer(tmp_path):
    """Weights are standardised, smoothed and cut off before they are used."""
    nodes = [
        node("InstanceNormalization", ["w", "one", "zero"], ["n"]),
        node("AveragePool", ["n"], ["p"], kernel_shape=[3, 3], pads=[1, 1, 1, 1]),
        node("Clip", ["p", "low", "high"], ["c"]),
        node("Softplus", ["c"], ["s"]),
        node("Conv", ["x", "s"], ["y"]),
    ]
    arrays = {"w": random(4, 3, 3, 3), "one": np.ones(3, np.float32), "low": np.float32(-0.5),
              "zero": np.zeros(3, np.float32), "high": np.float32(0.4)}  # fmt: skip
    path, x = saved(tmp_path / "m.onnx", nodes, arrays), images(2, (3, 8, 8))
    graph = load(path)
    assert [type(layer).__name__ for layer, _ in graph.nodes.values()] == ["Conv2d"]
    agree(graph(x), by_onnxruntime(path)(x)[0])


def test_whole_numbers_stay_whole(tmp_path):
    """Limits of whole numbers, for a shape that is computed."""
    nodes = [
        node("Clip", ["wide", "low", "high"], ["size"]),
        node("Reshape", ["x", "size"], ["y"]),
    ]
    arrays = {"wide": np.int64([-1, 900]), "low": np.int64(-1), "high": np.int64(192)}
    path, x = saved(tmp_path / "m.onnx", nodes, arrays), images(2, (3, 8, 8))
    assert np.array_equal(load(path)(x), x.reshape(2, 192))


def test_constants_cannot_ask_for_much_work(tmp_path):
    nodes = [
        node("ConstantOfShape", ["large"], ["c"]),
        node("Conv", ["c", "w"], ["d"]),
        node("ReduceMean", ["d"], ["e"]),
        node("Mul", ["x", "e"], ["y"]),
    ]
    arrays = {"large": np.int64([64, 16, 64, 64]), "w": random(64, 16, 15, 15)}
    with pytest.raises(FileError, match="constants of this size"):
        load(saved(tmp_path / "m.onnx", nodes, arrays))
    arrays["large"] = np.int64([64, 16, 128, 128])
    with pytest.raises(FileError, match="16777216 values"):
        load(saved(tmp_path / "m.onnx", nodes, arrays))
