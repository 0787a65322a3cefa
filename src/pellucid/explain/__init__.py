"""Show what a network has learned and why it decides as it does, as plain arrays."""

from __future__ import annotations

from pellucid.explain.activations import activations
from pellucid.explain.cam import grad_cam, grad_cam_plus_plus, last_maps
from pellucid.explain.gradients import Gradients, gradients
from pellucid.explain.integrated import completeness_error, integrated_gradients
from pellucid.explain.maximize import Maximized, maximize_filter
from pellucid.explain.occlusion import occlusion
from pellucid.explain.patches import Patches, top_patches
from pellucid.explain.receptive import ReceptiveFields, receptive_fields
from pellucid.explain.saliency import guided_backpropagation, saliency, smooth_grad
from pellucid.explain.sanity import randomization_check
from pellucid.explain.trace import Node, Trace, Tracer, nodes

__all__ = [
    "Gradients",
    "Maximized",
    "Node",
    "Patches",
    "ReceptiveFields",
    "Trace",
    "Tracer",
    "activations",
    "completeness_error",
    "grad_cam",
    "grad_cam_plus_plus",
    "gradients",
    "guided_backpropagation",
    "integrated_gradients",
    "last_maps",
    "maximize_filter",
    "nodes",
    "occlusion",
    "randomization_check",
    "receptive_fields",
    "saliency",
    "smooth_grad",
    "top_patches",
]


def __dir__() -> list[str]:
    return __all__
