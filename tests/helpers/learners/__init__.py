"""Solutions as learners write them, right and wrong, independent of how the checks work.

Each wrong one is registered with its exercise and the name of its mistake.
"""

from learners import (
    activations,
    backwards,
    columns,
    convolution,
    deeper,
    descent,
    head,
    metrics,
    sizes,
)
from learners.solutions import RIGHT, WRONG

__all__ = [
    "RIGHT",
    "WRONG",
    "activations",
    "backwards",
    "columns",
    "convolution",
    "deeper",
    "descent",
    "head",
    "metrics",
    "sizes",
]
