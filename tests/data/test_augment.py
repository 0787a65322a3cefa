"""Augmentations do what their formula says, follow from their generator, and harm nothing."""

import dataclasses
import json
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from augmented import CLASSES, batch, source
from pellucid.data import augment
from pellucid.data.augment import (
    Affine,
    AlternatingFlip,
    Augmentation,
    Brightness,
    Compose,
    Contrast,
    CutMix,
    Cutout,
    Mixup,
    RandomCrop,
    RandomErasing,
    RandomFlip,
)
from pellucid.data.augment.base import registry
from pellucid.data.augment.place import crop
from pellucid.errors import DataError, FileError, ShapeError

EXAMPLES: dict[str, Augmentation] = {
    "crop": RandomCrop(3),
    "crop with reflection": RandomCrop(3, "reflect"),
    "flip": RandomFlip(),
    "alternating flip": AlternatingFlip(),
    "flip vertically": RandomFlip(horizontal=False),
    "affine": Affine(degrees=20, scale=0.2, shear=10, translate=0.1),
    "cutout": Cutout(4),
    "cutout in the mean colour": Cutout(4, "mean"),
    "erasing": RandomErasing(),
    "erasing in the mean colour": RandomErasing(mode="mean"),
    "mixup": Mixup(0.5),
    "cutmix": CutMix(),
    "brightness": Brightness(0.5),
    "contrast": Contrast(0.5),
    "several": Compose((RandomCrop(2), RandomFlip(), CutMix(), Mixup())),
}
every = pytest.mark.parametrize("augmentation", EXAMPLES.values(), ids=EXAMPLES)


def test_every_augmentation_is_tested_here() -> None:
    assert {type(example) for example in EXAMPLES.values()} == set(registry.values())


# What holds for all


@every
@pytest.mark.parametrize("dtype", [np.uint8, np.float32, np.float64])
def test_shape_type_and_range_are_kept(augmentation: Augmentation, dtype: Any) -> None:
    images, targets = batch(dtype)
    y, _ = augmentation(images, targets, source(), CLASSES)
    mixes = "Mixup" in str(augmentation)
    assert y.shape == images.shape
    assert y.dtype == (np.float32 if mixes and dtype == np.uint8 else dtype)
    low, high = min(images.min(), 0), max(images.max(), 0)
    assert y.min() >= low - 1e-6
    assert y.max() <= high + 1e-6
    assert (y != images).any()


@every
def test_what_is_given_is_not_written_to(augmentation: Augmentation) -> None:
    images, targets = batch()
    probabilities = np.eye(CLASSES, dtype=np.float32)[targets]
    for array in (images, targets, probabilities):
        array.flags.writeable = False
    augmentation(images, targets, source(), CLASSES)
    augmentation(images, probabilities, source(), CLASSES)


@every
def test_the_same_generator_gives_the_same(augmentation: Augmentation) -> None:
    images, targets = batch()
    first, again, other = (augmentation(images, targets, source(s), CLASSES) for s in (1, 1, 2))
    assert (first[0] == again[0]).all()
    assert (first[1] == again[1]).all()
    assert (first[0] != other[0]).any()


@every
@pytest.mark.parametrize("dtype", [np.uint8, np.float32, np.float64])
def test_the_order_in_memory_makes_no_difference(augmentation: Augmentation, dtype: Any) -> None:
    images, targets = batch(dtype)
    batch_last = np.ascontiguousarray(images.transpose(1, 2, 3, 0)).transpose(3, 0, 1, 2)
    strided = np.repeat(images, 2, axis=3)[..., ::2]
    expected, _ = augmentation(images, targets, source(), CLASSES)
    for same in (batch_last, strided):
        y, _ = augmentation(same, targets, source(), CLASSES)
        np.testing.assert_array_equal(y, expected)


@every
@pytest.mark.parametrize("dtype", [np.uint8, np.float32, np.float64])
def test_a_batch_without_images_stays_one(augmentation: Augmentation, dtype: Any) -> None:
    images, targets = batch(dtype)
    y, t = augmentation(images[:0], targets[:0], source(), CLASSES)
    assert y.shape == images[:0].shape
    assert len(t) == 0


@every
def test_images_differ_in_what_happens_to_them(augmentation: Augmentation) -> None:
    one = np.random.default_rng(0).integers(0, 256, (1, 1, 9, 9), np.uint8)
    images = np.repeat(one, 64, axis=0)
    targets = np.arange(64) % CLASSES
    if isinstance(augmentation, CutMix | Mixup):
        images = (images * np.linspace(0, 1, 64)[:, None, None, None]).astype(np.uint8)
    y, changed = augmentation(images, targets, source(), CLASSES)
    assert len(np.unique(y.reshape(64, -1), axis=0)) > 1
    if changed.ndim == 2:
        assert len(np.unique(changed, axis=0)) > CLASSES


@every
def test_targets_stay_or_become_probabilities(augmentation: Augmentation) -> None:
    images, targets = batch()
    _, changed = augmentation(images, targets, source(), CLASSES)
    if "Mix" in str(augmentation):
        assert changed.shape == (len(images), CLASSES)
        assert changed.dtype == np.float32
        np.testing.assert_allclose(changed.sum(axis=1), 1, atol=1e-6)
        assert changed.min() >= 0
    else:
        assert (changed == targets).all()


@every
def test_a_description_is_plain_data_that_builds_it_again(augmentation: Augmentation) -> None:
    description = json.loads(json.dumps(augmentation.describe()))
    assert augment.build(description) == augmentation


@every
def test_what_is_no_batch_of_images_is_refused(augmentation: Augmentation) -> None:
    images, targets = batch()
    with pytest.raises(ShapeError, match="expects images"):
        augmentation(images[0], targets, source(), CLASSES)
    with pytest.raises(ShapeError, match="expects images"):
        augmentation(images, targets[:-1], source(), CLASSES)


# Crop, flip, cutout, erasing


def test_a_crop_without_padding_changes_nothing() -> None:
    images, targets = batch()
    assert (RandomCrop(0)(images, targets, source(), CLASSES)[0] == images).all()


@given(
    top=st.integers(0, 6), left=st.integers(0, 6), row=st.integers(0, 4), column=st.integers(0, 3)
)
def test_a_pixel_lands_where_the_offset_says(top: int, left: int, row: int, column: int) -> None:
    padding = 3
    image = np.zeros((1, 1, 5, 4), np.uint8)
    image[0, 0, row, column] = 9
    y = crop(image, padding, np.array([top]), np.array([left]))[0, 0]
    to_row, to_column = row + padding - top, column + padding - left
    inside = 0 <= to_row < 5 and 0 <= to_column < 4
    assert y.sum() == (9 if inside else 0)
    if inside:
        assert y[to_row, to_column] == 9


def test_every_offset_of_a_crop_occurs_and_none_beyond() -> None:
    images = np.zeros((600, 1, 7, 7), np.uint8)
    images[:, :, 3, 3] = 1
    y, _ = RandomCrop(2)(images, np.zeros(600, int), source(), 1)
    places = {tuple(place[2:]) for place in np.argwhere(y)}
    assert places == {(row, column) for row in range(1, 6) for column in range(1, 6)}


@pytest.mark.parametrize(("horizontal", "axis"), [(True, 3), (False, 2)])
def test_a_sure_flip_mirrors_and_a_second_undoes_it(horizontal: bool, axis: int) -> None:
    images, targets = batch()
    flip = RandomFlip(1.0, horizontal)
    once, _ = flip(images, targets, source(), CLASSES)
    assert (once == np.flip(images, axis)).all()
    assert (flip(once, targets, source(), CLASSES)[0] == images).all()


def test_a_flip_happens_as_often_as_its_probability_says() -> None:
    images = np.zeros((2000, 1, 1, 2), np.uint8)
    images[..., 0] = 1
    y, _ = RandomFlip(0.3)(images, np.zeros(2000, int), source(), 1)
    assert y[..., 1].mean() == pytest.approx(0.3, abs=0.03)  # three standard deviations
    assert (y.sum(axis=3) == 1).all()


def test_cutout_covers_one_square_whose_centre_is_inside() -> None:
    images = np.ones((500, 2, 8, 9), np.uint8)
    y, _ = Cutout(4)(images, np.zeros(500, int), source(), 1)
    areas = set()
    for image in y:
        assert (image[0] == image[1]).all()
        rows, columns = np.nonzero(image[0] == 0)
        height, width = np.ptp(rows) + 1, np.ptp(columns) + 1
        assert height * width == len(rows)
        assert 2 <= height <= 4
        assert 2 <= width <= 4
        areas.add((height, width))
    assert len(areas) == 9


@pytest.mark.parametrize("shape", [(3, 40), (40, 3)])
def test_cutout_covers_every_pixel_of_a_long_image_as_often(shape: tuple[int, int]) -> None:
    images = np.ones((4000, 1, *shape), np.uint8)
    y, _ = Cutout(1)(images, np.zeros(4000, int), source(), 1)
    covered = (y[:, 0] == 0).sum(axis=0)
    assert covered.sum() == 4000
    assert covered.min() > 4000 / 120 / 3
    assert covered.max() < 3 * 4000 / 120


@pytest.mark.parametrize("dtype", [np.uint8, np.int16, np.float16, np.float32, np.float64])
def test_cutout_can_take_the_mean_colour_of_each_image(dtype: Any) -> None:
    images = batch(dtype)[0]
    targets = np.zeros(len(images), int)
    y, _ = Cutout(4, "mean")(images, targets, source(), 1)
    covered = Cutout(4)(np.ones_like(images), targets, source(), 1)[0] == 0
    means = np.broadcast_to(images.astype(float).mean((2, 3), keepdims=True), images.shape)
    rounding = 0.5 if np.issubdtype(dtype, np.integer) else np.finfo(dtype).eps * 4
    np.testing.assert_allclose(y[covered], means[covered], atol=rounding, rtol=0)
    assert (y[~covered] == images[~covered]).all()


def erased(images: np.ndarray, **options: Any) -> np.ndarray:
    """Return which pixels of each image are erased, (N, H, W), and check that they are boxes."""
    y, _ = RandomErasing(**options)(images, np.zeros(len(images), int), source(), 1)
    covered = y[:, 0] == 0
    filled = covered.any(2)[:, :, None] & covered.any(1)[:, None]  # from the sides of the boxes
    assert (covered == filled).all()
    for sides in (covered.any(1), covered.any(2)):
        assert (np.abs(np.diff(sides.astype(int), axis=1, prepend=0, append=0)).sum(1) <= 2).all()
    return covered


def test_erasing_covers_a_box_of_a_random_share_and_ratio() -> None:
    covered = erased(np.ones((4000, 1, 60, 60), np.uint8), p=1.0)
    height, width = covered.any(2).sum(1), covered.any(1).sum(1)
    share, ratio = height * width / 3600, np.log(height / width) / np.log(3.3)
    assert 0.015 < share.min() < 0.03
    assert 0.32 < share.max() < 0.34
    assert share.mean() == pytest.approx((0.02 + 0.33) / 2, abs=0.005)
    assert ratio[share > 0.1].mean() == pytest.approx(0, abs=0.05)
    assert (np.abs(ratio[share > 0.1]) < 1.1).all()
    assert np.abs(ratio[share > 0.1]).mean() == pytest.approx(0.5, abs=0.03)


def test_erasing_happens_as_often_as_its_probability_says() -> None:
    covered = erased(np.ones((2000, 1, 9, 9), np.uint8), p=0.3)
    assert covered.any((1, 2)).mean() == pytest.approx(0.3, abs=0.04)


def test_erasing_reaches_every_pixel_of_a_long_image() -> None:
    covered = erased(np.ones((4000, 1, 4, 40), np.uint8), p=1.0, smallest=0.2, ratio=1)
    assert (covered.any(2).sum(1) <= 4).all()
    assert covered.mean(0).min() > 0
    np.testing.assert_allclose(covered.mean(0), covered.mean(0)[:, ::-1], atol=0.05)


# Brightness and contrast


def test_brightness_multiplies_what_lies_above_black() -> None:
    images = np.full((200, 1, 1, 2), 100, np.uint8)
    images[..., 1] = 0
    y, _ = Brightness(0.5)(images, np.zeros(200, int), source(), 1)
    assert (y[..., 1] == 0).all()
    assert 50 <= y[..., 0].min() < 53
    assert 147 < y[..., 0].max() <= 150
    floats = np.tile(np.array([-1, 0, 1, 3], np.float32), (50, 1, 1, 1))
    y, _ = Brightness(1.0)(floats, np.zeros(50, int), source(), 1)
    factor = y[..., 1:2] + 1
    expected = np.minimum(-1 + factor * (floats + 1), 3)  # what is brighter than white is white
    np.testing.assert_allclose(y, expected, atol=1e-5)
    assert factor.min() < 0.2
    assert factor.max() > 1.8


def test_contrast_keeps_each_image_at_its_mean() -> None:
    images, targets = batch(np.float64)
    images = images * 0.2  # so that nothing is cut off
    images[0, 0, 0, :2] = [-0.5, 0.5]
    y, _ = Contrast(0.5)(images, targets, source(), CLASSES)
    mean = images.mean(axis=(1, 2, 3), keepdims=True)
    ratio = (y[1:] - mean[1:]) / (images[1:] - mean[1:])
    assert ratio.min() >= 0.5
    assert ratio.max() <= 1.5
    np.testing.assert_allclose(np.ptp(ratio, axis=(1, 2, 3)), 0, atol=1e-9)


def test_bytes_are_cut_off_at_their_ends_rather_than_wrapped() -> None:
    images = np.tile(np.array([0, 250], np.uint8), (100, 1, 1, 1))
    for change in (Brightness(1.0), Contrast(1.0)):
        y, _ = change(images, np.zeros(100, int), source(), 1)
        assert (y[..., 0].astype(int) <= y[..., 1]).all()
        assert (y[..., 1] == 255).any()


# Mixing


def test_mixup_mixes_images_and_targets_alike() -> None:
    # a pixel per class, so that an image is its own target
    targets = np.arange(60) % CLASSES
    images = np.eye(CLASSES)[targets].reshape(60, 1, 1, CLASSES)
    y, mixed = Mixup(1.0)(images, targets, source(), CLASSES)
    np.testing.assert_allclose(y.reshape(60, CLASSES), mixed, atol=1e-6)
    own = mixed[np.arange(60), targets]
    assert (own < 0.9).any()


def test_the_share_in_mixup_is_beta_distributed() -> None:
    alpha, count = 0.4, 1500
    images, targets = np.zeros((count, 1, 1, 1), np.uint8), np.arange(count)
    _, mixed = Mixup(alpha)(images, targets, source(), count)
    share = mixed[np.arange(count), targets]
    # Beta(α, α) has the mean 1/2 and the variance 1 / (4·(2α + 1))
    assert share.mean() == pytest.approx(0.5, abs=0.04)
    assert share.var() == pytest.approx(1 / (4 * (2 * alpha + 1)), rel=0.1)


def test_cutmix_pastes_one_box_and_mixes_targets_by_its_area() -> None:
    count = 300
    images = np.arange(count, dtype=np.float64)[:, None, None, None] * np.ones((1, 2, 6, 8))
    y, mixed = CutMix()(images, np.arange(count), source(), count)
    boxes = set()
    for i, image in enumerate(y):
        assert (image[0] == image[1]).all()
        pasted = image[0] != i
        np.testing.assert_allclose(mixed[i, i], 1 - pasted.mean(), atol=1e-6)
        if pasted.any():
            assert len(np.unique(image[0][pasted])) == 1
            rows, columns = np.nonzero(pasted)
            assert (np.ptp(rows) + 1) * (np.ptp(columns) + 1) == pasted.sum()
            boxes.add((np.ptp(rows), np.ptp(columns)))
    assert len(boxes) > 20


def test_the_box_of_cutmix_has_the_share_of_the_area_that_is_drawn() -> None:
    images = np.arange(200, dtype=np.float64)[:, None, None, None] * np.ones((1, 1, 60, 90))
    y, _ = CutMix(alpha=1e6)(images, np.arange(200), source(), 200)  # λ is ½ in every draw
    pasted = (y != images)[:, 0].mean(axis=(1, 2))
    assert pasted.max() == pytest.approx(0.5, abs=0.02), "and less where it is cut off"


def test_what_is_mixed_can_be_mixed_again() -> None:
    images, targets = batch(np.float32)
    y, once = CutMix()(images, targets, source(1), CLASSES)
    _, twice = Mixup(1.0)(y, once, source(2), CLASSES)
    np.testing.assert_allclose(twice.sum(axis=1), 1, atol=1e-6)
    with pytest.raises(DataError, match="probabilities"):
        Mixup()(images, once[:, :-1], source(), CLASSES)


# Text and descriptions


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("crop", RandomCrop(4)),
        ("crop,flip", Compose((RandomCrop(4), RandomFlip(0.5)))),
        (" Crop:2 , flip:0.25 ", Compose((RandomCrop(2), RandomFlip(0.25)))),
        ("flip-vertical", RandomFlip(0.5, horizontal=False)),
        ("rotate:15", Affine(degrees=15)),
        ("scale:0.2", Affine(scale=0.2)),
        ("shear", Affine(shear=10)),
        ("translate:0.2", Affine(translate=0.2)),
        ("affine:5:0.2", Affine(5, 0.2, 5, 0.1)),
        ("cutout:16", Cutout(16)),
        ("cutout-mean,cutout-mean:5", Compose((Cutout(8, "mean"), Cutout(5, "mean")))),
        ("erase", RandomErasing()),
        ("erase-mean:0.25:0.5", RandomErasing(0.25, largest=0.5, mode="mean")),
        ("erase:1:0.01", RandomErasing(1, 0.01, 0.01)),
        ("mixup:0.4,cutmix", Compose((Mixup(0.4), CutMix(1.0)))),
        ("brightness:0.1,contrast", Compose((Brightness(0.1), Contrast(0.2)))),
    ],
)
def test_text_is_read(text: str, expected: Augmentation) -> None:
    assert augment.parse(text) == expected


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("flop", "unknown augmentation 'flop'; did you mean 'flip'"),
        ("", "unknown augmentation ''"),
        ("crop,", "unknown augmentation ''"),
        ("crop:x", "'x' in an augmentation is not a number"),
        ("crop:4:5", "'crop:4:5' has more numbers"),
        ("crop:-1", "padding of RandomCrop must be a number from 0 on, not -1"),
        ("crop:1.5", "whole number"),
        ("flip:2", "from 0 to 1, not 2"),
        ("flip:nan", "from 0 to 1, not nan"),
        ("rotate:-1", "degrees"),
        ("scale:1", "scale"),
        ("shear:90", "shear"),
        ("translate:2", "translate"),
        ("cutout:0", "size of Cutout"),
        ("erase:2", "probability p of RandomErasing"),
        ("erase:1:2", "`largest` of RandomErasing must be a number from 0 to 1"),
        ("mixup:0", "alpha of Mixup"),
        ("cutmix:-1", "alpha of CutMix"),
        ("brightness:1.5", "amount of Brightness"),
        ("contrast:-0.1", "amount of Contrast"),
    ],
)
def test_text_that_means_nothing_is_refused(text: str, said: str) -> None:
    with pytest.raises(DataError, match=said):
        augment.parse(text)


@pytest.mark.parametrize(
    "description",
    [
        None,
        {"padding": 4},
        {"type": "Layer"},
        {"type": "RandomCrop", "pad": 4},
        {"type": "RandomCrop", "padding": -4},
        {"type": "Compose"},
        {"type": "Compose", "parts": [{"type": "Unknown"}]},
        {"type": "Compose", "parts": "crop"},
    ],
)
def test_a_description_that_means_nothing_is_refused(description: Any) -> None:
    with pytest.raises(FileError):
        augment.build(description)


def test_augmentations_are_frozen() -> None:
    with pytest.raises(dataclasses.FrozenInstanceError):
        RandomCrop(4).padding = 5  # type: ignore[misc]  # what the test is about
    with pytest.raises(DataError, match="takes augmentations"):
        Compose(("crop",))  # type: ignore[arg-type]  # what the test is about


@pytest.mark.parametrize("made", [RandomCrop, Cutout, RandomErasing])
def test_a_mode_that_does_not_exist_is_refused(made: Any) -> None:
    with pytest.raises(DataError, match=f"the mode of {made.__name__} is 'zeros' or .*, not 'x'"):
        made(mode="x")


def test_limits_of_erasing_are_checked() -> None:
    with pytest.raises(DataError, match=r"`smallest` of RandomErasing .* from 0 to 0.1, not 0.2"):
        RandomErasing(smallest=0.2, largest=0.1)
    with pytest.raises(DataError, match="ratio of RandomErasing must be a number from 1 on"):
        RandomErasing(ratio=0.5)


def test_numbers_of_numpy_are_numbers() -> None:
    images, targets = np.zeros((2, 1, 8, 8), np.uint8), np.array([0, 1])
    for made in (RandomCrop(np.int64(2)), RandomFlip(np.float32(0.5)), Cutout(np.uint8(3))):
        assert made(images, targets, source(), CLASSES)[0].shape == images.shape
    with pytest.raises(DataError, match="not True"):
        RandomCrop(True)


@every
def test_numbers_of_numpy_become_pythons_which_a_description_can_hold(
    augmentation: Augmentation,
) -> None:
    scalars = {"int": np.int64, "float": np.float32, "bool": np.bool_}
    fields = {
        field.name: scalars[str(field.type)](getattr(augmentation, field.name))
        for field in dataclasses.fields(augmentation)  # type: ignore[arg-type]  # all of them are
        if field.type in scalars
    }
    made = dataclasses.replace(augmentation, **fields)  # type: ignore[type-var]
    json.dumps(made.describe())


# What depends on the sample and the epoch


def test_reflected_crops_are_windows_of_the_mirrored_surroundings() -> None:
    images, targets = batch()
    y, _ = RandomCrop(2, "reflect")(images, targets, source(), CLASSES)
    padded = np.pad(images, ((0, 0), (0, 0), (2, 2), (2, 2)), mode="reflect")
    windows = np.lib.stride_tricks.sliding_window_view(padded, images.shape[2:], axis=(2, 3))
    same = (windows == y[:, :, None, None]).all(axis=(1, 4, 5))  # (N, 5, 5): which window it is
    assert same.any(axis=(1, 2)).all()
    assert len({tuple(np.argwhere(one)[0]) for one in same}) > 10


def test_more_than_an_image_cannot_be_reflected() -> None:
    images, targets = batch()
    with pytest.raises(DataError, match="cannot reflect 7 pixels of images of 9×7"):
        RandomCrop(7, "reflect")(images, targets, source(), CLASSES)


def test_an_unknown_mode_is_refused() -> None:
    with pytest.raises(DataError, match="is 'zeros' or 'reflect', not 'wrap'"):
        RandomCrop(2, "wrap")  # type: ignore[arg-type]


def flipped(epoch: int, samples: Any, seed: int = 0) -> Any:
    images, targets = batch(shape=(len(samples), 3, 9, 7))
    y, _ = AlternatingFlip().at(samples, epoch, seed)(images, targets, source(epoch), CLASSES)
    mirrored = (y == images[..., ::-1]).all(axis=(1, 2, 3))
    assert (mirrored | (y == images).all(axis=(1, 2, 3))).all()
    return mirrored


def test_an_alternating_flip_mirrors_a_random_half_then_the_other() -> None:
    samples = np.arange(1000)
    first = flipped(0, samples)
    assert 440 < first.sum() < 560
    for epoch in range(1, 5):
        np.testing.assert_array_equal(flipped(epoch, samples), first ^ (epoch % 2 == 1))
    assert (flipped(0, samples, seed=1) != first).any()


def test_a_flip_depends_on_the_sample_and_not_on_its_batch() -> None:
    whole = flipped(2, np.arange(50))
    chosen = np.array([49, 3, 17, 3])
    np.testing.assert_array_equal(flipped(2, chosen), whole[chosen])
    both = Compose((RandomCrop(0), AlternatingFlip())).at(chosen, 2, 0)
    images, targets = batch(shape=(4, 3, 9, 7))
    y, _ = both(images, targets, source(), CLASSES)
    np.testing.assert_array_equal((y == images[..., ::-1]).all(axis=(1, 2, 3)), whole[chosen])
