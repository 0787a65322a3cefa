"""Adagrad."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from pellucid import reference
from pellucid.contract import Arrays, State
from pellucid.optim.base import Optimizer
from pellucid.parameter import Parameter


@dataclass(eq=False, repr=False)
class Adagrad(Optimizer):
    """``s ← s + g²``, ``w ← w − lr·g / (√s + ε)``: rarely updated values keep a large rate.

    Source: Duchi et al., "Adaptive subgradient methods", 2011, fig. 1.

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
    lr_decay
        Decay d of the learning rate, which is ``lr / (1 + (t − 1)·d)`` in step t. Default: 0.
    eps
        Added to the denominator for numerical stability.

    Examples
    --------
    >>> import numpy as np
    >>> from pellucid.parameter import Parameter
    >>> w = Parameter("w", (2,), "ones")
    >>> w.add_gradient(np.array([1e-3, -1e3], np.float32))
    >>> Adagrad([w], lr=0.25).step()
    >>> w.value.round(4)
    array([0.75, 1.25], dtype=float32)
    """

    lr: float = 0.01
    lr_decay: float = 0.0
    eps: float = 1e-10

    def __post_init__(self) -> None:
        super().__post_init__()
        self._check("lr_decay", self.lr_decay >= 0, "not negative")
        self._check("eps", self.eps >= 0, "not negative")

    def slots(self, parameter: Parameter) -> tuple[str, ...]:
        return ("sum",)

    def update(
        self, values: Arrays, gradients: Arrays, state: State, decays: Sequence[float], lr: float
    ) -> None:
        reference.adagrad(
            values, gradients, state, decays,
            step=self.steps, lr=lr, lr_decay=self.lr_decay, eps=self.eps,
        )  # fmt: skip
