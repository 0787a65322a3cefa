"""What holds for every drawing."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import ParamSpec, TypeVar

from pellucid import engine
from pellucid.view.style import styled

P = ParamSpec("P")
R = TypeVar("R")


def drawing(draw: Callable[P, R]) -> Callable[P, R]:
    """Make `draw` use the library's style, and the engine that is written to be read."""

    @wraps(draw)
    def drawn(*args: P.args, **kwargs: P.kwargs) -> R:
        with engine.using("reference"):
            return styled(draw)(*args, **kwargs)

    return drawn
