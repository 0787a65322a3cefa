"""How far two arrays are apart, and whether that is rounding.

Two programs that compute the same sums in another order differ by rounding. What rounding can do is
a few units in the last place for each operation, relative to the largest terms; through many layers
it grows. A wrong formula is off by parts of a thousand or more. Between the two lies much room, and
the bound is put there, in units of the type's precision ε (1.2e-7 in float32, 2.2e-16 in float64)::

    max |a − b|  ≤  10⁴ · ε · max |b|

In float64 that is 2.2e-12, and even a gradient that is off by a millionth is found. In float32 it
is 1.2e-3. A row is right where both types are within their bounds.

One thing is more than rounding and no mistake: an activation function has a kink, and where a value
lies so near to it that rounding decides on which side it falls, its gradient is passed on or not,
as if by chance. Such decisions are counted. Where one has fallen otherwise, gradients are not
judged in float32, but in float64 alone.

Gradients that are 0 but for rounding (a bias before a batch normalisation) are measured against
a hundredth of the network's largest gradient.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np

from pellucid.interchange.compare.look import Look
from pellucid.types import Array

BOUND = 1e4
"""In units of the type's precision."""

_FLOOR = 1e-2

TYPES = ("float32", "float64")


@dataclass(frozen=True)
class Difference:
    """The largest one between two arrays.

    Attributes
    ----------
    absolute, relative
        ``max |a − b|``, and that divided by ``max |b|``.
    bound
        What `relative` may be; infinite where it is not judged.
    """

    absolute: float
    relative: float
    bound: float

    @property
    def equal(self) -> bool:
        """Whether it is rounding."""
        return self.relative <= self.bound


@dataclass(frozen=True)
class Row:
    """One quantity in all frameworks.

    Attributes
    ----------
    kind
        ``outputs``, ``activation`` or ``gradient``.
    name
        The layer's path or the parameter's.
    differences
        From ours, by framework and by type.
    """

    kind: str
    name: str
    differences: dict[str, dict[str, Difference]]

    def equal(self, framework: str) -> bool:
        """Whether this framework computes the same as we do."""
        return all(difference.equal for difference in self.differences[framework].values())


def difference(ours: Array, theirs: Array, smallest: float = 0.0) -> Difference:
    """Return how far two arrays are apart.

    Parameters
    ----------
    ours, theirs
        Of the same shape and type.
    smallest
        What the difference is at least divided by.

    Examples
    --------
    >>> difference(np.array([1.0, 2.0]), np.array([1.0, 2.0 + 1e-12])).equal
    True
    >>> difference(np.array([1.0, 2.0]), np.array([1.0, 2.002])).equal
    False
    """
    bound = BOUND * float(np.finfo(theirs.dtype).eps)
    if ours.shape != theirs.shape or not np.isfinite(ours).all() or not np.isfinite(theirs).all():
        return Difference(math.inf, math.inf, bound)
    absolute = float(np.abs(ours - theirs).max(initial=0.0))
    size = max(float(np.abs(theirs).max(initial=0.0)), smallest)
    return Difference(absolute, absolute / size if size > 0 else absolute, bound)


Looks = Mapping[str, Mapping[str, Look]]
"""By type, then by framework."""


def row_of(kind: str, name: str, looks: Looks, ours: str, decided: Mapping[str, int]) -> Row:
    """Return one row; `decided` says how many decisions fell otherwise, by framework."""
    differences: dict[str, dict[str, Difference]] = {}
    for dtype, by_framework in looks.items():
        for framework, look in by_framework.items():
            if framework == ours:
                continue
            mine, other = _array(by_framework[ours], kind, name), _array(look, kind, name)
            if mine is None or other is None:
                continue
            smallest = _FLOOR * _largest(look) if kind == "gradient" else 0.0
            found = difference(mine, other, smallest)
            if kind == "gradient" and dtype == "float32" and decided[framework]:
                found = replace(found, bound=math.inf)
            differences.setdefault(framework, {})[dtype] = found
    return Row(kind, name, differences)


def rows_of(looks: Looks, ours: str) -> list[Row]:
    """Return all rows: the outputs, every layer, every parameter."""
    first, decided = next(iter(looks.values()))[ours], decisions(looks, ours)
    names = [("outputs", "scores"), ("outputs", "loss")]
    names += [("activation", name) for name in first.activations]
    names += [("gradient", name) for name in first.gradients]
    return [row_of(kind, name, looks, ours, decided) for kind, name in names]


def decisions(looks: Looks, ours: str) -> dict[str, int]:
    """Return how many values of float32 are positive here and not there, by framework."""
    by_framework = looks["float32"]
    mine = by_framework[ours].activations
    return {
        framework: sum(
            int(np.count_nonzero((mine[name] > 0) != (value > 0)))
            for name, value in look.activations.items()
            if name in mine and mine[name].shape == value.shape
        )
        for framework, look in by_framework.items()
    }


def _array(look: Look, kind: str, name: str) -> Array | None:
    if kind == "outputs":
        scores = look.scores
        return scores if name == "scores" else np.array([look.loss], scores.dtype)
    return (look.activations if kind == "activation" else look.gradients).get(name)


def _largest(look: Look) -> float:
    return max(float(np.abs(value).max(initial=0.0)) for value in look.gradients.values())
