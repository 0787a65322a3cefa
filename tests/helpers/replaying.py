"""Two copies of a network, one run eagerly and one replayed, and the results of their steps."""

import numpy as np

from kernels import numbers
from pellucid import execution, models
from pellucid import layers as nn
from pellucid.execution.capture import AFTER
from pellucid.layers import StepContext
from small_network import small_network

SHAPE = (8, 2, 10, 10)

NETWORKS = {
    "small network": (small_network, SHAPE),
    "lenet5": (lambda: models.lenet5((1, 28, 28), 10), (5, 1, 28, 28)),
    "vgg": (lambda: models.vgg((3, 16, 16), 10), (6, 3, 16, 16)),
    "resnet20": (lambda: models.resnet20((3, 8, 8), 10), (33, 3, 8, 8)),
    "inception": (lambda: models.inception((3, 16, 16), 10), (4, 3, 16, 16)),
    "mobilenet": (lambda: models.mobilenet((3, 16, 16), 10), (3, 3, 16, 16)),
    "mlp": (lambda: models.mlp((6,), 3, hidden=(8,)), (7, 6)),
}


def step(model, run, x, number=3):
    """Make one step with an artificial loss, and return all its results."""
    training = StepContext(seed=1, epoch=2, step=number)
    y, cache = run.forward(x, training)
    dy = np.empty_like(y)
    dy[...] = numbers(y.shape, 5)
    model.zero_grad()
    run.backward(dy, cache, input_gradient=False)
    training.commit()
    given = [y.copy(), *(parameter.grad.copy() for parameter in model.parameters())]
    for parameter in model.parameters():
        parameter.value[...] -= 0.01 * parameter.grad
    return [*given, *model.state_dict().values()]


def equal(one, other):
    return all(a.tobytes() == b.tobytes() for a, b in zip(one, other, strict=True))


def pair(make, seed=1):
    """Return a model run eagerly and a copy that is replayed, each with its program."""
    run, played = nn.initialize(make(), seed), nn.initialize(make(), seed)
    return (run, execution.fuse(run)), (played, execution.for_training(played))


def known(make=small_network):
    """Return such a pair after enough steps for the second to be replayed."""
    run, played = pair(make)
    for i in range(AFTER + 2):
        x = numbers(SHAPE, i)
        assert equal(step(run[0], run[1], x), step(played[0], played[1], x))
    return run, played
