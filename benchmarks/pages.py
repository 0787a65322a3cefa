"""Figures that stand in a page, between ``<!-- NAME:begin -->`` and ``<!-- NAME:end -->``."""

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
