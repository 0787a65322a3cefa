"""Functions that join, add and flatten."""

import numpy as np
import pytest

from pellucid import ops
from pellucid.errors import PellucidError, ShapeError
from pellucid.preprocessing import Preprocessing


def test_only_arrays_of_one_shape_have_a_total():
    ones = np.ones((2, 3))
    np.testing.assert_array_equal(ops.total([ones, 2 * ones, ones]), 4 * ones)
    for other in (np.ones((1, 3)), np.ones(3), np.float64(1)):  # NumPy would repeat them
        with pytest.raises(ShapeError, match=r"equal shapes, got \[\(2, 3\)"):
            ops.total([ones, other])


X = np.arange(24.0).reshape(2, 3, 4)


@pytest.mark.parametrize("axis", [0, 1, 2, -1, -3])
@pytest.mark.parametrize("count", [1, 2, 3])
def test_arrays_are_joined_and_split_along_an_axis(axis, count):
    parts = [X[(slice(None),) * (axis % 3) + (slice(0, 1 + i),)] for i in range(count)]
    whole = ops.concatenate(parts, axis)
    np.testing.assert_array_equal(whole, np.concatenate(parts, axis))
    ends = np.cumsum([part.shape[axis] for part in parts]).tolist()
    for one, part in zip(ops.split(whole, ends, axis), parts, strict=True):
        np.testing.assert_array_equal(one, part)


@pytest.mark.parametrize(
    ("shapes", "axis"),
    [(((2, 3), (2, 4)), 0), (((2, 3), (2, 3)), 2), (((2, 3), (2, 3)), -3), (((2, 3), (2,)), 0)],
)
def test_arrays_that_do_not_fit_are_not_joined(shapes, axis):
    with pytest.raises(ShapeError, match=f"along axis {axis}: the others must be equal"):
        ops.concatenate([np.zeros(shape) for shape in shapes], axis)


def test_flattening_keeps_the_batch_and_is_undone():
    flat = ops.flatten(X)
    np.testing.assert_array_equal(flat, X.reshape(2, 12))
    np.testing.assert_array_equal(ops.flatten(flat), flat)
    np.testing.assert_array_equal(ops.unflatten(flat, (2, 3, 4)), X)
    with pytest.raises(ShapeError, match=r"a batch axis, got \(2,\)"):
        ops.flatten(np.zeros(2))
    with pytest.raises(ShapeError, match=r"shape \(2, 12\) to \(2, 5\)"):
        ops.unflatten(flat, (2, 5))


def test_adding_is_done_in_place():
    x = X.copy()
    assert ops.add_to(x, X) is x
    np.testing.assert_array_equal(x, 2 * X)
    with pytest.raises(ShapeError, match="equal shapes"):
        ops.add_to(x, X[:1])


def test_a_batch_is_taken_scaled_and_converted():
    images = np.arange(24, dtype=np.uint8).reshape(3, 2, 2, 2)
    plain = ops.make_batch(images)
    assert plain.dtype == np.float32
    np.testing.assert_array_equal(plain, images)
    chosen = ops.make_batch(images, np.array([2, 0]), Preprocessing((1.0, 2.0), (2.0, 4.0)), "f8")
    assert chosen.dtype == np.float64
    expected = (images[[2, 0]] - [[[1]], [[2]]]) / [[[2]], [[4]]]
    np.testing.assert_allclose(chosen, expected)
    for wrong in (images[:, :1], images[0]):
        with pytest.raises(ShapeError, match=r"fitted to images \(N, 2, H, W\)"):
            ops.make_batch(wrong, None, Preprocessing((1.0, 2.0), (2.0, 4.0)))


@pytest.mark.parametrize(
    ("options", "size"),
    [
        ({"scale_factor": 1.5}, (6, 7)),
        ({"scale_factor": (0.25, 0.2)}, (1, 1)),
        ({"size": 3}, (3, 3)),
        ({"size": (1, 9)}, (1, 9)),
    ],
)
def test_images_are_resized_to_a_size_or_by_a_factor(options, size):
    images = np.random.default_rng(0).normal(size=(2, 1, 4, 5))
    assert ops.upsample2d(images, **options).shape == (2, 1, *size)
    rows = np.arange(size[0]) * 4 // size[0] if "size" in options else None
    if rows is not None:
        columns = np.arange(size[1]) * 5 // size[1]
        expected = images[:, :, rows[:, None], columns]
        np.testing.assert_array_equal(ops.upsample2d(images, **options), expected)


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"size": 3, "scale_factor": 2},
        {"scale_factor": 0.0},
        {"scale_factor": (2.0, -1.0)},
        {"scale_factor": np.inf},
        {"scale_factor": np.nan},
        {"scale_factor": (1.0, 2.0, 3.0)},
        {"scale_factor": (0.24, 1.0)},
        {"scale_factor": (1.0, 0.19)},
        {"scale_factor": 1e12},
        {"size": 3, "mode": "cubic"},
        {"size": 3, "align_corners": True},
    ],
)
def test_impossible_sizes_are_refused(options):
    with pytest.raises(PellucidError):
        ops.upsample2d(np.zeros((2, 1, 4, 5)), **options)
