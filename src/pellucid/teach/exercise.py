"""What an exercise is: a signature, what it asks for, the right answer, and the known mistakes.

An exercise is one file in `exercises/`. Its function holds all three at once: the signature that
the reader writes again, the statement as its docstring, and the right answer as its body. Each
mistake stands below as a function that makes it, so that trying a mistake is calling a function::

    @exercise(chapter=4, title="ReLU", make=arguments, cases=[case("a few numbers", N=5)])
    def relu(x):
        \"\"\"Return x where it is positive, and 0 elsewhere.\"\"\"
        return np.maximum(x, 0)

    @relu.mistake("It returns the absolute value.", "Negative numbers become 0.")
    def absolute_value(x):
        return np.abs(x)
"""

from __future__ import annotations

import ast
import inspect
import re
import textwrap
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from pellucid import engine

Function = Callable[..., Any]
Arguments = dict[str, Any]


@dataclass(frozen=True)
class Mistake:
    """A mistake that is known.

    Attributes
    ----------
    name
        How it is called in tables: ``kernel_flipped``.
    says
        What is wrong, in a sentence.
    hint
        What to think of, in a sentence or two.
    variants
        Functions that make the mistake, for it may show in several ways; none where not the result
        gives it away but how it comes.
    """

    name: str
    says: str
    hint: str
    variants: tuple[Function, ...] = field(default=(), repr=False, compare=False)


@dataclass(frozen=True)
class Case:
    """Something to try: a name, and the sizes from which the arguments are made."""

    says: str
    sizes: Mapping[str, Any]


def case(says: str, /, **sizes: Any) -> Case:
    """Return a case; whole numbers among its sizes are what shrinking makes smaller."""
    return Case(says, sizes)


@dataclass(frozen=True)
class Law:
    """A sentence that holds for every right answer, such as that two functions are adjoint.

    Attributes
    ----------
    says
        The sentence.
    error
        Takes the reader's function and returns how far it is off, relative to the numbers involved.
    allowed
        How far it may be off.
    """

    says: str
    error: Callable[[Function], float]
    allowed: float = 1e-6


class Exercise:
    """An exercise, called as its right answer is.

    Attributes
    ----------
    name, title, chapter
        How it is asked for, what it is about, and the chapter of the guide in which it stands.
    returns
        The names of what it returns.
    cases
        What is tried, from the smallest to those in which everything takes part.
    laws
        What must hold besides.
    mistakes
        Those that are known.
    speed
        A larger case, and how many lines of Python it may run.
    slow_passes
        Whether one that runs more is only remarked upon.
    """

    def __init__(
        self,
        answer: Function,
        *,
        chapter: int,
        title: str,
        make: Callable[..., Arguments],
        cases: Sequence[Case],
        returns: Sequence[str] = ("y",),
        laws: Sequence[Law] = (),
        speed: tuple[Case, int] | None = None,
        slow_passes: bool = False,
    ) -> None:
        self.answer, self.name = answer, answer.__name__
        self.chapter, self.title = chapter, title
        self.cases, self.returns, self.laws, self.speed = tuple(cases), tuple(returns), laws, speed
        self.slow_passes = slow_passes
        self.mistakes: list[Mistake] = []
        self._make = make

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """Return the right answer, computed by the engine that is written to be read."""
        with engine.using("reference"):
            return self.answer(*args, **kwargs)

    def __repr__(self) -> str:
        return f"<exercise {self.name}: {self.title}>"

    def mistake(self, says: str, hint: str) -> Callable[[Function], Function]:
        """Add the decorated function to the known mistakes; its name is the mistake's name."""

        def add(variant: Function) -> Function:
            self.mistakes.append(Mistake(variant.__name__, says, hint, (variant,)))
            return variant

        return add

    def another(self, name: str) -> Callable[[Function], Function]:
        """Add the decorated function to a known mistake, as another way in which it shows."""

        def add(variant: Function) -> Function:
            at = next(i for i, m in enumerate(self.mistakes) if m.name == name)
            known = self.mistakes[at]
            self.mistakes[at] = replace(known, variants=(*known.variants, variant))
            return variant

        return add

    def arguments(self, sizes: Mapping[str, Any]) -> Arguments | None:
        """Return the arguments that a case's sizes stand for; None where there are none."""
        try:
            return self._make(np.random.default_rng(7), **sizes)
        except (ValueError, IndexError):  # for example an image smaller than the kernel
            return None

    def simpler(self, sizes: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
        """Yield sizes of which one is smaller."""
        for name, size in sizes.items():
            if isinstance(size, int) and not isinstance(size, bool):
                smaller = {0, 1, size // 2, size - 1} if size > 0 else set[int]()
                for value in sorted(v for v in smaller if 0 <= v < size):
                    yield {**sizes, name: value}

    @property
    def statement(self) -> str:
        """What is asked for."""
        said = (inspect.getdoc(self.answer) or "").replace("``", "")
        return re.sub(
            "::$", ":", re.sub("^::\n\n", "", said, flags=re.MULTILINE), flags=re.MULTILINE
        )

    @property
    def signature(self) -> str:
        """Its first line: ``relu(x)``."""
        return self.name + str(inspect.signature(self.answer))

    def stub(self) -> str:
        """Return the function without its body, for the reader to write."""
        statement = self.statement.replace("\\", "\\\\")
        quoted = textwrap.indent(
            f'"""{statement}\n"""' if "\n" in statement else f'"""{statement}"""', "    "
        )
        return f"def {self.signature}:\n{quoted}\n    raise NotImplementedError\n"

    def solution(self) -> str:
        """Return the lines of the right answer."""
        source = textwrap.dedent(inspect.getsource(self.answer))
        function = ast.parse(source).body[0]
        return ast.get_source_segment(source, function) or source


def exercise(**about: Any) -> Callable[[Function], Exercise]:
    """Make an exercise of its right answer; `Exercise` says what it takes."""
    return lambda answer: Exercise(answer, **about)


def whole(source: np.random.Generator, *shape: int) -> Any:
    """Return small whole numbers, which are easy to follow; few of them are equal or 0."""
    numbers = source.integers(1, 10, shape) * source.choice([1, 1, -1], shape)
    return numbers.astype(np.float64)
