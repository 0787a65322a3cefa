"""Run a model over the shards of a batch layer by layer, with batch statistics of all shards.

Batch normalisation then computes the same as for the whole batch. All other layers compute each
shard by itself. Shards may be distributed among processes: then all processes reach each batch
normalisation together and share their shards' sums.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from pellucid import ops
from pellucid.errors import PellucidError
from pellucid.layers import (
    BatchNorm1d,
    BatchNorm2d,
    Concat,
    Graph,
    Layer,
    Residual,
    Sequential,
    StepContext,
)
from pellucid.ops.normalization import check_statistics
from pellucid.parameter import Parameter
from pellucid.types import Array

Share = Callable[[Array], Array]
"""Function from the rows (s, L) of this process's shards to the rows of all shards (S, L)."""

Gradients = list[dict[Parameter, Array]]
"""The gradients of the parameters, for each shard."""

_COMBINATORS = (Sequential, Residual, Concat, Graph)
_NORMS = (BatchNorm1d, BatchNorm2d)


class Lockstep:
    """Runs a model over several shards at once; see this module.

    Parameters
    ----------
    model
        The model.
    share
        Function that shares rows of numbers among processes. By default all shards are here.

    Raises
    ------
    PellucidError
        A layer of the user's own contains a batch normalisation, whose statistics would be those
        of a shard.
    """

    def __init__(self, model: Layer, share: Share = lambda rows: rows) -> None:
        self._share = share
        self._wires: list[tuple[Layer, tuple[int, ...]]] = []
        self._inputs = model.inputs or 1
        self._outputs = self._flatten(model, tuple(range(self._inputs)))
        self._learned: set[int] = set()  # values that depend on a parameter
        for number, (layer, reads) in enumerate(self._wires, start=self._inputs):
            if layer.learns() or self._learned & set(reads):
                self._learned.add(number)

    def _flatten(self, layer: Layer, reads: tuple[int, ...]) -> tuple[int, ...]:
        """Append the layers inside, in order, and return the numbers of the outputs."""
        wiring = layer.wiring() if type(layer) in _COMBINATORS else None
        if wiring is None:
            known = type(layer) in _NORMS
            if not known and any(isinstance(each, BatchNorm2d) for _, each in layer.walk()):
                raise PellucidError(
                    f"batch statistics cannot be shared inside {type(layer).__name__}, which is "
                    "not a layer of Pellucid"
                )
            self._wires.append((layer, reads))
            return (self._inputs + len(self._wires) - 1,)
        values = list(reads)
        for wire in wiring.wires:
            values += self._flatten(wire.layer, tuple(values[i] for i in wire.reads))
        return tuple(values[i] for i in wiring.outputs)

    def forward(self, xs: Sequence[Any], steps: Sequence[StepContext]) -> tuple[list[Any], Any]:
        """Return the outputs of all shards, and the cache that `backward` needs."""
        values: list[list[Any]] = [list(xs)]
        if self._inputs > 1:
            values = [[x[i] for x in xs] for i in range(self._inputs)]
        caches = []
        for layer, reads in self._wires:
            given = _gathered(values, layer, reads, len(xs))
            if isinstance(layer, BatchNorm2d):
                ys, cache = self._normalized(layer, given, steps)
            else:
                pairs = [layer.forward(x, step) for x, step in zip(given, steps, strict=True)]
                ys, cache = [y for y, _ in pairs], [kept for _, kept in pairs]
            values.append(ys)
            caches.append(cache)
        found = [values[i] for i in self._outputs]
        return (found[0] if len(found) == 1 else list(zip(*found, strict=True))), caches

    def backward(self, dys: Sequence[Any], caches: list[Any]) -> Gradients:
        """Return the gradients of each shard. Those of the parameters themselves become 0."""
        count, found = len(dys), [dict[Parameter, Array]() for _ in dys]
        parts = list(zip(*dys, strict=True)) if len(self._outputs) > 1 else [dys]
        gradients: dict[int, list[Any]] = {}
        for number, part in zip(self._outputs, parts, strict=True):
            _add(gradients, number, list(part))
        for i, (layer, reads) in reversed(list(enumerate(self._wires))):
            dy, cache = gradients.pop(self._inputs + i, None), caches.pop()
            if dy is None or self._inputs + i not in self._learned:
                continue  # no output, or no parameter, depends on this layer
            needed = bool(self._learned & set(reads))
            if isinstance(layer, BatchNorm2d):
                dxs = self._normalized_gradient(layer, dy, cache, found)
            else:
                dxs = []
                for shard in range(count):
                    dxs.append(layer.backward(dy[shard], cache[shard], input_gradient=needed))
                    _collect(layer, found[shard])
            for position, source in enumerate(reads):
                if needed and source >= self._inputs:
                    one = layer.inputs == 1
                    _add(gradients, source, dxs if one else [dx[position] for dx in dxs])
        return found

    # Batch normalisation

    def _normalized(
        self, norm: BatchNorm2d, xs: list[Array], steps: Sequence[StepContext]
    ) -> tuple[list[Array], Any]:
        """Normalise with the mean and variance of all shards.

        With nₛ values per channel, mean mₛ and sum of squared deviations qₛ of each shard::

            n = Σ nₛ    mean = Σ nₛ·mₛ / n    var = Σ (qₛ + nₛ·(mₛ − mean)²) / n

        Source: Chan, Golub and LeVeque, "Updating formulae and a pairwise algorithm for computing
        sample variances", 1979, eq. 2.1.
        """
        rows = np.empty((len(xs), 1 + 2 * norm.num_features))
        for row, x in zip(rows, xs, strict=True):
            norm.output_shape(x.shape)
            mean = x.mean(axis=_axes(x), dtype=np.float64)
            squares = np.square(x - _wide(mean, x)).sum(axis=_axes(x))
            row[:] = np.concatenate([[x.size // x.shape[1]], mean, squares])
        count, means, squares = np.split(self._share(rows), [1, 1 + norm.num_features], axis=1)
        n = count.sum()
        if n < 2:
            check_statistics(xs[0])
        mean = (count * means).sum(axis=0) / n
        var = (squares + count * np.square(means - mean)).sum(axis=0) / n
        weight, bias = norm.affine_values()
        ys = []
        for x, step in zip(xs, steps, strict=True):
            rounded = mean.astype(x.dtype), var.astype(x.dtype)
            norm.update_statistics(step, *rounded, int(n))
            ys.append(ops.batch_norm(x, weight, bias, *rounded, norm.eps))
        return ys, (xs, mean, 1 / np.sqrt(var + norm.eps), n)

    def _normalized_gradient(
        self, norm: BatchNorm2d, dys: list[Array], cache: Any, found: Gradients
    ) -> list[Array]:
        """Return the gradients for the shards' inputs, with sums over all shards.

        ::

            dx = s·w·(dy − Σ dy / n − x̂·Σ dy·x̂ / n)    x̂ = s·(x − mean)    s = 1/√(var + eps)
        """
        xs, mean, scale, n = cache
        standardized = [((x - _wide(mean, x)) * _wide(scale, x)).astype(x.dtype) for x in xs]
        rows = np.empty((len(xs), 2 * norm.num_features))
        for shard, (dy, z) in enumerate(zip(dys, standardized, strict=True)):
            sums = [part.sum(axis=_axes(dy), dtype=np.float64) for part in (dy, dy * z)]
            rows[shard] = np.concatenate(sums)
            norm.add_gradients(sums[1].astype(dy.dtype), sums[0].astype(dy.dtype))
            _collect(norm, found[shard])
        mean_dy, mean_dyz = np.split(self._share(rows).sum(axis=0) / n, 2)
        weight, _ = norm.affine_values()
        factor = scale if weight is None else scale * weight
        return [
            ((dy - _wide(mean_dy, dy) - z * _wide(mean_dyz, dy)) * _wide(factor, dy)).astype(
                dy.dtype
            )
            for dy, z in zip(dys, standardized, strict=True)
        ]


def _gathered(
    values: list[list[Any]], layer: Layer, reads: tuple[int, ...], shards: int
) -> list[Any]:
    """Return the input of a layer for each shard: one value, or a tuple."""
    if layer.inputs == 1:
        return values[reads[0]]
    return [tuple(values[i][shard] for i in reads) for shard in range(shards)]


def _add(gradients: dict[int, list[Any]], number: int, added: list[Any]) -> None:
    known = gradients.get(number)
    pairs = [] if known is None else zip(known, added, strict=True)
    gradients[number] = added if known is None else [a + b for a, b in pairs]


def _collect(layer: Layer, found: dict[Parameter, Array]) -> None:
    """Move the gradients of a layer's parameters to those of a shard."""
    for parameter in layer.parameters():
        gradient = parameter.grad
        found[parameter] = found[parameter] + gradient if parameter in found else gradient.copy()
        parameter.zero_grad()


def _axes(x: Array) -> tuple[int, ...]:
    return (0, *range(2, x.ndim))


def _wide(numbers: Array, x: Array) -> Array:
    """Return numbers (C,) in a shape that applies to the channels of x."""
    return numbers.reshape(-1, *(1,) * (x.ndim - 2))
