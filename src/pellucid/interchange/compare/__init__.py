"""The same network in several frameworks: the same weights, the same batches, side by side."""

from __future__ import annotations

from pellucid.interchange.compare.agreement import BOUND, Difference, Row, difference, rows_of
from pellucid.interchange.compare.comparison import Comparison, Settings, compare
from pellucid.interchange.compare.look import Look
from pellucid.interchange.compare.page import html, markdown

__all__ = [
    "BOUND",
    "Comparison",
    "Difference",
    "Look",
    "Row",
    "Settings",
    "compare",
    "difference",
    "html",
    "markdown",
    "rows_of",
]


def __dir__() -> list[str]:
    return __all__
