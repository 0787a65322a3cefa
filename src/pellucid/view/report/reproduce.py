"""The section on how to reproduce the run."""

from __future__ import annotations

import re

from pellucid.view.report.contents import Contents
from pellucid.view.report.markup import Html, html, joined
from pellucid.view.report.section import Section, paragraph


def reproduce(contents: Contents) -> Section | None:
    """Return the section with the command and the facts that the run depended on."""
    if not contents.command and not contents.facts:
        return None
    parts: list[Html] = []
    if contents.command:
        parts.append(
            paragraph(
                "This command trains the same network on the same data with the same choices. On "
                "the same machine, with the same versions, engine and threads, it gives the same "
                "weights to the last bit."
            )
        )
        # an option and its value stay on one line
        pieces = re.split(" (?=--)", contents.command)
        spans = joined((html("<span>{piece}</span>", piece=piece) for piece in pieces), " ")
        parts.append(html('<pre tabindex="0"><code>{spans}</code></pre>', spans=spans))
    if contents.facts:
        rows = joined(
            html('<tr><th scope="row">{name}</th><td>{value}</td></tr>', name=name, value=value)
            for name, value in contents.facts.items()
        )
        parts.append(
            html(
                '<table class="facts"><caption>What it depended on</caption>'
                "<tbody>{rows}</tbody></table>",
                rows=rows,
            )
        )
    return Section("reproduce", "How to reproduce it", tuple(parts))
