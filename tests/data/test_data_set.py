"""A data set is checked when it is made, and divided fairly."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pellucid.data import DataSet, Splits, from_arrays, read_csv
from pellucid.errors import DataError, PellucidError, ShapeError
from pellucid.types import Array


def labelled(*labels: int, classes: int = 0) -> DataSet:
    """A data set whose image i is a single pixel of value i."""
    images = np.arange(len(labels), dtype=np.float32).reshape(-1, 1, 1, 1)
    names = tuple(str(i) for i in range(classes or max(labels) + 1))
    return DataSet(images, np.array(labels), names)


def numbers(data: DataSet) -> list[int]:
    return [int(pixel) for pixel in data.images.ravel()]


GREY = np.zeros((3, 1, 2, 2), np.uint8)
ZEROS = np.zeros(3, np.int64)


@pytest.mark.parametrize(
    ("images", "labels", "error", "said"),
    [
        (
            np.zeros((3, 2, 2), np.uint8),
            ZEROS,
            ShapeError,
            r"\(N, C, H, W\), not shape \(3, 2, 2\)",
        ),
        (np.zeros((3, 1, 0, 2), np.uint8), ZEROS, ShapeError, r"shape \(3, 1, 0, 2\)"),
        (np.zeros((0, 1, 2, 2), np.uint8), ZEROS[:0], DataError, "there are no images"),
        (GREY.astype(np.int32), ZEROS, DataError, "not int32"),
        (GREY, ZEROS[:2], ShapeError, r"\(3,\), one per image, not shape \(2,\)"),
        (GREY, np.zeros(3), DataError, "not float64"),
        (GREY, np.array([0, 2, 9]), DataError, "image 1 has label 2, but there are 2 classes"),
        (GREY, np.array([0, 1, -1]), DataError, "image 2 has label -1"),
        (GREY.tolist(), ZEROS, ShapeError, "list"),
    ],
)
def test_what_does_not_fit_is_refused_and_named(
    images: Any, labels: Array, error: type[Exception], said: str
) -> None:
    with pytest.raises(error, match=said):
        DataSet(images, labels, ("a", "b"))


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_the_first_pixel_that_is_no_number_is_named(bad: float) -> None:
    images = np.zeros((2000, 2, 3, 4), np.float32)
    images[1500, 1, 2, 3] = images[1999] = bad
    with pytest.raises(DataError, match=f"image 1500 has {bad} at channel 1, row 2, column 3"):
        DataSet(images, np.zeros(2000, int), ("a",))


@pytest.mark.parametrize("classes", [(), ("a", "a")])
def test_class_names_are_there_and_differ(classes: tuple[str, ...]) -> None:
    with pytest.raises(DataError, match="class names"):
        DataSet(GREY, ZEROS, classes)


def test_labels_of_any_whole_type_become_int64() -> None:
    assert DataSet(GREY, ZEROS.astype(np.uint8), ("a",)).labels.dtype == np.int64


def test_a_data_set_says_what_it_is() -> None:
    assert repr(labelled(0, 1)) == "data: 2 images of 1×1×1, float32, in 2 classes"
    assert repr(labelled(0)) == "data: 1 image of 1×1×1, float32, in 1 class"
    assert repr(Splits(labelled(0, 1))).endswith("in 2 classes, no test part")


def test_a_subset_has_the_chosen_images_in_the_chosen_order() -> None:
    data = labelled(0, 1, 2, 3)
    assert numbers(data.subset([3, 1, 1, -4])) == [3, 1, 1, 0]
    assert numbers(data.subset(np.array([False, True, False, True]))) == [1, 3]
    assert data.subset([3, 1]).labels.tolist() == [3, 1]


@pytest.mark.parametrize("indices", [[4], [-5], [[0]], [0.5], [True, False]])
def test_a_subset_of_what_is_not_there_is_refused(indices: Any) -> None:
    with pytest.raises((DataError, ShapeError)):
        labelled(0, 1, 2, 3).subset(indices)


def test_take_gives_the_first_images() -> None:
    assert numbers(labelled(0, 1, 2, 3).take(2)) == [0, 1]
    with pytest.raises(DataError, match="5 of 4"):
        labelled(0, 1, 2, 3).take(5)


classes_and_fraction = given(
    labels=st.lists(st.integers(0, 4), min_size=2, max_size=80).filter(
        lambda labels: len(set(labels)) < len(labels)
    ),
    fraction=st.floats(0.01, 0.99),
    seed=st.integers(0, 2**40),
)


@classes_and_fraction
def test_a_split_puts_every_image_on_exactly_one_side(
    labels: list[int], fraction: float, seed: int
) -> None:
    data = labelled(*labels)
    sides = [numbers(side) for side in data.split(fraction, seed)]
    assert sorted(sides[0] + sides[1]) == list(range(len(labels)))
    assert [sorted(side) for side in sides] == sides


@classes_and_fraction
def test_each_class_gives_its_share_to_within_one_image(
    labels: list[int], fraction: float, seed: int
) -> None:
    data = labelled(*labels)
    rest, part = data.split(fraction, seed)
    for size, left, given_away in zip(data.counts, rest.counts, part.counts, strict=True):
        assert abs(given_away - size * fraction) <= 1
        if size >= 2:
            assert left >= 1
            assert given_away >= 1


def test_the_part_has_the_size_asked_for_where_no_class_is_tiny() -> None:
    data = labelled(*([0] * 33 + [1] * 33 + [2] * 34))
    assert [len(side) for side in data.split(0.25, seed=1)] == [75, 25]


def test_the_largest_remainders_get_what_is_left_over() -> None:
    # quotas 1.6, 1.2, 1.2 of 4: the first class has the largest remainder
    _, part = labelled(*([0] * 4 + [1] * 3 + [2] * 3)).split(0.4)
    assert part.counts.tolist() == [2, 1, 1]


def test_a_split_follows_from_its_seed_alone() -> None:
    data = labelled(*([0, 1] * 50))
    first, again, other = (numbers(data.split(0.2, seed)[1]) for seed in (3, 3, 4))
    assert first == again != other


def test_a_split_needs_a_class_of_two_and_a_true_fraction() -> None:
    with pytest.raises(DataError, match="no class has two"):
        labelled(0, 1, 2).split(0.5)
    for fraction in (0, 1, -0.1):
        with pytest.raises(DataError, match="between 0 and 1"):
            labelled(0, 0).split(fraction)


def test_classes_are_renumbered_by_name() -> None:
    data = DataSet(GREY, np.array([0, 1, 0]), ("b", "c"))
    assert data.with_classes(("a", "b", "c")).labels.tolist() == [1, 2, 1]
    with pytest.raises(DataError, match="class 'c'"):
        data.with_classes(("a", "b"))
    without = DataSet(GREY, np.array([0, 2, 0]), ("b", "never", "c"))
    assert without.with_classes(("a", "b", "c")).labels.tolist() == [1, 2, 1]


def test_parts_of_different_kinds_do_not_belong_together() -> None:
    small, large = labelled(0, 1), DataSet(GREY, ZEROS, ("0", "1"))
    with pytest.raises(ShapeError, match="test images"):
        Splits(small, large)
    with pytest.raises(DataError, match="different classes"):
        Splits(small, labelled(0, 1, 2))


@pytest.mark.parametrize(
    ("shape", "expected"),
    [
        ((5, 8, 9), (5, 1, 8, 9)),
        ((5, 3, 8, 9), (5, 3, 8, 9)),
        ((5, 8, 9, 3), (5, 3, 8, 9)),
        ((5, 8, 9, 1), (5, 1, 8, 9)),
        ((5, 3, 8, 8), (5, 3, 8, 8)),
    ],
)
def test_images_are_taken_in_every_usual_shape(
    shape: tuple[int, ...], expected: tuple[int, ...]
) -> None:
    images = np.random.default_rng(0).integers(0, 256, shape, np.uint8)
    data = from_arrays(images, np.zeros(5, int))
    assert data.images.shape == expected
    turned = expected[1:] != shape[1:] and len(shape) == 4
    assert (
        data.images.squeeze() == (images.transpose(0, 3, 1, 2) if turned else images).squeeze()
    ).all()


def test_where_the_channels_are_can_be_said() -> None:
    images = np.zeros((2, 3, 8, 3), np.uint8)
    assert from_arrays(images, [0, 1], channels_last=True).image_shape == (3, 3, 8)


@pytest.mark.parametrize(
    ("given_type", "kept"),
    [
        ("bool", "uint8"),
        ("int64", "uint8"),
        (">f4", "float32"),
        ("float16", "float32"),
        ("f8", "f8"),
    ],
)
def test_pixels_keep_their_values(given_type: str, kept: str) -> None:
    images = np.array([0, 1]).reshape(2, 1, 1).astype(given_type)
    data = from_arrays(images, [0, 1])
    assert data.images.dtype == np.dtype(kept)
    assert data.images.ravel().tolist() == [0, 1]


@pytest.mark.parametrize("value", [-1, 256])
def test_whole_numbers_that_are_no_bytes_are_refused(value: int) -> None:
    with pytest.raises(DataError, match=f"0 to 255, got {value}"):
        from_arrays(np.full((1, 2, 2), value), [0])


@pytest.mark.parametrize(
    ("labels", "classes", "numbered"),
    [
        (["b", "a", "b"], ("a", "b"), [1, 0, 1]),
        (np.array([b"b", b"a", b"b"]), ("a", "b"), [1, 0, 1]),
        (["10", "9", "10"], ("9", "10"), [1, 0, 1]),
        ([[2], [0], [2]], ("0", "1", "2"), [2, 0, 2]),
        ([2.0, 0.0, 2.0], ("0", "1", "2"), [2, 0, 2]),
        ([True, False, True], ("0", "1"), [1, 0, 1]),
        ([1, -1, 1], ("-1", "1"), [1, 0, 1]),
        ([7000, 10, 7000], ("10", "7000"), [1, 0, 1]),
    ],
)
def test_labels_are_numbers_or_names(
    labels: Any, classes: tuple[str, ...], numbered: list[int]
) -> None:
    data = from_arrays(GREY, labels)
    assert data.classes == classes
    assert data.labels.tolist() == numbered


@pytest.mark.parametrize(
    ("labels", "said"),
    [
        (np.eye(3), "argmax"),
        ([0, 1.5, 1], "image 1 has the label 1.5"),
        ([0, np.nan, 1], "image 1 has the label nan"),
        ([0, -np.inf, 1], "image 1 has the label -inf"),
        ([0, 1, 2**63 + 5], r"image 2 has the label 9.22.*e\+18, .* up to 2\*\*53"),
        ([0, 1.0, -(2.0**53) - 2], "image 2 has the label -9007199254740994.0"),
        (["a", None, "b"], "image 1 has no label"),
        ([], "no labels"),
    ],
)
def test_labels_that_are_no_classes_are_refused(labels: Any, said: str) -> None:
    with pytest.raises((DataError, ShapeError), match=said):
        from_arrays(GREY, labels)


def test_given_classes_number_the_names() -> None:
    assert from_arrays(GREY, ["b", "b", "a"], ["b", "a"]).labels.tolist() == [0, 0, 1]
    with pytest.raises(DataError, match="image 2 has class 'x'"):
        from_arrays(GREY, ["b", "b", "x"], ["b", "a"])


def test_a_data_set_is_indexed_and_iterated_as_a_list_of_pairs() -> None:
    data = labelled(0, 1, 2, 1)
    image, label = data[-1]
    assert label == 1
    np.testing.assert_array_equal(image, data.images[3])
    assert [label for _, label in data] == [0, 1, 2, 1]
    assert all(image.shape == data.image_shape for image, _ in data)
    assert data[1:3].labels.tolist() == data[[1, 2]].labels.tolist() == [1, 2]
    with pytest.raises(IndexError, match="there is no image 4; it has 4"):
        data[4]
    with pytest.raises(PellucidError, match="must be an integer, not 'a'"):
        data["a"]


def test_a_table_of_a_data_set_is_read_again_as_the_same(tmp_path: Path) -> None:
    images = np.arange(2 * 3 * 4, dtype=np.uint8).reshape(2, 1, 3, 4)
    data = DataSet(images, np.array([1, 0]), ("cat", "dog"))
    data.to_pandas().to_csv(tmp_path / "pets.csv", index=False)
    again = read_csv(tmp_path / "pets.csv", shape=(3, 4)).train
    np.testing.assert_array_equal(again.images, images)
    assert [again.classes[label] for label in again.labels] == ["dog", "cat"]
