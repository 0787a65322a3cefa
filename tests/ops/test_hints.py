"""A message about images of the wrong shape says what they may be instead, if that is likely."""

import pytest

from pellucid.ops.checks import layout_hint


@pytest.mark.parametrize(
    ("shape", "channels", "hint"),
    [
        ((8, 5, 6, 3), 3, "are the channels last"),
        ((8, 3, 6, 3), 3, ""),
        ((8, 5, 3, 6), 3, ""),
        ((8, 5, 6, 1), 1, "are the channels last"),
        ((3, 5, 6), 3, "is it one image? x[None] "),
        ((1, 5, 6), 1, "is it one image? x[None] "),
        ((5, 3, 6), 3, ""),
        ((5, 6, 7), 1, "without an axis for the channels"),
        ((5, 6, 7), 2, ""),
        ((5, 6), 1, "is it one image? x[None, None] "),
        ((5, 6), 2, ""),
        ((5, 6, 7, 8, 9), 1, ""),
    ],
)
def test_the_hint_fits_the_shape(shape: tuple[int, ...], channels: int, hint: str) -> None:
    found = layout_hint(shape, channels)
    assert hint in found
    assert bool(found) == bool(hint)
