"""Adam and AdamW."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import ClassVar

from pellucid import engine
from pellucid.contract import Arrays, State
from pellucid.optim.base import Optimizer


@dataclass(eq=False, repr=False)
class Adam(Optimizer):
    """Each value's step is its mean gradient in units of that gradient's size::

        m ← β₁·m + (1 − β₁)·g,   s ← β₂·s + (1 − β₂)·g²
        w ← w − lr · (m / (1 − β₁ᵗ)) / (√(s / (1 − β₂ᵗ)) + ε)

    Weight decay is added to the gradient, ``g + λ·w``; see `AdamW` for the other way.
    Source: Kingma and Ba, "Adam: a method for stochastic optimization", 2014, algorithm 1.

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
    betas
        β₁ and β₂, each from 0 to below 1.
    eps
        ε, which keeps the quotient finite.
    amsgrad
        Whether the largest s so far takes the place of s (Reddi et al. 2018).

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

    def slots(self) -> tuple[str, ...]:
        return ("exp_avg", "exp_avg_sq", *(("max_exp_avg_sq",) if self.amsgrad else ()))

    def update(
        self, values: Arrays, gradients: Arrays, state: State, decays: Sequence[float]
    ) -> None:
        engine.current().adam(
            values, gradients, state, decays,
            step=self.steps, lr=self.lr, betas=self.betas, eps=self.eps, decoupled=self.decoupled,
        )  # fmt: skip


@dataclass(eq=False, repr=False)
class AdamW(Adam):
    """Adam with weight decay beside the gradient: ``w ← w − lr·λ·w``, then Adam's step.

    Added to the gradient, the decay would be divided by √s: weights with large gradients would
    hardly decay. Source: Loshchilov and Hutter, "Decoupled weight decay regularization", 2017,
    algorithm 2. Its default λ is PyTorch's, 0.01.

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
