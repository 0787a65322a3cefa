"""Cross entropy, compiled: one pass, where NumPy makes ten over arrays that may be tiny."""

import numpy as np

from pellucid.compiled.fallback import reference
from pellucid.compiled.jit import jit_serial
from pellucid.types import Array


def cross_entropy(z: Array, a: Array) -> tuple[float, Array]:
    """Return ``L = −Σ aₙₖ·log pₙₖ`` with p = softmax(z) and its gradient, for z and a (N, K)."""
    if z.ndim != 2 or not z.T.flags.c_contiguous:
        return reference.cross_entropy(z, a)
    gradient = np.empty_like(z)
    return _cross_entropy(z.T, np.ascontiguousarray(a.T), gradient.T), gradient


@jit_serial
def _cross_entropy(z, a, gradient):
    """``log pₖ = zₖ − m − log Σ exp(zⱼ − m)``, ``∂L/∂zₖ = pₖ·Σ aⱼ − aₖ``, for z and a (K, N)."""
    K, N = z.shape
    total = 0.0
    for n in range(N):
        largest, powers, shares = z[0, n], np.float32(0), np.float32(0)
        for k in range(K):
            largest = max(largest, z[k, n])
        for k in range(K):
            powers += np.exp(z[k, n] - largest)
            shares += a[k, n]
        log_sum = np.log(powers)
        for k in range(K):
            log_p = z[k, n] - largest - log_sum
            gradient[k, n] = np.exp(log_p) * shares - a[k, n]
            if a[k, n] != 0 or log_p != -np.inf:  # 0·log 0 is 0
                total -= np.float64(a[k, n] * log_p)
    return total
