"""Pictures of networks, runs and mathematics; each function returns a Matplotlib figure."""

from __future__ import annotations

from pellucid.view import draw
from pellucid.view.attribution import attribution, attribution_by_class
from pellucid.view.calibration import calibration
from pellucid.view.comparison import comparison
from pellucid.view.confusion import confusion
from pellucid.view.curves import curves, curves_of_runs, rates
from pellucid.view.data_set import data_set
from pellucid.view.diagram import diagram
from pellucid.view.feature_maps import feature_maps
from pellucid.view.filters import filters
from pellucid.view.gradient_flow import gradient_flow
from pellucid.view.mistakes import mistakes
from pellucid.view.patches import maximizing, patches
from pellucid.view.ranking import precision_recall, roc
from pellucid.view.scores import scores
from pellucid.view.shapes import shapes
from pellucid.view.slider import slider
from pellucid.view.style import caption, save

__all__ = [
    "attribution",
    "attribution_by_class",
    "calibration",
    "caption",
    "comparison",
    "confusion",
    "curves",
    "curves_of_runs",
    "data_set",
    "diagram",
    "draw",
    "feature_maps",
    "filters",
    "gradient_flow",
    "maximizing",
    "mistakes",
    "patches",
    "precision_recall",
    "rates",
    "roc",
    "save",
    "scores",
    "shapes",
    "slider",
]


def __dir__() -> list[str]:
    return __all__
