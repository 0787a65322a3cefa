"""A capture tries the step on a copy of the weights, which takes no memory that can be shared."""

import numpy as np
import pytest

from kernels import numbers
from pellucid import execution
from pellucid import layers as nn
from pellucid.execution import capture
from pellucid.execution.capture import AFTER
from pellucid.layers import StepContext
from pellucid.parameter import Parameter
from replaying import SHAPE
from small_network import small_network

pytestmark = pytest.mark.usefixtures("on_compiled")


@pytest.fixture
def copies(monkeypatch):
    """Every pair of a part and its copy that captures make."""
    found, copied = [], capture._copied

    def noted(part):
        found.append((part, copied(part)))
        return found[-1][1]

    monkeypatch.setattr(capture, "_copied", noted)
    return found


def gradients(zeroed_first, steps):
    """Return the gradients after some steps with those of the step before, or without."""
    model = nn.initialize(small_network(), 1)
    program = execution.for_training(model)
    for number in range(steps):
        if zeroed_first:
            model.zero_grad()
        training = StepContext(step=number)
        y, cache = program.forward(numbers(SHAPE, number), training)
        program.backward(np.ones_like(y), cache, input_gradient=False)
        training.forget()
    return [parameter.grad for parameter in model.parameters()]


def parameters(copies):
    """Return each parameter with a gradient of the only part that was copied, with its copy.

    A bias before a normalisation never has one.
    """
    (pair,) = copies
    both = zip(*map(capture._values, pair), strict=True)
    found = [(item, copy) for item, copy in both if isinstance(item, Parameter) and item.grad.any()]
    assert found
    return found


def test_gradients_that_are_zero_lend_their_memory(copies):
    gradients(zeroed_first=True, steps=AFTER + 1)
    for item, copy in parameters(copies):
        assert np.shares_memory(item.grad, copy.grad)
        assert not np.shares_memory(item.value, copy.value)


def test_gradients_that_are_added_up_keep_theirs(copies):
    found = gradients(zeroed_first=False, steps=AFTER + 2)
    assert not any(np.shares_memory(item.grad, copy.grad) for item, copy in parameters(copies))
    expected = [0.0 for _ in found]
    model = nn.initialize(small_network(), 1)
    program = execution.fuse(model)
    for number in range(AFTER + 2):
        model.zero_grad()
        y, cache = program.forward(numbers(SHAPE, number), StepContext(step=number))
        program.backward(np.ones_like(y), cache, input_gradient=False)
        expected = [total + p.grad for total, p in zip(expected, model.parameters(), strict=True)]
    for one, other in zip(found, expected, strict=True):
        np.testing.assert_array_equal(one, other)
