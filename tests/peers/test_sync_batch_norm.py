"""Shared batch statistics beside PyTorch's batch normalisation of the whole batch, in float64."""

import numpy as np
import torch

from pellucid import layers as nn
from pellucid.execution.lockstep import Lockstep
from pellucid.layers import StepContext


def test_shards_together_are_pytorchs_batch():
    drawn = np.random.default_rng(0)
    x, dy = drawn.normal(3.0, 2.0, (11, 5, 4, 3)), drawn.normal(size=(11, 5, 4, 3))
    theirs = torch.nn.Sequential(torch.nn.Conv2d(5, 5, 1), torch.nn.BatchNorm2d(5)).double()
    with torch.no_grad():
        theirs[1].weight.uniform_(0.5, 2.0)
    ours = nn.Sequential(nn.Conv2d(5, 5, 1), nn.BatchNorm2d(5)).astype(np.float64)
    ours.load_state_dict({name: value.numpy() for name, value in theirs.state_dict().items()})
    expected = theirs(torch.tensor(x))
    expected.backward(torch.tensor(dy))

    ends = [4, 6]
    lockstep, steps = Lockstep(ours), [StepContext() for _ in range(3)]
    ys, cache = lockstep.forward(np.split(x, ends), steps)
    gradients = lockstep.backward(np.split(dy, ends), cache)
    np.testing.assert_allclose(
        np.concatenate(ys), expected.detach().numpy(), rtol=1e-10, atol=1e-12
    )
    for name, parameter in theirs.named_parameters():
        own = ours.named_parameters()[name]
        found = sum(of_shard[own] for of_shard in gradients)
        np.testing.assert_allclose(found, parameter.grad.numpy(), rtol=1e-8, atol=1e-10)
    for step in steps:  # each shard records the statistics of all
        pending = step.pending_updates()
        for name, buffer in ours.buffers().items():
            value = theirs.state_dict()[name].numpy()
            np.testing.assert_allclose(pending[buffer], value, rtol=1e-12)
