"""Trace which files of the library a call enters, and the path of calls to a function."""

import sys
from pathlib import Path

import pellucid

ROOT = Path(pellucid.__file__).parent


class Trace:
    """The calls of library functions inside a ``with`` block.

    Attributes
    ----------
    calls
        Tuples (file, function) of all calls, in order.
    way
        Files on the stack when the function `until` was first entered, outermost first.
    """

    def __init__(self, until: str = "") -> None:
        self.calls: list[tuple[str, str]] = []
        self.way: list[str] = []
        self._until = until

    @property
    def files(self) -> list[str]:
        """The files that were entered, in order."""
        return list(dict.fromkeys(file for file, _ in self.calls))

    def __enter__(self) -> "Trace":
        sys.setprofile(self._note)
        return self

    def __exit__(self, *_: object) -> None:
        sys.setprofile(None)

    def _note(self, frame, event, _):
        if event != "call" or (file := _file(frame)) is None:
            return
        self.calls.append((file, frame.f_code.co_name))
        if not self.way and f"{file}:{frame.f_code.co_name}" == self._until:
            while frame is not None:
                if (file := _file(frame)) is not None and file not in self.way:
                    self.way.insert(0, file)
                frame = frame.f_back


def _file(frame):
    path = Path(frame.f_code.co_filename)
    return path.relative_to(ROOT).as_posix() if path.is_relative_to(ROOT) else None
