"""Compare a layer with PyTorch's layer of the same name."""

import numpy as np
import torch

from pellucid import layers as nn


def assert_twins_agree(ours, theirs, x, *, training=True, rtol=1e-12, atol=1e-12, seed=0):
    """Assert that outputs, gradients and buffers agree after a forward and a backward pass."""
    ours.zero_grad()
    theirs.zero_grad()
    theirs.train(training)
    tensor = torch.tensor(x, requires_grad=True)
    output = theirs(tensor)
    dy = np.random.default_rng(seed).normal(size=output.shape).astype(x.dtype)
    output.backward(torch.tensor(dy))

    step = nn.StepContext() if training else None
    y, cache = ours.forward(x, step)
    dx = ours.backward(dy, cache)
    if step is not None:
        step.commit()

    def same(name, own, other):
        own, other = np.asarray(own), other.detach().numpy()
        assert own.shape == other.shape, name
        assert own.dtype == other.dtype, name
        np.testing.assert_allclose(own, other, rtol=rtol, atol=atol, err_msg=name)

    same("output", y, output)
    assert ours.output_shape(x.shape) == y.shape
    same("input gradient", dx, tensor.grad)
    parameters = ours.named_parameters()
    assert list(parameters) == [name for name, _ in theirs.named_parameters()]
    for name, parameter in theirs.named_parameters():
        same(f"gradient of {name}", parameters[name].grad, parameter.grad)
    state = ours.state_dict()
    assert list(state) == list(theirs.state_dict())
    for name, value in theirs.state_dict().items():
        same(name, state[name], value)


def several(x):
    return x if isinstance(x, tuple) else (x,)


def outputs_and_gradients(model, inputs, training):
    """Return our outputs, and the gradients for the inputs and for every parameter."""
    x = inputs if len(inputs) > 1 else inputs[0]
    step = nn.StepContext() if training else None
    y, cache = model.forward(x, step)
    dy = tuple(np.cos(np.arange(part.size)).reshape(part.shape) for part in several(y))
    dx = model.backward(dy if isinstance(y, tuple) else dy[0], cache)
    if step is not None:
        step.commit()
    gradients = {name: item.grad for name, item in model.named_parameters().items()}
    return several(y), dy, several(dx), gradients
