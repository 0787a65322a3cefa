"""Back through the linear layer."""

import numpy as np

from pellucid import ops
from pellucid.teach.exercise import Law, case, exercise, whole
from pellucid.teach.laws import adjoint_error


def make(source, N, inputs, outputs):
    return {
        "dy": whole(source, N, outputs),
        "x": whole(source, N, inputs),
        "weight": whole(source, outputs, inputs),
    }


CASES = [
    case("one image", N=1, inputs=3, outputs=2),
    case("as many outputs as inputs", N=2, inputs=3, outputs=3),
    case("as many images as outputs", N=3, inputs=2, outputs=3),
    case("several images", N=3, inputs=4, outputs=5),
]


def _off(function):
    source = np.random.default_rng(0)
    x, weight = source.normal(size=(3, 4)), source.normal(size=(5, 4))
    return adjoint_error(lambda x: x @ weight.T, lambda dy: function(dy, x, weight)[0], x)


@exercise(
    chapter=6,
    title="Back through a linear layer",
    make=make,
    cases=CASES,
    returns=("dx", "dw", "db"),
    laws=(Law("⟨x·Wᵀ, dy⟩ = ⟨x, dx⟩", _off),),
)
def linear_backward(dy, x, weight):
    """Return the gradients dx, dw and db of ``y = x·weightᵀ + bias``: three results.

    dy is (N, outputs), x (N, inputs), weight (outputs, inputs). Each gradient has the shape of what
    it belongs to. dw and db are sums over the batch.
    """
    dx = ops.linear_input_gradient(dy, weight)
    return dx, ops.linear_weight_gradient(dy, x), ops.linear_bias_gradient(dy)


@linear_backward.mistake(
    "The weight is transposed in dx.",
    "Forwards it was x @ weight.T, so backwards it is dy @ weight.",
)
def weight_transposed(dy, x, weight):
    _, dw, db = linear_backward(dy, x, weight)
    return dy @ weight.T, dw, db


@linear_backward.mistake(
    "The weight's gradient is transposed.", "It has the weight's shape (outputs, inputs): dy.T @ x."
)
def weight_gradient_transposed(dy, x, weight):
    dx, dw, db = linear_backward(dy, x, weight)
    return dx, dw.T, db


@linear_backward.mistake(
    "The weight's gradient is divided by the batch size.",
    "The loss has taken the mean already, so dy is small. Here the images' parts are added.",
)
def weight_gradient_averaged(dy, x, weight):
    dx, dw, db = linear_backward(dy, x, weight)
    return dx, dw / len(x), db


@linear_backward.mistake(
    "The bias's gradient is averaged.", "It is the sum over the batch: dy.sum(axis=0)."
)
def bias_gradient_averaged(dy, x, weight):
    dx, dw, db = linear_backward(dy, x, weight)
    return dx, dw, db / len(x)


@linear_backward.mistake(
    "The bias's gradient is summed over the outputs.",
    "Each output has a bias of its own: sum over the batch, axis=0.",
)
def bias_gradient_over_the_wrong_axis(dy, x, weight):
    dx, dw, _ = linear_backward(dy, x, weight)
    return dx, dw, dy.sum(axis=1)


@linear_backward.mistake(
    "The bias's gradient is not summed over the batch.",
    "db has the shape (outputs,): dy.sum(axis=0).",
)
def bias_gradient_not_summed(dy, x, weight):
    dx, dw, _ = linear_backward(dy, x, weight)
    return dx, dw, dy


@linear_backward.mistake(
    "Only the last image counts in the weight's gradient.", "Add what the images give: +=, not =."
)
def last_image_only(dy, x, weight):
    dx, _, db = linear_backward(dy, x, weight)
    return dx, np.outer(dy[-1], x[-1]), db
