"""The sigmoid, from 0 to 1, without overflow."""

import numpy as np

from pellucid import ops
from pellucid.teach.exercise import case, exercise


def make(source, N, scale):
    return {"x": np.linspace(-2, 3, N) * scale}


CASES = [
    case("small numbers", N=6, scale=1.0),
    case("large numbers", N=6, scale=400.0),
]


@exercise(chapter=4, title="Sigmoid", make=make, cases=CASES)
def sigmoid(x):
    """Return 1 / (1 + exp(−x)), for numbers as large as ±1000 too. x has any shape."""
    return ops.sigmoid(x)


@sigmoid.mistake("The sign in the exponent is wrong.", "exp(−x): large x give 1.")
def sign_in_the_exponent(x):
    return ops.sigmoid(-x)


@sigmoid.mistake(
    "It is the hyperbolic tangent.", "tanh goes from −1 to 1; σ(x) = (1 + tanh(x/2)) / 2."
)
def hyperbolic_tangent(x):
    return np.tanh(x)


@sigmoid.mistake(
    "Large numbers give nan.",
    "exp(1000) is infinite, and ∞/∞ is not a number. For positive x use 1 / (1 + exp(−x)), for "
    "negative x exp(x) / (1 + exp(x)); then no exponent is above 0.",
)
def overflows(x):
    return np.exp(x) / (1 + np.exp(x))
