"""Mean 0 and deviation 1, without a look at the test images."""

import numpy as np

from pellucid.teach.exercise import case, exercise, whole


def make(source, N, M, C, H):
    return {"train": whole(source, N, C, H, H), "test": whole(source, M, C, H, H) + 3}


CASES = [
    case("one channel", N=3, M=2, C=1, H=2),
    case("three channels", N=4, M=3, C=3, H=2),
]


@exercise(chapter=9, title="Standardise", make=make, cases=CASES, returns=("train", "test"))
def standardise(train, test):
    """Return both parts with the training part's mean subtracted, divided by its deviation.

    Both are images (N, C, H, W). Mean and standard deviation are taken for each channel over all
    training images and positions. The test part is brought to the same scale: two results.
    """
    return _by(train, train, test)


def _by(known, train, test, axes=(0, 2, 3), divisor=np.std):
    mean = known.mean(axis=axes, keepdims=True)
    spread = divisor(known, axis=axes, keepdims=True)
    return (train - mean) / spread, (test - mean) / spread


@standardise.mistake(
    "The test images take part in mean and deviation.",
    "What is known of the test images leaks into the training, and the result on them is no longer "
    "an honest estimate. Use the training images alone.",
)
def leaking(train, test):
    return _by(np.concatenate([train, test]), train, test)


@standardise.mistake(
    "The test images are brought to their own mean and deviation.",
    "The network has learned numbers on the training part's scale; the test part must come on the "
    "same one. A single image has no mean of a batch.",
)
def test_by_itself(train, test):
    return _by(train, train, test)[0], _by(test, train, test)[1]


@standardise.mistake("The test images are not changed.", "They go through the same steps.")
def test_forgotten(train, test):
    return _by(train, train, test)[0], test


@standardise.mistake(
    "All channels share one mean and one deviation.", "Each channel has its own: axis=(0, 2, 3)."
)
def channels_together(train, test):
    return _by(train, train, test, axes=None)


@standardise.mistake(
    "Every image has its own mean and deviation.",
    "Over all training images: then a dark image stays darker than others.",
)
def each_image_by_itself(train, test):
    axes = (2, 3)
    return _by(train, train, train, axes)[0], _by(test, test, test, axes)[1]


@standardise.mistake(
    "Every pixel has its own mean and deviation.", "Over positions too: axis=(0, 2, 3)."
)
def each_pixel_by_itself(train, test):
    return _by(train, train, test, axes=(0,))


@standardise.mistake("It divides by the variance.", "The standard deviation is its root.")
def divided_by_the_variance(train, test):
    return _by(train, train, test, divisor=np.var)


@standardise.mistake("It does not divide.", "After subtracting the mean, divide by the deviation.")
def not_divided(train, test):
    return _by(train, train, test, divisor=lambda x, axis, keepdims: 1.0)
