"""Run a function on a case: what it returns or raises, and whether it changes its input.

Results are converted to parts with names: a tuple has the parts that the exercise names, a
dictionary one part per key.
"""

from __future__ import annotations

import copy
import traceback
import warnings
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from pellucid.teach.exercise import Arguments, Exercise, Function
from pellucid.types import Array


@dataclass(frozen=True)
class Outcome:
    """The outcome of a call.

    Attributes
    ----------
    parts
        Returned values by name; None if they do not have the form that the exercise requires.
    returned
        The returned value itself.
    raised
        The exception that was raised instead.
    line
        The line that raised it.
    overwritten
        Names of the arguments that were changed.
    """

    parts: dict[str, Array] | None
    returned: Any = None
    raised: BaseException | None = None
    line: str = ""
    overwritten: tuple[str, ...] = ()


def outcome(exercise: Exercise, function: Function, arguments: Arguments) -> Outcome:
    """Call `function` with copies of the arguments, and return the outcome."""
    given = copy.deepcopy(arguments)
    try:
        with warnings.catch_warnings(), np.errstate(all="ignore"):
            warnings.simplefilter("ignore")
            returned = function(*given.values())
    except Exception as error:
        last = traceback.extract_tb(error.__traceback__)[-1]
        return Outcome(None, raised=error, line=f"line {last.lineno}: {last.line}")
    overwritten = tuple(name for name in arguments if not _equal(arguments[name], given[name]))
    return Outcome(parts(exercise, returned), returned, overwritten=overwritten)


def parts(exercise: Exercise, returned: Any) -> dict[str, Array] | None:
    """Return the parts of a result by name, or None if its form is not as required."""
    values = returned if isinstance(returned, tuple | list) and len(exercise.returns) > 1 else None
    if values is None:
        values = (returned,)
    if len(values) != len(exercise.returns):
        return None
    found: dict[str, Array] = {}
    for name, value in zip(exercise.returns, values, strict=True):
        named = value.items() if isinstance(value, Mapping) else (("", value),)
        for key, part in named:
            try:
                array = np.asarray(part)
            except ValueError:  # rows of different lengths
                return None
            if array.dtype.kind not in "biuf":
                return None
            found[f"{name}['{key}']" if key else name] = array
    return found


def same(a: Array | None, b: Array | None, tolerance: float = 1e-6) -> bool:
    """Return whether two results are equal up to rounding."""
    if a is None or b is None or a.shape != b.shape:
        return a is b
    return bool(np.allclose(a, b, rtol=tolerance, atol=tolerance * 1e-2, equal_nan=True))


def _equal(before: Any, after: Any) -> bool:
    if isinstance(before, Mapping):
        return before.keys() == after.keys() and all(_equal(before[k], after[k]) for k in before)
    if isinstance(before, list | tuple):
        return len(before) == len(after) and all(map(_equal, before, after))
    if isinstance(before, np.ndarray):
        return bool(np.array_equal(before, after, equal_nan=before.dtype.kind == "f"))
    return callable(before) or bool(before == after)
