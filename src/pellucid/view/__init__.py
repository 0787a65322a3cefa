"""Pictures of networks, runs and mathematics; each function returns a Matplotlib figure."""

from pellucid.view.calibration import calibration
from pellucid.view.confusion import confusion
from pellucid.view.curves import curves
from pellucid.view.filters import filters
from pellucid.view.gradient_flow import gradient_flow
from pellucid.view.mistakes import mistakes
from pellucid.view.scores import scores
from pellucid.view.style import save

__all__ = [
    "calibration",
    "confusion",
    "curves",
    "filters",
    "gradient_flow",
    "mistakes",
    "save",
    "scores",
]
