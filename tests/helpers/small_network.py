"""A network with blocks, branches and a shortcut, and one training step."""

from pellucid import layers as nn
from pellucid import losses


def small_network():
    block = nn.Residual(
        nn.Sequential(
            conv1=nn.Conv2d(8, 8, 3, padding=1, bias=False), bn1=nn.BatchNorm2d(8), relu=nn.ReLU(),
            conv2=nn.Conv2d(8, 8, 3, padding=1, bias=False), bn2=nn.BatchNorm2d(8),
        ),
        activation=nn.ReLU(),
    )  # fmt: skip
    branches = nn.Concat(
        nn.Sequential(nn.Conv2d(8, 4, 1), nn.ReLU()),
        nn.Sequential(nn.MaxPool2d(3, 1, 1), nn.Conv2d(8, 4, 1), nn.BatchNorm2d(4), nn.ReLU()),
    )
    return nn.Sequential(
        nn.Conv2d(2, 8, 5, padding=2), nn.ReLU(), nn.MaxPool2d(2), block, branches,
        nn.Conv2d(8, 8, 3, groups=8), nn.BatchNorm2d(8), nn.ReLU(), nn.Flatten(), nn.Linear(72, 3),
    )  # fmt: skip


def a_step(model, run, x, targets):
    step = nn.StepContext()
    outputs, cache = run.forward(x, step)
    _, gradient = losses.cross_entropy(outputs, targets)
    model.zero_grad()
    run.backward(gradient, cache, input_gradient=False)
    step.commit()
    gradients = {name: p.grad.copy() for name, p in model.named_parameters().items()}
    return outputs, gradients, model.state_dict()
