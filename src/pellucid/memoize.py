"""Cache the results of functions."""

from collections.abc import Callable
from functools import lru_cache, wraps
from typing import ParamSpec, TypeVar

P = ParamSpec("P")
R = TypeVar("R")


def memoize(function: Callable[P, R]) -> Callable[P, R]:
    """Return `function` with a cache of its latest results.

    Calls with arguments that are not hashable, such as lists, are not cached.

    >>> double = memoize(lambda values: [2 * v for v in values])
    >>> double((1, 2)) is double((1, 2)), double([1, 2]) is double([1, 2])
    (True, False)
    """
    known = lru_cache(maxsize=4096, typed=True)(function)

    @wraps(function)
    def look_up(*args: P.args, **kwargs: P.kwargs) -> R:
        try:
            return known(*args, **kwargs)  # type: ignore[arg-type]  # not hashable: a TypeError
        except TypeError:
            pass
        return function(*args, **kwargs)

    return look_up
