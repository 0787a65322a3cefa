"""The uncertainty of accuracies: confidence intervals, and tests of differences."""

from __future__ import annotations

import math
from typing import NamedTuple

from pellucid.errors import PellucidError

_QUANTILE = 1.959963984540054  # of the normal distribution, for 95 % between −z and z


class Interval(NamedTuple):
    """An interval from `low` to `high`, both included."""

    low: float
    high: float


def accuracy_interval(correct: int, count: int) -> Interval:
    """Return the 95 % Wilson interval of an accuracy of `correct` out of `count` images.

    With p = correct/count and z = 1.96::

        (p + z²/2n ± z·√(p(1 − p)/n + z²/4n²)) / (1 + z²/n)

    It stays within 0 and 1, and is valid for few images and for accuracies near 1, where the usual
    p ± z·√(p(1 − p)/n) is not.
    Source: Wilson, "Probable inference, the law of succession, and statistical inference", 1927.

    Raises
    ------
    PellucidError
        There are no images, or `correct` exceeds `count`.

    Examples
    --------
    >>> low, high = accuracy_interval(24, 24)
    >>> f"{low:.3f} to {high:.3f}"
    '0.862 to 1.000'
    """
    if count < 1 or not 0 <= correct <= count:
        raise PellucidError(f"{correct} of {count} images cannot be correct")
    p, z = correct / count, _QUANTILE
    middle = p + z**2 / (2 * count)
    half = z * math.sqrt(p * (1 - p) / count + z**2 / (4 * count**2))
    scale = 1 + z**2 / count
    low = 0.0 if correct == 0 else (middle - half) / scale
    high = 1.0 if correct == count else (middle + half) / scale
    return Interval(low, high)


def paired_difference(only_first: int, only_second: int) -> float:
    """Return the p-value of McNemar's exact test of two classifiers on the same images.

    Only images that exactly one of them classifies correctly count. If both were equally good, each
    would be either's with probability ½; the p-value is the probability of a division at least as
    uneven::

        p = min(1, 2 · Σ over i ≤ min(b, c) of C(b + c, i) / 2^(b + c))

    Source: McNemar, "Note on the sampling error of the difference between correlated proportions",
    1947; exact form as in Agresti, "Categorical data analysis", 2013, sec. 11.1.

    Parameters
    ----------
    only_first, only_second
        Numbers b and c of images that only the first, or only the second, classifies correctly.

    Examples
    --------
    >>> round(paired_difference(2, 10), 4)
    0.0386
    >>> paired_difference(5, 5)
    1.0
    """
    if min(only_first, only_second) < 0:
        raise PellucidError("numbers of images must not be negative")
    count, fewer = only_first + only_second, min(only_first, only_second)
    below = sum(math.comb(count, i) for i in range(fewer + 1))
    return min(1.0, float(2 * below / 2**count))
