"""Read a pickle safely, as plain data: arrays, lists, dicts, text and numbers.

A pickle is a small program, and unpickling runs it: it can call any function that it names. This
module only lists the instructions (with `pickletools.genops`, which runs nothing) and interprets
the few that build plain data. All other instructions, and all global names except those of NumPy
arrays, are refused with an error that names them. Nothing is imported, looked up or called.
"""

from __future__ import annotations

import pickletools
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from pellucid.errors import DataError

_ARRAY_GLOBALS = {
    "numpy.core.multiarray _reconstruct": "reconstruct",
    "numpy._core.multiarray _reconstruct": "reconstruct",
    "numpy ndarray": "ndarray",
    "numpy dtype": "dtype",
}


@dataclass(frozen=True)
class _Global:
    kind: str


@dataclass
class _ByteArray:
    """An array of bytes, which a pickle creates empty before it sets shape and content."""

    value: Any = None

    def set_state(self, state: Any) -> None:
        _version, shape, dtype, fortran, content = state
        if not isinstance(dtype, _Byte) or fortran is not False:
            raise ValueError("only arrays of bytes in row order are read")
        if isinstance(content, str):
            content = content.encode("latin-1")
        self.value = np.frombuffer(content, np.uint8).reshape([int(size) for size in shape])


@dataclass(frozen=True)
class _Byte:
    """The data type uint8."""

    def set_state(self, state: Any) -> None:
        if state[1] not in ("|", "=") or any(part is not None for part in state[2:5]):
            raise ValueError("only the data type of plain bytes is read")


def read_pickle(data: bytes, name: str) -> Any:
    """Return the plain data in a pickle; Python 2 strings are decoded as Latin-1.

    Raises
    ------
    DataError
        The pickle is damaged, or has an instruction or a global name that plain data does not
        need.

    Examples
    --------
    >>> import pickle
    >>> read_pickle(pickle.dumps({"labels": [3, 5]}, protocol=2), "batch")
    {'labels': [3, 5]}
    >>> read_pickle(pickle.dumps(print, protocol=2), "batch")  # doctest: +ELLIPSIS
    Traceback (most recent call last):
    pellucid.errors.DataError: batch: the pickle names '__builtin__ print', ...
    """
    machine = _Machine(name)
    try:
        for instruction, argument, _ in pickletools.genops(data):
            machine.carry_out(instruction.name, argument)
        return _finished(machine.stack[-1])
    except DataError:
        raise
    except (ValueError, LookupError, TypeError, AttributeError, RecursionError) as error:
        raise DataError(
            f"{name} is not a readable pickle ({error!s:.300}); get it again"
        ) from error


class _Machine:
    """The stack machine of the pickle format, limited to plain data."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.stack: list[Any] = []
        self.marks: list[int] = []  # stack positions at which groups of values begin
        self.memory: dict[int, Any] = {}

    def carry_out(self, instruction: str, argument: Any) -> None:
        if instruction in _VALUES:
            self.stack.append(argument)
        elif instruction in _CONSTANTS:
            self.stack.append(_CONSTANTS[instruction]())
        elif instruction in _TUPLES:
            size = _TUPLES[instruction]
            self.stack[-size:] = [tuple(self.stack[-size:])]
        elif instruction in _ACTIONS:
            _ACTIONS[instruction](self, argument)
        elif instruction not in ("PROTO", "STOP"):
            raise DataError(
                f"{self.name}: the pickle has the instruction {instruction}, "
                "which plain data does not need; it was not run"
            )

    def mark(self, _: Any) -> None:
        self.marks.append(len(self.stack))

    def since_mark(self) -> list[Any]:
        start = self.marks.pop()
        values = self.stack[start:]
        del self.stack[start:]
        return values

    def make_tuple(self, _: Any) -> None:
        self.stack.append(tuple(self.since_mark()))

    def append(self, _: Any) -> None:
        value = self.stack.pop()
        self.list_on_top().append(value)

    def appends(self, _: Any) -> None:
        values = self.since_mark()
        self.list_on_top().extend(values)

    def list_on_top(self) -> list[Any]:
        if type(self.stack[-1]) is not list:
            raise ValueError("values are appended to something that is not a list")
        return self.stack[-1]

    def set_item(self, _: Any) -> None:
        value, key = self.stack.pop(), self.stack.pop()
        self.dict_on_top()[key] = value

    def set_items(self, _: Any) -> None:
        values = self.since_mark()
        self.dict_on_top().update(zip(values[::2], values[1::2], strict=True))

    def dict_on_top(self) -> dict[Any, Any]:
        if type(self.stack[-1]) is not dict:
            raise ValueError("entries are set in what is no dict")
        return self.stack[-1]

    def remember(self, place: int) -> None:
        self.memory[place] = self.stack[-1]

    def recall(self, place: int) -> None:
        self.stack.append(self.memory[place])

    def name_global(self, path: str) -> None:
        if path not in _ARRAY_GLOBALS:
            raise DataError(
                f"{self.name}: the pickle names '{path}', which is not plain data; it was not run"
            )
        self.stack.append(_Global(_ARRAY_GLOBALS[path]))

    def reduce(self, _: Any) -> None:
        arguments, function = self.stack.pop(), self.stack.pop()
        if function == _Global("reconstruct") and arguments[0] == _Global("ndarray"):
            self.stack.append(_ByteArray())
        elif function == _Global("dtype") and arguments[0] == "u1":
            self.stack.append(_Byte())
        else:
            raise ValueError("only arrays of bytes are made")

    def build(self, _: Any) -> None:
        state = self.stack.pop()
        if not isinstance(self.stack[-1], _ByteArray | _Byte):
            raise ValueError("a state is given to something that is not an array")
        self.stack[-1].set_state(state)


def _finished(value: Any) -> Any:
    """Return `value`, or a dict and its values, with array placeholders replaced by arrays."""
    if isinstance(value, dict):
        return {key: _finished(inner) for key, inner in value.items()}
    return value.value if isinstance(value, _ByteArray) else value


_VALUES = {
    *("SHORT_BINSTRING", "BINSTRING", "BINUNICODE", "SHORT_BINBYTES", "BINBYTES"),
    *("BININT", "BININT1", "BININT2"),
}
_CONSTANTS: dict[str, Callable[[], Any]] = {
    "NONE": lambda: None,
    "NEWFALSE": lambda: False,
    "NEWTRUE": lambda: True,
    "EMPTY_DICT": dict,
    "EMPTY_LIST": list,
    "EMPTY_TUPLE": tuple,
}
_TUPLES = {"TUPLE1": 1, "TUPLE2": 2, "TUPLE3": 3}
_ACTIONS: dict[str, Callable[[_Machine, Any], None]] = {
    "MARK": _Machine.mark,
    "TUPLE": _Machine.make_tuple,
    "APPEND": _Machine.append,
    "APPENDS": _Machine.appends,
    "SETITEM": _Machine.set_item,
    "SETITEMS": _Machine.set_items,
    "BINPUT": _Machine.remember,
    "LONG_BINPUT": _Machine.remember,
    "BINGET": _Machine.recall,
    "LONG_BINGET": _Machine.recall,
    "GLOBAL": _Machine.name_global,
    "REDUCE": _Machine.reduce,
    "BUILD": _Machine.build,
}
