"""Where the scores should go: the gradient of the loss."""

import numpy as np

from pellucid import ops
from pellucid.teach.exercise import Law, case, exercise
from pellucid.teach.exercises.cross_entropy import make
from pellucid.teach.laws import slope_error

CASES = [
    case("one image", N=1, K=3),
    case("three images", N=3, K=4),
]


def _off(function):
    source = np.random.default_rng(0)
    z, labels = source.normal(size=(3, 4)), np.array([1, 0, 3])
    return slope_error(lambda z: ops.cross_entropy(z, labels)[0], z, function(z, labels))


@exercise(
    chapter=6,
    title="Gradient of the cross entropy",
    make=make,
    cases=CASES,
    returns=("dz",),
    laws=(Law("dz is the slope of the loss", _off),),
)
def cross_entropy_gradient(z, labels):
    """Return the gradient of `cross_entropy` for the scores z, of the same shape (N, K).

    ``dz[n, k] = (p[n, k] − [k is the right class of n]) / N``, with p = softmax(z).
    """
    return ops.cross_entropy(z, labels)[1]


def _one_hot(z, labels):
    return np.eye(z.shape[1])[labels]


@cross_entropy_gradient.mistake(
    "It is not divided by N.", "The loss is a mean; so is its gradient."
)
def not_averaged(z, labels):
    return cross_entropy_gradient(z, labels) * len(z)


@cross_entropy_gradient.mistake("It is divided by N twice.", "Divide once.")
def averaged_twice(z, labels):
    return cross_entropy_gradient(z, labels) / len(z)


@cross_entropy_gradient.mistake(
    "It is divided by the number of classes too.", "The mean is over the N images, not over N·K."
)
def averaged_over_classes(z, labels):
    return cross_entropy_gradient(z, labels) / z.shape[1]


@cross_entropy_gradient.mistake(
    "Its sign is turned round.", "p − t: a step against the gradient raises the right score."
)
def sign_turned(z, labels):
    return -cross_entropy_gradient(z, labels)


@cross_entropy_gradient.mistake(
    "The right class is not subtracted.", "Subtract 1 from p at the right class of each row."
)
def truth_forgotten(z, labels):
    return ops.softmax(z) / len(z)


@cross_entropy_gradient.mistake(
    "1 is subtracted in every label's column of every row.",
    "p[:, labels] −= 1 touches every row. Use p[np.arange(N), labels] −= 1.",
)
def every_label_in_every_row(z, labels):
    p = ops.softmax(z)
    p[:, labels] -= 1
    return p / len(z)


@cross_entropy_gradient.mistake(
    "Only the right class gets a gradient.", "All scores take part in the softmax: p − t."
)
def right_class_only(z, labels):
    return cross_entropy_gradient(z, labels) * _one_hot(z, labels)
