"""Softmax: probabilities from scores."""

import numpy as np

from pellucid import ops
from pellucid.teach.exercise import case, exercise, whole


def make(source, N, K, offset=0.0, spread=0.0):
    z = whole(source, N, K) / 2
    return {"z": z + offset + spread * np.arange(N)[:, None]}


CASES = [
    case("one image", N=1, K=3),
    case("two images", N=2, K=3),
    case("large scores", N=1, K=3, offset=1000.0),
    case("images with very different scores", N=3, K=4, spread=-900.0),
]


@exercise(chapter=5, title="Softmax", make=make, cases=CASES, returns=("p",))
def softmax(z):
    """Return the probabilities exp(z) / Σ exp(z) of each row.

    z is (N, K): the scores of N images for K classes. Each row of the result adds up to 1. Scores
    as large as 1000 must not overflow.
    """
    return ops.softmax(z)


@softmax.mistake(
    "Large scores give nan: the maximum is not subtracted.",
    "exp(1000) is infinite. Subtracting each row's own maximum from it changes nothing in the "
    "quotient, and then the largest exponent is 0.",
)
def maximum_not_subtracted(z):
    return np.exp(z) / np.exp(z).sum(axis=1, keepdims=True)


@softmax.mistake(
    "The maximum of the whole batch is subtracted.",
    "A row that lies far below it becomes exp(−1800) = 0 everywhere, and 0/0. Subtract from each "
    "row its own maximum: axis=1, keepdims=True.",
)
def maximum_of_the_whole_batch(z):
    e = np.exp(z - z.max())
    return e / e.sum(axis=1, keepdims=True)


@softmax.mistake(
    "The sum goes over the images instead of the classes.", "Rows are images: sum with axis=1."
)
def over_the_wrong_axis(z):
    return ops.softmax(z.T).T


@softmax.mistake("All rows together add up to 1.", "Each row adds up to 1: axis=1, keepdims=True.")
def over_the_whole_batch(z):
    e = np.exp(z - z.max())
    return e / e.sum()


@softmax.mistake("The exponentials are not divided by their sum.", "Each row adds up to 1.")
def not_normalised(z):
    return np.exp(z - z.max(axis=1, keepdims=True))


@softmax.mistake("It returns the logarithm.", "exp(z) / Σ exp(z), not its logarithm.")
def logarithm_returned(z):
    return ops.log_softmax(z)


@softmax.mistake("The scores themselves are divided by their sum.", "Take exp of the scores first.")
def exponential_forgotten(z):
    return z / z.sum(axis=1, keepdims=True)


@softmax.mistake("The sign in the exponent is wrong.", "exp(z): the largest score wins.")
def sign_in_the_exponent(z):
    return ops.softmax(-z)
