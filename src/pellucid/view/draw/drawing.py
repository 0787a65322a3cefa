"""The decorator of all drawings."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import ParamSpec, TypeVar

from pellucid import engine
from pellucid.view.style import styled

P = ParamSpec("P")
R = TypeVar("R")


def drawing(draw: Callable[P, R]) -> Callable[P, R]:
    """Make `draw` use Pellucid's style and the reference engine."""

    @wraps(draw)
    def drawn(*args: P.args, **kwargs: P.kwargs) -> R:
        with engine.using("reference"):
            return styled(draw)(*args, **kwargs)

    return drawn
