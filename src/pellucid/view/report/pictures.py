"""Pictures in a page: figures, which adapt to light and dark mode, and pixel images."""

from __future__ import annotations

import base64
import io
from dataclasses import dataclass

import numpy as np
from matplotlib.figure import Figure

from pellucid.types import Array
from pellucid.view import style
from pellucid.view.report.markup import Html, html

_DPI = 96
"""Number of page pixels per inch of a figure."""
_WIDTHS = (420, 560, 760)
"""The minimum widths that style.css defines."""


@dataclass(frozen=True, eq=False)
class Picture:
    """A figure, the name of its files, and a description in words.

    Attributes
    ----------
    name
        Name of the files, without a suffix.
    figure
        The figure, of Matplotlib.
    alt
        Description for people who do not see the picture.
    narrowest
        Width in pixels below which the text would be too small to read; on a narrower screen the
        picture scrolls sideways in its frame. Below 420 it always fits.
    """

    name: str
    figure: Figure
    alt: str
    narrowest: int

    def element(self, svg: str, caption: str = "") -> Html:
        """Return the picture as HTML, given its SVG."""
        width, height = (round(_DPI * side) for side in self.figure.get_size_inches())
        kind = max((w for w in _WIDTHS if w <= min(self.narrowest, width)), default=0)
        image = html(
            '<img class="{kind}" src="{source}" width="{width}" height="{height}" alt="{alt}">',
            kind=f"at-least-{kind}",
            source=uri("image/svg+xml", svg.encode()),
            width=width,
            height=height,
            alt=self.alt,
        )
        frame = html(
            '<div class="frame" role="group" tabindex="0" aria-label="{name}">{image}</div>',
            name=self.name.replace("-", " "),
            image=image,
        )
        if not caption:
            return html("<figure>{frame}</figure>", frame=frame)
        return html(
            "<figure>{frame}<figcaption>{caption}</figcaption></figure>",
            frame=frame,
            caption=caption,
        )


def uri(kind: str, data: bytes) -> str:
    """Return a data URI with the given media type."""
    return f"data:{kind};base64,{base64.b64encode(data).decode()}"


def pixels(image: Array, alt: str) -> Html:
    """Return an image (C, H, W) as an element whose pixels stay sharp when enlarged."""
    from PIL import Image

    rgb = np.round(255 * style.to_rgb(image)).astype(np.uint8)
    grey = bool((rgb == rgb[..., :1]).all())
    written = io.BytesIO()
    Image.fromarray(rgb[..., 0] if grey else rgb).save(written, "png", optimize=True)
    height, width = rgb.shape[:2]
    return html(
        '<img class="pixels" src="{source}" width="{width}" height="{height}" alt="{alt}">',
        source=uri("image/png", written.getvalue()),
        width=width,
        height=height,
        alt=alt,
    )
