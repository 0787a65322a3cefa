"""Which positions of an output are computed in the same way, as tables for `direct`.

Padding is never made: at a border a position only has fewer taps. Positions that have the same
taps, at the same distances, are of one *kind*: the inner ones, those of the first row, the corners.
The gradient for the input of a convolution with stride 2 has four times as many kinds: a pixel of
an even row meets other taps than one of an odd row. All positions of a kind, of all images, can
be the rows of one tile.
"""

from functools import lru_cache
from typing import NamedTuple

import numpy as np

from pellucid.compiled.conv.taps import Taps, forward_taps, gradient_taps
from pellucid.geometry import Window
from pellucid.types import Array


class Positions(NamedTuple):
    """Tiles of positions, all int64.

    Attributes
    ----------
    source, target
        (tiles · rows,): where in memory the first pixel that a position reads begins, and the pixel
        that it writes. The last tile of a kind names its last position several times.
    kind
        (tiles,): the kind of each tile.
    first
        Kind k has the entries ``first[k] … first[k + 1]`` of what follows.
    tap, distance, length
        A run of so many taps reads so many pixels from this distance to the first on.
    """

    source: Array
    target: Array
    kind: Array
    first: Array
    tap: Array
    distance: Array
    length: Array


@lru_cache(maxsize=512)
def positions(
    window: Window, gradient: bool, images: int, channels: tuple[int, int], rows: int
) -> Positions:
    """Return the tables for tiles of so many rows.

    `channels` are those of the pixels that are read and written.
    """
    both = (gradient_taps if gradient else forward_taps)(window)
    read, written = (window.output_size, window.size)[:: 1 if gradient else -1]
    sources, targets, kinds, taps, first = [], [], [], [], [0]
    image = np.arange(images)[:, None, None]
    for down in _kinds(both[0]):
        for across in _kinds(both[1]):
            source = (image * read[0] + down.source[:, None]) * read[1] + across.source
            target = (image * written[0] + down.target[:, None]) * written[1] + across.target
            tiles = -(-source.size // rows)
            every = np.minimum(np.arange(tiles * rows), source.size - 1)
            sources.append(source.ravel()[every])
            targets.append(target.ravel()[every])
            kinds += [len(first) - 1] * tiles
            taps += [
                (i * window.kernel[1] + j, d * read[1] + e, length)
                for i, d, count in down.runs
                for i, d in zip(range(i, i + count), range(d, d + count), strict=True)
                for j, e, length in across.runs
            ]
            first.append(len(taps))
    table = np.array(taps, np.int64).reshape(-1, 3).T
    return Positions(
        np.concatenate(sources) * channels[0],
        np.concatenate(targets) * channels[1],
        np.array(kinds),
        np.array(first),
        *(np.ascontiguousarray(column) for column in table),
    )


class _Kind(NamedTuple):
    """Targets of one axis with the same (tap, distance, length) runs."""

    runs: tuple[tuple[int, int, int], ...]
    source: Array
    target: Array


def _kinds(taps: Taps) -> list[_Kind]:
    found: dict[tuple[tuple[int, int, int], ...], list[tuple[int, int]]] = {}
    for target in range(len(taps.first) - 1):
        here = range(taps.first[target], taps.first[target + 1])
        source = int(taps.source[here.start]) if here else 0
        runs = tuple(
            (int(taps.tap[i]), int(taps.source[i]) - source, int(taps.length[i])) for i in here
        )
        found.setdefault(runs, []).append((source, target))
    return [_Kind(runs, *np.array(places).T) for runs, places in found.items()]
