"""Back through ReLU."""

import numpy as np

from pellucid.teach.exercise import case, exercise, whole


def make(source, N, zero):
    x = whole(source, N) * np.where(np.arange(N) % 2, 1, -1)
    if zero:
        x[N // 2] = 0
    return {"dy": whole(source, N), "x": x}


CASES = [
    case("inputs on both sides of 0", N=6, zero=False),
    case("an input of 0", N=5, zero=True),
    case("many inputs", N=30, zero=True),
]


@exercise(chapter=6, title="Back through ReLU", make=make, cases=CASES, returns=("dx",))
def relu_backward(dy, x):
    """Return the gradient for ReLU's input x, from the gradient dy for its output.

    It passes where x was positive. At 0 the slope is taken to be 0.
    """
    return dy * (x > 0)


@relu_backward.mistake(
    "At 0 the gradient passes.", "The slope at 0 is taken to be 0: x > 0, not x >= 0."
)
def passes_at_zero(dy, x):
    return dy * (x >= 0)


@relu_backward.mistake(
    "It looks at the gradient's sign instead of the input's.",
    "What passed forwards passes backwards: where x > 0. dy may have either sign.",
)
def sign_of_the_gradient(dy, x):
    return np.maximum(dy, 0)


@relu_backward.mistake(
    "It looks at both signs, the input's and the gradient's.",
    "That is guided backpropagation, which draws pictures. Negative gradients pass as well.",
)
def guided(dy, x):
    return np.maximum(dy, 0) * (x > 0)


@relu_backward.mistake("It returns the slope without dy.", "Chain rule: multiply by dy.")
def dy_forgotten(dy, x):
    return (x > 0).astype(float)


@relu_backward.mistake("It multiplies by ReLU's output.", "Its slope is 1 or 0: multiply by x > 0.")
def multiplied_by_the_output(dy, x):
    return dy * np.maximum(x, 0)


@relu_backward.mistake("The gradient passes everywhere.", "It is stopped where x was negative.")
def passes_everywhere(dy, x):
    return dy


@relu_backward.mistake("It passes where x was negative.", "It passes where x was positive.")
def sign_turned(dy, x):
    return dy * (x < 0)
