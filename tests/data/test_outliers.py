"""Odd images are found, with the reason, and no others."""

import numpy as np
import pytest

from pellucid.data import DataSet, Outlier, find_outliers
from pellucid.data.near_duplicates import near_duplicates


def data_set(count: int = 60, classes: int = 3) -> DataSet:
    """Noise around a pattern for each class, with no outlier in it."""
    generator = np.random.default_rng(0)
    labels = np.arange(count) % classes
    patterns = generator.integers(80, 120, (classes, 1, 6, 7))
    images = patterns[labels] + generator.integers(0, 80, (count, 1, 6, 7))
    return DataSet(images.astype(np.uint8), labels, tuple("abc"[:classes]))


def brute_force(images: np.ndarray, alike: float) -> list[tuple[int, int]]:
    flat = images.reshape(len(images), -1)
    r = np.corrcoef(flat[flat.std(axis=1) > 0])
    assert len(r) == len(images)
    return [(i, j) for i in range(len(r)) for j in range(i + 1, len(r)) if r[i, j] > alike]


def test_a_clean_data_set_has_no_outliers() -> None:
    assert find_outliers(data_set()) == []


def test_each_kind_is_found_with_its_reason() -> None:
    data = data_set()
    data.images[7] = 100
    data.images[20] = data.images[5]  # both of class c
    data.images[33] = data.images[4]  # of class a, the other of class b
    data.images[41] = np.minimum(data.images[2].astype(int) + 1, 255)
    data.images[50] = 255 - data.images[50]
    data.images[50, :, :3] = 0
    assert find_outliers(data) == [
        Outlier(7, "one value in every pixel"),
        Outlier(33, "copy, other class", 4),
        Outlier(20, "copy", 5),
        Outlier(41, "near duplicate", 2),
        *[outlier for outlier in find_outliers(data) if "far" in outlier.reason],
    ]
    assert 50 in [outlier.index for outlier in find_outliers(data) if "far" in outlier.reason]


def test_no_more_are_returned_than_wanted_and_no_kind_takes_all() -> None:
    data = data_set()
    data.images[:30] = 9
    found = find_outliers(data, most=8)
    assert len(found) <= 8
    reasons = [outlier.reason for outlier in found]
    assert reasons.count("one value in every pixel") == 2
    assert reasons.count("copy, other class") == 2


def test_at_most_two_images_of_a_class_are_called_far_from_it() -> None:
    data, generator = data_set(150), np.random.default_rng(1)
    for i in (30, 33, 36, 39, 31):  # four of class a, one of class b
        data.images[i] = 255 * generator.integers(0, 2, (1, 6, 7))
    found = [o.index for o in find_outliers(data, most=60) if "far" in o.reason]
    assert sorted(data.labels[found]) == [0, 0, 1]


@pytest.mark.parametrize("shape", [(1, 8, 8), (3, 5, 4), (1, 2, 2)])
@pytest.mark.parametrize("alike", [0.6, 0.95])
def test_almost_equal_pairs_are_those_that_comparing_all_finds(
    shape: tuple[int, ...], alike: float
) -> None:
    generator = np.random.default_rng(1)
    few = generator.normal(size=(90, *shape))
    noise = generator.uniform(0.05, 1.0, (900, 1, 1, 1)) * generator.normal(size=(900, *shape))
    images = 3 * few[generator.integers(0, 90, 900)] + noise
    found = near_duplicates(images, alike)
    assert len(found) > 100
    assert sorted((a, b) for a, b, _ in found) == brute_force(images, alike)
    assert [r for *_, r in found] == sorted((r for *_, r in found), reverse=True)


def test_images_of_one_value_resemble_nothing() -> None:
    assert near_duplicates(np.full((5, 1, 3, 3), 7, np.uint8)) == []


def test_brightness_and_contrast_make_no_difference() -> None:
    image = np.random.default_rng(0).random((1, 1, 5, 5))
    assert near_duplicates(np.concatenate([image, 3 * image - 7])) == [(0, 1, 1.0)]
