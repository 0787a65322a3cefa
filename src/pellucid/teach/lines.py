"""Measure the Python code that a function runs by counting lines, independent of the machine."""

from __future__ import annotations

import sys
from types import FrameType
from typing import Any

from pellucid.teach.exercise import Arguments, Function


class _TooManyError(BaseException):
    """End the function; not an Exception, so that the reader's ``except`` does not catch it."""


def runs_within(lines: int, function: Function, arguments: Arguments) -> bool:
    """Return whether a call runs at most `lines` lines of Python, ending it if it runs more.

    >>> runs_within(10, lambda n: sum(range(n)), {"n": 1000})
    True
    >>> runs_within(10, lambda n: [i for i in range(n)], {"n": 1000})
    False
    """
    left = lines

    def count(frame: FrameType, event: str, _: Any) -> Any:
        nonlocal left
        left -= event == "line"
        if left < 0:
            raise _TooManyError
        return count

    before = sys.gettrace()
    sys.settrace(count)
    try:
        function(*arguments.values())
    except _TooManyError:
        return False
    finally:
        sys.settrace(before)
    return True
