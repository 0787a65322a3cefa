"""Explanations beside captum's, of the same network in PyTorch with the same weights."""

from collections import OrderedDict

import numpy as np
import pytest
import torch
from captum.attr import (
    GuidedBackprop,
    IntegratedGradients,
    LayerAttribution,
    LayerGradCam,
    NoiseTunnel,
    Occlusion,
    Saliency,
)
from torch import nn as tnn

import pellucid as pl
from pellucid import layers as nn
from pellucid.randomness import generator

TARGETS = [2, 0, 4]


@pytest.fixture(autouse=True)
def float64_throughout(monkeypatch) -> None:
    """Keep captum from rounding its sums to float32 on the way."""
    monkeypatch.setattr(torch.Tensor, "float", torch.Tensor.double)


class Twin(tnn.Module):
    """Two convolutions, a residual block around the second, two linear layers."""

    def __init__(self) -> None:
        super().__init__()
        self.conv1 = tnn.Conv2d(3, 6, 3, stride=1, padding=1)
        self.bn1 = tnn.BatchNorm2d(6)
        self.relu1 = tnn.ReLU()
        self.block = tnn.Module()
        self.block.conv2 = tnn.Conv2d(6, 6, 3, padding=1)
        self.relu2 = tnn.ReLU()
        self.pool = tnn.MaxPool2d(2)
        self.fc1 = tnn.Linear(6 * 6 * 5, 8)
        self.relu3 = tnn.ReLU()
        self.fc2 = tnn.Linear(8, 5)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = self.relu1(self.bn1(self.conv1(x)))
        x = self.pool(self.relu2(x + self.block.conv2(x)))
        return self.fc2(self.relu3(self.fc1(torch.flatten(x, 1))))


@pytest.fixture(scope="module")
def pair() -> tuple[nn.Layer, tnn.Module]:
    torch.manual_seed(3)
    theirs = Twin().double().eval()
    theirs.bn1.running_mean.normal_()
    theirs.bn1.running_var.uniform_(0.5, 2)
    ours = nn.Sequential(
        conv1=nn.Conv2d(3, 6, 3, padding=1),
        bn1=nn.BatchNorm2d(6),
        relu1=nn.ReLU(),
        block=nn.Residual(nn.Sequential(conv2=nn.Conv2d(6, 6, 3, padding=1)), activation=nn.ReLU()),
        pool=nn.MaxPool2d(2),
        flatten=nn.Flatten(),
        fc1=nn.Linear(180, 8),
        relu3=nn.ReLU(),
        fc2=nn.Linear(8, 5),
    ).astype("float64")
    ours.load_state_dict({k: v.numpy() for k, v in theirs.state_dict().items()})
    return ours, theirs


@pytest.fixture(scope="module")
def images() -> np.ndarray:
    return np.random.default_rng(5).normal(size=(3, 3, 12, 10))


def tensor(array: np.ndarray) -> torch.Tensor:
    return torch.tensor(array, requires_grad=True)


def same(found: np.ndarray, expected: torch.Tensor) -> None:
    other = expected.detach().numpy()
    assert found.shape == other.shape
    assert abs(other).max() > 1e-3
    np.testing.assert_allclose(found, other, rtol=1e-9, atol=1e-12)


def test_saliency(pair, images) -> None:
    ours, theirs = pair
    expected = Saliency(theirs).attribute(tensor(images), target=TARGETS)
    same(pl.explain.saliency(ours, images, TARGETS), expected.amax(1))


def test_saliency_of_a_probability(pair, images) -> None:
    ours, theirs = pair
    whole = tnn.Sequential(OrderedDict(net=theirs, softmax=tnn.Softmax(1)))
    expected = Saliency(whole).attribute(tensor(images), target=TARGETS)
    same(pl.explain.saliency(ours, images, TARGETS, score="probability"), expected.amax(1))


def test_integrated_gradients(pair, images) -> None:
    ours, theirs = pair
    baseline = np.random.default_rng(1).normal(size=images.shape)
    expected = IntegratedGradients(theirs).attribute(
        tensor(images), torch.tensor(baseline), TARGETS, n_steps=16, method="riemann_middle"
    )
    found = pl.explain.integrated_gradients(
        ours, images, TARGETS, baseline=baseline, steps=16, batch_size=7
    )
    same(found, expected)


def test_guided_backpropagation(pair, images) -> None:
    ours, theirs = pair
    with pytest.warns(UserWarning, match="backward hooks"):
        expected = GuidedBackprop(theirs).attribute(tensor(images), target=TARGETS)
    same(pl.explain.guided_backpropagation(ours, images, TARGETS), expected)


@pytest.mark.parametrize("layer", ["conv1", "bn1", "relu1", "pool"])
def test_grad_cam(pair, images, layer) -> None:
    ours, theirs = pair
    method = LayerGradCam(theirs, getattr(theirs, layer))
    small = method.attribute(tensor(images), TARGETS, relu_attributions=True)
    same(pl.explain.grad_cam(ours, images, TARGETS, layer, upsample=False), small[:, 0])
    large = LayerAttribution.interpolate(small, (12, 10), "bilinear")
    same(pl.explain.grad_cam(ours, images, TARGETS, layer), large[:, 0])


@pytest.mark.parametrize(("window", "stride"), [((4, 3), (2, 3)), ((5, 4), (3, 1)), ((3, 3), 1)])
def test_occlusion(pair, images, window, stride) -> None:
    ours, theirs = pair
    fill = np.array([0.5, -1.0, 2.0])
    strides = (stride, stride) if isinstance(stride, int) else stride
    expected = Occlusion(theirs).attribute(
        torch.tensor(images),
        (3, *window),
        (3, *strides),
        torch.tensor(fill[None, :, None, None] * np.ones(images.shape)),
        TARGETS,
    )
    found = pl.explain.occlusion(ours, images, TARGETS, window, stride, fill, batch_size=11)
    same(found, expected[:, 0])


def test_smooth_grad_with_the_same_noise(pair, images, monkeypatch) -> None:
    ours, theirs = pair
    sigma = 0.2 * (images.max(axis=(1, 2, 3)) - images.min(axis=(1, 2, 3)))
    noise = [
        generator(7, "smooth grad", n, t).normal(0, sigma[n], images.shape[1:])
        for n in range(3)
        for t in range(4)
    ]
    drawn = torch.tensor(np.stack(noise))
    monkeypatch.setattr(torch, "normal", lambda mean, std: mean + drawn)
    expected = NoiseTunnel(Saliency(theirs)).attribute(
        tensor(images), nt_samples=4, target=TARGETS, abs=False
    )
    found = pl.explain.smooth_grad(ours, images, TARGETS, 4, 0.2, seed=7, batch_size=5)
    same(found, expected.abs().amax(1))


def test_the_gradient_for_a_layer(pair, images) -> None:
    ours, theirs = pair
    kept = {}
    hook = theirs.relu2.register_forward_hook(lambda _m, _x, y: kept.update(y=y))
    scores = theirs(torch.tensor(images))
    hook.remove()
    (expected,) = torch.autograd.grad(scores[[0, 1, 2], TARGETS].sum(), kept["y"])
    found = pl.explain.gradients(ours, images, TARGETS, ["block", "block.activation"])
    same(found.layers["block"], expected)
    same(found.layers["block.activation"], expected)
    same(found.outputs["block"], kept["y"])
    same(found.scores, scores[[0, 1, 2], TARGETS])
