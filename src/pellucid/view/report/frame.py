"""The frame of a page: head, contents, sections and style, in one file with all its pictures."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from importlib import resources
from pathlib import Path

from pellucid.files import atomic_write
from pellucid.view import style
from pellucid.view.report.markup import Html, html, joined
from pellucid.view.report.pictures import Picture
from pellucid.view.report.section import Pair, Section

FILE, FIGURES = "report.html", "figures"


@dataclass(frozen=True, eq=False, repr=False)
class Report:
    """A self-contained page, and the files of its pictures by name.

    A notebook shows the page in a frame.
    """

    html: str
    files: dict[str, bytes]

    def _repr_html_(self) -> str:
        return html(
            '<iframe srcdoc="{page}" width="100%" height="800"></iframe>', page=str(self.html)
        )

    def save(self, folder: str | Path, name: str = FILE) -> Path:
        """Write the page and ``figures/`` into `folder`, and return the page's path."""
        folder = Path(folder)
        (folder / FIGURES).mkdir(parents=True, exist_ok=True)
        for file, data in self.files.items():
            (folder / FIGURES / file).write_bytes(data)
        atomic_write(folder / name, self.html.encode())
        return folder / name


def framed(
    eyebrow: str,
    title: str,
    head: Html,
    sections: Sequence[Section],
    foot: Html | None = None,
    wide: bool = False,
) -> Report:
    """Return a page with these sections.

    Parameters
    ----------
    eyebrow, title
        Kind of the page, and its heading.
    head
        What follows the heading.
    sections
        The sections in order.
    foot
        What is said at the end.
    wide
        Whether the page may use more width, for code in several columns.
    """
    pictures = [p for section in sections for p in (*section.pictures, *section.files)]
    svgs = {picture.name: style.svg(picture.figure) for picture in pictures}
    files = {f"{name}.svg": svg.encode() for name, svg in svgs.items()}
    files |= {f"{picture.name}.png": style.png(picture.figure) for picture in pictures}
    look = Html(resources.files(__package__).joinpath("style.css").read_text(encoding="utf-8"))
    digest = base64.b64encode(hashlib.sha256(look.encode()).digest()).decode()
    entries = joined(
        html('<li><a href="#{key}">{title}</a></li>', key=s.key, title=s.title) for s in sections
    )
    page = html(
        _FRAME,
        policy=f"default-src 'none'; img-src data:; style-src 'sha256-{digest}'; "
        "base-uri 'none'; form-action 'none'",
        title=title,
        kind=Html(' class="wide"') if wide else Html(),
        eyebrow=eyebrow,
        look=look,
        head=head,
        entries=entries,
        sections=joined(_section(section, svgs) for section in sections),
        foot=foot or Html(),
    )
    return Report(page, files)


def numbers(facts: Iterable[tuple[str, str]]) -> Html:
    """Return the most important numbers, each with its name above."""
    items = joined(
        html("<div><dt>{name}</dt><dd>{value}</dd></div>", name=name, value=value)
        for name, value in facts
    )
    return html('<dl class="numbers">\n{items}\n</dl>', items=items)


_FRAME = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="{policy}">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<meta name="referrer" content="no-referrer">
<title>{title} · Pellucid</title>
<style>{look}</style>
</head>
<body{kind}>
<a class="skip" href="#content">To the content</a>
<div class="page">
<header>
<p class="eyebrow">{eyebrow}</p>
<h1>{title}</h1>
{head}
</header>
<nav aria-labelledby="contents">
<h2 id="contents">On this page</h2>
<ol>
{entries}
</ol>
</nav>
<main id="content">
{sections}
</main>
<footer>
{foot}<p>Made by Pellucid. This file holds everything that it shows; nothing is fetched.</p>
</footer>
</div>
</body>
</html>
"""


def _part(part: Html | tuple[Picture, str] | Pair, svgs: dict[str, str]) -> Html:
    if isinstance(part, Html):
        return part
    if isinstance(part, Pair):
        inside = joined(_part(picture, svgs) for picture in part.pictures)
        return html('<div class="pair">\n{inside}\n</div>', inside=inside)
    picture, caption = part
    return picture.element(svgs[picture.name], caption)


def _section(section: Section, svgs: dict[str, str]) -> Html:
    parts = joined(_part(part, svgs) for part in section.parts)
    return html(
        '<section id="{key}" aria-labelledby="{key}-title">\n'
        '<h2 id="{key}-title">{title}</h2>\n{parts}\n</section>',
        key=section.key,
        title=section.title,
        parts=parts,
    )
