"""A slider shows one of its pictures, in a notebook or on a page."""

import re

import pytest
from matplotlib.figure import Figure

from pellucid import view
from pellucid.errors import PellucidError


def picture(value):
    figure = Figure((1, 1))
    figure.text(0.5, 0.5, str(value))
    return figure


def test_a_slider_has_a_picture_for_each_value_and_shows_the_first():
    page = view.slider(picture, [1, 2, 5], "stride", first=1)._repr_html_()
    images = re.findall(r"<img[^>]*>", page)
    assert [("display:none" in image) for image in images] == [True, False, True]
    assert len({re.search(r"base64,([^']*)", image)[1] for image in images}) == 3
    assert "alt='The picture for stride 5'" in images[2]
    assert "max='2'" in page
    assert "<output>2</output>" in page


def test_a_slider_without_values_is_an_error():
    with pytest.raises(PellucidError, match="at least one value"):
        view.slider(picture, [], "stride")
