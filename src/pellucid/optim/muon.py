"""Muon."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import ClassVar

from pellucid import engine, ops, reference
from pellucid.arguments import Size
from pellucid.contract import Arrays, State
from pellucid.optim.base import Optimizer
from pellucid.parameter import Parameter
from pellucid.types import Array


@dataclass(eq=False, repr=False)
class Muon(Optimizer):
    """Orthogonalise the momentum of each matrix of weights, and step along the result::

        v ← μ·v + g,   O ← U Vᵀ  where  g + μ·v = U S Vᵀ
        w ← w − lr·λ·w − lr·√max(1, rows / columns)·O

    The step changes all directions of the matrix equally, so that directions with small gradients
    learn too. A convolution's kernel (F, C, KH, KW) counts as the matrix (F, C·KH·KW). U Vᵀ is
    computed approximately, see `pellucid.reference.orthogonal`. Biases, normalisations and the
    weights that `adam_for` names are updated by AdamW with the rate `adam_lr`.

    Source: Jordan et al., "Muon: an optimizer for hidden layers in neural networks", 2024. The rule
    is PyTorch's ``torch.optim.Muon``, which only takes matrices, and computes in bfloat16.

    Parameters
    ----------
    parameters
        Parameters to update: ``model.parameters()`` or ``model.named_parameters()``.
    lr
        Learning rate of the matrices. Default: 0.02.
    weight_decay
        Factor λ of decoupled weight decay. Default: 0.
    decay_kinds
        Kinds of parameters that decay, of "weight", "bias" and "norm". Default: all.
    clip_norm
        Largest joint norm of the gradients, to which larger ones are scaled. Default: no limit.
    lr_factors
        Factors on the learning rate by kind of parameter or pattern of names. Default: none.
    lookahead, lookahead_rate
        Steps k and part α of Lookahead, see `Optimizer`. Default: no Lookahead; 0.5.
    momentum
        Momentum μ, in [0, 1). Default: 0.95.
    nesterov
        Whether to orthogonalise ``g + μ·v``, otherwise v. Default: True.
    iterations
        Number of Newton–Schulz iterations. Default: 5.
    unit_filters
        Whether to rescale each kernel before the step so that its filters have the mean square norm
        1, for convolutions whose scale has no effect because a normalisation follows. Default:
        False.
    adam_lr
        Learning rate of the parameters that AdamW updates; schedules change it like `lr`. Default:
        0.003.
    adam_betas
        Decay rates β₁ and β₂ of AdamW. Default: (0.9, 0.95).
    adam_for
        Patterns of the names of weights that AdamW updates, such as ``("head.*",)``. Default: none.

    Examples
    --------
    >>> import numpy as np
    >>> from pellucid.parameter import Parameter
    >>> w = Parameter("w", (2, 2), "zeros")
    >>> w.add_gradient(np.diag([1.0, 1e-2]).astype(np.float32))
    >>> Muon([w], lr=0.1).step()
    >>> w.value.round(2)
    array([[-0.07,  0.  ],
           [ 0.  , -0.07]], dtype=float32)
    """

    adam_eps: ClassVar[float] = 1e-8

    lr: float = 0.02
    momentum: float = 0.95
    nesterov: bool = True
    iterations: Size = 5
    unit_filters: bool = False
    adam_lr: float = 0.003
    adam_betas: tuple[float, float] = (0.9, 0.95)
    adam_for: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        super().__post_init__()
        self._check("momentum", 0 <= self.momentum < 1, "from 0 to below 1")
        self._check("adam_lr", self.adam_lr > 0, "positive")
        pair = len(self.adam_betas) == 2 and all(0 <= beta < 1 for beta in self.adam_betas)
        self._check("adam_betas", pair, "two numbers from 0 to below 1")

    def slots(self, parameter: Parameter) -> tuple[str, ...]:
        name = self._name(parameter)
        by_adam = any(fnmatchcase(name, pattern) for pattern in self.adam_for)
        if parameter.kind == "weight" and len(parameter.shape) > 1 and not by_adam:
            return ("momentum",)
        return ("exp_avg", "exp_avg_sq")

    def update(
        self, values: Arrays, gradients: Arrays, state: State, decays: Sequence[float], lr: float
    ) -> None:
        if "momentum" in state:
            reference.muon(
                values, gradients, state, decays,
                lr=lr, momentum=self.momentum, nesterov=self.nesterov, steps=self.iterations,
                unit_filters=self.unit_filters, product=_product,
            )  # fmt: skip
            return
        engine.current().adam(
            values, gradients, state, decays,
            step=self.steps, lr=self._adam_rate(lr), betas=self.adam_betas,
            eps=self.adam_eps, decoupled=True,
        )  # fmt: skip

    def rate_of(self, parameter: Parameter) -> float:
        rate = super().rate_of(parameter)
        return rate if "momentum" in self.slots(parameter) else self._adam_rate(rate)

    def _adam_rate(self, lr: float) -> float:
        """Return the rate of AdamW where that of the matrices is `lr`."""
        return self.adam_lr * (lr / self.base_lr)


def _product(a: Array, b: Array) -> Array:
    """Return the matrix product, with equal bits for any number of threads in the fast engine."""
    return ops.linear_input_gradient(a, b)
