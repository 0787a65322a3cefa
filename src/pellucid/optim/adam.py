"""Adam and AdamW."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import ClassVar

from pellucid import engine
from pellucid.contract import Arrays, State
from pellucid.optim.base import Optimizer
from pellucid.parameter import Parameter


@dataclass(eq=False, repr=False)
class Adam(Optimizer):
    """Step along the mean gradient, divided by the root of the mean squared gradient::

        m ← β₁·m + (1 − β₁)·g,   s ← β₂·s + (1 − β₂)·g²
        w ← w − lr · (m / (1 − β₁ᵗ)) / (√(s / (1 − β₂ᵗ)) + ε)

    Weight decay is added to the gradient, ``g + λ·w``; for decoupled weight decay see `AdamW`.
    Source: Kingma and Ba, "Adam: a method for stochastic optimization", 2014, algorithm 1.

    Parameters
    ----------
    parameters
        Parameters to update: ``model.parameters()`` or ``model.named_parameters()``.
    lr
        Learning rate. Default: 0.001.
    weight_decay
        Factor λ of weight decay.
    decay_kinds
        Kinds of parameters that decay, of "weight", "bias" and "norm". Default: all.
    clip_norm
        Largest joint norm of the gradients, to which larger ones are scaled. Default: no limit.
    lr_factors
        Factors on the learning rate by kind of parameter or pattern of names. Default: none.
    lookahead, lookahead_rate
        Steps k and part α of Lookahead, see `Optimizer`. Default: no Lookahead; 0.5.
    betas
        Decay rates β₁ and β₂ of the two means, each in [0, 1). Default: (0.9, 0.999).
    eps
        ε, added to the denominator for numerical stability. Default: 1e-8.
    amsgrad
        Whether to use the largest s so far instead of s (Reddi et al. 2018). Default: False.

    Examples
    --------
    >>> import numpy as np
    >>> from pellucid.parameter import Parameter
    >>> w = Parameter("w", (2,), "ones")
    >>> w.add_gradient(np.array([1e-3, -1e3], np.float32))
    >>> Adam([w], lr=0.25).step()
    >>> w.value.round(4)
    array([0.75, 1.25], dtype=float32)
    """

    decoupled: ClassVar[bool] = False

    lr: float = 0.001
    betas: tuple[float, float] = (0.9, 0.999)
    eps: float = 1e-8
    amsgrad: bool = False

    def __post_init__(self) -> None:
        super().__post_init__()
        pair = len(self.betas) == 2 and all(0 <= beta < 1 for beta in self.betas)
        self._check("betas", pair, "two numbers from 0 to below 1")
        self._check("eps", self.eps >= 0, "not negative")

    def slots(self, parameter: Parameter) -> tuple[str, ...]:
        return ("exp_avg", "exp_avg_sq", *(("max_exp_avg_sq",) if self.amsgrad else ()))

    def update(
        self, values: Arrays, gradients: Arrays, state: State, decays: Sequence[float], lr: float
    ) -> None:
        engine.current().adam(
            values, gradients, state, decays,
            step=self.steps, lr=lr, betas=self.betas, eps=self.eps, decoupled=self.decoupled,
        )  # fmt: skip


@dataclass(eq=False, repr=False)
class AdamW(Adam):
    """Adam with decoupled weight decay: ``w ← w − lr·λ·w``, then the step of Adam.

    If the decay were added to the gradient, it would be divided by √s, so that weights with large
    gradients would hardly decay. Source: Loshchilov and Hutter, "Decoupled weight decay
    regularization", 2017, algorithm 2. The default of `weight_decay` is PyTorch's, 0.01.

    Examples
    --------
    >>> from pellucid.parameter import Parameter
    >>> w = Parameter("w", (1,), "ones")
    >>> AdamW([w], lr=0.5, weight_decay=0.1).step()
    >>> w.value
    array([0.95], dtype=float32)
    """

    decoupled: ClassVar[bool] = True

    weight_decay: float = field(default=0.01, kw_only=True)
