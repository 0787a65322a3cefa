"""What batch norm remembers of the batches that it has seen."""

import numpy as np

from pellucid.teach.exercise import case, exercise, whole


def make(source, N, C, H):
    return {
        "running_mean": whole(source, C),
        "running_var": np.abs(whole(source, C)),
        "x": whole(source, N, C, H, H),
        "momentum": 0.25,
    }


CASES = [
    case("one channel", N=2, C=1, H=1),
    case("three channels", N=3, C=3, H=2),
]


@exercise(
    chapter=11,
    title="Running statistics",
    make=make,
    cases=CASES,
    returns=("running_mean", "running_var"),
)
def running_statistics(running_mean, running_var, x, momentum=0.1):
    """Return the running mean and variance after the batch x (N, C, H, W): two arrays (C,).

    ``running ← (1 − momentum) · running + momentum · of this batch``. The batch's variance is the
    unbiased one here, which divides by the number of values less one.
    """
    return _moved(running_mean, running_var, x, momentum)


def _moved(running_mean, running_var, x, momentum, ddof=1):
    mean, var = x.mean((0, 2, 3)), x.var((0, 2, 3), ddof=ddof)
    kept = 1 - momentum
    return kept * running_mean + momentum * mean, kept * running_var + momentum * var


@running_statistics.mistake(
    "The variance is the biased one.",
    "What is kept estimates the variance of all images: divide by n − 1 (ddof=1).",
)
def biased_variance(running_mean, running_var, x, momentum):
    return _moved(running_mean, running_var, x, momentum, ddof=0)


@running_statistics.mistake(
    "momentum and 1 − momentum are swapped.",
    "As in PyTorch, momentum is the part that is new: 0.1 of this batch, 0.9 of what was there.",
)
def momentum_swapped(running_mean, running_var, x, momentum):
    return _moved(running_mean, running_var, x, 1 - momentum)


@running_statistics.mistake("Only this batch counts.", "Keep 1 − momentum of what was there.")
def forgets_at_once(running_mean, running_var, x, momentum):
    return _moved(running_mean, running_var, x, 1.0)


@running_statistics.mistake(
    "It averages the standard deviation instead of the variance.",
    "Take the root only where it is used.",
)
def deviation_gathered(running_mean, running_var, x, momentum):
    mean, _ = _moved(running_mean, running_var, x, momentum)
    deviation = x.std((0, 2, 3), ddof=1)
    return mean, (1 - momentum) * running_var + momentum * deviation


@running_statistics.mistake(
    "The batch is added without making room for it.", "Multiply what was there by 1 − momentum."
)
def nothing_forgotten(running_mean, running_var, x, momentum):
    return (
        running_mean + momentum * x.mean((0, 2, 3)),
        running_var + momentum * x.var((0, 2, 3), ddof=1),
    )
