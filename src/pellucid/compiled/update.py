"""Update rules, compiled: one pass over each parameter. The reference engine has the formulas."""

from typing import Any

import numba
import numpy as np

from pellucid import reference
from pellucid.compiled.jit import jit_sized

_PIECE = 16384  # values


def sgd(values: Any, gradients: Any, state: Any, decays: Any, **options: Any) -> None:
    """Stochastic gradient descent with momentum."""
    lists = (values, gradients, state.get("momentum"))
    if lists[2] is None or not _all_float32(lists):
        reference.sgd(values, gradients, state, decays, **options)
        return
    lr, momentum = np.float32(options["lr"]), np.float32(options["momentum"])
    for decay, w, g, v in zip(decays, *lists, strict=True):
        _sgd(w.size, *_flat(w, g, v), np.float32(decay), lr, momentum, options["nesterov"])


def adam(values: Any, gradients: Any, state: Any, decays: Any, **options: Any) -> None:
    """Adam and AdamW; AMSGrad is the reference's."""
    lists = (values, gradients, state.get("exp_avg"), state.get("exp_avg_sq"))
    if "max_exp_avg_sq" in state or not _all_float32(lists):
        reference.adam(values, gradients, state, decays, **options)
        return
    beta1, beta2 = options["betas"]
    step, lr = options["step"], options["lr"]
    numbers = (
        lr,
        lr / (1 - beta1**step),
        1 / (1 - beta2**step) ** 0.5,
        1 - beta1,
        beta2,
        1 - beta2,
        options["eps"],
    )
    given = [np.float32(number) for number in numbers]
    for decay, w, g, m, s in zip(decays, *lists, strict=True):
        _adam(w.size, *_flat(w, g, m, s), np.float32(decay), *given, options["decoupled"])


@jit_sized
def _sgd(work, w, g, v, decay, lr, momentum, nesterov):
    for piece in numba.prange(-(-w.size // _PIECE)):
        for i in range(piece * _PIECE, min((piece + 1) * _PIECE, w.size)):
            change = g[i] + decay * w[i]
            v[i] = momentum * v[i] + change
            w[i] -= lr * (change + momentum * v[i] if nesterov else v[i])


@jit_sized
def _adam(work, w, g, m, s, decay, lr, rate, correction, rest1, beta2, rest2, eps, decoupled):
    for piece in numba.prange(-(-w.size // _PIECE)):
        for i in range(piece * _PIECE, min((piece + 1) * _PIECE, w.size)):
            change = g[i]
            if decoupled:
                w[i] *= np.float32(1) - lr * decay
            else:
                change += decay * w[i]
            m[i] += rest1 * (change - m[i])
            s[i] = beta2 * s[i] + rest2 * change * change
            w[i] -= rate * m[i] / (np.sqrt(s[i]) * correction + eps)


def _all_float32(lists: Any) -> bool:
    return all(
        array.dtype == np.float32 and array.flags.c_contiguous
        for arrays in lists
        for array in arrays
    )


def _flat(*arrays: Any) -> Any:
    return (array.reshape(-1) for array in arrays)
