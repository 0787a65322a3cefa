"""Photos of drawn digits come into the form that MNIST's digits have."""

import numpy as np
import pytest
from PIL import Image, ImageDraw

from pellucid.data import DataSet, drawn_digit
from pellucid.errors import DataError, ShapeError
from pellucid.types import Array


def photo(
    height: int = 300, width: int = 200, paper: int = 220, ink: int = 40, pen: int = 14
) -> Array:
    """A seven."""
    image = Image.new("L", (width, height), paper)
    points = [(60, 80), (130, 80), (90, 220)]
    ImageDraw.Draw(image).line(points, fill=ink, width=pen, joint="curve")
    return np.array(image)


def centre_of_mass(image: Array) -> tuple[float, float]:
    rows, columns = np.indices(image.shape)
    return float((rows * image).sum() / image.sum()), float((columns * image).sum() / image.sum())


def difference(a: Array, b: Array) -> float:
    """The mean difference, as a share of the ink."""
    return float(np.abs(a.astype(float) - b).sum() / b.sum())


def test_a_digit_fills_a_box_of_20_around_its_centre_of_mass() -> None:
    digit = drawn_digit(photo())
    assert digit.shape == (1, 28, 28)
    assert digit.dtype == np.uint8
    assert digit.max() == 255
    assert np.ptp(np.flatnonzero(digit[0].any(axis=1))) + 1 == 20
    assert np.ptp(np.flatnonzero(digit[0].any(axis=0))) + 1 < 20
    assert centre_of_mass(digit[0]) == pytest.approx((14, 14), abs=0.51)


def test_the_ground_is_black_all_over() -> None:
    noise = np.random.default_rng(0).normal(0, 4, (300, 200))
    digit = drawn_digit(np.clip(photo() + noise, 0, 255).astype(np.uint8))
    clean = drawn_digit(photo())
    assert (digit[clean == 0] == 0).mean() > 0.99
    assert difference(digit, clean) < 0.1


@pytest.mark.parametrize(
    "seen",
    [
        255 - photo(),
        photo(paper=255, ink=0),
        photo(paper=150, ink=100),
        np.asfortranarray(photo()),
        np.pad(photo(), ((40, 0), (0, 90)), mode="edge"),
        photo()[None],
        photo().repeat(2, axis=0).repeat(2, axis=1),
    ],
    ids=[
        "white on black",
        "strong",
        "faint",
        "other strides",
        "elsewhere",
        "with a channel",
        "larger",
    ],
)
def test_colours_place_and_size_make_no_difference(seen: Array) -> None:
    assert difference(drawn_digit(seen), drawn_digit(photo())) < 0.05


@pytest.mark.parametrize("direction", [(1, 0), (0, 1), (-1, 1)])
def test_shade_on_one_side_makes_no_difference(direction: tuple[int, int]) -> None:
    rows, columns = np.indices((300, 200)) / 300
    shade = 60 * (direction[0] * rows + direction[1] * columns)
    shaded = np.clip(photo(paper=150, ink=30) + shade, 0, 255)
    assert difference(drawn_digit(shaded.astype(np.uint8)), drawn_digit(photo())) < 0.1


def test_single_specks_do_not_count_as_ink() -> None:
    specks = photo()
    specks[5, 5] = specks[290, 190] = 0
    assert difference(drawn_digit(specks), drawn_digit(photo())) < 0.01


@pytest.mark.parametrize("level", [0, 200, 255])
def test_an_empty_sheet_is_told(level: int) -> None:
    with pytest.raises(DataError, match="nothing is drawn"):
        drawn_digit(np.full((100, 100), level, np.uint8))


def test_a_noisy_empty_sheet_is_told() -> None:
    noise = np.random.default_rng(0).normal(200, 2, (100, 100))
    with pytest.raises(DataError, match="nothing is drawn"):
        drawn_digit(noise.astype(np.uint8))


@pytest.mark.parametrize("shape", [(28,), (2, 28, 28), (2, 2)])
def test_what_is_no_grey_image_is_refused(shape: tuple[int, ...]) -> None:
    with pytest.raises(ShapeError, match="grey image"):
        drawn_digit(np.zeros(shape, np.uint8))
    with pytest.raises(ShapeError, match="not float64"):
        drawn_digit(np.zeros((28, 28)))


def test_a_digit_at_the_edge_stays_inside() -> None:
    lopsided = np.zeros((100, 100), np.uint8)
    lopsided[10:90, 20:22] = 255
    lopsided[70:90, 20:80] = 255
    digit = drawn_digit(lopsided)
    assert digit.shape == (1, 28, 28)
    assert digit.any()


def nearest(a: Array, b: Array) -> float:
    """The difference where `a` may lie one pixel off: centres are rounded to whole pixels."""
    shifts = [(i, j) for i in (-1, 0, 1) for j in (-1, 0, 1)]
    return min(difference(np.roll(a, shift, axis=(0, 1)), b) for shift in shifts)


def test_digits_of_mnist_pasted_on_a_larger_sheet_come_back(mnist_test: DataSet) -> None:
    generator = np.random.default_rng(0)
    differences = []
    for image in mnist_test.images[:100, 0]:
        sheet = np.zeros((60, 60), np.uint8)
        top, left = generator.integers(2, 30, 2)
        sheet[top : top + 28, left : left + 28] = image
        differences.append(nearest(drawn_digit(255 - sheet)[0], image))
    assert np.median(differences) < 0.03
    assert max(differences) < 0.25


def test_digits_of_mnist_drawn_four_times_as_large_come_back(mnist_test: DataSet) -> None:
    differences = []
    for image in mnist_test.images[:100, 0]:
        large = Image.fromarray(image).resize((112, 112), Image.Resampling.BICUBIC)
        sheet = np.full((200, 150), 230, np.uint8)
        sheet[40:152, 20:132] -= (np.asarray(large) * 0.8).astype(np.uint8)
        differences.append(nearest(drawn_digit(sheet)[0], image))
    assert np.median(differences) < 0.25
    assert np.percentile(differences, 90) < 0.4
