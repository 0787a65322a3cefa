"""Does resnet20 follow PyTorch? The same weights, the same batches, float64, step by step.

    python benchmarks/resnet20_parity.py                    # 50 steps on CIFAR-10
    python benchmarks/resnet20_parity.py --data random

Prints after each step by how much any weight or running statistic differs. What differs should be
rounding alone; in float32 two runs part ways by themselves.
"""

import argparse
from collections.abc import Iterable, Iterator

import numpy as np
import torch

import pellucid as pl
from pellucid import layers as nn
from pellucid import models
from pellucid.losses import cross_entropy
from pellucid.optim import SGD
from pellucid.types import Array

Batch = tuple[Array, Array]

LR, MOMENTUM, WEIGHT_DECAY = 0.1, 0.9, 1e-4  # He et al. 2015, sec. 4.2


class Block(torch.nn.Module):
    """A basic block in PyTorch, with torchvision's names."""

    def __init__(self, inputs: int, outputs: int, stride: int) -> None:
        super().__init__()
        self.conv1 = torch.nn.Conv2d(inputs, outputs, 3, stride, 1, bias=False)
        self.bn1 = torch.nn.BatchNorm2d(outputs)
        self.conv2 = torch.nn.Conv2d(outputs, outputs, 3, 1, 1, bias=False)
        self.bn2 = torch.nn.BatchNorm2d(outputs)
        self.downsample = None
        if stride != 1 or inputs != outputs:
            shortcut = torch.nn.Conv2d(inputs, outputs, 1, stride, bias=False)
            self.downsample = torch.nn.Sequential(shortcut, torch.nn.BatchNorm2d(outputs))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        y = torch.relu(self.bn1(self.conv1(x)))
        y = self.bn2(self.conv2(y))
        return torch.relu(y + (x if self.downsample is None else self.downsample(x)))


class ResNet20(torch.nn.Module):
    """resnet20 in PyTorch."""

    def __init__(self, channels: int, classes: int) -> None:
        super().__init__()
        self.conv1 = torch.nn.Conv2d(channels, 16, 3, 1, 1, bias=False)
        self.bn1 = torch.nn.BatchNorm2d(16)
        self.layer1 = torch.nn.Sequential(*(Block(16, 16, 1) for _ in range(3)))
        self.layer2 = torch.nn.Sequential(Block(16, 32, 2), Block(32, 32, 1), Block(32, 32, 1))
        self.layer3 = torch.nn.Sequential(Block(32, 64, 2), Block(64, 64, 1), Block(64, 64, 1))
        self.fc = torch.nn.Linear(64, classes)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = torch.relu(self.bn1(self.conv1(x)))
        x = self.layer3(self.layer2(self.layer1(x)))
        return self.fc(x.mean(dim=(2, 3)))


def differences(
    ours: nn.Layer, theirs: torch.nn.Module, batches: Iterable[Batch], lr: float = LR
) -> Iterator[float]:
    """Train both from our weights on the same batches; yield how far they differ, each step."""
    ours.astype("float64")
    theirs.double().load_state_dict({k: torch.tensor(v) for k, v in ours.state_dict().items()})
    mine = SGD(ours.parameters(), lr=lr, momentum=MOMENTUM, weight_decay=WEIGHT_DECAY)
    other = torch.optim.SGD(
        theirs.parameters(), lr=lr, momentum=MOMENTUM, weight_decay=WEIGHT_DECAY
    )
    for step, (images, labels) in enumerate(batches):
        training = nn.Training(seed=0, step=step)
        outputs, cache = ours.forward(images, training)
        _, gradient = cross_entropy(outputs, labels)
        ours.zero_grad()
        ours.backward(gradient, cache, input_gradient=False)
        training.commit()
        mine.step()

        other.zero_grad()
        scores = theirs(torch.tensor(images))
        torch.nn.functional.cross_entropy(scores, torch.tensor(labels)).backward()
        other.step()

        state = theirs.state_dict()
        yield max(float(abs(v - state[k].numpy()).max()) for k, v in ours.state_dict().items())


def random_batches(steps: int, batch_size: int, side: int = 32) -> Iterator[Batch]:
    """Yield batches of noise in three channels, with random labels of ten classes."""
    random = np.random.default_rng(0)
    for _ in range(steps):
        images = random.normal(size=(batch_size, 3, side, side))
        yield images, random.integers(0, 10, batch_size)


def cifar10_batches(steps: int, batch_size: int) -> Iterator[Batch]:
    """Yield batches of CIFAR-10's training images, preprocessed."""
    train = pl.data.load("cifar-10").train
    preprocess = pl.Preprocessing.fit(train.images)
    for step in range(steps):
        part = slice(step * batch_size, (step + 1) * batch_size)
        yield preprocess(train.images[part], np.float64), train.labels[part]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", choices=["cifar-10", "random"], default="cifar-10")
    parser.add_argument("--steps", type=int, default=50)
    parser.add_argument("--batch-size", type=int, default=128)
    options = parser.parse_args()
    make = cifar10_batches if options.data == "cifar-10" else random_batches
    batches = make(options.steps, options.batch_size)
    largest = 0.0
    model = models.resnet20((3, 32, 32), 10)
    for step, difference in enumerate(differences(model, ResNet20(3, 10), batches), start=1):
        largest = max(largest, difference)
        print(f"step {step:3}  largest difference {difference:.2e}", flush=True)
    print(f"largest difference over {options.steps} steps: {largest:.2e}")


if __name__ == "__main__":
    main()
