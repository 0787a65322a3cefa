"""Stochastic gradient descent."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from pellucid import engine
from pellucid.contract import Arrays, State
from pellucid.errors import PellucidError
from pellucid.optim.base import Optimizer
from pellucid.parameter import Parameter


@dataclass(eq=False, repr=False)
class SGD(Optimizer):
    """``v ← μ·v + g + λ·w``, ``w ← w − lr·v``; Nesterov: ``w ← w − lr·(g + λ·w + μ·v)``.

    Source: Sutskever et al., "On the importance of initialization and momentum", 2013, sec. 2.

    Parameters
    ----------
    parameters
        Parameters to update: ``model.parameters()`` or ``model.named_parameters()``.
    lr
        Learning rate. Default: 0.01.
    weight_decay
        Factor λ; λ·w is added to the gradient. Default: 0.
    decay_kinds
        Kinds of parameters that decay, of "weight", "bias" and "norm". Default: all.
    clip_norm
        Largest joint norm of the gradients, to which larger ones are scaled. Default: no limit.
    lr_factors
        Factors on the learning rate by kind of parameter or pattern of names. Default: none.
    lookahead, lookahead_rate
        Steps k and part α of Lookahead, see `Optimizer`. Default: no Lookahead; 0.5.
    momentum
        Momentum μ, in [0, 1). Default: 0.
    nesterov
        Whether to use Nesterov momentum, which requires `momentum`. Default: False.

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

    def slots(self, parameter: Parameter) -> tuple[str, ...]:
        return ("momentum",) if self.momentum else ()

    def update(
        self, values: Arrays, gradients: Arrays, state: State, decays: Sequence[float], lr: float
    ) -> None:
        engine.current().sgd(
            values, gradients, state, decays,
            lr=lr, momentum=self.momentum, nesterov=self.nesterov,
        )  # fmt: skip
