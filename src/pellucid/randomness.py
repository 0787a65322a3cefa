"""Reproducible random numbers.

Every random number comes from a generator for one purpose at one step. No state is carried from one
draw to the next, so a checkpoint only needs the position (epoch, step).
"""

from __future__ import annotations

import hashlib

import numpy as np

from pellucid.arguments import as_integer
from pellucid.types import Generator


def generator(seed: int, purpose: str, epoch: int = 0, step: int = 0) -> Generator:
    """Return the random generator for `purpose` at (`epoch`, `step`).

    Philox (Salmon et al., "Parallel random numbers: as easy as 1, 2, 3", 2011) is a function of a
    key and a counter: the key is (seed, purpose), the counter's high words are (epoch, step), and
    its two low words count the draws.

    >>> first = generator(0, "shuffle", epoch=3).permutation(4)
    >>> bool((first == generator(0, "shuffle", epoch=3).permutation(4)).all())
    True
    """
    name = int.from_bytes(hashlib.blake2b(purpose.encode(), digest_size=8).digest(), "little")
    key = np.array([as_integer(seed) & (2**64 - 1), name], dtype=np.uint64)
    return np.random.Generator(
        np.random.Philox(key=key, counter=np.array([0, 0, epoch, step], dtype=np.uint64))
    )
