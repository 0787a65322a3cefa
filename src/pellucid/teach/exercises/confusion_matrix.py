"""Which class is predicted for which."""

import numpy as np

from pellucid.teach.exercise import case, exercise


def make(source, N, classes):
    if classes < 2:
        raise ValueError
    truth = source.integers(0, classes, N)
    wrong = source.random(N) < 0.5
    predicted = np.where(wrong, source.integers(0, classes, N), truth)
    return {"truth": truth, "predicted": predicted, "classes": classes}


CASES = [
    case("a few images", N=8, classes=3),
    case("a class that does not occur", N=3, classes=5),
    case("many images", N=200, classes=4),
]


@exercise(chapter=9, title="Confusion matrix", make=make, cases=CASES, returns=("counts",))
def confusion_matrix(truth, predicted, classes):
    """Return how often each class was predicted as each: counts[true class, predicted class].

    `truth` and `predicted` are (N,), numbers of classes. The result is (classes, classes).
    """
    counts = np.zeros((classes, classes), int)
    np.add.at(counts, (truth, predicted), 1)
    return counts


@confusion_matrix.mistake(
    "Rows and columns are swapped.", "A row is the true class, a column the predicted one."
)
def transposed(truth, predicted, classes):
    return confusion_matrix(predicted, truth, classes)


@confusion_matrix.mistake(
    "Each pair is counted once at most.",
    "counts[truth, predicted] += 1 adds once where a pair occurs several times. Use np.add.at or a "
    "loop.",
)
def counted_once(truth, predicted, classes):
    return np.minimum(confusion_matrix(truth, predicted, classes), 1)


@confusion_matrix.mistake("It holds shares, not counts.", "Leave the counts as they are.")
def divided_by_rows(truth, predicted, classes):
    counts = confusion_matrix(truth, predicted, classes)
    return counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)


@confusion_matrix.mistake("It holds shares of all images, not counts.", "Do not divide by N.")
def divided_by_all(truth, predicted, classes):
    return confusion_matrix(truth, predicted, classes) / len(truth)


@confusion_matrix.mistake("Only right answers are counted.", "Mistakes are the point of it.")
def right_ones_only(truth, predicted, classes):
    return confusion_matrix(truth[truth == predicted], truth[truth == predicted], classes)


@confusion_matrix.mistake("Only mistakes are counted.", "Correct predictions are on the diagonal.")
def wrong_ones_only(truth, predicted, classes):
    wrong = truth != predicted
    return confusion_matrix(truth[wrong], predicted[wrong], classes)


@confusion_matrix.mistake(
    "Classes that do not occur have no row.",
    "The result is (classes, classes), with rows of zeros.",
)
def missing_classes_left_out(truth, predicted, classes):
    there = np.unique(np.concatenate([truth, predicted]))
    return confusion_matrix(truth, predicted, classes)[np.ix_(there, there)]
