"""Learning-rate schedules as functions of the step.

A schedule is called with the number of a step, from 0 on, and the total number of steps, and
returns the factor on the optimiser's base rate. Arguments that are a number of steps may be an int,
or a float for a share of all steps. Schedules have no state, so a run can be resumed at any step.
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, ClassVar

from pellucid import descriptions
from pellucid.arguments import check_fields
from pellucid.errors import PellucidError, unknown
from pellucid.notebook import Shown

__all__ = [
    "SCHEDULES",
    "Constant",
    "Cosine",
    "Exponential",
    "Linear",
    "OneCycle",
    "Schedule",
    "Step",
    "Steps",
    "Warmup",
    "build",
    "chosen",
    "parse",
]


def __dir__() -> list[str]:
    return __all__


Steps = int | float


class Schedule(Shown, ABC):
    """Base class of schedules: ``factor = schedule(step, total_steps)``."""

    shown_as: ClassVar[str] = "schedule"

    def __post_init__(self) -> None:
        """Check the arguments against their annotations; called by the dataclass's `__init__`."""
        check_fields(self)

    @abstractmethod
    def __call__(self, step: int, total_steps: int) -> float:
        """Return the factor on the base rate in step `step` of 0, …, total_steps − 1."""

    def describe(self) -> dict[str, Any]:
        """Return the schedule as plain data; `schedules.build` rebuilds it."""
        return descriptions.describe(self)


@dataclass(frozen=True)
class Constant(Schedule):
    """Keep the rate constant: the factor is always 1.

    >>> Constant()(7, 100)
    1.0
    """

    def __call__(self, step: int, total_steps: int) -> float:
        return 1.0


@dataclass(frozen=True)
class Step(Schedule):
    """Multiply the rate by `gamma` every `every` steps: ``gamma^⌊step / every⌋``.

    >>> [round(Step(0.3)(step, 10), 6) for step in (0, 2, 3, 6, 9)]
    [1.0, 1.0, 0.1, 0.01, 0.001]
    """

    every: Steps = 1 / 3
    gamma: float = 0.1

    def __post_init__(self) -> None:
        super().__post_init__()
        _check_steps("Step", "every", self.every)
        if not 0 < self.gamma <= 1:
            raise PellucidError(f"Step needs gamma above 0, up to 1, not {self.gamma!r}")

    def __call__(self, step: int, total_steps: int) -> float:
        return float(self.gamma ** (step // _count(self.every, total_steps)))


@dataclass(frozen=True)
class Exponential(Schedule):
    """Decay exponentially from 1 to `final`: ``final^(step / total)``.

    >>> Exponential(final=0.01)(50, 100)
    0.1
    """

    final: float = 0.01

    def __post_init__(self) -> None:
        super().__post_init__()
        if not 0 < self.final <= 1:
            raise PellucidError(f"Exponential needs final above 0, up to 1, not {self.final!r}")

    def __call__(self, step: int, total_steps: int) -> float:
        return float(self.final ** (step / total_steps))


@dataclass(frozen=True)
class Cosine(Schedule):
    """Decay along half a cosine wave: ``final + (1 − final)·(1 + cos(π·step/total))/2``.

    Source: Loshchilov and Hutter, "SGDR", 2016, eq. 5, without restarts.

    >>> round(Cosine()(25, 100), 4)
    0.8536
    """

    final: float = 0.0

    def __post_init__(self) -> None:
        super().__post_init__()
        if not 0 <= self.final <= 1:
            raise PellucidError(f"Cosine needs final from 0 to 1, not {self.final!r}")

    def __call__(self, step: int, total_steps: int) -> float:
        return _half_wave(1.0, self.final, step / total_steps)


@dataclass(frozen=True)
class Linear(Schedule):
    """Decay along a straight line: ``1 − (1 − final)·step / total``.

    >>> [round(Linear(final=0.2)(step, 4), 6) for step in (0, 1, 2, 3)]
    [1.0, 0.8, 0.6, 0.4]
    """

    final: float = 0.0

    def __post_init__(self) -> None:
        super().__post_init__()
        if not 0 <= self.final <= 1:
            raise PellucidError(f"Linear needs final from 0 to 1, not {self.final!r}")

    def __call__(self, step: int, total_steps: int) -> float:
        return 1 - (1 - self.final) * step / total_steps


@dataclass(frozen=True)
class OneCycle(Schedule):
    """Increase from ``1/start_division`` to 1 along half a cosine wave, then decrease to almost 0.

    Source: Smith, "A disciplined approach to neural network hyper-parameters", 2018. The form and
    the defaults are PyTorch's, where the base rate is called `max_lr`.

    Parameters
    ----------
    peak
        Share of the steps after which the rate is highest. Default: 0.3.
    start_division
        Ratio of the highest rate to the first. Default: 25.
    final_division
        Ratio of the first rate to the last. Default: 10000.

    Examples
    --------
    >>> cycle = OneCycle(peak=0.3)
    >>> [round(cycle(step, 100), 6) for step in (0, 29, 99)]
    [0.04, 1.0, 4e-06]
    """

    peak: float = 0.3
    start_division: float = 25.0
    final_division: float = 1e4

    def __post_init__(self) -> None:
        super().__post_init__()
        if not 0 < self.peak < 1:
            raise PellucidError(f"OneCycle: peak must be between 0 and 1, not {self.peak!r}")
        if not (self.start_division >= 1 and self.final_division >= 1):
            raise PellucidError(
                "OneCycle: start_division and final_division must be at least 1, "
                f"not {self.start_division!r} and {self.final_division!r}"
            )

    def __call__(self, step: int, total_steps: int) -> float:
        start, last = 1 / self.start_division, total_steps - 1
        top = self.peak * total_steps - 1
        if step < top:
            return _half_wave(start, 1.0, step / top)
        return _half_wave(1.0, start / self.final_division, (step - top) / (last - top))


@dataclass(frozen=True)
class Warmup(Schedule):
    """Increase linearly, ``(step + 1) / steps``, for the first `steps`, then follow `then`.

    Source: Goyal et al., "Accurate, large minibatch SGD", 2017, sec. 2.2.

    >>> schedule = Warmup(4, then=Cosine())
    >>> [schedule(step, 14) for step in (0, 3, 4, 9)]
    [0.25, 1.0, 1.0, 0.5]
    """

    steps: Steps = 0.05
    then: Schedule = field(default=Constant())

    def __post_init__(self) -> None:
        super().__post_init__()
        _check_steps("Warmup", "steps", self.steps)
        if not isinstance(self.then, Schedule):
            raise PellucidError(f"Warmup: then must be a schedule, not {self.then!r}")

    def __call__(self, step: int, total_steps: int) -> float:
        warm = _count(self.steps, total_steps)
        if step < warm:
            return (step + 1) / warm
        return self.then(step - warm, total_steps - warm)


SCHEDULES: Mapping[str, type[Schedule]] = {
    schedule.__name__: schedule
    for schedule in (Constant, Step, Exponential, Linear, Cosine, OneCycle, Warmup)
}


def build(description: Any) -> Schedule:
    """Build the schedule that `description` describes.

    >>> build({"type": "Warmup", "steps": 100, "then": {"type": "Cosine"}})
    Warmup(steps=100, then=Cosine(final=0.0))
    """
    return descriptions.build("schedule", description, SCHEDULES)


# Names on the command line, with the arguments that may follow them after colons.
_FORMS: Mapping[str, tuple[Callable[..., Schedule], tuple[str, ...]]] = {
    "constant": (Constant, ()),
    "step": (Step, ("EVERY", "GAMMA")),
    "exponential": (Exponential, ("FINAL",)),
    "linear": (Linear, ("FINAL",)),
    "cosine": (Cosine, ("FINAL",)),
    "onecycle": (OneCycle, ("PEAK", "START_DIVISION", "FINAL_DIVISION")),
    "warmup": (Warmup, ("STEPS",)),
}


def parse(text: str) -> Schedule:
    """Return the schedule written as `text`, as on the command line.

    One of ``constant``, ``step:EVERY:GAMMA``, ``exponential:FINAL``, ``linear:FINAL``,
    ``cosine:FINAL`` and ``onecycle:PEAK:START_DIVISION:FINAL_DIVISION``, optionally preceded
    by ``warmup:STEPS,``. The last numbers may be omitted. EVERY and STEPS are a number of steps, or
    with a decimal point a share of all.

    >>> parse("warmup:0.1,cosine")
    Warmup(steps=0.1, then=Cosine(final=0.0))
    >>> parse("step:1000:0.5")
    Step(every=1000, gamma=0.5)
    """
    *before, last = (_one(part, text) for part in text.split(","))
    if not before:
        return last
    if len(before) > 1 or not isinstance(before[0], Warmup) or isinstance(last, Warmup):
        raise PellucidError(
            f"'{text}' may only have one warm-up, which must come first. {_forms()}"
        )
    return replace(before[0], then=last)


def chosen(given: Schedule | str | None) -> Schedule:
    """Return a schedule unchanged, text parsed by `parse`, and None as a constant rate.

    >>> chosen("cosine")
    Cosine(final=0.0)
    """
    if isinstance(given, str):
        return parse(given)
    home = "pellucid.optim.schedules"
    return descriptions.chosen("schedule", given or Constant(), SCHEDULES, home)


def _one(part: str, text: str) -> Schedule:
    name, *numbers = part.strip().lower().split(":")
    if name not in _FORMS:
        raise PellucidError(f"{unknown('schedule', name, _FORMS)}. {_forms()}")
    schedule, arguments = _FORMS[name]
    if len(numbers) > len(arguments):
        raise PellucidError(f"'{part.strip()}' has too many numbers. {_forms()}")
    return schedule(*(_number(number, text) for number in numbers))


def _forms() -> str:
    forms = (":".join((name, *(f"[{n}]" for n in names))) for name, (_, names) in _FORMS.items())
    return f"Schedules are written {', '.join(forms)},SCHEDULE"


def _number(text: str, whole: str) -> Steps:
    for kind in (int, float):
        try:
            return kind(text)
        except ValueError:
            continue
    raise PellucidError(f"'{text}' in the schedule '{whole}' is not a number. {_forms()}")


def _check_steps(schedule: str, name: str, steps: Steps) -> None:
    if not (steps >= 1 if isinstance(steps, int) else 0 < steps <= 1):
        raise PellucidError(
            f"{schedule}: {name} must be a whole number of steps, or a share of all steps between "
            f"0 and 1, not {steps!r}"
        )


def _count(steps: Steps, total_steps: int) -> int:
    return steps if isinstance(steps, int) else max(round(steps * total_steps), 1)


def _half_wave(start: float, end: float, x: float) -> float:
    """Return the value at x of half a cosine wave from `start` at 0 to `end` at 1."""
    return end + (start - end) * (1 + math.cos(math.pi * x)) / 2
