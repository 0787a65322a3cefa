"""Convert pages of the guide to Jupyter notebooks.

A page is a MyST text notebook. Directives of the site are converted: an exercise becomes a cell to
write in, lines of the library become a block of code.
"""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pellucid
from pellucid.teach.exercises import find as find_exercise
from pellucid.teach.sources import find, lines_of

_SITE = "https://pellucid-cnn.github.io/pellucid"
_INSTALL = """try:
    import pellucid
except ImportError:
    %pip install -q "pellucid[app]\""""
_FENCE = re.compile(r"^```\{([\w-]+)\} *([^\n]*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_OPTIONS = re.compile(r"\A(---\n.*?^---\n|(:[\w-]+:[^\n]*\n)+\n?)", re.MULTILINE | re.DOTALL)
_NOTE = re.compile(r"^:::\{(\w+)\}\n(.*?)^:::$", re.MULTILINE | re.DOTALL)
_LINK = re.compile(r"(?<!!)\]\(((?:\.\./)*)([\w./-]+)\.md(#[\w-]+)?\)")


def pages() -> list[Path]:
    """Return the guide's pages, from the installed package or the repository."""
    here = Path(__file__).parent / "guide"
    folder = here if here.is_dir() else Path(pellucid.__file__).parents[2] / "docs" / "guide"
    return sorted(path for path in folder.glob("*.md") if path.name != "index.md")


def chapters() -> dict[int, str]:
    """Return the titles of the guide's chapters by number.

    >>> chapters()[2]
    '2. Convolution by hand'
    """
    texts = (page.read_text(encoding="utf-8") for page in pages())
    titles = (re.search(r"^# (\d+)\. .*$", text, re.MULTILINE) for text in texts)
    return {int(title[1]): title[0].removeprefix("# ") for title in titles if title}


def notebook(page: str) -> str:
    """Convert a page to the text of an .ipynb file without outputs."""
    body = re.sub(r"\A---\n.*?^---\n", "", page, count=1, flags=re.MULTILINE | re.DOTALL)
    cells = [_code(_INSTALL)]
    end = 0
    for fence in _FENCE.finditer(body):
        cells += _text(body[end : fence.start()])
        cells += _directive(*fence.groups())
        end = fence.end()
    cells += _text(body[end:])
    for i, cell in enumerate(cells):
        cell["id"] = f"cell-{i:03}"
    kernel = {"display_name": "Python 3", "language": "python", "name": "python3"}
    whole = {
        "cells": cells,
        "metadata": {"kernelspec": kernel, "language_info": {"name": "python"}},
        "nbformat": 4,
        "nbformat_minor": 5,
    }
    return json.dumps(whole, indent=1, ensure_ascii=False) + "\n"


def _directive(kind: str, argument: str, content: str) -> list[dict[str, Any]]:
    if kind == "code-cell":
        return [_code(_OPTIONS.sub("", content, count=1).rstrip())]
    if kind == "exercise":
        exercise = find_exercise(argument)
        check = f"{exercise.stub().rstrip()}\n\nteach.check.{argument}({argument})"
        return [*_text(f"**Exercise: {exercise.title}**"), _code(check)]
    if kind == "source":
        lines = lines_of(find(argument), "no-docstring" not in content)
        return _text(f"`{argument}`:\n\n```python\n{lines}\n```")
    return []  # the site's own, such as a table of contents


def _text(said: str) -> list[dict[str, Any]]:
    said = _NOTE.sub(lambda m: f"> **{m[1].title()}:** " + m[2].strip().replace("\n", "\n> "), said)
    said = _LINK.sub(_link, said).strip()
    return [{"cell_type": "markdown", "metadata": {}, "source": said}] if said else []


def _link(match: re.Match[str]) -> str:
    outside, name, anchor = match.groups()
    if not outside:
        return f"]({name}.ipynb)"
    return f"]({_SITE}/{name}.html{anchor or ''})"


def _code(source: str) -> dict[str, Any]:
    return {
        "cell_type": "code",
        "execution_count": None,
        "metadata": {},
        "outputs": [],
        "source": source,
    }
