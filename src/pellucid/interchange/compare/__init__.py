"""Run the same network with the same weights and batches in Pellucid, PyTorch and TensorFlow."""

from __future__ import annotations

from pellucid.interchange.compare.agreement import BOUND, Difference, Row, difference, rows_of
from pellucid.interchange.compare.comparison import Comparison, Settings, compare
from pellucid.interchange.compare.inspection import Inspection
from pellucid.interchange.compare.page import markdown

__all__ = [
    "BOUND",
    "Comparison",
    "Difference",
    "Inspection",
    "Row",
    "Settings",
    "compare",
    "difference",
    "markdown",
    "rows_of",
]


def __dir__() -> list[str]:
    return __all__
