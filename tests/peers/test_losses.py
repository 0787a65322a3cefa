"""Losses and their gradients agree with PyTorch's, with every combination of options."""

import numpy as np
import pytest
import torch
from torch.nn import functional

from pellucid import engine, losses

generator = np.random.default_rng(0)
OUTPUTS = generator.normal(size=(3, 5, 2, 4)) * 3


def compare(ours, theirs, outputs, dtype):
    outputs = outputs.astype(dtype)
    value, gradient = ours(outputs)
    tensor = torch.tensor(outputs, requires_grad=True)
    other = theirs(tensor)
    other.backward()
    within = 1e-12 if dtype == "float64" else 1e-5
    assert value == pytest.approx(other.item(), rel=within)
    np.testing.assert_allclose(gradient, tensor.grad, rtol=within, atol=within)


types = pytest.mark.parametrize("dtype", ["float64", "float32"])


@types
@pytest.mark.parametrize("pixels", [True, False])
@pytest.mark.parametrize("kind", ["class numbers", "probabilities"])
@pytest.mark.parametrize("class_weights", [None, (0.5, 2.0, 0.0, 1.0, 3.0)])
@pytest.mark.parametrize("label_smoothing", [0.0, 0.1, 1.0])
def test_cross_entropy(dtype, pixels, kind, class_weights, label_smoothing):
    outputs = OUTPUTS if pixels else OUTPUTS[:, :, 0, 0]
    if kind == "class numbers":
        targets = np.random.default_rng(1).integers(0, 5, (3, *outputs.shape[2:]))
    else:
        targets = np.moveaxis(np.random.default_rng(1).dirichlet(np.ones(5), (3, 2, 4)), -1, 1)
        targets = (targets if pixels else targets[:, :, 0, 0]).astype(dtype)
    compare(
        lambda y: losses.CrossEntropy(class_weights, label_smoothing)(y, targets),
        lambda y: functional.cross_entropy(
            y,
            torch.tensor(targets),
            weight=None if class_weights is None else torch.tensor(class_weights, dtype=y.dtype),
            label_smoothing=label_smoothing,
        ),
        outputs,
        dtype,
    )


@types
@pytest.mark.parametrize("pixels", [True, False])
@pytest.mark.parametrize("name", engine.NAMES)
@pytest.mark.parametrize("ignored", [-100, 3])
@pytest.mark.parametrize("class_weights", [None, (0.5, 2.0, 0.0, 1.0, 3.0)])
@pytest.mark.parametrize("label_smoothing", [0.0, 0.1])
def test_targets_that_are_ignored(dtype, pixels, name, ignored, class_weights, label_smoothing):
    outputs = OUTPUTS if pixels else OUTPUTS[:, :, 0, 0]
    targets = np.random.default_rng(1).integers(0, 5, (3, *outputs.shape[2:]))
    targets[1], targets[2] = ignored, 4
    loss = losses.CrossEntropy(class_weights, label_smoothing, ignored)
    with engine.using(name):
        compare(
            lambda y: loss(y, targets),
            lambda y: functional.cross_entropy(
                y,
                torch.tensor(targets),
                weight=class_weights and torch.tensor(class_weights, dtype=y.dtype),
                ignore_index=ignored,
                label_smoothing=label_smoothing,
            ),
            outputs,
            dtype,
        )


@types
def test_weights_of_samples_are_those_of_a_weighted_mean(dtype):
    targets, s = np.array([4, 0, 2]), np.array([0.5, 2.0, 1.0])
    compare(
        lambda y: losses.cross_entropy(y, targets, s),
        lambda y: (
            functional.cross_entropy(y, torch.tensor(targets), reduction="none")
            @ torch.tensor(s / s.sum(), dtype=y.dtype)
        ),
        OUTPUTS[:, :, 0, 0],
        dtype,
    )


@types
def test_mean_squared_error(dtype):
    targets = OUTPUTS[::-1].astype(dtype)
    compare(
        lambda y: losses.mean_squared_error(y, targets),
        lambda y: functional.mse_loss(y, torch.tensor(targets)),
        OUTPUTS,
        dtype,
    )


@types
def test_binary_cross_entropy(dtype):
    targets = np.random.default_rng(1).random(OUTPUTS.shape).astype(dtype)
    compare(
        lambda y: losses.binary_cross_entropy(y, targets),
        lambda y: functional.binary_cross_entropy_with_logits(y, torch.tensor(targets)),
        OUTPUTS * 20,
        dtype,
    )
