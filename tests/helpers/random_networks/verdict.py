"""Tolerances for differences between results, and the results that exceed them."""

import warnings
from collections import Counter
from collections.abc import Callable, Iterable
from contextlib import suppress
from dataclasses import dataclass
from functools import partial

import numpy as np
import torch

from pellucid.errors import ShapeError, TrainingError
from random_networks.drawing import Case
from random_networks.runs import (
    Arrays,
    Data,
    Diverges,
    Refused,
    Way,
    by_torch,
    draw_data,
    once,
    ways,
)
from random_networks.torch_twin import Noise
from random_networks.tracing import traced_by_torch
from random_networks.training_run import trained_by_torch, training_ways

TIMES = 15
"""Allowed error of our float32, as a multiple of the error of PyTorch's float32."""
FLOOR = {"float32": 5e-6, "float64": 1e-12}
"""Allowed difference from rounding alone, relative to the tensor's largest magnitude."""
OF_ALL = {"float32": 5e-7, "float64": 1e-13}
"""The same relative to the largest of all gradients, since some sums of gradients cancel."""
OF_CHANGE = 1e-4
"""The same relative to the tensor's change in training."""
UNSURE = 3e-3
"""Relative difference between PyTorch's float32 and float64 above which nothing is compared."""
AGAIN, CANCELLED = 2, 2.5e-6
"""Factor of the tolerance, and its increase relative to the largest gradient, for a second check.

In one network of a thousand, gradients cancel inside a layer, such as a mean over normalised
values, and perturbations around this layer do not show the effect of rounding in it.
"""
NOISES = 3
"""Number of random perturbations for a network that seems wrong."""
TURNS = 3
"""Number of draws of values; a network is wrong only if it is wrong with all of them."""


@dataclass(frozen=True)
class Difference:
    """A result that exceeds the tolerance; `ratio` is its difference divided by the tolerance."""

    way: str
    what: str
    ratio: float = np.inf
    found: float = np.inf
    allowed: float = 0
    message: str = ""
    """Of an error; it may differ between two draws of values, unlike `what`."""

    def __str__(self) -> str:
        if self.message:
            return f"{self.way}: {self.what}: {self.message}"
        return (
            f"{self.way}: {self.what} is off by {self.found:.3g}, "
            f"{self.ratio:.3g} times what is allowed"
        )


@dataclass(frozen=True)
class Expected:
    """PyTorch's results in float64, and results with rounding like that of each type."""

    exact: Arrays
    rounded: dict[str, list[Arrays]]


Ways = Callable[[Case], Iterable[Way]]


def computed(case: Case) -> Iterable[Way]:
    """Yield the ways in which a program that uses the library computes and trains a network."""
    yield from ways()
    if case.is_trained:
        yield from training_ways()


_TORCH: dict[str, Callable[..., Arrays]] = {
    "training": partial(by_torch, training=True),
    "inference": partial(by_torch, training=False),
    "traced": traced_by_torch,
    "trained": trained_by_torch,
}
"""What computes each kind of results with PyTorch."""


def expected(case: Case, data: Data, kinds: Iterable[str], noises: int = 0) -> dict[str, Expected]:
    """Return PyTorch's results by kind.

    `noises` is the number of additional float64 results with random perturbations of each type's
    size. They show the possible rounding error if PyTorch's float32 happens to be accurate, and
    where float64's error is no fixed share of float32's: batch norm divides a channel that is
    constant but for rounding by √eps, so that a few in a row multiply float64's error by many
    millions, and float32's only until its variance exceeds eps.
    """
    found = {}
    for name in kinds:
        run = partial(_TORCH[name], case, data)
        with suppress(Diverges):
            rounded = {
                kind: [run(dtype=torch.float64, noise=Noise.of(dtype, s)) for s in range(noises)]
                for kind, dtype in (("float32", torch.float32), ("float64", torch.float64))
            }
            rounded["float32"].insert(0, run(dtype=torch.float32))
            found[name] = Expected(run(dtype=torch.float64), rounded)
    return found


def differences(
    case: Case,
    turn: int = 0,
    only: Iterable[str] | None = None,
    noises: int = 0,
    ways: Ways = computed,
) -> list[Difference]:
    """Return the differences that exceed the tolerance with the values of this turn."""
    wanted = None if only is None else set(only)
    tried = [way for way in ways(case) if wanted is None or way.name in wanted]
    with warnings.catch_warnings(), np.errstate(all="ignore"):
        warnings.simplefilter("ignore")
        data = draw_data(case, turn)
        try:
            sure = expected(case, data, dict.fromkeys(way.against for way in tried), noises)
        except NotImplementedError:
            raise
        except (ValueError, RuntimeError) as error:
            return _refused(case, data, error)
        found: list[Difference] = []
        for way in tried:
            if way.against in sure:
                found += _compared(way, case, data, sure[way.against])
    return found


def _refused(case: Case, data: Data, error: Exception) -> list[Difference]:
    """Return a difference unless the library also refuses an input that PyTorch refuses."""
    try:
        once(case, data, "float64", training=True)
    except ShapeError:
        return []
    return [Difference("reference float64", "takes what PyTorch refuses", message=str(error))]


def _compared(way: Way, case: Case, data: Data, known: Expected) -> Iterable[Difference]:
    exact = known.exact
    try:
        results = way.run(case, data)
    except Refused:
        _refusals[way.name] += 1
        return
    except TrainingError:
        if all(np.isfinite(v).all() and abs(v).max(initial=0) < 1e6 for v in exact.values()):
            yield Difference(way.name, "diverges")
        return
    except Exception as error:
        yield Difference(way.name, type(error).__name__, message=str(error))
        return
    largest = max(
        (float(abs(v).max(initial=0)) for n, v in exact.items() if n.startswith("gradient")),
        default=0.0,
    )
    for name, value in results.items():
        key = name if name in exact else name.partition(",")[0]
        right = exact[key]
        own = {kind: [one[key] for one in of] for kind, of in known.rounded.items()}
        if name.endswith("few images"):
            right = right[: len(value)]
            own = {kind: [one[: len(value)] for one in of] for kind, of in own.items()}
        if value.shape != right.shape:
            yield Difference(way.name, f"shape of {name}")
            continue
        scale = float(abs(right).max(initial=0))
        base, fine = (
            max((float(abs(one - right).max(initial=0)) for one in own[kind]), default=0.0)
            for kind in ("float32", "float64")
        )
        if (
            not np.isfinite(scale)
            or not np.isfinite(base)
            or base > UNSURE * scale + 1e-5 * largest
        ):
            continue
        allowed = FLOOR[way.dtype] * scale + OF_ALL[way.dtype] * largest + 1e-30
        allowed += TIMES * base if way.dtype == "float32" else 1e-6 * base + TIMES * fine
        if way.against == "trained" and way.dtype == "float32":
            allowed += OF_CHANGE * float(
                abs(right - data.state[name.partition(",")[0]]).max(initial=0)
            )
        if len(own["float32"]) > 1 and way.dtype == "float32":
            allowed = AGAIN * (allowed + CANCELLED * largest)
        off = float(abs(value - right).max(initial=0))
        _ratios[way.name] = max(_ratios.get(way.name, 0.0), off / allowed)
        if not off <= allowed:
            yield Difference(way.name, name, off / allowed, off, allowed)


_ratios: dict[str, float] = {}
_refusals: Counter[str] = Counter()


def largest_ratios() -> dict[str, float]:
    """Return the largest ratio of difference to tolerance since the last call, by way."""
    found = dict(_ratios)
    _ratios.clear()
    return found


def refusals() -> Counter[str]:
    """Return how many networks each way refused since the last call."""
    found = Counter(_refusals)
    _refusals.clear()
    return found


def faults(case: Case, ways: Ways = computed) -> tuple[list[Difference], list[Difference]]:
    """Return the differences that occur with all draws, and those with the first draw only.

    A value near a kink, such as ReLU's, or two almost equal maxima may occasionally be decided
    differently in float32, by PyTorch or the library. This does not happen in three draws. Errors
    are not due to rounding, even if they occur only now and then.
    """
    first = differences(case, ways=ways)
    errors = [d for d in first if d.message]
    remaining = {(d.way, d.what): d for d in first if not d.message}
    for turn in range(TURNS):
        if not remaining:
            break
        again = differences(case, turn, {way for way, _ in remaining}, NOISES, ways)
        still = {(d.way, d.what) for d in again}
        remaining = {key: d for key, d in remaining.items() if key in still}
    sure = [*errors, *remaining.values()]
    return sure, [d for d in first if d not in sure]
