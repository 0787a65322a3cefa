"""Objects as plain data, and back: tables that a file can hold."""

import dataclasses
from collections.abc import Mapping
from typing import Any, TypeVar

from pellucid.errors import FileError, PellucidError, unknown

T = TypeVar("T")


def describe(thing: Any) -> dict[str, Any]:
    """Return the type's name of a dataclass, and those arguments that differ from their defaults.

    Arguments are plain data, or have a `describe` of their own.
    """
    described: dict[str, Any] = {"type": type(thing).__name__}
    for field in dataclasses.fields(thing):
        value = getattr(thing, field.name)
        if field.init and value != field.default:
            described[field.name] = value.describe() if hasattr(value, "describe") else value
    return described


def build(what: str, description: Any, known: Mapping[str, type[T]], **given: Any) -> T:
    """Return the object that `description` describes.

    Parameters
    ----------
    what
        What it is, for error messages.
    description
        What `describe` returned, or the like written by hand.
    known
        The types by name; no others are ever made.
    given
        Arguments that are no part of the description.
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


def _plain(value: Any, what: str, known: Mapping[str, type[Any]]) -> Any:
    """Return lists, which files have, as tuples, and tables as what they describe."""
    if isinstance(value, Mapping):
        return build(what, value, known)
    return tuple(value) if isinstance(value, list) else value
