"""Linear and Flatten agree with PyTorch's."""

import numpy as np
import pytest
import torch

from pellucid import layers as nn


@pytest.mark.parametrize("shape", [(6, 4), (6, 3, 4), (2, 3, 5, 4)])
@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize(("dtype", "tolerance"), [("float64", 1e-12), ("float32", 1e-5)])
def test_linear_and_its_gradients_agree(shape, bias, dtype, tolerance):
    generator = np.random.default_rng(0)
    x = generator.normal(size=shape).astype(dtype)
    dy = generator.normal(size=(*shape[:-1], 7)).astype(dtype)
    ours = nn.Linear(4, 7, bias=bias).astype(dtype)
    theirs = torch.nn.Linear(4, 7, bias=bias, dtype=getattr(torch, dtype))
    ours.load_state_dict({k: v.numpy() for k, v in theirs.state_dict().items()})

    y, cache = ours.forward(x, nn.StepContext())
    dx = ours.backward(dy, cache)
    tensor = torch.tensor(x, requires_grad=True)
    output = theirs(tensor)
    output.backward(torch.tensor(dy))

    np.testing.assert_allclose(y, output.detach(), rtol=tolerance, atol=tolerance)
    np.testing.assert_allclose(dx, tensor.grad, rtol=tolerance, atol=tolerance)
    for name, parameter in theirs.named_parameters():
        own = ours.named_parameters()[name].grad
        np.testing.assert_allclose(own, parameter.grad, rtol=tolerance, atol=tolerance)


@pytest.mark.parametrize(("start", "end"), [(1, -1), (0, -1), (2, 3), (0, 1), (-2, -1)])
def test_flatten_joins_the_same_axes(start, end):
    x = np.arange(120.0).reshape(2, 3, 4, 5)
    expected = torch.nn.Flatten(start, end)(torch.tensor(x)).numpy()
    np.testing.assert_array_equal(nn.Flatten(start, end)(x), expected)
