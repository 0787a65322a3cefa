"""How much Python a function runs: lines are counted, which no busy machine can disturb."""

from __future__ import annotations

import sys
from types import FrameType
from typing import Any

from pellucid.teach.exercise import Arguments, Function


class _TooManyError(BaseException):
    """Ends the function; not an Exception, so that no ``except`` of the reader's catches it."""


def runs_within(lines: int, function: Function, arguments: Arguments) -> bool:
    """Return whether a call runs at most so many lines of Python; one that runs more is ended.

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
