"""Every value and gradient of a trace is PyTorch's, layer by layer."""

import numpy as np
import pytest
import torch

from pellucid import explain, models
from pellucid import layers as nn
from pellucid.errors import PellucidError
from pellucid.interchange.torch import to_torch


@pytest.mark.parametrize(
    "name", ["lenet5", "vgg", "resnet20", "inception", "densenet", "mobilenet"]
)
def test_values_and_gradients_of_every_layer_are_pytorchs(name):
    shape = (1, 28, 28) if name == "lenet5" else (3, 16, 16)
    model = nn.initialize(models.build(name, shape, 5), 1).astype("float64")
    images = np.random.default_rng(0).normal(size=(2, *shape))
    trace = explain.Tracer(model).run(images, target=(1, 4))
    module, found = to_torch(model).eval(), {}

    def keep(path):
        def hook(_, __, y):
            y.retain_grad()
            found.setdefault(path, y)

        return hook

    for path, part in module.named_modules():
        if not list(part.children()):
            part.register_forward_hook(keep(path))
    x = torch.from_numpy(images).requires_grad_()
    loss = torch.nn.functional.cross_entropy(module(x), torch.tensor([1, 4]))
    loss.backward()
    assert np.isclose(trace.objective, loss.item())
    # in PyTorch what an Identity gives is its input itself, with the gradient of all that read it
    others = [node for node in trace.nodes if not isinstance(node.layer, nn.Identity | nn.Dropout)]
    same = [node.name for node in others if node.name in found]
    assert len(same) > 0.6 * len(trace.nodes)
    for path in same:
        y = found[path]
        np.testing.assert_allclose(trace.value(path), y.detach(), rtol=1e-6, atol=1e-9)
        np.testing.assert_allclose(trace.gradient(path), y.grad, rtol=1e-6, atol=1e-9)
    np.testing.assert_allclose(trace.gradients[0], x.grad, rtol=1e-6, atol=1e-9)
    for path, parameter in module.named_parameters():
        given = trace.parameter_gradients[path]
        np.testing.assert_allclose(given, parameter.grad, rtol=1e-6, atol=1e-9)


@pytest.mark.parametrize("last", [nn.Softmax(), nn.LogSoftmax(), nn.Identity()])
@pytest.mark.parametrize("objective", ["loss", "score"])
def test_the_objective_is_the_same_whatever_the_network_ends_with(last, objective):
    model = nn.initialize(nn.Sequential(nn.Flatten(), nn.Linear(4, 3), last), 1).astype("float64")
    x = np.random.default_rng(0).normal(size=(2, 1, 2, 2))
    trace = explain.Tracer(model).run(x, (0, 2), objective)
    images = torch.from_numpy(x).requires_grad_()
    scores = to_torch(model).double()(images)
    if objective == "loss":
        logs = scores.log() if isinstance(last, nn.Softmax) else scores.log_softmax(1)
        value = -logs[[0, 1], [0, 2]].mean()
    else:
        value = (scores.log() if isinstance(last, nn.Softmax) else scores)[[0, 1], [0, 2]].sum()
    value.backward()
    assert np.isclose(trace.objective, value.item())
    np.testing.assert_allclose(trace.gradients[0], images.grad, atol=1e-12)


def test_influence_is_a_row_of_the_jacobian():
    model = nn.initialize(nn.Sequential(nn.Conv2d(1, 2, 3), nn.GroupNorm(2, 2), nn.Flatten()), 1)
    model = nn.Sequential(model, nn.Linear(18, 2)).astype("float64")
    tracer = explain.Tracer(model)
    trace = tracer.run(np.random.default_rng(0).normal(size=(1, 1, 5, 5)))
    found = tracer.influence(trace, 2, (1, 2, 0))
    norm = torch.nn.GroupNorm(2, 2).double()
    right = torch.autograd.functional.jacobian(
        lambda x: norm(x)[0, 1, 2, 0], torch.from_numpy(trace.values[1])
    )
    np.testing.assert_allclose(found[0], right, atol=1e-9)


def test_a_frozen_model_and_a_class_that_is_none_are_refused():
    model = nn.initialize(models.build("lenet5", (1, 28, 28), 10))
    with pytest.raises(PellucidError, match="a class from 0 to 9"):
        explain.Tracer(model).run(np.zeros((1, 28, 28), np.float32), target=10)
    with pytest.raises(PellucidError, match="loss"):
        explain.Tracer(model).run(np.zeros((1, 28, 28), np.float32), objective="error")
