"""From data to the batches of an epoch."""

from dataclasses import dataclass

import numpy as np
import pytest

from pellucid import engine, ops
from pellucid.data.augment import Compose, Mixup, RandomCrop
from pellucid.errors import ShapeError
from pellucid.preprocessing import Preprocessing
from pellucid.training.batches import ArraySource

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


@pytest.mark.parametrize("name", engine.NAMES)
def test_images_may_be_counted_from_the_end_and_none_beyond(name: str) -> None:
    stored = images(9)
    with engine.using(name):
        found = ops.make_batch(stored, np.array([-1, 0, -9, 8]))
        np.testing.assert_array_equal(found, stored[[8, 0, 0, 8]])
        for outside in ([0, 9], [-10], [3, 2**40]):
            with pytest.raises(IndexError):
                ops.make_batch(stored, np.array(outside))


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


# An epoch


@pytest.mark.parametrize(
    ("count", "batch_size", "sizes"),
    [
        (8, 4, [4, 4]),
        (10, 4, [4, 4, 2]),
        (9, 4, [4, 5]),
        (3, 4, [3]),
        (1, 4, [1]),
        (4, 4, [4]),
        (5, 4, [5]),
        (3, 1, [1, 1, 1]),
        (7, 2, [2, 2, 3]),
    ],
)
def test_all_samples_come_once_an_epoch_and_never_one_alone_at_the_end(
    count: int, batch_size: int, sizes: list[int]
) -> None:
    source = ArraySource(np.arange(count)[:, None], np.arange(count), batch_size)
    assert len(source) == len(sizes)
    for batches in (source.shuffled(epoch=0, seed=0), source.in_order()):
        targets = [targets for _, targets in batches]
        assert [len(part) for part in targets] == sizes
        assert sorted(np.concatenate(targets)) == list(range(count))


def test_inputs_stay_with_their_targets() -> None:
    source = ArraySource(np.arange(100.0)[:, None], np.arange(100), 7)
    for x, targets in source.shuffled(epoch=3, seed=0):
        np.testing.assert_array_equal(x[:, 0], targets)


def test_each_epoch_has_its_own_order_and_the_same_each_time() -> None:
    def order(epoch: int, seed: int) -> list[int]:
        source = ArraySource(np.zeros((50, 1)), np.arange(50), 8)
        return [int(t) for _, targets in source.shuffled(epoch, seed) for t in targets]

    assert order(0, 0) == order(0, 0)
    assert order(0, 0) != order(1, 0)
    assert order(0, 0) != order(0, 1)
    assert order(0, 0) != list(range(50))


def test_an_epoch_begun_in_the_middle_goes_on_with_the_same_batches() -> None:
    source = ArraySource(
        images(20), np.arange(20) % 3, 4, TWO_CHANNELS, Compose((RandomCrop(1), Mixup())), classes=3
    )
    whole = list(source.shuffled(epoch=1, seed=2))
    for start in range(6):
        rest = list(source.shuffled(epoch=1, seed=2, start=start))
        assert len(rest) == 5 - start
        for (x, targets), (same_x, same_targets) in zip(rest, whole[start:], strict=True):
            np.testing.assert_array_equal(x, same_x)
            np.testing.assert_array_equal(targets, same_targets)


def test_augmentation_sees_stored_images_and_has_its_own_randomness_each_step() -> None:
    seen: list[tuple[np.ndarray, float]] = []

    @dataclass(frozen=True)
    class Watch:
        def __call__(
            self, x: np.ndarray, targets: np.ndarray, generator: np.random.Generator, classes: int
        ) -> tuple[np.ndarray, np.ndarray]:
            assert classes == 3
            seen.append((x, generator.random()))
            return x // 2, targets

        def describe(self) -> dict[str, str]:
            return {}

    stored = images(8)
    source = ArraySource(stored, np.arange(8), 4, TWO_CHANNELS, Watch(), classes=3)
    batches = list(source.shuffled(0, 0)) + list(source.shuffled(1, 0))
    assert {x.dtype for x, _ in seen} == {np.dtype(np.uint8)}
    assert len({draw for _, draw in seen}) == 4
    for (raw, _), (x, targets) in zip(seen, batches, strict=True):
        np.testing.assert_array_equal(raw, stored[targets])
        np.testing.assert_array_equal(x, TWO_CHANNELS(stored[targets] // 2))
    validation = list(source.in_order())
    assert len(seen) == 4, "validation is not augmented"
    np.testing.assert_array_equal(validation[0][0], TWO_CHANNELS(stored[:4]))
