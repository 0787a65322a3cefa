"""The last value of each argument that is accepted, and the first that is refused."""

import numpy as np
import pytest

from pellucid import ops
from pellucid.arguments import LARGEST_SIZE
from pellucid.errors import PellucidError

X = np.random.default_rng(0).normal(size=(2, 6, 4, 5))
LABELS = np.array([0, 2, 1])
Y = np.random.default_rng(1).normal(size=(3, 3))


def pooled(*args, **options):
    return lambda: ops.max_pool2d(X, *args, **options)


def transposed(**options):
    return lambda: ops.conv_transpose2d(X, np.ones((6, 2, 3, 3)), **options)


def shape_of(*args, **options):
    return lambda: ops.resize.resize_plan((1, 1, 4, 8), *args, **options)


ACCEPTED_AND_REFUSED = {
    # pooling: at most half of the window is padding
    "padding of a window": (pooled((2, 3), padding=1), pooled((1, 3), padding=1)),
    "padding across": (pooled((3, 2), padding=1), pooled((3, 1), padding=1)),
    "padding below": (
        pooled((2, 2), padding=((0, 1), (1, 0))),
        pooled((2, 2), padding=((0, 2), (0, 0))),
    ),
    "same": (pooled(1, stride=3, padding="same"), pooled(0)),
    "images for pooling": (
        lambda: ops.avg_pool2d(np.ones((1, 1, 1, 1)), 1),
        lambda: ops.avg_pool2d(np.ones((1, 1, 0, 1)), 1),
    ),
    "channels for pooling": (
        lambda: ops.adaptive_avg_pool2d(np.ones((0, 1, 1, 1)), 1),
        lambda: ops.adaptive_avg_pool2d(np.ones((1, 0, 1, 1)), 1),
    ),
    "cells": (
        lambda: ops.adaptive_max_pool2d(X, (1, None)),
        lambda: ops.adaptive_max_pool2d(X, (0, None)),
    ),
    "sizes of cells": (
        lambda: ops.adaptive_avg_pool2d(X, [2, 3]),
        lambda: ops.adaptive_avg_pool2d(X, (2, 3, 1)),
    ),
    # padding of images
    "reflect": (lambda: ops.pad2d(X, 3, "reflect"), lambda: ops.pad2d(X, (4, 0), "reflect")),
    "reflect across": (
        lambda: ops.pad2d(X, (0, 4), "reflect"),
        lambda: ops.pad2d(X, (0, 5), "reflect"),
    ),
    "circular": (lambda: ops.pad2d(X, 4, "circular"), lambda: ops.pad2d(X, (5, 0), "circular")),
    "circular, one side": (
        lambda: ops.pad2d(X, ((0, 4), (5, 0)), "circular"),
        lambda: ops.pad2d(X, ((0, 4), (6, 0)), "circular"),
    ),
    "replicate": (
        lambda: ops.pad2d(np.ones((1, 1, 1, 1)), 9, "replicate"),
        lambda: ops.pad2d(np.ones((1, 1, 0, 1)), 0, "replicate"),
    ),
    "a value": (lambda: ops.pad2d(X, 1, value=2.0), lambda: ops.pad2d(X, 1, "zeros", 2.0)),
    "no value": (lambda: ops.pad2d(X, 1, "reflect", 0.0), lambda: ops.pad2d(X, 1, "reflect", 0.5)),
    "padding by a kernel": (lambda: ops.pad2d(X, 0), lambda: ops.pad2d(X, "same")),
    # resizing
    "size": (shape_of((1, 1), None, "nearest", False), shape_of((0, 1), None, "nearest", False)),
    "factor": (
        shape_of(None, (0.25, 0.125), "nearest", False),
        shape_of(None, (0.2499, 1.0), "nearest", False),
    ),
    "factor across": (
        shape_of(None, 0.25, "bilinear", True),
        shape_of(None, (1.0, 0.1249), "bilinear", True),
    ),
    "factor of 0": (shape_of(None, 1, "nearest", False), shape_of(None, 0.0, "nearest", False)),
    "large factor": (
        shape_of(None, (LARGEST_SIZE / 4, 1.0), "nearest", False),
        shape_of(None, (LARGEST_SIZE / 4 + 1, 1.0), "nearest", False),
    ),
    "large factor across": (
        shape_of(None, (1.0, LARGEST_SIZE / 8), "nearest", False),
        shape_of(None, (1.0, LARGEST_SIZE / 8 + 1), "nearest", False),
    ),
    "infinite factor": (
        shape_of(None, 2.0, "nearest", False),
        shape_of(None, (2.0, float("inf")), "nearest", False),
    ),
    "three factors": (
        shape_of(None, (1.0, 2.0), "nearest", False),
        shape_of(None, (1.0, 2.0, 3.0), "nearest", False),
    ),
    "size or factor": (
        shape_of(4, None, "nearest", False),
        shape_of(4, 1.0, "nearest", False),
    ),
    "neither": (shape_of(None, 1.0, "nearest", False), shape_of(None, None, "nearest", False)),
    "corners": (shape_of(4, None, "bilinear", True), shape_of(4, None, "nearest", True)),
    "way": (shape_of(4, None, "nearest", False), shape_of(4, None, "cubic", False)),
    # convolution
    "groups": (
        lambda: ops.conv2d(X, np.ones((3, 2, 1, 1)), groups=3),
        lambda: ops.conv2d(X, np.ones((4, 2, 1, 1)), groups=3),
    ),
    "no groups": (
        lambda: ops.conv2d(X, np.ones((3, 6, 1, 1)), groups=1),
        lambda: ops.conv2d(X, np.ones((3, 6, 1, 1)), groups=0),
    ),
    "kernel": (
        lambda: ops.conv2d(X, np.ones((1, 6, 4, 5))),
        lambda: ops.conv2d(X, np.ones((1, 6, 4, 6))),
    ),
    "empty kernel": (
        lambda: ops.conv2d(X, np.ones((1, 6, 1, 1))),
        lambda: ops.conv2d(X, np.ones((1, 6, 0, 1))),
    ),
    "reflected image": (
        lambda: ops.conv2d(X, np.ones((1, 6, 1, 1)), padding=3, padding_mode="reflect"),
        lambda: ops.conv2d(X, np.ones((1, 6, 1, 1)), padding=(4, 0), padding_mode="reflect"),
    ),
    "output padding": (
        transposed(stride=(2, 3), output_padding=(1, 2)),
        transposed(stride=(2, 3), output_padding=(2, 2)),
    ),
    "output padding across": (
        transposed(dilation=(2, 3), output_padding=(1, 2)),
        transposed(dilation=(2, 3), output_padding=(1, 3)),
    ),
    "no output padding": (transposed(output_padding=0), transposed(output_padding=1)),
    "cropping": (transposed(padding=(2, 3)), transposed(padding=(3, 3))),
    "cropping across": (transposed(padding=((2, 2), (3, 3))), transposed(padding=((0, 0), (4, 3)))),
    "cropping by words": (transposed(padding=1), transposed(padding="same")),
    # normalisation
    "groups of channels": (lambda: ops.group_norm(X, 6), lambda: ops.group_norm(X, 4)),
    "no groups of channels": (lambda: ops.group_norm(X, 1), lambda: ops.group_norm(X, 0)),
    "whole groups": (lambda: ops.group_norm(X, np.int8(2)), lambda: ops.group_norm(X, 2.0)),
    "axes": (lambda: ops.layer_norm(X, (6, 4, 5)), lambda: ops.layer_norm(X, (2, 6, 4, 5))),
    "no axes": (lambda: ops.layer_norm(X, [5]), lambda: ops.layer_norm(X, ())),
    "values for a variance": (
        lambda: ops.batch_norm_training(np.ones((2, 3))),
        lambda: ops.batch_norm_training(np.ones((1, 3))),
    ),
    "pixels for a variance": (
        lambda: ops.batch_norm_training(np.ones((1, 3, 2))),
        lambda: ops.batch_norm_training(np.ones((1, 3, 1))),
    ),
    "vectors": (lambda: ops.group_norm(np.ones((2, 4)), 2), lambda: ops.group_norm(np.ones(4), 2)),
    "neighbours": (
        lambda: ops.local_response_norm(X, 1),
        lambda: ops.local_response_norm(X, 0),
    ),
    "whole neighbours": (
        lambda: ops.local_response_norm_gradient(X, X, X + 9, 3),
        lambda: ops.local_response_norm_gradient(X, X, X + 9, 3.5),
    ),
    # losses
    "largest class": (
        lambda: ops.cross_entropy(Y, LABELS),
        lambda: ops.cross_entropy(Y, LABELS + 1),
    ),
    "smallest class": (
        lambda: ops.cross_entropy(Y, LABELS),
        lambda: ops.cross_entropy(Y, LABELS - 1),
    ),
    "ignored class": (
        lambda: ops.cross_entropy(Y, LABELS - 1, ignore_index=-1),
        lambda: ops.cross_entropy(Y, LABELS - 1, ignore_index=0),
    ),
    "weights": (
        lambda: ops.cross_entropy(Y, LABELS, np.array([0.0, 1, 0])),
        lambda: ops.cross_entropy(Y, LABELS, np.array([1, 1, -1e-9])),
    ),
    "weights of nothing": (
        lambda: ops.mean_squared_error(Y, Y, np.array([0, 0, 1e-9])),
        lambda: ops.mean_squared_error(Y, Y, np.zeros(3)),
    ),
    "weights of no class": (
        lambda: ops.cross_entropy(Y, LABELS, class_weights=[0, 0, 1]),
        lambda: ops.cross_entropy(Y, LABELS[:1].repeat(3), class_weights=[0, 1, 1]),
    ),
    "weights of classes": (
        lambda: ops.cross_entropy(Y, LABELS, class_weights=(1, 2, 3)),
        lambda: ops.cross_entropy(Y, LABELS, class_weights=(1, 2, 3, 4)),
    ),
    "infinite weights": (
        lambda: ops.cross_entropy(Y, LABELS, np.full(3, 1e300)),
        lambda: ops.cross_entropy(Y, LABELS, np.array([1, np.inf, 1])),
    ),
    "probabilities": (
        lambda: ops.binary_cross_entropy(Y, (Y > 0) * 1.0),
        lambda: ops.binary_cross_entropy(Y, (Y > 0) * 1.0001),
    ),
    "negative probabilities": (
        lambda: ops.cross_entropy(Y, np.eye(3)),
        lambda: ops.cross_entropy(Y, np.eye(3) - 1e-9),
    ),
    "probabilities below 0": (
        lambda: ops.binary_cross_entropy(Y, np.eye(3)),
        lambda: ops.binary_cross_entropy(Y, np.eye(3) - 1e-9),
    ),
    "finite targets": (
        lambda: ops.mean_squared_error(Y, np.full((3, 3), 1e100)),
        lambda: ops.mean_squared_error(Y, np.where(np.eye(3), np.nan, 1.0)),
    ),
    "outputs": (
        lambda: ops.mean_squared_error(np.ones(1), np.ones(1)),
        lambda: ops.mean_squared_error(np.ones(0), np.ones(0)),
    ),
    "classes": (
        lambda: ops.cross_entropy(np.ones((1, 1)), np.zeros(1, int)),
        lambda: ops.cross_entropy(np.ones(1), np.zeros(1, int)),
    ),
    # shapes
    "a batch": (lambda: ops.flatten(np.ones((1, 0))), lambda: ops.flatten(np.ones(3))),
    "joined axis": (
        lambda: ops.concatenate([X, X], 3),
        lambda: ops.concatenate([X, X], 4),
    ),
    "joined axis from the end": (
        lambda: ops.concatenate([X, X], -4),
        lambda: ops.concatenate([X, X], -5),
    ),
    "joined sizes": (
        lambda: ops.concatenate([X, X[:, :2]], 1),
        lambda: ops.concatenate([X, X[..., :2]], 1),
    ),
    "features": (
        lambda: ops.linear(np.ones((1, 2)), np.ones((3, 2))),
        lambda: ops.linear(np.ones(2), np.ones((3, 2))),
    ),
    "shape": (
        lambda: ops.unflatten(np.ones((2, 6)), (2, 3, 2)),
        lambda: ops.unflatten(np.ones((2, 6)), (2, 3, 1)),
    ),
}


@pytest.mark.parametrize("name", ACCEPTED_AND_REFUSED)
def test_where_an_argument_ends(name):
    accepted, refused = ACCEPTED_AND_REFUSED[name]
    accepted()
    with pytest.raises(PellucidError):
        refused()


@pytest.mark.parametrize(
    ("shape", "channels", "hint"),
    [
        ((2, 5, 5, 3), 3, "channels last"),
        ((2, 3, 5, 3), 3, ""),
        ((2, 5, 3, 5), 3, ""),
        ((3, 5, 5), 3, "one image"),
        ((1, 5, 5), 1, "one image"),
        ((9, 5, 5), 1, "without an axis for the channels"),
        ((9, 5, 5), 3, ""),
        ((5, 5), 1, "one image"),
        ((5, 5), 3, ""),
        ((5,), 1, ""),
        ((2, 3, 4, 5, 1), 1, ""),
    ],
)
def test_a_hint_is_given_where_the_shape_shows_the_mistake(shape, channels, hint):
    found = ops.checks.layout_hint(shape, channels)
    assert hint in found
    assert bool(found) == bool(hint)
