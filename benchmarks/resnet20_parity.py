"""Does resnet20 follow PyTorch? The same weights, the same batches, float64, step by step.

    python benchmarks/resnet20_parity.py                    # 50 steps on CIFAR-10
    python benchmarks/resnet20_parity.py --data random

Prints after each step by how much any weight or running statistic differs. Beside it, a yardstick:
how far PyTorch differs from itself when each weight of the first layer begins at the next
floating-point number. Training makes any rounding grow, the more the higher the rate is.
"""

import argparse
from collections.abc import Iterable, Iterator
from copy import deepcopy

import numpy as np
import torch

from pellucid import data, models
from pellucid import layers as nn
from pellucid.losses import cross_entropy
from pellucid.optim import SGD
from pellucid.preprocessing import Preprocessing
from pellucid.types import Array

Batch = tuple[Array, Array]
State = dict[str, Array]

MOMENTUM, WEIGHT_DECAY = 0.9, 1e-4  # He et al. 2015, sec. 4.2


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


def our_states(model: nn.Layer, batches: Iterable[Batch], lr: float) -> Iterator[State]:
    """Train `model`; yield all its values after each step."""
    optimizer = SGD(model.parameters(), lr=lr, momentum=MOMENTUM, weight_decay=WEIGHT_DECAY)
    for step, (images, labels) in enumerate(batches):
        training = nn.StepContext(seed=0, step=step)
        outputs, cache = model.forward(images, training)
        _, gradient = cross_entropy(outputs, labels)
        model.zero_grad()
        model.backward(gradient, cache, input_gradient=False)
        training.commit()
        optimizer.step()
        yield model.state_dict()


def torch_states(model: torch.nn.Module, batches: Iterable[Batch], lr: float) -> Iterator[State]:
    """Train `model`, a PyTorch module, in the same way."""
    optimizer = torch.optim.SGD(
        model.parameters(), lr=lr, momentum=MOMENTUM, weight_decay=WEIGHT_DECAY
    )
    for images, labels in batches:
        outputs = model(torch.tensor(images))
        loss = torch.nn.functional.cross_entropy(outputs, torch.tensor(labels))
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        yield {name: value.numpy().copy() for name, value in model.state_dict().items()}


def difference(one: State, other: State) -> float:
    """Return the largest difference between two values of the same name."""
    return max(float(abs(value - other[name]).max()) for name, value in one.items())


def same_beginning(ours: nn.Layer, theirs: torch.nn.Module) -> None:
    """Make both float64 and give PyTorch's module our values."""
    state = ours.astype("float64").state_dict()
    theirs.double().load_state_dict({name: torch.tensor(value) for name, value in state.items()})


def nudged(model: torch.nn.Module) -> torch.nn.Module:
    """Return a copy in which the first layer's weights are the next larger numbers."""
    copy = deepcopy(model)
    with torch.no_grad():
        first = next(copy.parameters())
        first.copy_(torch.nextafter(first, torch.full_like(first, torch.inf)))
    return copy


def random_batches(steps: int, batch_size: int, side: int = 32) -> Iterator[Batch]:
    """Yield batches of noise in three channels, with random labels of ten classes."""
    random = np.random.default_rng(0)
    for _ in range(steps):
        images = random.normal(size=(batch_size, 3, side, side))
        yield images, random.integers(0, 10, batch_size)


def cifar10_batches(steps: int, batch_size: int) -> Iterator[Batch]:
    """Yield batches of CIFAR-10's training images, preprocessed."""
    train = data.load("cifar-10").train
    preprocess = Preprocessing.fit(train.images)
    for step in range(steps):
        part = slice(step * batch_size, (step + 1) * batch_size)
        yield preprocess(train.images[part], np.float64), train.labels[part]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", choices=["cifar-10", "random"], default="cifar-10")
    parser.add_argument("--steps", type=int, default=50)
    parser.add_argument("--batch-size", type=int, default=32)
    parser.add_argument("--lr", type=float, default=0.001)
    options = parser.parse_args()
    make = cifar10_batches if options.data == "cifar-10" else random_batches
    batches = list(make(options.steps, options.batch_size))

    ours, theirs = models.resnet20((3, 32, 32), 10), ResNet20(3, 10)
    same_beginning(ours, theirs)
    runs = zip(
        our_states(ours, batches, options.lr),
        torch_states(nudged(theirs), batches, options.lr),
        torch_states(theirs, batches, options.lr),
        strict=True,
    )
    print("step  Pellucid and PyTorch  PyTorch and itself, nudged")
    largest = 0.0
    for step, (pellucid, other, pytorch) in enumerate(runs, start=1):
        largest = max(largest, difference(pellucid, pytorch))
        print(
            f"{step:4}  {difference(pellucid, pytorch):20.1e}  {difference(other, pytorch):26.1e}",
            flush=True,
        )
    print(f"largest difference to PyTorch over {options.steps} steps: {largest:.1e}")


if __name__ == "__main__":
    main()
