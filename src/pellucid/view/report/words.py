"""Format numbers and lists for sentences."""

from __future__ import annotations

from collections.abc import Sequence

CLOSE = "\N{NO-BREAK SPACE}"
"""Space between a number and its unit that keeps them on one line."""


def percent(share: float, digits: int = 2) -> str:
    """Format a share as a percentage; only exactly 0 and 1 become 0 % and 100 %.

    >>> [percent(share).replace(CLOSE, " ") for share in (0.9916, 0.99999, 1.0)]
    ['99.16 %', '99.99 %', '100 %']
    """
    if share in (0.0, 1.0):
        return f"{100 * share:.0f}{CLOSE}%"
    step = 10.0**-digits
    return f"{min(max(100 * share, step), 100 - step):.{digits}f}{CLOSE}%"


def count(number: int, one: str, many: str | None = None) -> str:
    """Format a number with its noun.

    >>> count(1, "image"), count(2500, "image"), count(0, "class", "classes")
    ('1 image', '2,500 images', '0 classes')
    """
    return f"{number:,} {one if number == 1 else many or one + 's'}"


def duration(seconds: float) -> str:
    """Format a time in its two largest units.

    >>> [duration(seconds).replace(CLOSE, " ") for seconds in (3.14, 75, 7300)]
    ['3.1 s', '1 min 15 s', '2 h 1 min']
    """
    whole = round(seconds)
    if seconds < 10:
        text = f"{seconds:.1f} s"
    elif whole < 60:
        text = f"{whole} s"
    elif whole < 3600:
        text = f"{whole // 60} min {whole % 60} s"
    else:
        text = f"{whole // 3600} h {whole % 3600 // 60} min"
    return text.replace(" ", CLOSE)


def sizes(shape: Sequence[int]) -> str:
    """Format a shape.

    >>> sizes((3, 32, 32))
    '3×32×32'
    """
    return "×".join(map(str, shape))


def listed(names: Sequence[str], longest: int = 10) -> str:
    """Join names as in a sentence; more than `longest` are abbreviated.

    >>> listed(["a"]), listed(["a", "b", "c"]), listed(list("abcd"), 2)
    ('a', 'a, b and c', 'a, b and 2 more')
    """
    if len(names) > longest:
        return f"{', '.join(names[:longest])} and {len(names) - longest} more"
    if len(names) < 2:
        return "".join(names)
    return f"{', '.join(names[:-1])} and {names[-1]}"
