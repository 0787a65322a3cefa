"""Data and metrics."""

import numpy as np

from learners.solutions import right, wrong


@wrong("standardise", "leaking")
def _(train, test):
    both = np.concatenate([train, test])
    mean, std = both.mean(axis=(0, 2, 3)), both.std(axis=(0, 2, 3))
    shape = (1, -1, 1, 1)
    return (
        (train - mean.reshape(shape)) / std.reshape(shape),
        (test - mean.reshape(shape)) / std.reshape(shape),
    )


@wrong("standardise", "test_by_itself")
def _(train, test):
    def scale(x):
        return (x - x.mean((0, 2, 3), keepdims=True)) / x.std((0, 2, 3), keepdims=True)

    return scale(train), scale(test)


@wrong("standardise", "each_image_by_itself")
def _(train, test):
    def scale(x):
        return (x - x.mean((2, 3), keepdims=True)) / x.std((2, 3), keepdims=True)

    return scale(train), scale(test)


@right("standardise")
def _(train, test):
    channels = np.moveaxis(train, 1, 0).reshape(train.shape[1], -1)
    mean = channels.mean(axis=1)[:, None, None]
    std = np.sqrt(channels.var(axis=1))[:, None, None]
    return (train - mean) / std, (test - mean) / std


@wrong("confusion_matrix", "counted_once")
def _(truth, predicted, classes):
    counts = np.zeros((classes, classes), int)
    counts[truth, predicted] += 1
    return counts


@wrong("confusion_matrix", "transposed")
def _(truth, predicted, classes):
    counts = np.zeros((classes, classes), int)
    for t, p in zip(truth, predicted, strict=True):
        counts[p, t] += 1
    return counts


@right("confusion_matrix")
def _(truth, predicted, classes):
    return np.bincount(truth * classes + predicted, minlength=classes**2).reshape(classes, classes)


@wrong("precision_recall_f1", "swapped")
def _(counts):
    right = np.diag(counts)
    precision = np.divide(right, counts.sum(1), out=np.zeros(len(right)), where=counts.sum(1) > 0)
    recall = np.divide(right, counts.sum(0), out=np.zeros(len(right)), where=counts.sum(0) > 0)
    total = precision + recall
    f1 = np.divide(2 * precision * recall, total, out=np.zeros(len(right)), where=total > 0)
    return precision, recall, f1


@wrong("precision_recall_f1", "divided_by_zero")
def _(counts):
    precision = counts.diagonal() / counts.sum(0)
    recall = counts.diagonal() / counts.sum(1)
    return precision, recall, 2 * precision * recall / (precision + recall)
