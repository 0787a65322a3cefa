"""RMSprop."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from pellucid import reference
from pellucid.contract import Arrays, State
from pellucid.optim.base import Optimizer
from pellucid.parameter import Parameter


@dataclass(eq=False, repr=False)
class RMSprop(Optimizer):
    """``s ← α·s + (1 − α)·g²``, ``w ← w − lr·g / (√s + ε)``.

    Source: Tieleman and Hinton, "Lecture 6.5: rmsprop", 2012.

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
    alpha
        Decay rate α of the mean squared gradient, in [0, 1). Default: 0.99.
    eps
        ε, added to the denominator for numerical stability. Default: 1e-8.
    momentum
        Momentum μ: the step is v with ``v ← μ·v + g / (√s + ε)``. Default: 0.
    centered
        Whether to use the gradient's variance instead of s (Graves 2013, eq. 39). Default: False.

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

    def slots(self, parameter: Parameter) -> tuple[str, ...]:
        wanted = {"square_avg": True, "grad_avg": self.centered, "momentum": self.momentum > 0}
        return tuple(slot for slot, used in wanted.items() if used)

    def update(
        self, values: Arrays, gradients: Arrays, state: State, decays: Sequence[float], lr: float
    ) -> None:
        reference.rmsprop(
            values, gradients, state, decays,
            lr=lr, alpha=self.alpha, eps=self.eps, momentum=self.momentum,
        )  # fmt: skip
