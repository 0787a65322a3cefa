"""The appearance of cells: colours and number formats."""

from __future__ import annotations

from enum import Enum

from matplotlib.colors import Colormap, LinearSegmentedColormap, to_rgb

from pellucid.view import style

INCHES = 0.34
"""The side of a cell."""

CELL_INK = "#14171a"
"""Numbers in cells: cells are light on any page, so this ink stays dark."""


class Role(Enum):
    """The role of a grid of numbers, which determines its colour in every drawing."""

    INPUT = style.BLUE
    KERNEL = style.ORANGE
    OUTPUT = style.GREEN
    GRADIENT = style.VERMILLION
    BETWEEN = style.PURPLE
    PADDING = "#8a929c"


Colour = Role | str
"""What a number is, or a colour by its name, where a drawing needs others of its own."""


def number(value: float) -> str:
    """Format a number for a cell: short, with a proper minus sign.

    >>> number(-3.0), number(0.123), number(2.5)
    ('−3', '0.12', '2.5')
    """
    text = f"{value:.2f}".rstrip("0").rstrip(".") if abs(value) < 100 else f"{value:.0f}"
    return "0" if text in ("-0", "0") else text.replace("-", "−")


def blank(value: float) -> str:
    """Return an empty string for any number."""
    return ""


def shade(colour: Colour, strength: float) -> tuple[float, float, float]:
    """Mix a colour with white: 0 is white, 1 the colour itself."""
    red, green, blue = (1 - strength * (1 - part) for part in to_rgb(plain(colour)))
    return red, green, blue


def plain(colour: Colour) -> str:
    """Return the colour of a role; return any other colour unchanged."""
    return colour.value if isinstance(colour, Role) else colour


def colours(colour: Colour) -> Colormap:
    """Return a colour map with strong ends and a pale middle, regardless of sign."""
    grey = colour is Role.PADDING
    strong, weak = shade(colour, 0.26 if grey else 0.62), shade(colour, 0.26 if grey else 0.06)
    found = LinearSegmentedColormap.from_list("cells", [strong, weak, strong])
    return found.with_extremes(bad=style.PAPER)


def fitting(longest: int, side: float) -> float:
    """Return the font size at which `longest` characters fit into a cell."""
    points = 72 * INCHES * side
    return min(style.MEDIUM, 0.86 * points / (0.64 * max(longest, 1)))
