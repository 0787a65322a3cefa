"""Batch normalisation in inference."""

import numpy as np

from pellucid.teach.exercise import case, exercise, whole


def make(source, N, C, H):
    return {
        "x": whole(source, N, C, H, H),
        "gamma": whole(source, C),
        "beta": whole(source, C),
        "running_mean": whole(source, C),
        "running_var": np.abs(whole(source, C)),
        "eps": 0.1,
    }


CASES = [
    case("one image", N=1, C=2, H=2),
    case("three images", N=3, C=2, H=2),
]


@exercise(chapter=11, title="Batch norm in inference", make=make, cases=CASES)
def batch_norm_inference(x, gamma, beta, running_mean, running_var, eps=1e-5):
    """Return x normalised with the running mean and variance.

    ``y = gamma · (x − running_mean) / √(running_var + eps) + beta``, channel by channel, for x
    (N, C, H, W). An image's result must not depend on which others are in its batch.
    """
    return _by(x, gamma, beta, running_mean, running_var, eps)


def _by(x, gamma, beta, mean, var, eps):
    gamma, beta, mean, var = (a[:, None, None] for a in (gamma, beta, mean, var))
    return gamma * (x - mean) / np.sqrt(var + eps) + beta


@batch_norm_inference.mistake(
    "The batch's own mean and variance are used.",
    "In inference the running ones are: else an image's class depends on its neighbours, and one "
    "image alone cannot be classified.",
)
def batch_statistics(x, gamma, beta, running_mean, running_var, eps):
    return _by(x, gamma, beta, x.mean((0, 2, 3)), x.var((0, 2, 3)), eps)


@batch_norm_inference.mistake(
    "The running variance is used as if it were a standard deviation.",
    "Take its root: √(running_var + eps).",
)
def variance_as_deviation(x, gamma, beta, running_mean, running_var, eps):
    return _by(x, gamma, beta, running_mean, (running_var + eps) ** 2 - eps, eps)


@batch_norm_inference.mistake(
    "The mean comes from the batch, the variance is the running one.", "Both are the running ones."
)
def mean_from_the_batch(x, gamma, beta, running_mean, running_var, eps):
    return _by(x, gamma, beta, x.mean((0, 2, 3)), running_var, eps)


@batch_norm_inference.mistake("The mean is not subtracted.", "x − running_mean.")
def mean_not_subtracted(x, gamma, beta, running_mean, running_var, eps):
    return _by(x, gamma, beta, 0 * running_mean, running_var, eps)


@batch_norm_inference.mistake("gamma and beta are forgotten.", "y = gamma·x̂ + beta.")
def scale_and_shift_forgotten(x, gamma, beta, running_mean, running_var, eps):
    return _by(x, np.ones_like(gamma), 0 * beta, running_mean, running_var, eps)
