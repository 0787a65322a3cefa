"""Layers that record how they are called, for tests of combinators."""

from dataclasses import dataclass, field

import numpy as np

from pellucid import layers as nn


@dataclass(eq=False, repr=False)
class Logged(nn.Linear, abstract=True):
    """A Linear that records its backward calls, and returns nonsense if dx is not requested."""

    log: list[str] = field(init=False, default_factory=list)

    def backward(self, dy, cache, *, input_gradient=True):
        self.log.append("with dx" if input_gradient else "without dx")
        dx = super().backward(dy, cache)
        return dx if input_gradient else "nonsense"


def gradients(model, x, **options):
    """Return dx and the parameters' gradients for dy = 1."""
    model.zero_grad()
    y, cache = model.forward(x, nn.StepContext())
    dx = model.backward(np.ones_like(y), cache, **options)
    return dx, {name: p.grad.copy() for name, p in model.named_parameters().items()}
