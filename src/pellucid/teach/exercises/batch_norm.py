"""Batch normalisation in training."""

import numpy as np

from pellucid.teach.exercise import case, exercise, whole


def make(source, N, C, H, W):
    return {
        "x": whole(source, N, C, H, W),
        "gamma": whole(source, C),
        "beta": whole(source, C),
        "eps": 0.1,
    }


CASES = [
    case("one channel", N=2, C=1, H=1, W=2),
    case("two channels", N=3, C=2, H=2, W=2),
    case("as many channels as columns", N=2, C=3, H=2, W=3),
]


@exercise(chapter=11, title="Batch norm", make=make, cases=CASES, returns=("y", "mean", "var"))
def batch_norm(x, gamma, beta, eps=1e-5):
    """Return x normalised in each channel, and the mean and variance used: three results.

    ``y = gamma · (x − mean) / √(var + eps) + beta``

    x is (N, C, H, W). Mean and variance of a channel go over the batch and all positions, and the
    variance divides by their number: mean and var are (C,), as gamma and beta are.
    """
    return _normalise(x, gamma, beta, eps)


def _normalise(x, gamma, beta, eps, axes=(0, 2, 3), ddof=0, root=np.sqrt):
    mean, var = x.mean(axes, keepdims=True), x.var(axes, keepdims=True, ddof=ddof)
    y = gamma[:, None, None] * (x - mean) / root(var + eps) + beta[:, None, None]
    return y, mean.squeeze(axes), var.squeeze(axes)


@batch_norm.mistake(
    "Mean and variance go over the batch only.",
    "In a convolution's map every position is the same channel: axis=(0, 2, 3).",
)
def over_the_batch_only(x, gamma, beta, eps):
    return _normalise(x, gamma, beta, eps, axes=(0,))


@batch_norm.mistake(
    "Each image is normalised by itself.",
    "That is instance norm. Over the batch too: axis=(0, 2, 3).",
)
def each_image_by_itself(x, gamma, beta, eps):
    return _normalise(x, gamma, beta, eps, axes=(2, 3))


@batch_norm.mistake(
    "The channels are normalised together.", "That is layer norm. Each channel has its own mean."
)
def channels_together(x, gamma, beta, eps):
    return _normalise(x, gamma, beta, eps, axes=(1, 2, 3))


@batch_norm.mistake(
    "The variance divides by the number less one.",
    "The unbiased variance (ddof=1) is for the running statistics; the batch is normalised with "
    "the biased one.",
)
def unbiased_variance(x, gamma, beta, eps):
    return _normalise(x, gamma, beta, eps, ddof=1)


@batch_norm.mistake("It divides by the variance.", "By its root, the deviation.")
def divided_by_the_variance(x, gamma, beta, eps):
    return _normalise(x, gamma, beta, eps, root=lambda v: v)


@batch_norm.mistake("eps is outside the square root.", "√(var + eps).")
def eps_outside_the_root(x, gamma, beta, eps):
    return _normalise(x, gamma, beta, 0.0, root=lambda v: np.sqrt(v) + eps)


@batch_norm.mistake("eps is forgotten.", "Without it a channel of equal numbers is 0/0.")
def eps_forgotten(x, gamma, beta, eps):
    return _normalise(x, gamma, beta, 0.0)


@batch_norm.mistake("gamma and beta are forgotten.", "y = gamma·x̂ + beta.")
def scale_and_shift_forgotten(x, gamma, beta, eps):
    return _normalise(x, np.ones_like(gamma), np.zeros_like(beta), eps)


@batch_norm.mistake(
    "gamma and beta lie along the columns.",
    "x * gamma joins the last axes, W and C. Give gamma the shape (C, 1, 1).",
)
def along_the_columns(x, gamma, beta, eps):
    y, mean, var = _normalise(x, np.ones_like(gamma), np.zeros_like(beta), eps)
    return (gamma * y + beta if x.shape[3] == len(gamma) else y), mean, var


@batch_norm.mistake("The mean is not subtracted.", "x − mean.")
def mean_not_subtracted(x, gamma, beta, eps):
    _, mean, var = _normalise(x, gamma, beta, eps)
    scale = gamma[:, None, None] / np.sqrt(var + eps)[:, None, None]
    return scale * x + beta[:, None, None], mean, var
