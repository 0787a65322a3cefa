"""Where a layer sees the class."""

import numpy as np

from pellucid.teach.exercise import case, exercise, whole


def make(source, N, C, H, W):
    return {"maps": np.abs(whole(source, N, C, H, W)), "gradients": whole(source, N, C, H, W)}


CASES = [
    case("one channel", N=1, C=1, H=2, W=2),
    case("three channels", N=1, C=3, H=2, W=3),
    case("two images", N=2, C=4, H=3, W=4),
]


@exercise(chapter=10, title="Grad-CAM", make=make, cases=CASES, returns=("cam",))
def grad_cam(maps, gradients):
    """Return where a layer's maps speak for the class, (N, H, W).

    `maps` is what a layer gives, (N, C, H, W), and `gradients` are the class score's gradients for
    it. A channel's weight is the mean of its gradient over all positions; the maps are added up
    with these weights, and what is negative becomes 0.
    """
    weights = gradients.mean(axis=(2, 3), keepdims=True)
    return np.maximum((weights * maps).sum(axis=1), 0)


@grad_cam.mistake("Negative numbers are left in.", "They speak against the class: cut off at 0.")
def negative_left(maps, gradients):
    return (gradients.mean(axis=(2, 3), keepdims=True) * maps).sum(axis=1)


@grad_cam.mistake(
    "Every position has its own weight.",
    "A channel has one weight: the mean of its gradient over the positions.",
)
def each_position_by_itself(maps, gradients):
    return np.maximum((gradients * maps).sum(axis=1), 0)


@grad_cam.mistake(
    "Each channel is cut off at 0 before they are added.", "First add the channels, then cut off."
)
def cut_before_adding(maps, gradients):
    return np.maximum(gradients.mean(axis=(2, 3), keepdims=True) * maps, 0).sum(axis=1)


@grad_cam.mistake("The gradients are summed, not averaged.", "Their mean over the positions.")
def gradients_summed(maps, gradients):
    return grad_cam(maps, gradients) * maps[0, 0].size


@grad_cam.mistake("The channels are averaged.", "They are added up.")
def channels_averaged(maps, gradients):
    return grad_cam(maps, gradients) / maps.shape[1]


@grad_cam.mistake("The sizes of the gradients count, without their signs.", "Keep the signs.")
def signs_lost(maps, gradients):
    return grad_cam(maps, np.abs(gradients))


@grad_cam.mistake("The weights are averaged over the batch.", "Each image has weights of its own.")
def weights_over_the_batch(maps, gradients):
    weights = gradients.mean(axis=(0, 2, 3), keepdims=True)
    return np.maximum((weights * maps).sum(axis=1), 0)
