"""Measure how far two arrays differ, and decide whether rounding explains it.

Programs that compute the same sums in another order differ by rounding: a few units in the last
place per operation, relative to the largest terms, growing through the layers. A wrong formula is
off by a thousandth or more. The bound lies between the two, in units of the type's precision ε
(1.2e-7 in float32, 2.2e-16 in float64)::

    max |a − b|  ≤  10⁴ · ε · max |b|

That is 1.2e-3 in float32 and 2.2e-12 in float64, where even a gradient that is off by a millionth
is found. Two frameworks agree on a quantity if it is within the bound in both types.

Rounding has one larger effect that is not an error: where a value is so close to the kink of an
activation function that rounding decides its side, its gradient is passed on in one framework and
not in the other. Such values are counted. If there are any, gradients are judged in float64 only.

Gradients that are 0 except for rounding (a bias before a batch normalisation) are measured against
a hundredth of the network's largest gradient.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np

from pellucid.interchange.compare.inspection import Inspection
from pellucid.types import Array

BOUND = 1e4
"""Largest relative difference that counts as rounding, in units of the type's precision."""

_FLOOR = 1e-2

TYPES = ("float32", "float64")


@dataclass(frozen=True)
class Difference:
    """The largest difference between two arrays.

    Attributes
    ----------
    absolute, relative
        ``max |a − b|``, and that divided by ``max |b|``.
    bound
        Largest `relative` that counts as rounding; infinite if the difference is not judged.
    """

    absolute: float
    relative: float
    bound: float

    @property
    def equal(self) -> bool:
        """Whether the difference is no more than rounding."""
        return self.relative <= self.bound


@dataclass(frozen=True)
class Row:
    """One quantity, compared in all frameworks.

    Attributes
    ----------
    kind
        ``outputs``, ``activation`` or ``gradient``.
    name
        Path of the layer, or name of the parameter.
    differences
        Difference between Pellucid and each other framework: ``differences[framework][dtype]``.
    """

    kind: str
    name: str
    differences: dict[str, dict[str, Difference]]

    def equal(self, framework: str) -> bool:
        """Return whether this framework agrees with Pellucid in every type."""
        return all(difference.equal for difference in self.differences[framework].values())


def difference(a: Array, b: Array, smallest: float = 0.0) -> Difference:
    """Return the largest difference between two arrays.

    Parameters
    ----------
    a, b
        Arrays of the same shape and type. If the shapes differ, or a value is not finite, the
        difference is infinite.
    smallest
        Least value by which the absolute difference is divided to get the relative one.

    Examples
    --------
    >>> difference(np.array([1.0, 2.0]), np.array([1.0, 2.0 + 1e-12])).equal
    True
    >>> difference(np.array([1.0, 2.0]), np.array([1.0, 2.002])).equal
    False
    """
    bound = BOUND * float(np.finfo(b.dtype).eps)
    if a.shape != b.shape or not np.isfinite(a).all() or not np.isfinite(b).all():
        return Difference(math.inf, math.inf, bound)
    absolute = float(np.abs(a - b).max(initial=0.0))
    size = max(float(np.abs(b).max(initial=0.0)), smallest)
    return Difference(absolute, absolute / size if size > 0 else absolute, bound)


Inspections = Mapping[str, Mapping[str, Inspection]]
"""What each framework computed: ``inspections[dtype][framework]``."""


def row_of(
    kind: str, name: str, inspections: Inspections, own: str, decided: Mapping[str, int]
) -> Row:
    """Compare one quantity; `decided` counts, by framework, the values on the other side of 0."""
    differences: dict[str, dict[str, Difference]] = {}
    for dtype, by_framework in inspections.items():
        for framework, inspection in by_framework.items():
            if framework == own:
                continue
            own_value, other = _array(by_framework[own], kind, name), _array(inspection, kind, name)
            if own_value is None or other is None:
                continue
            smallest = _FLOOR * _largest(inspection) if kind == "gradient" else 0.0
            found = difference(own_value, other, smallest)
            if kind == "gradient" and dtype == "float32" and decided[framework]:
                found = replace(found, bound=math.inf)
            differences.setdefault(framework, {})[dtype] = found
    return Row(kind, name, differences)


def rows_of(inspections: Inspections, own: str) -> list[Row]:
    """Compare the outputs, every layer's activations and every parameter's gradient."""
    first, decided = next(iter(inspections.values()))[own], decisions(inspections, own)
    names = [("outputs", "scores"), ("outputs", "loss")]
    names += [("activation", name) for name in first.activations]
    names += [("gradient", name) for name in first.gradients]
    return [row_of(kind, name, inspections, own, decided) for kind, name in names]


def decisions(inspections: Inspections, own: str) -> dict[str, int]:
    """Count, by framework, the float32 activations that are positive in only one of the two."""
    by_framework = inspections["float32"]
    own_activations = by_framework[own].activations
    return {
        framework: sum(
            int(np.count_nonzero((own_activations[name] > 0) != (value > 0)))
            for name, value in inspection.activations.items()
            if name in own_activations and own_activations[name].shape == value.shape
        )
        for framework, inspection in by_framework.items()
    }


def _array(inspection: Inspection, kind: str, name: str) -> Array | None:
    if kind == "outputs":
        scores = inspection.scores
        return scores if name == "scores" else np.array([inspection.loss], scores.dtype)
    return (inspection.activations if kind == "activation" else inspection.gradients).get(name)


def _largest(inspection: Inspection) -> float:
    return max(float(np.abs(value).max(initial=0.0)) for value in inspection.gradients.values())
