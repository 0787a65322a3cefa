"""Animations: sequences of figures, saved as GIF."""

from __future__ import annotations

import base64
import io
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.transforms import Bbox

from pellucid.errors import FileError
from pellucid.files import atomic_write
from pellucid.types import Array
from pellucid.view import style
from pellucid.view.draw.board import Board

DPI = 110


@dataclass(frozen=True)
class Animation:
    """A repeating sequence of figures of equal size.

    Attributes
    ----------
    figures
        The pictures in order.
    seconds
        Seconds for which each figure is shown.

    Examples
    --------
    >>> import pellucid as pl
    >>> moving = pl.view.draw.convolution_animation()
    >>> len(moving.figures)
    9
    >>> moving.save("convolution.gif").name
    'convolution.gif'
    """

    figures: tuple[Figure, ...]
    seconds: tuple[float, ...]

    @classmethod
    def of(cls, boards: Sequence[Board], seconds: float = 1.2) -> Animation:
        """Return an animation of boards at equal size; the last is shown three times as long."""
        bounds = Bbox.union([board.bounds() for board in boards])
        figures = tuple(board.figure(bounds) for board in boards)
        return cls(figures, (*[seconds] * (len(boards) - 1), 3 * seconds))

    def save(self, path: str | Path) -> Path:
        """Write the animation to a GIF file."""
        path = Path(path)
        if path.suffix != ".gif":
            raise FileError(f"an animation is saved as .gif, not as '{path.name}'")
        atomic_write(path, self.gif())
        return path

    @style.styled
    def gif(self) -> bytes:
        """Return the bytes of a GIF image that repeats forever."""
        from PIL import Image

        frames = [_pixels(figure) for figure in self.figures]
        # one palette for all: else each picture brings its own, and colours flicker
        seen = Image.fromarray(np.concatenate([frame[::2, ::2] for frame in frames]))
        palette = seen.quantize(128, method=Image.Quantize.MEDIANCUT)
        plain = [
            Image.fromarray(frame).quantize(palette=palette, dither=Image.Dither.NONE)
            for frame in frames
        ]
        written = io.BytesIO()
        plain[0].save(
            written,
            format="GIF",
            save_all=True,
            append_images=plain[1:],
            duration=[round(1000 * s) for s in self.seconds],
            loop=0,
            optimize=True,
        )
        return written.getvalue()

    def _repr_html_(self) -> str:
        image = base64.b64encode(self.gif()).decode()
        return f'<img alt="An animation" src="data:image/gif;base64,{image}">'


def _pixels(figure: Figure) -> Array:
    """Return a figure as pixels (H, W, 3)."""
    figure.set_dpi(DPI)
    canvas: Any = FigureCanvasAgg(figure)
    canvas.draw()
    return np.array(canvas.buffer_rgba())[..., :3]
