"""What is said of a data set is what is in it."""

from pathlib import Path

import numpy as np
import pytest

from pellucid.data import DataSet, Splits, describe
from pellucid.errors import DataError


def splits() -> Splits:
    """Images of two channels; the second and fourth are equal, the third is constant."""
    generator = np.random.default_rng(0)
    images = generator.integers(0, 256, (6, 2, 3, 3), np.uint8)
    images[2] = 7
    images[3] = images[1]
    train = DataSet(images[:5], np.array([0, 1, 1, 0, 1]), ("a", "b", "c"), "small")
    test_images = np.concatenate([images[5:], images[:1], images[:1]])
    return Splits(train, DataSet(test_images, np.array([0, 0, 0]), ("a", "b", "c"), "small test"))


def test_images_are_counted_by_class_and_part() -> None:
    assert describe(splits()).counts == [
        {"class": "a", "train": 2, "test": 3},
        {"class": "b", "train": 3, "test": 0},
        {"class": "c", "train": 0, "test": 0},
    ]


def test_pixel_statistics_are_those_of_each_channel() -> None:
    images = splits().train.images
    record = describe(splits()).pixels[1]
    assert (record["part"], record["channel"]) == ("train", 1)
    for name in ("min", "max", "mean", "std"):
        assert record[name] == pytest.approx(getattr(images[:, 1].astype(float), name)())
    assert [record["part"] for record in describe(splits()).pixels] == ["train"] * 2 + ["test"] * 2


def test_odd_images_are_counted() -> None:
    train, test = describe(splits()).issues
    assert train == {
        "part": "train",
        "constant": 1,
        "duplicates": 1,
        "contradictory": 2,
        "in_train": 0,
        "empty_classes": 1,
    }
    assert (test["duplicates"], test["contradictory"], test["in_train"]) == (1, 0, 2)
    assert test["empty_classes"] == 2


def test_what_was_left_out_is_named(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_text("0,1\n1,x\n0,3\n")
    found = describe(path, label=0)
    assert found.counts[0] == {"class": "0", "train": 2}
    assert found.skipped == (f"{path}: left out 1 unusable row: row 2 (column 2 is 'x')",)
    with pytest.raises(DataError, match="row 2"):
        describe(path, label=0, skip_bad=False)


def test_the_same_as_tables() -> None:
    tables = describe(splits()).tables()
    assert tables["counts"].loc["b", "train"] == 3
    assert tables["pixels"].loc[("train", 0), "max"] == splits().train.images[:, 0].max()
    assert tables["issues"].loc["test", "in_train"] == 2


def test_a_single_part_can_be_described() -> None:
    found = describe(splits().train)
    assert found.title.startswith("small: 5 images of 2×3×3, uint8, in 3 classes")
    assert len(found.issues) == 1


def test_the_digits_have_no_issues() -> None:
    train, test = describe("digits").issues
    assert not any(value for key, value in train.items() if key != "part")
    assert not any(value for key, value in test.items() if key != "part")
