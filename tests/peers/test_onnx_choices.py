"""Comparisons, choices and sums by letters in ONNX files, beside onnxruntime."""

import numpy as np
import pytest
import torch
from torch import nn as tnn

from onnx_files import agree, by_onnxruntime, exported, images, node, random, saved
from pellucid.errors import FileError
from pellucid.interchange.onnx import load


class Choices(tnn.Module):
    """Comparisons with values, numbers and constants, joined, and what is chosen by them."""

    def __init__(self):
        super().__init__()
        self.register_buffer("limit", torch.randn(3, 1, 1))

    def forward(self, x):
        y = x.flip(1)
        far = (x > y) & ~(x >= 1) | (x <= self.limit)
        x = torch.where(far, x, y * 2)
        x = torch.where(x < -2.5, torch.tensor(float("-inf")), x)
        x = torch.where(x == y, self.limit, x).softmax(1)
        return torch.sign(torch.log(x + 1) - 0.3) + (x < y).float()


class Segments(tnn.Module):
    """The class of each pixel, as networks for segmentation are shipped."""

    def __init__(self):
        super().__init__()
        self.conv = tnn.Conv2d(3, 5, 3)

    def forward(self, x):
        return self.conv(x).argmax(1, keepdim=True).to(torch.int32)


@pytest.mark.parametrize("module", [Choices, Segments])
def test_what_a_module_chooses_is_read(module, tmp_path):
    torch.manual_seed(1)
    path = exported(module(), tmp_path / "m.onnx", dynamic=True, shape=(3, 9, 8))
    x = images(4, (3, 9, 8))
    agree(load(path)(x), by_onnxruntime(path)(x)[0])


@pytest.mark.parametrize(
    ("equation", "shape"),
    [
        ("nchw,oc->nohw", (5, 3)),  # a convolution of 1×1
        ("nchw,co->nhwo", (3, 5)),
        ("nchw,cw->nch", (3, 8)),  # a weight of its own for each row's pixels
        ("nchw,c->nhw", (3,)),
        ("oc,nchw->nohw", (5, 3)),
        ("nchw->nc", None),
        ("nchw->nwhc", None),
        ("nchw,nkhw->nck", ...),  # attention between channels
        ("nchw,ncuw->nchu", ...),
        ("nchw,nkhw->nhck", ...),
    ],
)
def test_sums_by_letters(equation, shape, tmp_path):
    arrays = {"w": random(*shape)} if isinstance(shape, tuple) else {}
    names = {None: ["x"], ...: ["x", "z"]}.get(shape, ["x", "w"])
    names = names[::-1] if equation.startswith("oc") else names
    first = [node("Sigmoid", ["x"], ["z"])] if shape is ... else []
    nodes = [*first, node("Einsum", names, ["y"], equation=equation)]
    path, x = saved(tmp_path / "m.onnx", nodes, arrays, 13, ("N", 3, 6, 8)), images(2, (3, 6, 8))
    agree(load(path, layout="NCHW")(x), by_onnxruntime(path)(x)[0])


@pytest.mark.parametrize(
    "equation", ["...c,oc->...o", "ncij,ij->nci,", "nciw,ii->ncw", "nchw,oc->nohz"]
)
def test_letters_that_mean_something_else_are_refused(equation, tmp_path):
    nodes = [node("Einsum", ["x", "w"], ["y"], equation=equation)]
    with pytest.raises(FileError, match="Einsum"):
        load(
            saved(tmp_path / "m.onnx", nodes, {"w": random(6, 6)}, 13, ("N", 6, 6, 6)),
            layout="NCHW",
        )


def test_equal_values_are_found_at_their_first_place(tmp_path):
    nodes = [node("ArgMin", ["x"], ["y"], axis=2, keepdims=0)]
    path = saved(tmp_path / "m.onnx", nodes, {}, 13)
    x = np.round(images(2, (3, 8, 8)))
    found = load(path)(x)
    assert np.array_equal(found, x.argmin(2))
    assert found.dtype == np.float32
