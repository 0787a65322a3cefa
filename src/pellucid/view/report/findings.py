"""The most important findings in words, each with a link to the section that shows it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np

from pellucid.training.diagnosis import diagnosis
from pellucid.view.report.contents import Contents, Judged
from pellucid.view.report.words import count, percent

_TREND = 3
"""Smallest number of epochs for which the learning curves are commented on."""
_SURE = 0.99
"""Smallest probability at which a mistake is called confident."""
_WEAK = 0.05
"""Smallest difference between a class's F1 and the mean at which the class is named."""
_MISJUDGED = 0.02
"""Smallest calibration error that is mentioned."""
_HARDLY = 1e-3
"""Ratio of the first layer's gradient to the last one's below which it is called vanishing."""


class Finding(NamedTuple):
    """A finding in a sentence or two, and the key of the section that shows it."""

    section: str
    text: str


def findings(contents: Contents) -> list[Finding]:
    """Return the findings, the most important first."""
    found: list[Finding] = []
    if contents.evaluation is not None:
        found += _of_results(contents.evaluation)
    if len(contents.history) >= _TREND:
        found.append(Finding("learning", diagnosis(contents.history)))
    return found + list(_of_gradients(contents))


def _of_results(evaluation: Judged) -> Iterator[Finding]:
    if (worst := most_confused(evaluation, 1)) and len(evaluation.classes) > 2:
        times, truth, prediction = worst[0]
        total = count(int(evaluation.confusion[truth].sum()), "image")
        named = f"“{evaluation.classes[truth]}” is taken for “{evaluation.classes[prediction]}”"
        yield Finding("confusion", f"{named} most often: {times:,} of {total}.")
    f1, support = evaluation.by_class.f1, evaluation.by_class.support
    weakest = int(np.where(support > 0, f1, np.inf).argmin())
    mean = float(f1[support > 0].mean())
    if f1[weakest] < mean - _WEAK:
        yield Finding(
            "classes",
            f"“{evaluation.classes[weakest]}” is recognised worst: its F1 is {f1[weakest]:.2f}, "
            f"where the mean of all classes is {mean:.2f}.",
        )
    error = evaluation.calibration.error
    if error >= _MISJUDGED:
        yield Finding("calibration", _of_confidence(evaluation))
    mistakes = evaluation.mistakes(len(evaluation.labels))
    if sure_ones := int((mistakes.probability >= _SURE).sum()):
        yield Finding(
            "mistakes",
            f"{sure_ones:,} of {count(len(mistakes.index), 'mistake')} made while over "
            f"{_SURE:.0%} sure: look whether these images are labelled right.",
        )


def _of_confidence(evaluation: Judged) -> str:
    sure, right = float(evaluation.probabilities.max(axis=1).mean()), evaluation.accuracy
    error = evaluation.calibration.error
    if abs(sure - right) < error / 2:
        return (
            f"Its confidence is {percent(error, 1)} off on average: too high for some images, "
            "too low for others."
        )
    manner = "too sure of itself" if sure > right else "less sure than it could be"
    return (
        f"The network is {manner}: on average it is {percent(sure, 1)} sure and right in "
        f"{percent(right, 1)} of the cases."
    )


def most_confused(evaluation: Judged, k: int) -> list[tuple[int, int, int]]:
    """Return the k most frequent confusions as (times, truth, prediction).

    Confusions that happened only once are left out.
    """
    wrong = evaluation.confusion.copy()
    np.fill_diagonal(wrong, 0)
    order = np.argsort(-wrong, axis=None, kind="stable")[:k]
    pairs = zip(*np.unravel_index(order, wrong.shape), strict=True)
    return [(int(wrong[i, j]), int(i), int(j)) for i, j in pairs if wrong[i, j] > 1]


def _of_gradients(contents: Contents) -> Iterator[Finding]:
    flow = contents.gradients
    if flow is None or len(flow.steps) == 0 or len(flow.names) < 2:
        return
    typical = np.median(flow.gradient, axis=0)
    if typical[0] < _HARDLY * typical[-1]:
        yield Finding(
            "gradients",
            f"Gradients almost vanish before they reach {flow.names[0]}: they are typically "
            f"{typical[-1] / max(typical[0], 1e-30):,.0f} times smaller than at {flow.names[-1]}. "
            "Normalisation or shortcuts usually help.",
        )
