"""Turned, scaled, sheared and shifted images are what SciPy makes of them."""

import tracemalloc

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import ndimage

from augmented import CLASSES, batch, source
from pellucid.data.augment import Affine
from pellucid.data.augment.affine import forward_matrices, transform
from pellucid.types import Array


def turned(image: Array, degrees: float) -> Array:
    matrix = forward_matrices(np.radians([degrees]), np.ones(1), np.zeros(1))
    return transform(image[None, None], matrix, np.zeros((1, 2)))[0, 0]


@pytest.mark.parametrize("quarters", [0, 1, 2, 3])
@pytest.mark.parametrize("side", [5, 6])
def test_quarter_turns_are_exact(quarters: int, side: int) -> None:
    image = np.random.default_rng(0).integers(0, 256, (side, side), np.uint8)
    assert (turned(image, 90 * quarters) == np.rot90(image, quarters)).all()
    exact = image.astype(np.float64)
    np.testing.assert_allclose(turned(exact, 90 * quarters), np.rot90(exact, quarters), atol=1e-10)


angles = st.floats(-3.2, 3.2)


@given(
    angle=angles,
    scale=st.floats(0.3, 2),
    shear=st.floats(-1, 1),
    shift=st.tuples(st.floats(-5, 5), st.floats(-5, 5)),
)
def test_any_affine_map_is_what_scipy_makes_of_it(
    angle: float, scale: float, shear: float, shift: tuple[float, float]
) -> None:
    image = np.random.default_rng(1).random((6, 9))
    matrices = forward_matrices(np.array([angle]), np.array([scale]), np.array([shear]))
    inverse = np.linalg.inv(matrices[0])
    middle = np.array([2.5, 4.0])
    expected = ndimage.affine_transform(
        image,
        inverse,
        offset=middle - inverse @ (middle + shift),
        order=1,
        mode="grid-constant",
    )
    y = transform(image[None, None], matrices, np.array([shift]))[0, 0]
    np.testing.assert_allclose(y, expected, atol=1e-9)


def test_each_image_of_a_batch_has_its_own_map() -> None:
    images, _ = batch(np.float64)
    generator = source()
    matrices = forward_matrices(*(generator.uniform(0.5, 1, len(images)) for _ in range(3)))
    shifts = generator.uniform(-2, 2, (len(images), 2))
    together = transform(images, matrices, shifts)
    for i in range(len(images)):
        alone = transform(images[i : i + 1], matrices[i : i + 1], shifts[i : i + 1])
        np.testing.assert_allclose(together[i], alone[0], atol=1e-12)


def test_whole_shifts_move_pixels_down_and_to_the_right() -> None:
    image = np.arange(1, 13, dtype=np.uint8).reshape(1, 1, 3, 4)
    y = transform(image, np.eye(2)[None], np.array([[1.0, 2.0]]))[0, 0]
    assert y.tolist() == [[0, 0, 0, 0], [0, 0, 1, 2], [0, 0, 5, 6]]


def test_bytes_between_pixels_are_rounded_to_the_nearest() -> None:
    image = np.array([0, 7], np.uint8).reshape(1, 1, 1, 2)
    y = transform(image, np.eye(2)[None], np.array([[0.0, -0.25]]))
    assert y.ravel().tolist() == [2, 5]  # 1.75 and 5.25


def test_a_shear_moves_rows_sideways() -> None:
    image = np.zeros((1, 1, 5, 5), np.uint8)
    image[0, 0, :, 2] = 1
    matrices = forward_matrices(np.zeros(1), np.ones(1), np.array([np.pi / 4]))
    assert (transform(image, matrices, np.zeros((1, 2)))[0, 0] == np.eye(5)).all()


def test_an_affine_without_amounts_changes_nothing() -> None:
    images, targets = batch()
    assert (Affine()(images, targets, source(), CLASSES)[0] == images).all()


def test_affine_amounts_are_the_largest_that_occur(monkeypatch: pytest.MonkeyPatch) -> None:
    seen: dict[str, Array] = {}

    def watch(images: Array, matrices: Array, shifts: Array) -> Array:
        seen.update(matrices=matrices, shifts=shifts)
        return images

    monkeypatch.setattr("pellucid.data.augment.affine.transform", watch)
    images = np.zeros((2000, 1, 10, 20), np.uint8)
    Affine(degrees=30, scale=0.2, translate=0.1)(images, np.zeros(2000, int), source(), 1)
    matrices = seen["matrices"]
    scale = np.sqrt(np.linalg.det(matrices))
    degrees = np.degrees(np.arctan2(matrices[:, 1, 0], matrices[:, 0, 0]))
    for values, low, high in (
        (scale, 0.8, 1.2),
        (degrees, -30, 30),
        (seen["shifts"][:, 0], -1, 1),
        (seen["shifts"][:, 1], -2, 2),
    ):
        width = high - low
        assert low <= values.min() < low + 0.01 * width
        assert high - 0.01 * width < values.max() <= high


@given(st.floats(-3, 3), st.floats(0.5, 2), st.floats(-1.2, 1.2))
def test_images_are_sheared_first_then_turned_and_scaled(
    angle: float, scale: float, shear: float
) -> None:
    turn = [[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]]
    skew = [[1, 0], [np.tan(shear), 1]]
    (found,) = forward_matrices(np.array([angle]), np.array([scale]), np.array([shear]))
    np.testing.assert_allclose(found, scale * np.array(turn) @ skew, rtol=1e-12, atol=1e-12)


def test_a_batch_of_large_images_needs_little_memory_besides_itself() -> None:
    images = source().integers(0, 256, (24, 3, 96, 96), np.uint8)
    augmentation, labels = Affine(10, 0.1, 5, 0.1), np.zeros(24, np.int64)
    tracemalloc.start()
    try:
        y, _ = augmentation(images, labels, source(), CLASSES)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 8 * images.nbytes
    drawn = source().uniform(-1, 1, (5, 24))
    matrices = forward_matrices(
        np.radians(10) * drawn[0], 1 + 0.1 * drawn[1], np.radians(5) * drawn[2]
    )
    shifts = 0.1 * 96 * drawn[3:].T
    alone = transform(images[-1:], matrices[-1:], shifts[-1:])
    assert (y[-1:] == alone).all()
