"""Activation functions and their derivatives."""

from __future__ import annotations

import numpy as np
from matplotlib.figure import Figure

from pellucid import ops
from pellucid.types import Array
from pellucid.view import style
from pellucid.view.draw.cells import Role
from pellucid.view.draw.drawing import drawing

X = np.linspace(-4, 4, 321)

FUNCTIONS = {
    "ReLU": ("relu", "y"),
    "Leaky ReLU": ("leaky_relu", "x"),
    "ELU": ("elu", "y"),
    "GELU": ("gelu", "x"),
    "sigmoid": ("sigmoid", "y"),
    "tanh": ("tanh", "y"),
    "SiLU": ("silu", "x"),
    "Hardswish": ("hardswish", "x"),
}
"""Each with what its gradient is computed from: the input or the output."""


@drawing
def activations() -> Figure:
    """Draw eight activation functions and their derivatives."""
    figure = style.figure(8.6, 4.9)
    figure.set_facecolor(style.PAPER)
    figure.set_layout_engine("constrained", w_pad=0.12, h_pad=0.12)
    panels = figure.subplots(2, 4, sharex=True, sharey=True)
    for axes, (title, (name, kept)) in zip(panels.flat, FUNCTIONS.items(), strict=True):
        y, slope = _computed(name, kept)
        axes.axhline(0, color=style.FAINT, linewidth=0.8)
        axes.axvline(0, color=style.FAINT, linewidth=0.8)
        axes.plot(X, y, color=Role.OUTPUT.value, label="f(x)")
        axes.plot(
            X, slope, color=Role.GRADIENT.value, linestyle=(0, (4, 1.5)), label="its slope f′(x)"
        )
        axes.set_title(title)
        axes.set(xlim=(-4, 4), ylim=(-1.5, 4), xticks=[-4, -2, 0, 2, 4], yticks=[0, 2, 4])
    figure.legend(*panels[0, 0].get_legend_handles_labels(), loc="outside lower left", ncols=2)
    figure.suptitle(
        "Where the slope is near 0, a layer hardly learns",
        x=0.02,
        ha="left",
        weight="bold",
        size=13,
    )
    return figure


def _computed(name: str, kept: str) -> tuple[Array, Array]:
    """Return the values of the function, and its gradient for dy = 1."""
    y = getattr(ops, name)(X)
    return y, getattr(ops, f"{name}_gradient")(np.ones_like(X), {"x": X, "y": y}[kept])
