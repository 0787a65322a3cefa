"""From flattening to the loss."""

import numpy as np

from learners.solutions import right, wrong


@wrong("linear", "weight_not_transposed")
def _(x, weight, bias):
    return np.dot(x, weight) + bias


@wrong("softmax", "maximum_not_subtracted")
def _(z):
    e = np.exp(z)
    return e / e.sum(1)[:, None]


@wrong("softmax", "over_the_wrong_axis")
def _(z):
    e = np.exp(z - z.max(axis=0))
    return e / e.sum(axis=0)


@wrong("softmax", "maximum_of_the_whole_batch")
def _(z):
    e = np.exp(z - np.max(z))
    return e / np.sum(e, axis=1, keepdims=True)


@right("softmax")
def _(z):
    e = np.exp(z - z.max(axis=1, keepdims=True))
    return e / e.sum(axis=1, keepdims=True)


@right("softmax")
def _(z):
    shifted = (z.T - z.max(axis=1)).T
    return np.exp(shifted - np.log(np.exp(shifted).sum(axis=1))[:, None])


@wrong("cross_entropy", "logarithm_of_zero")
def _(z, labels):
    e = np.exp(z - z.max(axis=1, keepdims=True))
    p = e / e.sum(axis=1, keepdims=True)
    return -np.mean(np.log(p[range(len(z)), labels]))


@wrong("cross_entropy", "averaged_twice")
def _(z, labels):
    shifted = z - z.max(axis=1, keepdims=True)
    log_p = shifted - np.log(np.exp(shifted).sum(axis=1, keepdims=True))
    return -log_p[np.arange(len(z)), labels].mean() / len(z)


@wrong("cross_entropy", "summed")
def _(z, labels):
    loss = 0.0
    for row, label in zip(z, labels, strict=True):
        row = row - row.max()
        loss -= row[label] - np.log(np.exp(row).sum())
    return loss


@right("cross_entropy")
def _(z, labels):
    loss = 0.0
    for row, label in zip(z, labels, strict=True):
        row = row - row.max()
        loss -= row[label] - np.log(np.exp(row).sum())
    return loss / len(z)


@wrong("mean_squared_error", "gradient_not_averaged")
def _(y, target):
    d = y - target
    return np.mean(d**2), 2 * d


@right("mean_squared_error")
def _(y, target):
    d = (y - target).ravel()
    return d @ d / d.size, (2 / d.size * d).reshape(y.shape)
