"""From data to the batches of an epoch."""

import numpy as np
import pytest

from pellucid import ops
from pellucid.errors import ShapeError
from pellucid.preprocessing import Preprocessing

TWO_CHANNELS = Preprocessing(mean=(10.0, 200.0), scale=(2.0, 50.0))


def images(count: int = 9, dtype: str = "uint8") -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (count, 2, 3, 4)).astype(dtype)


@pytest.mark.parametrize("dtype", ["uint8", "int64", "float32", "float64", "bool"])
def test_a_batch_is_the_chosen_images_preprocessed(dtype: str) -> None:
    stored, indices = images(dtype=dtype), np.array([7, 0, 7])
    batch = ops.make_batch(stored, indices, TWO_CHANNELS, np.float64)
    mean, scale = np.array([10.0, 200.0]), np.array([2.0, 50.0])
    expected = (stored[indices].astype(float) - mean[:, None, None]) / scale[:, None, None]
    np.testing.assert_allclose(batch, expected, rtol=1e-14, atol=1e-13)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_a_batch_has_the_bits_of_the_preprocessing_itself(dtype: type) -> None:
    batch = ops.make_batch(images(), None, TWO_CHANNELS, dtype)
    np.testing.assert_array_equal(batch, TWO_CHANNELS(images(), dtype))
    assert batch.dtype == dtype


def test_a_batch_lies_in_memory_with_the_images_last() -> None:
    batch = ops.make_batch(images(), np.arange(4), TWO_CHANNELS)
    assert batch.shape == (4, 2, 3, 4)
    assert batch.transpose(1, 2, 3, 0).flags.c_contiguous
    rows = ops.make_batch(np.ones((5, 7)), np.arange(4))
    assert rows.shape == (4, 7)
    assert rows.T.flags.c_contiguous


def test_without_preprocessing_the_values_stay_as_they_are() -> None:
    stored = images()
    batch = ops.make_batch(stored, np.array([3, 1]))
    np.testing.assert_array_equal(batch, stored[[3, 1]].astype(np.float32))
    batch[...] = 0
    assert stored[3].any()


def test_stored_images_may_lie_in_any_order_and_be_read_only() -> None:
    stored = np.asfortranarray(images())[:, :, ::-1]
    stored.flags.writeable = False
    batch = ops.make_batch(stored, np.array([2, 8]), TWO_CHANNELS)
    np.testing.assert_array_equal(batch, TWO_CHANNELS(stored[[2, 8]]))


def test_images_of_other_channels_than_the_preprocessing_are_refused() -> None:
    with pytest.raises(ShapeError, match=r"fitted to images \(N, 2, H, W\), got shape \(9, 1, 3"):
        ops.make_batch(images()[:, :1], None, TWO_CHANNELS)
