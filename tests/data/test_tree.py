"""Which folders are classes and which are parts is certain, or the user is asked."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from pellucid.data import SkippedWarning, Splits, load, read_folder
from pellucid.data.parts import part_of
from pellucid.errors import DataError


def images(root: Path, *names: str) -> Path:
    """Save a grey image under each name; its level is its place in the list."""
    for level, name in enumerate(names):
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(np.full((4, 4), level, np.uint8)).save(root / name)
    return root


def levels(splits: Splits, part: str = "train") -> dict[str, list[int]]:
    """Return the levels of the images in each class."""
    data = splits.parts[part]
    found: dict[str, list[int]] = {name: [] for name in data.classes}
    for image, label in zip(data.images, data.labels, strict=True):
        found[data.classes[label]].append(int(image.mean()))
    return found


@pytest.mark.parametrize(
    ("training", "testing"),
    [("Training", "Testing"), ("Train", "Test"), ("TRAIN", "TEST"), ("seg_train", "seg_test")],
)
def test_parts_are_recognised_by_any_of_their_names(
    training: str, testing: str, tmp_path: Path
) -> None:
    names = [f"{part}/{kind}/1.png" for part in (training, testing) for kind in ("cat", "dog")]
    splits = load(images(tmp_path, *names))
    assert levels(splits) == {"cat": [0], "dog": [1]}
    assert levels(splits, "test") == {"cat": [2], "dog": [3]}


def test_a_validation_part_stands_beside_the_test_part(tmp_path: Path) -> None:
    images(tmp_path, "train/a/1.png", "train/b/1.png", "val/a/1.png", "test/b/1.png")
    splits = read_folder(tmp_path)
    assert levels(splits, "validation") == {"a": [2], "b": []}
    assert levels(splits, "test") == {"a": [], "b": [3]}
    assert "1 for validation, 1 for testing" in repr(splits)


@pytest.mark.parametrize(
    ("name", "part"),
    [
        ("val", "validation"),
        ("valid", "validation"),
        ("training_set", "train"),
        ("train-2017", "train"),
        ("PrivateTest", "test"),
        ("trainer", None),
        ("attest", None),
        ("train_test", None),
    ],
)
def test_names_of_parts(name: str, part: str | None) -> None:
    assert part_of(name) == part


def test_a_class_may_be_called_train(tmp_path: Path) -> None:
    images(tmp_path, "bus/1.png", "train/1.png", "tram/1.png")
    assert levels(read_folder(tmp_path)) == {"bus": [0], "train": [1], "tram": [2]}


def test_images_that_lie_in_parts_without_a_class_are_no_classes(tmp_path: Path) -> None:
    images(tmp_path, "train/1.png", "test/1.png")
    with pytest.raises(DataError, match=r"classes or parts.*give folders=.*\(--folders\)"):
        read_folder(tmp_path)
    assert levels(read_folder(tmp_path, folders="classes")) == {"test": [1], "train": [0]}


def test_a_test_part_without_classes_is_left_out_and_counted(tmp_path: Path) -> None:
    images(tmp_path, "train/a/1.png", "train/b/1.png", "test/1.png", "test/2.png")
    with pytest.warns(SkippedWarning, match=r"left out 2 files .*\(2 \.png\), such as test/1\.png"):
        splits = read_folder(tmp_path)
    assert levels(splits) == {"a": [0], "b": [1]}
    assert splits.test is None


def test_a_folder_around_the_folders_is_passed_through(tmp_path: Path) -> None:
    images(tmp_path, "archive/data/train/train/a/1.png", "archive/data/train/train/b/1.png")
    images(tmp_path, "archive/data/test/a/1.png")
    splits = read_folder(tmp_path)
    assert levels(splits) == {"a": [0], "b": [1]}
    assert levels(splits, "test") == {"a": [0], "b": []}


NESTED = ("animal/cat/1.png", "animal/dog/1.png", "plant/rose/1.png", "plant/2.png")


def test_folders_in_folders_are_asked_about(tmp_path: Path) -> None:
    images(tmp_path, *NESTED)
    with pytest.raises(DataError) as raised:
        read_folder(tmp_path)
    said = str(raised.value)
    assert 'animal, plant (folders="classes", --folders classes)' in said
    assert 'cat, dog, plant, … (4) (folders="nested", --folders nested)' in said
    outer = read_folder(tmp_path, folders="classes")
    assert levels(outer) == {"animal": [0, 1], "plant": [3, 2]}
    inner = read_folder(tmp_path, folders="nested")
    assert levels(inner) == {"cat": [0], "dog": [1], "plant": [3], "rose": [2]}


def test_nested_classes_may_lie_in_parts(tmp_path: Path) -> None:
    names = ["train/x/cat/1.png", "train/y/dog/1.png", "test/x/cat/1.png", "test/y/dog/1.png"]
    images(tmp_path, *names)
    with pytest.raises(DataError, match=r'x, y \(folders="parts".* cat, dog \(folders="nested"'):
        read_folder(tmp_path)
    outer, inner = (read_folder(tmp_path, folders=folders) for folders in ("parts", "nested"))
    assert (levels(outer), levels(outer, "test")) == ({"x": [0], "y": [1]}, {"x": [2], "y": [3]})
    assert (levels(inner), levels(inner, "test")) == (
        {"cat": [0], "dog": [1]},
        {"cat": [2], "dog": [3]},
    )


def test_nested_classes_of_one_name_are_one_class(tmp_path: Path) -> None:
    images(tmp_path, "fold1/cat/1.png", "fold1/dog/1.png", "fold2/cat/2.png", "fold2/dog/2.png")
    assert levels(read_folder(tmp_path, folders="nested")) == {"cat": [0, 2], "dog": [1, 3]}


@pytest.mark.parametrize(
    ("names", "layout", "said"),
    [
        (("a/1.png",), "clases", r"unknown folders 'clases'; did you mean 'classes'"),
        (("a/1.png", "b/1.png"), "parts", "has no folder 'train'"),
        (("train/a/1.png", "Train_2/a/1.png"), None, "several folders for the train part"),
        (("train/a/1.png", "train/1.png", "bus/1.png"), None, None),
        (("train/a/1.png", "bus/1.png"), None, "classes or parts"),
    ],
)
def test_what_cannot_be_told_is_asked(
    names: tuple[str, ...], layout: str | None, said: str | None, tmp_path: Path
) -> None:
    images(tmp_path, *names)
    with pytest.raises(DataError, match=said or "folders="):
        read_folder(tmp_path, folders=layout)


@pytest.mark.parametrize("suffix", [".jfif", ".jpe", ".webp", ".avif", ".JPEG", ".tga", ".jp2"])
def test_every_format_that_pillow_reads_is_read(suffix: str, tmp_path: Path) -> None:
    images(tmp_path, "a/1.png", "b/1.png")
    picture = Image.fromarray(np.full((4, 4, 3), 99, np.uint8))
    picture.save(tmp_path / f"b/2{suffix}", format="JPEG" if suffix == ".jfif" else None)
    assert len(read_folder(tmp_path).train) == 3


def test_a_file_that_would_start_another_program_is_not_read(tmp_path: Path) -> None:
    images(tmp_path, "a/1.png", "b/1.png")
    Image.new("L", (4, 4)).save(tmp_path / "b" / "2.eps")
    with pytest.warns(SkippedWarning, match=r"1 \.eps"):
        read_folder(tmp_path)
    (tmp_path / "b" / "2.eps").rename(tmp_path / "b" / "2.png")
    with pytest.raises(DataError, match="not an image file"):
        read_folder(tmp_path)


def test_what_is_no_image_of_a_class_is_counted(tmp_path: Path) -> None:
    images(tmp_path, "a/1.png", "b/1.png", "b/2.png", "0.png")
    for name in ("a/notes.txt", "a/more.txt", "b/labels.json", "b/Thumbs.db", "b/.x", "README"):
        (tmp_path / name).touch()
    with pytest.warns(SkippedWarning, match=r"left out 4 .*\(2 \.txt, 1 \.png, 1 \.json\)"):
        assert len(read_folder(tmp_path).train) == 3


def test_a_link_to_a_folder_around_it_does_not_go_round(tmp_path: Path) -> None:
    images(tmp_path, "a/1.png", "b/1.png")
    (tmp_path / "a" / "again").symlink_to(tmp_path)
    assert len(read_folder(tmp_path).train) == 2
