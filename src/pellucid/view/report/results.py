"""The sections on results: scores by class, thresholds, confusions, calibration and mistakes."""

from __future__ import annotations

import numpy as np

from pellucid.view.attribution import laid_over
from pellucid.view.calibration import calibration
from pellucid.view.confusion import confusion
from pellucid.view.mistakes import mistakes as gallery
from pellucid.view.ranking import precision_recall, roc
from pellucid.view.report.contents import Contents, Judged
from pellucid.view.report.findings import most_confused
from pellucid.view.report.markup import Html, html, joined
from pellucid.view.report.pictures import Picture, pixels
from pellucid.view.report.section import Pair, Section, folded, paragraph, table
from pellucid.view.report.words import count, percent
from pellucid.view.scores import scores

_TABLED = 20
"""Largest number of classes for which the table is unfolded."""
_DRAWN = 60
"""Largest number of classes for which the scores are drawn."""
MISTAKES = 24


def classes(contents: Contents) -> Section | None:
    """Return the section on precision, recall and F1 of each class."""
    evaluation = contents.evaluation
    if evaluation is None:
        return None
    names, found = evaluation.classes, evaluation.by_class
    low, high = int(found.f1.argmin()), int(found.f1.argmax())
    rows = [
        [name, f"{p:.4f}", f"{r:.4f}", f"{f:.4f}", f"{n:,}"]
        for name, p, r, f, n in zip(
            names, found.precision, found.recall, found.f1, found.support, strict=True
        )
    ]
    means = (f"{score.mean():.4f}" for score in (found.precision, found.recall, found.f1))
    rows.append(["mean", *means, f"{found.support.sum():,}"])
    heads = ["class", "precision", "recall", "F1", "images"]
    numbers = table(f"Scores on the {contents.judged_by} images", heads, rows, len(rows) - 1)
    parts: list[Html | tuple[Picture, str]] = [
        paragraph(
            "Precision: the share of the images predicted as a class that belong to it. Recall: "
            "the share of the images of a class that were found. F1 is their harmonic mean."
        )
    ]
    if len(names) <= _DRAWN:
        text = (
            f"Precision, recall and F1 of {count(len(names), 'class', 'classes')}. F1 goes from "
            f"{found.f1[low]:.3f} ({names[low]}) to {found.f1[high]:.3f} ({names[high]})."
        )
        parts.append((Picture("scores", scores(evaluation), text, 420), ""))
    wide = len(names) > _TABLED
    parts.append(folded(f"All {len(names)} classes", numbers) if wide else numbers)
    return Section("classes", "Class by class", tuple(parts))


def thresholds(contents: Contents) -> Section | None:
    """Return the section with ROC and precision–recall curves."""
    evaluation = contents.evaluation
    if evaluation is None:
        return None
    names, found = evaluation.classes, evaluation.rankings
    areas = np.array([one.roc_auc for one in found])
    precise = np.array([one.average_precision for one in found])
    if np.isnan(areas).all():
        return None
    low, weak = int(np.nanargmin(areas)), int(np.nanargmin(precise))
    first = (
        f"ROC curves. The mean area is {np.nanmean(areas):.4f}, the smallest {areas[low]:.4f} "
        f"({names[low]})"
    )
    second = (
        f"Precision–recall curves. The mean average precision is {np.nanmean(precise):.4f}, the "
        f"smallest {precise[weak]:.4f} ({names[weak]})"
    )
    drawn = precision_recall(evaluation)
    return Section(
        "thresholds",
        "Other thresholds",
        (
            paragraph(
                "Each class against all others: an image counts as one where its probability "
                "reaches a threshold. A low threshold finds more of the class (recall), and takes "
                "more of the others for it. An area of 1 ranks every image of the class above all "
                "others; by chance it is 0.5."
            ),
            Pair(
                (
                    (Picture("roc", roc(evaluation), f"{first}.", 320), f"{first}."),
                    (Picture("precision-recall", drawn, f"{second}.", 320), f"{second}."),
                )
            ),
        ),
    )


def confusions(contents: Contents) -> Section | None:
    """Return the section with the confusion matrix and the most frequent confusions."""
    evaluation = contents.evaluation
    if evaluation is None:
        return None
    names, most = evaluation.classes, most_confused(evaluation, 5)
    right = int(evaluation.confusion.trace())
    text = f"{right:,} of {count(len(evaluation.labels), 'image')} are on the diagonal"
    pairs = [f"{names[t]} taken for {names[p]}, {n:,} times" for n, t, p in most]
    if pairs:
        text += ". Most frequent off it: " + "; ".join(pairs)
    wide = 420 if len(names) <= 12 else 760
    picture = Picture("confusion", confusion(evaluation), f"Confusion matrix. {text}.", wide)
    items = joined(
        html(
            "<li>“{truth}” taken for “{prediction}”: {n:,} of {total:,}</li>",
            truth=names[t],
            prediction=names[p],
            n=n,
            total=int(evaluation.confusion[t].sum()),
        )
        for n, t, p in most
    )
    listed = html("<h3>Most frequent confusions</h3><ol>{items}</ol>", items=items)
    nothing = paragraph("No two classes were confused more than once.")
    return Section(
        "confusion",
        "What is taken for what",
        (
            paragraph("Each row is a class as it is, each column what the network predicted."),
            (picture, ""),
            listed if most else nothing,
        ),
    )


def confidence(contents: Contents) -> Section | None:
    """Return the section on calibration: how far the network's confidence can be trusted."""
    evaluation = contents.evaluation
    if evaluation is None:
        return None
    found, sure = evaluation.calibration, float(evaluation.probabilities.max(axis=1).mean())
    text = (
        f"The expected calibration error, the mean distance between confidence and accuracy, is "
        f"{percent(found.error)}. The mean confidence is {percent(sure)}, the accuracy "
        f"{percent(evaluation.accuracy)}"
    )
    picture = Picture("calibration", calibration(evaluation), f"Reliability diagram. {text}.", 320)
    return Section(
        "calibration",
        "Can its confidence be trusted?",
        (
            paragraph(
                "Of the predictions that are 80 % sure, 80 % should be right. Bars on the diagonal "
                "mean that they are; below it, the network is too sure of itself."
            ),
            (picture, f"{text}."),
        ),
    )


def mistakes(contents: Contents) -> Section | None:
    """Return the section on the most confident mistakes."""
    evaluation, images = contents.evaluation, contents.images
    if evaluation is None or images is None:
        return None
    wrong = len(evaluation.labels) - int(evaluation.confusion.trace())
    if wrong == 0:
        only = paragraph(
            f"There are none: all {contents.judged_by} images were classified correctly."
        )
        return Section("mistakes", "Mistakes", (only,))
    found = evaluation.mistakes(MISTAKES)
    items = joined(
        _mistake(contents, evaluation, images[i], int(i), int(t), int(p), float(sure))
        for i, t, p, sure in zip(
            found.index, found.truth, found.prediction, found.probability, strict=True
        )
    )
    shown = "all of them" if wrong <= MISTAKES else f"the {MISTAKES} it was surest of"
    return Section(
        "mistakes",
        "Mistakes made most confidently",
        (
            paragraph(
                f"{count(wrong, 'mistake')} among {count(len(evaluation.labels), 'image')}; here "
                f"are {shown}. Some are hard for people too, and some may be labelled wrong."
                + (_BESIDE if contents.reasons else "")
            ),
            html('<ol class="gallery">{items}</ol>', items=items),
        ),
        files=(Picture("mistakes", gallery(evaluation, images), "Mistakes", 0),),
    )


_BESIDE = " Beside each stands what the wrong answer was based on (Grad-CAM; yellow: most)."


def _mistake(
    contents: Contents,
    evaluation: Judged,
    image: np.ndarray,
    index: int,
    truth: int,
    prediction: int,
    sure: float,
) -> Html:
    names = evaluation.classes
    likely = float(evaluation.probabilities[index, truth])
    alt = (
        f"Image {index}: it is “{names[truth]}”; predicted “{names[prediction]}” with "
        f"{percent(sure, 1)}"
    )
    picture = pixels(image, alt)
    if index in contents.reasons:
        over = laid_over(image, contents.reasons[index]).transpose(2, 0, 1)
        why = f"Image {index}: what “{names[prediction]}” was based on, laid over it"
        picture = html('<span class="two">{a}{b}</span>', a=picture, b=pixels(over, why))
    return html(
        '<li>{image}<span class="said">predicted <b>{prediction}</b> {sure}</span>'
        '<span class="soft">is <b>{truth}</b> {likely}</span></li>',
        image=picture,
        prediction=names[prediction],
        truth=names[truth],
        sure=percent(sure, 1),
        likely=percent(likely, 1),
    )
