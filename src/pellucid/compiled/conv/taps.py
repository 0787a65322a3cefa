"""Which taps of the kernel meet which pixels, as short lists.

Padding is never made: at the border a list is only shorter. Where neighbouring taps read
neighbouring pixels, they are one entry with a length, so that the inner loop runs through memory
from end to end.
"""

from functools import lru_cache
from typing import NamedTuple

import numpy as np

from pellucid.geometry import Window
from pellucid.types import Array


class Taps(NamedTuple):
    """For each target t: entries ``first[t] … first[t + 1]``, each a run of taps and of sources."""

    first: Array
    tap: Array
    source: Array
    length: Array


@lru_cache(maxsize=512)
def forward_taps(window: Window) -> tuple[Taps, Taps]:
    """Return, for rows and for columns, which (tap, input) each output reads."""
    return _for_both(window, gradient=False)


@lru_cache(maxsize=512)
def gradient_taps(window: Window) -> tuple[Taps, Taps]:
    """Return, for rows and for columns, which (turned tap, output) each input is read by.

    The kernel is turned by 180°, tap k stands at K − 1 − k, so that taps and outputs rise together.
    """
    return _for_both(window, gradient=True)


def _for_both(window: Window, gradient: bool) -> tuple[Taps, Taps]:
    rows, columns = (_list(window, axis, gradient) for axis in (0, 1))
    return rows, columns


def _list(window: Window, axis: int, gradient: bool) -> Taps:
    K = window.kernel[axis]
    met = window.meetings(axis)
    if gradient:
        met = sorted((i, K - 1 - k, o) for o, k, i in met)
    targets = window.size[axis] if gradient else window.output_size[axis]
    first, runs = [0], []
    for target in range(targets):
        here: list[list[int]] = []
        for _, tap, source in (m for m in met if m[0] == target):
            if here and here[-1][0] + here[-1][2] == tap and here[-1][1] + here[-1][2] == source:
                here[-1][2] += 1
            else:
                here.append([tap, source, 1])
        runs += here
        first.append(len(runs))
    table = np.array(runs, np.int64).reshape(-1, 3).T
    return Taps(np.array(first, np.int64), *(np.ascontiguousarray(row) for row in table))
