"""How things show themselves in a Jupyter notebook, although they know nothing of pictures.

What is shown inherits `Shown`, and a notebook asks it for HTML. That is made in `pellucid.view`,
which no layer, history or data set may import; `import pellucid` therefore leaves here a function
that finds it. Where there is none, or Matplotlib is missing, the notebook shows the plain text.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import ModuleType
from typing import Any, ClassVar

_makers: list[Callable[[str, Any], str | None]] = []
_drawers: list[Callable[..., Any]] = []


class Shown:
    """Something that a notebook shows as more than text."""

    shown_as: ClassVar[str] = ""
    """What it is to `pellucid.view.notebook`."""

    def _repr_html_(self) -> str | None:
        """Return HTML for a notebook; None where the plain text is all there is."""
        return _makers[0](self.shown_as, self) if _makers else None

    def drawn(self, **options: Any) -> Any:
        """Return a picture of it, a Matplotlib figure."""
        return _drawers[0](self.shown_as, self, **options)


def show_with(make: Callable[[str, Any], str | None], draw: Callable[..., Any]) -> None:
    """Have `make` return the HTML of all that is `Shown`, and `draw` its picture."""
    _makers[:], _drawers[:] = [make], [draw]


def public_names(namespace: Mapping[str, Any]) -> list[str]:
    """Return what a module offers, for its ``__dir__``: no modules, and nothing private."""
    return [
        name
        for name, value in namespace.items()
        if not (name.startswith("_") or name == "annotations" or isinstance(value, ModuleType))
    ]
