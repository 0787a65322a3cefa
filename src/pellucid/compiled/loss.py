"""Losses, compiled: one pass, where NumPy makes ten over arrays that may be tiny."""

from typing import Any

import numpy as np

from pellucid.compiled.arithmetic import choose, either, tile_sum, unequal
from pellucid.compiled.fallback import reference
from pellucid.compiled.functions import (
    exponential,
    larger,
    logarithm_of_1_plus,
    logistic,
    smaller,
)
from pellucid.compiled.jit import jit_serial, jit_sized
from pellucid.compiled.parallel import share_of
from pellucid.compiled.tile import LANES, live_lanes, load_run, store_tile
from pellucid.types import Array

_VECTORS = 2
_WIDTH = _VECTORS * LANES
_RUN = 64 * _WIDTH  # numbers whose loss is added up apart: the same for any number of threads


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


def mean_squared_error(y: Array, t: Array, a: Array) -> tuple[float, Array]:
    """Return ``L = Σ a·(y − t)²`` and ``∂L/∂y = 2a·(y − t)``; a is broadcast to y's shape."""
    return _elementwise(_mean_squared_error, y.size, y, t, a)


def binary_cross_entropy(z: Array, t: Array, a: Array) -> tuple[float, Array]:
    """Return ``L = −Σ a·(t·log σ(z) + (1 − t)·log(1 − σ(z)))`` and ``∂L/∂z = a·(σ(z) − t)``."""
    return _elementwise(_binary_cross_entropy, 4 * z.size, z, t, a)


def _elementwise(kernel: Any, work: int, y: Array, t: Array, a: Array) -> tuple[float, Array]:
    """Return the loss and its gradient; the numbers may lie in any order, all in the same."""
    gradient, targets, factors = np.empty_like(y), np.empty_like(y), np.empty_like(y)
    targets[...], factors[...] = t, a
    sums = np.zeros(-(-y.size // _RUN))
    flat = (each.ravel(order="K") for each in (y, targets, factors, gradient))
    kernel(work, *flat, sums)
    return float(sums.sum()), gradient


@jit_sized
def _mean_squared_error(mine, y, t, a, gradient, sums):
    """Write the gradient, and the loss of each run of numbers."""
    for run in share_of(mine, len(sums)):
        for i in range(run * _RUN, min((run + 1) * _RUN, len(y)), _WIDTH):
            lanes = live_lanes(len(y) - i, _VECTORS)
            off = load_run(y, i, _VECTORS, lanes) - load_run(t, i, _VECTORS, lanes)
            slope = load_run(a, i, _VECTORS, lanes) * off
            store_tile(slope + slope, gradient, i, 0, 1, lanes)
            sums[run] += tile_sum(slope * off)


@jit_sized
def _binary_cross_entropy(mine, z, t, a, gradient, sums):
    """Write the gradient, and the loss of each run of numbers.

    ``(1 − t)·max(z, 0) − t·min(z, 0) + log(1 + exp(−|z|))`` does not overflow. Where a or t is 0,
    an infinite z is without effect.
    """
    for run in share_of(mine, len(sums)):
        for i in range(run * _RUN, min((run + 1) * _RUN, len(z)), _WIDTH):
            lanes = live_lanes(len(z) - i, _VECTORS)
            x, one = load_run(z, i, _VECTORS, lanes), load_run(t, i, _VECTORS, lanes)
            factor, none = load_run(a, i, _VECTORS, lanes), 1.0 - one
            store_tile(factor * (logistic(x) - one), gradient, i, 0, 1, lanes)
            above = choose(none > 0.0, none * larger(x, 0.0), 0.0)
            below = choose(one > 0.0, one * smaller(x, 0.0), 0.0)
            loss = above - below + logarithm_of_1_plus(exponential(-abs(x)))
            counts = either(factor > 0.0, unequal(loss, loss))
            sums[run] += tile_sum(choose(counts, factor * loss, 0.0))
