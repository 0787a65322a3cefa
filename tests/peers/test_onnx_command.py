"""ONNX files given to the commands: pixels, layout and outputs, the same for each command."""

import re
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from onnx_files import node, random, saved
from pellucid import interchange

COMMANDS = {
    "predict": ("predict", "m.onnx", "grey.png"),
    "explain": ("explain", "m.onnx", "grey.png", "--method", "saliency", "--out", "shown"),
    "evaluate": ("evaluate", "m.onnx", "photos"),
}


@pytest.fixture
def folder(pellucid):
    """Grey images of one tone: 20 in grey.png and in both classes of photos."""
    del pellucid
    for name in ("grey.png", "photos/a/1.png", "photos/b/1.png"):
        Path(name).parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(np.full((8, 8), 20, np.uint8)).save(name)


def brightness(path, *, outputs=("y",), last=False):
    """Scores [1, 4 · mean of x]: class 0 of a dark image and class 1 of a bright one, for 0-1."""
    axes = [1, 2, 3]
    nodes = [
        node("ReduceMean", ["x"], ["m"], axes=axes, keepdims=0),
        node("Unsqueeze", ["m"], ["u"], axes=[1]),
        node("Gemm", ["u", "w", "b"], ["y"]),
        node("Mul", ["x", "two"], ["twice"]),
        node("Flatten", ["u"], ["one"]),
        node("NonZero", ["x"], ["unreadable"]),
        node("Sub", ["b", "y"], ["other"]),
    ]
    arrays = {"w": np.float32([[0, 4]]), "b": np.float32([1, 0]), "two": np.float32(2)}
    shape = ("N", 8, 8, 1) if last else ("N", 1, 8, 8)
    return saved(path, nodes, arrays, 11, shape, outputs)


def chosen_class(out):
    """The class that a command names for grey.png."""
    return re.search(r"grey\.png:? +(\d)", out)[1]


@pytest.mark.usefixtures("folder")
@pytest.mark.parametrize("command", ["predict", "explain"])
def test_pixels_are_taken_alike_by_every_command(command, pellucid):
    brightness("m.onnx")
    status, out, err = pellucid(*COMMANDS[command])
    assert status == 0
    assert err.startswith("m.onnx does not say how pixels become its inputs; as 0-1 here")
    assert chosen_class(out) == "0"
    status, out, err = pellucid(*COMMANDS[command], "--pixels", "0-255")
    assert (status, err) == (0, "")
    assert chosen_class(out) == "1"
    status, _, err = pellucid(*COMMANDS[command], "--pixels", "imagenet")
    assert status == 2
    assert "imagenet is for colour images; this network takes 1 channel\n" in err


@pytest.mark.usefixtures("folder")
@pytest.mark.parametrize("command", COMMANDS)
def test_of_several_outputs_the_only_scores_are_taken_and_it_is_said(command, pellucid):
    brightness("m.onnx", outputs=("twice", "y", "one"))
    status, _, err = pellucid(*COMMANDS[command])
    assert status == 0
    assert err.splitlines()[0] == (
        "m.onnx has several outputs: 'twice' (1×8×8), 'y' (2), 'one' (1); 'y' holds the class "
        "scores"
    )


@pytest.mark.usefixtures("folder")
@pytest.mark.parametrize("command", COMMANDS)
def test_where_several_outputs_could_be_the_scores_the_user_says_which(command, pellucid):
    brightness("m.onnx", outputs=("y", "other"))
    status, _, err = pellucid(*COMMANDS[command])
    assert (status, err) == (
        2,
        "Error: m.onnx has several outputs: 'y' (2), 'other' (2); name the one with the class "
        "scores, as in --output y\n",
    )
    assert pellucid(*COMMANDS[command], "--output", "other")[0] == 0
    status, _, err = pellucid(*COMMANDS[command], "--output", "z")
    assert "unknown output 'z'. Known: y, other" in err


def test_what_another_output_needs_is_not_read(tmp_path):
    path = brightness(tmp_path / "m.onnx", outputs=("y", "unreadable"))
    assert interchange.onnx.output_names(path) == ("y", "unreadable")
    graph = interchange.onnx.load(path, output="y")
    np.testing.assert_allclose(graph(np.ones((1, 1, 8, 8), np.float32)), [[1, 4]], rtol=1e-6)


@pytest.mark.usefixtures("folder")
def test_the_size_of_images_that_a_file_leaves_open_is_said(pellucid):
    nodes = [node("Conv", ["x", "w"], ["c"]), node("ReduceMean", ["c"], ["y"], axes=[2, 3])]
    saved("m.onnx", nodes, {"w": random(2, 1, 3, 3)}, 11, ("N", 1, "H", "W"))
    status, _, err = pellucid(*COMMANDS["predict"])
    assert status == 2
    assert "--input 3x224x224 on the command line" in err
    assert pellucid(*COMMANDS["predict"], "--input", "1x8x8")[0] == 0


@pytest.mark.usefixtures("folder")
def test_a_guessed_layout_is_said_in_one_line(pellucid):
    nodes = [node("Flatten", ["x"], ["f"]), node("MatMul", ["f", "w"], ["y"])]
    saved("m.onnx", nodes, {"w": random(8 * 8 * 3, 2)}, 11, ("N", 8, 8, 3))
    for command in COMMANDS.values():
        status, _, err = pellucid(*command, "--pixels", "0-1")
        assert status == 0
        assert err.count("\n") == 1
        assert "NHWC is assumed" in err
        assert pellucid(*command, "--pixels", "0-1", "--layout", "NHWC")[2] == ""


def test_these_options_are_for_onnx_files_alone(pellucid, run):
    Image.fromarray(np.full((8, 8), 20, np.uint8)).save("grey.png")
    for option in ("pixels", "input", "layout", "output"):
        status, _, err = pellucid("predict", run, "grey.png", f"--{option}", "y")
        assert status == 2
        assert err == f"Error: --{option} is for .onnx files; a run knows it already\n"
