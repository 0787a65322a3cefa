"""RMSprop."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from pellucid import reference
from pellucid.contract import Arrays, State
from pellucid.optim.base import Optimizer


@dataclass(eq=False, repr=False)
class RMSprop(Optimizer):
    """``s ← α·s + (1 − α)·g²``, ``w ← w − lr·g / (√s + ε)``.

    Source: Tieleman and Hinton, "Lecture 6.5: rmsprop", 2012.

    Parameters
    ----------
    parameters
        What to change: ``model.parameters()``, or ``model.named_parameters()``.
    lr
        The learning rate.
    weight_decay
        λ: λ·w is added to the gradient.
    decay_kinds
        The kinds of parameters that weight decay holds for: "weight", "bias" and "norm".
    clip_norm
        Where given, gradients whose common norm is larger are first scaled to this norm.
    alpha
        α, from 0 to below 1.
    eps
        ε, which keeps the quotient finite.
    momentum
        μ: the quotients are gathered as ``v ← μ·v + g / (√s + ε)``, and v makes the step.
    centered
        Whether the gradient's running variance takes the place of s (Graves 2013, eq. 39).

    Examples
    --------
    >>> import numpy as np
    >>> from pellucid.parameter import Parameter
    >>> w = Parameter("w", (2,), "ones")
    >>> w.add_gradient(np.array([1e-3, -1e3], np.float32))
    >>> RMSprop([w], alpha=0.75, lr=0.25).step()
    >>> w.value.round(4)
    array([0.5, 1.5], dtype=float32)
    """

    lr: float = 0.01
    alpha: float = 0.99
    eps: float = 1e-8
    momentum: float = 0.0
    centered: bool = False

    def __post_init__(self) -> None:
        super().__post_init__()
        self._check("alpha", 0 <= self.alpha < 1, "from 0 to below 1")
        self._check("eps", self.eps >= 0, "not negative")
        self._check("momentum", 0 <= self.momentum < 1, "from 0 to below 1")

    def slots(self) -> tuple[str, ...]:
        wanted = {"square_avg": True, "grad_avg": self.centered, "momentum": self.momentum > 0}
        return tuple(slot for slot, used in wanted.items() if used)

    def update(
        self, values: Arrays, gradients: Arrays, state: State, decays: Sequence[float]
    ) -> None:
        reference.rmsprop(
            values, gradients, state, decays,
            lr=self.lr, alpha=self.alpha, eps=self.eps, momentum=self.momentum,
        )  # fmt: skip
