"""Check a reader's function: cases, laws, treatment of its input, type and speed."""

from __future__ import annotations

import inspect
from typing import Any

import numpy as np

from pellucid.teach import general
from pellucid.teach.diagnose import Trial, explain, part, trial
from pellucid.teach.exercise import Arguments, Case, Exercise, Function, Mistake
from pellucid.teach.lines import runs_within
from pellucid.teach.outcome import outcome, same
from pellucid.teach.result import Result
from pellucid.teach.shrink import shrink


def examine(exercise: Exercise, function: Function) -> Result:
    """Return the result of checking a reader's function."""
    if not _takes(function, exercise):
        return Result(exercise, mistakes=(general.OTHER_ARGUMENTS,))
    trials = [trial(exercise, function, c.says, _arguments(exercise, c)) for c in exercise.cases]
    failing = [i for i, t in enumerate(trials) if t.wrong]
    if failing:
        return _wrong(exercise, function, trials, failing[0])
    for t in trials:
        if t.got.overwritten:
            return Result(exercise, mistakes=(general.OVERWRITTEN,), overwritten=t.got.overwritten)
    if _remembers(exercise, function, trials[-1]):
        return Result(exercise, mistakes=(general.REMEMBERS,))
    tried = [f"{len(trials)} cases"]
    for law in exercise.laws:
        error = law.error(function)
        if not error <= law.allowed:
            return Result(exercise, broken=f"{law.says}; it is off by {error:.2g}")
        tried.append(f"{law.says} (to {error:.0e})")
    return _timed(exercise, function, tried, _remarks(exercise, function, trials[-1]))


def _timed(
    exercise: Exercise, function: Function, tried: list[str], remarks: tuple[Mistake, ...]
) -> Result:
    """Return the result for a correct function, which may still be slow."""
    if exercise.speed:
        case, lines = exercise.speed
        if runs_within(lines, function, _arguments(exercise, case)):
            tried.append("few lines of Python for many pixels")
        elif exercise.slow_passes:
            remarks = (*remarks, general.SLOW)
        else:
            said = f"it runs more than {lines:,} lines of Python for {_shapes(exercise, case)}"
            return Result(exercise, mistakes=(general.TOO_SLOW,), broken=said)
    return Result(exercise, tried=tuple(tried), remarks=remarks)


def _arguments(exercise: Exercise, case: Case) -> Arguments:
    found = exercise.arguments(case.sizes)
    if found is None:
        raise AssertionError(f"{exercise.name}: the case '{case.says}' has no arguments")
    return found


def _takes(function: Function, exercise: Exercise) -> bool:
    """Return whether the function can be called with the exercise's arguments."""
    try:
        signature = inspect.signature(function)
    except (TypeError, ValueError):  # a function of NumPy
        return callable(function)
    try:
        signature.bind(*_arguments(exercise, exercise.cases[0]))
    except TypeError:
        return False
    return True


def _wrong(exercise: Exercise, function: Function, trials: list[Trial], at: int) -> Result:
    first = trials[at]
    mistakes, certain = _named(exercise, trials, at)

    def fails(arguments: Arguments) -> bool:
        """Return whether the same error occurs in another case."""
        t = trial(exercise, function, "", arguments)
        if type(t.got.raised) is not type(first.got.raised) or (first.got.raised and not t.wrong):
            return False
        wrong = set(t.wrong) & set(first.wrong)
        variants = [variant for mistake in mistakes for variant in mistake.variants]
        if not variants or not certain:
            return bool(wrong)
        made = [outcome(exercise, v, arguments) for v in variants]
        return any(same(part(m, n), part(t.got, n)) for m in made for n in wrong)

    shaped = all(
        getattr(part(first.got, n), "shape", 0) == first.right[n].shape for n in first.wrong
    )
    found = shrink(exercise, exercise.cases[at].sizes, fails, numbers=shaped)
    small = trial(exercise, function, first.says, found)
    return Result(
        exercise, mistakes=tuple(mistakes), certain=certain, trial=small if small.wrong else first
    )


def _named(exercise: Exercise, trials: list[Trial], at: int) -> tuple[list[Mistake], bool]:
    """Return the mistakes, and whether they explain everything."""
    got = trials[at].got
    if isinstance(got.raised, NotImplementedError):
        return [general.NOT_WRITTEN], True
    if got.raised is None and got.returned is None:
        return [general.NOTHING_RETURNED], True
    if got.raised is None and got.parts is None:
        return [general.OTHER_RESULT], True
    found, certain = explain(exercise, trials)
    if not found and (overwritten := [t for t in trials if t.got.overwritten]):
        return [general.OVERWRITTEN], len(overwritten) == len(trials)
    return found, certain


def _remembers(exercise: Exercise, function: Function, t: Trial) -> bool:
    again = outcome(exercise, function, t.arguments)
    return any(not same(part(again, name), part(t.got, name)) for name in t.right)


def _remarks(exercise: Exercise, function: Function, t: Trial) -> tuple[Mistake, ...]:
    narrow = {name: _narrow(value) for name, value in t.arguments.items()}
    wanted = outcome(exercise, exercise, narrow).parts or {}
    got = outcome(exercise, function, narrow).parts or {}
    widened = any(
        value.dtype == np.float32
        and value.ndim
        and getattr(got.get(name), "dtype", None) == np.float64
        for name, value in wanted.items()
    )
    return (general.WIDENED,) if widened else ()


def _narrow(value: Any) -> Any:
    if isinstance(value, np.ndarray) and value.dtype == np.float64:
        return value.astype(np.float32)
    if isinstance(value, dict):
        return {name: _narrow(v) for name, v in value.items()}
    return value


def _shapes(exercise: Exercise, case: Case) -> str:
    arrays = _arguments(exercise, case).items()
    return ", ".join(f"{name} {v.shape}" for name, v in arrays if isinstance(v, np.ndarray))
