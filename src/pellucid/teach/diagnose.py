"""Find out which known mistake was made, by comparing its results with those of the function.

Results with several parts, such as the three gradients of a convolution, are compared part by part,
because two parts may be wrong for different reasons. A mistake explains a part if it gives the same
result in every case. If none does, one that agrees where the part is first wrong is likely.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from pellucid.teach.exercise import Arguments, Exercise, Function, Mistake
from pellucid.teach.outcome import Outcome, outcome, same
from pellucid.types import Array


@dataclass(frozen=True)
class Trial:
    """A case with its arguments, the correct result, and the result of the reader's function."""

    says: str
    arguments: Arguments
    right: dict[str, Array]
    got: Outcome

    @property
    def wrong(self) -> tuple[str, ...]:
        """Names of the incorrect parts."""
        return tuple(
            name for name in self.right if not same(part(self.got, name), self.right[name])
        )


def part(got: Outcome, name: str) -> Array | None:
    """Return a part of a result, if there is one."""
    return None if got.parts is None else got.parts.get(name)


def trial(exercise: Exercise, function: Function, says: str, arguments: Arguments) -> Trial:
    """Run a function on a case."""
    right = outcome(exercise, exercise, arguments)
    if right.parts is None:
        raise AssertionError(f"{exercise.name}: the answer itself fails: {right}") from right.raised
    return Trial(says, arguments, right.parts, outcome(exercise, function, arguments))


def explain(exercise: Exercise, trials: Sequence[Trial]) -> tuple[list[Mistake], bool]:
    """Return the mistakes that explain the errors, and whether they explain all of them."""
    names = list(trials[0].right)
    wrong = [name for name in names if any(name in t.wrong for t in trials)]
    tried = [
        (mistake, [outcome(exercise, variant, t.arguments) for t in trials])
        for mistake in exercise.mistakes
        for variant in mistake.variants
    ]
    explained = [
        (mistake, [n for n in names if all(map(_agrees, outcomes, trials, [n] * len(trials)))])
        for mistake, outcomes in tried
    ]
    found, left = _cover(explained, wrong)
    seen = any(part(t.got, name) is not None for t in trials for name in t.wrong)
    return found or _likely(tried, trials), not left and seen


def _agrees(made: Outcome, t: Trial, name: str) -> bool:
    """Return whether a mistake gives the same result for a part as the reader's function."""
    if made.raised is not None or t.got.raised is not None:
        return type(made.raised) is type(t.got.raised)
    return same(part(made, name), part(t.got, name))


def _cover(
    explained: Sequence[tuple[Mistake, list[str]]], wrong: list[str]
) -> tuple[list[Mistake], list[str]]:
    """Return a few mistakes that explain as many parts as possible, and the remaining parts."""
    found, left = [], list(wrong)
    while left:
        # the one that explains most and, of equals, that makes the right parts right as well
        mistake, parts = max(
            explained, key=lambda e: (len(set(e[1]) & set(left)), len(e[1])), default=(None, [])
        )
        if mistake is None or not set(parts) & set(left):
            break
        found.append(mistake)
        left = [name for name in left if name not in parts]
    return found, left


def _likely(
    tried: Sequence[tuple[Mistake, list[Outcome]]], trials: Sequence[Trial]
) -> list[Mistake]:
    """Return a mistake that agrees where a part is first wrong, unless by chance."""
    for i, t in enumerate(trials):
        for name in t.wrong:
            got = part(t.got, name)
            if got is None or np.unique(got).size < 3:
                continue
            for mistake, outcomes in tried:
                if same(part(outcomes[i], name), got):
                    return [mistake]
    return []
