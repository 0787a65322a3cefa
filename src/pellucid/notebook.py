"""Show objects in Jupyter notebooks without importing Matplotlib.

Objects that inherit from `Shown` return HTML for notebooks. It is made by `pellucid.view`, which
layers, histories and data sets must not import; so ``import pellucid`` registers a function that
does. Without it, or without Matplotlib, notebooks show plain text.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping
from types import ModuleType
from typing import Any, ClassVar

_makers: list[Callable[[str, Any], str | None]] = []
_drawers: list[Callable[..., Any]] = []


class Shown:
    """Base class of objects that notebooks show as HTML."""

    shown_as: ClassVar[str] = ""
    """Kind of the object in `pellucid.view.notebook`."""

    def _repr_html_(self) -> str | None:
        """Return HTML for a notebook, or None to show plain text."""
        return _makers[0](self.shown_as, self) if _makers else None

    def drawn(self, **options: Any) -> Any:
        """Return a picture of the object as a Matplotlib figure."""
        return _drawers[0](self.shown_as, self, **options)


def show_with(make: Callable[[str, Any], str | None], draw: Callable[..., Any]) -> None:
    """Register the functions that make the HTML and the picture of `Shown` objects."""
    _makers[:], _drawers[:] = [make], [draw]


def in_notebook() -> bool:
    """Return whether the program runs in a Jupyter kernel."""
    ipython = sys.modules.get("IPython")
    shell = None if ipython is None else ipython.get_ipython()
    return getattr(shell, "kernel", None) is not None


def public_names(namespace: Mapping[str, Any]) -> list[str]:
    """Return a module's public names for its ``__dir__``, without imported modules."""
    return [
        name
        for name, value in namespace.items()
        if not (name.startswith("_") or name == "annotations" or isinstance(value, ModuleType))
    ]
