"""Gradients are announced once each, when they are final, in eager and in replayed steps."""

import numpy as np
import pytest

import pellucid as pl
from pellucid import execution
from pellucid import layers as nn
from pellucid.layers import StepContext

SHAPE = (2, 8, 8)


def conv(inputs, outputs):
    return nn.Conv2d(inputs, outputs, 3, padding=1)


def norm_and_relu(channels):
    return nn.BatchNorm2d(channels), nn.ReLU()


def chain():
    convolutions = conv(2, 8), *norm_and_relu(8), conv(8, 8), *norm_and_relu(8), nn.MaxPool2d(2)
    return nn.Sequential(*convolutions, nn.Flatten(), nn.Linear(128, 3))


def residual():
    block = nn.Sequential(conv(8, 8), *norm_and_relu(8), conv(8, 8), nn.BatchNorm2d(8))
    stages = nn.Sequential(nn.Residual(block, activation=nn.ReLU()), nn.Dropout(0.2))
    return nn.Sequential(conv(2, 8), stages, nn.GlobalAvgPool2d(), nn.Flatten(), nn.Linear(8, 3))


def normalised_first():
    """Blocks that begin with a normalisation, and a convolution alone at the end."""
    layers = conv(2, 8), *norm_and_relu(8), conv(8, 8), *norm_and_relu(8), conv(8, 4)
    return nn.Sequential(nn.BatchNorm2d(2), nn.ReLU(), *layers, nn.Flatten(), nn.Linear(256, 3))


def branches():
    return nn.Sequential(
        nn.Concat(conv(2, 4), nn.Sequential(conv(2, 4), nn.BatchNorm2d(4), conv(4, 4))),
        nn.GlobalAvgPool2d(),
        nn.Flatten(),
        nn.Linear(8, 3),
    )


def graph():
    nodes = {
        "a": (conv(2, 4), "x"),
        "b": (conv(4, 4), "a"),
        "sum": (nn.Add(), ("a", "b")),
        "pool": (nn.Sequential(nn.GlobalAvgPool2d(), nn.Flatten()), "sum"),
        "fc": (nn.Linear(4, 3), "pool"),
    }
    return nn.Graph(nodes)


def shared():
    """A layer that is used twice, and inside another layer before."""
    layer = nn.Linear(8, 8)
    twice = nn.Residual(nn.Sequential(layer, nn.Tanh()))
    return nn.Sequential(
        nn.Flatten(), nn.Linear(128, 8), twice, nn.ReLU(), layer, nn.Tanh(), nn.Linear(8, 3)
    )


NETWORKS = [chain, residual, normalised_first, branches, graph, shared]


def announced(program, x, step):
    """Run a step, and return the parameters announced, each with its gradient at that time."""
    found = []
    program.model.zero_grad()
    y, cache = program.forward(x, StepContext(step=step))
    with execution.listening(lambda final: found.extend((p, p.grad.copy()) for p in final)):
        program.backward(np.ones_like(y), cache, input_gradient=False)
    return found


@pytest.mark.parametrize("recompute", [False, True])
@pytest.mark.parametrize("engine", ["reference", "compiled"])
@pytest.mark.parametrize("network", NETWORKS)
def test_each_gradient_is_announced_once_when_it_is_final(network, engine, recompute):
    x = np.random.default_rng(0).normal(size=(4, *SHAPE)).astype(np.float32)
    with pl.engine.using(engine):
        model = network()
        program = execution.for_training(model, recompute, announces=True)
        plain = execution.for_training(network(), recompute)
        nn.initialize(model, 1), nn.initialize(plain.model, 1)
        for step in range(6):
            found = announced(program, x, step)
            assert sorted(p.name for p, _ in found) == sorted(p.name for p in model.parameters())
            for parameter, then in found:
                np.testing.assert_array_equal(then, parameter.grad)
            announced(plain, x, step)
            for mine, other in zip(model.parameters(), plain.model.parameters(), strict=True):
                np.testing.assert_array_equal(mine.grad, other.grad)
        assert bool(program.captured) == bool(plain.captured)


@pytest.mark.parametrize("network", [chain, residual, graph])
def test_the_last_layers_are_announced_first(network):
    model = network()
    program = execution.for_training(model, announces=True)
    found = announced(program, np.ones((2, *SHAPE), np.float32), step=0)
    names = [parameter.name.rpartition(".")[0] for parameter, _ in found]
    order = [parameter.name.rpartition(".")[0] for parameter in model.parameters()]
    assert (names[0], names[-1]) == (order[-1], order[0])
    assert len(set(names)) > 2


def test_a_chain_announces_after_each_of_its_convolutions():
    calls = []
    with pl.engine.using("compiled"):
        program = execution.for_training(chain(), announces=True)
        y, cache = program.forward(np.ones((2, *SHAPE), np.float32), StepContext())
        with execution.listening(lambda final: calls.append([p.name for p in final])):
            program.backward(y, cache, input_gradient=False)
    assert [names[0].rpartition(".")[0] for names in calls] == ["8", "3", "0"]


def test_without_a_listener_nothing_is_announced():
    program = execution.for_training(chain())
    assert announced(program, np.ones((2, *SHAPE), np.float32), 0) == []
