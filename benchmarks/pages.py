"""Figures that stand in a page, between ``<!-- NAME:begin -->`` and ``<!-- NAME:end -->``."""

from collections.abc import Iterable, Sequence
from pathlib import Path


def between_markers(text: str, name: str, new: str) -> str:
    """Return `text` with what stands between the markers replaced."""
    first, last = f"<!-- {name}:begin -->", f"<!-- {name}:end -->"
    before, begin, rest = text.partition(first)
    _, end, after = rest.partition(last)
    if not begin or not end:
        raise SystemExit(f"the text has no markers {first} and {last}, in this order")
    return f"{before}{first}\n{new}\n{last}{after}"


def write(page: Path, name: str, new: str) -> None:
    """Write figures into a page."""
    text = page.read_text(encoding="utf-8")
    page.write_text(between_markers(text, name, new), encoding="utf-8")
    print(f"Written: {page}")


def table(heads: Sequence[str], lines: Iterable[Sequence[str]]) -> str:
    """Return a table in Markdown, with numbers in all columns but the first."""
    ruler = ["---", *["---:"] * (len(heads) - 1)]
    return "\n".join(f"| {' | '.join(line)} |" for line in (heads, ruler, *lines))


def number(value: float, unit: str = "", digits: int | None = None) -> str:
    """Return the value with so many digits after the point, or with three digits in all."""
    if digits is None:
        digits = 0 if value >= 100 else 1 if value >= 10 else 2 if value >= 1 else 3
    return f"{value:.{digits}f}{unit}"
