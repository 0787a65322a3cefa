"""The page: its head, its sections in order, and the frame around them."""

from __future__ import annotations

import base64
import hashlib
import math
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from importlib import resources
from pathlib import Path
from statistics import median

from pellucid.files import atomic_write
from pellucid.view import style
from pellucid.view.report import learning, network, results, scaling
from pellucid.view.report.contents import Contents
from pellucid.view.report.findings import findings
from pellucid.view.report.markup import Html, html, joined
from pellucid.view.report.pictures import Picture
from pellucid.view.report.reproduce import reproduce
from pellucid.view.report.section import Pair, Section
from pellucid.view.report.words import count, duration, percent

FILE, FIGURES = "report.html", "figures"

_SECTIONS: tuple[tuple[str, Callable[[Contents], Section | None]], ...] = (
    ("learning curves", learning.learning),
    ("scores of classes", results.classes),
    ("ROC and precision–recall curves", results.thresholds),
    ("a confusion matrix", results.confusions),
    ("calibration", results.confidence),
    ("mistakes", results.mistakes),
    ("the network's diagram", network.structure),
    ("filters", network.kernels),
    ("feature maps", network.seen),
    ("gradient flow", learning.gradients),
    ("", scaling.scaling),
    ("how to reproduce the run", reproduce),
)
"""The sections in order, each with a name that is listed as missing if there is nothing to show.

Sections that only some runs have are without a name, and are never listed as missing.
"""


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

    def save(self, folder: str | Path) -> Path:
        """Write ``report.html`` and ``figures/`` into `folder` and return the page's path."""
        folder = Path(folder)
        (folder / FIGURES).mkdir(parents=True, exist_ok=True)
        for name, data in self.files.items():
            (folder / FIGURES / name).write_bytes(data)
        atomic_write(folder / FILE, self.html.encode())
        return folder / FILE


def report(contents: Contents) -> Report:
    """Make the report on a training run."""
    with warnings.catch_warnings():
        # browsers have glyphs for all scripts, unlike Matplotlib's font
        warnings.filterwarnings("ignore", "Glyph .* missing from font")
        made = [(what, make(contents)) for what, make in _SECTIONS]
        sections = [section for _, section in made if section is not None]
        pictures = [p for section in sections for p in (*section.pictures, *section.files)]
        svgs = {picture.name: style.svg(picture.figure) for picture in pictures}
        files = {f"{name}.svg": svg.encode() for name, svg in svgs.items()}
        files |= {f"{picture.name}.png": style.png(picture.figure) for picture in pictures}
    missing = [what for what, section in made if what and section is None]
    return Report(_page(contents, sections, svgs, missing), files)


def _page(
    contents: Contents, sections: list[Section], svgs: dict[str, str], missing: list[str]
) -> Html:
    look = Html(resources.files(__package__).joinpath("style.css").read_text(encoding="utf-8"))
    digest = base64.b64encode(hashlib.sha256(look.encode()).digest()).decode()
    title = f"{contents.model_name} on {contents.data_name}"
    entries = joined(
        html('<li><a href="#{key}">{title}</a></li>', key=s.key, title=s.title) for s in sections
    )
    return html(
        _FRAME,
        policy=f"default-src 'none'; img-src data:; style-src 'sha256-{digest}'; "
        "base-uri 'none'; form-action 'none'",
        title=title,
        look=look,
        head=_head(contents, title, {section.key: section.title for section in sections}),
        entries=entries,
        sections=joined(_section(section, svgs) for section in sections),
        missing=_missing(missing),
    )


_FRAME = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="{policy}">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<meta name="referrer" content="no-referrer">
<title>{title} · Pellucid report</title>
<style>{look}</style>
</head>
<body>
<a class="skip" href="#content">To the content</a>
<div class="page">
<header>
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
{missing}<p>Made by Pellucid. This file holds everything that it shows; nothing is fetched.</p>
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


def _missing(missing: list[str]) -> Html:
    if not missing:
        return Html()
    return html(
        "<p>Left out, as this run has nothing to show for it: {what}.</p>\n",
        what=", ".join(missing),
    )


def _head(contents: Contents, title: str, titles: dict[str, str]) -> Html:
    numbers = joined(
        html("<div><dt>{name}</dt><dd>{value}</dd></div>", name=name, value=value)
        for name, value in _numbers(contents)
    )
    found = [finding for finding in findings(contents) if finding.section in titles]
    items = joined(
        html(
            '<li>{text} <a href="#{key}">{title}</a></li>',
            text=finding.text,
            key=finding.section,
            title=titles[finding.section],
        )
        for finding in found
    )
    first = html(
        '<div class="first"><h2>What to look at first</h2><ul>{items}</ul></div>', items=items
    )
    return html(
        '<p class="eyebrow">Training report</p>\n<h1>{title}</h1>\n<p class="lede">{lede}</p>\n'
        '<dl class="numbers">\n{numbers}\n</dl>\n{first}',
        title=title,
        lede=_lede(contents),
        numbers=numbers,
        first=first if found else Html(),
    )


def _lede(contents: Contents) -> str:
    """Return a summary of the results in words."""
    said, evaluation = [], contents.evaluation
    if evaluation is not None:
        total, right = len(evaluation.labels), int(evaluation.confusion.trace())
        chance = evaluation.by_class.support.max() / total
        said.append(
            f"The network classified {right:,} of {total:,} {contents.judged_by} images correctly, "
            f"{percent(right / total)}{_how_certain(evaluation.accuracy_interval)}. Always "
            f"predicting the most frequent class would reach {percent(float(chance), 1)}."
        )
        if total < _FEW:
            said.append(f"{count(total, 'image')} are too few to compare networks by.")
    else:
        said.append("It was not evaluated on images that it had not been trained on.")
    if contents.history:
        spent = duration(sum(epoch.seconds for epoch in contents.history))
        compiled = sum(epoch.compiling for epoch in contents.history)
        more = f", besides {duration(compiled)} to compile kernels" if compiled >= 1 else ""
        said.append(
            f"It was trained for {count(len(contents.history), 'epoch')}, which took {spent}{more}."
        )
    if contents.kept is not None:
        said.append(
            f"The weights are those of epoch {contents.kept}, which did best in validation."
        )
    return " ".join(said)


_FEW = 100
"""Number of test images below which differences of several per cent may be chance."""


def _how_certain(interval: tuple[float, float]) -> str:
    low, high = (percent(end, 1) for end in interval)
    return f" (95 % interval: {low} to {high})"


def _numbers(contents: Contents) -> list[tuple[str, str]]:
    numbers, evaluation = [], contents.evaluation
    if evaluation is not None:
        numbers.append((f"{contents.judged_by} accuracy", percent(evaluation.accuracy)))
        numbers.append((f"{contents.judged_by} loss", f"{evaluation.loss:.4f}"))
    elif contents.history:
        numbers.append(("training loss", f"{contents.history[-1].loss:.4f}"))
    if contents.history:
        numbers.append(
            ("training time", duration(sum(epoch.seconds for epoch in contents.history)))
        )
        speed = median(epoch.images_per_second for epoch in contents.history)
        numbers.append(("images per second", f"{speed:,.0f}"))
    learned = sum(math.prod(p.shape) for p in contents.model.parameters())
    numbers.append(("parameters", f"{learned:,}"))
    if "training" in contents.counts:
        numbers.append(("training images", f"{contents.counts['training']:,}"))
    return numbers
