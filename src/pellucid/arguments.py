"""Check arguments from users and files against their annotations.

A dataclass annotates each field with the values that it accepts, such as `Size` or
``Literal["none", "tanh"]``, and calls `check_fields` on construction. Its fields then hold plain
Python values: NumPy integers become `int`, lists and arrays become tuples. A string in an
annotation, ``Annotated[int | tuple[int, int], "one int or two"]``, describes it in messages.
"""

import inspect
import math
import operator
import reprlib
import sys
import types
from collections.abc import Callable, Sequence
from dataclasses import dataclass, fields
from functools import cache
from numbers import Real
from typing import Annotated, Any, Literal, Union, get_args, get_origin

import numpy as np

from pellucid.errors import PellucidError

LARGEST_SIZE = 2**31 - 1
"""Upper limit for sizes, numbers of channels and positions."""


@dataclass(frozen=True)
class Range:
    """A range of numbers, used in annotations: ``Annotated[float, Range(0, 1)]``.

    Attributes
    ----------
    low, high
        Smallest and largest value.
    above
        Whether `low` itself is excluded.
    finite
        Whether infinity is excluded; NaN always is.
    """

    low: float = -math.inf
    high: float = math.inf
    above: bool = False
    finite: bool = True

    def holds(self, number: float) -> bool:
        """Return whether `number` is in the range."""
        if self.above and number == self.low:
            return False
        return self.low <= number <= self.high and not (self.finite and abs(number) == math.inf)

    def __str__(self) -> str:
        if self.low >= -1 and self.high >= LARGEST_SIZE:
            return f" above {self.low:g}" if self.above else f" of at least {self.low:g}"
        return f" from {self.low:g} to {self.high:g}" if self.low >= -1 else ""


Size = Annotated[int, Range(1, LARGEST_SIZE)]
"""A number of channels, features or pixels."""

Seed = Annotated[int, Range(0, 2**63 - 1)]

Axis = Annotated[int, Range(0, LARGEST_SIZE)]
"""The number of an axis; the batch axis is 0."""

SizeOrRest = Annotated[int, Range(-1, LARGEST_SIZE)]
"""A size, or −1 for a size that is inferred from the others."""

Integer = Annotated[int, Range(-(2**63), 2**63 - 1)]
Positive = Annotated[float, Range(0, above=True)]
NotNegative = Annotated[float, Range(0)]
Probability = Annotated[float, Range(0, 1)]
Extended = Annotated[float, Range(finite=False)]
"""Any number, including plus and minus infinity."""


def as_integer(value: Any) -> int:
    """Convert an integer of any type, such as NumPy's, to int; a bool is not an integer.

    >>> as_integer(np.int64(3))
    3
    """
    if isinstance(value, bool | np.bool_):
        raise TypeError("a bool is not an integer")
    return operator.index(value)


def as_number(value: Any) -> float:
    """Convert a real number of any type to float; a bool is not a number."""
    if isinstance(value, bool | np.bool_) or not isinstance(value, Real):
        raise TypeError("not a number")
    return float(value)


def plain(value: Any) -> Any:
    """Convert NumPy numbers and other integers to Python's, also inside lists and tuples.

    >>> plain((np.int64(3), np.float32(0.5), "same"))
    (3, 0.5, 'same')
    """
    if isinstance(value, tuple | list):
        return (list if isinstance(value, list) else tuple)(map(plain, value))
    if isinstance(value, bool | float | np.generic):
        return value.item() if isinstance(value, np.generic) else value
    try:
        return operator.index(value)
    except TypeError:
        return value


def make_fields_plain(thing: Any) -> None:
    """Convert the fields of a dataclass to plain values that a file can hold."""
    for field in fields(thing):
        if field.init:
            object.__setattr__(thing, field.name, plain(getattr(thing, field.name)))


def check_fields(thing: Any) -> None:
    """Check the fields of a dataclass against its annotations, and convert them to plain values.

    Fields with annotations other than those of this module are left unchanged.

    Raises
    ------
    PellucidError
        The message names the argument, what it may be, and what was given.

    Examples
    --------
    >>> @dataclass
    ... class Blur:
    ...     radius: Size
    ...     def __post_init__(self):
    ...         check_fields(self)
    >>> Blur(0)
    Traceback (most recent call last):
    pellucid.errors.PellucidError: Blur: radius must be an integer of at least 1, not 0
    """
    kind: Any = type(thing)
    for name, rule in _rules(kind):
        given = getattr(thing, name)
        try:
            value = rule(given)
        except _UnfitError as unfit:
            raise PellucidError(
                f"{kind.__name__}: {name} must be {unfit}, not {shown(given)}"
            ) from None
        object.__setattr__(thing, name, value)  # a dataclass may be frozen


def checked(name: str, value: Any, annotation: Any) -> Any:
    """Check an argument of a function against `annotation`, and return it as a plain value.

    >>> checked("epochs", np.int64(3), Size)
    3
    >>> checked("epochs", "3", Size)
    Traceback (most recent call last):
    pellucid.errors.PellucidError: epochs must be an integer, not '3'
    """
    rule = _rule(annotation)
    assert rule is not None
    try:
        return rule(value)
    except _UnfitError as unfit:
        raise PellucidError(f"{name} must be {unfit}, not {shown(value)}") from None


def shown(value: Any) -> str:
    """Return `value` as one short line for a message."""
    try:
        return reprlib.repr(value)
    except (ValueError, RecursionError):  # an integer of thousands of digits
        return f"a very long {type(value).__name__}"


class _UnfitError(Exception):
    """An argument has the wrong type or value; the text says what is expected."""


_Rule = Callable[[Any], Any]
"""Converts a value to a plain one, or raises an error that says what is expected."""


@cache
def _rules(kind: type) -> tuple[tuple[str, _Rule], ...]:
    wanted = annotations_of(kind)
    arguments = ((f.name, _rule(wanted[f.name])) for f in fields(kind) if f.init)
    return tuple((name, rule) for name, rule in arguments if rule is not None)


def annotations_of(kind: Any) -> dict[str, Any]:
    """Return the type of each field of a dataclass, evaluating annotations that are text.

    A field is `Any` if its annotation uses a name that is only imported for type checking.
    """
    found: dict[str, Any] = {}
    for base in reversed(kind.__mro__):
        known = vars(sys.modules.get(base.__module__, types))
        for name, annotation in inspect.get_annotations(base).items():
            found[name] = annotation
            if isinstance(annotation, str):
                try:
                    found[name] = eval(annotation, dict(known))  # text from the source code
                except NameError:
                    found[name] = Any
    return {field.name: found[field.name] for field in fields(kind)}


def _rule(annotation: Any) -> _Rule | None:
    """Return the check for an annotation, or None if it is not one of this module's."""
    origin, inside = get_origin(annotation), get_args(annotation)
    if origin is Annotated and isinstance(inside[1], Range):
        return _number(inside[0], inside[1])
    if origin is Annotated and isinstance(inside[1], str):
        return _named(_rule(inside[0]), inside[1])
    if origin in _GENERIC:
        return _GENERIC[origin](inside)
    if annotation in _PLAIN:
        return _PLAIN[annotation]
    if isinstance(annotation, type) and not getattr(annotation, "_is_protocol", False):
        return _instance((annotation,), lambda value: value, f"a {annotation.__name__}")
    return None


def _number(kind: type, allowed: Range) -> _Rule:
    convert, what = (as_integer, "an integer") if kind is int else (as_number, "a number")

    def rule(value: Any) -> int | float:
        try:
            number = convert(value)
        except OverflowError:
            raise _UnfitError(f"{what} below 1e308") from None
        except TypeError:
            raise _UnfitError(what) from None
        if allowed.holds(number):
            return number
        if isinstance(number, float) and allowed.finite and not math.isfinite(number):
            raise _UnfitError(f"a finite number{allowed}")
        if number > allowed.high >= LARGEST_SIZE:
            raise _UnfitError(f"{what} of at most {allowed.high:,}")
        raise _UnfitError(f"{what}{allowed}")

    return rule


def _named(rule: _Rule | None, what: str) -> _Rule | None:
    def named(value: Any) -> Any:
        assert rule is not None
        try:
            return rule(value)
        except _UnfitError:
            raise _UnfitError(what) from None

    return rule and named


def _instance(kinds: tuple[type, ...], plain: Callable[[Any], Any], what: str) -> _Rule:
    def rule(value: Any) -> Any:
        if not isinstance(value, kinds):
            raise _UnfitError(what)
        return plain(value)

    return rule


def _choice(known: Sequence[Any]) -> _Rule:
    def rule(value: Any) -> Any:
        if not isinstance(value, str) or value not in known:
            raise _UnfitError(_either([repr(choice) for choice in known]))
        return str(value)

    return rule


def _tuple(inside: tuple[Any, ...]) -> _Rule | None:
    endless = len(inside) == 2 and inside[1] is Ellipsis
    found = [_rule(annotation) for annotation in (inside[:1] if endless else inside)]
    rules = [rule for rule in found if rule is not None]
    if len(rules) < len(found):
        return None
    what = "a tuple" if endless else f"a tuple of {len(inside)}"

    def rule(value: Any) -> tuple[Any, ...]:
        value = value.tolist() if isinstance(value, np.ndarray) and value.ndim else value
        if not isinstance(value, tuple | list) or not (endless or len(value) == len(rules)):
            raise _UnfitError(what)
        try:
            return tuple(
                check(item)
                for check, item in zip(rules * len(value) if endless else rules, value, strict=True)
            )
        except _UnfitError as unfit:
            raise _UnfitError(f"{what}, each {unfit}") from None

    return rule


def _dict(key: Any, item: Any) -> _Rule:
    check_key, check_item = _rule(key), _rule(item)

    def rule(value: Any) -> dict[Any, Any]:
        if not isinstance(value, dict):
            raise _UnfitError("a table")
        return {
            (check_key(k) if check_key else k): (check_item(v) if check_item else v)
            for k, v in value.items()
        }

    return rule


def _union(inside: tuple[Any, ...]) -> _Rule | None:
    rules = [_rule(annotation) for annotation in inside]

    def rule(value: Any) -> Any:
        expected = []
        for check in rules:
            try:
                return value if check is None else check(value)
            except _UnfitError as unfit:
                expected.append(str(unfit))
        raise _UnfitError(_either(expected))

    return rule


def _either(choices: list[str]) -> str:
    *others, last = dict.fromkeys(choices)
    comma = "," if any(" or " in choice or ", " in choice for choice in others) else ""
    return f"{', '.join(others)}{comma} or {last}" if others else last


_PLAIN: dict[Any, _Rule | None] = {
    Any: None,
    int: _rule(Integer),
    float: _number(float, Range()),
    bool: _instance((bool, np.bool_), bool, "True or False"),
    str: _instance((str,), str, "a string"),
    types.NoneType: _instance((types.NoneType,), lambda value: value, "None"),
}
_GENERIC: dict[Any, Callable[[Any], _Rule | None]] = {
    Literal: _choice,
    tuple: _tuple,
    dict: lambda inside: _dict(*inside),
    Union: _union,
    types.UnionType: _union,
}
