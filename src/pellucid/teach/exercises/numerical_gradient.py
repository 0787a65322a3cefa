"""Slopes from differences."""

import numpy as np

from pellucid.teach.exercise import case, exercise, whole


def cubes(x):
    """The sum of x³."""
    return float((x**3).sum())


def products(x):
    """The product of neighbours, added up."""
    flat = x.ravel()
    return float((flat[:-1] * flat[1:]).sum())


def make(source, H, W, loss):
    return {"loss": loss, "x": whole(source, H, W), "h": 0.1}


CASES = [
    case("cubes of two numbers", H=1, W=2, loss=cubes),
    case("products of neighbours", H=2, W=3, loss=products),
    case("cubes of six numbers", H=2, W=3, loss=cubes),
]


@exercise(chapter=7, title="Slopes from differences", make=make, cases=CASES, returns=("gradient",))
def numerical_gradient(loss, x, h=1e-5):
    """Return the slope of `loss` along each number of x, from central differences.

    ``gradient[i] = (loss(x + h·eᵢ) − loss(x − h·eᵢ)) / 2h``, where eᵢ is 1 at i and 0 elsewhere.

    `loss` takes an array like x and returns a number. x has any shape, and the result has the same.
    """
    slopes = np.empty_like(x)
    for at in np.ndindex(x.shape):
        slopes[at] = _difference(loss, x, at, h) / (2 * h)
    return slopes


def _difference(loss, x, at, h):
    step = np.zeros_like(x)
    step[at] = h
    return loss(x + step) - loss(x - step)


@numerical_gradient.mistake(
    "The difference goes forwards only.",
    "(loss(x + h) − loss(x)) / h has an error of order h; with x − h on the other side it is of "
    "order h².",
)
def forward_difference(loss, x, h):
    slopes = np.empty_like(x)
    for at in np.ndindex(x.shape):
        step = np.zeros_like(x)
        step[at] = h
        slopes[at] = (loss(x + step) - loss(x)) / h
    return slopes


@numerical_gradient.mistake(
    "The difference is divided by h.", "From x − h to x + h it is 2h: divide by 2·h."
)
def divided_by_h(loss, x, h):
    return 2 * numerical_gradient(loss, x, h)


@numerical_gradient.mistake(
    "(a − b) / 2 * h multiplies by h.", "Write the brackets: (a − b) / (2 * h)."
)
def multiplied_by_h(loss, x, h):
    return numerical_gradient(loss, x, h) * h * h


@numerical_gradient.mistake("The sign is turned round.", "Above minus below: x + h comes first.")
def sign_turned(loss, x, h):
    return -numerical_gradient(loss, x, h)


@numerical_gradient.mistake(
    "x is not set back before the next number is moved.",
    "After each difference, x must be what it was; moving a copy is the safest.",
)
def not_set_back(loss, x, h):
    x, slopes = x.copy(), np.empty_like(x)
    for at in np.ndindex(x.shape):
        x[at] += h
        above = loss(x)
        x[at] -= 2 * h
        slopes[at] = (above - loss(x)) / (2 * h)
    return slopes


@numerical_gradient.mistake(
    "All numbers are moved at once.", "One at a time: each has a slope of its own."
)
def all_at_once(loss, x, h):
    return np.full_like(x, (loss(x + h) - loss(x - h)) / (2 * h))
