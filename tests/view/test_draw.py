"""The drawings can be read, are saved as they should be, and say what they cannot draw."""

import re
from pathlib import Path

import matplotlib
import numpy as np
import pytest
from matplotlib.backends.backend_agg import FigureCanvasAgg
from PIL import Image
from scipy.signal import correlate2d

from drawings import collisions, cut_off, made, matrices, moving
from pellucid.errors import FileError, PellucidError, ShapeError
from pellucid.view import draw, style

ROOT = Path(__file__).parents[2]
PICTURES = ROOT / "docs" / "pictures"


@pytest.mark.parametrize("name", draw.names())
def test_no_text_overlaps_or_is_cut_off(name):
    assert not collisions(made(name))
    assert not cut_off(made(name))


@pytest.mark.parametrize("name", [d.name for d in draw.DRAWINGS if d.animation])
def test_neither_in_an_animation(name):
    figures = moving(name).figures
    for figure in (figures[0], figures[-1]):
        assert not collisions(figure)
        assert not cut_off(figure)
    assert len({tuple(figure.get_size_inches()) for figure in figures}) == 1


def test_overlapping_and_cut_off_text_would_be_found():
    board = draw.board.Board()
    board.text(0, 0, "one on the other")
    board.text(0.5, 0.1, "the other")
    assert collisions(board.figure())
    other = draw.board.Board()
    other.text(0, 0, "this is cut off")
    assert cut_off(other.figure(other.bounds().translated(2, 0)))


def test_arrays_of_ones_own_are_drawn():
    x, kernel = np.arange(16).reshape(4, 4) % 5, [[1, -2], [0, 3]]
    figure = draw.convolution(x, kernel, stride=2, padding=1)
    expected = correlate2d(np.pad(x, 1), kernel, "valid")[::2, ::2]
    np.testing.assert_array_equal(matrices(figure, "output")[-1], expected)
    assert not collisions(figure)
    long = draw.convolution([[1234.5, -0.123], [1e-9, 7]], [[-1000.0]])
    assert not collisions(long)


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"x": np.zeros((40, 40))}, "an input of 40×40 is too large to be drawn"),
        ({"kernel": np.zeros((9, 9))}, "a kernel of 9×9 is too large"),
        ({"x": [1, 2, 3]}, r"an input is a matrix such as 5×5, not an array of shape \(3,\)"),
        ({"x": np.zeros((12, 12)), "padding": 4}, "20×20 with its padding is too large"),
        ({"x": [[1.0]]}, "too small for a kernel"),
        (
            {"x": [[1, 2], [3]]},
            r"an input is rows of equally many numbers, not \[\[1, 2\], \[3\]\]",
        ),
        ({"kernel": [[np.nan]]}, "a kernel has numbers that are not finite"),
    ],
)
def test_what_cannot_be_drawn_is_said(given, message):
    with pytest.raises(PellucidError, match=message):
        draw.convolution(**given)


def test_an_animation_that_would_never_end_is_refused():
    with pytest.raises(ShapeError, match="an animation of 100 steps is too long"):
        draw.convolution_animation(np.zeros((12, 12)))


def test_gifs_repeat_and_are_small(tmp_path):
    path = moving("convolution").save(tmp_path / "moving.gif")
    with Image.open(path) as image:
        assert image.n_frames == 9
        assert image.info["loop"] == 0
        assert image.info["duration"] == 1200
    assert "data:image/gif;base64," in moving("convolution")._repr_html_()
    with pytest.raises(FileError, match=r"saved as \.gif"):
        moving("convolution").save(tmp_path / "moving.svg")


def test_a_gif_keeps_the_colours(tmp_path):
    path = moving("stride").save(tmp_path / "stride.gif")
    for k, figure in enumerate(moving("stride").figures):
        canvas = FigureCanvasAgg(figure)
        canvas.draw()
        drawn = np.asarray(canvas.buffer_rgba())[..., :3].astype(int)
        with Image.open(path) as image:
            image.seek(k)
            kept = np.asarray(image.convert("RGB")).astype(int)
        assert (np.abs(kept - drawn).max(axis=2) > 24).mean() < 0.002


def test_the_same_drawing_has_the_same_bytes(tmp_path):
    drawing, own = draw.find("convolution"), {"x": [[1, 2, 0], [0, 3, 1]], "kernel": [[1, -1]]}
    for suffix in (".svg", ".gif"):
        paths = [drawing.save(tmp_path / f"{k}{suffix}", **own) for k in (1, 2)]
        assert paths[0].read_bytes() == paths[1].read_bytes()


def test_settings_of_the_user_are_left_alone_and_do_not_matter():
    before = style.svg(draw.flip())
    with matplotlib.rc_context({"font.size": 30, "font.family": "serif", "axes.facecolor": "red"}):
        inside = dict(matplotlib.rcParams)
        assert style.svg(draw.flip()) == before
        assert dict(matplotlib.rcParams) == inside


def test_unknown_names_and_options_are_said():
    with pytest.raises(PellucidError, match="did you mean 'winograd'"):
        draw.find("vinograd")
    with pytest.raises(PellucidError, match="'flip' has no option stride; it takes none"):
        draw.find("flip").save("flip.svg", stride=2)
    with pytest.raises(PellucidError, match="moving drawing 'stride' has no option padding"):
        draw.find("stride").save("stride.gif", padding=2)
    with pytest.raises(FileError, match="does not move"):
        draw.find("flip").save("flip.gif")
    with pytest.raises(FileError, match=r"saved as \.svg, \.png or \.gif, not as 'a\.jpg'"):
        draw.find("stride").save("a.jpg")


def test_the_pictures_in_the_documentation_are_those_of_the_catalogue():
    expected = {f"{d.name}{suffix}" for d in draw.DRAWINGS for suffix in d.suffixes}
    files = list(PICTURES.iterdir())
    assert {path.name for path in files} == expected
    assert all(path.stat().st_size <= 500_000 for path in files)
    assert sum(path.stat().st_size for path in files) <= 3_000_000


def test_the_page_shows_every_drawing_and_says_what_is_on_it():
    page = (ROOT / "docs" / "mathematics.md").read_text(encoding="utf-8")
    shown = re.findall(r"!\[([^\]]*)\]\(pictures/([^)]+)\)", page)
    assert {Path(file).stem for _, file in shown} == set(draw.names())
    assert all(len(alt) > 20 for alt, _ in shown)
