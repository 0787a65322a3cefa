"""Stochastic gradient descent."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from pellucid import engine
from pellucid.contract import Arrays, State
from pellucid.errors import PellucidError
from pellucid.optim.base import Optimizer


@dataclass(eq=False, repr=False)
class SGD(Optimizer):
    """``v ← μ·v + g + λ·w``, ``w ← w − lr·v``; Nesterov: ``w ← w − lr·(g + λ·w + μ·v)``.

    Source: Sutskever et al., "On the importance of initialization and momentum", 2013, sec. 2.

    Parameters
    ----------
    parameters
        What to change: ``model.parameters()``, or ``model.named_parameters()``.
    lr
        The learning rate.
    weight_decay
        λ, by which a parameter is drawn towards 0.
    decay_kinds
        The kinds of parameters that weight decay holds for: "weight", "bias" and "norm".
    clip_norm
        Where given, gradients whose common norm is larger are first scaled to this norm.
    momentum
        μ, from 0 to below 1.
    nesterov
        Whether the step looks ahead; it needs a momentum.

    Examples
    --------
    >>> import numpy as np
    >>> from pellucid.parameter import Parameter
    >>> w = Parameter("w", (2,), "ones")
    >>> w.add_gradient(np.array([1.0, -2.0], np.float32))
    >>> SGD([w], lr=0.5).step()
    >>> w.value
    array([0.5, 2. ], dtype=float32)
    """

    lr: float = 0.01
    momentum: float = 0.0
    nesterov: bool = False

    def __post_init__(self) -> None:
        super().__post_init__()
        self._check("momentum", 0 <= self.momentum < 1, "from 0 to below 1")
        if self.nesterov and not self.momentum:
            raise PellucidError("SGD with nesterov=True needs a momentum, such as 0.9")

    def slots(self) -> tuple[str, ...]:
        return ("momentum",) if self.momentum else ()

    def update(
        self, values: Arrays, gradients: Arrays, state: State, decays: Sequence[float]
    ) -> None:
        engine.current().sgd(
            values, gradients, state, decays,
            lr=self.lr, momentum=self.momentum, nesterov=self.nesterov,
        )  # fmt: skip
