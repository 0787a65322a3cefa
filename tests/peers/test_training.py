"""A whole training run follows PyTorch's, step by step."""

import numpy as np
import pytest
import torch

from pellucid import layers as nn
from pellucid import losses, optim
from pellucid.optim import schedules
from pellucid.parallel import Team
from pellucid.training import Step, TrainingState, records

STEPS = 50


class Batches:
    """The same batches for both; the class is a bright row."""

    def __len__(self):
        return STEPS

    def batches(self, epoch, seed):
        generator = np.random.default_rng(3)
        for _ in range(STEPS):
            targets = generator.integers(0, 5, 12)
            x = generator.normal(size=(12, 2, 9, 8))
            x[np.arange(12), 0, targets] += 3.0
            yield x, targets


def ours():
    return nn.Sequential(
        conv1=nn.Conv2d(2, 6, 3, padding=1),
        bn1=nn.BatchNorm2d(6),
        relu1=nn.ReLU(),
        pool1=nn.MaxPool2d(2),
        conv2=nn.Conv2d(6, 8, 3),
        bn2=nn.BatchNorm2d(8),
        relu2=nn.ReLU(),
        flatten=nn.Flatten(),
        fc=nn.Linear(32, 5),
    ).astype("float64")


def theirs(state):
    network = torch.nn.Sequential()
    network.add_module("conv1", torch.nn.Conv2d(2, 6, 3, padding=1))
    network.add_module("bn1", torch.nn.BatchNorm2d(6))
    network.add_module("relu1", torch.nn.ReLU())
    network.add_module("pool1", torch.nn.MaxPool2d(2))
    network.add_module("conv2", torch.nn.Conv2d(6, 8, 3))
    network.add_module("bn2", torch.nn.BatchNorm2d(8))
    network.add_module("relu2", torch.nn.ReLU())
    network.add_module("flatten", torch.nn.Flatten())
    network.add_module("fc", torch.nn.Linear(32, 5))
    network.double().load_state_dict({name: torch.tensor(value) for name, value in state.items()})
    return network


@pytest.mark.parametrize(
    ("name", "options", "smoothing"),
    [
        ("SGD", {"lr": 0.05, "momentum": 0.9, "nesterov": True, "weight_decay": 1e-3}, 0.0),
        ("Adam", {"lr": 0.01}, 0.1),
    ],
)
def test_fifty_steps_from_the_same_weights_and_batches_agree(name, options, smoothing):
    model = ours()
    twin = theirs(model.state_dict())

    optimizer = getattr(optim, name)(model.parameters(), **options)
    loss = losses.CrossEntropy(label_smoothing=smoothing)
    state = TrainingState(model, optimizer, loss, schedule=schedules.Cosine())
    told = [record for record in records(state, Batches()) if isinstance(record, Step)]

    optimizer = getattr(torch.optim, name)(twin.parameters(), **options)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, STEPS)
    loss = torch.nn.CrossEntropyLoss(label_smoothing=smoothing)
    for step, (x, targets) in zip(told, Batches().batches(0, 0), strict=True):
        outputs = twin(torch.tensor(x))
        value = loss(outputs, torch.tensor(targets))
        optimizer.zero_grad()
        value.backward()
        assert step.rate == pytest.approx(schedule.get_last_lr()[0], rel=1e-12)
        optimizer.step()
        schedule.step()
        assert step.loss == pytest.approx(value.item(), rel=1e-9)
        assert step.accuracy == (outputs.argmax(1).numpy() == targets).mean()

    assert told[-1].loss < 0.5 * told[0].loss, "and it learned"
    values = model.state_dict()
    assert list(values) == list(twin.state_dict())
    for key, value in twin.state_dict().items():
        np.testing.assert_allclose(values[key], value.numpy(), rtol=1e-9, atol=1e-9, err_msg=key)


def in_parts(twin, x, targets, sizes):
    """Do what data-parallel training does: batch statistics of each part, gradients of the whole.

    The running statistics become the mean of those that each part, by itself, would have left.
    """
    before = {name: value.clone() for name, value in twin.named_buffers()}
    after = {name: torch.zeros_like(value) for name, value in before.items()}
    total = torch.zeros((), dtype=torch.float64)
    for part, labels in zip(x.split(sizes), targets.split(sizes), strict=True):
        for name, value in twin.named_buffers():
            value.copy_(before[name])
        loss = torch.nn.functional.cross_entropy(twin(part), labels, reduction="sum") / len(x)
        loss.backward()
        total += loss.detach()
        for name, value in twin.named_buffers():
            after[name] += value * len(part)
    for name, value in twin.named_buffers():
        value.copy_(after[name] / len(x))
    return total.item()


def test_training_in_shards_is_data_parallel_training():
    model = ours()
    twin = theirs(model.state_dict())
    sgd = optim.SGD(model.parameters(), lr=0.05, momentum=0.9)
    state = TrainingState(model, sgd)
    told = [
        record
        for record in records(state, Batches(), parallel=Team(shards=5))
        if isinstance(record, Step)
    ]
    optimizer = torch.optim.SGD(twin.parameters(), lr=0.05, momentum=0.9)
    for step, (x, targets) in zip(told, Batches().batches(0, 0), strict=True):
        optimizer.zero_grad()
        loss = in_parts(twin, torch.tensor(x), torch.tensor(targets), [3, 3, 2, 2, 2])
        optimizer.step()
        assert step.loss == pytest.approx(loss, rel=1e-9)
    values = model.state_dict()
    for key, value in twin.state_dict().items():
        np.testing.assert_allclose(values[key], value.numpy(), rtol=1e-9, atol=1e-9, err_msg=key)
