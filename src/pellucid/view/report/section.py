"""The parts of the page."""

from __future__ import annotations

from dataclasses import dataclass

from pellucid.view.report.markup import Html, html, joined
from pellucid.view.report.pictures import Picture


@dataclass(frozen=True, eq=False)
class Pair:
    """Pictures with captions, placed side by side if the page is wide enough."""

    pictures: tuple[tuple[Picture, str], ...]


@dataclass(frozen=True, eq=False)
class Section:
    """A section of the page: a heading and its content.

    Attributes
    ----------
    key
        Identifier of the section, used in links to it.
    title
        The heading.
    parts
        The content in order: HTML, and pictures with captions.
    files
        Pictures that are only written as files; the page shows their content in another form.
    """

    key: str
    title: str
    parts: tuple[Html | tuple[Picture, str] | Pair, ...]
    files: tuple[Picture, ...] = ()

    @property
    def pictures(self) -> list[Picture]:
        """The pictures on the page."""
        pairs = [part.pictures for part in self.parts if isinstance(part, Pair)]
        alone = [part[0] for part in self.parts if isinstance(part, tuple)]
        return alone + [picture for pair in pairs for picture, _ in pair]


def paragraph(text: str, kind: str = "") -> Html:
    """Return a paragraph of plain text."""
    if kind:
        return html('<p class="{kind}">{text}</p>', kind=kind, text=text)
    return html("<p>{text}</p>", text=text)


def table(caption: str, heads: list[str], rows: list[list[str]], marked: int | None = None) -> Html:
    """Return a table: the first column names its row, the others are numbers."""

    def line(row: list[str]) -> Html:
        first, *rest = row
        cells = joined((html('<td class="n">{x}</td>', x=cell) for cell in rest), "")
        return html('<th scope="row">{first}</th>{cells}', first=first, cells=cells)

    head = joined(
        (
            html('<th scope="col"{kind}>{x}</th>', x=x, kind=html(' class="n"') if i else "")
            for i, x in enumerate(heads)
        ),
        "",
    )
    body = joined(
        html(
            "<tr{kind}>{line}</tr>",
            line=line(row),
            kind=html(' class="best"') if i == marked else "",
        )
        for i, row in enumerate(rows)
    )
    return html(
        '<div class="frame" role="group" tabindex="0" aria-label="{caption}"><table>'
        "<caption>{caption}</caption><thead><tr>{head}</tr></thead><tbody>{body}</tbody>"
        "</table></div>",
        caption=caption,
        head=head,
        body=body,
    )


def folded(title: str, inside: Html) -> Html:
    """Return content that is folded until its title is clicked."""
    return html("<details><summary>{title}</summary>{inside}</details>", title=title, inside=inside)
