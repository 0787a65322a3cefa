"""Activation functions and their gradients agree with PyTorch's, kinks included."""

import numpy as np
import pytest
import torch

from pellucid import layers as nn

PAIRS = [
    (nn.ReLU(), torch.nn.ReLU()),
    (nn.ReLU6(), torch.nn.ReLU6()),
    (nn.LeakyReLU(), torch.nn.LeakyReLU()),
    (nn.LeakyReLU(0.3), torch.nn.LeakyReLU(0.3)),
    (nn.PReLU(), torch.nn.PReLU()),
    (nn.PReLU(6, init=-0.5), torch.nn.PReLU(6, init=-0.5)),
    (nn.ELU(), torch.nn.ELU()),
    (nn.ELU(0.3), torch.nn.ELU(0.3)),
    (nn.SELU(), torch.nn.SELU()),
    (nn.GELU(), torch.nn.GELU()),
    (nn.GELU("tanh"), torch.nn.GELU("tanh")),
    (nn.SiLU(), torch.nn.SiLU()),
    (nn.Hardswish(), torch.nn.Hardswish()),
    (nn.Softplus(), torch.nn.Softplus()),
    (nn.Softplus(2.0, 3.0), torch.nn.Softplus(2.0, 3.0)),
    (nn.Sigmoid(), torch.nn.Sigmoid()),
    (nn.Tanh(), torch.nn.Tanh()),
    (nn.Softmax(), torch.nn.Softmax(1)),
    (nn.Softmax(-1), torch.nn.Softmax(-1)),
    (nn.LogSoftmax(), torch.nn.LogSoftmax(1)),
    (nn.ThresholdedReLU(2.0), torch.nn.Threshold(2.0, 0.0)),
]


ALONE = [pair for pair in PAIRS if not isinstance(pair[0], nn.Softmax | nn.LogSoftmax)]


@pytest.mark.parametrize(("ours", "theirs"), ALONE, ids=[repr(ours) for ours, _ in ALONE])
@pytest.mark.parametrize("dtype", ["float64", "float32"])
def test_they_agree_at_infinity(ours, theirs, dtype):
    x = np.array([np.inf, -np.inf, 1e30, -1e30], dtype).reshape(1, 1, 4).repeat(6, axis=1)
    ours, theirs = nn.build(ours.describe()).astype(dtype), theirs.to(getattr(torch, dtype))
    with np.errstate(all="ignore"):
        y, cache = ours.forward(x, nn.StepContext())
        dx = ours.backward(np.ones_like(x), cache)
    tensor = torch.tensor(x, requires_grad=True)
    output = theirs(tensor)
    output.backward(torch.ones_like(output))
    known = ~output.isnan().numpy()  # of GELU(∞) PyTorch knows nothing in float32
    np.testing.assert_allclose(y[known], output.detach().numpy()[known])
    np.testing.assert_allclose(dx[known], tensor.grad.numpy()[known], atol=1e-30)


@pytest.mark.parametrize(("ours", "theirs"), PAIRS, ids=[repr(ours) for ours, _ in PAIRS])
@pytest.mark.parametrize("dtype", ["float64", "float32"])
def test_values_and_gradients_agree(ours, theirs, dtype):
    generator = np.random.default_rng(0)
    whole = np.arange(-9.0, 9.0)  # the kinks are at whole numbers
    x = np.concatenate([whole, generator.normal(size=72) * 4]).reshape(3, 6, 5).astype(dtype)
    dy = generator.normal(size=x.shape).astype(dtype)
    ours, theirs = nn.build(ours.describe()).astype(dtype), theirs.to(getattr(torch, dtype))
    tolerance = {"rtol": 1e-12, "atol": 1e-13} if dtype == "float64" else {"atol": 3e-6}

    y, cache = ours.forward(x, nn.StepContext())
    dx = ours.backward(dy, cache)
    theirs.zero_grad()
    tensor = torch.tensor(x, requires_grad=True)
    output = theirs(tensor)
    output.backward(torch.tensor(dy))

    np.testing.assert_allclose(y, output.detach().numpy(), **tolerance)
    np.testing.assert_allclose(dx, tensor.grad.numpy(), **tolerance)
    for parameter, other in zip(ours.parameters(), theirs.parameters(), strict=True):
        np.testing.assert_allclose(
            parameter.grad, other.grad.numpy(), rtol=1e-4 if dtype == "float32" else 1e-12
        )
