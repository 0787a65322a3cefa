"""Whole networks beside the same networks in PyTorch."""

import importlib.util
from collections import OrderedDict
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn as tnn

from pellucid import layers as nn
from pellucid import models

BENCHMARK = Path(__file__).parents[2] / "benchmarks" / "resnet20_parity.py"


def load_benchmark() -> Any:
    spec = importlib.util.spec_from_file_location("resnet20_parity", BENCHMARK)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


parity = load_benchmark()


class Bottleneck(tnn.Module):
    """torchvision's Bottleneck: 1×1, 3×3 with the stride, 1×1 to four times the channels."""

    expansion = 4

    def __init__(self, inputs: int, width: int, stride: int) -> None:
        super().__init__()
        outputs = width * self.expansion
        self.conv1 = tnn.Conv2d(inputs, width, 1, bias=False)
        self.bn1 = tnn.BatchNorm2d(width)
        self.conv2 = tnn.Conv2d(width, width, 3, stride, 1, bias=False)
        self.bn2 = tnn.BatchNorm2d(width)
        self.conv3 = tnn.Conv2d(width, outputs, 1, bias=False)
        self.bn3 = tnn.BatchNorm2d(outputs)
        self.downsample = None
        if stride != 1 or inputs != outputs:
            shortcut = tnn.Conv2d(inputs, outputs, 1, stride, bias=False)
            self.downsample = tnn.Sequential(shortcut, tnn.BatchNorm2d(outputs))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        y = torch.relu(self.bn1(self.conv1(x)))
        y = torch.relu(self.bn2(self.conv2(y)))
        y = self.bn3(self.conv3(y))
        return torch.relu(y + (x if self.downsample is None else self.downsample(x)))


class ResNet(tnn.Module):
    """torchvision's ResNet, its modules named and ordered as there."""

    def __init__(self, block: Any, depths: tuple[int, ...], classes: int) -> None:
        super().__init__()
        expansion = getattr(block, "expansion", 1)
        self.conv1 = tnn.Conv2d(3, 64, 7, 2, 3, bias=False)
        self.bn1 = tnn.BatchNorm2d(64)
        self.maxpool = tnn.MaxPool2d(3, 2, 1)
        inputs = 64
        for i, (width, depth) in enumerate(zip((64, 128, 256, 512), depths, strict=True), 1):
            blocks = []
            for j in range(depth):
                blocks.append(block(inputs, width, 2 if i > 1 and j == 0 else 1))
                inputs = width * expansion
            self.add_module(f"layer{i}", tnn.Sequential(*blocks))
        self.avgpool = tnn.AdaptiveAvgPool2d(1)
        self.fc = tnn.Linear(inputs, classes)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = self.maxpool(torch.relu(self.bn1(self.conv1(x))))
        x = self.layer4(self.layer3(self.layer2(self.layer1(x))))
        return self.fc(torch.flatten(self.avgpool(x), 1))


class InvertedResidual(tnn.Module):
    """torchvision's InvertedResidual."""

    def __init__(self, inputs: int, outputs: int, stride: int, expansion: int) -> None:
        super().__init__()
        inner = inputs * expansion
        layers = [] if expansion == 1 else [normed(inputs, inner, 1)]
        layers.append(normed(inner, inner, 3, stride, groups=inner))
        layers += [tnn.Conv2d(inner, outputs, 1, bias=False), tnn.BatchNorm2d(outputs)]
        self.conv = tnn.Sequential(*layers)
        self.around = stride == 1 and inputs == outputs

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x + self.conv(x) if self.around else self.conv(x)


def normed(inputs: int, outputs: int, kernel: int, stride: int = 1, groups: int = 1) -> Any:
    convolution = tnn.Conv2d(
        inputs, outputs, kernel, stride, kernel // 2, groups=groups, bias=False
    )
    return tnn.Sequential(convolution, tnn.BatchNorm2d(outputs), tnn.ReLU6())


class MobileNetV2(tnn.Module):
    """torchvision's MobileNetV2, without dropout."""

    def __init__(self, classes: int) -> None:
        super().__init__()
        rows = [(1, 16, 1, 1), (6, 24, 2, 2), (6, 32, 3, 2), (6, 64, 4, 2), (6, 96, 3, 1)]
        rows += [(6, 160, 3, 2), (6, 320, 1, 1)]
        layers, inputs = [normed(3, 32, 3, 2)], 32
        for expansion, outputs, repetitions, stride in rows:
            for i in range(repetitions):
                step = stride if i == 0 else 1
                layers.append(InvertedResidual(inputs, outputs, step, expansion))
                inputs = outputs
        self.features = tnn.Sequential(*layers, normed(320, 1280, 1))
        self.classifier = tnn.Sequential(tnn.Dropout(0.0), tnn.Linear(1280, classes))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.classifier(self.features(x).mean(dim=(2, 3)))


def vgg11_bn(classes: int) -> tnn.Module:
    """torchvision's vgg11_bn."""
    layers, inputs = [], 3
    for width in (64, "M", 128, "M", 256, 256, "M", 512, 512, "M", 512, 512, "M"):
        if isinstance(width, str):
            layers.append(tnn.MaxPool2d(2))
        else:
            layers += [tnn.Conv2d(inputs, width, 3, 1, 1), tnn.BatchNorm2d(width), tnn.ReLU()]
            inputs = width
    model = tnn.Module()
    model.features = tnn.Sequential(*layers)
    model.classifier = tnn.Sequential(
        *(tnn.Linear(512 * 7 * 7, 4096), tnn.ReLU(), tnn.Dropout()),
        *(tnn.Linear(4096, 4096), tnn.ReLU(), tnn.Dropout()),
        tnn.Linear(4096, classes),
    )
    return model


def alexnet(classes: int) -> tnn.Module:
    """torchvision's alexnet."""
    model = tnn.Module()
    model.features = tnn.Sequential(
        *(tnn.Conv2d(3, 64, 11, 4, 2), tnn.ReLU(), tnn.MaxPool2d(3, 2)),
        *(tnn.Conv2d(64, 192, 5, padding=2), tnn.ReLU(), tnn.MaxPool2d(3, 2)),
        *(tnn.Conv2d(192, 384, 3, padding=1), tnn.ReLU()),
        *(tnn.Conv2d(384, 256, 3, padding=1), tnn.ReLU()),
        *(tnn.Conv2d(256, 256, 3, padding=1), tnn.ReLU(), tnn.MaxPool2d(3, 2)),
    )
    model.classifier = tnn.Sequential(
        *(tnn.Dropout(), tnn.Linear(256 * 6 * 6, 4096), tnn.ReLU()),
        *(tnn.Dropout(), tnn.Linear(4096, 4096), tnn.ReLU()),
        tnn.Linear(4096, classes),
    )
    return model


TWINS = {
    "resnet18": lambda: ResNet(lambda *a: parity.Block(*a), (2, 2, 2, 2), 1000),
    "resnet50": lambda: ResNet(Bottleneck, (3, 4, 6, 3), 1000),
    "mobilenet_v2": lambda: MobileNetV2(1000),
    "vgg11_bn": lambda: vgg11_bn(1000),
    "alexnet": lambda: alexnet(1000),
}


@pytest.mark.parametrize("name", TWINS)
def test_names_shapes_and_their_order_are_torchvisions(name) -> None:
    with torch.device("meta"):  # shapes without memory
        theirs = TWINS[name]().state_dict()
    ours = dict(models.build(name, (3, 224, 224), 1000).named_state())
    assert [(key, value.shape) for key, value in ours.items()] == [
        (key, tuple(value.shape)) for key, value in theirs.items()
    ]


@pytest.mark.parametrize(
    ("name", "twin", "options"),
    [
        ("resnet18", lambda: ResNet(lambda *a: parity.Block(*a), (2, 2, 2, 2), 5), {}),
        ("mobilenet_v2", lambda: MobileNetV2(5), {"dropout": 0.0}),
    ],
)
def test_outputs_and_gradients_are_pytorchs_after_loading_its_weights(name, twin, options) -> None:
    torch.manual_seed(0)
    theirs = twin().double()
    ours = models.build(name, (3, 64, 64), 5, **options).astype("float64")
    ours.load_state_dict({key: value.numpy() for key, value in theirs.state_dict().items()})
    images = np.random.default_rng(0).normal(size=(4, 3, 64, 64))
    dy = np.random.default_rng(1).normal(size=(4, 5))

    y, cache = ours.forward(images, nn.StepContext())
    dx = ours.backward(dy, cache)
    x = torch.tensor(images, requires_grad=True)
    scores = theirs(x)
    scores.backward(torch.tensor(dy))

    np.testing.assert_allclose(y, scores.detach().numpy(), rtol=1e-9, atol=1e-9)
    assert x.grad is not None
    pairs = {"input": (dx, x.grad)}
    gradients = dict(theirs.named_parameters())
    pairs |= {key: (p.grad, gradients[key].grad) for key, p in ours.named_parameters().items()}
    for key, (found, expected) in pairs.items():
        np.testing.assert_allclose(found, expected.numpy(), rtol=1e-8, atol=1e-9, err_msg=key)


def differences(ours: nn.Layer, theirs: tnn.Module, batches: Any, lr: float) -> list[float]:
    """Train both from our weights on the same batches; return how far they differ, step by step."""
    batches = list(batches)
    parity.same_beginning(ours, theirs)
    mine, other = parity.our_states(ours, batches, lr), parity.torch_states(theirs, batches, lr)
    return [parity.difference(a, b) for a, b in zip(mine, other, strict=True)]


def test_resnet20_follows_pytorch_step_by_step() -> None:
    ours = nn.initialize(models.resnet20((3, 16, 16), 10), seed=3)
    batches = parity.random_batches(steps=20, batch_size=8, side=16)
    found = differences(ours, parity.ResNet20(3, 10), batches, lr=0.01)
    assert len(found) == 20
    assert max(found) < 1e-9


def test_lenet5_follows_pytorch_for_50_steps() -> None:
    ours = nn.initialize(models.lenet5((3, 28, 28), 10, width=1), seed=3)
    layers = tnn.Sequential(
        *(tnn.Conv2d(3, 6, 5, padding=2), tnn.ReLU(), tnn.MaxPool2d(2)),
        *(tnn.Conv2d(6, 16, 5), tnn.ReLU(), tnn.MaxPool2d(2), tnn.Flatten()),
        *(tnn.Linear(400, 120), tnn.ReLU(), tnn.Linear(120, 84), tnn.ReLU(), tnn.Linear(84, 10)),
    )
    theirs = tnn.Sequential(OrderedDict(zip(ours.layers, layers, strict=True)))
    batches = parity.random_batches(steps=50, batch_size=16, side=28)
    found = differences(ours, theirs, batches, lr=0.01)
    assert len(found) == 50
    assert max(found) < 1e-9
