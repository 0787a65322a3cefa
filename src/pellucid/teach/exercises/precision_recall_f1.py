"""Three numbers for each class."""

import numpy as np

from pellucid.teach.exercise import case, exercise


def make(source, classes, empty=False):
    counts = source.integers(1, 9, (classes, classes)) + 5 * np.eye(classes, dtype=int)
    if empty:
        counts[:, 0] = 0
        counts[0] = 0
    return {"counts": counts}


CASES = [
    case("two classes", classes=2),
    case("a class that never occurs", classes=3, empty=True),
    case("five classes", classes=5),
]


@exercise(
    chapter=9,
    title="Precision, recall and F1",
    make=make,
    cases=CASES,
    returns=("precision", "recall", "f1"),
)
def precision_recall_f1(counts):
    """Return precision, recall and F1 of each class: three arrays (classes,).

    `counts` is a confusion matrix, counts[true class, predicted class]. Precision: of the images
    predicted as the class, how many belong to it? Recall: of the images of the class,
    how many were found?
    ``F1 = 2·precision·recall / (precision + recall)``. Where a divisor is 0, the result is 0.
    """
    right = np.diag(counts).astype(float)
    precision = _share(right, counts.sum(axis=0))
    recall = _share(right, counts.sum(axis=1))
    return precision, recall, _share(2 * precision * recall, precision + recall)


def _share(part, whole):
    return np.divide(part, whole, out=np.zeros(len(part)), where=whole != 0)


@precision_recall_f1.mistake(
    "Precision and recall are swapped.",
    "Precision divides by how often the class was predicted, its column: sum(axis=0).",
)
def swapped(counts):
    precision, recall, f1 = precision_recall_f1(counts)
    return recall, precision, f1


@precision_recall_f1.mistake(
    "Where a class never occurs there is nan.", "Where the divisor is 0, the result is 0."
)
def divided_by_zero(counts):
    right = np.diag(counts)
    precision, recall = right / counts.sum(axis=0), right / counts.sum(axis=1)
    return precision, recall, 2 * precision * recall / (precision + recall)


@precision_recall_f1.mistake(
    "F1 is the ordinary mean.", "It is the harmonic mean, which is small if either is small."
)
def ordinary_mean(counts):
    precision, recall, _ = precision_recall_f1(counts)
    return precision, recall, (precision + recall) / 2


@precision_recall_f1.mistake("The factor 2 is missing in F1.", "2·P·R / (P + R).")
def two_forgotten(counts):
    precision, recall, f1 = precision_recall_f1(counts)
    return precision, recall, f1 / 2


@precision_recall_f1.mistake(
    "Every class is divided by all images.", "Each by its own column or row."
)
def divided_by_all(counts):
    share = np.diag(counts) / counts.sum()
    return share, share, share


@precision_recall_f1.mistake("The classes are averaged.", "One number for each class is wanted.")
def averaged_over_classes(counts):
    return tuple(value.mean() for value in precision_recall_f1(counts))
