"""Pictures look alike, are read on light and dark pages, and leave Matplotlib as it was."""

import xml.etree.ElementTree as ET

import matplotlib
import numpy as np
import pytest
from PIL import Image

from drawn import assert_readable
from pellucid import view
from pellucid.errors import FileError, ShapeError
from pellucid.preprocessing import Preprocessing
from pellucid.view import style


@style.styled
def picture(ax=None):
    drawn, ax = style.axes(ax)
    ax.plot([1, 2, 3], label="$_line_$")
    ax.legend()
    return drawn


def test_drawing_changes_no_setting():
    with matplotlib.rc_context({"font.size": 33, "text.color": "red"}):
        before = dict(matplotlib.rcParams)
        style.svg(picture())
        style.png(picture())
        assert dict(matplotlib.rcParams) == before

    @style.styled
    def fails():
        raise RuntimeError

    with matplotlib.rc_context({"font.size": 33}):
        with pytest.raises(RuntimeError):
            fails()
        assert matplotlib.rcParams["font.size"] == 33


def test_a_picture_is_the_same_whatever_the_user_has_set():
    plain = style.svg(picture())
    with matplotlib.rc_context({"font.size": 30, "lines.color": "red", "axes.grid": True}):
        assert style.svg(picture()) == plain


def test_the_same_picture_gives_the_same_bytes(tmp_path):
    for name in ("a.svg", "a.png"):
        one = view.save(picture(), tmp_path / name).read_bytes()
        two = view.save(picture(), tmp_path / name).read_bytes()
        assert one == two
        assert b"202" not in one or b"dc:date" not in one


def test_a_saved_picture_is_what_its_suffix_says(tmp_path):
    with Image.open(view.save(picture(), tmp_path / "a.png")) as image:
        assert image.format == "PNG"
    root = ET.parse(view.save(picture(), tmp_path / "a.svg")).getroot()
    assert root.tag.endswith("svg")
    with pytest.raises(FileError, match=r"\.svg or \.png, not as 'a\.jpg'"):
        view.save(picture(), tmp_path / "a.jpg")


def test_every_ink_has_its_counterpart_on_dark_pages():
    text = style.svg(picture())
    for light, dark in style.ON_DARK.items():
        assert f'[style*="fill: {light}"]{{fill:{dark}!important}}' in text
    assert "prefers-color-scheme" not in style.svg(picture(), for_dark_pages=False)


def luminance(colour):
    channels = np.array([int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)])
    linear = np.where(channels <= 0.04045, channels / 12.92, ((channels + 0.055) / 1.055) ** 2.4)
    return linear @ (0.2126, 0.7152, 0.0722)


def contrast(a, b):
    """As WCAG 2 defines it."""
    high, low = sorted((luminance(a), luminance(b)), reverse=True)
    return (high + 0.05) / (low + 0.05)


def test_text_stands_out_from_its_paper():
    for ink in (style.INK, style.SOFT):
        assert contrast(ink, style.PAPER) >= 4.5
        assert contrast(style.ON_DARK[ink], style.ON_DARK[style.PAPER]) >= 4.5


def test_a_dollar_sign_in_a_name_is_a_dollar_sign():
    texts = picture().axes[0].get_legend().get_texts()
    assert [text.get_text() for text in texts] == ["$_line_$"]
    assert not texts[0].get_parse_math()
    assert_readable(picture())


def test_letters_that_the_font_lacks_are_taken_from_installed_ones(monkeypatch):
    named = ["Times", "Hiragino Sans", style.FONT]
    monkeypatch.setattr("matplotlib.font_manager.get_font_names", lambda: named)
    style._families.cache_clear()
    with monkeypatch.context() as patched:
        seen = []
        patched.setattr(style, "axes", lambda *_: seen.append(matplotlib.rcParams["font.family"]))
        with pytest.raises(TypeError):
            picture()
    style._families.cache_clear()
    assert seen == [[style.FONT, "Hiragino Sans"]]


def test_given_axes_are_drawn_in():
    drawn = style.figure()
    ax = drawn.add_subplot()
    assert picture(ax) is drawn
    assert ax.lines


@pytest.mark.parametrize(
    ("image", "shown"),
    [
        (np.array([[[0, 255]]], np.uint8), [[0, 0, 0], [1, 1, 1]]),
        (np.array([[0, 1]], np.uint8), [[0, 0, 0], [1 / 255] * 3]),
        (np.array([[[0.0, 0.5]]]), [[0, 0, 0], [0.5, 0.5, 0.5]]),
        (np.array([[[0.0, 51.0]]]), [[0, 0, 0], [0.2, 0.2, 0.2]]),
        (np.array([[[-3.0, 1.0, -1.0]]]), [[0, 0, 0], [1, 1, 1], [0.5, 0.5, 0.5]]),
        (np.array([[[1.0]], [[0.5]], [[0.0]]]), [[1, 0.5, 0]]),
        (np.array([[[1.0]], [[0.0]]]), [[0.5, 0.5, 0.5]]),
        (np.array([[[-0.001, 1.002]]]), [[0, 0, 0], [1, 1, 1]]),
        (np.array([[[np.nan, 1.0]]]), [[0, 0, 0], [1, 1, 1]]),
        (np.array([[[7.0, 7.0]]]), [[7 / 255] * 3] * 2),
        (np.array([[[-7.0, -7.0]]]), [[0, 0, 0]] * 2),
    ],
)
def test_an_image_is_shown_in_its_range(image, shown):
    np.testing.assert_allclose(style.to_rgb(image)[0], shown)


def test_preprocessing_is_undone():
    stored = np.random.default_rng(0).integers(0, 256, (1, 3, 4, 5)).astype(np.uint8)
    for images in (stored, stored / 255):
        preprocessing = Preprocessing.fit(images)
        shown = style.to_rgb(preprocessing(images)[0], preprocessing)
        np.testing.assert_allclose(shown, stored[0].transpose(1, 2, 0) / 255, atol=1e-6)


def test_what_is_no_image_is_refused():
    with pytest.raises(ShapeError, match=r"\(C, H, W\) or \(H, W\), not \(5,\)"):
        style.to_rgb(np.ones(5))


def test_the_check_finds_texts_that_overlap_or_are_cut_off():
    @style.styled
    def two(x, y):
        drawn = style.figure()
        drawn.text(0.5, 0.5, "one word")
        drawn.text(x, y, "another word")
        return drawn

    assert_readable(two(0.5, 0.8))
    with pytest.raises(AssertionError, match="lies over"):
        assert_readable(two(0.51, 0.51))
    with pytest.raises(AssertionError, match="cut off"):
        assert_readable(two(0.95, 0.8))
