"""Convert objects to plain data, which files can hold, and back."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Mapping
from typing import Any, TypeVar, cast

from pellucid.arguments import shown
from pellucid.errors import FileError, PellucidError, unknown

T = TypeVar("T")


def describe(thing: Any) -> dict[str, Any]:
    """Return a dataclass as its type's name and the arguments that differ from their defaults.

    Arguments are plain data or have a method `describe`.
    """
    described: dict[str, Any] = {"type": type(thing).__name__}
    for field in dataclasses.fields(thing):
        value = getattr(thing, field.name)
        if field.init and value != field.default:
            described[field.name] = value.describe() if hasattr(value, "describe") else value
    return described


def build(what: str, description: Any, known: Mapping[str, type[T]], **given: Any) -> T:
    """Build the object that `description` describes.

    Parameters
    ----------
    what
        Kind of the object, for error messages.
    description
        Result of `describe`, or the same written by hand.
    known
        Allowed types by name.
    given
        Further arguments that the description does not contain.
    """
    if not isinstance(description, Mapping) or not isinstance(description.get("type"), str):
        raise FileError(f"{what}: expected a table with a type, not {description!r}")
    name = description["type"]
    if name not in known:
        raise FileError(unknown(what, name, known))
    thing: Any = known[name]
    fields = [f.name for f in dataclasses.fields(thing) if f.init and f.name not in given]
    described = {key: value for key, value in description.items() if key != "type"}
    for argument in described:
        if argument not in fields:
            raise FileError(unknown(f"argument of {name}", argument, fields))
    try:
        arguments = {key: _plain(value, what, known) for key, value in described.items()}
        return known[name](**given, **arguments)
    except FileError:
        raise
    except (PellucidError, TypeError, ValueError, RecursionError) as error:
        raise FileError(f"{what} {name}: {error}") from error


def chosen(what: str, given: Any, known: Mapping[str, type[T]], home: str, **needs: Any) -> T:
    """Return `given` if it is an object of a known kind, or make the object that it names.

    The name is that of a type in any spelling, such as ``"CrossEntropy"`` or ``"cross_entropy"``;
    the object is made with default arguments.

    Parameters
    ----------
    what
        Name of the argument, for messages.
    given
        Object or name.
    known
        Known types by name. Objects that share a base class with them are accepted too.
    home
        Module of these types, for messages.
    needs
        Arguments that the type requires.

    Raises
    ------
    PellucidError
        `given` is neither.
    """
    base = next(iter(known.values())).__mro__[1]
    if isinstance(given, base):
        return cast(T, given)
    names = {snake_case(name): kind for name, kind in known.items()}
    if isinstance(given, str):
        found = [kind for name, kind in known.items() if _bare(name) == _bare(given)]
        if not found:
            raise PellucidError(unknown(what, given, names))
        return found[0](**needs)
    if isinstance(given, type) and issubclass(given, base):
        call = f"{given.__name__}({', '.join(f'model.{name}()' for name in needs)})"
        raise PellucidError(f"{what} must be an object, not the class {given.__name__}; use {call}")
    raise PellucidError(
        f"{what} must be an object of {home}, or one of the names "
        f"{', '.join(map(repr, names))}; not {_told(given)}"
    )


def snake_case(name: str) -> str:
    """Return the name of a type in snake case.

    >>> snake_case("MeanSquaredError"), snake_case("AdamW"), snake_case("RMSprop")
    ('mean_squared_error', 'adamw', 'rmsprop')
    """
    return re.sub(r"(?<=[a-z])(?=[A-Z][a-z])", "_", name).lower()


def _bare(name: str) -> str:
    return name.lower().replace("_", "").replace("-", "").replace(" ", "")


def _told(given: Any) -> str:
    kind = given if isinstance(given, type) else type(given)
    if kind.__module__.split(".")[0] in ("builtins", "pellucid"):
        return shown(given)
    return f"a {kind.__name__} of {kind.__module__.split('.')[0]}"


def _plain(value: Any, what: str, known: Mapping[str, type[Any]]) -> Any:
    """Convert lists, as read from files, to tuples, and tables to the objects they describe."""
    if isinstance(value, Mapping):
        return build(what, value, known)
    return tuple(value) if isinstance(value, list) else value
