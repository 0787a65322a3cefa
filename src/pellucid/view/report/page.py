"""The report on a run: its head, and its sections in order."""

from __future__ import annotations

import math
import warnings
from collections.abc import Callable
from statistics import median

from pellucid.view.report import learning, network, results, scaling
from pellucid.view.report.contents import Contents
from pellucid.view.report.findings import findings
from pellucid.view.report.frame import Report, framed, numbers
from pellucid.view.report.markup import Html, html, joined
from pellucid.view.report.reproduce import reproduce
from pellucid.view.report.section import Section
from pellucid.view.report.words import count, duration, percent

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


def report(contents: Contents) -> Report:
    """Make the report on a training run."""
    with warnings.catch_warnings():
        # browsers have glyphs for all scripts, unlike Matplotlib's font
        warnings.filterwarnings("ignore", "Glyph .* missing from font")
        made = [(what, make(contents)) for what, make in _SECTIONS]
        sections = [section for _, section in made if section is not None]
        missing = [what for what, section in made if what and section is None]
        title = f"{contents.model_name} on {contents.data_name}"
        head = _head(contents, {section.key: section.title for section in sections})
        return framed("Training report", title, head, sections, _missing(missing))


def _missing(missing: list[str]) -> Html:
    if not missing:
        return Html()
    return html(
        "<p>Left out, as this run has nothing to show for it: {what}.</p>\n",
        what=", ".join(missing),
    )


def _head(contents: Contents, titles: dict[str, str]) -> Html:
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
        '<p class="lede">{lede}</p>\n{numbers}\n{first}',
        lede=_lede(contents),
        numbers=numbers(_numbers(contents)),
        first=first if found else Html(),
    )


def _lede(contents: Contents) -> str:
    """Return a summary of the results in words."""
    text, evaluation = [], contents.evaluation
    if evaluation is not None:
        total, right = len(evaluation.labels), int(evaluation.confusion.trace())
        chance = evaluation.by_class.support.max() / total
        text.append(
            f"The network classified {right:,} of {total:,} {contents.judged_by} images correctly, "
            f"{percent(right / total)}{_how_certain(evaluation.accuracy_interval)}. Always "
            f"predicting the most frequent class would reach {percent(float(chance), 1)}."
        )
        if total < _FEW:
            text.append(f"{count(total, 'image')} are too few to compare networks by.")
    else:
        text.append("It was not evaluated on images other than those it was trained on.")
    if contents.history:
        spent = duration(sum(epoch.seconds for epoch in contents.history))
        compiled = sum(epoch.compiling for epoch in contents.history)
        more = f", besides {duration(compiled)} to compile kernels" if compiled >= 1 else ""
        text.append(
            f"It was trained for {count(len(contents.history), 'epoch')}, which took {spent}{more}."
        )
    if contents.kept is not None:
        text.append(
            f"The weights are those of epoch {contents.kept}, which did best in validation."
        )
    return " ".join(text)


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
