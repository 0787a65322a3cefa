"""Update rules, compiled: one pass over all parameters. The reference engine has the formulas."""

from collections.abc import Sequence

import numpy as np

from pellucid.compiled.fallback import reference
from pellucid.compiled.jit import jit_serial, jit_sized_update
from pellucid.compiled.multi_tensor import array_at, table
from pellucid.compiled.parallel import share_of
from pellucid.contract import Arrays, State

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
    """Stochastic gradient descent with momentum; without, it is the reference's."""
    found = table(values, gradients, state["momentum"]) if "momentum" in state else None
    if found is None:
        reference.sgd(values, gradients, state, decays, lr=lr, momentum=momentum, nesterov=nesterov)
        return
    numbers = np.array(decays, np.float32), np.float32(lr), np.float32(momentum)
    _sgd(found.starts[-1], *found, *numbers, nesterov)


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
    """Adam and AdamW; AMSGrad is the reference's."""
    found = table(values, gradients, state["exp_avg"], state["exp_avg_sq"])
    if "max_exp_avg_sq" in state or found is None:
        reference.adam(
            values, gradients, state, decays,
            step=step, lr=lr, betas=betas, eps=eps, decoupled=decoupled,
        )  # fmt: skip
        return
    beta1, beta2 = betas
    numbers = (
        lr,
        lr / (1 - beta1**step),
        1 / (1 - beta2**step) ** 0.5,
        1 - beta1,
        beta2,
        1 - beta2,
        eps,
    )
    given = [np.float32(number) for number in numbers]
    _adam(found.starts[-1], *found, np.array(decays, np.float32), *given, decoupled)


def are_finite(arrays: Arrays) -> bool:
    """Return whether every number in these arrays is finite."""
    found = table(arrays)
    return reference.are_finite(arrays) if found is None else bool(_sum_of_zeros(*found) == 0)


@jit_sized_update
def _sgd(mine, starts, addresses, decays, lr, momentum, nesterov):
    """A step of `sgd` for the arrays of a `Table`: values, gradients and momenta."""
    total = starts[len(decays)]
    for piece in share_of(mine, -(-total // _PIECE)):
        begin, end = piece * _PIECE, min((piece + 1) * _PIECE, total)
        for k in range(len(decays)):
            size, decay = starts[k + 1] - starts[k], decays[k]
            w, g = array_at(addresses[0, k], size), array_at(addresses[1, k], size)
            v = array_at(addresses[2, k], size)
            for i in range(max(begin - starts[k], 0), min(end - starts[k], size)):
                change = g[i] + decay * w[i]
                v[i] = momentum * v[i] + change
                w[i] -= lr * (change + momentum * v[i] if nesterov else v[i])


@jit_sized_update
def _adam(
    mine, starts, addresses, decays, lr, rate, correction, rest1, beta2, rest2, eps, decoupled
):
    """A step of `adam` for the arrays of a `Table`: values, gradients, first and second moments."""
    total = starts[len(decays)]
    for piece in share_of(mine, -(-total // _PIECE)):
        begin, end = piece * _PIECE, min((piece + 1) * _PIECE, total)
        for k in range(len(decays)):
            size, decay = starts[k + 1] - starts[k], decays[k]
            w, g = array_at(addresses[0, k], size), array_at(addresses[1, k], size)
            m, s = array_at(addresses[2, k], size), array_at(addresses[3, k], size)
            for i in range(max(begin - starts[k], 0), min(end - starts[k], size)):
                change = g[i]
                if decoupled:
                    w[i] *= np.float32(1) - lr * decay
                else:
                    change += decay * w[i]
                m[i] += rest1 * (change - m[i])
                s[i] = beta2 * s[i] + rest2 * change * change
                w[i] -= rate * m[i] / (np.sqrt(s[i]) * correction + eps)


@jit_serial
def _sum_of_zeros(starts, addresses):
    """Return Σ 0·x: 0 for numbers, and NaN as soon as one is NaN or infinite."""
    total = np.float32(0)
    for k in range(addresses.shape[1]):
        x = array_at(addresses[0, k], starts[k + 1] - starts[k])
        for i in range(x.size):
            total += np.float32(0) * x[i]
    return total
