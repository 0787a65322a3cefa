"""A slider over pictures, for notebooks and web pages."""

from __future__ import annotations

import base64
import io
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from html import escape
from typing import Any

from matplotlib.figure import Figure

from pellucid.errors import PellucidError

_DPI = 96


@dataclass(frozen=True)
class Slider:
    """Pictures of which a slider shows one.

    All are drawn in advance, so the slider works without a running kernel, also on a web page.

    Attributes
    ----------
    figures
        The pictures, in order.
    values
        Value for which each was drawn.
    label
        What the slider changes.
    first
        Index of the picture shown first.
    """

    figures: tuple[Figure, ...]
    values: tuple[Any, ...]
    label: str
    first: int = 0

    def _repr_html_(self) -> str:
        images = "".join(
            f"<img src='data:image/png;base64,{_png(figure)}' style='max-width:100%"
            f"{'' if i == self.first else ';display:none'}' "
            f"alt='{escape(f'The picture for {self.label} {value}')}'>"
            for i, (figure, value) in enumerate(zip(self.figures, self.values, strict=True))
        )
        values = escape(repr(list(map(str, self.values))), quote=True)
        change = (
            "const box=this.closest('.pellucid-slider');"
            "box.querySelectorAll('img').forEach((image,i)=>"
            "{image.style.display=i==this.value?'':'none'});"
            f"box.querySelector('output').textContent={values}[this.value]"
        )
        return (
            "<div class='pellucid-slider'>"
            f"<label>{escape(self.label)} <input type='range' min='0' value='{self.first}' "
            f"max='{len(self.figures) - 1}' oninput=\"{change}\"></label> "
            f"<output>{escape(str(self.values[self.first]))}</output><div>{images}</div></div>"
        )


def slider(
    draw: Callable[[Any], Figure], values: Sequence[Any], label: str, first: int = 0
) -> Slider:
    """Draw a picture for each value, and return a slider over them.

    Parameters
    ----------
    draw
        Function that returns the figure for a value.
    values
        The values.
    label
        What the values mean.
    first
        Index of the value that is shown first.

    Examples
    --------
    >>> from pellucid.view import draw
    >>> strides = slider(lambda s: draw.convolution(stride=s), [1, 2], "stride")
    >>> len(strides.figures)
    2
    """
    if not values:
        raise PellucidError("a slider needs at least one value")
    figures = tuple(draw(value) for value in values)
    return Slider(figures, tuple(values), label, first)


def _png(figure: Figure) -> str:
    file = io.BytesIO()
    figure.savefig(file, format="png", dpi=_DPI, bbox_inches="tight")
    return base64.b64encode(file.getvalue()).decode()
