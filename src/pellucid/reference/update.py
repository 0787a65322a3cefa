"""Update rules: how optimisers change parameters.

Each rule works in place on lists of contiguous arrays, one per parameter, in pieces that fit into
the processor's cache, so that the formulas can be written plainly and temporaries cost little.
`state` holds the optimiser's arrays by name; `decays` are the factors λ of weight decay; `step` is
the number t of the step, from 1 on. The formulas are PyTorch's.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from pellucid.contract import Arrays, State
from pellucid.reference.orthogonal import Product, orthogonalize
from pellucid.types import Array

_PIECE = 16384  # values


def sgd(
    values: Arrays,
    gradients: Arrays,
    state: State,
    decays: Sequence[float],
    *,
    lr: float,
    momentum: float,
    nesterov: bool,
) -> None:
    """Make a step of stochastic gradient descent; v is `momentum`, kept if μ ≠ 0::

        g ← g + λ·w
        v ← μ·v + g
        w ← w − lr·v            Nesterov: w ← w − lr·(g + μ·v)

    Source: Sutskever et al., "On the importance of initialization and momentum", 2013, sec. 2.
    """
    for decay, (w, g, v) in _pieces(decays, values, gradients, state.get("momentum")):
        change = _decayed(g, w, decay)
        if v is not None:
            g = change
            v *= momentum
            v += g
            change = g + momentum * v if nesterov else v
        w -= lr * change


def adam(
    values: Arrays,
    gradients: Arrays,
    state: State,
    decays: Sequence[float],
    *,
    step: int,
    lr: float,
    betas: tuple[float, float],
    eps: float,
    decoupled: bool,
) -> None:
    """Make a step of Adam, of AdamW if `decoupled`, of AMSGrad if `max_exp_avg_sq` is kept::

        g ← g + λ·w                         AdamW: w ← w − lr·λ·w
        m ← m + (1 − β₁)·(g − m)            `exp_avg`
        s ← β₂·s + (1 − β₂)·g²              `exp_avg_sq`; AMSGrad: its largest value so far below
        w ← w − lr · (m / (1 − β₁ᵗ)) / (√(s / (1 − β₂ᵗ)) + ε)

    m and s start at 0; the divisions correct the bias of the first steps.
    Source: Kingma and Ba, "Adam", 2014, algorithm 1; Loshchilov and Hutter, "Decoupled weight decay
    regularization", 2017, algorithm 2; Reddi et al., "On the convergence of Adam and beyond", 2018.
    """
    beta1, beta2 = betas
    rate = lr / (1 - beta1**step)
    correction = (1 - beta2**step) ** 0.5
    kept = (state.get(name) for name in ("exp_avg", "exp_avg_sq", "max_exp_avg_sq"))
    for decay, (w, g, m, s, top) in _pieces(decays, values, gradients, *kept):
        if decoupled:
            w *= 1 - lr * decay
        else:
            g = _decayed(g, w, decay)
        m += (1 - beta1) * (g - m)
        s *= beta2
        s += (1 - beta2) * g * g
        if top is not None:
            s = np.maximum(top, s, out=top)
        w -= rate * m / (np.sqrt(s) / correction + eps)


def rmsprop(
    values: Arrays,
    gradients: Arrays,
    state: State,
    decays: Sequence[float],
    *,
    lr: float,
    alpha: float,
    eps: float,
    momentum: float,
) -> None:
    """Make a step of RMSprop; centred if `grad_avg` is kept, with momentum μ if `momentum` is::

        g ← g + λ·w
        s ← α·s + (1 − α)·g²                `square_avg`
        m ← m + (1 − α)·(g − m)             `grad_avg`; centred: s − m² replaces s below
        v ← μ·v + g / (√s + ε)              `momentum`
        w ← w − lr·v

    Source: Tieleman and Hinton, "Lecture 6.5: rmsprop", 2012; Graves 2013, eq. 38 to 45.
    """
    kept = (state.get(name) for name in ("square_avg", "grad_avg", "momentum"))
    for decay, (w, g, s, m, v) in _pieces(decays, values, gradients, *kept):
        g = _decayed(g, w, decay)
        s *= alpha
        s += (1 - alpha) * g * g
        if m is not None:
            m += (1 - alpha) * (g - m)
            s = np.maximum(s - m * m, 0)  # rounding can make it slightly negative
        change = g / (np.sqrt(s) + eps)
        if v is not None:
            v *= momentum
            v += change
            change = v
        w -= lr * change


def adagrad(
    values: Arrays,
    gradients: Arrays,
    state: State,
    decays: Sequence[float],
    *,
    step: int,
    lr: float,
    lr_decay: float,
    eps: float,
) -> None:
    """Make a step of Adagrad, with a decaying learning rate::

        g ← g + λ·w
        s ← s + g²                          `sum`
        w ← w − lr / (1 + (t − 1)·lr_decay) · g / (√s + ε)

    Source: Duchi et al., "Adaptive subgradient methods", 2011, fig. 1.
    """
    rate = lr / (1 + (step - 1) * lr_decay)
    for decay, (w, g, s) in _pieces(decays, values, gradients, state["sum"]):
        g = _decayed(g, w, decay)
        s += g * g
        w -= rate * g / (np.sqrt(s) + eps)


def muon(
    values: Arrays,
    gradients: Arrays,
    state: State,
    decays: Sequence[float],
    *,
    lr: float,
    momentum: float,
    nesterov: bool,
    steps: int,
    unit_filters: bool,
    product: Product = np.matmul,
) -> None:
    """Make a step of Muon, which orthogonalises the momentum v of each weight as a matrix (F, …)::

        v ← μ·v + g                         `momentum`
        O ← orthogonalize(v)                Nesterov: orthogonalize(g + μ·v)
        w ← √F·w / ‖w‖                      only with `unit_filters`
        w ← w − lr·λ·w − lr·√max(1, rows / columns)·O

    Source: Jordan et al., "Muon: an optimizer for hidden layers in neural networks", 2024; the unit
    filters are those of Jordan's airbench.
    """
    kept = state["momentum"]
    for w, g, v, decay in zip(values, gradients, kept, decays, strict=True):
        v *= momentum
        v += g
        matrix = (g + momentum * v if nesterov else v).reshape(len(w), -1)
        change = orthogonalize(matrix, steps, product).reshape(w.shape)
        if unit_filters and w.ndim > 2:
            w *= len(w) ** 0.5 / (float(np.linalg.norm(w)) + 1e-7)
        if decay:
            w *= 1 - lr * decay
        rows, columns = matrix.shape
        w -= lr * max(1.0, rows / columns) ** 0.5 * change


def clip_norm(gradients: Arrays, largest: float) -> float:
    """Scale all gradients by ``min(1, largest / (‖g‖ + 10⁻⁶))``, and return their joint norm ‖g‖.

    Source: Pascanu et al., "On the difficulty of training recurrent neural networks", 2013,
    algorithm 1; the constant is PyTorch's.
    """
    squares = (
        np.square(g, dtype=np.float64).sum() for _, (g,) in _pieces([0] * len(gradients), gradients)
    )
    norm = float(np.sqrt(sum(squares)))
    scale = largest / (norm + 1e-6)
    if scale < 1:
        for g in gradients:
            g *= scale
    return norm


def are_finite(arrays: Arrays) -> bool:
    """Return whether every number in these arrays is finite.

    A sum is finite only if all its terms are, and it is one quick pass that needs no memory; only
    where it is not are the terms looked at, since finite terms may still add up to infinity.
    """
    with np.errstate(over="ignore", invalid="ignore"):
        return all(np.isfinite(a.sum()) or np.isfinite(a).all() for a in arrays)


def _decayed(g: Array, w: Array, decay: float) -> Array:
    return g + decay * w if decay else g


def _pieces(decays: Sequence[float], *lists: Arrays | None) -> Iterator[tuple[float, list[Any]]]:
    """Yield, for each parameter piece by piece, its decay and the corresponding views.

    For a list that is not kept, the views are None.
    """
    kept = [[None] * len(decays) if arrays is None else arrays for arrays in lists]
    for decay, first, *others in zip(decays, *kept, strict=True):
        flat = [None if array is None else array.reshape(-1) for array in (first, *others)]
        for start in range(0, first.size, _PIECE):
            piece = slice(start, start + _PIECE)
            yield decay, [None if array is None else array[piece] for array in flat]
