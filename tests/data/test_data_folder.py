"""Image files and folders of them."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from pellucid.data import SkippedWarning, gathered, load, read_folder, read_image
from pellucid.errors import DataError, ShapeError
from pellucid.types import Array


def save(path: Path, pixels: Array | Image.Image, **options: object) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    image = pixels if isinstance(pixels, Image.Image) else Image.fromarray(pixels)
    image.save(path, **options)
    return path


def grey(value: int, height: int = 4, width: int = 6) -> Array:
    return np.full((height, width), value, np.uint8)


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    """Two classes, cats of level 10 and 20, dogs of 200."""
    save(tmp_path / "cat" / "1.png", grey(10))
    save(tmp_path / "cat" / "2.png", grey(20))
    save(tmp_path / "dog" / "1.PNG", grey(200))
    (tmp_path / "dog" / ".hidden.png").write_text("not an image")
    (tmp_path / ".git").mkdir()
    (tmp_path / "README").write_text("photos")
    return tmp_path


def levels(images: Array) -> list[int]:
    return [int(image.mean()) for image in images]


def test_each_folder_is_a_class(photos: Path) -> None:
    splits = load(photos)
    assert splits.train.classes == ("cat", "dog")
    assert splits.train.image_shape == (1, 4, 6)
    assert levels(splits.train.images) == [10, 20, 200]
    assert splits.train.labels.tolist() == [0, 0, 1]
    assert splits.test is None


def test_numbered_folders_are_in_the_order_of_their_numbers(tmp_path: Path) -> None:
    for name in ("10", "9", "1"):
        save(tmp_path / name / "a.png", grey(int(name)))
    splits = read_folder(tmp_path)
    assert splits.train.classes == ("1", "9", "10")
    assert levels(splits.train.images) == [1, 9, 10]


@pytest.mark.parametrize("name", ["test", "Testing", "TEST", "seg_test", "test_set"])
def test_a_folder_may_hold_a_training_and_a_test_part(name: str, tmp_path: Path) -> None:
    save(tmp_path / "train" / "cat" / "1.png", grey(1))
    save(tmp_path / "train" / "dog" / "1.png", grey(2))
    save(tmp_path / name / "dog" / "1.png", grey(3, 8, 8))
    splits = read_folder(tmp_path)
    assert splits.test is not None
    assert splits.test.image_shape == splits.train.image_shape
    assert splits.test.labels.tolist() == [1]
    save(tmp_path / name / "cow" / "1.png", grey(3))
    with pytest.raises(DataError, match="class 'cow' that the training part does not have"):
        read_folder(tmp_path)


def test_the_most_common_size_is_taken_or_the_one_given(photos: Path) -> None:
    save(photos / "cat" / "0.png", grey(5, 8, 8))
    assert read_folder(photos).train.image_shape == (1, 4, 6)
    assert read_folder(photos, size=5).train.image_shape == (1, 5, 5)
    assert read_folder(photos, size=(3, 2)).train.image_shape == (1, 3, 2)
    with pytest.raises(ShapeError):
        read_folder(photos, size=0)


def test_one_colour_image_makes_all_of_them_colour(photos: Path) -> None:
    save(photos / "dog" / "2.png", np.full((4, 6, 3), (1, 2, 3), np.uint8))
    data = read_folder(photos).train
    assert data.image_shape == (3, 4, 6)
    assert data.images[3, :, 0, 0].tolist() == [1, 2, 3]
    assert data.images[0, :, 0, 0].tolist() == [10, 10, 10]
    assert read_folder(photos, channels=1).train.image_shape == (1, 4, 6)
    with pytest.raises(ShapeError, match="1 or 3 channels"):
        read_folder(photos, channels=2)


def test_an_empty_class_folder_is_named(photos: Path) -> None:
    (photos / "cow").mkdir()
    with pytest.raises(DataError, match=r"class folder cow in .* has no images"):
        read_folder(photos)


def test_a_folder_without_class_folders_is_told_what_is_missing(tmp_path: Path) -> None:
    save(tmp_path / "1.png", grey(1))
    with pytest.raises(DataError, match="has no class folders"):
        read_folder(tmp_path)


def truncate(path: Path) -> None:
    content = path.read_bytes()
    path.write_bytes(content[: len(content) * 2 // 3])


@pytest.mark.parametrize(
    ("spoil", "reason"),
    [(lambda path: path.write_text("<html>"), "not an image file"), (truncate, "truncated")],
)
def test_unreadable_images_are_named_and_left_out_only_if_asked(
    spoil: object, reason: str, photos: Path
) -> None:
    noise = np.random.default_rng(0).integers(0, 256, (4, 6), np.uint8)
    bad = save(photos / "dog" / "0.png", noise)
    assert callable(spoil)
    spoil(bad)
    with pytest.raises(DataError, match=rf"1 unusable image: .*0\.png \(.*{reason}") as raised:
        read_folder(photos)
    assert str(bad) in str(raised.value)
    with pytest.warns(SkippedWarning, match="left out 1 unusable image"):
        data = read_folder(photos, skip_bad=True).train
    assert levels(data.images) == [10, 20, 200]
    assert data.labels.tolist() == [0, 0, 1]


def test_nothing_but_unreadable_images_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "cat").mkdir()
    (tmp_path / "cat" / "1.png").write_text("no")
    with pytest.raises(DataError, match="no readable images"):
        read_folder(tmp_path, skip_bad=True)


def test_photos_that_would_fill_the_memory_need_a_size(
    photos: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(gathered, "_MOST_BYTES", 50)
    with pytest.raises(DataError, match=r"3 images of 4×6 would take .* give a size"):
        read_folder(photos)
    assert len(read_folder(photos, size=5).train) == 3


# One image


@pytest.mark.parametrize("orientation", range(1, 9))
def test_an_image_is_turned_as_its_camera_says(orientation: int, tmp_path: Path) -> None:
    stored = np.array([[0, 50, 100], [150, 200, 250]], np.uint8)
    upright = {
        1: stored,
        2: stored[:, ::-1],
        3: np.rot90(stored, 2),
        4: stored[::-1],
        5: stored.T,
        6: np.rot90(stored, -1),
        7: np.rot90(stored, 2).T,
        8: np.rot90(stored, 1),
    }[orientation]
    exif = Image.Exif()
    exif[0x0112] = orientation
    path = save(tmp_path / "cat" / "a.png", stored, exif=exif)
    assert read_image(path).tolist() == [upright.tolist()]
    assert read_folder(tmp_path).train.image_shape == (1, *upright.shape)


@pytest.mark.parametrize(
    ("image", "expected"),
    [
        (Image.new("1", (2, 1), 1), [[[255, 255]]]),
        (Image.new("L", (1, 1), 7), [[[7]]]),
        (Image.new("LA", (1, 1), (0, 0)), [[[255]]]),
        (Image.new("RGB", (1, 1), (1, 2, 3)), [[[1]], [[2]], [[3]]]),
        (Image.new("RGBA", (1, 1), (1, 2, 3, 255)), [[[1]], [[2]], [[3]]]),
        (Image.new("RGBA", (1, 1), (1, 2, 3, 0)), [[[255]], [[255]], [[255]]]),
        (Image.new("RGB", (1, 1), (1, 2, 3)).quantize(), [[[1]], [[2]], [[3]]]),
        (Image.fromarray(np.array([[0, 200, 65535]], np.uint16)), [[[0, 1, 255]]]),
    ],
)
def test_every_kind_of_pixels_becomes_bytes(
    image: Image.Image, expected: list[list[list[int]]], tmp_path: Path
) -> None:
    assert read_image(save(tmp_path / "a.png", image)).tolist() == expected


def test_an_image_is_brought_to_the_shape_that_is_wanted(tmp_path: Path) -> None:
    path = save(tmp_path / "a.png", np.full((10, 20, 3), (30, 60, 90), np.uint8))
    assert read_image(path, (3, 5, 5))[:, 2, 2].tolist() == [30, 60, 90]
    # grey is 0.299 R + 0.587 G + 0.114 B (ITU-R BT.601)
    assert read_image(path, (1, 5, 5))[0, 2, 2] == round(0.299 * 30 + 0.587 * 60 + 0.114 * 90)
    with pytest.raises(ShapeError):
        read_image(path, (2, 5, 5))


def test_the_middle_is_kept_in_proportion(tmp_path: Path) -> None:
    wide = np.zeros((10, 30), np.uint8)
    wide[:, 10:20] = 255
    assert (read_image(save(tmp_path / "a.png", wide), (1, 10, 10)) == 255).all()


def test_shrinking_takes_the_mean_rather_than_single_pixels(tmp_path: Path) -> None:
    stripes = np.zeros((64, 64), np.uint8)
    stripes[:, ::2] = 255
    small = read_image(save(tmp_path / "a.png", stripes), (1, 8, 8))
    assert abs(small.astype(int) - 128).max() <= 8


def test_an_image_as_large_as_a_decompression_bomb_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = save(tmp_path / "cat" / "a.png", grey(0, 30, 30))
    for limit in (500, 100):  # where Pillow would only warn, and where it refuses
        monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", limit)
        with pytest.raises(DataError, match="too large"):
            read_image(path)
        with pytest.raises(DataError, match="too large"):
            read_folder(tmp_path)


def test_a_kind_of_pixels_that_is_not_read_is_told(tmp_path: Path) -> None:
    path = save(tmp_path / "a.tiff", np.zeros((2, 2), np.float32))
    with pytest.raises(DataError, match=r"a\.tiff cannot be read .* floating-point"):
        read_image(path)


def test_a_file_that_is_missing_or_a_folder_is_told(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"nowhere\.png: No such file"):
        read_image(tmp_path / "nowhere.png")
    with pytest.raises(DataError, match="is a folder; an image file is expected"):
        read_image(tmp_path)
