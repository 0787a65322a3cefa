"""The order of an image's numbers is decided by its shape, names and values, or it is said."""

from pathlib import Path

import numpy as np
import pytest

from pellucid.data import AssumptionWarning, from_arrays, read_csv, read_npz
from pellucid.data.layout import channels_first, images_from_rows
from pellucid.errors import DataError, ShapeError
from pellucid.types import Array

LABELS = np.array([0, 1, 0, 1])


def pictures(side: int = 16) -> Array:
    """Smooth colour pictures (N, 3, side, side), each channel another ramp."""
    rows, columns = np.mgrid[:side, :side] * (240 // side)
    ramps = np.stack([columns, rows, 240 - columns])
    return np.stack([ramps + shift for shift in range(4)]).astype(np.uint8)


def interleaved(images: Array) -> Array:
    return images.transpose(0, 2, 3, 1).reshape(len(images), -1)


def planes(images: Array) -> Array:
    return images.reshape(len(images), -1)


@pytest.mark.parametrize("flatten", [interleaved, planes])
def test_flat_colour_pictures_are_read_in_the_smoother_way_which_is_said(flatten: object) -> None:
    assert callable(flatten)
    with pytest.warns(AssumptionWarning, match=r"colours are read .*channels_last=.*--channels-"):
        read = images_from_rows(flatten(pictures()))
    assert (read == pictures()).all()


def test_noise_is_read_in_planes_which_is_said() -> None:
    noise = np.random.default_rng(0).integers(0, 256, (400, 3, 4, 4), np.uint8)
    noise[:] = noise[:1]
    noise[:, :, 1::2] = noise[:, :, ::2]
    noise[:, :, :, 1::2] = noise[:, :, :, ::2]
    with pytest.warns(AssumptionWarning, match="in planes"):
        assert (images_from_rows(planes(noise)) == noise).all()


@pytest.mark.parametrize(
    ("names", "flatten"),
    [
        ([f"{c}{i}" for i in range(256) for c in "rgb"], interleaved),
        ([f"pixel_{i}_{c}" for i in range(256) for c in ("Red", "Green", "Blue")], interleaved),
        ([f"{c}{i}" for c in "rgb" for i in range(256)], planes),
    ],
)
def test_names_of_columns_decide_the_order_of_colours(names: list[str], flatten: object) -> None:
    assert callable(flatten)
    noise = np.random.default_rng(0).integers(0, 256, (4, 3, 16, 16), np.uint8)
    assert (images_from_rows(flatten(noise), columns=names) == noise).all()


def test_what_the_user_says_is_not_questioned() -> None:
    images = pictures()
    assert (images_from_rows(interleaved(images), channels_last=True) == images).all()
    assert (images_from_rows(planes(images), channels_last=False) == images).all()
    wrong = images_from_rows(planes(images), channels_last=True)
    assert (wrong != images).any()


def test_a_colour_picture_of_two_pixels_has_two_orders() -> None:
    with pytest.warns(AssumptionWarning, match="colours are read"):
        images_from_rows(np.zeros((1, 6)), (3, 1, 2))


def test_a_colour_picture_of_one_pixel_has_one_order() -> None:
    assert images_from_rows(np.array([[1, 2, 3]])).ravel().tolist() == [1, 2, 3]


def test_a_table_of_colour_pictures_is_the_pictures(tmp_path: Path) -> None:
    path = tmp_path / "rgb.csv"
    header = ",".join([*(f"pixel{i:04d}" for i in range(768)), "label"])
    rows = np.column_stack([interleaved(pictures()), LABELS])
    path.write_text("\n".join([header, *(",".join(map(str, row)) for row in rows)]))
    with pytest.warns(AssumptionWarning, match="pixel by pixel"):
        assert (read_csv(path).train.images == pictures()).all()
    assert (read_csv(path, channels_last=True).train.images == pictures()).all()


# Four dimensions


@pytest.mark.parametrize(
    ("shape", "channels"),
    [((13, 64, 64), 13), ((64, 64, 13), 13), ((64, 64, 2), 2), ((2, 64, 64), 2), ((4, 4, 3), 3)],
)
def test_unusual_channels_are_told_from_square_sides_which_is_said(
    shape: tuple[int, ...], channels: int
) -> None:
    images = np.zeros((4, *shape), np.float32)
    with pytest.warns(AssumptionWarning, match=f"is read as {channels} channels"):
        assert channels_first(images).shape[1] == channels


@pytest.mark.parametrize(("shape", "channels"), [((4, 4, 16), 16), ((16, 4, 4), 16)])
def test_a_usual_number_that_would_make_lopsided_images_is_said(
    shape: tuple[int, ...], channels: int
) -> None:
    with pytest.warns(AssumptionWarning, match="decide it with channels_last"):
        channels_first(np.zeros((2, *shape)))
    for last in (False, True):
        turned = channels_first(np.zeros((2, *shape)), channels_last=last)
        assert (turned.shape[1] == channels) == (shape[2 if last else 0] == channels)


@pytest.mark.parametrize("shape", [(16, 8, 9), (8, 9, 16), (13, 13, 13)])
def test_a_shape_that_tells_nothing_is_refused_with_the_option_that_decides(
    shape: tuple[int, ...],
) -> None:
    images = np.random.default_rng(0).random((4, *shape))
    with pytest.raises(ShapeError, match=r"channels, last; give channels_last=.*--channels-last"):
        from_arrays(images, LABELS)
    data = from_arrays(images, LABELS, channels_last=True)
    assert (data.images == images.transpose(0, 3, 1, 2)).all()


def test_bands_of_a_satellite_image_stay_channels(tmp_path: Path) -> None:
    images = np.random.default_rng(0).random((4, 16, 16, 13)).astype(np.float32)
    np.savez(tmp_path / "s2.npz", x_train=images, y_train=LABELS)
    with pytest.warns(AssumptionWarning, match="13 channels of 16×16"):
        data = read_npz(tmp_path / "s2.npz").train
    assert (data.images == images.transpose(0, 3, 1, 2)).all()


def test_rows_of_pixels_in_an_array_are_images(tmp_path: Path) -> None:
    rows = np.arange(4 * 6, dtype=np.uint8).reshape(4, 6)
    np.savez(tmp_path / "flat.npz", data=rows, target=LABELS)
    data = read_npz(tmp_path / "flat.npz", shape=(2, 3)).train
    assert data.images.tolist() == rows.reshape(4, 1, 2, 3).tolist()
    with pytest.raises(ShapeError, match=r"images are \(1, 2, 3\), not \(3, 2\)"):
        from_arrays(rows.reshape(4, 2, 3), LABELS, shape=(3, 2))
    with pytest.raises(DataError, match=r"6 pixels a row.*shape=\(C, H, W\) \(--size"):
        read_npz(tmp_path / "flat.npz")


@pytest.mark.parametrize(
    ("labels", "classes", "numbers"),
    [
        ([3, 7, 3, 7], ("3", "7"), [0, 1, 0, 1]),
        ([0, 2, 0, 2], ("0", "1", "2"), [0, 2, 0, 2]),
        ([1, 2, 3, 1], ("0", "1", "2", "3"), [1, 2, 3, 1]),
        ([100, 200, 100, 200], ("100", "200"), [0, 1, 0, 1]),
    ],
)
def test_numbers_with_large_gaps_are_names_of_classes(
    labels: list[int], classes: tuple[str, ...], numbers: list[int]
) -> None:
    data = from_arrays(np.zeros((4, 2, 2)), labels)
    assert data.classes == classes
    assert data.labels.tolist() == numbers
