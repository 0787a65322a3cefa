"""Cross entropy: how surprised the network is by the right classes."""

import numpy as np

from pellucid import ops
from pellucid.teach.exercise import case, exercise, whole


def make(source, N, K, scale=0.5, mistaken=False):
    if K < 1:
        raise ValueError
    z = whole(source, N, K) * scale
    return {"z": z, "labels": z.argmin(axis=1) if mistaken else source.integers(0, K, N)}


CASES = [
    case("one image", N=1, K=3),
    case("three images", N=3, K=4),
    case("sure and mistaken", N=2, K=3, scale=300.0, mistaken=True),
]


@exercise(chapter=5, title="Cross entropy", make=make, cases=CASES, returns=("loss",))
def cross_entropy(z, labels):
    """Return the mean over the batch of −log p, with p the probability of the right class.

    z is (N, K), the scores; p = softmax(z). labels is (N,), the number of each image's right class.
    Where p is too small for a floating-point number, the loss is still finite: compute log p from
    the scores. Return one number.
    """
    return ops.cross_entropy(z, labels)[0]


def _log_p(z, labels):
    return ops.log_softmax(z)[np.arange(len(z)), labels]


@cross_entropy.mistake(
    "The logarithm of 0 is taken.",
    "exp(−1000) is 0 in a computer. log p = z − max − log Σ exp(z − max) needs no such detour.",
)
def logarithm_of_zero(z, labels):
    return -np.log(ops.softmax(z)[np.arange(len(z)), labels]).mean()


@cross_entropy.mistake(
    "A small number is added inside the logarithm.",
    "log(p + 1e-12) is finite but not right where p is small, and its gradient vanishes there. "
    "log p = z − max − log Σ exp(z − max) is exact.",
)
def small_number_added(z, labels):
    return -np.log(ops.softmax(z)[np.arange(len(z)), labels] + 1e-12).mean()


@cross_entropy.mistake("The losses are summed.", "Divide by the number of images, N.")
def summed(z, labels):
    return -_log_p(z, labels).sum()


@cross_entropy.mistake(
    "It is averaged twice.",
    "mean() divides by N already; dividing by N again makes the loss depend on the batch size.",
)
def averaged_twice(z, labels):
    return -_log_p(z, labels).mean() / len(z)


@cross_entropy.mistake(
    "It is averaged over images and classes.",
    "Only one class of each image counts; the mean is over the N images, not over N·K numbers.",
)
def averaged_over_classes(z, labels):
    return -_log_p(z, labels).sum() / z.size


@cross_entropy.mistake("The sign is missing.", "log p is negative, the loss is −log p.")
def sign_missing(z, labels):
    return _log_p(z, labels).mean()


@cross_entropy.mistake(
    "Softmax is applied twice.", "The scores become probabilities once; then take the logarithm."
)
def softmax_twice(z, labels):
    return ops.cross_entropy(ops.softmax(z), labels)[0]


@cross_entropy.mistake(
    "The logarithm has another base.", "np.log is the natural logarithm; np.log2 and log10 are not."
)
def other_base(z, labels):
    return -_log_p(z, labels).mean() / np.log(2)


@cross_entropy.mistake(
    "It is 1 − p instead of −log p.",
    "−log p grows without end where the network is sure and wrong.",
)
def without_logarithm(z, labels):
    return 1 - np.exp(_log_p(z, labels)).mean()


@cross_entropy.mistake(
    "z[:, labels] takes every label's column from every row.",
    "One number for each row is wanted: z[np.arange(N), labels].",
)
def every_label_from_every_row(z, labels):
    return -ops.log_softmax(z)[:, labels].mean()
