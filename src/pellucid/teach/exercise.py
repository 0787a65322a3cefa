"""An exercise: signature, task, correct answer, and known mistakes.

Each exercise is a file in `exercises/`. Its function has the signature for the reader to implement,
the task as its docstring, and the correct answer as its body. Each mistake is a function below that
makes it, so trying a mistake means calling a function::

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
    """A known mistake.

    Attributes
    ----------
    name
        Name in tables, such as ``kernel_flipped``.
    says
        What is wrong, in one sentence.
    hint
        A hint in one or two sentences.
    variants
        Functions that make the mistake in different ways; empty for mistakes that do not show in
        the result.
    """

    name: str
    says: str
    hint: str
    variants: tuple[Function, ...] = field(default=(), repr=False, compare=False)


@dataclass(frozen=True)
class Case:
    """A test case: a name, and the sizes from which the arguments are made."""

    says: str
    sizes: Mapping[str, Any]


def case(says: str, /, **sizes: Any) -> Case:
    """Return a case; integers among its sizes can be reduced by shrinking."""
    return Case(says, sizes)


@dataclass(frozen=True)
class Law:
    """A law that every correct answer obeys, such as that two functions are adjoint.

    Attributes
    ----------
    says
        The law in words.
    error
        Function that returns the error of the reader's function, relative to the numbers involved.
    allowed
        Largest allowed error.
    """

    says: str
    error: Callable[[Function], float]
    allowed: float = 1e-6


class Exercise:
    """An exercise; calling it calls its correct answer.

    Attributes
    ----------
    name, title, chapter
        Name, subject, and chapter of the guide.
    returns
        Names of the returned values.
    cases
        Test cases, from the smallest to those that involve everything.
    laws
        Laws that must hold in addition.
    mistakes
        The known mistakes.
    speed
        A larger case, and the number of lines of Python that it may run.
    slow_passes
        Whether a function that runs more lines passes with a remark.
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
        """Return the correct result, computed by the reference engine."""
        with engine.using("reference"):
            return self.answer(*args, **kwargs)

    def __repr__(self) -> str:
        return f"<exercise {self.name}: {self.title}>"

    def mistake(self, says: str, hint: str) -> Callable[[Function], Function]:
        """Add the decorated function to the known mistakes, under its own name."""

        def add(variant: Function) -> Function:
            self.mistakes.append(Mistake(variant.__name__, says, hint, (variant,)))
            return variant

        return add

    def another(self, name: str) -> Callable[[Function], Function]:
        """Add the decorated function as another variant of a known mistake."""

        def add(variant: Function) -> Function:
            at = next(i for i, m in enumerate(self.mistakes) if m.name == name)
            known = self.mistakes[at]
            self.mistakes[at] = replace(known, variants=(*known.variants, variant))
            return variant

        return add

    def arguments(self, sizes: Mapping[str, Any]) -> Arguments | None:
        """Return the arguments for a case's sizes, or None if they are impossible."""
        try:
            return self._make(np.random.default_rng(7), **sizes)
        except (ValueError, IndexError):  # for example an image smaller than the kernel
            return None

    def simpler(self, sizes: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
        """Yield sizes in which one is smaller."""
        for name, size in sizes.items():
            if isinstance(size, int) and not isinstance(size, bool):
                smaller = {0, 1, size // 2, size - 1} if size > 0 else set[int]()
                for value in sorted(v for v in smaller if 0 <= v < size):
                    yield {**sizes, name: value}

    @property
    def statement(self) -> str:
        """The task in words."""
        said = (inspect.getdoc(self.answer) or "").replace("``", "")
        return re.sub(
            "::$", ":", re.sub("^::\n\n", "", said, flags=re.MULTILINE), flags=re.MULTILINE
        )

    @property
    def signature(self) -> str:
        """The signature, such as ``relu(x)``."""
        return self.name + str(inspect.signature(self.answer))

    def stub(self) -> str:
        """Return the function without its body, for the reader to complete."""
        statement = self.statement.replace("\\", "\\\\")
        quoted = textwrap.indent(
            f'"""{statement}\n"""' if "\n" in statement else f'"""{statement}"""', "    "
        )
        return f"def {self.signature}:\n{quoted}\n    raise NotImplementedError\n"

    def solution(self) -> str:
        """Return the source code of the correct answer."""
        source = textwrap.dedent(inspect.getsource(self.answer))
        function = ast.parse(source).body[0]
        return ast.get_source_segment(source, function) or source


def exercise(**about: Any) -> Callable[[Function], Exercise]:
    """Decorate a correct answer to make it an exercise; see `Exercise` for the arguments."""
    return lambda answer: Exercise(answer, **about)


def whole(source: np.random.Generator, *shape: int) -> Any:
    """Return small integers as floats, few of them equal or 0, which are easy to follow."""
    numbers = source.integers(1, 10, shape) * source.choice([1, 1, -1], shape)
    return numbers.astype(np.float64)
