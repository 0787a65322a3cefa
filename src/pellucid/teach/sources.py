"""The real lines of the library, by name, for pages and notebooks that show them."""

from __future__ import annotations

import importlib
import inspect
import textwrap
from typing import Any


def find(name: str) -> Any:
    """Return what a dotted name stands for: a function, a class, or a method.

    >>> find("pellucid.layers.ReLU.forward").__name__
    'forward'
    """
    parts = name.split(".")
    for count in range(len(parts), 0, -1):
        try:
            found = importlib.import_module(".".join(parts[:count]))
        except ModuleNotFoundError:
            continue
        for part in parts[count:]:
            found = getattr(found, part)
        return inspect.unwrap(found) if callable(found) else found
    raise LookupError(f"there is nothing called {name}")


def lines_of(thing: Any, docstring: bool = True) -> str:
    """Return the source of a function or class, without its docstring if that is not wanted."""
    source = textwrap.dedent(inspect.getsource(thing))
    if not docstring and thing.__doc__:
        start = source.index('"""')
        end = source.index('"""', start + 3) + 3
        source = source[:start].rstrip() + source[end:]
    return source.rstrip()
