"""ReLU: negative values become 0."""

import numpy as np

from pellucid.teach.exercise import case, exercise, whole


def make(source, N, scale=1.0):
    x = whole(source, N)
    x[::3] = -x[::3] if N > 1 else -np.abs(x)
    return {"x": x * scale}


CASES = [
    case("numbers on both sides of 0", N=5),
    case("numbers between −1 and 1", N=6, scale=0.1),
    case("many numbers", N=40),
]


@exercise(chapter=4, title="ReLU", make=make, cases=CASES)
def relu(x):
    """Return x where it is positive, and 0 elsewhere. x has any shape."""
    return np.maximum(x, 0)


@relu.mistake("It returns the absolute value.", "Negative numbers become 0, not positive.")
def absolute_value(x):
    return np.abs(x)


@relu.mistake("It returns where x is positive, not x itself.", "Multiply the mask by x.")
def mask_returned(x):
    return (x > 0).astype(float)


@relu.mistake("The sign is turned round: negative numbers pass.", "Keep what is above 0.")
def sign_turned(x):
    return np.minimum(x, 0)


@relu.mistake("Large numbers are cut off at 1.", "ReLU has no upper limit.")
def cut_at_one(x):
    return np.clip(x, 0, 1)


@relu.mistake(
    "Negative numbers pass, made smaller.", "That is leaky ReLU. Here they become 0 altogether."
)
def leaky(x):
    return np.where(x > 0, x, 0.01 * x)
