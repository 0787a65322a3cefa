"""``pellucid draw``: names, files, numbers of one's own, and what it answers to mistakes."""

import xml.etree.ElementTree as ElementTree
from pathlib import Path

import pytest
from PIL import Image

from pellucid.view import draw
from pellucid.view.draw import catalogue


def test_without_a_name_all_are_listed(pellucid):
    status, out, _ = pellucid("draw")
    lines = out.splitlines()[1:]
    assert status == 0
    assert [line.split()[0] for line in lines] == list(draw.names())
    assert [line.split()[0] for line in lines if line.rstrip().endswith("moves")] == [
        drawing.name for drawing in draw.DRAWINGS if drawing.animation
    ]


def test_a_drawing_becomes_an_svg_of_its_name(pellucid):
    assert pellucid("draw", "max-pool") == (0, "max-pool.svg\n", "")
    assert ElementTree.parse("max-pool.svg").getroot().tag.endswith("svg")


def test_a_drawing_moves_if_it_is_to_be_a_gif(pellucid):
    own = ("--input", "1 2 3; 4 5 6; 7 8 9", "--kernel", "1, -1; 0, 2")
    assert pellucid("draw", "convolution", "--out", "own.gif", *own)[0] == 0
    with Image.open("own.gif") as image:
        assert image.n_frames == 4
    assert (
        pellucid("draw", "convolution", "--out", "own.png", *own, "--padding", 1, "--stride", 2)[0]
        == 0
    )
    with Image.open("own.png") as image:
        assert min(image.size) > 300


def test_all_are_written_to_a_folder(pellucid, monkeypatch):
    few = tuple(map(draw.find, ("stride", "flip")))
    monkeypatch.setattr(catalogue, "DRAWINGS", few)
    status, out, _ = pellucid("draw", "--all", "pictures")
    assert status == 0
    names = {"stride.svg", "stride.gif", "flip.svg"}
    assert {path.name for path in Path("pictures").iterdir()} == names
    assert {Path(line).name for line in out.splitlines()} == names


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["strides"], "unknown drawing 'strides'; did you mean 'stride'?"),
        (["fft", "--stride", 2], "the drawing 'fft' has no option stride; it takes none"),
        (["fft", "--out", "fft.gif"], "the drawing 'fft' does not move; save it as .svg or .png"),
        (["fft", "--all", "here"], "name a drawing or give --all, not both"),
        (["convolution", "--input", "1 2; 3"], "--input must be rows of the same number of values"),
        (
            ["convolution", "--kernel", "a b"],
            '--kernel must be rows of the same number of values, such as "1',
        ),
        (["convolution", "--padding", "some"], "padding must be an int"),
        (["stride", "--input", "1 2; 3 4"], "an image of 2×2 is too small for a kernel of 3×3"),
    ],
)
def test_mistakes_are_answered_in_one_line(pellucid, arguments, message):
    status, out, err = pellucid("draw", *arguments)
    assert (status, out) == (2, "")
    assert message in err
    assert err.count("\n") == 1
    assert not list(Path().iterdir())
