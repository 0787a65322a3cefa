"""Every drawing by its name."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from matplotlib.figure import Figure

from pellucid.errors import FileError, PellucidError, unknown
from pellucid.view import style
from pellucid.view.draw.activations import activations
from pellucid.view.draw.animation import Animation
from pellucid.view.draw.batch_norm import batch_norm
from pellucid.view.draw.channels import channels
from pellucid.view.draw.columns import col2im, im2col
from pellucid.view.draw.convolution import convolution, convolution_animation
from pellucid.view.draw.cross_entropy import softmax_cross_entropy
from pellucid.view.draw.dilation import dilation, dilation_animation
from pellucid.view.draw.fft import fft
from pellucid.view.draw.flip import flip
from pellucid.view.draw.gradient_flow import gradient_flow
from pellucid.view.draw.groups import groups
from pellucid.view.draw.matrix_product import matrix_product
from pellucid.view.draw.network_shapes import shapes
from pellucid.view.draw.padding import padding, padding_animation
from pellucid.view.draw.pooling import average_pool, max_pool
from pellucid.view.draw.receptive_field import receptive_field
from pellucid.view.draw.rotation import rotation
from pellucid.view.draw.stride import stride, stride_animation
from pellucid.view.draw.winograd import winograd


@dataclass(frozen=True)
class Drawing:
    """A drawing in the catalogue.

    Attributes
    ----------
    name, line
        The name, and a one-line description.
    figure, animation
        The functions that draw it as a figure and as an animation; `animation` may be None.
    """

    name: str
    line: str
    figure: Callable[..., Figure]
    animation: Callable[..., Animation] | None = None

    @property
    def suffixes(self) -> tuple[str, ...]:
        """The file types in which the drawing is saved."""
        return (".svg",) if self.animation is None else (".svg", ".gif")

    def save(self, path: str | Path, **options: Any) -> Path:
        """Draw with `options`, and write .svg or .png, or .gif for the animation.

        Examples
        --------
        >>> find("stride").save("stride.gif", stride=3).name
        'stride.gif'
        """
        path = Path(path)
        if path.suffix == ".gif":
            if self.animation is None:
                raise FileError(f"the drawing '{self.name}' does not move; save it as .svg or .png")
            return self.animation(**self._checked(self.animation, options)).save(path)
        if path.suffix not in (".svg", ".png"):
            kinds = ".svg, .png or .gif" if self.animation else ".svg or .png"
            raise FileError(f"the drawing '{self.name}' is saved as {kinds}, not as '{path.name}'")
        return style.save(self.figure(**self._checked(self.figure, options)), path)

    def _checked(self, draw: Callable[..., Any], options: dict[str, Any]) -> dict[str, Any]:
        takes = tuple(inspect.signature(draw).parameters)
        for name in options.keys() - takes:
            kind = "moving drawing" if draw is self.animation else "drawing"
            hint = f"it takes {', '.join(takes)}" if takes else "it takes none"
            raise PellucidError(f"the {kind} '{self.name}' has no option {name}; {hint}")
        return options


DRAWINGS = (
    Drawing(
        "convolution",
        "the sliding window, step by step",
        convolution,
        convolution_animation,
    ),
    Drawing("padding", "zeros around the image: valid, same, full", padding, padding_animation),
    Drawing("stride", "how far the window moves", stride, stride_animation),
    Drawing("dilation", "how far the kernel's numbers lie apart", dilation, dilation_animation),
    Drawing("channels", "several channels in, several maps out", channels),
    Drawing("groups", "which channels a filter sees, down to depthwise", groups),
    Drawing("im2col", "which patch becomes which column", im2col),
    Drawing("col2im", "columns go back to their patches, and overlaps add up", col2im),
    Drawing("matrix-product", "convolution as one matrix product", matrix_product),
    Drawing("fft", "convolution by one product at each frequency", fft),
    Drawing("winograd", "a tile with 16 multiplications in place of 36", winograd),
    Drawing("rotation", "both gradients of a convolution, and the turned kernel", rotation),
    Drawing("gradient-flow", "values forward and gradients back through a network", gradient_flow),
    Drawing("shapes", "how shapes change on their way through a network", shapes),
    Drawing("max-pool", "where maxima come from and gradients go, with ties", max_pool),
    Drawing("average-pool", "means of windows, and equal shares of gradients", average_pool),
    Drawing("flip", "convolution and cross-correlation", flip),
    Drawing("receptive-field", "what one output sees through several layers", receptive_field),
    Drawing("batch-norm", "which numbers share a mean: batch, layer, group", batch_norm),
    Drawing("activations", "activation functions and their slopes", activations),
    Drawing("softmax-cross-entropy", "from outputs to loss and gradient", softmax_cross_entropy),
)
"""All drawings, in the order of docs/mathematics.md."""


def names() -> tuple[str, ...]:
    """Return the names of all drawings.

    >>> names()[:3]
    ('convolution', 'padding', 'stride')
    """
    return tuple(drawing.name for drawing in DRAWINGS)


def find(name: str) -> Drawing:
    """Return the drawing with this name.

    >>> find("im2col").line
    'which patch becomes which column'
    """
    for drawing in DRAWINGS:
        if drawing.name == name:
            return drawing
    raise PellucidError(unknown("drawing", name, names()))


def save_all(folder: str | Path) -> list[Path]:
    """Write every drawing to `folder` as SVG, and animations also as GIF."""
    return [
        drawing.save(Path(folder) / f"{drawing.name}{suffix}")
        for drawing in DRAWINGS
        for suffix in drawing.suffixes
    ]
