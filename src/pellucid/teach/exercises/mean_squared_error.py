"""Mean squared error and its gradient."""

import numpy as np

from pellucid import ops
from pellucid.teach.exercise import case, exercise, whole


def make(source, N, K):
    return {"y": whole(source, N, K), "target": whole(source, N, K)}


CASES = [
    case("one number", N=1, K=1),
    case("two images", N=2, K=3),
    case("four images", N=4, K=3),
]


@exercise(
    chapter=5, title="Mean squared error", make=make, cases=CASES, returns=("loss", "gradient")
)
def mean_squared_error(y, target):
    """Return the mean of (y − target)² over all numbers, and its gradient for y: two results."""
    return ops.mean_squared_error(y, target)


@mean_squared_error.mistake("The squares are summed.", "Divide by how many numbers there are.")
def summed(y, target):
    return ((y - target) ** 2).sum(), 2 * (y - target)


@mean_squared_error.mistake(
    "The mean is taken over the images only.", "Over all numbers: y.size, not len(y)."
)
def averaged_over_images(y, target):
    return ((y - target) ** 2).sum() / len(y), 2 * (y - target) / len(y)


@mean_squared_error.mistake(
    "It is half of what it should be.",
    "Some books put ½ in front, so that the 2 goes away. Not here.",
)
def half(y, target):
    return ((y - target) ** 2).mean() / 2, (y - target) / y.size


@mean_squared_error.mistake("The factor 2 is missing in the gradient.", "The slope of d² is 2·d.")
def two_forgotten(y, target):
    return ((y - target) ** 2).mean(), (y - target) / y.size


@mean_squared_error.mistake(
    "The gradient is not averaged.", "The loss is divided by y.size, and so is it."
)
def gradient_not_averaged(y, target):
    return ((y - target) ** 2).mean(), 2 * (y - target)


@mean_squared_error.mistake("The gradient's sign is turned round.", "y − target, not target − y.")
def sign_turned(y, target):
    return ((y - target) ** 2).mean(), 2 * (target - y) / y.size


@mean_squared_error.mistake("It is the mean absolute error.", "Square the differences.")
def absolute_error(y, target):
    return np.abs(y - target).mean(), np.sign(y - target) / y.size


@mean_squared_error.mistake("The root is taken.", "That is the RMSE; here the mean stays as it is.")
def root_taken(y, target):
    root = np.sqrt(((y - target) ** 2).mean())
    return root, (y - target) / (y.size * root)
